//! How many identities are recorded, and how many were at most within a window. A limit that rests on the present number alone would shrink while a mass
//! is being deleted.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::ids::Mono;

/// A number that fell is remembered once for each such part of the window.
const PARTS: u32 = 64;

/// A number and its highest value within a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recorded {
    now: usize,
    /// Values of before, each with the moment until which it was as high: falling, the oldest first.
    before: VecDeque<(Mono, usize)>,
}

impl Recorded {
    pub fn change(&mut self, now: Mono, window: Duration, change: impl FnOnce(usize) -> usize) {
        let next = change(self.now);
        while self.before.front().is_some_and(|(until, _)| until.after(window) < now) {
            self.before.pop_front();
        }
        if next < self.now {
            while self.before.back().is_some_and(|(_, value)| *value <= self.now) {
                self.before.pop_back();
            }
            match self.before.back_mut() {
                // A higher value counts a little longer, so that a mass that goes one by one takes no room.
                Some((until, _)) if until.until(now) < window / PARTS => *until = now,
                _ => self.before.push_back((now, self.now)),
            }
        }
        self.now = next;
    }

    /// The most of the window that ends now.
    pub fn most(&self, now: Mono, window: Duration) -> usize {
        let before = self.before.iter().find(|(until, _)| until.after(window) >= now);
        before.map_or(self.now, |(_, value)| self.now.max(*value))
    }

    /// Nothing is recorded, and nothing was.
    pub fn is_nothing(&self, now: Mono, window: Duration) -> bool {
        self.most(now, window) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(6_400);

    #[test]
    fn what_fell_counts_for_a_window() {
        let mut recorded = Recorded::default();
        recorded.change(Mono(0), WINDOW, |_| 1_000);
        recorded.change(Mono(100), WINDOW, |_| 10);
        recorded.change(Mono(300), WINDOW, |_| 40);
        recorded.change(Mono(500), WINDOW, |_| 20);
        let most = |at| recorded.most(Mono(at), WINDOW);
        assert_eq!([500, 6_500, 6_501, 6_900, 6_901].map(most), [1_000, 1_000, 40, 40, 20]);
        assert!(!recorded.is_nothing(Mono(99_999), WINDOW));
    }

    #[test]
    fn a_mass_that_goes_one_by_one_takes_no_room() {
        let mut recorded = Recorded::default();
        recorded.change(Mono(0), WINDOW, |_| 50_000);
        for at in 0..50_000 {
            recorded.change(Mono(at), WINDOW, |count| count - 1);
        }
        assert!(recorded.before.len() <= 65, "{}", recorded.before.len());
        assert!(recorded.most(Mono(49_999), WINDOW) >= 6_400);
    }
}
