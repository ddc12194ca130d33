//! R15: a root key of another workspace. R10: the whole resource type goes. R8: not every object is known.

use unkey_operator_api::Reason;
use unkey_operator_core::{Cause, Crd, Gate, OwnershipGate, Role, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW};

/// In the other workspace nothing is there.
fn elsewhere(sim: &mut Sim, gate: Gate) {
    sim.policy.credential = Some("another key".to_owned());
    sim.process.known.forget_reads(sim.mono());
    sim.unkey.stranger_deletes(sim.now);
    sim.gate = gate;
}

fn settle(sim: &mut Sim) -> Vec<String> {
    let wake = if sim.gate == Gate::Wrong { Wake::Change } else { Wake::Proof };
    assert_eq!(sim.settle(), End::Wait(wake));
    sim.taken()
}

#[test]
fn s04_in_another_workspace_nothing_is_created() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    elsewhere(&mut sim, Gate::Wrong);
    assert_eq!(settle(&mut sim), ["Status WorkspaceMismatch"]);
    assert!(settle(&mut sim).is_empty());
    sim.gate = Gate::Open;
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Synced"]);
}

#[test]
fn s04_what_is_ready_there_is_not_created_again() {
    let mut sim = synced(A);
    let there = sim.unkey.live.clone().unwrap();
    elsewhere(&mut sim, Gate::Wrong);
    assert_eq!(sim.reconcile(), End::Done, "R12: it needs no call");
    sim.act(&Act::ReconcileRequest);
    assert_eq!(settle(&mut sim), ["Read", "Status WorkspaceMismatch"]);
    assert_eq!(sim.record().handled_request, None);
    assert!(sim.record().held.is_some(), "the id stays recorded");
    sim.restart();
    assert_eq!(settle(&mut sim), ["Read"]);
    sim.apply(wish(B));
    assert_eq!(settle(&mut sim), ["Status WorkspaceMismatch"], "one per generation");
    // The right key is back.
    sim.unkey.shows_again(sim.now, there);
    sim.policy.credential = Some("0123456789ab".to_owned());
    sim.gate = Gate::Open;
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.accepted_creates, 1);
}

#[test]
fn s04_a_404_of_another_workspace_lets_nothing_go() {
    let mut sim = synced(A);
    elsewhere(&mut sim, Gate::Wrong);
    sim.act(&Act::Delete);
    assert_eq!(settle(&mut sim), ["Status DeletionBlocked"], "nor is a delete sent there");
    assert!(sim.says("change-workspace.md"), "{}", sim.record().shown.message);
    let mut orphan = wish(A);
    orphan.controls.deletion = Some(unkey_operator_api::DeletionPolicy::Orphan);
    sim.apply(orphan);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Release Orphaned"]);
}

#[test]
fn s04_not_proven_yet_a_delete_by_id_may_be_tried_and_its_404_proves_nothing() {
    let mut sim = synced(A);
    elsewhere(&mut sim, Gate::Unproven { cause: None });
    sim.act(&Act::Delete);
    assert_eq!(settle(&mut sim), ["Refresh", "Delete", "Read"]);
    assert!(sim.thing.as_ref().unwrap().finalizer);
    sim.gate = Gate::Unproven { cause: Some(Cause::Unauthorized("key_not_found".to_owned())) };
    sim.sleep(2 * WINDOW);
    assert_eq!(settle(&mut sim).last().unwrap(), "Status DeletionBlocked");
    // Proven: it is the same workspace, and the identity is gone.
    sim.gate = Gate::Open;
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.thing.is_none());
}

#[test]
fn s04_a_claim_without_an_id_waits_too() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&Script { fates: vec![Fate::LostAfter], ..Script::default() });
    sim.taken();
    elsewhere(&mut sim, Gate::Wrong);
    sim.act(&Act::Delete);
    assert_eq!(settle(&mut sim), ["Status DeletionBlocked"]);
    assert!(sim.thing.as_ref().unwrap().finalizer);
}

#[test]
fn a_proof_that_fails_is_named() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.gate = Gate::Unproven { cause: None };
    assert!(settle(&mut sim).is_empty());
    sim.gate = Gate::Unproven { cause: Some(Cause::Unavailable) };
    assert_eq!(settle(&mut sim), ["Status UpstreamUnavailable"]);
}

#[test]
fn s31_with_the_type_going_identities_stay() {
    for suspended in [false, true] {
        let mut sim = synced(A);
        sim.crd = Crd::Going;
        if suspended {
            let mut wished = wish(A);
            wished.controls.suspend = true;
            sim.apply(wished);
            sim.settle();
        }
        sim.taken();
        sim.act(&Act::Delete);
        assert_eq!(sim.settle(), End::Done);
        assert_eq!(sim.taken(), ["LookAtCrd", "Release Orphaned"]);
        assert!(sim.unkey.live.is_some());
    }
}

#[test]
fn r10_with_the_type_staying_the_identity_goes() {
    let mut sim = synced(A);
    sim.crd = Crd::Stays;
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["LookAtCrd", "Refresh", "Delete", "Release Deleted"]);
}

#[test]
fn r10_what_cannot_be_known_waits_and_says_so() {
    let mut sim = synced(A);
    sim.crd = Crd::Hidden;
    sim.act(&Act::Delete);
    let End::Wait(Wake::At(at)) = sim.reconcile() else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.taken(), ["LookAtCrd", "Status DeletionBlocked"]);
    assert!(sim.says("CustomResourceDefinition"));
    sim.sleep(sim.mono().until(at));
    sim.crd = Crd::Stays;
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.unkey.live.is_none());
}

