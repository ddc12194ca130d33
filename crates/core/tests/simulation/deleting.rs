//! How an object is let go (R7): never before its identity is gone or meant to stay.

use std::time::Duration;

use unkey_operator_api::Reason;
use unkey_operator_core::{Cause, Role, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{DEADLINE, Fate, Maker, Rights, WINDOW, ms};

fn dies(step: usize) -> Script {
    Script { crash_after: Some(step), ..Script::default() }
}

fn fates(fates: &[Fate]) -> Script {
    Script { fates: fates.to_vec(), ..Script::default() }
}

#[test]
fn s08_orphan_set_seconds_ago_and_not_in_the_cache() {
    let mut sim = synced(A);
    sim.apply(wish(&format!(r#"{A},"deletionPolicy":"Orphan""#)));
    sim.act(&Act::Delete);
    // The cache shows the deletion but, as if by magic, not the policy: the look before the delete does.
    let mut old = sim.thing.clone().unwrap();
    old.wish = wish(A);
    sim.thing = Some(old);
    let edit = Act::Wish(wish(&format!(r#"{A},"deletionPolicy":"Orphan""#)));
    assert_eq!(sim.reconcile_with(&Script { meanwhile: Some((0, edit)), ..Script::default() }), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Release Orphaned"]);
    assert!(sim.unkey.live.is_some());
}

#[test]
fn s10_a_copied_manifest_deleted_before_or_after_the_first_visit() {
    for visited in [false, true] {
        let mut sim = synced(A);
        let original = sim.thing.take().unwrap();
        sim.apply(wish(A));
        let copy = sim.thing.as_mut().unwrap();
        copy.finalizer = true;
        copy.claim = original.claim.clone();
        if visited {
            assert_eq!(sim.settle(), End::Done);
            assert_eq!(sim.taken(), ["Claim", "Create", "Read", "Read", "Status Synced"]);
        }
        sim.act(&Act::Delete);
        assert_eq!(sim.settle(), End::Done);
        if visited {
            assert_eq!(sim.taken(), ["Refresh", "Delete", "Release Deleted"]);
        } else {
            assert_eq!(sim.taken(), ["Release NotOurs"]);
        }
        assert_eq!(sim.unkey.live.is_none(), visited);
    }
}

#[test]
fn a_finalizer_copied_without_a_claim_is_let_go() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.thing.as_mut().unwrap().finalizer = true;
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Release NeverClaimed"]);
}

#[test]
fn s12_deleted_right_after_the_create_while_the_replica_is_behind() {
    let mut sim = Sim::new();
    sim.unkey.lag = ms(25_000);
    sim.apply(wish(A));
    sim.reconcile();
    sim.act(&Act::Delete);
    assert!(matches!(sim.reconcile(), End::Wait(Wake::At(_))));
    assert!(sim.thing.is_some(), "a 404 of a replica that is behind proves nothing");
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
}

/// What another client made a moment ago was found, taken over and deleted at once; the replicas that are asked then do not show it yet.
#[test]
fn s70_deleted_right_after_it_was_found_while_the_replica_is_behind() {
    let mut sim = Sim::new();
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(A));
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready() && sim.unkey.accepted_creates == 0);
    sim.unkey.lag = ms(25_000);
    sim.act(&Act::Delete);
    assert!(matches!(sim.reconcile(), End::Wait(Wake::At(_))), "{:?}", sim.trace);
    assert!(sim.thing.is_some(), "another one has shown it");
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none(), "{:?}", sim.trace);
}

#[test]
fn a_settled_404_lets_go() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Delete", "Read", "Look", "Release Gone"]);
}

#[test]
fn s15_deleted_with_the_marks_back_does_not_leak() {
    let mut sim = synced(A);
    sim.act(&Act::Strip);
    sim.restart();
    sim.settle();
    sim.thing.as_mut().unwrap().tampered = false;
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.unkey.live.is_none());
}

#[test]
fn the_claim_alone_dropped_while_a_create_is_in_doubt_does_not_let_go() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&fates(&[Fate::Late(ms(20_000))]));
    sim.thing.as_mut().unwrap().claim = None;
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.unkey.live.is_none(), "{:?}", sim.trace);
}

