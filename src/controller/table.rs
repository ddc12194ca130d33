//! What is shared between passes: who claims an externalId, whose turn it is, what is known of it in Unkey, and what is
//! remembered of each object.
//!
//! Locks are held for moments and never across an await. Where two are held at once, the order is `slots` before a slot's
//! knowledge, and a memory before the knowledge; `memories` is held alone. A turn is tried, never waited for: who does not get it is parked and woken
//! when it ends (R8).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::kube::runtime::reflector::ObjectRef;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;

use super::snapshot::{Pokes, Snapshot};
use crate::api::Reason;
use crate::domain::{Claimant, ExternalId, IdentityId, Knowledge, Mono, Role, Uid, Visits, owner, role};

/// A reference by which the controller's queue knows an object.
pub type Ref = ObjectRef<Snapshot>;

/// The shared state. Cheap to lock: every operation is a few map look-ups.
#[derive(Debug)]
pub struct Table {
    slots: Mutex<HashMap<ExternalId, Slot>>,
    memories: Mutex<HashMap<Uid, Arc<Mutex<Memory>>>>,
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

/// The object that acts for an externalId (R8).
#[derive(Debug)]
pub struct Owner {
    /// The externalId.
    pub external_id: ExternalId,
    /// The object.
    pub at: Ref,
    /// Its uid.
    pub uid: Uid,
    /// The identity that it records.
    pub recorded: Option<IdentityId>,
    /// The reason that it shows.
    pub reason: Option<Reason>,
}

impl Owner {
    fn of(external_id: &ExternalId, slot: &Slot) -> Option<Self> {
        let claimant = owner(slot.entries.iter().map(|entry| &entry.claimant))?;
        let entry = slot.entries.iter().find(|entry| entry.claimant.uid == claimant.uid)?;
        Some(Self {
            external_id: external_id.clone(),
            at: entry.at.clone(),
            uid: claimant.uid.clone(),
            recorded: claimant.recorded.clone(),
            reason: entry.reason,
        })
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
    pub fn new(wake: UnboundedSender<Ref>, window: u64) -> Self {
        Self { slots: Mutex::default(), memories: Mutex::default(), wake, window }
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
            Some(known) => *known = entry,
            None if may_add => slot.entries.push(entry),
            None => return,
        }
        self.wake_others(slot, &object.uid());
    }

    /// Takes an object out that is gone, and wakes those that waited for it.
    pub fn remove(&self, object: &Snapshot) {
        let uid = object.uid();
        lock(&self.memories).remove(&uid);
        if let Some(slot) = lock(&self.slots).get_mut(&object.external_id()) {
            slot.entries.retain(|entry| entry.claimant.uid != uid);
            self.wake_others(slot, &uid);
        }
    }

    fn wake_others(&self, slot: &Slot, uid: &Uid) {
        for entry in slot.entries.iter().filter(|entry| entry.claimant.uid != *uid) {
            // The receiver lives as long as the controller; after that nothing needs waking.
            let _ = self.wake.send(entry.at.clone());
        }
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

    /// The turn on `external_id` if nobody has it, for a look of moments; nobody is woken for whoever does not get it.
    pub fn idle_turn(&self, external_id: &ExternalId) -> Option<Turn<'_>> {
        let mut slots = lock(&self.slots);
        let slot = slots.get_mut(external_id).filter(|slot| !slot.busy)?;
        Some(self.turn(external_id, slot))
    }

    fn turn(&self, external_id: &ExternalId, slot: &mut Slot) -> Turn<'_> {
        slot.busy = true;
        Turn { table: self, external_id: external_id.clone(), known: Arc::clone(&slot.known) }
    }

    /// The object that acts for `external_id`.
    pub fn owner(&self, external_id: &ExternalId) -> Option<Owner> {
        lock(&self.slots).get_key_value(external_id).and_then(|(external_id, slot)| Owner::of(external_id, slot))
    }

    /// The objects that act for the externalIds that `wanted` takes.
    pub fn owners(&self, mut wanted: impl FnMut(&Owner) -> bool) -> Vec<Owner> {
        let slots = lock(&self.slots);
        slots
            .iter()
            .filter_map(|(external_id, slot)| Owner::of(external_id, slot))
            .filter(|owner| wanted(owner))
            .collect()
    }

