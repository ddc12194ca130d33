//! Roles, turns, and what outlives an object.

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::raw::tests::snapshot;
use super::*;
use crate::domain::IdentityId;

fn table() -> (Index, UnboundedReceiver<Ref>) {
    let (wake, woken) = unbounded_channel();
    (Index::new(wake, 30_000, Workspace::default(), Clock::default()), woken)
}

fn object(name: &str, version: u64, status: &Value) -> RawIdentity {
    snapshot(&json!({
        "metadata": {"namespace": "n", "name": name, "uid": name, "resourceVersion": version.to_string(),
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"externalId": "e"}, "status": status,
    }))
}

fn names(woken: &mut UnboundedReceiver<Ref>) -> Vec<String> {
    std::iter::from_fn(|| woken.try_recv().ok()).map(|at| at.name).collect()
}

#[test]
fn a_record_makes_an_owner_and_wakes_the_others() {
    let (table, mut woken) = table();
    table.upsert(&object("a", 1, &json!({})));
    table.upsert(&object("b", 1, &json!({})));
    assert_eq!(names(&mut woken), ["a"]);
    let external_id = ExternalId::new("e");
    assert_eq!(table.role(&external_id, &Uid::new("a")), Role::Owner, "equal in age, the smaller uid");
    table.update(&object("b", 2, &json!({"uid": "b", "identityId": "id_1"})));
    assert_eq!(names(&mut woken), ["a"]);
    assert_eq!(table.role(&external_id, &Uid::new("b")), Role::Owner);
    table.upsert(&object("b", 1, &json!({})));
    assert_eq!(table.role(&external_id, &Uid::new("b")), Role::Owner, "an older version changes nothing");
}

#[test]
fn a_reply_that_comes_after_the_end_of_an_object_does_not_bring_it_back() {
    let (table, _woken) = table();
    table.upsert(&object("a", 1, &json!({"uid": "a", "identityId": "id_1"})));
    table.upsert(&object("b", 1, &json!({})));
    table.remove(&object("a", 1, &json!({})), Mono::ZERO);
    table.update(&object("a", 3, &json!({"uid": "a", "identityId": "id_1"})));
    assert_eq!(table.role(&ExternalId::new("e"), &Uid::new("b")), Role::Owner);
}

#[test]
fn a_turn_is_exclusive_and_wakes_who_was_parked() {
    let (table, mut woken) = table();
    let external_id = ExternalId::new("e");
    let (a, b) = (Ref::new("a").within("n"), Ref::new("b").within("n"));
    let turn = table.try_turn(&external_id, &a).unwrap();
    assert!(table.try_turn(&external_id, &b).is_none());
    assert!(table.try_turn(&ExternalId::new("other"), &b).is_some());
    drop(turn);
    assert_eq!(names(&mut woken), ["b"]);
    assert!(table.try_turn(&external_id, &b).is_some());
}

#[test]
fn what_is_known_outlives_its_objects_for_a_window() {
    let (table, _woken) = table();
    let external_id = ExternalId::new("e");
    table.upsert(&object("a", 1, &json!({})));
    {
        let turn = table.try_turn(&external_id, &Ref::new("a")).unwrap();
        turn.known().evidence_from = Evidence::Since(Mono(1_000));
    }
    table.remove(&object("a", 1, &json!({})), Mono::ZERO);
    table.sweep(Mono(30_999));
    assert_eq!(
        table.try_turn(&external_id, &Ref::new("a")).unwrap().known().evidence_from,
        Evidence::Since(Mono(1_000))
    );
    table.sweep(Mono(31_000));
    assert_eq!(table.try_turn(&external_id, &Ref::new("a")).unwrap().known().evidence_from, Evidence::default());
}

#[test]
fn the_key_that_all_name_is_kept_once_and_as_long_as_one_names_it() {
    let (table, _woken) = table();
    let under = |name: &str, key: &str| object(name, 1, &json!({"uid": name, "identityId": "id_1", "credential": key}));
    for (name, key) in [("a", "k"), ("b", "k"), ("c", "l")] {
        table.upsert(&under(name, key));
    }
    let named = |key: &str| lock(&table.marks).get(key).map_or(0, Arc::strong_count);
    assert_eq!([named("k"), named("l")], [3, 2], "the set's own is one");
    table.remove(&under("c", "l"), Mono::ZERO);
    table.sweep(Mono::ZERO);
    assert_eq!([named("k"), named("l")], [3, 0]);
}

#[test]
fn one_acts_for_each_external_id() {
    let (table, mut woken) = table();
    let external_id = ExternalId::new("e");
    assert!(table.owner(&external_id).is_none());
    table.upsert(&object("a", 1, &json!({})));
    table.upsert(&object("b", 1, &json!({"uid": "b", "identityId": "id_1", "credential": "k"})));
    let owner = table.owner(&external_id).unwrap();
    assert_eq!(owner.uid, Uid::new("b"));
    assert_eq!(owner.recorded, Some((IdentityId::new("id_1"), Some("k".to_owned()))));
    assert_eq!(table.owners(|_| true).len(), 1);
    assert!(table.owners(|owner| owner.recorded.is_none()).is_empty());
    names(&mut woken);
    let turn = table.idle_turn(&external_id).unwrap();
    assert!(table.idle_turn(&external_id).is_none(), "taken");
    drop(turn);
    assert!(names(&mut woken).is_empty(), "nobody is woken for a look");
}

