//! R12 and R3 where they save a call: stalls over a restart, and verdicts that need no look.

use unkey_operator_core::Cause;

use super::sim::{Act, End, Script, Sim, content, wish};
use super::world::{Fate, WINDOW};

const A: &str = r#""meta":{"plan":"free"}"#;

/// S29: what only a person can mend costs nothing at restart, though its claim says that a create was sent.
#[test]
fn s29_a_rejected_object_is_quiet_over_a_restart() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    let refused = Script { fates: vec![Fate::Refused(Cause::Rejected("too much".to_owned()))], ..Script::default() };
    sim.reconcile_with(&refused);
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Rejected"]);
    sim.restart();
    sim.reconcile();
    assert!(sim.taken().is_empty());
    // Its deletion still looks for what an earlier process may have made.
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Look", "Release Gone"]);
}

/// A definite 409 to a first send is never ours, and `Never` takes nothing: no read, and the claim is off at once.
#[test]
fn never_and_a_definite_409_need_no_look() {
    let mut sim = Sim::new();
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
    let script = Script { meanwhile: Some((2, Act::StrangerMakes(content(A)))), ..Script::default() };
    sim.reconcile_with(&script);
    assert_eq!(sim.taken(), ["Read", "Claim", "Create", "Release NotOurs", "Status AlreadyExists"]);
}

/// The next accepted update settles one that a 5xx ended, but only for the fields that it sends itself.
#[test]
fn a_field_whose_update_ended_in_a_5xx_is_sent_again_with_the_next() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.settle();
    sim.apply(wish(r#""meta":{"plan":"pro"}"#));
    sim.reconcile_with(&Script { fates: vec![Fate::EndedAfter], ..Script::default() });
    // Back to what the status says was accepted, and something new besides.
    sim.apply(wish(&format!(r#"{A},"ratelimits":[{{"name":"req","limit":1,"duration":1000}}]"#)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    let live = sim.unkey.live.clone().unwrap();
    assert_eq!(live.content.meta.as_map()["plan"], "free");
}

/// An identity that was given up and is there after all is taken back: recorded and given up at once, it would be
/// nobody's, for ever.
#[test]
fn what_was_given_up_and_is_there_after_all_is_ours_again() {
    for policy in ["IfLossless", "Never"] {
        let mut sim = Sim::new();
        sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"{policy}""#)));
        sim.settle();
        let id = sim.record().held.as_ref().unwrap().identity.id().clone();
        // It seems gone for two settled looks; then the process ends, and it shows again.
        let hidden = sim.unkey.live.clone().unwrap();
        sim.act(&Act::StrangerDeletes);
        sim.sleep(2 * WINDOW);
        sim.act(&Act::ReconcileRequest);
        sim.reconcile();
        sim.sleep(2 * WINDOW);
        sim.taken();
        sim.reconcile_with(&Script { crash_after: Some(1), ..Script::default() });
        assert_eq!(sim.taken(), ["Read", "Look", "Claim"]);
        let now = sim.now;
        sim.unkey.shows_again(now, hidden);
        assert_eq!(sim.settle(), End::Done);
        assert!(sim.ready(), "{policy}: {:?}", sim.trace);
        assert_eq!(sim.record().held.as_ref().unwrap().identity.id(), &id);
        sim.taken();
        sim.sleep(2 * WINDOW);
        sim.reconcile();
        assert!(sim.taken().is_empty(), "{policy}: at rest");
        sim.act(&Act::Delete);
        sim.settle();
        assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "{policy}: not leaked");
    }
}

/// A refusal under one root key says nothing of what another one sees.
#[test]
fn a_refusal_is_judged_anew_under_another_root_key() {
    let mut sim = Sim::new();
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(r#""meta":{"other":1}"#));
    sim.apply(wish(A));
    sim.settle();
    assert_eq!(sim.taken().last().unwrap(), "Status AlreadyExists");
    sim.reconcile();
    assert!(sim.taken().is_empty());
    sim.policy.credential = Some("another-key1".to_owned());
    sim.reconcile();
    assert_eq!(sim.taken(), ["Read"], "looked at, and still refused");
    sim.reconcile();
    assert!(sim.taken().is_empty(), "once");
    sim.act(&Act::StrangerDeletes);
    sim.policy.credential = Some("another-key2".to_owned());
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
}

/// What was absent before an id was recorded says nothing of that id: another process may have made it (two leaders).
#[test]
fn absence_from_before_a_record_is_no_ground_for_a_release() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.settle();
    sim.act(&Act::StrangerDeletes);
    sim.sleep(2 * WINDOW);
    sim.act(&Act::ReconcileRequest);
    sim.reconcile();
    assert_eq!(sim.taken().iter().filter(|step| *step == "Read").count(), 1, "absent once");
    // Another process, with a memory of its own, goes through with it: gives up, creates, records.
    let ours = std::mem::take(&mut sim.process);
    sim.sleep(4 * WINDOW);
    assert_eq!(sim.settle(), End::Done);
    sim.settle();
    assert!(sim.ready() && sim.unkey.live.is_some(), "{:?}", sim.trace);
    // The first has not looked since when the object is deleted.
    sim.process = ours;
    sim.act(&Act::Delete);
    sim.settle();
    assert!(sim.unkey.live.is_none() && sim.thing.is_none(), "released without its identity gone: {:?}", sim.trace);
}