    /// Has an object looked at again.
    pub fn wake(&self, at: Ref) {
        // The receiver lives as long as the controller.
        let _ = self.wake.send(at);
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

    /// Another root key is in use. What was read under the old one proves nothing under this one, which may be another
    /// workspace's; and everything is looked at again.
    pub fn credential_changed(&self, now: Mono) {
        for slot in lock(&self.slots).values() {
            lock(&slot.known).forget_reads(now);
            for entry in &slot.entries {
                let _ = self.wake.send(entry.at.clone());
            }
        }
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
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::super::snapshot::tests::snapshot;
    use super::*;

    fn table() -> (Table, UnboundedReceiver<Ref>) {
        let (wake, woken) = unbounded_channel();
        (Table::new(wake, 30_000), woken)
    }

    fn object(name: &str, version: u64, status: &Value) -> Snapshot {
        snapshot(&json!({
            "metadata": {"namespace": "n", "name": name, "uid": name, "resourceVersion": version.to_string(),
                         "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"externalId": "e"}, "status": status,
        }))
    }

    fn names(woken: &mut UnboundedReceiver<Ref>) -> Vec<String> {
        std::iter::from_fn(|| woken.try_recv().ok()).map(|at| at.name).collect()
    }

    #[test]
    fn a_record_makes_an_owner_and_wakes_the_others() {
        let (table, mut woken) = table();
        table.upsert(&object("a", 1, &json!({})));
        table.upsert(&object("b", 1, &json!({})));
        assert_eq!(names(&mut woken), ["a"]);
        let external_id = ExternalId::new("e");
        assert_eq!(table.role(&external_id, &Uid::new("a")), Role::Owner, "equal in age, the smaller uid");
        table.update(&object("b", 2, &json!({"uid": "b", "identityId": "id_1"})));
        assert_eq!(names(&mut woken), ["a"]);
        assert_eq!(table.role(&external_id, &Uid::new("b")), Role::Owner);
        table.upsert(&object("b", 1, &json!({})));
        assert_eq!(table.role(&external_id, &Uid::new("b")), Role::Owner, "an older version changes nothing");
    }

    #[test]
    fn a_reply_that_comes_after_the_end_of_an_object_does_not_bring_it_back() {
        let (table, _woken) = table();
        table.upsert(&object("a", 1, &json!({"uid": "a", "identityId": "id_1"})));
        table.upsert(&object("b", 1, &json!({})));
        table.remove(&object("a", 1, &json!({})));
        table.update(&object("a", 3, &json!({"uid": "a", "identityId": "id_1"})));
        assert_eq!(table.role(&ExternalId::new("e"), &Uid::new("b")), Role::Owner);
    }

    #[test]
    fn a_turn_is_exclusive_and_wakes_who_was_parked() {
        let (table, mut woken) = table();
        let external_id = ExternalId::new("e");
        let (a, b) = (Ref::new("a").within("n"), Ref::new("b").within("n"));
        let turn = table.try_turn(&external_id, &a).unwrap();
        assert!(table.try_turn(&external_id, &b).is_none());
        assert!(table.try_turn(&ExternalId::new("other"), &b).is_some());
        drop(turn);
        assert_eq!(names(&mut woken), ["b"]);
        assert!(table.try_turn(&external_id, &b).is_some());
    }

    #[test]
    fn what_is_known_outlives_its_objects_for_a_window() {
        let (table, _woken) = table();
        let external_id = ExternalId::new("e");
        table.upsert(&object("a", 1, &json!({})));
        {
            let turn = table.try_turn(&external_id, &Ref::new("a")).unwrap();
            turn.known().evidence_from = Mono(1_000);
        }
        table.remove(&object("a", 1, &json!({})));
        table.sweep(Mono(30_999));
        assert_eq!(table.try_turn(&external_id, &Ref::new("a")).unwrap().known().evidence_from, Mono(1_000));
        table.sweep(Mono(31_000));
        assert_eq!(table.try_turn(&external_id, &Ref::new("a")).unwrap().known().evidence_from, Mono::ZERO);
    }
}
