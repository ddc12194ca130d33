//! Metrics of reconciles, and of what they do.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::families::{ByResult, Word, counters};
use super::labels::ReconcileResult;
use crate::api::EventReason;

/// Reconciles, and how soon objects are in step.
pub(super) struct Reconciles {
    by_result: Family<ByResult, Counter>,
    took: Histogram,
    syncs: Histogram,
    told: Family<ByEvent, Counter>,
    oldest: Gauge<f64, AtomicU64>,
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

impl Reconciles {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let ends = ReconcileResult::ALL.iter().map(|end| ByResult { result: Word(end.as_str()) });
        let by_result = counters(registry, "reconciles", "Reconciles of an object, by result", ends);
        let help = "Duration of a reconcile of an object, without waits for a permit";
        let took = Histogram::new([0.000_1, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0]);
        registry.register_with_unit("reconcile_duration", help, Unit::Seconds, took.clone());
        let help = "Time from the first sight of a change, a new object or a failure until Unkey and the status are in sync with it";
        let syncs = Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0]);
        registry.register_with_unit("sync_duration", help, Unit::Seconds, syncs.clone());
        let help = "Age of the object that has been out of sync for the longest time, as seen by this process; 0 if all are in sync";
        let oldest = Gauge::default();
        registry.register_with_unit("oldest_unsynced_age", help, Unit::Seconds, oldest.clone());
        let help = "Actions that a status cannot show, each also published as an event: Adopted, DriftCorrected, Recreated and so on";
        let told = counters(registry, "events", help, EventReason::ALL.map(ByEvent::of));
        Self { by_result, took, syncs, told, oldest }
    }

    pub(super) fn ended(&self, end: ReconcileResult, took: Duration) {
        self.by_result.get_or_create(&ByResult { result: Word(end.as_str()) }).inc();
        self.took.observe(took.as_secs_f64());
    }

    pub(super) fn synced(&self, after: Duration) {
        self.syncs.observe(after.as_secs_f64());
    }

    pub(super) fn told(&self, event: EventReason) {
        self.told.get_or_create(&ByEvent::of(event)).inc();
    }

    pub(super) fn show(&self, oldest_unsynced: Duration) {
        self.oldest.set(oldest_unsynced.as_secs_f64());
    }
}
