//! The workspace guard's part of the index (R15): what is recorded under which key, and who waits for a proof.

use super::Index;
use crate::domain::{ExternalId, IdentityId, KeyMark, Look, Mono, PROBES};

impl Index {
    /// Somebody cannot go on without a proof.
    pub fn wants_proof(&self) {
        self.doubted.notify_one();
    }

    /// Resolves when somebody waits for a proof.
    pub async fn is_doubted(&self) {
        self.doubted.notified().await;
    }

    /// Resolves when another root key has come into use.
    pub async fn key_changes(&self) {
        self.key_changed.notified().await;
    }

    /// The marks to look for.
    pub fn unproven(&self) -> Vec<KeyMark> {
        self.state.lock().workspace.unproven()
    }

    /// From when on a look that misses counts.
    pub fn misses_count_from(&self) -> Mono {
        self.state.lock().workspace.settles_at(self.window)
    }

    /// A few identities recorded under `mark`: those that stay before those that leave, old before young.
    pub fn probes(&self, mark: &KeyMark) -> Vec<(ExternalId, IdentityId)> {
        let state = self.state.lock();
        let mut found: Vec<_> = state
            .claims()
            .map(|(external_id, entry)| (external_id, &entry.claimant))
            .filter(|(_, claimant)| claimant.credential.as_deref() == mark.as_deref())
            .filter_map(|(external_id, claimant)| {
                Some(((claimant.leaving, claimant.born), external_id, claimant.recorded.as_ref()?))
            })
            .collect();
        found.sort_by_key(|(rank, ..)| *rank);
        found.into_iter().take(PROBES).map(|(_, external_id, id)| (external_id.clone(), id.clone())).collect()
    }

    /// Takes in a look that was made with the key `current`. Returns true if that opens or shuts a gate; all are then woken.
    pub fn looked(&self, current: &KeyMark, mark: &KeyMark, look: &Look) -> bool {
        let mut state = self.state.lock();
        let changed = state.workspace.looked(current, mark, look, self.window);
        if changed {
            state.wake_all();
        }
        changed
    }
}
