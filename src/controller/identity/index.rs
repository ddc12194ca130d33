//! What is shared between reconciles: who claims an externalId, who holds the lock, what is known of it in Unkey, what is
//! remembered of each object, and which workspaces the recorded ids come from.
//!
//! Locks are held for moments and never across an await. Where two are held at once, the order is `entries` before a slot's knowledge or the
//! workspace or who waits for a witness or is untold, `object_memories` before a memory, and a memory before the knowledge. A lock is tried, never waited for: who does not get it is parked
//! and woken when it ends (R8).

mod facts;
mod guard;
mod keys;
mod object_memories;
mod object_name;
mod owners;
mod plans;
mod rewind;
mod telling;
mod untold;
mod unwritten;
mod waiting;
mod witness;

use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

pub use self::facts::Plan;
use self::facts::{Facts, IndexEntry, entry_of};
use self::object_memories::ObjectMemories;
pub use self::object_memories::{ObjectMemory, Remembered};
pub use self::object_name::IdentityRef;
pub use self::plans::Rescued;
pub use self::telling::Overdue;
use self::untold::Untold;
use self::waiting::Waiting;
pub use self::{owners::ClaimHolder, unwritten::Unwritten};
use super::raw::RawIdentity;
use crate::api::Reason;
use crate::controller::runtime::clock::Clock;
use crate::domain::{self, Evidence, ExternalId, Forgets, Knowledge, Mono, Role, Source, Taken, Uid, Workspace};

/// The shared state. Cheap to lock: every operation is a few map look-ups.
#[derive(Debug)]
pub struct Index {
    entries: Mutex<HashMap<ExternalId, IndexEntry>>,
    object_memories: ObjectMemories,
    untold: Untold,
    workspace: Mutex<Workspace>,
    /// The fingerprints of root keys that objects name.
    marks: Mutex<HashSet<Arc<str>>>,
    /// Somebody waits for a proof of the workspace.
    doubted: Notify,
    key_changed: Notify,
    /// Who cannot go on without a witness (R19).
    waiting: Mutex<Waiting>,
    witness_wanted: Notify,
    witness_news: Notify,
    wake: UnboundedSender<IdentityRef>,
    window: Duration,
    clock: Clock,
}

/// What is known when nothing is: a read counts if it began when this root key was in use.
fn nothing_known(workspace: &Workspace) -> Knowledge {
    Knowledge { evidence_from: Evidence::Since(workspace.since()), ..Knowledge::default() }
}

/// The lock on one externalId: while it lives no other reconcile acts on it.
#[derive(Debug)]
pub struct KeyLock<'a> {
    index: &'a Index,
    external_id: ExternalId,
    known: Arc<Mutex<Knowledge>>,
}

