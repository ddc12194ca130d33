//! Metrics, in the `OpenMetrics` text format. Every label value comes from a closed set.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::labels::{Outcome, ReconcileResult, WatchState};
use super::queues::Queues;
use super::scans::Scans;
use super::watches::Watches;
use crate::api::{EventReason, Reason};
use crate::domain::KubeWrite;
use crate::unkey::{LimiterSnapshot, Operation};

/// The operator's metrics. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    reconciles: Family<ByResult, Counter>,
    passes: Histogram,
    syncs: Histogram,
    told: Family<ByEvent, Counter>,
    oldest: Gauge<f64, AtomicU64>,
    requests: Family<ByOutcome, Counter>,
    seconds: Family<ByOperation, Histogram>,
    in_flight: Gauge,
    objects: Family<ByReason, Gauge>,
    left_behind: Counter,
    rescued: Counter,
    leads: Gauge,
    refused: Family<ByWrite, Gauge>,
    untold: Gauge,
    scans: Scans,
    queues: Queues,
    watches: Watches,
}

/// What is shown as it is at the moment, and that nobody counts.
#[derive(Debug)]
pub struct Gauges {
    /// How many objects show each reason; `None`: not visited yet.
    pub reasons: HashMap<Option<Reason>, i64>,
    /// How long the longest has been out of step.
    pub oldest_unsynced: Duration,
    /// How things stand with the calls to Unkey.
    pub calls: LimiterSnapshot,
    /// How many wait in each lane.
    pub waiting: [(&'static str, usize); 3],
    /// The root key was looked at, and shows nothing (R19).
    pub unwitnessed: bool,
    /// This process may act.
    pub leads: bool,
    /// How many watches are in each state.
    pub watches: Vec<(WatchState, usize)>,
    /// How many objects wait since Kubernetes refuses that write.
    pub refused: [(KubeWrite, usize); 3],
    /// Those of them of which neither status nor an event tells.
    pub untold: usize,
    /// How many fields the API server drops.
    pub dropped: usize,
}

/// A label value that cannot be anything but one of the program's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word(pub(super) &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        EncodeLabelValue::encode(&self.0, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByResult {
    pub(super) result: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByOperation {
    pub(super) operation: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    operation: Word,
    outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWrite {
    write: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEvent {
    event: Word,
}

impl ByEvent {
    fn of(event: EventReason) -> Self {
        Self { event: Word(event.as_str()) }
    }
}

impl ByOutcome {
    fn of(operation: Operation, outcome: Outcome) -> Self {
        Self { operation: Word(operation.as_str()), outcome: Word(outcome.as_str()) }
    }
}

/// A metric that is registered.
pub(super) fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// A registered counter of a closed set of labels, each there from the start.
pub(super) fn counters<L>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    all: impl IntoIterator<Item = L>,
) -> Family<L, Counter>
where
    L: EncodeLabelSet + Clone + fmt::Debug + Eq + Hash + Send + Sync + 'static,
{
    let family: Family<L, Counter> = registered(registry, name, help);
    for labels in all {
        drop(family.get_or_create(&labels));
    }
    family
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("unkey_operator");
        let ends = ReconcileResult::ALL.iter().map(|end| ByResult { result: Word(end.as_str()) });
        let reconciles = counters(&mut registry, "reconciles", "Reconciles of an object, by result", ends);
        let help = "Duration of a reconcile of an object, without waits for a permit";
        let passes = Histogram::new([0.000_1, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0]);
        registry.register_with_unit("reconcile_duration", help, Unit::Seconds, passes.clone());
        let help = "Time from the first sight of a change, a new object or a failure until Unkey and the status are in sync with it";
        let syncs = Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0]);
        registry.register_with_unit("sync_duration", help, Unit::Seconds, syncs.clone());
        let help = "Age of the object that has been out of sync for the longest time, as seen by this process; 0 if all are in sync";
        let oldest = Gauge::default();
        registry.register_with_unit("oldest_unsynced_age", help, Unit::Seconds, oldest.clone());
        let help = "Actions that a status cannot show, each also published as an event: Adopted, DriftCorrected, Recreated and so on";
        let told = counters(&mut registry, "events", help, EventReason::ALL.map(ByEvent::of));
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of the operator", build);
        let of = |operation: Operation| Outcome::ALL.iter().map(move |outcome| ByOutcome::of(operation, *outcome));
        let help = "Requests to Unkey, by operation and outcome";
        let requests = counters(&mut registry, "upstream_requests", help, Operation::ALL.into_iter().flat_map(of));
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
        let objects = Family::default();
        registry.register(
            "identities",
            "Identity objects, by the reason of their Ready condition; None if not reconciled yet",
            objects.clone(),
        );
        let left_behind = Counter::default();
        registry.register(
            "identities_left_behind",
            "Identities that stay in Unkey because someone removed the finalizer of their object",
            left_behind.clone(),
        );
        let help = "Identity objects that were out of sync without a planned reconcile, and were reconciled again; each is a bug of the operator";
        let rescued = registered(&mut registry, "rescues", help);
        let leads = registered(&mut registry, "leader", "1 while this process leads; 0 while it stands by");
        let help = "Objects with a write that Kubernetes refuses at the moment, by write: an admission policy, a quota, a missing permission";
        let refused = registered(&mut registry, "writes_refused", help);
        let help = "Objects with a refused write that neither a status nor an event reports";
        let untold = registered(&mut registry, "writes_refused_untold", help);
        let scans = Scans::register(&mut registry);
        let queues = Queues::register(&mut registry);
        let watches = Watches::register(&mut registry);
        Self(Arc::new(Inner {
            registry: Mutex::new(registry),
            reconciles,
            passes,
            syncs,
            told,
            oldest,
            requests,
            seconds,
            in_flight,
            objects,
            left_behind,
            rescued,
            leads,
            refused,
            untold,
            scans,
            queues,
            watches,
        }))
    }
}

