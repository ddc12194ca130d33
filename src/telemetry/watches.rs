//! Metrics of the watches.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::metrics::{Word, registered};
use super::words::WatchState;

/// How the watches stand.
pub(super) struct Watches {
    by_state: Family<ByState, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: Word,
}

impl Watches {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let help = "Watches of Identities, one for each namespace of --namespace or one for all, by how they stand; /readyz names those that \
                    are not current";
        Self { by_state: registered(registry, "watches", help) }
    }

    pub(super) fn show(&self, counts: &[(WatchState, usize)]) {
        for (state, count) in counts {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            self.by_state.get_or_create(&ByState { state: Word(state.as_str()) }).set(count);
        }
    }
}
