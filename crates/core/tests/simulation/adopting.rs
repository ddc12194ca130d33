//! What becomes of an identity that exists before ours (R3, R9): the adoption matrix and everyday conflicts.

use unkey_operator_api::Origin;
use unkey_operator_core::{Cause, EventNote};

use crate::lost::{NEVER, fates};
use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, Maker, WINDOW, ms};

pub const EMPTY: &str = r#""meta":{}"#;

/// What a new object with this spec and policy makes of a stranger's identity.
fn meets(spec: &str, policy: &str, stored: &str) -> Sim {
    let mut sim = Sim::new();
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(stored));
    sim.sleep(WINDOW);
    sim.apply(wish(&format!(r#"{spec},"adoptionPolicy":"{policy}""#)));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.unkey.accepted_creates, 0);
    sim
}

#[test]
fn the_matrix() {
    let adopted: &[&str] = &["Claim", "Create", "Read", "Status Synced"];
    // The event that tells of the adoption takes its time.
    let changed: &[&str] = &["Claim", "Create", "Read", "Status Progressing", "Refresh", "Update", "Status Synced"];
    let refused: &[&str] = &["Claim", "Create", "Read", "Release NotOurs", "Status AlreadyExists"];
    let looked: &[&str] = &["Read", "Status AlreadyExists"];
    let wide = r#""meta":{"plan":"a","more":1}"#;
    let limit = r#""ratelimits":[{"name":"req","limit":10,"duration":1000}]"#;
    let both = &format!("{A},{limit}");
    for (spec, policy, stored, steps) in [
        (A, "IfLossless", EMPTY, changed),
        (A, "IfLossless", A, adopted),
        (A, "IfLossless", B, refused),
        (A, "IfLossless", wide, refused),
        (wide, "IfLossless", A, changed),
        (EMPTY, "IfLossless", A, refused),
        // A field that is not managed is never a loss.
        (A, "IfLossless", both, adopted),
        (limit, "IfLossless", both, adopted),
        (r#""suspend":false"#, "IfLossless", both, adopted),
        (A, "Always", B, changed),
        (A, "Always", A, adopted),
        (EMPTY, "Always", both, changed),
        (A, "Never", A, looked),
        (A, "Never", EMPTY, looked),
        (A, "Never", B, looked),
    ] {
        let mut sim = meets(spec, policy, stored);
        let case = format!("{spec} meets {stored} under {policy}");
        assert_eq!(sim.taken(), steps, "{case}");
        let owned = steps.last() == Some(&"Status Synced");
        let notes = sim.notes.iter().filter(|note| matches!(note, EventNote::Adopted(_))).count();
        assert_eq!(notes, usize::from(owned), "{case}");
        assert_eq!(sim.record().held.as_ref().and_then(|held| held.origin), owned.then_some(Origin::Adopted), "{case}");
        assert_eq!(sim.thing.as_ref().unwrap().finalizer, owned, "{case}");
        if !owned {
            assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(stored), "{case}");
            // R1, R7: nothing is ours, so nothing holds a deletion back.
            sim.act(&Act::Delete);
            assert!(sim.thing.is_none() && sim.unkey.live.is_some(), "{case}");
        }
    }
}

#[test]
fn never_with_nothing_there_is_two_calls() {
    let mut sim = Sim::new();
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Claim", "Create", "Status Synced"]);
    sim.sleep(2 * WINDOW);
    assert_eq!(sim.reconcile(), End::Done);
    assert!(sim.taken().is_empty(), "what the look showed is no suspicion against what was made since");
}

#[test]
fn a_refusal_is_taken_back_when_the_spec_comes_in_line() {
    let mut sim = meets(A, "IfLossless", B);
    sim.taken();
    sim.apply(wish(B));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Claim", "Status Synced"]);
}

#[test]
fn an_adoption_whose_409_came_before_the_replica_is_lag() {
    let mut sim = Sim::new();
    sim.unkey.lag = ms(20_000);
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(A));
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.accepted_creates, 0);
}

#[test]
fn s01_a_crash_between_the_update_of_an_adopted_identity_and_the_status() {
    let mut sim = Sim::new();
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(EMPTY));
    sim.sleep(WINDOW);
    sim.apply(wish(A));
    // Claim, Create, Read, Status, Refresh, Update: dies as that took effect.
    assert_eq!(sim.reconcile_with(&Script { crash_after: Some(5), ..Script::default() }), End::Cut);
    assert_eq!(sim.unkey.accepted_updates, 1);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Adopted));
    assert!(sim.unkey.accepted_updates <= 2);
    assert_eq!(sim.notes.iter().filter(|note| matches!(note, EventNote::Adopted(_))).count(), 1);
}

