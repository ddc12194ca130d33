use std::time::Duration;

use super::*;

mod histories;

const HOLD: Duration = Duration::from_secs(10);
const WINDOW: Duration = Duration::from_secs(600);

fn limits(most: usize, share: f64) -> DeletionLimits {
    DeletionLimits { hold: HOLD, most, share: Share::new(share).unwrap(), window: WINDOW }
}

const fn at(seconds: u64) -> Mono {
    Mono(seconds * 1_000)
}

fn uid(namespace: &str, n: usize) -> Uid {
    Uid::new(&format!("{namespace}-{n}"))
}

/// Deletions, driven as sessions drive them.
struct Driven(Deletions);

impl Driven {
    fn new(most: usize, share: f64) -> Self {
        Self(Deletions::new(limits(most, share)))
    }

    fn record(&mut self, namespace: &str, count: usize, now: Mono) {
        for _ in 0..count {
            self.0.moves(namespace, true, false, now);
        }
    }

    fn look(&mut self, namespace: &str, n: usize, now: Mono) -> DeletionGate {
        let key = ObjectKey { namespace: namespace.to_owned(), name: n.to_string() };
        self.0.waits(&key, &uid(namespace, n), now);
        self.gate(namespace, n, now)
    }

    fn gate(&self, namespace: &str, n: usize, now: Mono) -> DeletionGate {
        self.0.gate(namespace, &uid(namespace, n), now, || "then".to_owned())
    }

    fn send(&mut self, namespace: &str, n: usize, now: Mono) {
        assert_eq!(self.look(namespace, n, now), DeletionGate::Open);
        self.0.sends(namespace, &uid(namespace, n), now);
    }

    fn approve(&mut self, namespace: &str, n: usize, now: Mono) {
        self.0.withdraws(namespace, &uid(namespace, n), true, now);
    }

    fn keep(&mut self, namespace: &str, n: usize, now: Mono) {
        self.0.withdraws(namespace, &uid(namespace, n), false, now);
    }

    fn holds(&self, namespace: &str, n: usize, now: Mono) -> Option<Episode> {
        match self.gate(namespace, n, now) {
            DeletionGate::Held { episode, .. } => Some(episode),
            _ => None,
        }
    }
}

#[test]
fn r20_nothing_goes_before_its_hold_has_passed() {
    let mut driven = Driven::new(10, 0.1);
    let held = DeletionGate::Hold { until: at(15), is_long: false };
    assert_eq!(driven.look("shop", 1, at(5)), held);
    assert_eq!(driven.look("shop", 1, at(14)), held, "it was first seen at 5 s");
    assert_eq!(driven.look("shop", 1, at(15)), DeletionGate::Open);
    // What something else stops, and no longer does, is held anew: a mass may come back with it.
    driven.approve("shop", 1, at(16));
    assert_eq!(driven.look("shop", 1, at(20)), DeletionGate::Hold { until: at(30), is_long: false });
}

#[test]
fn r20_a_mass_is_seen_before_its_first_goes() {
    let mut driven = Driven::new(10, 0.1);
    driven.record("shop", 24, at(0));
    for n in 0..11 {
        driven.look("shop", n, at(5));
    }
    let episode = driven.holds("shop", 0, at(999)).expect("eleven are too many, and time does not free them");
    assert_eq!((episode.deletions, episode.sent, episode.limit, episode.recorded), (11, 0, 10, 24));
    assert_eq!(driven.holds("shop", 0, at(9_999)), Some(episode));
    assert_eq!(driven.look("shop", 11, at(50)), driven.gate("shop", 0, at(50)), "those that come later too");
    assert_eq!(driven.0.counts(), Counts { waiting: 12, held: 12, episodes: 1 });
}