#[test]
fn s18_a_delete_is_repeated_only_after_a_look() {
    let mut sim = synced(A);
    sim.act(&Act::Delete);
    sim.reconcile_with(&fates(&[Fate::LostAfter]));
    assert_eq!(sim.taken(), ["Refresh", "Delete"]);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Read", "Look", "Release Gone"]);
    // And also by a process that finds the object being deleted.
    let mut sim = synced(A);
    sim.act(&Act::Delete);
    sim.restart();
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Refresh", "Delete", "Release Deleted"]);
}

#[test]
fn s26_suspended_while_deleting_waits_and_orphan_does_not() {
    let mut sim = synced(A);
    sim.apply(wish(&format!(r#"{A},"suspend":true"#)));
    sim.settle();
    sim.act(&Act::Delete);
    sim.taken();
    assert_eq!(sim.settle(), End::Wait(Wake::Change));
    assert_eq!(sim.taken(), ["Status DeletionBlocked"]);
    assert!(sim.says(
        r#"kubectl patch identities.unkey.com customer -n shop --type=merge -p '{"spec":{"deletionPolicy":"Orphan"}}'"#
    ));
    assert_eq!(sim.reconcile(), End::Wait(Wake::Change));
    assert!(sim.taken().is_empty());
    let mut orphan = sim;
    orphan.apply(wish(&format!(r#"{A},"suspend":true,"deletionPolicy":"Orphan""#)));
    orphan.settle();
    assert_eq!(orphan.taken(), ["Release Orphaned"]);
}

#[test]
fn what_was_met_by_a_create_and_never_recorded_is_let_go() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&fates(&[Fate::Repeated, Fate::LostBefore]));
    assert_eq!(sim.taken(), ["Claim", "Create", "Read"]);
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    // It may come from that very request, which Unkey repeated; or it is a customer of before, and nobody can tell.
    assert_eq!(sim.taken().last().unwrap(), "Release NeverAdopted");
    assert!(sim.unkey.live.is_some() && sim.thing.is_none());
}

/// R7: manifests applied over existing customers and deleted again at once cost nobody anything.
#[test]
fn what_is_only_adoptable_is_let_go_and_never_deleted() {
    for stored in [A, r#""meta":{}"#] {
        for policy in ["IfLossless", "Always", "Never"] {
            for restarts in [false, true] {
                let mut sim = Sim::new();
                let now = sim.now;
                sim.unkey.stranger_makes(now, content(stored));
                sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"{policy}""#)));
                // The reconcile is cut after the create was answered "exists".
                sim.reconcile_with(&Script { drop_after: Some(2), ..Script::default() });
                if restarts && stored == A {
                    // What holds just what was claimed passes for our own after a crash (docs/contributing/rules.md, not promised).
                    continue;
                }
                if restarts {
                    sim.restart();
                }
                sim.act(&Act::Delete);
                sim.settle();
                assert!(sim.unkey.live.is_some(), "{policy} {stored} {restarts}: {:?}", sim.trace);
                assert!(sim.thing.is_none(), "{policy} {stored} {restarts}: {:?}", sim.trace);
            }
        }
    }
}

#[test]
fn s38_a_newcomer_with_a_wrong_key() {
    let wrong = || fates(&[Fate::Refused(Cause::Unauthorized("key_not_found".to_owned()))]);
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&wrong());
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Unauthorized"]);
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Release NeverSent"]);
    // After a restart nobody knows that any more.
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&wrong());
    sim.act(&Act::Delete);
    sim.restart();
    sim.reconcile();
    sim.sleep(2 * WINDOW);
    sim.taken();
    assert!(matches!(sim.reconcile_with(&wrong()), End::Wait(Wake::At(_))));
    assert_eq!(sim.taken(), ["Read", "Status DeletionBlocked"]);
    assert!(sim.says(r#"-p '{"spec":{"deletionPolicy":"Orphan"}}'"#));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Look", "Release Gone"]);
}

#[test]
fn deletion_blocked_says_why_and_ends_when_unkey_is_back() {
    let mut sim = synced(A);
    sim.act(&Act::Delete);
    sim.reconcile_with(&fates(&[Fate::EndedBefore]));
    assert_eq!(sim.taken(), ["Refresh", "Delete"], "one failure is not worth a status");
    sim.sleep(ms(10_000));
    sim.reconcile_with(&fates(&[Fate::EndedBefore]));
    assert_eq!(sim.taken(), ["Read", "Status DeletionBlocked"]);
    assert_eq!(sim.record().shown.reason, Some(Reason::DeletionBlocked));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
}

#[test]
fn s14_a_successor_never_takes_the_dead_identity_for_its_own() {
    let mut sim = synced(A);
    sim.unkey.lag = ms(25_000);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    let dead = sim.process.known.clone();
    assert!(!dead.is_spent(sim.mono(), WINDOW));
    // The successor looks first, and the replica still shows the dead one.
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready(), "{:?}", sim.trace);
    assert_eq!(sim.unkey.accepted_creates, 2);
    assert_eq!(sim.record().held.as_ref().unwrap().identity.id().as_str(), sim.unkey.live.as_ref().unwrap().id);
}

#[test]
fn a_loser_that_is_deleted_leaves_the_owners_identity() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&dies(0));
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(A));
    sim.act(&Act::Delete);
    sim.role = Role::Loser { owner_leaving: false, owner_recorded: false, owner_held: false };
    assert_eq!(sim.settle(), End::Wait(Wake::Change));
    assert_eq!(sim.taken(), ["Claim", "Status DeletionBlocked"]);
    sim.role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false };
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Release NotOurs"]);
    assert!(sim.unkey.live.is_some());
}

