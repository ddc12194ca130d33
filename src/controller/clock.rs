//! The monotonic clock of the decisions, and what tells that this process stood still. Nothing else in the controller reads time for a
//! decision.

use std::sync::{Mutex, PoisonError};
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
        Mono(millis(self.elapsed()))
    }

    /// The same, finer: for rates.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// How often [`Heart::beat`] is due.
pub const BEAT: Duration = Duration::from_secs(1);
/// Beats that far apart say that the process stood still: paused, frozen with its node, or starved.
const GAP: u64 = 5_000;

/// Tells that this process stood still. What it saw before that may be long past: another operator may have worked on, and the
/// user have thought better of a deletion (S8, S35).
#[derive(Debug)]
pub struct Heart {
    clock: Clock,
    /// The last beat, and the last time the heart began to beat again.
    beats: Mutex<(Mono, Mono)>,
}

impl Heart {
    /// Begins to beat.
    pub fn new(clock: Clock) -> Self {
        Self { clock, beats: Mutex::new((clock.now(), Mono::ZERO)) }
    }

    /// Once every [`BEAT`]; the time at which it last stood still.
    pub fn beat(&self) -> Mono {
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, now) = (beats.0, self.clock.now());
        beats.0 = now;
        if now >= last.after(GAP) {
            beats.1 = now;
        }
        beats.1
    }

    /// True if it has not stood still since `at`.
    pub fn beats_since(&self, at: Mono) -> bool {
        at >= self.beat()
    }
}

/// A duration in whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_before_it_stood_still_is_old() {
        // A clock that began long ago, so that the beats can be set by hand.
        let clock = Clock(Instant::now().checked_sub(Duration::from_mins(1)).unwrap());
        let heart = Heart { clock, beats: Mutex::new((clock.now(), Mono::ZERO)) };
        let look = Mono(clock.now().0 - 1);
        assert!(heart.beats_since(look));
        heart.beats.lock().unwrap().0 = Mono(look.0 - GAP);
        assert!(!heart.beats_since(look));
        assert!(!heart.beats_since(look), "for ever");
        assert!(heart.beats_since(clock.now()));
    }
}
