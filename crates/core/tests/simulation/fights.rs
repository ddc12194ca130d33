//! R16: what comes back after three corrections, and what Unkey cannot process, is tried once an hour.

use std::time::Duration;

use unkey_operator_api::Reason;
use unkey_operator_core::{Cause, Wake};

use crate::sim::{Act, End, Script, Sim, Thing, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW, ms};

const HOUR: Duration = ms(3_600_000);

/// Another writer puts `spec` there, and a reconcile request has it looked at.
fn overwritten(sim: &mut Sim, spec: &str) -> End {
    sim.sleep(2 * WINDOW);
    sim.unkey.stranger_writes(sim.now, content(spec));
    sim.act(&Act::ReconcileRequest);
    sim.taken();
    sim.reconcile()
}

fn contested() -> Sim {
    let mut sim = synced(A);
    for _ in 0..3 {
        assert_eq!(overwritten(&mut sim, B), End::Done);
        assert_eq!(sim.taken(), ["Read", "Refresh", "Update", "Status Synced"]);
    }
    let began = sim.mono();
    let End::Wait(Wake::At(at)) = overwritten(&mut sim, B) else { panic!("{:?}", sim.trace) };
    assert_eq!(sim.taken(), ["Read", "Status NotConverging"]);
    assert!(at > began && at <= began.after(HOUR), "{at:?}");
    assert!(sim.record().shown.stalled && !sim.record().shown.ready);
    sim
}

#[test]
fn s21_after_three_corrections_at_most_one_an_hour() {
    let mut sim = contested();
    for _ in 0..5 {
        // Whatever wakes it: neither a call nor a write.
        sim.sleep(ms(60_000));
        assert!(matches!(sim.reconcile(), End::Wait(_)));
        assert!(sim.taken().is_empty());
    }
    for _ in 0..3 {
        sim.sleep(HOUR);
        assert_eq!(sim.reconcile(), End::Done);
        assert_eq!(sim.taken(), ["Read", "Refresh", "Update", "Status Synced"]);
        assert!(matches!(overwritten(&mut sim, B), End::Wait(_)));
        assert_eq!(sim.taken(), ["Read", "Status NotConverging"]);
    }
}

#[test]
fn s21_another_identity_in_its_place_is_no_part_of_the_fight() {
    let mut sim = synced(r#""meta":{"plan":"a"},"adoptionPolicy":"Always""#);
    for _ in 0..3 {
        assert_eq!(overwritten(&mut sim, B), End::Done);
    }
    sim.sleep(2 * WINDOW);
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::StrangerMakes(content(B)));
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready(), "{:?}", sim.trace);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(A));
}

#[test]
fn s21_a_restart_is_no_reason_to_go_on_fighting() {
    let mut sim = contested();
    sim.restart();
    for wait in [Duration::ZERO, 2 * WINDOW, HOUR.saturating_sub(2 * WINDOW + ms(1))] {
        sim.sleep(wait);
        assert!(matches!(sim.reconcile(), End::Wait(Wake::At(_))));
        assert!(sim.taken().is_empty());
    }
    sim.sleep(ms(1));
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Refresh", "Update", "Status Synced"]);
}