#[test]
fn gone_in_the_middle_of_its_create() {
    for successors in [false, true] {
        let mut sim = Sim::new();
        sim.successors = successors;
        sim.apply(wish(A));
        sim.vanish_before_status = true;
        let end = sim.reconcile_with(&Script::default());
        assert_eq!(end, End::Done, "{:?}", sim.trace);
        assert_eq!(sim.unkey.live.is_some(), successors, "{:?}", sim.trace);
    }
}

#[test]
fn gone_and_unkey_fails() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.vanish_before_status = true;
    let end = sim.reconcile_with(&fates(&[Fate::Fine, Fate::Refused(Cause::Unauthorized("expired".to_owned()))]));
    assert!(matches!(end, End::Wait(Wake::At(_)) | End::Done), "{end:?} {:?}", sim.trace);
}

#[test]
fn s37_gone_with_two_creates_on_their_way() {
    // The one that was answered is deleted, by this process or by another; then the first one lands.
    for by_another in [false, true] {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.reconcile_with(&fates(&[Fate::Late(ms(29_000))]));
        sim.sleep(ms(1_500));
        sim.vanish_before_status = true;
        let meanwhile = by_another.then_some((2, Act::StrangerDeletes));
        assert!(matches!(sim.reconcile_with(&Script { meanwhile, ..Script::default() }), End::Wait(Wake::At(_))));
        assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{:?}", sim.trace);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.unkey.live.is_none(), "{:?}", sim.trace);
        assert_eq!(sim.unkey.accepted_creates, 2);
    }
}

#[test]
fn remade_by_the_application_after_our_delete_is_left_alone() {
    // A create in doubt forces a look after the delete; what it finds is the application's.
    for stored in [B, r#""meta":{}"#] {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.reconcile_with(&fates(&[Fate::LostBefore]));
        sim.sleep(ms(2_000));
        sim.reconcile();
        assert!(sim.record().held.is_some(), "{:?}", sim.trace);
        sim.act(&Act::Delete);
        sim.reconcile();
        assert!(sim.unkey.live.is_none(), "{:?}", sim.trace);
        sim.act(&Act::StrangerMakes(content(stored)));
        assert_eq!(sim.settle(), End::Done);
        assert_eq!(sim.unkey.live.as_ref().map(|live| &live.maker), Some(&Maker::Stranger), "{:?}", sim.trace);
    }
}

