//! How many calls may wait for an answer at a time: fewer while Unkey fails or slows down, more again as it answers. Pure.
//!
//! Additive increase, multiplicative decrease (RFC 5681): one more after as many good answers as are allowed at a time, and less
//! by a third after a bad one, at most once per round trip.

use std::time::Duration;

/// What is left after a bad answer.
const CUT: f64 = 0.7;
/// Slow is what takes longer than this and several times as long as usual.
const SLOW: Duration = Duration::from_secs(1);
const TIMES: u32 = 4;
/// How fast what is usual follows what is slower: a lasting change is no trouble.
const FOLLOWS: u32 = 64;

/// How a call went, as far as it says something of Unkey's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Answered.
    Fine,
    /// The server failed, or there was no answer.
    Failed,
    /// Refused for coming too often.
    TooOften,
}

#[derive(Clone, Debug)]
pub(super) struct AdaptiveConcurrency {
    max: f64,
    allowed: f64,
    in_flight: u32,
    /// Answers to calls from before it say nothing of what it brought.
    cut_at: Option<Duration>,
    /// A moving minimum of the time to an answer.
    usual: Option<Duration>,
    /// Failures in a row.
    failures: u32,
}

impl AdaptiveConcurrency {
    pub(super) fn new(max: u16) -> Self {
        let max = f64::from(max.max(1));
        Self { max, allowed: max, in_flight: 0, cut_at: None, usual: None, failures: 0 }
    }

    /// The same bound and the same calls under way, of which nothing was learned.
    pub(super) fn anew(&self) -> Self {
        Self { allowed: self.max, cut_at: None, usual: None, failures: 0, ..*self }
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_flight >= self.allowed()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and 65,535
    pub(super) fn allowed(&self) -> u32 {
        self.allowed as u32
    }

    /// One failure is none yet.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 1
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    pub(super) fn begins(&mut self) {
        self.in_flight += 1;
    }

    /// One is over, of which nothing was learned.
    pub(super) fn over(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// What was learned of one that began at `begun`.
    pub(super) fn on_response(&mut self, now: Duration, begun: Duration, signal: Signal) {
        let fair = self.cut_at.is_none_or(|cut| begun > cut);
        self.failures = if signal == Signal::Failed { self.failures.saturating_add(1) } else { 0 };
        match signal {
            Signal::TooOften => (self.allowed, self.cut_at) = (1.0, Some(now)),
            Signal::Failed if fair => self.cut(now, 1.0),
            // Slowness alone does not say that fewer at a time would be faster.
            Signal::Fine if self.is_slow(now.saturating_sub(begun)) && fair => self.cut(now, self.max / 4.0),
            Signal::Fine if fair => self.allowed = (self.allowed + 1.0 / self.allowed).min(self.max),
            Signal::Failed | Signal::Fine => {}
        }
    }

    fn cut(&mut self, now: Duration, floor: f64) {
        self.allowed = (self.allowed * CUT).max(floor.min(self.allowed)).max(1.0);
        self.cut_at = Some(now);
    }

    fn is_slow(&mut self, took: Duration) -> bool {
        let usual = self.usual.unwrap_or(took);
        self.usual = Some(if took < usual { took } else { usual + took.saturating_sub(usual) / FOLLOWS });
        took > SLOW && took > usual * TIMES
    }
}
