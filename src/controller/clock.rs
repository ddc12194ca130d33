//! The monotonic clock of the decisions. Nothing else in the controller reads time for a decision.

use std::time::{Duration, Instant};

use crate::domain::Mono;

/// Milliseconds since this process began to act.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts at [`Mono::ZERO`].
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    pub fn now(self) -> Mono {
        Mono(millis(self.0.elapsed()))
    }
}

/// A duration in whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
