//! What whoever works on an object holds of the index: the lock on its externalId, and its memory. Both give out what they stand for to a function that gets
//! plain data, so that the mutex is free again when it returns.

use parking_lot::Mutex;

use super::object_memories::{MemoryHold, ObjectMemory};
use super::state::State;
use crate::domain::session::Records;
use crate::domain::{Deletions, ExternalId, Knowledge, Role, Uid, Workspace};

/// The lock on one externalId: while it lives no other reconcile acts on it.
#[derive(Debug)]
pub struct KeyLock<'a> {
    state: &'a Mutex<State>,
    external_id: ExternalId,
}

/// The memory of an object, in use. Where nothing of its own is left in it at the end, it is laid to rest.
#[derive(Debug)]
pub struct Remembered<'a> {
    state: &'a Mutex<State>,
    uid: Uid,
    hold: Option<MemoryHold>,
}

/// All that the index has on one object, for a moment.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What is known of the externalId in Unkey.
    pub known: &'a mut Knowledge,
    /// What is remembered of the object.
    pub memory: &'a mut ObjectMemory,
    /// Its role (R8).
    pub role: Role,
    /// Which workspaces the recorded ids come from (R15), and whether the root key in use shows anything at all (R19).
    pub workspace: &'a Workspace,
    /// Hold and brake (R20).
    pub deletions: &'a mut Deletions,
}

impl<'a> KeyLock<'a> {
    /// Of a lock that was just taken.
    pub(super) fn taken(state: &'a Mutex<State>, external_id: &ExternalId) -> Self {
        Self { state, external_id: external_id.clone() }
    }

    /// Works on what is known of the externalId.
    pub fn known<T>(&self, work: impl FnOnce(&mut Knowledge) -> T) -> T {
        let State { entries, workspace, .. } = &mut *self.state.lock();
        work(entries.entry(self.external_id.clone()).or_default().known(workspace))
    }

    /// Works on what is known of the externalId, and remembered of one of its objects.
    pub fn with<T>(&self, memory: &Remembered<'_>, work: impl FnOnce(Parts<'_>) -> T) -> T {
        let mut state = self.state.lock();
        let State { entries, object_memories, workspace, deletions, .. } = &mut *state;
        let indexed = entries.entry(self.external_id.clone()).or_default();
        let role = indexed.claims.role(&memory.uid);
        let memory = object_memories.of(&memory.uid);
        let done = work(Parts { known: indexed.known(workspace), memory, role, workspace, deletions });
        state.wake_freed();
        done
    }
}

impl Drop for KeyLock<'_> {
    fn drop(&mut self) {
        self.state.lock().unlock(&self.external_id);
    }
}

impl<'a> Remembered<'a> {
    /// `hold`: of the memory of `uid`.
    pub(super) fn held(state: &'a Mutex<State>, uid: &Uid, hold: MemoryHold) -> Self {
        Self { state, uid: uid.clone(), hold: Some(hold) }
    }

    /// Works on the memory.
    pub fn with<T>(&self, work: impl FnOnce(&mut ObjectMemory) -> T) -> T {
        work(self.state.lock().object_memories.of(&self.uid))
    }
}

impl Drop for Remembered<'_> {
    fn drop(&mut self) {
        self.hold = None;
        self.state.lock().object_memories.lay_to_rest(&self.uid);
    }
}

impl Parts<'_> {
    /// What a session writes through.
    pub fn records(&mut self) -> Records<'_> {
        Records { known: self.known, object_state: &mut self.memory.object_state }
    }
}
