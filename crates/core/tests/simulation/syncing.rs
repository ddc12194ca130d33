//! Create, update, drift, reconcile requests, released fields, suspension: one process, nothing lost.

use unkey_operator_api::Reason;
use unkey_operator_core::{EventNote, ReleaseProof, Stall, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::world::{Fate, WINDOW, ms};

pub const A: &str = r#""meta":{"plan":"a"}"#;
pub const B: &str = r#""meta":{"plan":"b"}"#;
const BOTH: &str = r#""meta":{"plan":"a"},"ratelimits":[{"name":"req","limit":10,"duration":1000}]"#;
const MORE: &str = r#""meta":{"plan":"a"},"ratelimits":[{"name":"req","limit":20,"duration":1000}]"#;

/// A synced object of this spec.
pub fn synced(spec: &str) -> Sim {
    let mut sim = Sim::new();
    sim.apply(wish(spec));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    sim.taken();
    sim
}

#[test]
fn create_is_claim_create_status() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Synced"]);
    assert_eq!(sim.reconcile(), End::Done);
    assert!(sim.taken().is_empty(), "R12");
    sim.restart();
    assert_eq!(sim.reconcile(), End::Done);
    assert!(sim.taken().is_empty(), "R12 at restart");
}

#[test]
fn update_is_refresh_update_status_and_sends_what_changed() {
    let mut sim = synced(BOTH);
    sim.sleep(2 * WINDOW);
    sim.apply(wish(MORE));
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Update", "Status Synced"]);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(MORE));
    assert!(sim.notes.is_empty());
}

#[test]
fn a_new_generation_of_equal_content_makes_no_call() {
    let mut sim = synced(r#""meta":{"n":1,"m":[1,2]}"#);
    sim.apply(wish(r#""meta":{"m":[1.0,2],"n":1.0},"adoptionPolicy":"Never""#));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status Synced"]);
}

#[test]
fn delete_is_refresh_delete_release() {
    let mut sim = synced(A);
    sim.act(&Act::Delete);
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Delete", "Release Deleted"]);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
}

#[test]
fn limits_sent_twice_within_the_window_hold_ready_until_a_settled_read() {
    let mut sim = synced(BOTH);
    sim.apply(wish(MORE));
    let End::Wait(Wake::At(at)) = sim.reconcile() else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.taken(), ["Refresh", "Update"]);
    assert!(!sim.ready());
    sim.sleep(sim.mono().until(at));
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Synced"]);
}

#[test]
fn lagging_limits_that_survive_an_update_are_taken_away() {
    let mut sim = synced(BOTH);
    sim.unkey.lag = ms(20_000);
    sim.sleep(ms(1_000));
    // The replica shows no limits at all yet, and so neither does the server take 'req' away.
    sim.act(&Act::Wish(wish(r#""meta":{"plan":"a"},"ratelimits":[]"#)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert!(sim.unkey.live.as_ref().unwrap().content.limits.is_empty(), "{:?}", sim.trace);
}

#[test]
fn s05_back_and_forth_while_the_replica_is_behind() {
    let mut sim = synced(BOTH);
    sim.sleep(2 * WINDOW);
    sim.unkey.lag = ms(25_000);
    sim.apply(wish(MORE));
    sim.reconcile();
    sim.sleep(ms(1_000));
    sim.apply(wish(BOTH));
    sim.reconcile();
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(BOTH));
    assert!(sim.ready());
}

#[test]
fn s25_a_field_that_leaves_the_spec_is_released_once_and_kept() {
    let mut sim = synced(BOTH);
    sim.apply(wish(r#""meta":{"plan":"a"}"#));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status Synced"], "R17: no call");
    assert!(matches!(sim.notes.as_slice(), [EventNote::Released { field: "ratelimits" }]));
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(BOTH));
    sim.reconcile();
    assert!(sim.taken().is_empty() && sim.notes.len() == 1);
    // And `null` is the same as left out.
    sim.apply(wish(r#""meta":null"#));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.notes.len(), 2);
    // Managed again: looked at first, as nobody knows what became of it (R18).
    sim.taken();
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Synced"]);
}

#[test]
fn s26_suspended_before_the_first_visit_then_edited_and_resumed() {
    let mut sim = Sim::new();
    sim.apply(wish(&format!(r#"{A},"suspend":true"#)));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status Suspended"]);
    assert!(!sim.thing.as_ref().unwrap().finalizer);
    assert_eq!(sim.reconcile(), End::Done);
    assert!(sim.taken().is_empty());
    sim.apply(wish(&format!(r#"{B},"suspend":true"#)));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status Suspended"]);
    sim.apply(wish(B));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Synced"]);
    // Suspended and edited in one commit.
    sim.apply(wish(&format!(r#"{A},"suspend":true"#)));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status Suspended"]);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
}

#[test]
fn an_invalid_spec_is_stalled_without_a_call_and_keeps_its_identity() {
    let mut sim = synced(A);
    let mut bad = wish(A);
    bad.invalid = true;
    sim.apply(bad);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status InvalidSpec"]);
    assert!(sim.record().held.is_some());
    // S24: deletion still ends.
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Delete", "Release Deleted"]);
}

#[test]
fn r9_recreated_after_two_settled_reads_a_window_apart() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::ReconcileRequest);
    let End::Wait(Wake::At(at)) = sim.reconcile() else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.taken(), ["Read", "Look", "Status Progressing"]);
    assert!(sim.mono().until(at) >= WINDOW.saturating_sub(ms(1_000)));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Look", "Claim", "Create", "Status Synced"]);
    assert!(matches!(sim.notes.as_slice(), [EventNote::Recreated(_)]));
    assert_eq!(sim.unkey.accepted_creates, 2);
    for _ in 0..3 {
        sim.sleep(2 * WINDOW);
        assert_eq!(sim.reconcile(), End::Done);
    }
    assert!(sim.taken().is_empty(), "what was judged before the create is forgotten");
}

#[test]
fn r9_recreated_after_an_updates_404() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerDeletes);
    sim.apply(wish(B));
    assert!(matches!(sim.reconcile(), End::Wait(Wake::At(_))));
    assert_eq!(sim.taken(), ["Refresh", "Update", "Read", "Look", "Status Progressing"]);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Look", "Claim", "Create", "Status Synced"]);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
}

#[test]
fn r9_an_updates_404_is_lag_until_proven() {
    let mut sim = synced(A);
    sim.unkey.lag = ms(25_000);
    sim.apply(wish(B));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.unkey.accepted_creates, 1);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
    assert!(sim.ready());
}

#[test]
fn vanished_while_unkey_fails_writes_one_status_per_cause() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::ReconcileRequest);
    sim.reconcile();
    sim.sleep(2 * WINDOW);
    sim.taken();
    let down = Script { fates: vec![Fate::EndedBefore; 40], ..Script::default() };
    for _ in 0..6 {
        let End::Wait(Wake::At(at)) = sim.reconcile_with(&down) else { panic!("circles: {:?}", sim.trace) };
        sim.sleep(sim.mono().until(at) + ms(1));
    }
    let writes = sim.taken().iter().filter(|step| step.starts_with("Status")).count();
    assert_eq!(writes, 1);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
}

#[test]
fn reasons_are_stable() {
    assert_eq!(unkey_operator_core::Verdict::Stalled(Stall::ExistsNever).reason(), Reason::AlreadyExists);
    assert_ne!(ReleaseProof::NeverSent, ReleaseProof::NeverClaimed);
}
