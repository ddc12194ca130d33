//! Metrics of hold and brake: the deletions that wait (R20).

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::families::registered;

/// How deletions stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletionGauges {
    /// Those that nothing but hold and brake stops.
    pub waiting: usize,
    /// Those of them that wait for an approval.
    pub held: usize,
    /// Masses that are held.
    pub episodes: usize,
    /// So many may go within the window without an approval, of all namespaces together; `None`: there is no brake.
    pub limit: Option<usize>,
    /// Objects that are not being deleted and have an annotation that approves it.
    pub approved: usize,
}

pub(super) struct Deletions {
    waiting: Gauge,
    held: Gauge,
    episodes: Gauge,
    limit: Gauge,
    approved: Gauge,
}

impl Deletions {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            waiting: registered(
                registry,
                "deletions_waiting",
                "Deletions that wait for the hold or for an approval, and for nothing else",
            ),
            held: registered(
                registry,
                "deletions_held",
                "Deletions that wait for an approval, because too many came at once",
            ),
            episodes: registered(
                registry,
                "mass_deletions",
                "Mass deletions that are held: one for each namespace with too many, and one for all other namespaces together",
            ),
            limit: registered(
                registry,
                "deletions_limit",
                "Identities that may be deleted within the deletion window without an approval, of all namespaces together; 0 without a brake",
            ),
            approved: registered(
                registry,
                "deletions_approved",
                "Identity objects that are not being deleted and whose annotation approves a deletion",
            ),
        }
    }

    pub(super) fn show(&self, gauges: DeletionGauges) {
        let DeletionGauges { waiting, held, episodes, limit, approved } = gauges;
        let all = [
            (&self.waiting, waiting),
            (&self.held, held),
            (&self.episodes, episodes),
            (&self.limit, limit.unwrap_or(0)),
            (&self.approved, approved),
        ];
        for (gauge, count) in all {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
