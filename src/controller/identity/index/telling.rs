//! Who has to be told of that its work waits (R24), and the lock to do it.

use std::time::{Duration, Instant};

use super::Index;
use super::handles::KeyLock;
use super::object_name::IdentityRef;
use super::untold::One;
use crate::domain::{ExternalId, Uid};

/// An object whose status has been out of date for long.
#[derive(Debug)]
pub struct Overdue {
    /// Its uid.
    pub uid: Uid,
    /// The externalId whose lock it needs.
    pub external_id: ExternalId,
    /// Where it is.
    pub at: IdentityRef,
}

impl Index {
    /// Those whose status has been out of date for `patience` or longer, the longest first, `limit` at most. Time counts from `from` on.
    pub fn overdue(&self, patience: Duration, from: Instant, limit: usize) -> Vec<Overdue> {
        let (state, now) = (self.state.lock(), Instant::now());
        let is_due = |one: &One| {
            now.saturating_duration_since(one.since.max(from)) >= patience && one.next.is_none_or(|next| next <= now)
        };
        let mut due: Vec<_> = state.untold.0.iter().filter(|(_, one)| is_due(one)).collect();
        due.sort_unstable_by_key(|(_, one)| one.since);
        let overdue = |(uid, one): (&Uid, &One)| Overdue {
            uid: uid.clone(),
            external_id: one.external_id.clone(),
            at: one.at.to_ref(),
        };
        due.into_iter().take(limit).map(overdue).collect()
    }

    /// How many there are.
    pub fn count_untold(&self) -> usize {
        self.state.lock().untold.0.len()
    }

    /// Since when the status of the object is out of date; `None`: it is not.
    pub fn untold_since(&self, uid: &Uid) -> Option<Instant> {
        self.state.lock().untold.0.get(uid).map(|one| one.since)
    }

    /// There is nothing to tell of the object yet: not again for `wait`.
    pub fn puts_off(&self, uid: &Uid, wait: Duration) {
        if let Some(one) = self.state.lock().untold.0.get_mut(uid) {
            one.next = Some(Instant::now() + wait);
        }
    }

    /// The lock on `external_id` if nobody has it, to write a status. Whoever comes meanwhile is woken when it ends, and keeps what is
    /// reserved for it.
    pub fn lock_to_tell(&self, external_id: &ExternalId) -> Option<KeyLock<'_>> {
        let taken = self.state.lock().entries.get_mut(external_id)?.claims.try_telling();
        taken.then(|| KeyLock::taken(&self.state, external_id))
    }

    /// The lock is held only for a status to be written.
    pub fn is_telling(&self, external_id: &ExternalId) -> bool {
        self.state.lock().entries.get(external_id).is_some_and(|indexed| indexed.claims.is_telling())
    }
}
