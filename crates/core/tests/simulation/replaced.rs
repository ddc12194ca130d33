//! Another identity in the place of ours, or the shadow of a dead one (R9, S14, S23).

use unkey_operator_api::Origin;
use unkey_operator_core::EventNote;

use crate::adopting::EMPTY;
use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{WINDOW, ms};

#[test]
fn s23_replaced_by_create_key_is_taken_over_by_policy() {
    for (policy, stored, taken) in
        [("IfLossless", EMPTY, true), ("IfLossless", B, false), ("Always", B, true), ("Never", EMPTY, false)]
    {
        let mut sim = synced(&format!(r#"{A},"adoptionPolicy":"{policy}""#));
        sim.sleep(2 * WINDOW);
        sim.act(&Act::StrangerDeletes);
        sim.act(&Act::StrangerMakes(content(stored)));
        sim.act(&Act::ReconcileRequest);
        assert_eq!(sim.settle(), End::Done);
        let case = format!("{stored} under {policy}: {:?}", sim.trace);
        assert_eq!(sim.ready(), taken, "{case}");
        assert_eq!(sim.notes.iter().any(|note| matches!(note, EventNote::Replaced(_))), taken, "{case}");
        let live = sim.unkey.live.clone().unwrap();
        assert_eq!(live.content, content(if taken { A } else { stored }), "{case}");
        assert_eq!(sim.unkey.accepted_creates, 1, "{case}");
        sim.taken();
        sim.reconcile();
        assert!(sim.taken().is_empty(), "{case}");
    }
}

#[test]
fn a_given_up_id_stays_given_up_when_the_finalizer_is_dropped() {
    let mut sim = synced(&format!(r#"{A},"adoptionPolicy":"Always""#));
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::StrangerMakes(content(B)));
    sim.act(&Act::ReconcileRequest);
    // Read, Claim (which gives the old id up), and the process ends.
    assert_eq!(sim.reconcile_with(&Script { crash_after: Some(1), ..Script::default() }), End::Cut);
    sim.thing.as_mut().unwrap().finalizer = false;
    assert_eq!(sim.settle(), End::Done);
    let held = sim.record().held.clone().unwrap();
    assert_eq!(held.identity.id().as_str(), sim.unkey.live.as_ref().unwrap().id);
    let last = sim.trace.iter().rev().find(|step| *step == "Claim");
    assert!(last.is_some() && sim.ready(), "{:?}", sim.trace);
    let own = sim.thing.as_ref().unwrap().claim.clone().unwrap();
    assert!(own.contains("id_"), "the dead id would be owned again: {own}");
}

#[test]
fn s23_replaced_while_an_update_of_the_old_one_was_not_recorded_yet() {
    let mut sim = synced(A);
    sim.restart();
    sim.apply(wish(&format!(r#"{B},"adoptionPolicy":"Always""#)));
    // Accepted, but with a doubt from before the restart Ready waits, and so does the status.
    sim.reconcile();
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::StrangerMakes(content(EMPTY)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready(), "{:?}", sim.trace);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
}

#[test]
fn s14_a_new_process_never_adopts_what_the_last_one_deleted_a_moment_ago() {
    for policy in ["Never", "IfLossless", "Always"] {
        let mut sim = synced(A);
        sim.unkey.lag = ms(10_000);
        sim.sleep(2 * WINDOW);
        sim.act(&Act::Delete);
        sim.settle();
        sim.restart();
        sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
        sim.reconcile();
        sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"{policy}""#)));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready() && sim.unkey.live.is_some(), "{policy}: {:?}", sim.trace);
    }
}

#[test]
fn an_identity_that_vanishes_between_the_look_and_the_update_drives_no_loop() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerWrites(content(B)));
    sim.act(&Act::ReconcileRequest);
    // Read (drift), Refresh, and it is gone.
    let end = sim.reconcile_with(&Script { meanwhile: Some((2, Act::StrangerDeletes)), ..Script::default() });
    assert!(matches!(end, End::Wait(_)), "{end:?} {:?}", sim.trace);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.accepted_creates, 2);
}

#[test]
fn an_heir_inherits_nothing_from_a_create_that_its_predecessor_never_recorded() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.successors = true;
    sim.vanish_before_status = true;
    // Created, and the object is taken away by hand; a successor is there, so nothing is deleted.
    sim.reconcile();
    sim.vanish_before_status = false;
    assert!(sim.thing.is_none() && sim.unkey.live.is_some());
    sim.taken();
    sim.apply(wish(A));
    sim.settle();
    let steps = sim.taken();
    assert_eq!(steps[..3], ["Claim", "Create", "Read"], "adopted by its own right: {steps:?}");
    assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Adopted));
}
