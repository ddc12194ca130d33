//! The rows of the index, each with its goals. What a row needs it makes, and what it made it removes.

mod adoption;
mod changes;
mod churn;
mod failover;
mod latency;
mod limit;
mod memory;
mod planned;
mod quiet;
mod restart;

pub use adoption::adoption;
pub use changes::{changes, defaults};
pub use churn::churn;
pub use failover::failover;
pub use latency::{idle as latency, while_scanning as latency_while_scanning};
pub use limit::limit;
pub use memory::memory;
pub use planned::planned;
pub use quiet::{noise, steady};
pub use restart::restart;
