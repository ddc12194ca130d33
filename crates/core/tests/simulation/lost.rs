//! Answers that are lost, processes that die, futures that are dropped, caches that are behind.

use std::time::Duration;

use unkey_operator_api::Origin;
use unkey_operator_core::{EventNote, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW, ms};

pub const NEVER: &str = r#""meta":{"plan":"a"},"adoptionPolicy":"Never""#;

pub fn fates(fates: &[Fate]) -> Script {
    Script { fates: fates.to_vec(), ..Script::default() }
}

/// The first create is on its way for 29 s; the second one was accepted.
fn two_creates() -> Sim {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&fates(&[Fate::Late(ms(29_000))]));
    sim.sleep(ms(1_500));
    sim.reconcile();
    sim
}

#[test]
fn a_create_whose_answer_is_lost_is_our_own() {
    for spec in [A, NEVER] {
        let mut sim = Sim::new();
        sim.apply(wish(spec));
        let look = if spec == NEVER { vec![Fate::Fine] } else { vec![] };
        sim.reconcile_with(&fates(&[look, vec![Fate::LostAfter]].concat()));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "{:?}", sim.trace);
        assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Created));
        assert_eq!(sim.unkey.accepted_creates, 1);
    }
}

#[test]
fn what_a_settled_read_proved_is_not_forgotten_when_the_reconcile_is_cut() {
    // The lost create is proven to be ours; then the reconcile ends before that is recorded.
    for cut in 0..1 {
        let mut sim = Sim::new();
        sim.apply(wish(NEVER));
        sim.reconcile_with(&fates(&[Fate::Fine, Fate::LostAfter]));
        sim.sleep(ms(2_000));
        sim.reconcile();
        assert_eq!(sim.taken(), ["Read", "Claim", "Create", "Refresh", "Create"]);
        sim.sleep(2 * WINDOW);
        // Dropped as the read is answered it is read again; dropped after that, its proof still stands.
        sim.kube_fails_after = Some(cut);
        sim.reconcile();
        assert_eq!(sim.taken()[0], "Read");
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "cut {cut}: {:?}", sim.trace);
    }
}

#[test]
fn a_lost_delete_of_our_own_lost_create_is_repeated() {
    let mut sim = Sim::new();
    sim.apply(wish(NEVER));
    sim.reconcile_with(&fates(&[Fate::Fine, Fate::LostAfter]));
    sim.act(&Act::Delete);
    for _ in 0..40 {
        // Reads are fine, deletes are lost before they take effect.
        let script = fates(&[Fate::Fine, Fate::LostBefore]);
        match sim.reconcile_with(&script) {
            End::Wait(Wake::At(at)) => sim.sleep(sim.mono().until(at) + ms(1)),
            End::Done => break,
            other => panic!("{other:?}"),
        }
        if sim.trace.iter().filter(|step| *step == "Delete").count() > 1 {
            break;
        }
    }
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{:?}", sim.trace);
}

#[test]
fn a_spec_that_changes_while_its_create_is_in_doubt() {
    for fate in [Fate::LostBefore, Fate::LostAfter, Fate::Late(ms(25_000)), Fate::EndedBefore, Fate::EndedAfter] {
        for spec in [B, r#""meta":{"plan":"b"},"adoptionPolicy":"Never""#] {
            let mut sim = Sim::new();
            sim.apply(wish(A));
            sim.reconcile_with(&fates(std::slice::from_ref(&fate)));
            sim.apply(wish(spec));
            assert_eq!(sim.settle(), End::Done);
            assert!(sim.ready(), "{fate:?} {spec}: {:?}", sim.trace);
            assert_eq!(sim.unkey.accepted_creates, 1, "{fate:?}");
            assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
        }
    }
}

#[test]
fn a_5xx_of_unkey_ends_the_attempt_and_the_next_200_settles_it() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.reconcile_with(&fates(&[Fate::EndedBefore]));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Create", "Refresh", "Create", "Status Synced"]);
    sim.sleep(2 * WINDOW);
    sim.apply(wish(B));
    sim.reconcile_with(&fates(&[Fate::EndedAfter]));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Update", "Refresh", "Update", "Status Synced"], "no settled read is owed");
}

