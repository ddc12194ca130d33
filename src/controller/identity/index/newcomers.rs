//! How many objects are new, and whether they wait for a listing of the workspace: adoption from the list. Plain data.

use super::facts::Entry;
use crate::api::Reason;
use crate::domain::Mono;

/// A listing pays only for more new objects than this.
const MANY: usize = 100;

/// How many objects are new, and whether they wait.
#[derive(Debug)]
pub(super) struct Newcomers {
    /// Objects that became new since the last listing began, less those that are new no longer.
    arrived: usize,
    /// A listing pays for more than so many: doubled by each that showed nothing.
    many: usize,
    /// How many pages the last whole listing of the workspace had, or how far one has come since.
    pub pages: usize,
    /// They wait for a listing, until then at the latest.
    pub wait_until: Option<Mono>,
}

impl Default for Newcomers {
    fn default() -> Self {
        Self { arrived: 0, many: MANY, pages: 0, wait_until: None }
    }
}

/// Nothing was sent for it, and no status tells of it but that it was only observed.
pub(super) fn is_new(entry: &Entry) -> bool {
    let claimant = &entry.claimant;
    let untold = entry.extra.reason.is_none_or(Reason::is_observing);
    claimant.recorded.is_none() && !claimant.claimed && untold && !claimant.leaving && !claimant.observes
}

impl Newcomers {
    /// An object has come or changed. True if there are so many by now that a listing pays.
    pub fn moves(&mut self, was: bool, is: bool, wait_until: Mono) -> bool {
        match (was, is) {
            (false, true) => self.arrived += 1,
            (true, false) => self.leaves(),
            _ => {}
        }
        let begins = self.wait_until.is_none() && self.pays_for(self.arrived);
        if begins {
            self.wait_until = Some(wait_until);
        }
        begins
    }

    /// One that was new is gone, or is dealt with.
    pub fn leaves(&mut self) {
        self.arrived = self.arrived.saturating_sub(1);
    }

    /// True if a listing costs less than `count` calls of their own.
    fn pays_for(&self, count: usize) -> bool {
        count > self.pages.max(self.many)
    }

    /// A listing begins for `waiting` of them, unless they are few. Who comes from now on may stand behind its cursor.
    pub fn begins(&mut self, waiting: usize) -> bool {
        self.arrived = 0;
        let pays = self.pays_for(waiting);
        if !pays {
            self.wait_until = None;
        }
        pays
    }

    /// A listing is over, that came so far and has shown so many; `waiting` are new still. True if another one is to follow before they go on.
    pub fn ends(&mut self, pages: usize, shown: usize, waiting: usize) -> bool {
        self.pages = self.pages.max(pages);
        self.many = if shown == 0 { self.many.saturating_mul(2) } else { MANY };
        // Who came meanwhile may stand behind the cursor. Another listing pays if this one has shown some of them.
        let again = shown > 0 && self.pays_for(self.arrived) && self.pays_for(waiting);
        if !again {
            self.wait_until = None;
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(newcomers: &mut Newcomers, count: usize) -> Option<usize> {
        (1..=count).find(|_| newcomers.moves(false, true, Mono(7)))
    }

    #[test]
    fn a_listing_begins_for_many_that_are_new_and_for_no_fewer_than_there_are_pages() {
        for (pages, begins_at) in [(0, 101), (3, 101), (250, 251)] {
            let mut newcomers = Newcomers { pages, ..Newcomers::default() };
            assert_eq!(arrive(&mut newcomers, 300), Some(begins_at), "{pages}");
            assert_eq!(newcomers.wait_until, Some(Mono(7)));
            // Once is enough.
            assert!(!newcomers.moves(false, true, Mono(8)));
        }
    }

    #[test]
    fn who_is_dealt_with_does_not_count() {
        let mut newcomers = Newcomers::default();
        for _ in 0..1_000 {
            assert!(!newcomers.moves(false, true, Mono(7)));
            assert!(!newcomers.moves(true, false, Mono(7)));
            assert!(!newcomers.moves(false, false, Mono(7)));
        }
        newcomers.leaves();
        assert_eq!((newcomers.arrived, newcomers.wait_until), (0, None));
    }

    /// A row of objects that do not exist is not listed for again and again.
    #[test]
    fn listings_in_vain_become_rarer() {
        let mut newcomers = Newcomers::default();
        let mut begun = 0;
        for _ in 0..10_000 {
            if newcomers.moves(false, true, Mono(7)) {
                begun += 1;
                assert!(newcomers.begins(50_000));
                assert!(!newcomers.ends(1, 0, 50_000));
            }
        }
        assert_eq!(begun, 6);
    }

    /// They came when another process led, which has dealt with them.
    #[test]
    fn few_that_are_left_do_not_wait() {
        let mut newcomers = Newcomers::default();
        assert!(arrive(&mut newcomers, 200).is_some());
        assert!(!newcomers.begins(100));
        assert_eq!(newcomers.wait_until, None);
    }

    #[test]
    fn what_comes_during_a_listing_that_pays_is_listed_for_once_more() {
        let mut newcomers = Newcomers::default();
        assert!(arrive(&mut newcomers, 200).is_some());
        assert!(newcomers.begins(200));
        assert_eq!(arrive(&mut newcomers, 500), None, "it waits already");
        assert!(newcomers.ends(2, 150, 500));
        assert!(newcomers.begins(500));
        assert!(!newcomers.ends(7, 500, 0));
        assert_eq!(newcomers.wait_until, None);
    }
}
