//! Which page to ask for next, and when to stop listing. Pure: it sends nothing.
//!
//! One identity can make every page before it unanswerable (a large meta is a 500 whatever the limit), and a workspace can
//! hold far more identities than this cluster. So a listing may end early; what it did not show is then asked for one by one.

use std::collections::HashSet;

/// The most that Unkey lists in one page.
const FULL: u8 = 100;

/// A listing of the workspace in progress.
#[derive(Debug)]
pub struct Listing {
    limit: u8,
    cursor: Option<String>,
    visited: HashSet<String>,
    calls_left: usize,
    whole: bool,
}

impl Listing {
    /// Begins at the first page. More calls than there are identities to look for (`of_interest`) never pay.
    pub fn begin(of_interest: usize) -> Self {
        Self { limit: FULL, cursor: None, visited: HashSet::new(), calls_left: of_interest.max(1), whole: false }
    }

    /// Limit and cursor of the next page; `None`: no more is listed.
    pub fn next_page(&mut self) -> Option<(u8, Option<String>)> {
        if self.whole || self.calls_left == 0 {
            return None;
        }
        self.calls_left -= 1;
        Some((self.limit, self.cursor.clone()))
    }

    /// A page was answered, with this cursor.
    pub fn answered(&mut self, cursor: Option<String>) {
        // Back to full pages by and by: what was too much may be behind us, or lie a few rows ahead.
        self.limit = self.limit.saturating_add((self.limit / 4).max(1)).min(FULL);
        match cursor {
            None => self.whole = true,
            // Seen before: it goes in circles.
            Some(cursor) if !self.visited.insert(cursor.clone()) => self.give_up(),
            Some(cursor) => self.cursor = Some(cursor),
        }
    }

    /// A page was too much for Unkey, for a proxy, or for us: a smaller one; after a page of one, none.
    pub fn too_much(&mut self) {
        if self.limit == 1 {
            self.give_up();
        }
        self.limit = (self.limit / 2).max(1);
    }

    /// The last one was refused for coming too soon: it did not count.
    pub fn again(&mut self) {
        self.calls_left += 1;
    }

    /// No page from here on can be had.
    pub fn give_up(&mut self) {
        self.calls_left = 0;
    }

    /// It reached the end of the workspace.
    pub fn is_whole(&self) -> bool {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(at: usize) -> String {
        format!("id_{at}")
    }

    #[test]
    fn it_goes_page_by_page_to_the_end() {
        let mut listing = Listing::begin(250);
        assert_eq!(listing.next_page(), Some((100, None)));
        listing.answered(Some(cursor(100)));
        assert_eq!(listing.next_page(), Some((100, Some(cursor(100)))));
        listing.answered(None);
        assert_eq!(listing.next_page(), None);
        assert!(listing.is_whole());
    }

    #[test]
    fn it_asks_for_no_more_pages_than_there_are_identities_to_look_for() {
        for (of_interest, pages) in [(0, 1), (1, 1), (7, 7)] {
            let mut listing = Listing::begin(of_interest);
            let asked = (0..).take_while(|at| {
                let asks = listing.next_page().is_some();
                listing.answered(Some(cursor(*at)));
                asks
            });
            assert_eq!(asked.count(), pages);
            assert!(!listing.is_whole());
        }
    }

    #[test]
    fn it_halves_down_to_one_and_then_gives_up() {
        let mut listing = Listing::begin(1000);
        let mut limits = Vec::new();
        while let Some((limit, _)) = listing.next_page() {
            limits.push(limit);
            listing.too_much();
        }
        assert_eq!(limits, [100, 50, 25, 12, 6, 3, 1]);
        assert!(!listing.is_whole());
    }

    #[test]
    fn it_grows_again_gently_and_stays_within_what_unkey_takes() {
        let mut listing = Listing::begin(1000);
        (0..4).for_each(|_| listing.too_much());
        let mut limits = Vec::new();
        for at in 0..16 {
            limits.push(listing.next_page().unwrap().0);
            listing.answered(Some(cursor(at)));
        }
        assert_eq!(limits[..5], [6, 7, 8, 10, 12]);
        assert_eq!(limits[15], 100);
    }

    #[test]
    fn a_cursor_that_comes_again_ends_it() {
        let mut listing = Listing::begin(1000);
        for at in [1, 2, 1] {
            assert!(listing.next_page().is_some());
            listing.answered(Some(cursor(at)));
        }
        assert_eq!(listing.next_page(), None);
        assert!(!listing.is_whole());
    }
}
