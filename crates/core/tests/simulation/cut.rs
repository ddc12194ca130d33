//! Flows cut after every step, and processes that follow on others.

use unkey_operator_core::Knowledge;

use crate::lost::{NEVER, fates};
use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW, ms};

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
            let cut = sim.reconcile_with(&script) == End::Cut;
            sim.settle();
            let case = format!("crash {crash}, after step {step}, cut {cut}: {:?}", sim.trace);
            end(&sim, &case);
            sim.taken();
            sim.sleep(3 * WINDOW);
            sim.reconcile();
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
fn s35_a_process_that_woke_up_late_finds_a_claim_it_did_not_put_on() {
    // This process saw the object before it was claimed. Another one claims and creates, and loses the answer.
    let mut sim = Sim::new();
    sim.apply(wish(NEVER));
    sim.reconcile_with(&Script { drop_after: Some(0), ..Script::default() });
    let paused = std::mem::take(&mut sim.process);
    sim.restart();
    sim.reconcile_with(&fates(&[Fate::Fine, Fate::Late(ms(20_000))]));
    sim.process = paused;
    sim.process.known = Knowledge::default();
    sim.settle();
    assert!(sim.ready(), "{:?}", sim.trace);
    // Or it is deleted: then the create that is on its way must not be left behind.
    let mut sim = Sim::new();
    sim.apply(wish(NEVER));
    sim.reconcile_with(&Script { drop_after: Some(0), ..Script::default() });
    let paused = std::mem::take(&mut sim.process);
    sim.restart();
    sim.reconcile_with(&fates(&[Fate::Fine, Fate::Late(ms(20_000))]));
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
        let end = sim.reconcile_with(&Script { stale, ..Script::default() });
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
        sim.reconcile_with(&Script { meanwhile: Some((step, Act::Wish(wish(B)))), ..Script::default() });
        sim.apply(wish(B));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready());
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B), "{step}: {:?}", sim.trace);
        let mut sim = Sim::new();
        sim.apply(wish(A));
        sim.reconcile_with(&Script { meanwhile: Some((step, Act::Delete)), ..Script::default() });
        sim.act(&Act::Delete);
        sim.settle();
        assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{step}: {:?}", sim.trace);
    }
}

#[test]
fn s07_a_new_leaders_cache_is_behind_and_its_predecessor_has_an_update_on_its_way() {
    let mut sim = synced(A);
    sim.apply(wish(B));
    sim.reconcile_with(&fates(&[Fate::Late(ms(20_000))]));
    sim.restart();
    // It first sees generation 1, at rest; then the truth. Checked: never Ready while that update may land.
    sim.reconcile_with(&Script { stale: 3, ..Script::default() });
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B), "{:?}", sim.trace);
}

#[test]
fn an_update_cut_short_by_a_suspension_and_a_restart_is_not_forgotten() {
    let bad = crate::sim::Wish { invalid: true, ..wish(B) };
    let suspended = wish(&format!(r#"{B},"suspend":true"#));
    for pause in [suspended, bad] {
        let mut sim = synced(A);
        sim.apply(wish(B));
        sim.reconcile_with(&fates(&[Fate::LostAfter]));
        sim.apply(pause);
        sim.settle();
        sim.restart();
        sim.sleep(WINDOW);
        sim.taken();
        sim.reconcile();
        assert!(sim.taken().is_empty(), "R12 at restart");
        // Back to what the status says was accepted, which it no longer is.
        sim.apply(wish(A));
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready());
        assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(A), "{:?}", sim.trace);
    }
}
