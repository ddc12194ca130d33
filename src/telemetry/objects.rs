//! Metrics of the objects as they stand.

use std::collections::HashMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::families::{Word, registered};
use crate::api::Reason;
use crate::domain::KubeWrite;

/// Objects by what they show, and what happens to them.
pub(super) struct Objects {
    by_reason: Family<ByReason, Gauge>,
    observed: Family<ByState, Gauge>,
    left_behind: Counter,
    rescued: Counter,
    leads: Gauge,
    refused: Family<ByWrite, Gauge>,
    untold: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWrite {
    write: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: Word,
}

impl Objects {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let by_reason = Family::default();
        registry.register(
            "identities",
            "Identity objects, by the reason of their Ready condition; None if not reconciled yet",
            by_reason.clone(),
        );
        let help = "Observed Identity objects, by what enforcing them would meet in Unkey; enforcing those in the state Observed changes nothing";
        let observed = registered(registry, "observed", help);
        let left_behind = Counter::default();
        registry.register(
            "identities_left_behind",
            "Identities that stay in Unkey because someone removed the finalizer of their object",
            left_behind.clone(),
        );
        let help = "Identity objects that were out of sync without a planned reconcile, and were reconciled again; each is a bug of the operator";
        let rescued = registered(registry, "rescues", help);
        let leads = registered(registry, "leader", "1 while this process leads; 0 while it stands by");
        let help = "Objects with a write that Kubernetes refuses at the moment, by write: an admission policy, a quota, a missing permission";
        let refused = registered(registry, "writes_refused", help);
        let help = "Objects with a refused write that neither a status nor an event reports";
        let untold = registered(registry, "writes_refused_untold", help);
        Self { by_reason, observed, left_behind, rescued, leads, refused, untold }
    }

    pub(super) fn left_behind(&self) {
        self.left_behind.inc();
    }

    pub(super) fn rescued(&self) {
        self.rescued.inc();
    }

    pub(super) fn show(
        &self,
        counts: &HashMap<Option<Reason>, i64>,
        leads: bool,
        refused: &[(KubeWrite, usize)],
        untold: usize,
    ) {
        self.leads.set(i64::from(leads));
        for (write, count) in refused {
            let labels = ByWrite { write: Word(write.as_str()) };
            self.refused.get_or_create(&labels).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        self.untold.set(i64::try_from(untold).unwrap_or(i64::MAX));
        for reason in Reason::ALL {
            let count = counts.get(&Some(reason)).copied().unwrap_or(0);
            self.by_reason.get_or_create(&ByReason { reason: Word(reason.as_str()) }).set(count);
            if reason.is_observing() {
                self.observed.get_or_create(&ByState { state: Word(reason.as_str()) }).set(count);
            }
        }
        let unvisited = counts.get(&None).copied().unwrap_or(0);
        self.by_reason.get_or_create(&ByReason { reason: Word("None") }).set(unvisited);
    }
}
