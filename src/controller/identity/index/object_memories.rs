//! What is remembered of each object. Nearly all of them rest, and rest alike: those share one memory.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::super::raw::{RawIdentity, ReconcileRequests};
use crate::domain::{ObjectState, StatesAtRest, Uid, VanishedLimits};

/// What is remembered of one life of one object.
#[derive(Debug, Default)]
pub struct ObjectMemory {
    /// For decisions.
    pub object_state: ObjectState,
    /// When its last reconcile request was first seen.
    pub reconcile_requests: ReconcileRequests,
    /// The newest version that a reply showed; the watch may lag behind it.
    pub newest: Option<Arc<RawIdentity>>,
    /// Failures of Kubernetes requests in a row.
    pub kube_failures: u32,
    /// Why the CustomResourceDefinition could not be read last, which its deletion waits for (R10); `None`: it could.
    pub crd_unread: Option<String>,
    /// A release was begun: nothing of the object is left behind, whoever ends it then (R7).
    pub released: bool,
    /// While this process led, somebody else took off finalizer and claim of the object, which was being deleted.
    pub stripped: bool,
    /// It went in the middle of its first create, and is being cleared up after (R2).
    pub clears_up: bool,
    /// Rate limits that edits take away, not told of yet.
    pub vanished: Option<Box<VanishedLimits>>,
    /// A scan found something, or a listing has shown it, and the reconcile over that is not over: one of a few at a time.
    pub finding: Option<OwnedSemaphorePermit>,
}

impl ObjectMemory {
    /// The cache may be older than what a reply has shown.
    pub fn newest(&mut self, cached: Arc<RawIdentity>) -> Arc<RawIdentity> {
        match &self.newest {
            Some(newest) if newest.version() > cached.version() => Arc::clone(newest),
            _ => {
                self.newest = None;
                cached
            }
        }
    }

    /// One more failure of a Kubernetes request. Returns how many that are in a row.
    pub fn count_failure(&mut self) -> u32 {
        self.kube_failures += 1;
        self.kube_failures
    }

    /// Holds nothing but reconciles, and those nothing of their own.
    fn is_plain(&self) -> bool {
        // Without `..`: a field that is added is decided on here.
        let Self {
            object_state,
            reconcile_requests,
            newest,
            kube_failures,
            crd_unread,
            released,
            stripped,
            clears_up,
            vanished,
            finding,
        } = self;
        let nothing_begun = *kube_failures == 0 && !released && !stripped && !clears_up && finding.is_none();
        let nothing_begun = nothing_begun && vanished.is_none();
        object_state.is_plain()
            && reconcile_requests.is_empty()
            && newest.is_none()
            && crd_unread.is_none()
            && nothing_begun
    }
}

/// All memories, by uid.
#[derive(Debug, Default)]
pub(super) struct ObjectMemories {
    /// In a box each: there are none at rest, and the room of a burst would be as large as its memories.
    in_use: HashMap<Uid, Box<InUse>>,
    at_rest: HashMap<Uid, Arc<ObjectState>>,
    /// What those at rest share: as many as there are combinations of a few facts.
    alike: StatesAtRest,
}

#[derive(Debug, Default)]
struct InUse {
    memory: ObjectMemory,
    /// Whoever holds it has one of these too.
    held: Arc<()>,
}

/// As long as it lives, the memory that it was given for is neither laid to rest nor forgotten.
#[derive(Debug)]
pub struct MemoryHold(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl InUse {
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.held) > 1
    }
}

impl ObjectMemories {
    fn in_use(&mut self, uid: &Uid) -> &mut InUse {
        let at_rest = &mut self.at_rest;
        self.in_use.entry(uid.clone()).or_insert_with(|| {
            let object_state = at_rest.remove(uid).map(Arc::unwrap_or_clone).unwrap_or_default();
            Box::new(InUse { memory: ObjectMemory { object_state, ..ObjectMemory::default() }, held: Arc::default() })
        })
    }

    /// The memory of `uid`, made if need be.
    pub fn of(&mut self, uid: &Uid) -> &mut ObjectMemory {
        &mut self.in_use(uid).memory
    }

    /// Works on it for a moment.
    pub fn with<T>(&mut self, uid: &Uid, work: impl FnOnce(&mut ObjectMemory) -> T) -> T {
        let done = work(self.of(uid));
        self.lay_to_rest(uid);
        done
    }

    /// Keeps it from being laid to rest and from being forgotten.
    pub fn hold(&mut self, uid: &Uid) -> MemoryHold {
        MemoryHold(Arc::clone(&self.in_use(uid).held))
    }

