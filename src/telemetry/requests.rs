//! Metrics of the requests to Unkey.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::families::{ByOperation, Word, counters};
use super::labels::Outcome;
use crate::unkey::Operation;

/// Requests that were sent, and those that wait.
pub(super) struct Requests {
    by_outcome: Family<ByOutcome, Counter>,
    seconds: Family<ByOperation, Histogram>,
    in_flight: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    operation: Word,
    outcome: Word,
}

impl ByOutcome {
    fn of(operation: Operation, outcome: Outcome) -> Self {
        Self { operation: Word(operation.as_str()), outcome: Word(outcome.as_str()) }
    }
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let of = |operation: Operation| Outcome::ALL.iter().map(move |outcome| ByOutcome::of(operation, *outcome));
        let help = "Requests to Unkey, by operation and outcome";
        let by_outcome = counters(registry, "upstream_requests", help, Operation::ALL.into_iter().flat_map(of));
        // From a loopback answer to the default deadline.
        let seconds: Family<ByOperation, Histogram> = Family::new_with_constructor(|| {
            Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
        });
        registry.register_with_unit(
            "upstream_request_duration",
            "Time from sending a request to Unkey until its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        let in_flight = Gauge::default();
        registry.register("upstream_requests_in_flight", "Requests to Unkey in progress", in_flight.clone());
        Self { by_outcome, seconds, in_flight }
    }

    pub(super) fn begins(&self) {
        self.in_flight.inc();
    }

    pub(super) fn is_over(&self) {
        self.in_flight.dec();
    }

    pub(super) fn answered(&self, operation: Operation, outcome: Outcome, took: Duration) {
        self.by_outcome.get_or_create(&ByOutcome::of(operation, outcome)).inc();
        let operation = ByOperation { operation: Word(operation.as_str()) };
        self.seconds.get_or_create(&operation).observe(took.as_secs_f64());
    }
}
