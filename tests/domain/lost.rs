//! Answers that are lost, processes that die, futures that are dropped, caches that are behind.

use unkey_operator::api::Origin;
use unkey_operator::domain::{Knowledge, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW};

const NEVER: &str = r#""meta":{"plan":"a"},"adoptionPolicy":"Never""#;

fn fates(fates: &[Fate]) -> Script {
    Script { fates: fates.to_vec(), ..Script::default() }
}

#[test]
fn a_create_whose_answer_is_lost_is_our_own() {
    for spec in [A, NEVER] {
        let mut sim = Sim::new();
        sim.apply(wish(spec));
        let look = if spec == NEVER { vec![Fate::Fine] } else { vec![] };
        sim.pass_with(&fates(&[look, vec![Fate::LostAfter]].concat()));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "{:?}", sim.trace);
        assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Created));
        assert_eq!(sim.unkey.accepted_creates, 1);
    }
}

#[test]
fn what_a_settled_read_proved_is_not_forgotten_when_the_pass_is_cut() {
    // The lost create is proven to be ours; then the pass ends before that is recorded.
    for cut in 0..1 {
        let mut sim = Sim::new();
        sim.apply(wish(NEVER));
        sim.pass_with(&fates(&[Fate::Fine, Fate::LostAfter]));
        sim.sleep(2_000);
        sim.pass();
        assert_eq!(sim.taken(), ["Read", "Claim", "Create", "Refresh", "Create"]);
        sim.sleep(2 * WINDOW);
        // Dropped as the read is answered it is read again; dropped after that, its proof still stands.
        sim.kube_fails_after = Some(cut);
        sim.pass();
        assert_eq!(sim.taken()[0], "Read");
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "cut {cut}: {:?}", sim.trace);
    }
}

#[test]
fn a_lost_delete_of_our_own_lost_create_is_repeated() {
    let mut sim = Sim::new();
    sim.apply(wish(NEVER));
    sim.pass_with(&fates(&[Fate::Fine, Fate::LostAfter]));
    sim.act(&Act::Delete);
    for _ in 0..40 {
        // Reads are fine, deletes are lost before they take effect.
        let script = fates(&[Fate::Fine, Fate::LostBefore]);
        match sim.pass_with(&script) {
            End::Wait(Wake::At(at)) => sim.sleep(at.0.saturating_sub(sim.mono().0) + 1),
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
    for fate in [Fate::LostBefore, Fate::LostAfter, Fate::Late(25_000), Fate::EndedBefore, Fate::EndedAfter] {
        for spec in [B, r#""meta":{"plan":"b"},"adoptionPolicy":"Never""#] {
            let mut sim = Sim::new();
            sim.apply(wish(A));
            sim.pass_with(&fates(std::slice::from_ref(&fate)));
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
    sim.pass_with(&fates(&[Fate::EndedBefore]));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Create", "Refresh", "Create", "Status Synced"]);
    sim.sleep(2 * WINDOW);
    sim.apply(wish(B));
    sim.pass_with(&fates(&[Fate::EndedAfter]));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Refresh", "Update", "Refresh", "Update", "Status Synced"], "no settled read is owed");
}

#[test]
fn s19_an_update_that_lands_after_its_successor() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.apply(wish(B));
    sim.pass_with(&fates(&[Fate::Late(20_000)]));
    sim.sleep(2_000);
    let c = r#""meta":{"plan":"c"}"#;
    sim.apply(wish(c));
    sim.pass();
    assert!(!sim.ready(), "Ready is held while an attempt is open");
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(c), "{:?}", sim.trace);
}

#[test]
fn s37_the_first_create_lands_after_the_second_was_deleted() {
    for restart in [false, true] {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.pass_with(&fates(&[Fate::Late(29_000)]));
        sim.sleep(1_500);
        assert!(matches!(sim.pass(), End::Wait(Wake::At(_))));
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

/// Cuts a flow after every step, by a crash or a dropped future, and lets it go on.
fn cut_everywhere(start: impl Fn() -> Sim, end: impl Fn(&Sim, &str)) {
    for crash in [true, false] {
        for step in 0..8 {
            let mut sim = start();
            let script = Script {
                crash_after: crash.then_some(step),
                drop_after: (!crash).then_some(step),
                ..Script::default()
            };
            let cut = sim.pass_with(&script) == End::Cut;
            sim.settle();
            let case = format!("crash {crash}, after step {step}, cut {cut}: {:?}", sim.trace);
            end(&sim, &case);
            sim.taken();
            sim.sleep(3 * WINDOW);
            sim.pass();
            assert!(sim.taken().is_empty(), "R12: {case}");
        }
    }
}

#[test]
fn s33_a_create_cut_after_every_step() {
    for spec in [A, NEVER, r#""suspend":false"#] {
        let start = || {
            let mut sim = Sim::new();
            sim.apply(wish(spec));
            sim
        };
        cut_everywhere(start, |sim, case| {
            assert!(sim.ready(), "{case}");
            assert_eq!(sim.unkey.accepted_creates, 1, "{case}");
            assert!(sim.unkey.live.is_some(), "{case}");
        });
    }
}

#[test]
fn s33_an_update_cut_after_every_step() {
    let start = || {
        let mut sim = synced(A);
        sim.sleep(2 * WINDOW);
        sim.apply(wish(B));
        sim
    };
    cut_everywhere(start, |sim, case| {
        assert!(sim.ready(), "{case}");
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B), "{case}");
        assert!(sim.unkey.accepted_updates <= 2, "{case}");
    });
}

#[test]
fn s33_a_deletion_cut_after_every_step() {
    for spec in [A, NEVER] {
        let start = || {
            let mut sim = synced(spec);
            sim.act(&Act::Delete);
            sim
        };
        cut_everywhere(start, |sim, case| {
            assert!(sim.thing.is_none() && sim.unkey.live.is_none(), "{case}");
        });
    }
}

#[test]
fn s11_recreated_crashed_deleted_with_the_old_id_in_the_status() {
    for spec in [A, NEVER] {
        let mut sim = synced(spec);
        sim.sleep(2 * WINDOW);
        sim.act(&Act::StrangerDeletes);
        sim.act(&Act::Poke);
        sim.pass();
        sim.sleep(WINDOW);
        // Read, Claim, Create: and the process dies as that took effect.
        assert_eq!(sim.pass_with(&Script { crash_after: Some(2), ..Script::default() }), End::Cut);
        assert!(sim.unkey.live.is_some(), "{:?}", sim.trace);
        sim.act(&Act::Delete);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{:?}", sim.trace);
    }
}

#[test]
fn s35_a_process_that_woke_up_late_finds_a_claim_it_did_not_put_on() {
    // This process saw the object before it was claimed. Another one claims and creates, and loses the answer.
    let mut sim = Sim::new();
    sim.apply(wish(NEVER));
    sim.pass_with(&Script { drop_after: Some(0), ..Script::default() });
    let paused = std::mem::take(&mut sim.process);
    sim.restart();
    sim.pass_with(&fates(&[Fate::Fine, Fate::Late(20_000)]));
    sim.process = paused;
    sim.process.known = Knowledge::default();
    sim.settle();
    assert!(sim.ready(), "{:?}", sim.trace);
    // Or it is deleted: then the create that is on its way must not be left behind.
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.pass_with(&Script { meanwhile: Some((0, Act::Poke)), ..Script::default() });
    let mut sim = Sim::new();
    sim.apply(wish(NEVER));
    sim.pass_with(&Script { drop_after: Some(0), ..Script::default() });
    let paused = std::mem::take(&mut sim.process);
    sim.restart();
    sim.pass_with(&fates(&[Fate::Fine, Fate::Late(20_000)]));
    sim.process = paused;
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.unkey.live.is_none(), "{:?}", sim.trace);
}

#[test]
fn s41_a_cache_that_is_behind_costs_a_look_and_nothing_else() {
    let mut sim = synced(A);
    sim.apply(wish(B));
    sim.settle();
    sim.taken();
    for stale in 1..6 {
        let end = sim.pass_with(&Script { stale, ..Script::default() });
        assert_eq!(end, End::Done, "{stale}: {:?}", sim.trace);
        assert_eq!(sim.unkey.accepted_creates, 1);
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B), "S7");
        assert!(sim.ready());
        assert!(sim.taken().iter().all(|step| step == "Refresh"), "{stale}");
    }
}

