//! Metrics, in the `OpenMetrics` text format. Every label value comes from a closed set. Each group of them is in a file of its own, which
//! knows nothing of this one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::deletions::{DeletionGauges, Deletions};
use super::labels::{Outcome, ReconcileResult, ScanEnd, WatchState};
use super::objects::Objects;
use super::queues::Queues;
use super::reconciles::Reconciles;
use super::requests::Requests;
use super::scans::Scans;
use super::watches::Watches;
use crate::api::{EventReason, Reason};
use crate::domain::KubeWrite;
use crate::domain::drift_scan::Finding;
use crate::unkey::{LimiterSnapshot, Operation};

/// The operator's metrics. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    reconciles: Reconciles,
    requests: Requests,
    objects: Objects,
    deletions: Deletions,
    scans: Scans,
    queues: Queues,
    watches: Watches,
}

/// What is shown as it is at the moment, and that nobody counts.
#[derive(Debug)]
pub struct Gauges {
    /// How many objects show each reason; `None`: not reconciled yet.
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
    /// How deletions stand (R20).
    pub deletions: DeletionGauges,
}

impl Default for Metrics {
    fn default() -> Self {
        // They are served in this order.
        let mut registry = Registry::with_prefix("unkey_operator");
        let reconciles = Reconciles::register(&mut registry);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of the operator", build);
        let requests = Requests::register(&mut registry);
        let objects = Objects::register(&mut registry);
        let deletions = Deletions::register(&mut registry);
        let scans = Scans::register(&mut registry);
        let queues = Queues::register(&mut registry);
        let watches = Watches::register(&mut registry);
        let registry = Mutex::new(registry);
        Self(Arc::new(Inner { registry, reconciles, requests, objects, deletions, scans, queues, watches }))
    }
}

impl Metrics {
    /// A reconcile ended.
    pub fn reconciled(&self, end: ReconcileResult, took: Duration) {
        self.0.reconciles.ended(end, took);
    }

    /// An object is in step again, that was not for so long.
    pub fn synced(&self, after: Option<Duration>) {
        if let Some(after) = after {
            self.0.reconciles.synced(after);
        }
    }

    /// Something was done that a status cannot show.
    pub fn told(&self, event: EventReason) {
        self.0.reconciles.told(event);
    }

    /// A request to Unkey is sent.
    pub fn upstream_begins(&self) -> InFlight {
        self.0.requests.begins();
        InFlight { metrics: self.clone(), begun: Instant::now() }
    }

    /// An object went without its finalizer.
    pub fn left_behind(&self) {
        self.0.objects.left_behind();
    }

    /// An object was out of step, and nothing was planned for it.
    pub fn rescued(&self) {
        self.0.objects.rescued();
    }

    /// A reconcile or a task has waited so long in that lane.
    pub fn waited(&self, lane: &'static str, waited: Duration) {
        self.0.queues.waited(lane, waited);
    }

    /// From now on there is a scan so often; zero: none.
    pub fn scans_every(&self, interval: Duration) {
        self.0.scans.begin(interval);
    }

    /// A scan ended.
    pub fn scanned(&self, end: ScanEnd) {
        self.0.scans.ended(end);
    }

    /// It looked at all there was; `now` is Unix time.
    pub fn scan_completed(&self, now: i64, took: Duration) {
        self.0.scans.completed(now, took);
    }

    /// A page was listed.
    pub fn scan_page(&self) {
        self.0.scans.page();
    }

    /// A difference was found.
    pub fn scan_found(&self, finding: Finding) {
        self.0.scans.found(finding);
    }

    /// What a conclusive scan saw of the recorded identities: it asked for all, and had a witness for what it missed.
    pub fn scan_saw(&self, recorded: usize, missing: usize, withheld: bool) {
        self.0.scans.saw(recorded, missing, withheld);
    }

    /// The text to serve.
    ///
    /// # Errors
    ///
    /// Only if a metric cannot be written as text, which is a bug.
    pub fn render(&self, view: &Gauges) -> Result<String, fmt::Error> {
        self.0.queues.show(&view.calls, &view.waiting, view.unwitnessed);
        self.0.watches.show(&view.watches, view.dropped);
        self.0.reconciles.show(view.oldest_unsynced);
        self.0.objects.show(&view.reasons, view.leads, &view.refused, view.untold);
        self.0.deletions.show(view.deletions);
        let mut text = String::new();
        let registry = self.0.registry.lock();
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
        self.metrics.0.requests.answered(operation, outcome, self.begun.elapsed());
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.0.requests.is_over();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
