//! Pokes, drift, stalls, losers: what an object does that is there already.

use unkey_operator_core::{Cause, EventNote, Role, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW, ms};

#[test]
fn drift_is_found_by_a_poke_and_corrected_without_ready_turning_false() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerWrites(content(B)));
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Refresh", "Update", "Status Synced"]);
    assert!(matches!(sim.notes.as_slice(), [EventNote::DriftCorrected(_)]));
    assert_eq!(sim.record().handled_request.as_deref(), Some("poke-1"));
}

#[test]
fn a_poke_is_one_settled_read_and_is_echoed_then() {
    let mut sim = synced(A);
    sim.act(&Act::ReconcileRequest);
    let End::Wait(Wake::At(at)) = sim.reconcile() else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.record().handled_request, None);
    sim.sleep(sim.mono().until(at));
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Synced"]);
    assert_eq!(sim.record().handled_request.as_deref(), Some("poke-1"));
    assert_eq!(sim.reconcile(), End::Done);
    assert!(sim.taken().is_empty());
}

#[test]
fn ready_follows_an_update_at_once_though_a_poke_waits() {
    let mut sim = synced(A);
    sim.apply(wish(B));
    sim.act(&Act::ReconcileRequest);
    assert!(matches!(sim.reconcile(), End::Wait(Wake::At(_))));
    assert_eq!(sim.taken(), ["Refresh", "Update", "Status Synced"]);
    assert!(sim.ready());
    assert_eq!(sim.record().handled_request, None, "R5: echoed when a settled read has judged it");
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Synced"]);
    assert_eq!(sim.record().handled_request.as_deref(), Some("poke-1"));
}

#[test]
fn s15_marks_dropped_by_replace_come_back_without_a_call() {
    for stalled in [false, true] {
        let mut sim = synced(A);
        if stalled {
            sim.apply(wish(B));
            let refused = Fate::Refused(Cause::Rejected("no".to_owned()));
            sim.reconcile_with(&Script { fates: vec![refused], ..Script::default() });
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
        sim.reconcile_with(&Script { fates: vec![rejected()], ..Script::default() }),
        End::Done | End::Wait(Wake::Change)
    ));
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Rejected"]);
    for _ in 0..3 {
        sim.sleep(ms(3_600_000));
        sim.reconcile();
    }
    assert!(sim.taken().is_empty());
    // The new key is refused first: that shows, and is retried.
    sim.policy.credential = Some("ba9876543210".to_owned());
    let unauthorized = Fate::Refused(Cause::Unauthorized("key_not_found".to_owned()));
    assert!(matches!(
        sim.reconcile_with(&Script { fates: vec![unauthorized], ..Script::default() }),
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
    sim.reconcile_with(&Script { fates: vec![rejected()], ..Script::default() });
    assert!(sim.record().shown.stalled);
    sim.policy.credential = Some("ba9876543210".to_owned());
    sim.act(&Act::StrangerMakes(content(A)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready(), "{:?}", sim.trace);
}

#[test]
fn a_changed_default_deletion_policy_is_written_down_once() {
    let mut sim = synced(A);
    sim.policy.deletion = unkey_operator_api::DeletionPolicy::Orphan;
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
    sim.role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false };
    sim.settle();
    assert_eq!(sim.taken(), ["Status ExternalIdConflict"]);
    sim.reconcile();
    assert!(sim.taken().is_empty());
    sim.role = Role::Loser { owner_leaving: true, owner_recorded: true, owner_held: false };
    sim.settle();
    assert_eq!(sim.taken(), ["Status ExternalIdConflict"]);
    assert!(!sim.record().shown.stalled);
    sim.role = Role::Owner;
    sim.settle();
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Synced"]);
    // And an owner that lost to another one's record gives its marks up.
    sim.role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false };
    sim.unkey.stranger_deletes(sim.now);
    sim.settle();
    assert_eq!(sim.taken(), ["Release NotOurs", "Status ExternalIdConflict"]);
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
            sim.act(&Act::ReconcileRequest);
            // Read, then a refresh or a claim, then the write: cut or refused on the way.
            sim.reconcile_with(&script);
            assert_eq!(sim.settle(), End::Done);
            let case = format!("{script:?}, replaced: {replaced}: {:?}", sim.trace);
            assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(A), "{case}");
            assert!(sim.ready(), "{case}");
            sim.taken();
            sim.sleep(2 * WINDOW);
            assert_eq!(sim.reconcile(), End::Done);
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
    sim.act(&Act::ReconcileRequest);
    let rejected = Fate::Refused(Cause::Rejected("no".to_owned()));
    sim.reconcile_with(&Script { fates: vec![rejected], ..Script::default() });
    sim.act(&Act::Wish(wish(&format!(r#"{B},"adoptionPolicy":"Never""#))));
    sim.settle();
    sim.taken();
    sim.reconcile();
    assert!(sim.taken().is_empty(), "R12");
}
