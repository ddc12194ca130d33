//! R20: deletions in masses. Fifty objects of several namespaces, one process, and an account that is kept apart from the brake's own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use unkey_operator_api::{DeletionPolicy, Reason};
use unkey_operator_core::{Approval, Controls, Crd, DeletionLimits, Deletions, EventNote, Mono, Share, Wake};

use crate::sim::{Act, End, MassFault, Sim, wish};
use crate::syncing::A;
use crate::world::ms;

const NAMESPACES: [&str; 3] = ["a", "b", "c"];
const WINDOW: Duration = Duration::from_secs(600);
const HOLD: Duration = Duration::from_secs(10);

/// One that went: when, of which namespace, how long after its deletion was seen, and without an approval.
struct Sent {
    at: Duration,
    namespace: usize,
}

struct Mass {
    sims: Vec<Sim>,
    deletions: Rc<RefCell<Deletions>>,
    limits: DeletionLimits,
    fault: Option<MassFault>,
    sent: Vec<Sent>,
    /// How many were recorded in each namespace, from which moment on.
    recorded: Vec<(Duration, [usize; 3])>,
    /// When this process could first have seen each deletion.
    deleted: Vec<Option<Duration>>,
    broken: Option<&'static str>,
}

fn limits(most: usize) -> DeletionLimits {
    DeletionLimits { hold: HOLD, most, share: Share::new(0.1).unwrap(), window: WINDOW }
}

impl Mass {
    /// So many objects at rest, of `NAMESPACES` in turn.
    fn new(count: usize, limits: DeletionLimits) -> Self {
        let deletions = Rc::new(RefCell::new(Deletions::new(limits)));
        let sim = |n: usize| {
            let mut sim = Sim::numbered(n, NAMESPACES[n % 3]);
            sim.crd = Crd::Stays;
            sim.apply(wish(A));
            assert_eq!(sim.settle(), End::Done);
            sim.taken();
            sim
        };
        let mut mass = Self {
            sims: (0..count).map(sim).collect(),
            deletions,
            limits,
            fault: None,
            sent: Vec::new(),
            recorded: Vec::new(),
            deleted: vec![None; count],
            broken: None,
        };
        let now = mass.sims.iter().map(|sim| sim.now).max().unwrap();
        for sim in &mut mass.sims {
            let wait = now.saturating_sub(sim.now);
            sim.sleep(wait);
        }
        mass.restart();
        mass.round();
        // Until then an earlier process may have sent a delete.
        mass.sleep(Duration::from_secs(60));
        mass
    }

    fn now(&self) -> Duration {
        self.sims[0].now
    }

    fn mono(&self) -> Mono {
        self.sims[0].mono()
    }

    fn sleep(&mut self, wait: Duration) {
        self.sims.iter_mut().for_each(|sim| sim.sleep(wait));
    }

    /// Another process begins, and lists what is there.
    fn restart(&mut self) {
        self.deletions = Rc::new(RefCell::new(Deletions::new(self.limits)));
        let now = self.now();
        self.sent.clear();
        for (n, sim) in self.sims.iter_mut().enumerate() {
            sim.restart();
            sim.deletions = Rc::clone(&self.deletions);
            sim.fault = self.fault;
            self.deleted[n] = self.deleted[n].map(|_| now);
            if sim.thing.is_some() {
                self.deletions.borrow_mut().moves(NAMESPACES[n % 3], true, false, sim.mono());
            }
        }
        self.recorded = vec![(now, self.alive())];
    }

    fn alive(&self) -> [usize; 3] {
        let mut alive = [0; 3];
        for (n, _) in self.sims.iter().enumerate().filter(|(_, sim)| sim.thing.is_some()) {
            alive[n % 3] += 1;
        }
        alive
    }

    fn act(&mut self, n: usize, act: &Act) {
        let now = self.now();
        let deletes = matches!(act, Act::Delete) && self.sims[n].thing.is_some();
        self.sims[n].act(act);
        if deletes && self.deleted[n].is_none() {
            self.deleted[n] = Some(now);
        }
    }