    /// Somebody is done with it. Unless another one holds it, or there is something of its own in it, it rests.
    pub fn lay_to_rest(&mut self, uid: &Uid) {
        let Self { in_use, at_rest, alike } = self;
        let Entry::Occupied(one) = in_use.entry(uid.clone()) else { return };
        if one.get().is_held() || !one.get().memory.is_plain() {
            return;
        }
        let (uid, one) = one.remove_entry();
        at_rest.insert(uid, alike.shared(one.memory.object_state));
    }

    /// The memory of `uid`, if it has something of its own.
    pub fn get(&self, uid: &Uid) -> Option<&ObjectMemory> {
        self.in_use.get(uid).map(|one| &one.memory)
    }

    /// Each that has something of its own.
    pub fn iter(&self) -> impl Iterator<Item = (&Uid, &ObjectMemory)> {
        self.in_use.iter().map(|(uid, one)| (uid, &one.memory))
    }

    /// The same, to change them: what is at rest has nothing of its own to change.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut ObjectMemory> {
        self.in_use.values_mut().map(|one| &mut one.memory)
    }

    /// What is remembered for decisions, after a finding of a scan is let go.
    pub fn let_go(&mut self, uid: &Uid) -> ObjectState {
        if let Some(InUse { memory, .. }) = self.in_use.get_mut(uid).map(|one| &mut **one) {
            memory.finding = None;
            return memory.object_state.clone();
        }
        self.at_rest.get(uid).map(|object_state| ObjectState::clone(object_state)).unwrap_or_default()
    }

    /// Forgets objects that are not `alive`, unless somebody holds their memory.
    pub fn sweep(&mut self, alive: &HashSet<&Uid>) {
        self.in_use.retain(|uid, one| alive.contains(uid) || one.is_held());
        self.at_rest.retain(|uid, _| alive.contains(uid));
        self.alike.forget_unused();
        // A burst leaves no room behind.
        self.in_use.shrink_to(2 * self.in_use.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim_met() -> ObjectState {
        ObjectState { claim_met: true, ..ObjectState::default() }
    }

    #[test]
    fn those_that_rest_alike_share_what_is_remembered_and_lose_nothing() {
        let mut object_memories = ObjectMemories::default();
        let uids = ["a", "b"].map(Uid::new);
        for uid in &uids {
            object_memories.with(uid, |memory| memory.object_state.claim_met = true);
        }
        let [a, b] = uids.each_ref().map(|uid| object_memories.at_rest.get(uid).unwrap());
        assert!(Arc::ptr_eq(a, b));
        object_memories.with(&uids[0], |memory| memory.object_state.drifted = true);
        let changed = object_memories.with(&uids[0], |memory| memory.object_state.clone());
        assert_eq!(changed, ObjectState { drifted: true, ..claim_met() });
        assert_eq!(object_memories.with(&uids[1], |memory| memory.object_state.clone()), claim_met());
    }

    #[test]
    fn what_is_in_use_or_has_something_of_its_own_is_not_laid_to_rest() {
        let mut object_memories = ObjectMemories::default();
        let uid = Uid::new("a");
        let held = object_memories.hold(&uid);
        object_memories.with(&uid, |_| ());
        assert!(!object_memories.at_rest.contains_key(&uid));
        object_memories.of(&uid).kube_failures = 1;
        drop(held);
        object_memories.with(&uid, |_| ());
        assert!(!object_memories.at_rest.contains_key(&uid));
        object_memories.with(&uid, |memory| memory.kube_failures = 0);
        assert!(object_memories.at_rest.contains_key(&uid) && object_memories.in_use.is_empty());
    }

    #[test]
    fn the_dead_are_forgotten_unless_somebody_still_deals_with_them() {
        let mut object_memories = ObjectMemories::default();
        let uids = ["dead", "alive", "held"].map(Uid::new);
        for uid in &uids {
            object_memories.with(uid, |memory| memory.object_state.claim_met = true);
        }
        let held = object_memories.hold(&uids[2]);
        object_memories.sweep(&HashSet::from([&uids[1]]));
        assert_eq!(uids.each_ref().map(|uid| object_memories.let_go(uid).claim_met), [false, true, true]);
        drop(held);
        object_memories.sweep(&HashSet::new());
        let ObjectMemories { in_use, at_rest, alike } = object_memories;
        assert!(in_use.is_empty() && at_rest.is_empty() && alike.is_empty());
    }
}