/// A table whose clock runs, an object that is behind, and nobody who waits for a permit.
fn behind() -> (Index, UnboundedReceiver<Ref>, ExternalId, Uid) {
    let (table, mut woken) = table();
    table.upsert(&object("a", 1, &json!({})));
    names(&mut woken);
    (table, woken, ExternalId::new("e"), Uid::new("a"))
}

const LATER: Mono = Mono(30_000);

fn rescued(table: &Index, now: Mono, permits: bool) -> usize {
    rescued_after(table, now, Mono::ZERO, permits)
}

fn rescued_after(table: &Index, now: Mono, awake: Mono, permits: bool) -> usize {
    table.rescue(now, awake, |_| permits).len()
}

#[test]
fn what_is_behind_and_forgotten_is_handed_to_the_queue_again_once() {
    let (table, mut woken, external_id, uid) = behind();
    table.runs(&external_id, &uid);
    table.plans(&external_id, &uid, Plan::Nothing);
    table.drops(&external_id, &uid);
    assert_eq!((rescued(&table, Mono::ZERO, false), names(&mut woken)), (1, vec!["a".to_owned()]));
    assert_eq!(rescued(&table, Mono::ZERO, false), 0, "it is queued now");
    assert_eq!(rescued(&table, LATER, false), 1, "and was lost again");
}

#[test]
fn what_is_planned_is_left_alone_until_it_is_late() {
    let (table, _woken, external_id, uid) = behind();
    let with = |plan: Plan| {
        table.runs(&external_id, &uid);
        table.plans(&external_id, &uid, plan);
        table.drops(&external_id, &uid);
    };
    assert_eq!(rescued(&table, Mono(29_999), false), 0, "the watch has just shown it");
    table.runs(&external_id, &uid);
    assert_eq!(rescued(&table, Mono(u64::MAX), false), 0, "a pass has its own deadlines");
    with(Plan::At(Mono(1)));
    assert_eq!([rescued(&table, LATER, false), rescued(&table, LATER.after(1), false)], [0, 1]);
    with(Plan::Change);
    assert_eq!(rescued(&table, Mono(u64::MAX), false), 0);
    with(Plan::Permit);
    assert_eq!([rescued(&table, LATER, true), rescued(&table, LATER, false)], [0, 1]);
    let turn = table.try_turn(&external_id, &Ref::new("b")).unwrap();
    // It was handed to the queue, which has come to it: it waits for the turn now, and not for the queue.
    table.wake_all();
    table.waits_for_turn(&external_id, &uid);
    assert_eq!(rescued(&table, Mono(u64::MAX), false), 0, "another one has the turn, for however long");
    drop(turn);
    assert_eq!(rescued(&table, Mono::ZERO, false), 0, "its end hands it to the queue");
    assert_eq!(rescued(&table, LATER, false), 1);
}

/// After a standstill all is late, and nothing is lost: what is still late half a minute later is.
#[test]
fn a_standstill_makes_nothing_late() {
    let awake = Mono(600_000);
    let late = awake.after(30_000);
    for plan in [None, Some(Plan::At(Mono(1))), Some(Plan::Permit)] {
        let (table, _woken, external_id, uid) = behind();
        if let Some(plan) = plan {
            table.runs(&external_id, &uid);
            table.plans(&external_id, &uid, plan);
            table.drops(&external_id, &uid);
        }
        for at in [awake, Mono(late.0 - 1)] {
            assert_eq!(rescued_after(&table, at, awake, false), 0, "{plan:?}");
        }
        assert_eq!(rescued_after(&table, late, awake, false), 1, "{plan:?}");
    }
}

#[test]
fn what_was_handed_to_the_queue_during_a_pass_stays_there() {
    let (table, _woken, external_id, uid) = behind();
    table.runs(&external_id, &uid);
    table.upsert(&object("a", 2, &json!({})));
    assert_eq!(
        rescued(&table, Mono(u64::MAX), false),
        0,
        "the queue comes to it when the pass is over, however long that takes"
    );
    table.plans(&external_id, &uid, Plan::Nothing);
    table.drops(&external_id, &uid);
    assert_eq!([rescued(&table, Mono::ZERO, false), rescued(&table, LATER, false)], [0, 1]);
}

