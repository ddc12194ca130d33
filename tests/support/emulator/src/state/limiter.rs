//! The workspace limit: a sliding window over wall-clock minutes. It must not know what is limited.

const MINUTE_MS: u64 = 60_000;

/// Counts of this minute and the one before.
#[derive(Debug, Default, Clone)]
pub struct Window {
    minute: u64,
    current: u64,
    previous: u64,
}

/// What the limit says to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the call may pass.
    pub allowed: bool,
    /// Calls left in the window.
    pub remaining: u64,
    /// Seconds to the end of the minute, floored.
    pub reset: u64,
}

impl Window {
    /// Asks for one call: allowed iff `cur + 1 + trunc(prev · (1 − elapsed/60)) ≤ limit`. A denied call costs nothing.
    pub fn take(&mut self, now_ms: u64, limit: u64) -> Verdict {
        let minute = now_ms / MINUTE_MS;
        if minute != self.minute {
            self.previous = if minute == self.minute + 1 { self.current } else { 0 };
            self.current = 0;
            self.minute = minute;
        }
        let left = MINUTE_MS - now_ms % MINUTE_MS;
        // In whole numbers: trunc(prev · left/60 s), as left is one minute minus the elapsed time.
        let used = self.current + 1 + self.previous * left / MINUTE_MS;
        let allowed = used <= limit;
        if allowed {
            self.current += 1;
        }
        Verdict { allowed, remaining: limit.saturating_sub(used), reset: left / 1000 }
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    fn allowed(window: &mut Window, now: u64, limit: u64, calls: usize) -> usize {
        (0..calls).filter(|_| window.take(now, limit).allowed).count()
    }

    #[test]
    fn a_fresh_window_lets_the_limit_through() {
        let mut window = Window::default();
        assert_eq!(allowed(&mut window, 600_000, 5, 9), 5);
        // Denied calls cost nothing and waiting within the minute helps nobody.
        assert_eq!(allowed(&mut window, 659_999, 5, 9), 0);
    }

    #[test]
    fn the_minute_before_counts_by_its_share_that_is_still_in_the_window() {
        let mut window = Window::default();
        assert_eq!(allowed(&mut window, 600_000, 60, 60), 60);
        // One second into the next minute 59 of the 60 still count: one call per second reconciles.
        assert_eq!(allowed(&mut window, 661_000, 60, 60), 1);
        assert_eq!(allowed(&mut window, 662_000, 60, 60), 1);
        assert_eq!(allowed(&mut window, 690_000, 60, 60), 28);
    }

    #[test]
    fn two_minutes_later_nothing_counts() {
        let mut window = Window::default();
        assert_eq!(allowed(&mut window, 600_000, 3, 3), 3);
        assert_eq!(allowed(&mut window, 720_000, 3, 9), 3);
    }

    #[test]
    fn reset_counts_to_the_end_of_the_minute_not_to_the_next_free_slot() {
        let mut window = Window::default();
        assert_eq!(window.take(600_000, 2).reset, 60);
        let verdict = window.take(659_500, 2);
        assert_eq!((verdict.allowed, verdict.remaining, verdict.reset), (true, 0, 0));
        assert!(!window.take(659_501, 2).allowed);
    }
}
