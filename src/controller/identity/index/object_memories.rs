//! What is remembered of each object. Nearly all of them rest, and rest alike: those share one memory.

use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::super::raw::{RawIdentity, ReconcileRequests};
use crate::domain::{self, ObjectState, Uid};

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
    /// A scan found something, and the reconcile over it is not over: one of a few at a time.
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
        let Self { object_state, reconcile_requests, newest, crd_unread, .. } = self;
        let Self { kube_failures, released, stripped, clears_up, finding, .. } = self;
        let nothing_begun = *kube_failures == 0 && !released && !stripped && !clears_up && finding.is_none();
        object_state.is_plain()
            && reconcile_requests.is_empty()
            && newest.is_none()
            && crd_unread.is_none()
            && nothing_begun
    }
}

/// All memories, by uid.
#[derive(Debug, Default)]
pub struct ObjectMemories(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_uid: HashMap<Uid, One>,
    /// What those at rest share: as many as there are combinations of a few facts.
    alike: Vec<Arc<ObjectState>>,
}

#[derive(Debug)]
enum One {
    InUse(Arc<Mutex<ObjectMemory>>),
    AtRest(Arc<ObjectState>),
}

/// The memory of an object, in use. Where nothing of its own is left in it at the end, it is laid to rest.
#[derive(Debug)]
pub struct Remembered<'a> {
    object_memories: &'a ObjectMemories,
    uid: Uid,
    memory: Arc<Mutex<ObjectMemory>>,
}

impl Deref for Remembered<'_> {
    type Target = Mutex<ObjectMemory>;

    fn deref(&self) -> &Mutex<ObjectMemory> {
        &self.memory
    }
}

impl Drop for Remembered<'_> {
    fn drop(&mut self) {
        self.object_memories.0.lock().lay_to_rest(&self.uid, &self.memory);
    }
}

impl Kept {
    fn in_use(&mut self, uid: &Uid) -> Arc<Mutex<ObjectMemory>> {
        let one = self.by_uid.entry(uid.clone()).or_insert_with(|| One::InUse(Arc::default()));
        match one {
            One::InUse(memory) => Arc::clone(memory),
            One::AtRest(object_state) => {
                let object_state = ObjectState::clone(object_state);
                let memory = Arc::new(Mutex::new(ObjectMemory { object_state, ..ObjectMemory::default() }));
                *one = One::InUse(Arc::clone(&memory));
                memory
            }
        }
    }

    fn lay_to_rest(&mut self, uid: &Uid, memory: &Arc<Mutex<ObjectMemory>>) {
        // The map's own, and that of who is done with it: nobody else has it, nor can get it meanwhile.
        let Some(one) = self.by_uid.get_mut(uid) else { return };
        if !matches!(one, One::InUse(kept) if Arc::ptr_eq(kept, memory) && Arc::strong_count(kept) == 2) {
            return;
        }
        let memory = memory.lock();
        if !memory.is_plain() {
            return;
        }
        let object_state =
            self.alike.iter().find(|alike| ***alike == memory.object_state).cloned().unwrap_or_else(|| {
                let object_state = Arc::new(memory.object_state.clone());
                self.alike.push(Arc::clone(&object_state));
                object_state
            });
        *one = One::AtRest(object_state);
    }
}

