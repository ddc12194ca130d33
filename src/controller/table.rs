//! What is shared between passes: who claims an externalId, whose turn it is, what is known of it in Unkey, what is
//! remembered of each object, and which workspaces the recorded ids come from.
//!
//! Locks are held for moments and never across an await. Where two are held at once, the order is `slots` before a slot's
//! knowledge or the workspace, and a memory before the knowledge; `memories` is held alone. A turn is tried, never waited for: who does not get it is parked and woken
//! when it ends (R8).

mod guard;
mod owners;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, OwnedSemaphorePermit};

pub use self::owners::Owner;
use super::snapshot::{Pokes, Snapshot};
use crate::api::Reason;
use crate::domain::{self, Claimant, ExternalId, KeyMark, Knowledge, Mono, Role, Uid, Visits, Workspace, role};

/// A reference by which the controller's queue knows an object.
pub type Ref = ObjectRef<Snapshot>;

/// The shared state. Cheap to lock: every operation is a few map look-ups.
#[derive(Debug)]
pub struct Table {
    slots: Mutex<HashMap<ExternalId, Slot>>,
    memories: Mutex<HashMap<Uid, Arc<Mutex<Memory>>>>,
    workspace: Mutex<Workspace>,
    /// Somebody waits for a proof of the workspace.
    doubted: Notify,
    key_changed: Notify,
    wake: UnboundedSender<Ref>,
    window: u64,
}

#[derive(Debug, Default)]
struct Slot {
    entries: Vec<Entry>,
    busy: bool,
    parked: HashSet<Ref>,
    known: Arc<Mutex<Knowledge>>,
}

#[derive(Debug)]
struct Entry {
    claimant: Claimant,
    at: Ref,
    version: u64,
    reason: Option<Reason>,
}

impl Entry {
    fn of(object: &Snapshot) -> Self {
        let status = object.read_status();
        let ready = status.as_ref().and_then(|status| status.conditions.iter().find(|c| c.type_ == "Ready"));
        Self {
            claimant: object.claimant(status.as_ref()),
            at: Ref::from_obj(object),
            version: object.version(),
            reason: ready.and_then(|ready| Reason::parse(&ready.reason)),
        }
    }
}

/// What is remembered of one life of one object.
#[derive(Debug, Default)]
pub struct Memory {
    /// For decisions.
    pub visits: Visits,
    /// When its last poke was first seen.
    pub pokes: Pokes,
    /// The newest version that a reply showed; the watch may lag behind it.
    pub newest: Option<Arc<Snapshot>>,
    /// Failures of Kubernetes requests in a row.
    pub kube_failures: u32,
    /// A scan found something, and the pass over it is not over: one of a few at a time.
    pub finding: Option<OwnedSemaphorePermit>,
}

/// The turn on one externalId: while it lives no other pass acts on it.
#[derive(Debug)]
pub struct Turn<'a> {
    table: &'a Table,
    external_id: ExternalId,
    known: Arc<Mutex<Knowledge>>,
}

