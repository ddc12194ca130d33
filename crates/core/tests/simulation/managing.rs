//! A field of an owned identity that becomes managed is looked at first (R18).

use unkey_operator_api::Origin;
use unkey_operator_core::{Content, EventNote, Field, Fields, Losses, Stall, Verdict, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW, ms};

pub const NOTHING: &str = r#""suspend":false"#;
const EMAIL: &str = r#""meta":{"email":"a@b.c","stripeCustomerId":"cus_1"}"#;
const PRO: &str = r#""meta":{"plan":"pro"}"#;
const LIMITS: &str = r#""ratelimits":[{"name":"req","limit":10,"duration":1000}]"#;
const FEWER: &str = r#""ratelimits":[{"name":"req","limit":5,"duration":1000}]"#;

/// An object that owns a stranger's identity and manages nothing of it.
pub fn adopted(stored: &str) -> Sim {
    let mut sim = Sim::new();
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(stored));
    sim.sleep(WINDOW);
    sim.apply(wish(NOTHING));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.record().held.as_ref().unwrap().origin, Some(Origin::Adopted));
    rested(sim)
}

/// Long after, so that a look is settled at once.
fn rested(mut sim: Sim) -> Sim {
    sim.sleep(2 * WINDOW);
    sim.taken();
    sim.notes.clear();
    sim
}

pub fn fields(sim: &Sim) -> &Fields {
    &sim.record().held.as_ref().expect("an identity").fields
}

fn holds(sim: &Sim) -> &Content {
    &sim.unkey.live.as_ref().expect("an identity").content
}

fn edited(sim: &mut Sim, spec: &str) -> Vec<String> {
    sim.apply(wish(spec));
    assert_eq!(sim.settle(), End::Done);
    sim.taken()
}