impl Metrics {
    /// A reconcile ended.
    pub fn reconciled(&self, end: ReconcileResult, took: Duration) {
        self.0.reconciles.get_or_create(&ByResult { result: Word(end.as_str()) }).inc();
        self.0.passes.observe(took.as_secs_f64());
    }

    /// An object is in step again, that was not for so long.
    pub fn synced(&self, after: Option<Duration>) {
        if let Some(after) = after {
            self.0.syncs.observe(after.as_secs_f64());
        }
    }

    /// Something was done that a status cannot show.
    pub fn told(&self, event: EventReason) {
        self.0.told.get_or_create(&ByEvent::of(event)).inc();
    }

    /// A request to Unkey is sent.
    pub fn upstream_begins(&self) -> InFlight {
        self.0.in_flight.inc();
        InFlight { metrics: self.clone(), begun: Instant::now() }
    }

    /// An object went without its finalizer.
    pub fn left_behind(&self) {
        self.0.left_behind.inc();
    }

    /// An object was out of step, and nothing was planned for it.
    pub fn rescued(&self) {
        self.0.rescued.inc();
    }

    /// A reconcile or a task has waited so long in that lane.
    pub fn waited(&self, lane: &'static str, waited: Duration) {
        self.0.queues.waited(lane, waited);
    }

    /// The scan's own.
    pub(super) fn scans(&self) -> &Scans {
        &self.0.scans
    }

    /// The text to serve.
    ///
    /// # Errors
    ///
    /// Only if a metric cannot be written as text, which is a bug.
    pub fn render(&self, view: &Gauges) -> Result<String, fmt::Error> {
        self.0.queues.show(&view.calls, &view.waiting, view.unwitnessed);
        self.0.watches.show(&view.watches, view.dropped);
        self.0.leads.set(i64::from(view.leads));
        for (write, count) in view.refused {
            let labels = ByWrite { write: Word(write.as_str()) };
            self.0.refused.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.0.untold.set(i64::try_from(view.untold).unwrap_or(i64::MAX));
        self.0.oldest.set(view.oldest_unsynced.as_secs_f64());
        let counts = &view.reasons;
        for reason in Reason::ALL {
            let count = counts.get(&Some(reason)).copied().unwrap_or(0);
            self.0.objects.get_or_create(&ByReason { reason: Word(reason.as_str()) }).set(count);
        }
        let unvisited = counts.get(&None).copied().unwrap_or(0);
        self.0.objects.get_or_create(&ByReason { reason: Word("None") }).set(unvisited);
        let mut text = String::new();
        let registry = self.0.registry.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// A request that waits for its answer; dropped without one, it counts as cancelled only in the gauge.
pub struct InFlight {
    metrics: Metrics,
    begun: Instant,
}

impl InFlight {
    /// The answer is there.
    pub fn ends(self, operation: Operation, outcome: Outcome) {
        self.metrics.0.requests.get_or_create(&ByOutcome::of(operation, outcome)).inc();
        let operation = ByOperation { operation: Word(operation.as_str()) };
        self.metrics.0.seconds.get_or_create(&operation).observe(self.begun.elapsed().as_secs_f64());
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.0.in_flight.dec();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