#[test]
fn s19_an_update_that_lands_after_its_successor() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.apply(wish(B));
    sim.reconcile_with(&fates(&[Fate::Late(ms(20_000))]));
    sim.sleep(ms(2_000));
    let c = r#""meta":{"plan":"c"}"#;
    sim.apply(wish(c));
    sim.reconcile();
    assert!(!sim.ready(), "Ready is held while an attempt is open");
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(c), "{:?}", sim.trace);
    assert!(matches!(sim.notes.as_slice(), [EventNote::DriftCorrected(_)]), "{:?}", sim.notes);
}

#[test]
fn s19_only_what_the_late_update_changed_is_set_right() {
    let spec = |plan: &str, limit: u32| {
        format!(r#""meta":{{"plan":"{plan}"}},"ratelimits":[{{"name":"req","limit":{limit},"duration":1000}}]"#)
    };
    let mut sim = synced(&spec("a", 10));
    sim.sleep(2 * WINDOW);
    sim.apply(wish(&spec("b", 20)));
    sim.reconcile_with(&fates(&[Fate::Late(ms(20_000))]));
    sim.sleep(ms(2_000));
    sim.apply(wish(&spec("c", 20)));
    sim.reconcile();
    sim.taken();
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Refresh", "Update", "Status Synced"]);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(&spec("c", 20)));
}

#[test]
fn s37_the_first_create_lands_after_the_second_was_deleted() {
    for restart in [false, true] {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.reconcile_with(&fates(&[Fate::Late(ms(29_000))]));
        sim.sleep(ms(1_500));
        assert!(matches!(sim.reconcile(), End::Wait(Wake::At(_))));
        assert_eq!(sim.taken(), ["Claim", "Create", "Refresh", "Create", "Status Progressing"]);
        sim.act(&Act::Delete);
        if restart {
            sim.restart();
        }
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.unkey.live.is_none(), "restart {restart}: {:?}", sim.trace);
        assert_eq!(sim.unkey.accepted_creates, 2);
    }
}

#[test]
fn s11_recreated_crashed_deleted_with_the_old_id_in_the_status() {
    for spec in [A, NEVER] {
        let mut sim = synced(spec);
        sim.sleep(2 * WINDOW);
        sim.act(&Act::StrangerDeletes);
        sim.act(&Act::ReconcileRequest);
        sim.reconcile();
        sim.sleep(WINDOW);
        // Read, Claim, Create: and the process dies as that took effect.
        assert_eq!(sim.reconcile_with(&Script { crash_after: Some(2), ..Script::default() }), End::Cut);
        assert!(sim.unkey.live.is_some(), "{:?}", sim.trace);
        sim.act(&Act::Delete);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{:?}", sim.trace);
    }
}

#[test]
fn limits_that_a_5xx_or_a_predecessor_sent_count_as_sent() {
    let limit = |n: u32| wish(&format!(r#""ratelimits":[{{"name":"req-{n}","limit":1,"duration":1000}}]"#));
    for predecessor in [false, true] {
        let mut sim = synced(A);
        sim.sleep(2 * WINDOW);
        sim.unkey.lag = ms(15_000);
        sim.apply(limit(1));
        if predecessor {
            sim.reconcile();
            sim.restart();
        } else {
            sim.reconcile_with(&fates(&[Fate::EndedAfter]));
        }
        sim.apply(limit(2));
        // Checked: Ready is not true while Unkey holds both.
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready());
        assert_eq!(sim.unkey.live.as_ref().unwrap().content.limits.as_map().len(), 1, "{:?}", sim.trace);
    }
}

#[test]
fn s37_the_first_create_lands_after_a_stranger_deleted_the_second() {
    for spec in [B, r#""meta":{"plan":"b"},"adoptionPolicy":"Never""#] {
        let mut sim = two_creates();
        sim.act(&Act::StrangerDeletes);
        sim.apply(wish(spec));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "{:?}", sim.trace);
        assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Created));
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
    }
}

