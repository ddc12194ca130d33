//! Logs and metrics. Labels are closed sets, logs carry no secret and no content of an identity.

mod log;
mod metrics;
mod permits;
mod scans;
mod told;
mod watches;
mod words;

pub use log::{LogFormat, init};
pub use metrics::{Gauges, InFlight, Metrics};
pub use told::Told;
pub use words::{Outcome, PassEnd, ScanEnd, WatchState};
