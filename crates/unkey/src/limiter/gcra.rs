//! A rate with a burst: the generic cell rate algorithm, which needs one number and no timer. Pure.
//!
//! Our own and not the `governor` crate: its quota is fixed when it is built, while this one changes with every answer, and what
//! is taken from it must be given back when nothing was sent.

use std::time::Duration;

/// Lets one through every `interval`, and up to `burst` at once after a rest.
#[derive(Clone, Debug)]
pub(super) struct Gcra {
    /// When the next one would be due if all so far had come evenly; ahead of now by what was taken in advance.
    due: Duration,
    interval: Duration,
    burst: u32,
}

impl Gcra {
    /// `interval` zero: no limit. A burst of 0 is one of 1.
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        Self { due: Duration::ZERO, interval, burst: burst.max(1) }
    }

    /// Another rate from now on. What was taken in advance stays taken.
    pub(super) fn set(&mut self, interval: Duration, burst: u32) {
        (self.interval, self.burst) = (interval, burst.max(1));
    }

    /// When the next one may pass; in the past or now: at once.
    pub(super) fn ready_at(&self) -> Duration {
        self.due.saturating_sub(self.interval * (self.burst - 1))
    }

    pub(super) fn take(&mut self, now: Duration) {
        self.due = self.due.max(now) + self.interval;
    }

    /// One that was taken was not used.
    pub(super) fn give_back(&mut self) {
        self.due = self.due.saturating_sub(self.interval);
    }

    /// Nothing is saved up at `at`: from then on one by one.
    pub(super) fn empty(&mut self, at: Duration) {
        self.due = self.due.max(at + self.interval * (self.burst - 1));
    }

    /// How many may pass at once; `None`: any number.
    pub(super) fn tokens(&self, now: Duration) -> Option<f64> {
        if self.interval.is_zero() {
            return None;
        }
        let ahead = self.due.saturating_sub(now).as_secs_f64() / self.interval.as_secs_f64();
        Some((f64::from(self.burst) - ahead).max(0.0))
    }
}
