//! The root key in use, and the client that uses it. It sends nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use super::pinned_client::PinnedClient;
use crate::domain::{KeyMark, Mono, Policy};
use crate::unkey;

/// What belongs to one root key.
pub struct Workspace {
    client: unkey::Client,
    pinned: RwLock<Arc<PinnedClient>>,
    /// When a call last succeeded, in ms plus one; 0: never.
    thrived: AtomicU64,
}

/// What has become of the root key.
pub enum KeyChange {
    /// It is the same.
    None,
    /// There was none and is none, and now for this reason.
    StillMissing(String),
    /// It is another one, or gone, or back. It comes into use with [`Workspace::pin`].
    Another(PinnedClient),
}

impl Workspace {
    /// With the key that is there now.
    pub fn new(client: unkey::Client, policy: &Policy) -> Self {
        let pinned = RwLock::new(Arc::new(PinnedClient::with(policy, &client)));
        Self { client, pinned, thrived: AtomicU64::new(0) }
    }

    /// The key in use, and the policies.
    pub fn pinned(&self) -> Arc<PinnedClient> {
        Arc::clone(&self.pinned.read())
    }

    /// The fingerprint of the root key that is there right now; a change found here is followed at once.
    pub fn present_key(&self) -> KeyMark {
        self.client.credential_mark().ok()
    }

    /// An attempt without answer is over so long after it began.
    pub fn request_timeout(&self) -> Duration {
        self.client.request_timeout()
    }

    /// A call has ended. Returns when one last succeeded.
    pub fn thrives(&self, failed: bool, now: Mono) -> Option<Mono> {
        if !failed {
            self.thrived.fetch_max(now.0 + 1, Ordering::Relaxed);
        }
        self.thrived.load(Ordering::Relaxed).checked_sub(1).map(Mono)
    }

    /// What was failing is tried again over this (R13).
    pub fn stagger(&self, stagger: Duration) {
        let pinned = self.pinned();
        let policy = Policy { stagger, ..Policy::clone(&pinned.policy) };
        self.pin(PinnedClient { policy: Arc::new(policy), unkey: pinned.unkey.clone() });
    }

    /// Looks at the root key that is there now.
    pub fn look_at_key(&self) -> KeyChange {
        let before = self.pinned();
        let after = PinnedClient::with(&before.policy, &self.client);
        if before.policy.credential != after.policy.credential {
            return KeyChange::Another(after);
        }
        match after.unkey.as_ref().err().cloned() {
            Some(why) if before.unkey.as_ref().err() != Some(&why) => {
                self.pin(after);
                KeyChange::StillMissing(why)
            }
            _ => KeyChange::None,
        }
    }

    /// What sessions that begin from now on keep to.
    pub fn pin(&self, pinned: PinnedClient) {
        *self.pinned.write() = Arc::new(pinned);
    }
}