#[test]
fn r20_an_episode_ends_when_what_waits_is_within_the_limit() {
    let mut driven = Driven::new(3, 0.0);
    for n in 0..3 {
        driven.look("shop", n, at(0));
    }
    driven.send("shop", 0, at(10));
    driven.look("shop", 3, at(11));
    assert!(driven.holds("shop", 1, at(11)).is_some(), "one went, three wait");
    driven.approve("shop", 1, at(12));
    assert_eq!(driven.holds("shop", 2, at(12)), None, "one went, two wait");
    let mut woken: Vec<_> = driven.0.woken().into_iter().map(|key| key.name).collect();
    woken.sort();
    assert_eq!(woken, ["2", "3"]);
    assert!(driven.0.woken().is_empty());
}

#[test]
fn r20_what_went_before_the_episode_counts_until_its_end() {
    let mut driven = Driven::new(2, 0.0);
    driven.look("shop", 0, at(0));
    driven.look("shop", 1, at(0));
    driven.send("shop", 0, at(10));
    driven.send("shop", 1, at(10));
    driven.look("shop", 2, at(20));
    driven.look("shop", 3, at(20));
    driven.approve("shop", 3, at(20));
    let later = at(10_000);
    assert!(driven.holds("shop", 2, later).is_some(), "two went, one waits: for ever");
    driven.approve("shop", 2, later);
    assert_eq!(driven.0.counts(), Counts::default());
    assert_eq!(driven.look("shop", 4, later), DeletionGate::Hold { until: at(10_010), is_long: false });
}

/// Whoever keeps one identity after the other must not have the last ones deleted under their hands.
#[test]
fn r20_what_is_kept_frees_nothing_of_the_rest() {
    for names in [["a"; 4], ["a", "b", "c", "d"]] {
        let mut driven = Driven::new(3, 0.0);
        for (n, name) in names.iter().enumerate() {
            driven.look(name, n, at(0));
        }
        for (n, name) in names.iter().enumerate() {
            let left = (n..4).filter(|n| driven.holds(names[*n], *n, at(100)).is_some()).count();
            assert_eq!(left, 4 - n, "{name}");
            driven.keep(name, n, at(100));
        }
        assert_eq!(driven.0.counts(), Counts::default());
        // What was kept is forgotten with the end.
        assert_eq!(driven.look("a", 9, at(101)), DeletionGate::Hold { until: at(111), is_long: false });
    }
    let mut driven = Driven::new(3, 0.0);
    for n in 0..5 {
        driven.look("a", n, at(0));
    }
    driven.keep("a", 0, at(100));
    driven.approve("a", 1, at(100));
    assert!(driven.holds("a", 2, at(100)).is_some(), "three wait and one was kept");
    driven.approve("a", 0, at(100));
    assert_eq!(driven.gate("a", 2, at(100)), DeletionGate::Hold { until: at(110), is_long: false }, "held anew");
}

#[test]
fn r20_a_trickle_within_the_limit_goes_and_one_beyond_it_does_not() {
    let mut driven = Driven::new(2, 0.0);
    for n in 0..6 {
        let now = at(u64::try_from(n).unwrap() * 311);
        driven.look("shop", n, now);
        driven.send("shop", n, now.after(HOLD));
    }
    driven.look("shop", 6, at(5 * 311 + 20));
    assert!(driven.holds("shop", 6, at(5 * 311 + 40)).is_some());
}

#[test]
fn r20_one_tenants_mass_does_not_hold_anothers() {
    let mut driven = Driven::new(10, 0.1);
    driven.look("quiet", 0, at(0));
    for n in 0..1_000 {
        driven.look("shop", n, at(0));
    }
    assert!(driven.holds("shop", 999, at(10)).is_some());
    assert_eq!(driven.gate("quiet", 0, at(10)), DeletionGate::Open);
}

