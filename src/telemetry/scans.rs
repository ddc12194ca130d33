//! Metrics of the scan.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::families::{ByResult, Word, counters, registered};
use super::labels::ScanEnd;
use crate::domain::drift_scan::Finding;

/// What the scans did.
pub(super) struct Scans {
    by_result: Family<ByResult, Counter>,
    pages: Counter,
    findings: Family<ByFinding, Counter>,
    last: Gauge,
    took: Gauge<f64, std::sync::atomic::AtomicU64>,
    recorded: Gauge,
    missing: Gauge,
    withheld: Gauge,
    every: Gauge<f64, std::sync::atomic::AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFinding {
    finding: Word,
}

impl Scans {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let ends = ScanEnd::ALL.iter().map(|end| ByResult { result: Word(end.as_str()) });
        let by_result = counters(registry, "scans", "Scans of the workspace, by result", ends);
        let pages = registered(registry, "scan_pages", "Pages listed by scans of the workspace");
        let help = "Differences found by scans; each is verified before anything is written";
        let all = Finding::ALL.map(|finding| ByFinding { finding: Word(finding.as_str()) });
        let findings = counters(registry, "scan_findings", help, all);
        let (last, took): (Gauge, Gauge<f64, std::sync::atomic::AtomicU64>) = Default::default();
        let help = "Unix time at which the last complete scan ended, an empty one included; 0 before the first";
        registry.register_with_unit("scan_last_complete_timestamp", help, Unit::Seconds, last.clone());
        let help = "Duration of the last complete scan";
        registry.register_with_unit("scan_last_complete_duration", help, Unit::Seconds, took.clone());
        let help = "Recorded identities that the last conclusive scan found or missed";
        let recorded = registered(registry, "scan_recorded_identities", help);
        let help = "Recorded identities that the last conclusive scan did not find";
        let missing = registered(registry, "scan_missing_identities", help);
        let help = "1 if the last conclusive scan missed too many identities to recreate them";
        let withheld = registered(registry, "scan_recreation_withheld", help);
        let every = Gauge::default();
        let help = "Configured interval between scans; 0 if this process does not scan";
        registry.register_with_unit("scan_interval", help, Unit::Seconds, every.clone());
        Self { by_result, pages, findings, last, took, recorded, missing, withheld, every }
    }

    pub(super) fn begin(&self, every: Duration) {
        self.every.set(every.as_secs_f64());
    }

    pub(super) fn ended(&self, end: ScanEnd) {
        self.by_result.get_or_create(&ByResult { result: Word(end.as_str()) }).inc();
    }

    pub(super) fn completed(&self, now: i64, took: Duration) {
        self.last.set(now);
        self.took.set(took.as_secs_f64());
    }

    pub(super) fn page(&self) {
        self.pages.inc();
    }

    pub(super) fn found(&self, finding: Finding) {
        self.findings.get_or_create(&ByFinding { finding: Word(finding.as_str()) }).inc();
    }

    pub(super) fn saw(&self, recorded: usize, missing: usize, withheld: bool) {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.recorded.set(count(recorded));
        self.missing.set(count(missing));
        self.withheld.set(i64::from(withheld));
    }
}