/// The create of a process that died may land for as long as an attempt lasts, and be hidden for a window after that.
#[test]
fn s66_after_a_restart_a_deletion_that_is_long_ago_waits_for_nothing() {
    let long = DEADLINE + WINDOW + ms(20_000);
    for (ago, at_once) in [(long, true), (long.saturating_sub(ms(1)), false), (Duration::ZERO, false)] {
        // Recorded, and blocked when the process died.
        let mut sim = synced(A);
        sim.unkey.masks = false;
        sim.act(&Act::Rights(Rights { delete: false, ..Rights::ALL }));
        sim.act(&Act::Delete);
        sim.reconcile();
        assert_eq!(sim.record().shown.reason, Some(Reason::DeletionBlocked));
        let deleted = sim.thing.as_ref().unwrap().deleted.unwrap();
        sim.sleep((deleted + ago).saturating_sub(sim.now));
        sim.act(&Act::Rights(Rights::ALL));
        sim.restart();
        sim.taken();
        let end = sim.reconcile();
        assert_eq!((end == End::Done, sim.thing.is_none()), (at_once, at_once), "{ago:?} ago: {:?}", sim.trace);
        if at_once {
            assert_eq!(sim.taken(), ["Read", "Refresh", "Delete", "Release Deleted"]);
        }
        assert_eq!(sim.settle(), if at_once { End::NoObject } else { End::Done });
        assert!(sim.thing.is_none() && sim.unkey.live.is_none(), "{ago:?}");
    }
}

/// The same of one whose id no status shows: gone already, or never made.
#[test]
fn s66_after_a_restart_what_is_absent_and_was_deleted_long_ago_is_let_go() {
    for made in [false, true] {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        // It dies after the claim, or after the create.
        sim.reconcile_with(&dies(usize::from(made)));
        sim.act(&Act::Delete);
        sim.sleep(DEADLINE + WINDOW + ms(20_000));
        sim.restart();
        sim.taken();
        assert_eq!(sim.reconcile(), End::Done);
        let expected: &[&str] =
            if made { &["Read", "Refresh", "Delete", "Release Deleted"] } else { &["Read", "Look", "Release Gone"] };
        assert_eq!(sim.taken(), expected, "made {made}");
        assert!(sim.thing.is_none() && sim.unkey.live.is_none());
    }
}

/// The answer to a claim is lost: that is no create of another process, and what was there before is nobody's own.
#[test]
fn r7_what_was_there_before_stays_though_the_answer_to_the_claim_is_lost() {
    for spec in [A, B] {
        let mut sim = Sim::new();
        sim.unkey.stranger_makes(sim.now, content(A));
        sim.apply(wish(spec));
        assert_eq!(sim.reconcile_with(&Script { drop_after: Some(0), ..Script::default() }), End::Cut);
        assert_eq!(sim.taken(), ["Claim"]);
        // The create is answered "exists", and the reconcile ends before what exists is looked at.
        assert_eq!(sim.reconcile_with(&Script { drop_after: Some(2), ..Script::default() }), End::Cut);
        assert_eq!(sim.taken(), ["Refresh", "Create", "Read"]);
        sim.act(&Act::Delete);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.thing.is_none());
        assert_eq!(sim.unkey.live.as_ref().map(|live| &live.maker), Some(&Maker::Stranger), "{:?}", sim.trace);
    }
}

/// R19: a root key without the permission to read hides it, and what it may delete by its id it deletes.
#[test]
fn what_was_given_up_unseen_is_deleted_by_its_id() {
    let mut sim = synced(A);
    sim.act(&Act::Rights(Rights { get: false, list: false, ..Rights::ALL }));
    sim.sleep(2 * WINDOW);
    sim.act(&Act::ReconcileRequest);
    sim.go_on();
    assert!(sim.thing.as_ref().unwrap().claim.as_ref().unwrap().contains("id_"), "it gives the id up: {:?}", sim.trace);
    sim.act(&Act::Delete);
    sim.settle();
    assert!(sim.thing.is_none() && sim.unkey.live.is_none(), "{:?}", sim.trace);
}
