//! Adoption from the list: what is new waits for a listing if many are, and takes what the listing shows without a call.

use unkey_operator_api::{Origin, Reason};
use unkey_operator_core::drift_scan::{Saw, Sight, show_new};
use unkey_operator_core::{IdentityId, OwnershipGate, Wake};

use crate::managing::fields;
use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B};
use crate::world::{WINDOW, ms};

/// A new object beside what is stored, and a listing that has shown it just now.
fn listed(stored: &str, spec: &str) -> Sim {
    let mut sim = Sim::new();
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(stored));
    sim.sleep(2 * WINDOW);
    sim.apply(wish(spec));
    show(&mut sim, stored);
    sim
}

fn show(sim: &mut Sim, stored: &str) {
    let thing = sim.thing.clone().unwrap();
    let object = sim.view(&thing);
    let saw = Saw::There { id: IdentityId::new("id_000000001"), content: content(stored) };
    let sight = Sight { begun: sim.mono(), saw };
    assert!(show_new(&object, &sight, sim.object_state()));
}

#[test]
fn what_is_equal_is_adopted_without_a_call() {
    let mut sim = listed(A, A);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Status Synced"]);
    let held = sim.record().held.clone().unwrap();
    assert_eq!((held.identity.id().as_str(), held.origin), ("id_000000001", Some(Origin::Adopted)));
    assert_eq!(fields(&sim).meta.applied(), Some(&content(A).meta.hash()));
    sim.sleep(2 * WINDOW);
    sim.reconcile();
    assert!(sim.taken().is_empty(), "R12");
}

#[test]
fn the_policy_judges_what_is_not_equal() {
    let always = format!(r#"{A},"adoptionPolicy":"Always""#);
    let never = format!(r#"{A},"adoptionPolicy":"Never""#);
    // Before an update there is a get.
    let written: &[&str] = &["Read", "Claim", "Status Progressing", "Refresh", "Update", "Status Synced"];
    for (stored, spec, steps, reason) in [
        (B, A, &["Status AlreadyExists"][..], Reason::AlreadyExists),
        (A, never.as_str(), &["Status AlreadyExists"], Reason::AlreadyExists),
        (B, always.as_str(), written, Reason::Synced),
    ] {
        let mut sim = listed(stored, spec);
        sim.settle();
        assert_eq!(
            (sim.taken(), sim.record().shown.reason),
            (steps.iter().map(ToString::to_string).collect(), Some(reason)),
            "{spec}"
        );
    }
}

/// A sight that is too old, or older than a write that may hide what is there, counts for nothing.
#[test]
fn a_sight_counts_for_a_window() {
    let mut sim = listed(A, A);
    sim.sleep(WINDOW + ms(1));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken()[..3], ["Claim", "Create", "Read"]);
    // Not settled: this process has begun less than a window ago.
    let mut sim = listed(A, A);
    sim.restart();
    show(&mut sim, A);
    sim.process.known.evidence_begins(sim.mono());
    sim.settle();
    assert!(sim.taken().contains(&"Create".to_owned()));
}

/// A crash between the claim and the status: the next process finds out by reads, and nothing is made.
#[test]
fn a_crash_after_the_claim_doubles_nothing() {
    for crash in [0, 1] {
        let mut sim = listed(A, A);
        sim.reconcile_with(&Script { crash_after: Some(crash), ..Script::default() });
        assert_eq!(sim.settle(), End::Done, "{crash}");
        assert_eq!(sim.record().held.as_ref().unwrap().identity.id().as_str(), "id_000000001");
        assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Adopted), "it is nobody's create");
        assert_eq!(sim.unkey.accepted_creates, 0);
    }
}

/// Deleted after such a crash, it leaves what was never recorded: no create was sent (R7).
#[test]
fn a_crash_after_the_claim_and_a_deletion_delete_nothing() {
    let mut sim = listed(A, A);
    sim.reconcile_with(&Script { crash_after: Some(0), ..Script::default() });
    sim.act(&Act::Delete);
    sim.settle();
    assert!(sim.thing.is_none() && sim.unkey.live.is_some(), "{:?}", sim.trace);
}

/// What is adopted is what is asked for by then.
#[test]
fn an_edit_before_the_claim_is_judged_anew() {
    let mut sim = listed(A, A);
    let script = Script { meanwhile: Some((0, Act::Wish(wish(B)))), ..Script::default() };
    sim.reconcile_with(&script);
    sim.settle();
    assert_eq!(sim.record().shown.reason, Some(Reason::AlreadyExists), "{:?}", sim.trace);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(A));
}

#[test]
fn what_is_new_waits_for_the_listing_and_no_longer() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    let until = sim.mono().after(WINDOW);
    sim.ownership_gate = OwnershipGate::Listing { until };
    assert_eq!(sim.reconcile(), End::Wait(Wake::At(until)));
    assert!(sim.taken().is_empty());
    sim.sleep(WINDOW);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Synced"]);
    // What is claimed already waits for nothing.
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&Script { crash_after: Some(0), ..Script::default() });
    sim.ownership_gate = OwnershipGate::Listing { until: sim.mono().after(100 * WINDOW) };
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
}
