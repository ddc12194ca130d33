//! Create, update, drift, pokes, released fields, suspension: one process, nothing lost.

use unkey_operator::api::Reason;
use unkey_operator::domain::{Cause, Freed, Note, Role, Stall, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::world::{Fate, WINDOW};

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
    assert_eq!(sim.pass(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Synced"]);
    assert_eq!(sim.pass(), End::Done);
    assert!(sim.taken().is_empty(), "R12");
    sim.restart();
    assert_eq!(sim.pass(), End::Done);
    assert!(sim.taken().is_empty(), "R12 at restart");
}

#[test]
fn update_is_refresh_update_status_and_sends_what_changed() {
    let mut sim = synced(BOTH);
    sim.sleep(2 * WINDOW);
    sim.apply(wish(MORE));
    assert_eq!(sim.pass(), End::Done);
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
    assert_eq!(sim.pass(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Delete", "Release Deleted"]);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
}

#[test]
fn limits_sent_twice_within_the_window_hold_ready_until_a_settled_read() {
    let mut sim = synced(BOTH);
    sim.apply(wish(MORE));
    let End::Wait(Wake::At(at)) = sim.pass() else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.taken(), ["Refresh", "Update"]);
    assert!(!sim.ready());
    sim.sleep(at.0 - sim.mono().0);
    assert_eq!(sim.pass(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Synced"]);
}

#[test]
fn lagging_limits_that_survive_an_update_are_taken_away() {
    let mut sim = synced(BOTH);
    sim.unkey.lag = 20_000;
    sim.sleep(1_000);
    // The replica shows no limits at all yet, and so neither does the server take 'req' away.
    sim.act(&Act::Wish(wish(r#""meta":{"plan":"a"},"ratelimits":[]"#)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert!(sim.unkey.live.as_ref().unwrap().content.limits.is_empty(), "{:?}", sim.trace);
}

#[test]
fn drift_is_found_by_a_poke_and_corrected_without_ready_turning_false() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerWrites(content(B)));
    sim.act(&Act::Poke);
    assert_eq!(sim.pass(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Refresh", "Update", "Status Synced"]);
    assert!(matches!(sim.notes.as_slice(), [Note::DriftCorrected(_)]));
    assert_eq!(sim.record().handled_poke.as_deref(), Some("poke-1"));
}

#[test]
fn a_poke_is_one_settled_read_and_is_echoed_then() {
    let mut sim = synced(A);
    sim.act(&Act::Poke);
    let End::Wait(Wake::At(at)) = sim.pass() else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.record().handled_poke, None);
    sim.sleep(at.0 - sim.mono().0);
    assert_eq!(sim.pass(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Synced"]);
    assert_eq!(sim.record().handled_poke.as_deref(), Some("poke-1"));
    assert_eq!(sim.pass(), End::Done);
    assert!(sim.taken().is_empty());
}

#[test]
fn ready_follows_an_update_at_once_though_a_poke_waits() {
    let mut sim = synced(A);
    sim.apply(wish(B));
    sim.act(&Act::Poke);
    assert!(matches!(sim.pass(), End::Wait(Wake::At(_))));
    assert_eq!(sim.taken(), ["Refresh", "Update", "Status Synced"]);
    assert!(sim.ready());
    assert_eq!(sim.record().handled_poke, None, "R5: echoed when a settled read has judged it");
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Synced"]);
    assert_eq!(sim.record().handled_poke.as_deref(), Some("poke-1"));
}

#[test]
fn s05_back_and_forth_while_the_replica_is_behind() {
    let mut sim = synced(BOTH);
    sim.sleep(2 * WINDOW);
    sim.unkey.lag = 25_000;
    sim.apply(wish(MORE));
    sim.pass();
    sim.sleep(1_000);
    sim.apply(wish(BOTH));
    sim.pass();
    sim.act(&Act::Poke);
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
    assert!(matches!(sim.notes.as_slice(), [Note::Released { field: "ratelimits" }]));
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(BOTH));
    sim.pass();
    assert!(sim.taken().is_empty() && sim.notes.len() == 1);
    // And `null` is the same as left out.
    sim.apply(wish(r#""meta":null"#));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.notes.len(), 2);
    // Managed again: sent again, as nobody knows what became of it.
    sim.taken();
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Update", "Status Synced"]);
}

#[test]
fn s26_suspended_before_the_first_visit_then_edited_and_resumed() {
    let mut sim = Sim::new();
    sim.apply(wish(&format!(r#"{A},"suspend":true"#)));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status Suspended"]);
    assert!(!sim.thing.as_ref().unwrap().finalizer);
    assert_eq!(sim.pass(), End::Done);
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
    sim.act(&Act::Poke);
    let End::Wait(Wake::At(at)) = sim.pass() else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.taken(), ["Read", "Status Progressing"]);
    assert!(at.0 - sim.mono().0 >= WINDOW - 1_000);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Claim", "Create", "Status Synced"]);
    assert!(matches!(sim.notes.as_slice(), [Note::Recreated(_)]));
    assert_eq!(sim.unkey.accepted_creates, 2);
    for _ in 0..3 {
        sim.sleep(2 * WINDOW);
        assert_eq!(sim.pass(), End::Done);
    }
    assert!(sim.taken().is_empty(), "what was judged before the create is forgotten");
}

#[test]
fn r9_recreated_after_an_updates_404() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerDeletes);
    sim.apply(wish(B));
    assert!(matches!(sim.pass(), End::Wait(Wake::At(_))));
    assert_eq!(sim.taken(), ["Refresh", "Update", "Read", "Status Progressing"]);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Claim", "Create", "Status Synced"]);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
}

#[test]
fn r9_an_updates_404_is_lag_until_proven() {
    let mut sim = synced(A);
    sim.unkey.lag = 25_000;
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
    sim.act(&Act::Poke);
    sim.pass();
    sim.sleep(2 * WINDOW);
    sim.taken();
    let down = Script { fates: vec![Fate::EndedBefore; 40], ..Script::default() };
    for _ in 0..6 {
        let End::Wait(Wake::At(at)) = sim.pass_with(&down) else { panic!("circles: {:?}", sim.trace) };
        sim.sleep(at.0.saturating_sub(sim.mono().0) + 1);
    }
    let writes = sim.taken().iter().filter(|step| step.starts_with("Status")).count();
    assert_eq!(writes, 1);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
}

#[test]
fn s15_marks_dropped_by_replace_come_back_without_a_call() {
    for stalled in [false, true] {
        let mut sim = synced(A);
        if stalled {
            sim.apply(wish(B));
            let refused = Fate::Refused(Cause::Rejected("no".to_owned()));
            sim.pass_with(&Script { fates: vec![refused], ..Script::default() });
            assert!(sim.record().shown.stalled);
        }
        sim.taken();
        sim.act(&Act::Strip);
        sim.settle();
        assert_eq!(sim.taken(), ["Claim"], "stalled: {stalled}");
        sim.thing.as_mut().unwrap().tampered = false;
        sim.act(&Act::Delete);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.unkey.live.is_none());
    }
}

#[test]
fn a_rejected_content_waits_for_a_change_and_the_key_is_one() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    let rejected = || Fate::Refused(Cause::Rejected("Metadata is too large".to_owned()));
    assert!(matches!(
        sim.pass_with(&Script { fates: vec![rejected()], ..Script::default() }),
        End::Done | End::Wait(Wake::Change)
    ));
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Rejected"]);
    for _ in 0..3 {
        sim.sleep(3_600_000);
        sim.pass();
    }
    assert!(sim.taken().is_empty());
    // The new key is refused first: that shows, and is retried.
    sim.policy.credential = Some("ba9876543210".to_owned());
    let unauthorized = Fate::Refused(Cause::Unauthorized("key_not_found".to_owned()));
    assert!(matches!(
        sim.pass_with(&Script { fates: vec![unauthorized], ..Script::default() }),
        End::Wait(Wake::At(_))
    ));
    assert_eq!(sim.taken(), ["Refresh", "Create", "Status Unauthorized"]);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
}

#[test]
fn a_new_key_that_meets_an_identity_goes_on_to_judge_it() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    let rejected = || Fate::Refused(Cause::Rejected("no".to_owned()));
    sim.pass_with(&Script { fates: vec![rejected()], ..Script::default() });
    assert!(sim.record().shown.stalled);
    sim.policy.credential = Some("ba9876543210".to_owned());
    sim.act(&Act::StrangerMakes(content(A)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready(), "{:?}", sim.trace);
}

#[test]
fn a_changed_default_deletion_policy_is_written_down_once() {
    let mut sim = synced(A);
    sim.policy.deletion = unkey_operator::api::DeletionPolicy::Orphan;
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status Synced"]);
    sim.act(&Act::Delete);
    sim.settle();
    assert_eq!(sim.taken(), ["Release Orphaned"]);
}

#[test]
fn a_loser_makes_no_call_and_goes_on_when_it_owns() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.role = Role::Loser { owner_leaving: false, owner_recorded: true };
    sim.settle();
    assert_eq!(sim.taken(), ["Status ExternalIdConflict"]);
    sim.pass();
    assert!(sim.taken().is_empty());
    sim.role = Role::Loser { owner_leaving: true, owner_recorded: true };
    sim.settle();
    assert_eq!(sim.taken(), ["Status ExternalIdConflict"]);
    assert!(!sim.record().shown.stalled);
    sim.role = Role::Owner;
    sim.settle();
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Synced"]);
    // And an owner that lost to another one's record gives its marks up.
    sim.role = Role::Loser { owner_leaving: false, owner_recorded: true };
    sim.unkey.stranger_deletes(sim.now);
    sim.settle();
    assert_eq!(sim.taken(), ["Release NotOurs", "Status ExternalIdConflict"]);
}

#[test]
fn reasons_are_stable() {
    assert_eq!(unkey_operator::domain::Verdict::Stalled(Stall::ExistsNever).reason(), Reason::AlreadyExists);
    assert_ne!(Freed::NeverSent, Freed::NeverClaimed);
}

#[test]
fn drift_or_a_stranger_found_and_not_dealt_with_is_not_forgotten() {
    let unauthorized = || Fate::Refused(Cause::Unauthorized("key_not_found".to_owned()));
    let scripts = [
        Script { fates: vec![Fate::Fine, unauthorized()], ..Script::default() },
        Script { fates: vec![Fate::Fine, Fate::EndedBefore], ..Script::default() },
        Script { drop_after: Some(1), ..Script::default() },
        Script { drop_after: Some(2), ..Script::default() },
    ];
    for script in scripts {
        for replaced in [false, true] {
            let mut sim = synced(A);
            sim.sleep(2 * WINDOW);
            if replaced {
                sim.act(&Act::StrangerDeletes);
                sim.act(&Act::StrangerMakes(content(r#""meta":{}"#)));
            } else {
                sim.act(&Act::StrangerWrites(content(B)));
            }
            sim.act(&Act::Poke);
            // Read, then a refresh or a claim, then the write: cut or refused on the way.
            sim.pass_with(&script);
            assert_eq!(sim.settle(), End::Done);
            let case = format!("{script:?}, replaced: {replaced}: {:?}", sim.trace);
            assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(A), "{case}");
            assert!(sim.ready(), "{case}");
            sim.taken();
            sim.sleep(2 * WINDOW);
            assert_eq!(sim.pass(), End::Done);
            assert!(sim.taken().is_empty(), "{case}");
        }
    }
}

#[test]
fn a_stall_is_judged_anew_only_on_its_own_ground() {
    // Refused content is noted against an old generation that the cache showed; the stall of today is another.
    let mut sim = Sim::new();
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(B));
    sim.sleep(WINDOW);
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Always","suspend":true"#)));
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
    sim.settle();
    assert!(sim.record().shown.stalled);
    sim.act(&Act::Poke);
    let rejected = Fate::Refused(Cause::Rejected("no".to_owned()));
    sim.pass_with(&Script { fates: vec![rejected], ..Script::default() });
    sim.act(&Act::Wish(wish(&format!(r#"{B},"adoptionPolicy":"Never""#))));
    sim.settle();
    sim.taken();
    sim.pass();
    assert!(sim.taken().is_empty(), "R12");
}