#[test]
fn r20_a_prune_across_namespaces_is_a_mass() {
    let mut driven = Driven::new(10, 0.1);
    let names: Vec<_> = (0..11).map(|n| format!("n{n}")).collect();
    for name in &names {
        driven.look(name, 0, at(0));
    }
    let episode = driven.holds("n0", 0, at(20)).expect("eleven over all");
    assert!(episode.everywhere);
    assert_eq!(driven.0.counts(), Counts { waiting: 11, held: 11, episodes: 1 });
    for name in &names {
        assert!(driven.0.tells(name, &uid(name, 0)).is_some(), "each namespace is told once");
        assert!(driven.0.tells(name, &uid(name, 0)).is_none());
    }
    driven.approve("n0", 0, at(30));
    assert_eq!(driven.0.woken().len(), 10);
    assert_eq!(driven.gate("n1", 0, at(40)), DeletionGate::Open);
}

#[test]
fn r20_a_namespace_that_is_within_its_limit_again_counts_among_the_others() {
    let mut driven = Driven::new(2, 0.0);
    for name in ["a", "b"] {
        for n in 0..3 {
            driven.look(name, n, at(0));
        }
    }
    assert_eq!(driven.0.counts().episodes, 2);
    driven.approve("a", 0, at(1));
    assert_eq!(driven.holds("a", 1, at(1)), None);
    driven.approve("b", 0, at(1));
    assert!(driven.holds("b", 1, at(1)).is_some_and(|episode| episode.everywhere), "two and two are too many");
}

#[test]
fn r20_the_limit_is_of_what_was_recorded_within_the_window() {
    let mut driven = Driven::new(10, 0.1);
    driven.record("shop", 1_000, at(0));
    for n in 0..100 {
        driven.look("shop", n, at(0));
    }
    for n in 0..100 {
        driven.send("shop", n, at(10));
        driven.0.moves("shop", false, true, at(11));
    }
    driven.look("shop", 100, at(12));
    let episode = driven.holds("shop", 100, at(12)).expect("the hundred and first");
    assert_eq!((episode.limit, episode.recorded), (100, 1_000));
}

/// A process that has just begun comes to know what is recorded one by one.
#[test]
fn r20_an_episode_of_a_start_ends_when_the_rest_is_known() {
    let mut driven = Driven::new(1, 0.1);
    for n in 0..5 {
        driven.look("shop", n, at(0));
    }
    assert!(driven.holds("shop", 0, at(20)).is_some());
    driven.record("shop", 50, at(20));
    assert_eq!(driven.holds("shop", 0, at(20)), None);
    assert_eq!(driven.0.woken().len(), 5);
}

#[test]
fn r20_without_a_brake_there_is_a_hold_still() {
    let mut driven = Driven::new(0, 0.1);
    for n in 0..100 {
        driven.look("shop", n, at(0));
    }
    assert_eq!(driven.look("shop", 0, at(9)), DeletionGate::Hold { until: at(10), is_long: false });
    for n in 0..100 {
        driven.send("shop", n, at(10));
    }
    driven.0.sweep(at(11));
    assert!(driven.0.namespaces.is_empty());
}

#[test]
fn r20_a_delete_that_is_sent_again_counts_once_and_from_then_on() {
    let mut driven = Driven::new(1, 0.0);
    driven.look("shop", 0, at(0));
    driven.send("shop", 0, at(10));
    driven.send("shop", 0, at(500));
    assert_eq!(driven.0.others, Tally { sent: 1, ..Tally::default() });
    driven.look("shop", 1, at(700));
    assert!(driven.holds("shop", 1, at(720)).is_some(), "the one before may have gone at 500 s");
}

#[test]
fn what_is_long_gone_is_forgotten() {
    let mut driven = Driven::new(10, 0.1);
    driven.record("shop", 1, at(0));
    driven.look("shop", 0, at(0));
    driven.send("shop", 0, at(10));
    driven.0.moves("shop", false, true, at(10));
    driven.0.sweep(at(10));
    assert!(!driven.0.namespaces.is_empty());
    driven.0.sweep(at(611));
    assert!(driven.0.namespaces.is_empty() && driven.0.sent.is_empty());
}
