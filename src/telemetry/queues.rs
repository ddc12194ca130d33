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
        let help = "Time that work waited for a permit, by lane: changes and scan make requests to Unkey, writes do not; work that got a permit at once is not counted";
        registry.register_with_unit("queue_duration", help, Unit::Seconds, waits.clone());
        Self {
            waits,
            waiting: registered(registry, "queue_depth", "Work that waits for a permit, by lane"),
            tokens: registered(
                registry,
                "upstream_tokens",
                "Requests that the rate limits in force allow at once; NaN if there is no limit",
            ),
            concurrency: registered(
                registry,
                "upstream_concurrency_limit",
                "Maximum number of concurrent requests to Unkey; lower while Unkey fails or slows down",
            ),
            limit: registered(
                registry,
                "upstream_rate_limit",
                "Rate limit of the workspace in requests per minute, as last reported by Unkey; -1 if Unkey reports none",
            ),
            remaining: registered(
                registry,
                "upstream_rate_limit_remaining",
                "Requests left of the workspace's rate limit, as last reported by Unkey; -1 if Unkey reports none",
            ),
            paused: registered(registry, "upstream_paused", "1 while a 429 of Unkey pauses all requests"),
            key_refused: registered(
                registry,
                "upstream_root_key_refused",
                "1 while Unkey refuses the root key; one request at a time retries it",
            ),
            operation_refused: registered(
                registry,
                "upstream_operation_refused",
                "1 while Unkey refuses the operation because the root key lacks a permission; one request at a time retries it",
            ),
            unwitnessed: registered(
                registry,
                "absence_unwitnessed",
                "1 while the root key shows no identity at all: it may lack a permission, so no identity counts as deleted",
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
