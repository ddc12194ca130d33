//! What a root key that changes means for what is remembered. It reads no key.

use super::Index;
use crate::domain::{KeyMark, Mono};

impl Index {
    /// Another root key comes into use. What was read under the old one proves nothing under this one, which may be another
    /// workspace's.
    pub fn credential_changes(&self, credential: KeyMark, now: Mono) {
        let mut state = self.state.lock();
        state.workspace.key_changed(credential, now);
        // Under another root key everybody may be there.
        state.waiting.vain.clear();
        for known in state.entries.values_mut().filter_map(|indexed| indexed.known.as_mut()) {
            known.forget_reads(now);
        }
    }

    /// It is in use: everything is looked at again.
    pub fn credential_changed(&self) {
        self.key_changed.notify_waiters();
        self.wake_all();
    }

    /// There is still no root key, and now for this reason: what waits for one says so.
    pub fn missing_key_changes(&self, why: &str) {
        let mut state = self.state.lock();
        for memory in state.object_memories.values_mut() {
            memory.object_state.missing_key_changes(why);
        }
        state.wake_all();
    }
}