impl ObjectMemories {
    /// The memory of `uid`, made if need be.
    pub fn of(&self, uid: &Uid) -> Remembered<'_> {
        Remembered { object_memories: self, uid: uid.clone(), memory: self.hold(uid) }
    }

    /// The same, to be held for long: it is not laid to rest.
    pub fn hold(&self, uid: &Uid) -> Arc<Mutex<ObjectMemory>> {
        self.0.lock().in_use(uid)
    }

    /// The newest version of the object that a reply has shown, if the watch lags behind it.
    pub fn newest(&self, uid: &Uid) -> Option<Arc<RawIdentity>> {
        let memory = match self.0.lock().by_uid.get(uid) {
            Some(One::InUse(memory)) => Arc::clone(memory),
            Some(One::AtRest(_)) | None => return None,
        };
        memory.lock().newest.clone()
    }

    /// Asks one memory, if it has something of its own.
    pub fn peek(&self, uid: &Uid, holds: impl FnOnce(&ObjectMemory) -> bool) -> bool {
        match self.0.lock().by_uid.get(uid) {
            Some(One::InUse(memory)) => holds(&memory.lock()),
            _ => false,
        }
    }

    /// Looks at each memory that has something of its own.
    pub fn each(&self, mut look: impl FnMut(&Uid, &ObjectMemory)) {
        for (uid, one) in &self.0.lock().by_uid {
            if let One::InUse(memory) = one {
                look(uid, &memory.lock());
            }
        }
    }

    /// What the API server did not keep may be written again.
    pub fn forget_unkept(&self) {
        for one in self.0.lock().by_uid.values() {
            // What is at rest holds nothing of its own.
            if let One::InUse(memory) = one {
                domain::definition_changed(&mut memory.lock().object_state);
            }
        }
    }

    /// What is remembered for decisions, after a finding of a scan is let go.
    pub fn let_go(&self, uid: &Uid) -> ObjectState {
        let memory = match self.0.lock().by_uid.get(uid) {
            None => return ObjectState::default(),
            Some(One::AtRest(object_state)) => return ObjectState::clone(object_state),
            Some(One::InUse(memory)) => Arc::clone(memory),
        };
        let mut memory = memory.lock();
        memory.finding = None;
        memory.object_state.clone()
    }

    /// Changes each that is in use: one at rest has nothing of its own to change.
    pub fn for_each_in_use(&self, mut change: impl FnMut(&mut ObjectMemory)) {
        let in_use = |one: &One| match one {
            One::InUse(memory) => Some(Arc::clone(memory)),
            One::AtRest(_) => None,
        };
        let all: Vec<_> = self.0.lock().by_uid.values().filter_map(in_use).collect();
        for memory in all {
            change(&mut memory.lock());
        }
    }

    /// Forgets objects that are not `alive`. A reconcile that is under way holds its own reference.
    pub fn sweep(&self, alive: &HashSet<Uid>) {
        let mut kept = self.0.lock();
        let in_use = |one: &One| matches!(one, One::InUse(memory) if Arc::strong_count(memory) > 1);
        kept.by_uid.retain(|uid, one| alive.contains(uid) || in_use(one));
        kept.alike.retain(|object_state| Arc::strong_count(object_state) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_rest(object_memories: &ObjectMemories, uid: &Uid) -> Option<Arc<ObjectState>> {
        match object_memories.0.lock().by_uid.get(uid) {
            Some(One::AtRest(object_state)) => Some(Arc::clone(object_state)),
            _ => None,
        }
    }

    #[test]
    fn those_that_rest_alike_share_what_is_remembered_and_lose_nothing() {
        let object_memories = ObjectMemories::default();
        let uids = ["a", "b"].map(Uid::new);
        for uid in &uids {
            object_memories.of(uid).lock().object_state.claim_met = true;
        }
        let [a, b] = uids.each_ref().map(|uid| at_rest(&object_memories, uid).unwrap());
        assert!(Arc::ptr_eq(&a, &b));
        object_memories.of(&uids[0]).lock().object_state.drifted = true;
        let changed = object_memories.of(&uids[0]).lock().object_state.clone();
        assert_eq!(changed, ObjectState { claim_met: true, drifted: true, ..ObjectState::default() });
        assert_eq!(
            object_memories.of(&uids[1]).lock().object_state,
            ObjectState { claim_met: true, ..ObjectState::default() }
        );
    }

    #[test]
    fn what_is_in_use_or_has_something_of_its_own_is_not_laid_to_rest() {
        let object_memories = ObjectMemories::default();
        let uid = Uid::new("a");
        let held = object_memories.hold(&uid);
        drop(object_memories.of(&uid));
        assert!(at_rest(&object_memories, &uid).is_none());
        held.lock().kube_failures = 1;
        drop(held);
        drop(object_memories.of(&uid));
        assert!(at_rest(&object_memories, &uid).is_none());
        object_memories.of(&uid).lock().kube_failures = 0;
        assert!(at_rest(&object_memories, &uid).is_some());
    }

    #[test]
    fn the_dead_are_forgotten_unless_somebody_still_deals_with_them() {
        let object_memories = ObjectMemories::default();
        let uids = ["dead", "alive", "held"].map(Uid::new);
        for uid in &uids {
            object_memories.of(uid).lock().object_state.claim_met = true;
        }
        let held = object_memories.hold(&uids[2]);
        object_memories.sweep(&HashSet::from([uids[1].clone()]));
        assert_eq!(uids.each_ref().map(|uid| object_memories.let_go(uid).claim_met), [false, true, true]);
        drop(held);
        object_memories.sweep(&HashSet::new());
        assert!(object_memories.0.lock().by_uid.is_empty() && object_memories.0.lock().alike.is_empty());
    }
}
