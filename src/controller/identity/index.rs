//! What is shared between reconciles: who claims an externalId, who holds the lock, what is known of it in Unkey, what is
//! remembered of each object, and which workspaces the recorded ids come from.
//!
//! All of it is behind one mutex. Each method of [`Index`] takes it once, for a moment and never across an await; what it works on meanwhile has no
//! way back to it. The lock on an externalId is another thing: it is tried, never waited for, and who does not get it is parked and woken when it ends (R8).

mod deletions;
mod facts;
mod guard;
mod handles;
mod keys;
mod listing;
mod newcomers;
mod object_memories;
mod object_name;
mod owners;
mod plans;
mod queue;
mod rewind;
mod state;
mod telling;
mod untold;
mod unwritten;
mod waiting;
mod witness;

use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

pub use self::facts::Plan;
use self::facts::entry_of;
pub use self::handles::{KeyLock, Parts, Remembered};
pub use self::object_memories::{MemoryHold, ObjectMemory};
pub use self::object_name::IdentityRef;
pub use self::plans::Rescued;
use self::queue::Queue;
use self::state::{Put, State};
pub use self::telling::Overdue;
pub use self::{owners::ClaimHolder, unwritten::Unwritten};
use super::raw::RawIdentity;
use crate::api::{ManagementPolicy, Reason};
use crate::controller::runtime::clock::Clock;
use crate::domain::{Deletions, ExternalId, Mono, Policy, Source, Uid, Workspace};

/// The shared state. Cheap to lock: every operation is a few map look-ups.
#[derive(Debug)]
pub struct Index {
    state: Mutex<State>,
    /// Somebody waits for a proof of the workspace.
    doubted: Notify,
    key_changed: Notify,
    witness_wanted: Notify,
    witness_news: Notify,
    newcomers_wait: Notify,
    window: Duration,
    /// Of specs that do not say.
    management: ManagementPolicy,
    clock: Clock,
}

impl Index {
    /// An empty index. Objects to look at again are sent to `wake`; of `policy`, what does not change with the root key counts.
    pub fn new(
        wake: UnboundedSender<IdentityRef>,
        policy: &Policy,
        accounts: (Workspace, Deletions),
        clock: Clock,
    ) -> Self {
        Self {
            state: Mutex::new(State::new(accounts, !policy.observe, Queue::new(wake, clock.clone()))),
            doubted: Notify::new(),
            key_changed: Notify::new(),
            witness_wanted: Notify::new(),
            witness_news: Notify::new(),
            newcomers_wait: Notify::new(),
            window: policy.window,
            management: policy.management,
            clock,
        }
    }

    /// Takes in an object from the watch, to be looked at; a version older than the one known is ignored. Others of the same
    /// externalId are woken if what it says for its right has changed. Returns how long it was out of step, if that ended with this.
    pub fn upsert(&self, object: &RawIdentity) -> Option<Duration> {
        self.put(object, Source::Watch)
    }

    /// The same of an object that a watch lists anew. It is taken whatever its version says: versions are ordered within one watch only, and go
    /// back if etcd is restored from a backup.
    pub fn relist(&self, object: &RawIdentity) -> Option<Duration> {
        self.put(object, Source::Listing)
    }

    /// Takes in an object from a reply. Only the watch adds objects and removes them: a reply that is taken in after
    /// the watch has shown the object's end must not bring it back. Returns the same.
    pub fn update(&self, object: &RawIdentity) -> Option<Duration> {
        self.put(object, Source::Reply)
    }

    fn put(&self, object: &RawIdentity, source: Source) -> Option<Duration> {
        let mut entry = entry_of(object, self.management);
        if source != Source::Reply {
            entry.extra.plan = Plan::Queued(self.clock.now());
        }
        let now = self.clock.now();
        let Put { ended, many_are_new } = self.state.lock().put(object, entry, source, now, now.after(self.window));
        if many_are_new {
            self.newcomers_wait.notify_one();
        }
        ended
    }

    /// Takes in that the watch has shown this version of an object, which says nothing new.
    pub fn touch(&self, object: &RawIdentity) {
        let version = object.version();
        self.with_entry(object.external_id(), object.uid(), |known| known.version = known.version.max(version));
    }

    /// Takes an object out that is gone, and wakes those that waited for it.
    pub fn remove(&self, object: &RawIdentity, now: Mono) {
        let recorded = object.claimant(object.read_status().as_ref()).recorded;
        self.state.lock().remove(object, recorded.as_ref(), now);
    }

    /// True as long as the watch shows `uid`.
    pub fn knows(&self, external_id: &ExternalId, uid: &Uid) -> bool {
        self.state.lock().entries.get(external_id).is_some_and(|indexed| indexed.claims.knows(uid))
    }

    /// True if a create for `uid` may have left an identity that no status records.
    pub fn owes(&self, external_id: &ExternalId, uid: &Uid) -> bool {
        let state = self.state.lock();
        let known = state.entries.get(external_id).and_then(|indexed| indexed.known.as_ref());
        known.is_some_and(|known| known.owes(uid))
    }

    /// The memory of `uid`, made if need be.
    pub fn memory(&self, uid: &Uid) -> Remembered<'_> {
        let hold = self.hold_memory(uid);
        Remembered::held(&self.state, uid, hold)
    }

    /// Works on the memory of `uid` for a moment.
    pub fn with_memory<T>(&self, uid: &Uid, work: impl FnOnce(&mut ObjectMemory) -> T) -> T {
        self.state.lock().object_memories.with(uid, work)
    }

    /// Keeps the memory of `uid`, for longer than its object lives.
    pub fn hold_memory(&self, uid: &Uid) -> MemoryHold {
        self.state.lock().object_memories.hold(uid)
    }

    /// The lock on `external_id`, or `None`: then `me` is woken when it is free.
    pub fn try_lock(&self, external_id: &ExternalId, me: &IdentityRef) -> Option<KeyLock<'_>> {
        let mut state = self.state.lock();
        let indexed = state.entries.entry(external_id.clone()).or_default();
        if !indexed.claims.try_lock() {
            if !indexed.parked.contains(me) {
                indexed.parked.push(me.clone());
            }
            return None;
        }
        Some(KeyLock::taken(&self.state, external_id))
    }

    /// Forgets externalIds that no object names any more, once no read could be misled by what was done to them, what is known of the
    /// others once it makes no difference, and the memory of objects that are gone.
    pub fn sweep(&self, now: Mono) {
        self.state.lock().sweep(now, self.window);
    }

    /// How many objects show each reason (`None`: no status yet), and how long the longest has been out of step.
    pub fn survey(&self) -> (HashMap<Option<Reason>, i64>, Duration) {
        let (mut counts, mut oldest) = (HashMap::new(), None);
        for (_, entry) in self.state.lock().claims() {
            *counts.entry(entry.extra.reason).or_default() += 1;
            oldest = oldest.into_iter().chain(entry.extra.unsynced).min();
        }
        (counts, oldest.map_or(Duration::ZERO, |since| since.elapsed()))
    }
}

#[cfg(test)]
mod tests;
