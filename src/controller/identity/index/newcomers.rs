//! How many objects are new, and whether they wait for a listing of the workspace: adoption from the list. Plain data.

use super::facts::Entry;
use crate::domain::Mono;

/// A listing pays only for more new objects than this.
const MANY: usize = 100;

/// How many objects are new, and whether they wait.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    /// Objects that have come since the last listing and are new still.
    arrived: usize,
    /// How many pages the workspace has at least, as far as a listing has come.
    pub pages: usize,
    /// They wait for a listing, until then at the latest.
    pub wait_until: Option<Mono>,
}

/// Nothing was sent for it, and no status tells of it.
pub(super) fn is_new(entry: &Entry) -> bool {
    let claimant = &entry.claimant;
    let untouched = claimant.recorded.is_none() && !claimant.claimed && entry.extra.reason.is_none();
    untouched && !claimant.leaving && !claimant.observes
}

impl Newcomers {
    /// An object has come, changed or gone. True if there are so many by now that a listing pays.
    pub fn moves(&mut self, was: Option<bool>, is: bool, wait_until: Mono) -> bool {
        match (was, is) {
            (None, true) => self.arrived += 1,
            (Some(true), false) => self.arrived = self.arrived.saturating_sub(1),
            _ => {}
        }
        let begins = self.wait_until.is_none() && self.arrived > self.pages.max(MANY);
        if begins {
            self.wait_until = Some(wait_until);
        }
        begins
    }

    /// They wait no longer.
    pub fn go_on(&mut self) {
        (self.arrived, self.wait_until) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_begins_for_many_that_are_new_and_for_no_fewer_than_there_are_pages() {
        for (pages, begins_at) in [(0, 101), (3, 101), (250, 251)] {
            let mut newcomers = Newcomers { pages, ..Newcomers::default() };
            let begun = (1..=300).find(|_| newcomers.moves(None, true, Mono(7)));
            assert_eq!(begun, Some(begins_at), "{pages}");
            assert_eq!(newcomers.wait_until, Some(Mono(7)));
            // Once is enough.
            assert!(!newcomers.moves(None, true, Mono(8)));
        }
    }

    #[test]
    fn who_is_dealt_with_does_not_count() {
        let mut newcomers = Newcomers::default();
        for _ in 0..1_000 {
            assert!(!newcomers.moves(None, true, Mono(7)));
            assert!(!newcomers.moves(Some(true), false, Mono(7)));
            assert!(!newcomers.moves(Some(false), false, Mono(7)));
        }
    }
}
