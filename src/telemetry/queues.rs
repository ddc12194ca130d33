//! Metrics of who waits for what, and of the budget of calls.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::families::{ByOperation, Word, registered};
use crate::unkey::{LimiterSnapshot, Operation};

/// Queues and budget.
pub(super) struct Queues {
    waits: Family<ByLane, Histogram>,
    waiting: Family<ByLane, Gauge>,
    tokens: Gauge<f64, AtomicU64>,
    concurrency: Gauge,
    limit: Gauge,
    remaining: Gauge,
    paused: Gauge,
    key_refused: Gauge,
    operation_refused: Family<ByOperation, Gauge>,
    unwitnessed: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByLane {
    lane: Word,
}

impl Queues {
    pub(super) fn register(registry: &mut Registry) -> Self {
        // From a moment to a pause of the longest `Retry-After`.
        let waits: Family<ByLane, Histogram> =
            Family::new_with_constructor(|| Histogram::new([0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0]));
        let help = "How long those waited that found no permit at once, by lane: changes and scan need a call to Unkey, writes do not";
        registry.register_with_unit("queue_duration", help, Unit::Seconds, waits.clone());
        Self {
            waits,
            waiting: registered(registry, "queue_depth", "Those that wait for a permit, by lane"),
            tokens: registered(
                registry,
                "upstream_tokens",
                "Requests that may be sent to Unkey at once by the rates in force; NaN: without bound",
            ),
            concurrency: registered(
                registry,
                "upstream_concurrency_limit",
                "Requests that may wait for an answer of Unkey at a time; fewer while it fails or slows down",
            ),
            limit: registered(
                registry,
                "upstream_rate_limit",
                "The workspace's limit in requests per minute, as Unkey last told it; -1: it names none",
            ),
            remaining: registered(
                registry,
                "upstream_rate_limit_remaining",
                "Requests left of the workspace's limit, as Unkey last told; -1: it names none",
            ),
            paused: registered(registry, "upstream_paused", "1 while a 429 of Unkey stops all requests"),
            key_refused: registered(
                registry,
                "upstream_root_key_refused",
                "1 while Unkey refuses the root key and only one request at a time tries it",
            ),
            operation_refused: registered(
                registry,
                "upstream_operation_refused",
                "1 while Unkey refuses the operation for want of a permission and only one request at a time tries it",
            ),
            unwitnessed: registered(
                registry,
                "absence_unwitnessed",
                "1 while the root key shows no identity at all, so that nothing is believed to be gone: it may lack a permission",
            ),
        }
    }

    pub(super) fn waited(&self, lane: &'static str, waited: Duration) {
        self.waits.get_or_create(&ByLane { lane: Word(lane) }).observe(waited.as_secs_f64());
    }

    pub(super) fn show(&self, calls: &LimiterSnapshot, waiting: &[(&'static str, usize)], unwitnessed: bool) {
        for (lane, count) in waiting {
            self.waiting.get_or_create(&ByLane { lane: Word(lane) }).set(whole(*count));
        }
        self.tokens.set(calls.tokens.unwrap_or(f64::NAN));
        self.concurrency.set(whole(calls.concurrency));
        self.limit.set(calls.limit.map_or(-1, |told| whole(told.limit)));
        self.remaining.set(calls.limit.map_or(-1, |told| whole(told.remaining)));
        self.paused.set(i64::from(calls.paused));
        self.key_refused.set(i64::from(calls.key.is_some()));
        for operation in Operation::ALL {
            let refused = calls.operations.contains(&operation);
            let label = ByOperation { operation: Word(operation.as_str()) };
            self.operation_refused.get_or_create(&label).set(i64::from(refused));
        }
        self.unwitnessed.set(i64::from(unwitnessed));
    }
}

fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