#[test]
fn s37_the_first_create_lands_and_the_second_is_gone_before_the_first_look() {
    let mut sim = two_creates();
    sim.act(&Act::Wish(wish(&format!(r#"{A},"suspend":true"#))));
    sim.act(&Act::StrangerDeletes);
    sim.sleep(4 * WINDOW);
    sim.settle();
    assert!(sim.unkey.live.is_some(), "{:?}", sim.trace);
    // Resumed and deleted at once: the recorded id answers 404, which says nothing of what the first create made.
    sim.act(&Act::Wish(wish(A)));
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{:?}", sim.trace);
}

#[test]
fn s37_the_late_create_is_found_and_the_reconcile_ends_before_it_is_deleted() {
    for spec in [A, NEVER] {
        let mut sim = Sim::new();
        sim.apply(wish(spec));
        let look = if spec == NEVER { vec![Fate::Fine] } else { vec![] };
        sim.reconcile_with(&fates(&[look, vec![Fate::Late(ms(29_000))]].concat()));
        sim.sleep(ms(1_500));
        sim.reconcile();
        sim.act(&Act::Delete);
        sim.reconcile();
        sim.sleep(4 * WINDOW);
        // The settled look clears the doubt; then the API server does not answer.
        sim.kube_fails_after = Some(0);
        assert_eq!(sim.reconcile(), End::Cut);
        assert!(sim.unkey.live.is_some(), "{:?}", sim.trace);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{:?}", sim.trace);
    }
}

#[test]
fn a_create_that_no_status_shows_and_that_is_gone_when_its_object_is_deleted() {
    for spec in [A, NEVER] {
        let mut sim = Sim::new();
        sim.apply(wish(spec));
        // Claimed and created; then the API server does not answer.
        sim.kube_fails_after = Some(1);
        assert_eq!(sim.reconcile(), End::Cut);
        sim.act(&Act::StrangerDeletes);
        sim.act(&Act::Delete);
        sim.sleep(2 * WINDOW);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.thing.is_none(), "{:?}", sim.trace);
        let reads = sim.trace.iter().filter(|step| *step == "Read").count();
        assert!(reads <= 2, "{:?}", sim.trace);
    }
}

#[test]
fn what_a_settled_read_contradicts_is_not_taken_for_accepted_later() {
    let mut sim = synced(A);
    // Accepted, but no status shows it; then taken back by an update whose answer is lost, and whose repetition meets a replica that
    // does not know the identity yet.
    sim.apply(wish(B));
    sim.kube_fails_after = Some(1);
    assert_eq!(sim.reconcile(), End::Cut);
    sim.apply(wish(A));
    sim.reconcile_with(&fates(&[Fate::LostAfter]));
    sim.unkey.lag = WINDOW.saturating_sub(ms(1));
    sim.sleep(ms(2_000));
    sim.reconcile();
    sim.unkey.lag = Duration::ZERO;
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    sim.apply(wish(B));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B), "{:?}", sim.trace);
}

#[test]
fn s37_the_late_create_stays_known_though_the_spec_is_edited_before_the_dead_id_is_given_up() {
    for spec in [B, r#""meta":{"plan":"b"},"adoptionPolicy":"Never""#] {
        let mut sim = two_creates();
        sim.act(&Act::StrangerDeletes);
        sim.sleep(ms(29_000) + 2 * WINDOW);
        sim.taken();
        // The edit comes right before the claim: the patch is refused, and the object looked at again.
        sim.reconcile_with(&Script { meanwhile: Some((1, Act::Wish(wish(spec)))), ..Script::default() });
        assert_eq!(sim.taken()[..3], ["Read", "Refresh", "Claim"]);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "{:?}", sim.trace);
        assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Created));
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
    }
}

#[test]
fn s37_of_two_lives_with_a_create_in_doubt_neither_hides_the_other() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    // A process claims and dies; the next one sees the claim, and the object is taken away by hand.
    sim.reconcile_with(&Script { crash_after: Some(0), ..Script::default() });
    sim.act(&Act::Delete);
    sim.reconcile_with(&Script { meanwhile: Some((0, Act::Strip)), ..Script::default() });
    assert!(sim.thing.is_none(), "{:?}", sim.trace);
    // The successor's first create is late, and its second one deleted again.
    sim.apply(wish(A));
    sim.reconcile_with(&fates(&[Fate::Late(ms(29_000))]));
    sim.sleep(ms(1_500));
    sim.reconcile();
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{:?}", sim.trace);
}
