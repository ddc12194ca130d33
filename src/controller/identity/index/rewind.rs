//! Time that went back: etcd was restored from a backup. What is remembered of an object is compared with what is shown of it, and judged anew.

use super::super::raw::RawIdentity;
use super::Index;
use super::state::State;
use crate::domain;

impl Index {
    /// The newest version of the object that the watch or a reply has shown; `None`: it is not known.
    pub fn version(&self, object: &RawIdentity) -> Option<u64> {
        let mut version = None;
        self.state.lock().with_entry(object.external_id(), object.uid(), |known| version = Some(known.version));
        version
    }

    /// True if a listing that shows `object` undoes what a reply or the watch has shown of it: `before`, as the watch last showed it.
    pub fn is_undone(&self, object: &RawIdentity, before: Option<&RawIdentity>) -> bool {
        let state = self.state.lock();
        let replied = state.object_memories.get(object.uid()).and_then(|memory| memory.newest.as_deref());
        let known = [replied, before.filter(|before| before.uid() == object.uid())];
        let now = object.progress();
        known.into_iter().flatten().any(|known| known.progress().is_undone(&now))
    }

    /// A listing shows an older version of the object than was there before: Kubernetes was restored from a backup. What is remembered of it is
    /// judged anew, as after a restart of this process.
    pub fn rewind(&self, object: &RawIdentity) {
        let State { entries, object_memories, workspace, .. } = &mut *self.state.lock();
        let indexed = entries.entry(object.external_id().clone()).or_default();
        object_memories.with(object.uid(), |memory| {
            (memory.newest, memory.released, memory.stripped) = (None, false, false);
            domain::rewound(object.uid(), indexed.known(workspace), &mut memory.object_state, self.clock.now());
        });
    }
}
