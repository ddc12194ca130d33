//! The monotonic clock of the decisions, what tells that this process stood still, and for how long an object has been leaving. Nothing
//! else in the controller reads time for a decision.

use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

use crate::apiserver::ServerTime;
use crate::domain::Mono;

/// Milliseconds since this process began to act: it stands at [`Mono::ZERO`] until then.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<OnceLock<Instant>>);

/// Wall clocks jump, so two of them have to agree: that of this machine, and that of the API server.
#[derive(Clone, Debug, Default)]
pub struct WallClocks(pub ServerTime);

impl WallClocks {
    /// What has passed, by both clocks, since the second `then` of 1970's count; `None`: one does not say, or has not come to it.
    pub fn since(&self, then: i64) -> Option<Duration> {
        passed(then, Timestamp::now().as_second(), self.0.seconds())
    }

    /// The later of both, in seconds since 1970.
    pub fn latest(&self) -> i64 {
        let here = Timestamp::now().as_second();
        self.0.seconds().map_or(here, |there| there.max(here))
    }

    /// An hour from now by the clock of the API server, if it has told, RFC 3339, to the minute.
    pub fn an_hour_ahead(&self) -> String {
        let now = self.0.seconds_or_local();
        let then = Timestamp::from_second(now / 60 * 60 + 3_600).unwrap_or(Timestamp::MAX);
        then.to_string()
    }
}

fn passed(then: i64, here: i64, there: Option<i64>) -> Option<Duration> {
    let seconds = here.min(there?).saturating_sub(then);
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

impl Clock {
    /// One that runs.
    pub fn start() -> Self {
        let clock = Self::default();
        clock.begin();
        clock
    }

    /// It runs from now on, if it did not.
    pub fn begin(&self) {
        self.0.get_or_init(Instant::now);
    }

    /// Now.
    pub fn now(&self) -> Mono {
        Mono::ZERO.after(self.elapsed())
    }

    /// The same, finer: for rates.
    pub fn elapsed(&self) -> Duration {
        self.0.get().map_or(Duration::ZERO, Instant::elapsed)
    }
}

/// How often [`PauseDetector::check`] is due.
pub const PAUSE_CHECK: Duration = Duration::from_secs(1);
/// Beats that far apart say that the process stood still: paused, frozen with its node, or starved.
const GAP: Duration = Duration::from_secs(5);

/// Tells that this process stood still. What it saw before that may be long past: another operator may have worked on, and the
/// user have thought better of a deletion (S8, S35).
#[derive(Debug)]
pub struct PauseDetector {
    clock: Clock,
    /// The last beat, and the last time the heart began to beat again.
    beats: Mutex<(Mono, Mono)>,
}

impl PauseDetector {
    /// Begins to beat.
    pub fn new(clock: Clock) -> Self {
        let now = clock.now();
        Self { clock, beats: Mutex::new((now, Mono::ZERO)) }
    }

    /// Once every [`PAUSE_CHECK`]; the time at which it last stood still, or at which what was seen before was made void.
    pub fn check(&self) -> Mono {
        let mut beats = self.beats.lock();
        let (last, now) = (beats.0, self.clock.now());
        beats.0 = now;
        if now >= last.after(GAP) {
            beats.1 = now;
        }
        beats.1
    }

    /// What was seen so far counts no more than before it stood still: Kubernetes was restored from a backup.
    pub fn voids_looks(&self) {
        let mut beats = self.beats.lock();
        beats.1 = self.clock.now();
    }
}

/// A duration in whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that jumps a day ahead makes nothing older, as long as the other one does not; one that jumps back makes it younger.
    #[test]
    fn both_wall_clocks_have_to_say_that_time_has_passed() {
        const DAY: i64 = 86_400;
        let then = 1_790_000_000;
        let now = then + 3;
        for (here, there, seconds) in [
            (now, Some(now), Some(3)),
            (now + DAY, Some(now), Some(3)),
            (now, Some(now + DAY), Some(3)),
            (now - DAY, Some(now), None),
            (now, Some(now - DAY), None),
            (now, None, None),
        ] {
            assert_eq!(passed(then, here, there), seconds.map(Duration::from_secs), "{here} {there:?}");
        }
        // A time that no clock can show does no harm.
        assert_eq!(passed(i64::MAX, now, Some(now)), None);
        assert!(passed(i64::MIN, now, Some(now)) > Some(Duration::ZERO));
    }

    #[test]
    fn it_stands_until_this_process_acts() {
        let clock = Clock::default();
        assert_eq!((clock.now(), clock.elapsed()), (Mono::ZERO, Duration::ZERO));
        clock.begin();
        assert!(clock.elapsed() > Duration::ZERO);
    }

    #[test]
    fn what_was_seen_before_it_stood_still_is_old() {
        // A clock that began long ago, so that the beats can be set by hand.
        let clock = Clock::default();
        clock.0.set(Instant::now().checked_sub(Duration::from_secs(60)).unwrap()).unwrap();
        let pause_detector = PauseDetector::new(clock.clone());
        let look = Mono(clock.now().0 - 1);
        assert!(look >= pause_detector.check());
        pause_detector.beats.lock().0 = Mono::ZERO.after(Mono::ZERO.until(look).saturating_sub(GAP));
        assert!(look < pause_detector.check());
        assert!(look < pause_detector.check(), "for ever");
        assert!(clock.now() >= pause_detector.check());
    }
}
