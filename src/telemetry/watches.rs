//! Metrics of the watches, and of the definition of what they show.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::families::{Word, registered};
use super::labels::WatchState;

/// How the watches stand.
pub(super) struct Watches {
    by_state: Family<ByState, Gauge>,
    dropped: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: Word,
}

impl Watches {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let help = "Watches of Identities, one for each namespace of --namespace or one for all namespaces, by state; /readyz names those \
                    that are not current";
        let by_state = registered(registry, "watches", help);
        let help = "Fields that the API server drops because the CustomResourceDefinition of Identity is older than the operator";
        Self { by_state, dropped: registered(registry, "definition_dropped_fields", help) }
    }

    pub(super) fn show(&self, counts: &[(WatchState, usize)], dropped: usize) {
        self.dropped.set(i64::try_from(dropped).unwrap_or(i64::MAX));
        for (state, count) in counts {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            self.by_state.get_or_create(&ByState { state: Word(state.as_str()) }).set(count);
        }
    }
}