impl Index {
    /// An empty index. Objects to look at again are sent to `wake`; `window` is the consistency window.
    pub fn new(wake: UnboundedSender<IdentityRef>, window: Duration, workspace: Workspace, clock: Clock) -> Self {
        Self {
            entries: Mutex::default(),
            object_memories: ObjectMemories::default(),
            untold: Untold::default(),
            workspace: Mutex::new(workspace),
            marks: Mutex::default(),
            doubted: Notify::new(),
            key_changed: Notify::new(),
            waiting: Mutex::default(),
            witness_wanted: Notify::new(),
            witness_news: Notify::new(),
            wake,
            window,
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
        let mut entry = entry_of(object);
        if source != Source::Reply {
            entry.extra.plan = Plan::Queued(self.clock.now());
        }
        if let Some(mark) = &mut entry.claimant.credential {
            self.share(mark);
        }
        let (plan, is_untold, mut ended) = (entry.extra.plan, entry.extra.untold, None);
        let mut entries = self.entries.lock();
        let indexed = entries.entry(object.external_id().clone()).or_default();
        let follow = |known: &mut Facts, new: Facts| ended = new.follow(known);
        let taken = indexed.claims.put(entry, source, &mut self.workspace.lock(), follow);
        match taken {
            Taken::Unknown => return None,
            Taken::Older => {
                if let Some(known) = indexed.claims.get_mut(object.uid()) {
                    known.extra.plan = plan.or(known.extra.plan);
                }
                return None;
            }
            Taken::Same | Taken::Changed => self.untold.follow(object, is_untold),
        }
        if taken == Taken::Changed {
            self.wake_others(indexed, object.uid());
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
        let uid = object.uid();
        self.untold.remove(uid);
        // Left to the sweep: whoever clears up after the object goes on with it, and must know what has been sent (R6).
        let object_state = self.object_memories.let_go(uid);
        if let Some(indexed) = self.entries.lock().get_mut(object.external_id()) {
            let recorded = object.claimant(object.read_status().as_ref()).recorded;
            domain::ended(uid, recorded.as_ref(), &mut self.known(indexed).lock(), &object_state, now);
            self.forget_nothing(indexed);
            indexed.claims.remove(uid, &mut self.workspace.lock());
            self.wake_others(indexed, uid);
        }
    }

    /// Puts the text that others have in place of an equal one: nearly all objects name the same key.
    fn share(&self, mark: &mut Arc<str>) {
        let mut marks = self.marks.lock();
        match marks.get(mark) {
            Some(known) => *mark = Arc::clone(known),
            None => drop(marks.insert(Arc::clone(mark))),
        }
    }

    fn wake_others(&self, indexed: &mut IndexEntry, uid: &Uid) {
        for entry in indexed.claims.entries_mut().iter_mut().filter(|entry| entry.claimant.uid != *uid) {
            self.hand_over(&mut entry.extra);
        }
    }

    /// True as long as the watch shows `uid`.
    pub fn knows(&self, external_id: &ExternalId, uid: &Uid) -> bool {
        self.entries.lock().get(external_id).is_some_and(|indexed| indexed.claims.knows(uid))
    }

    /// True if a create for `uid` may have left an identity that no status records.
    pub fn owes(&self, external_id: &ExternalId, uid: &Uid) -> bool {
        self.entries
            .lock()
            .get(external_id)
            .is_some_and(|indexed| indexed.known.as_ref().is_some_and(|known| known.lock().owes(uid)))
    }

    /// The role of `uid` (R8).
    pub fn role(&self, external_id: &ExternalId, uid: &Uid) -> Role {
        self.entries.lock().get(external_id).map_or(Role::Owner, |indexed| indexed.claims.role(uid))
    }

    /// The memory of `uid`, made if need be.
    pub fn memory(&self, uid: &Uid) -> Remembered<'_> {
        self.object_memories.of(uid)
    }

    /// The memory of `uid`, to be held for longer than its object lives.
    pub fn hold_memory(&self, uid: &Uid) -> Arc<Mutex<ObjectMemory>> {
        self.object_memories.hold(uid)
    }

    fn known(&self, indexed: &mut IndexEntry) -> Arc<Mutex<Knowledge>> {
        let new = || Arc::new(Mutex::new(nothing_known(&self.workspace.lock())));
        Arc::clone(indexed.known.get_or_insert_with(new))
    }

    /// What was looked at and not touched takes no room.
    fn forget_nothing(&self, indexed: &mut IndexEntry) {
        let nothing = nothing_known(&self.workspace.lock());
        if indexed.known.as_ref().is_some_and(|known| *known.lock() == nothing) {
            indexed.known = None;
        }
    }

    /// The lock on `external_id`, or `None`: then `me` is woken when it is free.
    pub fn try_lock(&self, external_id: &ExternalId, me: &IdentityRef) -> Option<KeyLock<'_>> {
        let mut entries = self.entries.lock();
        let indexed = entries.entry(external_id.clone()).or_default();
        if !indexed.claims.try_lock() {
            if !indexed.parked.contains(me) {
                indexed.parked.push(me.clone());
            }
            return None;
        }
        Some(self.key_lock(external_id, indexed))
    }

    fn key_lock(&self, external_id: &ExternalId, indexed: &mut IndexEntry) -> KeyLock<'_> {
        KeyLock { index: self, external_id: external_id.clone(), known: self.known(indexed) }
    }

    /// Forgets externalIds that no object names any more, once no read could be misled by what was done to them, what is known of the
    /// others once it makes no difference, and the memory of objects that are gone.
    pub fn sweep(&self, now: Mono) {
        let alive: HashSet<Uid> = {
            let mut entries = self.entries.lock();
            entries.retain(|_, indexed| {
                let forgets = {
                    let known = indexed.known.as_ref().map(|known| known.lock());
                    indexed.claims.forgets(known.as_deref(), now, self.window)
                };
                match forgets {
                    _ if !indexed.parked.is_empty() => {}
                    Forgets::Nothing => {}
                    Forgets::Known => indexed.known = None,
                    Forgets::All => return false,
                }
                true
            });
            let entries = entries.values().flat_map(|indexed| indexed.claims.entries());
            entries.map(|entry| entry.claimant.uid.clone()).collect()
        };
        self.object_memories.sweep(&alive);
        self.marks.lock().retain(|mark| Arc::strong_count(mark) > 1);
    }

    /// How many objects show each reason (`None`: no status yet), and how long the longest has been out of step.
    pub fn survey(&self) -> (HashMap<Option<Reason>, i64>, Duration) {
        let (mut counts, mut oldest) = (HashMap::new(), None);
        for entry in self.entries.lock().values().flat_map(|indexed| indexed.claims.entries()) {
            *counts.entry(entry.extra.reason).or_default() += 1;
            oldest = oldest.into_iter().chain(entry.extra.unsynced).min();
        }
        (counts, oldest.map_or(Duration::ZERO, |since| since.elapsed()))
    }
}

impl KeyLock<'_> {
    /// What is known of the externalId.
    pub fn known(&self) -> MutexGuard<'_, Knowledge> {
        self.known.lock()
    }
}

impl Drop for KeyLock<'_> {
    fn drop(&mut self) {
        if let Some(indexed) = self.index.entries.lock().get_mut(&self.external_id) {
            indexed.claims.unlock();
            self.index.forget_nothing(indexed);
            for entry in indexed.claims.entries_mut().iter_mut().filter(|entry| entry.extra.plan == Plan::KeyLock) {
                entry.extra.plan = Plan::Queued(self.index.clock.now());
            }
            for parked in std::mem::take(&mut indexed.parked) {
                self.index.wake(parked);
            }
        }
    }
}

#[cfg(test)]
mod tests;
