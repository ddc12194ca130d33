//! What a root key that changes means for what is remembered. It reads no key.

use super::Index;
use crate::domain::{KeyMark, Mono};

impl Index {
    /// Another root key comes into use. What was read under the old one proves nothing under this one, which may be another
    /// workspace's.
    pub fn credential_changes(&self, credential: KeyMark, now: Mono) {
        self.workspace.lock().key_changed(credential, now);
        self.nobody_was_asked();
        for known in self.entries.lock().values().filter_map(|indexed| indexed.known.as_ref()) {
            known.lock().forget_reads(now);
        }
    }

    /// It is in use: everything is looked at again.
    pub fn credential_changed(&self) {
        self.key_changed.notify_waiters();
        self.wake_all();
    }

    /// There is still no root key, and now for this reason: what waits for one says so.
    pub fn missing_key_changes(&self, why: &str) {
        self.object_memories.for_each_in_use(|memory| memory.object_state.missing_key_changes(why));
        self.wake_all();
    }
}
