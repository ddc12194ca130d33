//! Logs and metrics. Labels are closed sets, logs carry no secret and no content of an identity.

mod deletions;
mod families;
mod labels;
mod log;
mod log_once;
mod metrics;
mod objects;
mod queues;
mod reconciles;
mod requests;
mod scans;
mod watches;

pub use deletions::DeletionGauges;
pub use labels::{Outcome, ReconcileResult, ScanEnd, WatchState};
pub use log::{LogFormat, init};
pub use log_once::LogOnce;
pub use metrics::{Gauges, InFlight, Metrics};
