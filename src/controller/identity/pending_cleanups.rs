//! The objects that are gone and that are being cleared up after. It does nothing itself.

use std::collections::HashSet;

use tokio::sync::watch;

use crate::domain::Uid;

/// Those that are being cleared up after.
#[derive(Debug)]
pub struct PendingCleanups(watch::Sender<HashSet<Uid>>);

impl Default for PendingCleanups {
    fn default() -> Self {
        Self(watch::Sender::new(HashSet::new()))
    }
}

impl PendingCleanups {
    /// This object is being cleared up after. False: it was already.
    pub fn begins(&self, uid: &Uid) -> bool {
        self.0.send_if_modified(|pending| pending.insert(uid.clone()))
    }

    /// It has been cleared up after.
    pub fn ends(&self, uid: &Uid) {
        self.0.send_modify(|pending| {
            pending.remove(uid);
        });
    }

    /// Resolves when there are none (any more).
    pub async fn none_left(&self) {
        // It fails only without a sender, which is here.
        let _ = self.0.subscribe().wait_for(HashSet::is_empty).await;
    }
}
