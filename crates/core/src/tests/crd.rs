//! R10: a definition that is not there is believed only when a second read agrees.

use super::any::{WINDOW, windows};
use super::{Crd, CrdMemory, CrdSight, Duration, Mono, ms};

#[test]
fn one_look_that_finds_none_proves_nothing() {
    let mut memory = CrdMemory::default();
    let again = Mono(10).after(WINDOW);
    assert_eq!(memory.sees(CrdSight::Missing, Mono(10), WINDOW), Crd::Doubtful(again));
    assert_eq!(
        memory.sees(CrdSight::Missing, Mono(10).after(WINDOW.saturating_sub(ms(1))), WINDOW),
        Crd::Doubtful(again),
        "too soon"
    );
    assert_eq!(memory.sees(CrdSight::Missing, again, WINDOW), Crd::Going);
}

#[test]
fn what_is_seen_in_between_begins_it_anew() {
    for between in [CrdSight::Stays, CrdSight::Going, CrdSight::Hidden] {
        let mut memory = CrdMemory::default();
        memory.sees(CrdSight::Missing, Mono(0), WINDOW);
        memory.sees(between, Mono(1), WINDOW);
        let later = windows(2);
        assert_eq!(memory.sees(CrdSight::Missing, later, WINDOW), Crd::Doubtful(later.after(WINDOW)), "{between:?}");
    }
}

#[test]
fn without_a_window_two_looks_are_needed_all_the_same() {
    let mut memory = CrdMemory::default();
    assert_eq!(memory.sees(CrdSight::Missing, Mono(5), Duration::ZERO), Crd::Doubtful(Mono(5)));
    assert_eq!(memory.sees(CrdSight::Missing, Mono(5), Duration::ZERO), Crd::Going);
}

#[test]
fn what_it_says_itself_is_believed_at_once() {
    let mut memory = CrdMemory::default();
    assert_eq!(memory.sees(CrdSight::Going, Mono(0), WINDOW), Crd::Going);
    assert_eq!(memory.sees(CrdSight::Stays, Mono(0), WINDOW), Crd::Stays);
    assert_eq!(memory.sees(CrdSight::Hidden, Mono(0), WINDOW), Crd::Hidden);
}

/// Whoever saw it first may never have come back, since its object was let go by hand; a single wrong answer hours later is the first again.
#[test]
fn a_look_that_is_long_past_agrees_with_none() {
    const HOURS: Duration = Duration::from_secs(3 * 3_600);
    let mut memory = CrdMemory::default();
    memory.sees(CrdSight::Missing, Mono(0), WINDOW);
    let later = Mono::ZERO.after(HOURS);
    let again = later.after(WINDOW);
    assert_eq!(memory.sees(CrdSight::Missing, later, WINDOW), Crd::Doubtful(again));
    // The second look may be late by a few windows.
    assert_eq!(memory.sees(CrdSight::Missing, again.after(2 * WINDOW), WINDOW), Crd::Going);
}

/// A short window, as of tests, is no reason to come in vain for ever: the second look has a minute in any case.
#[test]
fn the_second_look_has_time_however_short_the_window() {
    let mut memory = CrdMemory::default();
    memory.sees(CrdSight::Missing, Mono(0), Duration::ZERO);
    assert_eq!(memory.sees(CrdSight::Missing, Mono(59_000), Duration::ZERO), Crd::Going);
    assert_eq!(memory.sees(CrdSight::Missing, Mono(61_000), Duration::ZERO), Crd::Doubtful(Mono(61_000)));
}