#[test]
fn s02_the_same_manifest_in_two_clusters() {
    // B meets what A made: adopted by policy, never "created".
    let sim = meets(A, "IfLossless", A);
    assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Adopted));
    // With `Never`, B's deletion leaves it; also if A was first by a hair, after B's look.
    let mut sim = Sim::new();
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
    let first = Script { meanwhile: Some((2, Act::StrangerMakes(content(A)))), ..Script::default() };
    sim.reconcile_with(&first);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.record().held, None);
    sim.act(&Act::Delete);
    assert!(sim.thing.is_none());
    assert_eq!(sim.unkey.live.as_ref().unwrap().maker, Maker::Stranger);
}

#[test]
fn s03_an_identity_of_create_key_is_adopted_never_our_own() {
    let mut sim = Sim::new();
    sim.apply(wish(r#""suspend":false"#));
    // The first create is lost before it took effect; the application makes the identity; then we come again.
    let lost = Script {
        fates: vec![Fate::LostBefore],
        meanwhile: Some((1, Act::StrangerMakes(content(EMPTY)))),
        ..Script::default()
    };
    sim.reconcile_with(&lost);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Adopted));
}

#[test]
fn s16_a_status_from_a_backup_is_a_hint_only() {
    let mut sim = synced(A);
    let mut restored = sim.thing.clone().unwrap();
    let old = restored.status.take().unwrap().1;
    sim.thing = None;
    sim.apply(wish(A));
    let thing = sim.thing.as_mut().unwrap();
    thing.status = Some((restored.uid, old));
    sim.restart();
    assert_eq!(sim.settle(), End::Done);
    let steps = sim.taken();
    assert_eq!(steps[..2], ["Claim", "Create"], "{steps:?}");
    assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Adopted));
}

#[test]
fn an_answer_of_another_external_id_is_never_written_to() {
    let mut sim = Sim::new();
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(EMPTY));
    sim.unkey.foreign = true;
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Create", "Read", "Release NotOurs", "Status IdentityMismatch"]);
    sim.reconcile();
    assert!(sim.taken().is_empty());
    // Found on deletion of one that was ours: let go.
    let mut sim = synced(A);
    sim.restart();
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::StrangerMakes(content(EMPTY)));
    sim.unkey.foreign = true;
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Read", "Release NotOurs"]);
    assert!(sim.unkey.live.is_some());
}

#[test]
fn s36_never_with_equal_content_there_and_a_crash_before_the_refusal() {
    let mut sim = Sim::new();
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
    // Read (nothing), Claim; then a stranger makes the same; Create is answered 409; the process dies.
    let script =
        Script { meanwhile: Some((2, Act::StrangerMakes(content(B)))), crash_after: Some(2), ..Script::default() };
    assert_eq!(sim.reconcile_with(&script), End::Cut);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.record().held, None);
    assert!(!sim.thing.as_ref().unwrap().finalizer);
    // Refused once, and noted by taking the claim off first: a crash between the two does not make it ours.
    let mut sim = Sim::new();
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
    let script =
        Script { meanwhile: Some((2, Act::StrangerMakes(content(A)))), crash_after: Some(3), ..Script::default() };
    assert_eq!(sim.reconcile_with(&script), End::Cut);
    assert_eq!(sim.trace.last().unwrap(), "Release NotOurs");
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.record().held, None);
    sim.act(&Act::Delete);
    assert!(sim.unkey.live.is_some() && sim.thing.is_none());
}

#[test]
fn adopted_then_vanished_is_not_called_lag() {
    let mut sim = meets(A, "IfLossless", A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::ReconcileRequest);
    sim.reconcile();
    let trouble = sim.object_state().trouble.clone();
    assert!(trouble.is_none_or(|trouble| trouble.cause != Cause::Lag));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
}

#[test]
fn what_met_the_create_of_what_it_holds_is_taken_though_the_spec_is_edited_before_the_look() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&fates(&[Fate::Repeated, Fate::LostBefore]));
    assert_eq!(sim.taken(), ["Claim", "Create", "Read"]);
    sim.apply(wish(B));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready(), "{:?}", sim.trace);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
    assert_eq!(sim.unkey.accepted_creates, 1);
    // What nobody asked for is somebody else's, and so it stays under `Never`, which takes nothing over.
    for (holds, spec) in [(r#""meta":{"plan":"c"}"#, A), (A, NEVER)] {
        let mut sim = Sim::new();
        sim.act(&Act::StrangerMakes(content(holds)));
        sim.apply(wish(spec));
        sim.reconcile_with(&fates(&[Fate::Fine, Fate::LostBefore]));
        sim.apply(wish(&spec.replace(r#""a""#, r#""b""#)));
        assert_eq!(sim.settle(), End::Done);
        assert!(!sim.ready(), "{:?}", sim.trace);
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(holds));
    }
}
