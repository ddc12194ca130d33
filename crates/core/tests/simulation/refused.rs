//! R25: Kubernetes refuses a claim, a status, a release. Nothing is lost or doubled by it, it is told where it can be, and when it ends so does the
//! wait.

use std::time::Duration;

use unkey_operator_core::{KubeWrite, Wake};

use crate::sim::{Act, End, Sim, wish};
use crate::syncing::{A, B, synced};
use crate::world::ms;

const HOUR: Duration = ms(3_600_000);

/// Runs for so long as it takes to be tried so often, and says what was done.
fn tried(sim: &mut Sim, times: usize) -> Vec<String> {
    sim.taken();
    let mut waits = Duration::ZERO;
    for _ in 0..times {
        match sim.reconcile() {
            End::Wait(Wake::At(at)) => {
                let wait = sim.mono().until(at);
                assert!(wait >= waits && wait <= ms(300_000), "ever less often: {waits:?} then {wait:?}");
                waits = wait;
                sim.sleep(wait);
            }
            end => panic!("{end:?}: {:?}", sim.trace),
        }
    }
    sim.taken()
}

#[test]
fn a_claim_that_is_refused_makes_no_call_and_one_status() {
    for code in [403, 409, 422] {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.refuses = vec![(KubeWrite::Claim, code)];
        let mut done = tried(&mut sim, 5);
        // Only a look tells a refusal from a test that failed.
        done.retain(|step| code != 409 || step != "Refresh");
        // What usually passes is told when it comes again.
        let first = if code == 409 { 2 } else { 1 };
        assert_eq!(done[..first], vec!["Refused claim"; first], "{code}");
        assert_eq!(done[first], "Status WriteRefused", "{code}: {done:?}");
        assert_eq!(done[first + 1..], vec!["Refused claim"; 5 - first], "{code}: {done:?}");
        sim.refuses.clear();
        assert_eq!(sim.reconcile(), End::Done);
        assert_eq!(sim.taken(), ["Claim", "Create", "Status Synced"]);
    }
}

/// A create that was accepted is not sent again, whatever becomes of its status; and a deletion needs none.
#[test]
fn a_status_that_is_refused_doubles_nothing() {
    for restarts in [false, true] {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.refuses = vec![(KubeWrite::Status, 403)];
        let done = tried(&mut sim, 4);
        assert_eq!(done, ["Claim", "Create", "Refused status", "Refused status", "Refused status", "Refused status"]);
        // An edit waits for the id to be recorded.
        sim.act(&Act::Wish(wish(B)));
        tried(&mut sim, 2);
        if restarts {
            sim.restart();
        }
        sim.refuses.clear();
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "{:?}", sim.trace);
        assert_eq!(sim.unkey.accepted_creates, 1);
    }
}

#[test]
fn a_deletion_needs_no_status() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.refuses = vec![(KubeWrite::Status, 403)];
    tried(&mut sim, 2);
    sim.act(&Act::Delete);
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Delete", "Release Deleted"]);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
}

/// The identity is deleted once, and that it is gone is told; by the process that did it and by the next one.
#[test]
fn a_release_that_is_refused_deletes_once() {
    for restarts in [false, true] {
        let mut sim = synced(A);
        sim.act(&Act::Delete);
        sim.refuses = vec![(KubeWrite::Release, 403)];
        let done = tried(&mut sim, 3);
        assert_eq!(
            done,
            ["Refresh", "Delete", "Refused release", "Status WriteRefused", "Refused release", "Refused release"]
        );
        assert!(sim.says("The identity is already gone from Unkey."));
        if restarts {
            sim.restart();
        }
        sim.refuses.clear();
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.thing.is_none() && sim.unkey.live.is_none());
    }
}

/// R16: three patches and a status, then one patch an hour.
#[test]
fn a_claim_that_is_stripped_is_given_up_for_an_hour() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.strips = true;
    let End::Wait(Wake::At(at)) = sim.reconcile() else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.taken(), ["Claim", "Claim", "Claim", "Status NotConverging"]);
    assert!(sim.record().shown.stalled);
    assert_eq!(sim.mono().until(at), HOUR);
    for _ in 0..3 {
        sim.sleep(HOUR / 2);
        assert!(matches!(sim.reconcile(), End::Wait(_)));
        assert!(sim.taken().is_empty());
        sim.sleep(HOUR / 2);
        assert!(matches!(sim.reconcile(), End::Wait(_)));
        assert_eq!(sim.taken(), ["Claim"]);
    }
    // A new process finds it out anew, and has nothing new to say.
    sim.restart();
    assert!(matches!(sim.reconcile(), End::Wait(_)));
    assert_eq!(sim.taken(), ["Claim", "Claim", "Claim"]);
    sim.strips = false;
    sim.sleep(HOUR);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready() && sim.unkey.accepted_creates == 1);
}

/// Taken off by another client, after the fact: it is put back three times.
#[test]
fn a_claim_that_another_client_takes_off_again_and_again() {
    let mut sim = synced(A);
    for _ in 0..3 {
        sim.act(&Act::Strip);
        assert_eq!(sim.reconcile(), End::Done);
        assert_eq!(sim.taken().last().unwrap(), "Claim");
    }
    sim.act(&Act::Strip);
    assert!(matches!(sim.reconcile(), End::Wait(_)));
    assert_eq!(sim.taken(), ["LookAtManagers", "Status NotConverging"]);
    sim.sleep(HOUR);
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Status Synced"]);
}
