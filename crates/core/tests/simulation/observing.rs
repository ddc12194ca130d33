//! What is only observed is read and told, never written; and the way there and back (R21).

use unkey_operator_api::{ManagementPolicy, Reason, StatusCause};
use unkey_operator_core::drift_scan::{Saw, Sight, note};
use unkey_operator_core::{Fields, IdentityId, Wake};

use crate::managing::{NOTHING, fields};
use crate::sim::{Act, End, Script, Sim, Wish, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW};

const OWNER: &str = r#""meta":{"owner":"o"}"#;
const LIMIT: &str = r#""ratelimits":[{"name":"req","limit":10,"duration":1000}]"#;
const FEWER: &str = r#""ratelimits":[{"name":"req","limit":5,"duration":1000}]"#;

fn observed(spec: &str) -> Wish {
    wish(&format!(r#"{spec},"managementPolicy":"Observe""#))
}

/// An observed object beside what is stored.
fn beside(stored: Option<&str>, wanted: Wish) -> Sim {
    let mut sim = Sim::new();
    let now = sim.now;
    if let Some(stored) = stored {
        sim.unkey.stranger_makes(now, content(stored));
    }
    sim.sleep(2 * WINDOW);
    sim.apply(wanted);
    sim
}

fn tells(sim: &Sim) -> (Option<Reason>, Option<StatusCause>, Vec<String>, Option<i64>) {
    let record = sim.record();
    let observed = record.observed.clone().unwrap_or_default();
    assert!(!record.shown.stalled && sim.record().shown.ready == (record.shown.reason == Some(Reason::Observed)));
    (record.shown.reason, record.shown.cause, observed.differs, observed.others)
}

/// The calls that were sent, but for reads.
fn writes(sim: &mut Sim) -> Vec<String> {
    let is_write = |step: &String| ["Create", "Update", "Delete"].contains(&step.split(' ').next().unwrap_or_default());
    sim.taken().into_iter().filter(is_write).collect()
}

#[test]
fn r21_whatever_is_there_is_told_by_one_read() {
    let always = r#","adoptionPolicy":"Always""#;
    let never = r#","adoptionPolicy":"Never""#;
    for (stored, spec, reason, cause, differs, others) in [
        (None, A.to_owned(), Reason::NotInUnkey, None, vec![], None),
        (Some(A), A.to_owned(), Reason::Observed, None, vec![], Some(0)),
        (Some(B), A.to_owned(), Reason::WouldRefuse, Some(StatusCause::AlreadyExists), vec!["meta.plan"], Some(0)),
        (Some(B), format!("{A}{always}"), Reason::Differs, None, vec!["meta.plan"], Some(0)),
        (Some(OWNER), format!("{A}{always}"), Reason::Differs, None, vec!["meta.plan"], Some(1)),
        (Some(A), format!("{A}{never}"), Reason::WouldRefuse, Some(StatusCause::AlreadyExists), vec![], Some(0)),
        // A field that the spec does not name is a number, and no difference.
        (Some(OWNER), NOTHING.to_owned(), Reason::Observed, None, vec![], Some(1)),
        (Some(LIMIT), format!("{FEWER}{always}"), Reason::Differs, None, vec!["ratelimits[req].limit"], Some(0)),
        (Some(OWNER), format!("{LIMIT}{always}"), Reason::Differs, None, vec!["ratelimits[req]"], Some(1)),
    ] {
        let mut sim = beside(stored, observed(&spec));
        assert_eq!(sim.settle(), End::Done);
        let differs: Vec<String> = differs.into_iter().map(str::to_owned).collect();
        assert_eq!(tells(&sim), (Some(reason), cause, differs, others), "{stored:?} {spec}");
        let steps = sim.taken();
        assert_eq!(steps.iter().filter(|step| step.starts_with("Read")).count(), 1, "{steps:?}");
        let thing = sim.thing.as_ref().unwrap();
        assert!(!thing.finalizer && thing.claim.is_none() && sim.record().held.is_none());
        // R12.
        sim.sleep(20 * WINDOW);
        sim.reconcile();
        assert!(sim.taken().is_empty());
    }
}

#[test]
fn r21_an_owner_lets_go_and_keeps_its_id() {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    sim.taken();
    sim.apply(observed(A));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status Progressing", "Release Observed", "Read", "Status Observed"]);
    let (thing, live) = (sim.thing.clone().unwrap(), sim.unkey.live.clone().unwrap());
    assert!(!thing.finalizer && thing.claim.is_none());
    let held = sim.record().held.clone().unwrap();
    assert_eq!((held.identity.id().as_str(), held.fields), (live.id.as_str(), Fields::default()));
    // And back: what is equal is looked at once and taken as it is.
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Claim", "Read", "Status Synced"]);
    assert_eq!(sim.unkey.live.map(|live| live.id), Some(live.id));
}

#[test]
fn r21_what_somebody_writes_meanwhile_is_not_lost() {
    let mut sim = synced(A);
    sim.apply(observed(A));
    sim.settle();
    sim.act(&Act::StrangerWrites(content(B)));
    sim.sleep(2 * WINDOW);
    sim.taken();
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(writes(&mut sim), [""; 0]);
    assert_eq!(sim.record().shown.reason, Some(Reason::WouldLose));
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
}

/// It is never doubled and never lost, whatever happens to each create; and what is recorded in the end is what lives.
#[test]
fn r21_toggled_a_hundred_times_with_creates_in_doubt() {
    for fate in [Fate::LostAfter, Fate::LostBefore, Fate::Late(WINDOW / 2), Fate::EndedAfter] {
        let mut sim = Sim::new();
        sim.apply(wish(A));
        for turn in 0..100 {
            let script = Script { fates: vec![fate.clone(), fate.clone()], ..Script::default() };
            sim.reconcile_with(&script);
            sim.apply(if turn % 2 == 0 { observed(A) } else { wish(A) });
            if turn % 7 == 0 {
                sim.restart();
            }
            if turn % 3 == 0 {
                sim.settle();
            }
        }
        sim.apply(wish(A));
        assert_eq!(sim.settle(), End::Done, "{fate:?}");
        let live = sim.unkey.live.clone().expect("an identity");
        assert_eq!(live.id, "id_000000001", "{fate:?}: made once");
        assert_eq!(sim.record().held.as_ref().unwrap().identity.id().as_str(), live.id, "{fate:?}");
        assert_eq!(fields(&sim).meta.applied(), Some(&content(A).meta.hash()), "{fate:?}");
    }
}

#[test]
fn r21_a_deletion_waits_and_goes_on_when_it_is_enforced_or_orphaned() {
    for (then, deleted) in [(wish(A), true), (observed(&format!(r#"{A},"deletionPolicy":"Orphan""#)), false)] {
        let mut sim = synced(A);
        sim.act(&Act::Delete);
        sim.apply(observed(A));
        assert_eq!(sim.settle(), End::Wait(Wake::Change));
        assert_eq!(sim.record().shown.reason, Some(Reason::DeletionBlocked));
        assert!(sim.says("only observes"));
        assert!(sim.thing.is_some() && sim.unkey.live.is_some());
        sim.taken();
        sim.apply(then);
        sim.settle();
        assert!(sim.thing.is_none());
        assert_eq!(sim.unkey.live.is_none(), deleted);
    }
}

/// `--observe`: what is owned keeps finalizer and claim, and what was accepted.
#[test]
fn r21_an_operator_that_observes_everything_writes_nothing() {
    let mut sim = synced(A);
    sim.act(&Act::StrangerWrites(content(B)));
    sim.sleep(2 * WINDOW);
    sim.restart();
    sim.policy.observe = true;
    sim.taken();
    assert!(matches!(sim.settle(), End::Done));
    assert_eq!(tells(&sim), (Some(Reason::Differs), None, vec!["meta.plan".to_owned()], Some(0)));
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Wait(Wake::Change));
    assert_eq!(sim.record().shown.reason, Some(Reason::DeletionBlocked));
    assert_eq!(writes(&mut sim), [""; 0]);
    let thing = sim.thing.clone().unwrap();
    assert!(thing.finalizer && thing.claim.is_some());
    // The next process enforces again.
    sim.restart();
    sim.policy.observe = false;
    sim.settle();
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
}

/// Enforced again, it does not say Synced of what nobody has looked at since.
#[test]
fn r21_who_observed_everything_looks_before_it_says_synced() {
    let mut sim = synced(A);
    sim.restart();
    sim.policy.observe = true;
    sim.settle();
    assert_eq!(sim.record().shown.reason, Some(Reason::Observed));
    sim.act(&Act::StrangerWrites(content(B)));
    sim.sleep(2 * WINDOW);
    sim.restart();
    sim.policy.observe = false;
    sim.taken();
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(writes(&mut sim), ["Update"]);
    assert!(sim.ready() && sim.unkey.live.as_ref().unwrap().content == content(A));
}

/// What a scan saw is told without another read, once.
#[test]
fn r21_a_sight_of_the_scan_is_told_without_a_read() {
    let mut sim = beside(Some(A), observed(A));
    sim.settle();
    sim.sleep(WINDOW);
    sim.taken();
    show(&mut sim, B);
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Status WouldRefuse"]);
    assert_eq!(tells(&sim).2, ["meta.plan"]);
    sim.reconcile();
    assert!(sim.taken().is_empty());
}

/// A replica still shows what an earlier object of the externalId has deleted: `PROPTEST_CASES=20000` found that it was told.
#[test]
fn r21_what_was_deleted_a_moment_ago_is_not_told_to_be_there() {
    let mut sim = synced(A);
    sim.act(&Act::Delete);
    sim.unkey.lag = WINDOW / 2;
    sim.settle();
    assert!(sim.thing.is_none());
    sim.apply(observed(A));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(tells(&sim).0, Some(Reason::NotInUnkey));
}

/// What appears after a look that found nothing is told by the scan: `cluster/admin::words` found that the older look hid it.
#[test]
fn r21_a_sight_counts_after_a_look_that_found_nothing() {
    let mut sim = beside(None, observed(A));
    sim.settle();
    assert_eq!(tells(&sim).0, Some(Reason::NotInUnkey));
    let now = sim.now;
    sim.unkey.stranger_makes(now, content(A));
    sim.sleep(WINDOW);
    sim.taken();
    show(&mut sim, A);
    assert_eq!(sim.reconcile(), End::Done);
    assert_eq!(sim.taken(), ["Status Observed"]);
    // A read that began later outweighs a sight, also one that found nothing.
    sim.act(&Act::StrangerDeletes);
    sim.sleep(WINDOW);
    show(&mut sim, B);
    sim.sleep(WINDOW);
    sim.act(&Act::ReconcileRequest);
    sim.settle();
    assert_eq!(tells(&sim).0, Some(Reason::NotInUnkey), "{:?}", sim.trace);
}

/// The scan sees that content now.
fn show(sim: &mut Sim, stored: &str) {
    let (begun, now) = (sim.mono(), sim.mono());
    let saw = Saw::There { id: IdentityId::new("id_000000001"), content: content(stored) };
    let thing = sim.thing.clone().unwrap();
    let object = sim.view(&thing);
    let state = sim.process.object_state.entry(object.guard.uid.clone()).or_default();
    note(&object, &Sight { begun, saw }, &mut sim.process.known, state, now);
}

/// What was seen there is read once and adopted, without a create that would be answered "exists".
#[test]
fn r21_enforced_at_last_it_is_adopted_by_one_read() {
    let mut sim = beside(Some(A), observed(A));
    sim.settle();
    sim.taken();
    sim.apply(wish(A));
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Claim", "Status Synced"]);
    assert!(sim.ready() && sim.unkey.accepted_creates == 0);
}

/// A reconcile request is echoed where nothing is to be looked at.
#[test]
fn r21_a_request_is_echoed_without_a_look() {
    use unkey_operator_core::Role;
    let mut sim = beside(Some(A), observed(A));
    sim.role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false };
    sim.settle();
    sim.act(&Act::ReconcileRequest);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.record().handled_request.as_deref(), Some("poke-1"));
    assert!(!sim.taken().contains(&"Read".to_owned()));
}

/// A conflict that is over is looked into.
#[test]
fn r21_beside_an_owner_it_makes_no_call() {
    use unkey_operator_core::Role;
    let mut sim = beside(Some(A), observed(A));
    sim.role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false };
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Status WouldRefuse"]);
    assert_eq!(tells(&sim).1, Some(StatusCause::ExternalIdConflict));
    sim.role = Role::Owner;
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Status Observed"]);
}

#[test]
fn r21_what_the_operator_says_by_default_holds_for_specs_that_do_not_say() {
    let mut sim = beside(None, wish(A));
    sim.policy.management = ManagementPolicy::Observe;
    sim.settle();
    assert_eq!(tells(&sim).0, Some(Reason::NotInUnkey));
    sim.taken();
    sim.apply(wish(&format!(r#"{A},"managementPolicy":"Enforce""#)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready() && sim.unkey.live.is_some());
}