#[test]
fn a_pass_that_is_dropped_is_forgotten_and_what_is_in_step_is_not_behind() {
    let (table, _woken, external_id, uid) = behind();
    table.runs(&external_id, &uid);
    table.drops(&external_id, &uid);
    assert_eq!(rescued(&table, Mono::ZERO, false), 1);
    table.runs(&external_id, &uid);
    table.drops(&external_id, &uid);
    let ready = json!({"observedGeneration": 0, "conditions": [{
        "type": "Ready", "status": "True", "reason": "Synced", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    table.update(&object("a", 2, &ready));
    assert_eq!(rescued(&table, Mono::ZERO, false), 0);
}

/// Etcd was restored from a backup: an older version is taken from a listing, from nowhere else, and what is remembered is judged anew.
#[test]
fn a_listing_is_taken_whatever_its_version_says() {
    let (table, _woken) = table();
    let external_id = ExternalId::new("e");
    table.upsert(&object("a", 1, &json!({})));
    table.upsert(&object("b", 9, &json!({"uid": "b", "identityId": "id_1"})));
    lock(&table.memory(&Uid::new("b"))).object_state.sent = true;
    let older = object("b", 2, &json!({}));
    table.upsert(&older);
    assert_eq!(table.role(&external_id, &Uid::new("b")), Role::Owner);
    table.relist(&older);
    table.rewind(&older);
    assert_eq!(table.version(&older), Some(2));
    assert_eq!(table.role(&external_id, &Uid::new("a")), Role::Owner, "it has recorded nothing");
    let object_state = lock(&table.memory(&Uid::new("b"))).object_state.clone();
    assert!(!object_state.sent && object_state.suspicion);
    table.update(&object("b", 3, &json!({"uid": "b", "identityId": "id_2"})));
    assert_eq!(table.version(&older), Some(3));
}

/// An object of generation 2 with a status of ours of this generation.
fn told(name: &str, version: u64, generation: i64, ready: &str) -> RawIdentity {
    snapshot(&json!({
        "metadata": {"namespace": "n", "name": name, "uid": name, "resourceVersion": version.to_string(), "generation": 2,
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"externalId": name},
        "status": {"uid": name, "identityId": "id_1", "observedGeneration": generation, "conditions": [
            {"type": "Ready", "status": ready, "reason": "Synced", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    }))
}

/// R24: the longest first, so many at a time, and none whose status speaks of what it asks for.
#[test]
fn what_is_untold_comes_in_the_order_of_its_age() {
    let (table, _woken) = table();
    let begun = Instant::now();
    let due = |limit: usize| -> Vec<String> {
        table.overdue(Duration::ZERO, begun, limit).into_iter().map(|one| one.at.name).collect()
    };
    table.upsert(&told("rests", 1, 2, "True"));
    table.upsert(&object("fresh", 1, &json!({"observedGeneration": -1})));
    assert_eq!(due(9), Vec::<String>::new(), "at rest there are none, and what has no status of ours is none");
    for name in ["first", "second", "third"] {
        table.upsert(&told(name, 1, 1, "True"));
    }
    assert_eq!(due(9), ["first", "second", "third"]);
    assert_eq!(due(2), ["first", "second"]);
    assert!(table.overdue(Duration::from_secs(60), begun, 9).is_empty(), "not for long yet");
    // Another edit does not begin the wait anew; a status does end it.
    table.upsert(&told("first", 2, 1, "False"));
    assert_eq!(due(1), ["first"]);
    table.update(&told("first", 3, 2, "False"));
    assert_eq!(due(9), ["second", "third"]);
    table.puts_off(&Uid::new("second"), Duration::from_secs(60));
    assert_eq!(due(9), ["third"]);
    table.remove(&told("third", 2, 1, "True"), Mono::ZERO);
    assert_eq!(due(9), Vec::<String>::new());
    assert!(table.untold_since(&Uid::new("second")).is_some() && table.untold_since(&Uid::new("third")).is_none());
}

/// R24: a pass that comes while a status is being written is woken, and can tell that it need not give up its place.
#[test]
fn a_turn_to_tell_is_told_from_others() {
    let (table, mut woken) = table();
    table.upsert(&told("a", 1, 1, "True"));
    let external_id = ExternalId::new("a");
    let turn = table.telling_turn(&external_id).unwrap();
    assert!(table.is_telling(&external_id));
    assert!(table.telling_turn(&external_id).is_none() && table.idle_turn(&external_id).is_none());
    assert!(table.try_turn(&external_id, &Ref::new("a").within("n")).is_none());
    drop(turn);
    assert_eq!(names(&mut woken), ["a"]);
    let turn = table.try_turn(&external_id, &Ref::new("a").within("n"));
    assert!(turn.is_some() && !table.is_telling(&external_id));
    assert!(table.telling_turn(&external_id).is_none(), "a pass is under way");
}

/// A rollback meets a reason of the newer version: its status speaks of the spec, so nothing is left to do.
#[test]
fn a_reason_of_another_version_is_not_behind() {
    let (table, _woken, external_id, uid) = behind();
    let later = json!({"observedGeneration": 0, "conditions": [{
        "type": "Ready", "status": "True", "reason": "Later", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    table.update(&object("a", 2, &later));
    table.runs(&external_id, &uid);
    table.plans(&external_id, &uid, Plan::Nothing);
    assert_eq!(rescued(&table, Mono::ZERO, false), 0);
}