#[test]
fn edits_between_any_two_steps_end_at_the_last() {
    for step in 0..6 {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.pass_with(&Script { meanwhile: Some((step, Act::Wish(wish(B)))), ..Script::default() });
        sim.apply(wish(B));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready());
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B), "{step}: {:?}", sim.trace);
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.pass_with(&Script { meanwhile: Some((step, Act::Delete)), ..Script::default() });
        sim.act(&Act::Delete);
        sim.settle();
        assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{step}: {:?}", sim.trace);
    }
}

#[test]
fn s07_a_new_leaders_cache_is_behind_and_its_predecessor_has_an_update_on_its_way() {
    let mut sim = synced(A);
    sim.apply(wish(B));
    sim.pass_with(&fates(&[Fate::Late(20_000)]));
    sim.restart();
    // It first sees generation 1, at rest; then the truth. Checked: never Ready while that update may land.
    sim.pass_with(&Script { stale: 3, ..Script::default() });
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B), "{:?}", sim.trace);
}

#[test]
fn limits_that_a_5xx_or_a_predecessor_sent_count_as_sent() {
    let limit = |n: u32| wish(&format!(r#""ratelimits":[{{"name":"req-{n}","limit":1,"duration":1000}}]"#));
    for predecessor in [false, true] {
        let mut sim = synced(A);
        sim.sleep(2 * WINDOW);
        sim.unkey.lag = 15_000;
        sim.apply(limit(1));
        if predecessor {
            sim.pass();
            sim.restart();
        } else {
            sim.pass_with(&fates(&[Fate::EndedAfter]));
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
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.pass_with(&fates(&[Fate::Late(29_000)]));
        sim.sleep(1_500);
        sim.pass();
        sim.act(&Act::StrangerDeletes);
        sim.apply(wish(spec));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "{:?}", sim.trace);
        assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Created));
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
    }
}

#[test]
fn an_update_cut_short_by_a_suspension_and_a_restart_is_not_forgotten() {
    let bad = crate::sim::Wish { invalid: true, ..wish(B) };
    let suspended = wish(&format!(r#"{B},"suspend":true"#));
    for pause in [suspended, bad] {
        let mut sim = synced(A);
        sim.apply(wish(B));
        sim.pass_with(&fates(&[Fate::LostAfter]));
        sim.apply(pause);
        sim.settle();
        sim.restart();
        sim.sleep(WINDOW);
        sim.taken();
        sim.pass();
        assert!(sim.taken().is_empty(), "R12 at restart");
        // Back to what the status says was accepted, which it no longer is.
        sim.apply(wish(A));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready());
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(A), "{:?}", sim.trace);
    }
}
