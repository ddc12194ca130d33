//! The index's part of hold and brake (R20): the account of deletions, which sessions keep under the mutex.

use super::Index;
use crate::telemetry::DeletionGauges;

impl Index {
    /// How deletions stand. `now`: seconds since 1970.
    pub fn survey_deletions(&self, now: i64) -> DeletionGauges {
        let state = self.state.lock();
        let counts = state.deletions.counts();
        let is_approved = |until: u32| i64::from(until) > now;
        let approved =
            state.claims().filter(|(_, entry)| !entry.claimant.leaving && is_approved(entry.extra.approved_until));
        DeletionGauges {
            waiting: counts.waiting,
            held: counts.held,
            episodes: counts.episodes,
            limit: state.deletions.limits().brakes().then(|| state.deletions.limit(self.clock.now())),
            approved: approved.count(),
        }
    }
}
