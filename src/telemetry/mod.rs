//! Logs and metrics. Labels are closed sets, logs carry no secret and no content of an identity.

mod labels;
mod log;
mod log_once;
mod metrics;
mod permits;
mod scans;
mod watches;

pub use labels::{Outcome, PassEnd, ScanEnd, WatchState};
pub use log::{LogFormat, init};
pub use log_once::Told;
pub use metrics::{Gauges, InFlight, Metrics};