#[test]
fn s21_a_new_generation_ends_the_truce() {
    let mut sim = contested();
    sim.apply(wish(r#""meta":{"plan":"third"}"#));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(r#""meta":{"plan":"third"}"#));
}

#[test]
fn s21_when_the_other_writer_gives_in_it_is_ready_without_a_write_to_unkey() {
    let mut sim = contested();
    sim.unkey.stranger_writes(sim.now, content(A));
    sim.sleep(HOUR);
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Synced"]);
}

#[test]
fn other_differences_are_no_fight() {
    let mut sim = synced(A);
    for n in 0..6 {
        assert_eq!(overwritten(&mut sim, &format!(r#""meta":{{"plan":"x{n}"}}"#)), End::Done);
        assert!(sim.ready(), "{n}");
    }
}

fn broken(sim: &mut Sim, thrives: bool) -> (usize, End) {
    let mut sent = 0;
    for _ in 0..40 {
        if thrives {
            sim.thrives = Some(sim.mono());
        }
        // A delete is repeated after a read only (R6), and that succeeds.
        let looks_first = sim.thing.as_ref().is_some_and(Thing::is_deleting) && sent > 0;
        let looks = vec![Fate::Fine; usize::from(looks_first)];
        let fates = [looks, vec![Fate::EndedBefore]].concat();
        let end = sim.reconcile_with(&Script { fates, ..Script::default() });
        sent += sim.taken().iter().filter(|step| ["Create", "Update", "Delete"].contains(&step.as_str())).count();
        let End::Wait(Wake::At(at)) = end else { return (sent, end) };
        let wait = sim.mono().until(at);
        if wait > HOUR / 2 {
            return (sent, end);
        }
        sim.sleep(wait.max(ms(1)));
    }
    (sent, End::Done)
}

#[test]
fn s22_a_body_that_unkey_always_answers_with_500_is_tried_hourly() {
    let mut created = Sim::new();
    created.apply(wish(A));
    let mut updated = synced(A);
    updated.apply(wish(B));
    for mut sim in [created, updated] {
        let (sent, end) = broken(&mut sim, true);
        assert_eq!(sent, 5, "{end:?}");
        assert_eq!(sim.record().shown.reason, Some(Reason::NotConverging));
        sim.restart();
        assert_eq!(broken(&mut sim, true).0, 0, "a restart alone tries nothing");
        sim.sleep(HOUR);
        sim.thrives = Some(sim.mono());
        assert_eq!(broken(&mut sim, true).0, 1, "one an hour");
        sim.sleep(HOUR);
        sim.settle();
        assert!(sim.ready(), "{:?}", sim.record());
    }
}

#[test]
fn s22_with_unkey_down_for_all_it_is_nobodys_content() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    let (sent, _) = broken(&mut sim, false);
    assert!(sent > 20, "{sent}");
    assert_eq!(sim.record().shown.reason, Some(Reason::UpstreamUnavailable));
}

#[test]
fn s22_a_deletion_that_unkey_always_answers_with_500_says_so() {
    let mut sim = synced(A);
    sim.act(&Act::Delete);
    let (_, end) = broken(&mut sim, true);
    assert!(matches!(end, End::Wait(_)), "{end:?}");
    assert_eq!(sim.record().shown.reason, Some(Reason::DeletionBlocked));
    assert!(sim.says("internal error each time"), "{}", sim.record().shown.message);
    sim.sleep(HOUR);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
}

#[test]
fn s30_causes_that_alternate_are_one_status_write() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    let mut writes = 0;
    for n in 0..20 {
        let fate = if n % 2 == 0 { Fate::LostBefore } else { Fate::Refused(Cause::RateLimited) };
        let End::Wait(Wake::At(at)) = sim.reconcile_with(&Script { fates: vec![fate], ..Script::default() }) else {
            panic!("{:?}", sim.trace)
        };
        writes += sim.taken().iter().filter(|step| step.starts_with("Status")).count();
        sim.sleep(sim.mono().until(at));
    }
    assert_eq!(writes, 1);
    // What is there to stay is shown.
    for _ in 0..2 {
        let rate_limited = Fate::Refused(Cause::RateLimited);
        if let End::Wait(Wake::At(at)) = sim.reconcile_with(&Script { fates: vec![rate_limited], ..Script::default() })
        {
            sim.sleep(sim.mono().until(at));
        }
    }
    assert_eq!(sim.record().shown.reason, Some(Reason::RateLimited));
}

#[test]
fn r13_what_was_failing_is_spread_after_a_restart() {
    let mut sim = synced(A);
    sim.apply(wish(B));
    let refused = || Fate::Refused(Cause::Unauthorized("key_not_found".to_owned()));
    sim.reconcile_with(&Script { fates: vec![refused()], ..Script::default() });
    assert_eq!(sim.record().shown.reason, Some(Reason::Unauthorized));
    sim.taken();
    sim.policy.stagger = ms(100_000);
    sim.restart();
    let End::Wait(Wake::At(at)) = sim.reconcile() else { panic!("{:?}", sim.trace) };
    assert!(at.0 > 0 && at.0 < 100_000, "{at:?}");
    assert!(sim.taken().is_empty());
    sim.sleep(sim.mono().until(at));
    sim.settle();
    assert!(sim.ready());
    // What changes meanwhile does not wait.
    sim.apply(wish(A));
    sim.reconcile_with(&Script { fates: vec![refused()], ..Script::default() });
    sim.restart();
    sim.apply(wish(r#""meta":{"plan":"third"}"#));
    sim.taken();
    sim.reconcile();
    assert!(sim.taken().contains(&"Update".to_owned()));
}
