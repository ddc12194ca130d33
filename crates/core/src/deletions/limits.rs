//! How many deletions may go without an approval, and how soon.

use std::fmt;
use std::time::Duration;

/// Flags `--deletion-hold`, `--max-deletions`, `--max-deletions-share` and `--deletion-window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionLimits {
    /// Nothing is deleted sooner than this after its deletion was first seen; zero: no hold.
    pub hold: Duration,
    /// So many may go within the window, however few identities there are; 0: there is no brake.
    pub most: usize,
    /// The same as a share of the identities that are recorded.
    pub share: Share,
    /// The window.
    pub window: Duration,
}

/// A share between 0 and 1, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// All of it.
    const WHOLE: u32 = 1_000_000;

    /// `None`: it is not between 0 and 1.
    pub fn new(share: f64) -> Option<Self> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it is between 0 and a million
        (0.0..=1.0).contains(&share).then(|| Self((share * f64::from(Self::WHOLE)).round() as u32))
    }

    /// As a number between 0 and 1.
    pub fn get(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }

    /// That share of `count`, rounded down.
    fn of(self, count: usize) -> usize {
        let part = u128::try_from(count).unwrap_or(u128::MAX) * u128::from(self.0) / u128::from(Self::WHOLE);
        usize::try_from(part).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl Default for DeletionLimits {
    /// As the operator is set up if nobody says otherwise (`unkey-operator run --help`).
    fn default() -> Self {
        Self { hold: Duration::from_secs(10), most: 10, share: Share(100_000), window: Duration::from_secs(600) }
    }
}

impl DeletionLimits {
    /// Neither hold nor brake.
    pub const NONE: Self = Self { hold: Duration::ZERO, most: 0, share: Share(0), window: Duration::ZERO };

    /// There is a brake.
    pub fn brakes(&self) -> bool {
        self.most > 0
    }

    /// So many may go within the window if so many identities were recorded in it at most.
    pub fn limit(&self, recorded: usize) -> usize {
        self.most.max(self.share.of(recorded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_larger_of_count_and_share() {
        let limits = DeletionLimits::default();
        let limit = |recorded| limits.limit(recorded);
        assert_eq!([0, 100, 109, 110, 1_000, 1_009].map(limit), [10, 10, 10, 11, 100, 100]);
        assert_eq!(DeletionLimits { share: Share(0), ..limits }.limit(usize::MAX), 10);
        assert_eq!(DeletionLimits { share: Share(Share::WHOLE), ..limits }.limit(usize::MAX), usize::MAX);
    }

    #[test]
    fn a_share_is_between_0_and_1_and_reads_as_it_was_given() {
        assert!(Share::new(-0.1).is_none() && Share::new(1.1).is_none() && Share::new(f64::NAN).is_none());
        let read = |share| Share::new(share).unwrap().get().to_string();
        assert_eq!([0.0, 0.1, 0.333, 1.0].map(read), ["0", "0.1", "0.333", "1"]);
    }
}