#[test]
fn r10_a_loser_and_an_orphan_ask_for_nothing() {
    let mut orphan = synced(&format!(r#"{A},"deletionPolicy":"Orphan""#));
    orphan.crd = Crd::Hidden;
    orphan.act(&Act::Delete);
    assert_eq!(orphan.settle(), End::Done);
    assert_eq!(orphan.taken(), ["Release Orphaned"]);
    let mut never = Sim::new();
    never.apply(wish(A));
    never.role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false };
    never.settle();
    assert_eq!(never.record().shown.reason, Some(Reason::ExternalIdConflict));
    never.crd = Crd::Hidden;
    never.act(&Act::Delete);
    assert!(never.thing.is_none());
}

/// A world in which the objects of a namespace are unknown, long after the start.
fn blind(mut sim: Sim) -> Sim {
    sim.ownership_gate = OwnershipGate::Unseen;
    sim
}

#[test]
fn r8_while_objects_are_unknown_nothing_new_is_claimed_and_what_is_owned_goes_on() {
    let mut new = blind(Sim::new());
    new.apply(wish(A));
    assert_eq!(new.settle(), End::Wait(Wake::Change));
    assert_eq!(new.taken(), ["Status Progressing"]);
    assert_eq!(new.settle(), End::Wait(Wake::Change));
    assert!(new.taken().is_empty(), "told once");
    new.ownership_gate = OwnershipGate::Open;
    assert_eq!(new.settle(), End::Done);
    assert_eq!(new.taken(), ["Claim", "Create", "Status Synced"]);

    let mut owned = blind(synced(A));
    owned.apply(wish(B));
    assert_eq!(owned.settle(), End::Done);
    assert_eq!(owned.taken(), ["Refresh", "Update", "Status Synced"]);
    owned.restart();
    owned.act(&Act::Delete);
    assert_eq!(owned.settle(), End::Done);
    assert!(owned.thing.is_none() && owned.unkey.live.is_none(), "{:?}", owned.trace);
}

#[test]
fn r8_while_objects_are_unknown_nothing_is_adopted_and_nothing_that_is_not_owned_deleted() {
    let mut sim = blind(Sim::new());
    sim.unkey.stranger_makes(sim.now, content(A));
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Wait(Wake::Change));
    assert_eq!(sim.taken(), ["Status Progressing"]);
    sim.act(&Act::Delete);
    sim.settle();
    assert!(sim.thing.is_none(), "it never claimed anything");

    // The claim of an earlier process, whose create may have been sent.
    let mut sim = Sim::new();
    sim.apply(wish(A));
    assert_eq!(sim.reconcile_with(&Script { drop_after: Some(0), ..Script::default() }), End::Cut);
    assert_eq!(sim.taken(), ["Claim"]);
    sim.unkey.stranger_makes(sim.now, content(A));
    sim.restart();
    sim.sleep(3 * WINDOW);
    let mut sim = blind(sim);
    assert_eq!(sim.settle(), End::Wait(Wake::Change));
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Wait(Wake::Change));
    assert!(sim.says("cannot watch every namespace"), "{}", sim.record().shown.message);
    assert_eq!(sim.taken(), ["Status Progressing", "Status DeletionBlocked"]);
    assert!(sim.unkey.live.is_some());
}

#[test]
fn r8_while_objects_are_unknown_a_vanished_identity_is_not_created_again() {
    let mut sim = blind(synced(A));
    sim.unkey.stranger_deletes(sim.now);
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.settle(), End::Wait(Wake::Change));
    assert!(!sim.ready() && sim.record().held.is_some(), "{:?}", sim.trace);
    assert_eq!(sim.unkey.accepted_creates, 1);
    sim.ownership_gate = OwnershipGate::Open;
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.unkey.accepted_creates, 2);
}

#[test]
fn r8_a_start_at_which_lists_take_a_moment_writes_no_status() {
    let mut sim = Sim::new();
    sim.restart();
    let mut sim = blind(sim);
    sim.apply(wish(A));
    let End::Wait(Wake::At(at)) = sim.reconcile() else { panic!("{:?}", sim.trace) };
    assert_eq!(at.0, 15_000);
    assert!(sim.taken().is_empty());
}

/// Faults G2: what the API server would not keep cannot say who owns what.
#[test]
fn while_the_definition_is_older_nothing_new_is_claimed_and_what_is_owned_goes_on() {
    let mut new = Sim::new();
    new.ownership_gate = OwnershipGate::Outdated;
    new.unkey.stranger_makes(new.now, content(A));
    new.apply(wish(A));
    assert_eq!(new.settle(), End::Wait(Wake::Change));
    assert_eq!(new.taken(), ["Status Progressing"]);
    new.act(&Act::Delete);
    assert!(new.thing.is_none() && new.unkey.live.is_some(), "it never claimed anything");

    let mut owned = synced(A);
    owned.ownership_gate = OwnershipGate::Outdated;
    owned.apply(wish(B));
    assert_eq!(owned.settle(), End::Done);
    assert_eq!(owned.taken(), ["Refresh", "Update", "Status Synced"]);
    owned.unkey.stranger_deletes(owned.now);
    owned.act(&Act::ReconcileRequest);
    assert_eq!(owned.settle(), End::Wait(Wake::Change));
    assert_eq!(owned.unkey.accepted_creates, 1, "it is not created again");
    owned.ownership_gate = OwnershipGate::Open;
    assert_eq!(owned.settle(), End::Done);
    assert!(owned.ready() && owned.unkey.accepted_creates == 2);
}