/// A poisoned lock is as good as a sound one here: what it guards is plain data that is never left half-written across a call that can panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    /// An empty table. Objects to look at again are sent to `wake`; `window` is the consistency window in ms.
    pub fn new(wake: UnboundedSender<Ref>, window: u64, workspace: Workspace) -> Self {
        Self {
            slots: Mutex::default(),
            memories: Mutex::default(),
            workspace: Mutex::new(workspace),
            doubted: Notify::new(),
            key_changed: Notify::new(),
            wake,
            window,
        }
    }

    /// Takes in an object from the watch; an older version than the one known is ignored. Others of the same
    /// externalId are woken if what it says for its right has changed.
    pub fn upsert(&self, object: &Snapshot) {
        self.put(object, true);
    }

    /// Takes in an object from a reply. Only the watch adds objects and removes them: a reply that is taken in after
    /// the watch has shown the object's end must not bring it back.
    pub fn update(&self, object: &Snapshot) {
        self.put(object, false);
    }

    fn put(&self, object: &Snapshot, may_add: bool) {
        let entry = Entry::of(object);
        let mut slots = lock(&self.slots);
        let slot = slots.entry(object.external_id()).or_default();
        match slot.entries.iter_mut().find(|known| known.claimant.uid == entry.claimant.uid) {
            Some(known) if known.version > entry.version => return,
            Some(known) if known.claimant == entry.claimant => {
                *known = entry;
                return;
            }
            Some(known) => {
                self.count(Some(&entry.claimant), Some(&known.claimant));
                *known = entry;
            }
            None if may_add => {
                self.count(Some(&entry.claimant), None);
                // Almost always the only one, and a vector begins with room for four.
                slot.entries.reserve_exact(1);
                slot.entries.push(entry);
            }
            None => return,
        }
        self.wake_others(slot, &object.uid());
    }

    /// Takes an object out that is gone, and wakes those that waited for it.
    pub fn remove(&self, object: &Snapshot, now: Mono) {
        let uid = object.uid();
        // Left to the sweep: whoever clears up after the object goes on with it, and must know what has been sent (R6).
        let memory = lock(&self.memories).get(&uid).cloned();
        let visits = memory.map(|memory| {
            let mut memory = lock(&memory);
            memory.finding = None;
            memory.visits.clone()
        });
        let visits = visits.unwrap_or_default();
        if let Some(slot) = lock(&self.slots).get_mut(&object.external_id()) {
            let recorded = object.claimant(object.read_status().as_ref()).recorded;
            domain::ended(&uid, recorded.as_ref(), &mut lock(&slot.known), &visits, now);
            slot.entries.retain(|entry| {
                let stays = entry.claimant.uid != uid;
                if !stays {
                    self.count(None, Some(&entry.claimant));
                }
                stays
            });
            self.wake_others(slot, &uid);
        }
    }

    /// Keeps account of the keys under which ids are recorded.
    fn count(&self, comes: Option<&Claimant>, goes: Option<&Claimant>) {
        let mark = |claimant: &Claimant| claimant.recorded.as_ref().map(|_| claimant.credential.clone());
        let (comes, goes) = (comes.and_then(mark), goes.and_then(mark));
        if comes == goes {
            return;
        }
        let mut workspace = lock(&self.workspace);
        if let Some(comes) = comes {
            workspace.recorded(&comes);
        }
        if let Some(goes) = goes {
            workspace.dropped(&goes);
        }
    }

    fn wake_others(&self, slot: &Slot, uid: &Uid) {
        for entry in slot.entries.iter().filter(|entry| entry.claimant.uid != *uid) {
            // The receiver lives as long as the controller; after that nothing needs waking.
            let _ = self.wake.send(entry.at.clone());
        }
    }

    /// True as long as the watch shows `uid`.
    pub fn knows(&self, external_id: &ExternalId, uid: &Uid) -> bool {
        lock(&self.slots)
            .get(external_id)
            .is_some_and(|slot| slot.entries.iter().any(|entry| entry.claimant.uid == *uid))
    }

    /// True if a create for `uid` may have left an identity that no status records.
    pub fn owes(&self, external_id: &ExternalId, uid: &Uid) -> bool {
        lock(&self.slots).get(external_id).is_some_and(|slot| lock(&slot.known).owes(uid))
    }

    /// The role of `uid` (R8).
    pub fn role(&self, external_id: &ExternalId, uid: &Uid) -> Role {
        lock(&self.slots)
            .get(external_id)
            .map_or(Role::Owner, |slot| role(uid, slot.entries.iter().map(|entry| &entry.claimant)))
    }

    /// The memory of `uid`, made if need be.
    pub fn memory(&self, uid: &Uid) -> Arc<Mutex<Memory>> {
        lock(&self.memories).entry(uid.clone()).or_default().clone()
    }

    /// The turn on `external_id`, or `None`: then `me` is woken when it is free.
    pub fn try_turn(&self, external_id: &ExternalId, me: &Ref) -> Option<Turn<'_>> {
        let mut slots = lock(&self.slots);
        let slot = slots.entry(external_id.clone()).or_default();
        if slot.busy {
            slot.parked.insert(me.clone());
            return None;
        }
        Some(self.turn(external_id, slot))
    }

    fn turn(&self, external_id: &ExternalId, slot: &mut Slot) -> Turn<'_> {
        slot.busy = true;
        Turn { table: self, external_id: external_id.clone(), known: Arc::clone(&slot.known) }
    }

    /// Forgets externalIds that no object names any more, once no read could be misled by what was done to them, and the
    /// memory of objects that are gone.
    pub fn sweep(&self, now: Mono) {
        let alive: HashSet<Uid> = {
            let mut slots = lock(&self.slots);
            slots.retain(|_, slot| {
                let idle = slot.entries.is_empty() && !slot.busy && slot.parked.is_empty();
                !(idle && lock(&slot.known).is_spent(now, self.window))
            });
            slots.values().flat_map(|slot| slot.entries.iter().map(|entry| entry.claimant.uid.clone())).collect()
        };
        // A pass that is under way holds its own reference.
        lock(&self.memories).retain(|uid, memory| alive.contains(uid) || Arc::strong_count(memory) > 1);
    }

    /// How many objects show each reason; `None`: no status yet.
    pub fn count_reasons(&self) -> HashMap<Option<Reason>, i64> {
        let mut counts = HashMap::new();
        for slot in lock(&self.slots).values() {
            for entry in &slot.entries {
                *counts.entry(entry.reason).or_default() += 1;
            }
        }
        counts
    }

    /// Another root key comes into use. What was read under the old one proves nothing under this one, which may be another
    /// workspace's.
    pub fn credential_changes(&self, credential: KeyMark, now: Mono) {
        lock(&self.workspace).key_changed(credential, now);
        for slot in lock(&self.slots).values() {
            lock(&slot.known).forget_reads(now);
        }
    }

    /// It is in use: everything is looked at again.
    pub fn credential_changed(&self) {
        self.key_changed.notify_waiters();
        self.wake_all();
    }

    fn wake_all(&self) {
        for slot in lock(&self.slots).values() {
            for entry in &slot.entries {
                let _ = self.wake.send(entry.at.clone());
            }
        }
    }

    /// How many objects were failing when last seen: not ready, and not waiting for a person.
    pub fn count_failing(&self) -> usize {
        let failing = |reason: Reason| {
            let at_rest =
                [Reason::Synced, Reason::Suspended, Reason::InvalidSpec, Reason::Rejected, Reason::AlreadyExists];
            let others = [Reason::ExternalIdConflict, Reason::IdentityMismatch, Reason::NotConverging];
            !at_rest.contains(&reason) && !others.contains(&reason)
        };
        let slots = lock(&self.slots);
        slots.values().flat_map(|slot| &slot.entries).filter(|entry| entry.reason.is_some_and(failing)).count()
    }
}

impl Turn<'_> {
    /// What is known of the externalId.
    pub fn known(&self) -> MutexGuard<'_, Knowledge> {
        lock(&self.known)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(slot) = lock(&self.table.slots).get_mut(&self.external_id) {
            slot.busy = false;
            for parked in slot.parked.drain() {
                let _ = self.table.wake.send(parked);
            }
        }
    }
}

#[cfg(test)]
mod tests;