    fn controls(&mut self, n: usize, controls: Controls) {
        let Some(thing) = &self.sims[n].thing else { return };
        let wish = crate::sim::Wish { controls, ..thing.wish.clone() };
        self.act(n, &Act::Wish(wish));
    }

    /// Everything is looked at once. Returns the moment at which something wants to be looked at again, and whether anything was done.
    fn round(&mut self) -> (Option<Mono>, bool) {
        let (mut next, mut busy): (Option<Mono>, bool) = (None, false);
        for n in 0..self.sims.len() {
            if self.sims[n].thing.is_none() {
                continue;
            }
            let end = self.sims[n].reconcile();
            let trace = self.sims[n].taken();
            // Each pass begins with this look, which changes nothing.
            busy |= trace.iter().any(|step| step != "LookAtCrd");
            if trace.iter().any(|step| step == "Delete") {
                self.sends(n);
            }
            if self.sims[n].thing.is_none() {
                let (namespace, uid) = (NAMESPACES[n % 3], self.sims[n].last_uid());
                let now = self.mono();
                self.deletions.borrow_mut().moves(namespace, false, true, now);
                self.deletions.borrow_mut().withdraws(namespace, &uid, false, now);
                let now = self.now();
                self.recorded.push((now, self.alive()));
            }
            if let End::Wait(Wake::At(at)) = end {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        busy |= !self.deletions.borrow_mut().woken().is_empty();
        (next, busy)
    }

    /// Until nothing is left to do but to wait for a person.
    fn settle(&mut self) {
        for _ in 0..200 {
            match self.round() {
                (_, true) => {}
                (Some(at), false) => {
                    let wait = self.mono().until(at).max(ms(1));
                    self.sleep(wait);
                }
                (None, false) => return,
            }
        }
        panic!("never settles");
    }

    fn sends(&mut self, n: usize) {
        if self.sims[n].approval == Approval::Given {
            return;
        }
        let (now, namespace) = (self.now(), n % 3);
        if self.deleted[n].is_some_and(|at| now < at + HOLD) {
            self.broken.get_or_insert("the hold");
        }
        self.sent.push(Sent { at: now, namespace });
        let sent = |of: &[usize]| {
            self.sent.iter().filter(|sent| sent.at + WINDOW > now && of.contains(&sent.namespace)).count()
        };
        // What was recorded counts a sixty-fourth of the window longer.
        let from = now.saturating_sub(WINDOW + WINDOW / 64);
        let most = |of: &[usize]| {
            let sum = |counts: &[usize; 3]| of.iter().map(|of| counts[*of]).sum::<usize>();
            let until = |n: usize| self.recorded.get(n + 1).map_or(now, |(at, _)| *at);
            self.recorded
                .iter()
                .enumerate()
                .filter(|(n, _)| until(*n) >= from)
                .map(|(_, (_, it))| sum(it))
                .max()
                .unwrap()
        };
        if sent(&[namespace]) > self.limits.limit(most(&[namespace])) {
            self.broken.get_or_insert("the limit of a namespace");
        }
        // A namespace that had an episode of its own counted apart meanwhile.
        if sent(&[0, 1, 2]) > self.limits.limit(most(&[0, 1, 2])) + 3 * self.limits.limit(most(&[namespace])) {
            self.broken.get_or_insert("the limit of all");
        }
    }

    fn gone(&self) -> usize {
        self.sims.iter().filter(|sim| sim.thing.is_none()).count()
    }

    fn held(&self) -> usize {
        let reason = |sim: &&Sim| sim.thing.is_some() && sim.record().shown.reason == Some(Reason::DeletionHeld);
        self.sims.iter().filter(reason).count()
    }

    fn told(&self) -> usize {
        let told = |note: &&EventNote| matches!(note, EventNote::MassDeletionHeld { .. });
        self.sims.iter().flat_map(|sim| &sim.notes).filter(told).count()
    }
}

#[test]
fn r20_a_mass_is_held_until_it_is_approved() {
    let mut mass = Mass::new(50, limits(10));
    for n in 0..50 {
        mass.act(n, &Act::Delete);
    }
    mass.settle();
    // Three as long as it was one mass of all; the last namespace was free for a moment, and is told of its own.
    assert_eq!((mass.gone(), mass.held(), mass.told()), (0, 50, 4));
    mass.sleep(100 * WINDOW);
    mass.settle();
    assert_eq!((mass.gone(), mass.held()), (0, 50), "time frees nothing");
    for n in (0..50).step_by(3) {
        mass.sims[n].approval = Approval::Given;
    }
    mass.settle();
    assert_eq!((mass.gone(), mass.held(), mass.broken), (17, 33, None), "those of one namespace");
    mass.restart();
    mass.settle();
    assert_eq!((mass.gone(), mass.held()), (17, 33), "another process holds them too");
}

#[test]
fn r20_a_few_go_after_the_hold_without_a_status() {
    let mut mass = Mass::new(50, limits(10));
    for n in 0..9 {
        mass.act(n, &Act::Delete);
    }
    mass.round();
    mass.sleep(HOLD.saturating_sub(ms(1)));
    mass.round();
    assert_eq!(mass.gone(), 0);
    mass.sleep(ms(1));
    for n in 0..9 {
        assert_eq!(mass.sims[n].reconcile(), End::Done);
        assert_eq!(mass.sims[n].taken(), ["LookAtCrd", "Refresh", "Delete", "Release Deleted"]);
    }
}

/// Each pass begins with a look at the type (R10), before which nothing is known of the deletion: the hold is not begun anew by it.
#[test]
fn r20_a_look_at_the_type_begins_no_new_hold() {
    let mut mass = Mass::new(6, limits(3));
    mass.act(0, &Act::Delete);
    mass.settle();
    assert_eq!((mass.gone(), mass.broken), (1, None));
    for n in 1..6 {
        mass.act(n, &Act::Delete);
    }
    mass.settle();
    assert_eq!((mass.gone(), mass.held(), mass.broken), (1, 5, None));
}

#[test]
fn r20_a_hold_that_is_long_shows_in_the_status() {
    let mut mass = Mass::new(3, DeletionLimits { hold: Duration::from_secs(60), ..limits(10) });
    mass.act(0, &Act::Delete);
    mass.round();
    assert_eq!(mass.sims[0].record().shown.reason, Some(Reason::Progressing));
    assert!(mass.sims[0].says("hold"));
}

/// What something else stops is not counted: neither suspended deletions nor those that are to be orphaned hold another one.
#[test]
fn r20_what_would_not_be_deleted_holds_nobody() {
    for (controls, gone) in [
        (Controls { suspend: true, ..Controls::default() }, 1),
        (Controls { deletion: Some(DeletionPolicy::Orphan), ..Controls::default() }, 12),
    ] {
        let mut mass = Mass::new(36, limits(10));
        for n in (0..33).step_by(3) {
            mass.controls(n, controls);
            mass.act(n, &Act::Delete);
        }
        mass.act(1, &Act::Delete);
        mass.settle();
        assert_eq!((mass.gone(), mass.held()), (gone, 0), "{controls:?}");
    }
}

/// An approval that does not count is told, and so is one that does.
#[test]
fn r20_a_status_says_what_is_wrong_with_an_approval() {
    let mut mass = Mass::new(12, limits(2));
    for n in 0..12 {
        mass.act(n, &Act::Delete);
    }
    mass.settle();
    assert!(mass.sims[0].says(
        "kubectl annotate identities.unkey.com --all --overwrite -n a unkey.com/deletion-approved=2026-11-28T18:00:00Z"
    ));
    let before = mass.sims[1].record().clone();
    mass.sims[0].approval = Approval::Past("2026-11-28T16:00:00Z".to_owned());
    mass.settle();
    assert!(mass.sims[0].says("has ended: unkey.com/deletion-approved is '2026-11-28T16:00:00Z'"));
    mass.sims[0].approval = Approval::Unreadable("yes".to_owned());
    mass.settle();
    assert!(mass.sims[0].says("cannot be read: unkey.com/deletion-approved is 'yes'"));
    assert_eq!(mass.sims[1].record(), &before, "the numbers of the others are not followed");
}

#[derive(Clone, Debug)]
enum Op {
    /// So many from there on.
    Delete(usize, usize),
    Approve(usize),
    Suspend(usize, bool),
    Orphan(usize),
    Restart,
    Sleep(Duration),
    Settle,
    Round,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let wait = prop_oneof![Just(ms(1)), Just(HOLD), Just(WINDOW / 7), Just(WINDOW), Just(2 * WINDOW)];
    let op = prop_oneof![
        6 => (0..50_usize, 1..6_usize).prop_map(|(from, count)| Op::Delete(from, count)),
        1 => (0..50_usize, 20..50_usize).prop_map(|(from, count)| Op::Delete(from, count)),
        2 => (0..50_usize).prop_map(Op::Approve),
        2 => (0..50_usize, any::<bool>()).prop_map(|(n, is)| Op::Suspend(n, is)),
        1 => (0..50_usize).prop_map(Op::Orphan),
        1 => Just(Op::Restart),
        4 => wait.prop_map(Op::Sleep),
        4 => Just(Op::Settle),
        4 => Just(Op::Round),
    ];
    prop::collection::vec(op, 1..24)
}

/// What did not hold in this history, if anything.
fn played(ops: &[Op], fault: Option<MassFault>) -> Option<&'static str> {
    let mut mass = Mass::new(50, limits(3));
    mass.fault = fault;
    mass.restart();
    for op in ops {
        if fault == Some(MassFault::Forgets) {
            *mass.deletions.borrow_mut() = Deletions::new(mass.limits);
        }
        match op {
            Op::Delete(from, count) => (*from..(from + count).min(50)).for_each(|n| mass.act(n, &Act::Delete)),
            Op::Approve(n) => mass.sims[*n].approval = Approval::Given,
            Op::Suspend(n, suspend) => mass.controls(*n, Controls { suspend: *suspend, ..Controls::default() }),
            Op::Orphan(n) => {
                mass.controls(*n, Controls { deletion: Some(DeletionPolicy::Orphan), ..Controls::default() });
            }
            Op::Restart => mass.restart(),
            Op::Sleep(wait) => mass.sleep(*wait),
            Op::Settle => mass.settle(),
            Op::Round => drop(mass.round()),
        }
    }
    for n in 0..50 {
        mass.sims[n].approval = Approval::Given;
        mass.controls(n, Controls::default());
    }
    mass.settle();
    let stays = mass.sims.iter().any(|sim| sim.thing.as_ref().is_some_and(|thing| thing.deleted.is_some()));
    mass.broken.or(stays.then_some("approved ones go"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn r20_no_history_of_a_mass_exceeds_the_limits(ops in ops()) {
        prop_assert_eq!(played(&ops, None), None);
    }
}

/// Each way to get it wrong is caught by the property that is named.
#[test]
fn r20_seeded_faults_of_the_brake_are_caught() {
    let faults = [
        (MassFault::NoBrake, "the limit of a namespace"),
        (MassFault::NoHold, "the hold"),
        (MassFault::FreedByTime, "the limit of a namespace"),
        (MassFault::Forgets, "the limit of a namespace"),
        (MassFault::NoApproval, "approved ones go"),
    ];
    for (fault, property) in faults {
        let mut runner = TestRunner::deterministic();
        let caught = (0..300).any(|_| {
            let ops = ops().new_tree(&mut runner).unwrap().current();
            played(&ops, Some(fault)) == Some(property)
        });
        assert!(caught, "{fault:?} was not caught by: {property}");
    }
}