#[test]
fn every_policy_against_what_is_stored() {
    let stopped: &[&str] = &["Read", "Status WouldLose"];
    let written: &[&str] = &["Read", "Status Progressing", "Update", "Status Synced"];
    let equal: &[&str] = &["Read", "Status Synced"];
    let both = &format!("{EMAIL},{LIMITS}");
    let wide = r#""meta":{"email":"a@b.c","stripeCustomerId":"cus_1","plan":"pro"}"#;
    let (no_meta, no_limits) = (r#""meta":{}"#, r#""ratelimits":[]"#);
    for (stored, spec, lossless) in [
        (both.as_str(), PRO, false),
        (both, no_meta, false),
        (both, FEWER, false),
        (both, no_limits, false),
        (both, &format!("{wide},{FEWER}"), false),
        (both, wide, true),
        (EMAIL, LIMITS, true),
        (LIMITS, PRO, true),
        (LIMITS, &format!("{PRO},{LIMITS}"), true),
        (NOTHING, PRO, true),
    ] {
        for (policy, overwrites) in [("IfLossless", false), ("Never", false), ("Always", true)] {
            let mut sim = adopted(stored);
            let steps = edited(&mut sim, &format!(r#"{spec},"adoptionPolicy":"{policy}""#));
            let case = format!("{stored} becomes {spec} under {policy}");
            let goes = lossless || overwrites;
            assert_eq!(steps, if goes { written } else { stopped }, "{case}");
            assert_eq!(sim.ready(), goes, "{case}");
            if goes {
                let wanted = wish(spec);
                let named = [wanted.meta.is_some(), wanted.limits.is_some()];
                assert_eq!([fields(&sim).meta.is_managed(), fields(&sim).limits.is_managed()], named, "{case}");
                assert!(wanted.meta.is_none_or(|meta| holds(&sim).meta == meta), "{case}");
                assert!(wanted.limits.is_none_or(|limits| holds(&sim).limits == limits), "{case}");
            } else {
                assert_eq!(*holds(&sim), content(stored), "{case}");
                assert_eq!(*fields(&sim), Fields::default(), "{case}: nothing is managed");
            }
            sim.reconcile();
            sim.restart();
            sim.sleep(2 * WINDOW);
            sim.reconcile();
            assert_eq!(sim.taken(), [""; 0], "R12: {case}");
        }
    }
    // What is there already as the spec wants it is managed without a write.
    let mut sim = adopted(EMAIL);
    assert_eq!(edited(&mut sim, EMAIL), equal);
    assert_eq!(edited(&mut sim, PRO), ["Refresh", "Update", "Status Synced"], "managed, so no look");
}

#[test]
fn nothing_is_sent_while_one_field_would_lose_something() {
    let mut sim = rested(synced(A));
    sim.act(&Act::StrangerWrites(content(&format!("{A},{LIMITS}"))));
    assert_eq!(edited(&mut sim, &format!("{B},{FEWER}")), ["Read", "Status WouldLose"]);
    assert_eq!(*holds(&sim), content(&format!("{A},{LIMITS}")));
    assert!(fields(&sim).meta.is_managed() && !fields(&sim).limits.is_managed());
    // Of the managed one nothing was forgotten: without the other it goes on at once.
    assert_eq!(edited(&mut sim, B), ["Refresh", "Update", "Status Synced"]);
    assert!(sim.notes.is_empty(), "what was never managed is not released: {:?}", sim.notes);
}

#[test]
fn the_message_names_what_and_both_ways_out() {
    let mut sim = adopted(EMAIL);
    edited(&mut sim, PRO);
    let message = &sim.record().shown.message;
    assert!(sim.says("meta.email, meta.stripeCustomerId"), "{message}");
    assert!(!message.contains("a@b.c") && !message.contains("cus_1"), "no values: {message}");
    assert!(sim.says("Match the spec") && sim.says("adoptionPolicy to Always"), "{message}");
    assert!(Verdict::Stalled(Stall::WouldLose(Losses::default())).is_stalled());
}

#[test]
fn after_a_create_with_only_an_external_id_meta_is_not_managed() {
    let mut sim = rested(synced(NOTHING));
    assert_eq!(*fields(&sim), Fields::default());
    assert_eq!(edited(&mut sim, A), ["Read", "Status Progressing", "Update", "Status Synced"]);
    let mut sim = rested(synced(NOTHING));
    sim.act(&Act::StrangerWrites(content(EMAIL)));
    assert_eq!(edited(&mut sim, A), ["Read", "Status WouldLose"]);
    // Right after the create a look is not settled yet, and the update waits for one that is.
    let mut sim = synced(NOTHING);
    sim.apply(wish(A));
    let End::Wait(Wake::At(at)) = sim.reconcile() else { panic!("{:?}", sim.trace) };
    assert!(sim.mono().until(at) <= WINDOW, "{:?}", sim.trace);
    assert_eq!(sim.taken(), [""; 0]);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Progressing", "Update", "Status Synced"]);
}

#[test]
fn what_was_released_and_comes_back_is_looked_at() {
    let mut sim = rested(synced(A));
    assert_eq!(edited(&mut sim, NOTHING), ["Status Synced"]);
    assert!(matches!(sim.notes.as_slice(), [EventNote::Released { field: "meta" }]));
    assert_eq!(*fields(&sim), Fields::default());
    assert_eq!(edited(&mut sim, B), ["Read", "Status WouldLose"], "what was ours is what is stored");
    assert_eq!(edited(&mut sim, A), ["Read", "Status Synced"]);
    assert_eq!(edited(&mut sim, B), ["Refresh", "Update", "Status Synced"]);
    // Removed and back between two reconciles: nobody released it.
    sim.apply(wish(NOTHING));
    assert_eq!(edited(&mut sim, A), ["Refresh", "Update", "Status Synced"]);
}

/// R17: that an update was accepted which no status came to show is forgotten with the release.
#[test]
fn what_was_released_before_its_status_was_written_is_looked_at_too() {
    let mut sim = rested(synced(A));
    sim.apply(wish(B));
    // Refresh, Update, and the status is lost.
    sim.kube_fails_after = Some(1);
    assert_eq!(sim.reconcile(), End::Cut);
    assert_eq!(sim.taken(), ["Refresh", "Update"]);
    assert_eq!(edited(&mut sim, NOTHING), ["Status Synced"]);
    assert!(sim.ready());
    sim.sleep(2 * WINDOW);
    assert_eq!(edited(&mut sim, A), ["Read", "Status WouldLose"]);
    assert_eq!(*holds(&sim), content(B));
}

#[test]
fn a_stop_ends_with_the_spec_or_the_policy() {
    let mut sim = adopted(EMAIL);
    edited(&mut sim, PRO);
    assert_eq!(edited(&mut sim, &format!(r#"{PRO},"adoptionPolicy":"Never""#)), ["Read", "Status WouldLose"]);
    let always = format!(r#"{PRO},"adoptionPolicy":"Always""#);
    assert_eq!(edited(&mut sim, &always), ["Read", "Status Progressing", "Update", "Status Synced"]);
    assert_eq!(*holds(&sim), content(PRO));
    let mut sim = adopted(EMAIL);
    edited(&mut sim, PRO);
    assert_eq!(edited(&mut sim, EMAIL), ["Read", "Status Synced"]);
    let mut sim = adopted(EMAIL);
    edited(&mut sim, PRO);
    assert_eq!(edited(&mut sim, NOTHING), ["Status Synced"]);
    assert!(sim.ready() && sim.notes.is_empty());
}

#[test]
fn a_stop_is_judged_anew_when_somebody_asks() {
    let mut sim = adopted(EMAIL);
    edited(&mut sim, PRO);
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status WouldLose"], "the echo");
    sim.act(&Act::StrangerWrites(content(r#""meta":{"other":1}"#)));
    sim.sleep(2 * WINDOW);
    sim.reconcile();
    assert_eq!(sim.taken(), [""; 0], "R12");
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status WouldLose"]);
    assert!(sim.says("meta.other"), "what it would lose now");
    // Under another root key it is judged anew too, and nothing is written if nothing is new.
    sim.sleep(2 * WINDOW);
    sim.policy.credential = Some("another".to_owned());
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read"]);
    sim.reconcile();
    assert_eq!(sim.taken(), [""; 0], "R12");
    sim.act(&Act::StrangerWrites(content(NOTHING)));
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Progressing", "Update", "Status Synced"]);
    // Whatever becomes of the identity itself goes its own way.
    let mut sim = adopted(EMAIL);
    edited(&mut sim, PRO);
    sim.act(&Act::StrangerDeletes);
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready() && *holds(&sim) == content(PRO), "{:?}", sim.trace);
}

/// The fates of a first update, and of one more.
const FATES: [Fate; 7] = [
    Fate::Fine,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::Late(ms(29_000)),
    Fate::EndedBefore,
    Fate::EndedAfter,
    Fate::Refused(unkey_operator_core::Cause::RateLimited),
];

/// An update goes unanswered, the process restarts, the spec is edited again: our own content is known again.
#[test]
fn unanswered_restarted_and_edited_is_never_a_stop() {
    for (before, first, second) in [(A, B, PRO), (NOTHING, A, B), (NOTHING, LIMITS, FEWER), (LIMITS, FEWER, LIMITS)] {
        for fate in FATES {
            for crash in 0..7 {
                let mut sim = rested(synced(before));
                sim.apply(wish(first));
                let reads = usize::from(before == NOTHING);
                let fates = [vec![Fate::Fine; reads], vec![fate.clone()]].concat();
                sim.reconcile_with(&Script { fates, crash_after: Some(crash), ..Script::default() });
                sim.restart();
                sim.apply(wish(second));
                assert_eq!(sim.settle(), End::Done);
                let case = format!("{before}, {first}: {fate:?}, crash after {crash}, {second}: {:?}", sim.trace);
                // Only if not even the record of what was about to be sent was there can nobody tell.
                assert!(sim.ready(), "{case}");
                let wanted = content(second);
                assert!(holds(&sim).meta == wanted.meta || wish(second).meta.is_none(), "{case}");
                assert!(holds(&sim).limits == wanted.limits || wish(second).limits.is_none(), "{case}");
            }
        }
    }
}

/// A later version has written hashes of its own into the status and was taken back.
#[test]
fn hashes_of_another_version_are_managed_and_unknown() {
    for (before, first, second) in [(A, B, PRO), (LIMITS, FEWER, LIMITS)] {
        let mut sim = rested(synced(before));
        for spec in [first, second] {
            sim.restart();
            let status = &mut sim.thing.as_mut().unwrap().status.as_mut().unwrap().1;
            let fields = &mut status.held.as_mut().unwrap().fields;
            let unreadable = |field: &Field| if field.is_managed() { Field::Managed(None) } else { field.clone() };
            *fields = Fields { meta: unreadable(&fields.meta), limits: unreadable(&fields.limits) };
            sim.sleep(2 * WINDOW);
            assert_eq!(edited(&mut sim, spec)[..2], ["Refresh", "Update"], "no look, no stop");
            assert!(sim.ready());
        }
    }
}

#[test]
fn a_failing_look_holds_the_update_back() {
    let mut sim = adopted(EMAIL);
    sim.apply(wish(PRO));
    let down = Script { fates: vec![Fate::EndedBefore; 40], ..Script::default() };
    for _ in 0..5 {
        let End::Wait(Wake::At(at)) = sim.reconcile_with(&down) else { panic!("{:?}", sim.trace) };
        sim.sleep(sim.mono().until(at) + ms(1));
    }
    assert!(sim.taken().iter().all(|step| step == "Read" || step == "Status UpstreamUnavailable"));
    // A restart in the middle of it: what was not managed still is not.
    sim.restart();
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(*holds(&sim), content(EMAIL), "{:?}", sim.trace);
    assert_eq!(sim.record().shown.reason.unwrap().as_str(), "WouldLose");
}

#[test]
fn an_update_that_keeps_failing_is_looked_at_each_time_and_told_once() {
    let mut sim = adopted(NOTHING);
    sim.apply(wish(PRO));
    let refused = |fate: Fate| Script { fates: vec![Fate::Fine, fate], ..Script::default() };
    for _ in 0..5 {
        let fate = Fate::Refused(unkey_operator_core::Cause::PermissionDenied(unkey_operator_core::Operation::Update));
        let End::Wait(Wake::At(at)) = sim.reconcile_with(&refused(fate)) else { panic!("{:?}", sim.trace) };
        sim.sleep(sim.mono().until(at) + ms(1));
    }
    let steps = sim.taken();
    let writes = steps.iter().filter(|step| step.starts_with("Status")).count();
    assert_eq!(writes, 2, "Progressing, PermissionDenied: {steps:?}");
    // Somebody has stored something since: it is seen.
    sim.act(&Act::StrangerWrites(content(EMAIL)));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(*holds(&sim), content(EMAIL), "{:?}", sim.trace);
}
