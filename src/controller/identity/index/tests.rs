//! Roles, turns, and what outlives an object.

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::raw::tests::snapshot;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::domain::{DeletionLimits, Evidence, IdentityId, Role};

fn index() -> (Index, UnboundedReceiver<IdentityRef>) {
    let (wake, woken) = unbounded_channel();
    (
        Index::new(
            wake,
            &Policy::default(),
            (Workspace::default(), Deletions::new(DeletionLimits::NONE)),
            Clock::default(),
        ),
        woken,
    )
}

fn object(name: &str, version: u64, status: &Value) -> RawIdentity {
    snapshot(&json!({
        "metadata": {"namespace": "n", "name": name, "uid": name, "resourceVersion": version.to_string(),
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"externalId": "e"}, "status": status,
    }))
}

fn names(woken: &mut UnboundedReceiver<IdentityRef>) -> Vec<String> {
    std::iter::from_fn(|| woken.try_recv().ok()).map(|at| at.name).collect()
}

fn role(index: &Index, external_id: &ExternalId, uid: &Uid) -> Role {
    index.state.lock().entries[external_id].claims.role(uid)
}

#[test]
fn a_record_makes_an_owner_and_wakes_the_others() {
    let (index, mut woken) = index();
    index.upsert(&object("a", 1, &json!({})));
    index.upsert(&object("b", 1, &json!({})));
    assert_eq!(names(&mut woken), ["a"]);
    let external_id = ExternalId::new("e");
    assert_eq!(role(&index, &external_id, &Uid::new("a")), Role::Owner, "equal in age, the smaller uid");
    index.update(&object("b", 2, &json!({"uid": "b", "identityId": "id_1"})));
    assert_eq!(names(&mut woken), ["a"]);
    assert_eq!(role(&index, &external_id, &Uid::new("b")), Role::Owner);
    index.upsert(&object("b", 1, &json!({})));
    assert_eq!(role(&index, &external_id, &Uid::new("b")), Role::Owner, "an older version changes nothing");
}

#[test]
fn a_reply_that_comes_after_the_end_of_an_object_does_not_bring_it_back() {
    let (index, _woken) = index();
    index.upsert(&object("a", 1, &json!({"uid": "a", "identityId": "id_1"})));
    index.upsert(&object("b", 1, &json!({})));
    index.remove(&object("a", 1, &json!({})), Mono::ZERO);
    index.update(&object("a", 3, &json!({"uid": "a", "identityId": "id_1"})));
    assert_eq!(role(&index, &ExternalId::new("e"), &Uid::new("b")), Role::Owner);
}

#[test]
fn a_turn_is_exclusive_and_wakes_who_was_parked() {
    let (index, mut woken) = index();
    let external_id = ExternalId::new("e");
    let (a, b) = (IdentityRef::new("a").within("n"), IdentityRef::new("b").within("n"));
    let key_lock = index.try_lock(&external_id, &a).unwrap();
    assert!(index.try_lock(&external_id, &b).is_none());
    assert!(index.try_lock(&ExternalId::new("other"), &b).is_some());
    drop(key_lock);
    assert_eq!(names(&mut woken), ["b"]);
    assert!(index.try_lock(&external_id, &b).is_some());
}

#[test]
fn what_is_known_outlives_its_objects_for_a_window() {
    let (index, _woken) = index();
    let external_id = ExternalId::new("e");
    index.upsert(&object("a", 1, &json!({})));
    {
        let key_lock = index.try_lock(&external_id, &IdentityRef::new("a")).unwrap();
        key_lock.known(|known| known.evidence_from = Evidence::Since(Mono(1_000)));
    }
    index.remove(&object("a", 1, &json!({})), Mono::ZERO);
    index.sweep(Mono(30_999));
    assert_eq!(
        index.try_lock(&external_id, &IdentityRef::new("a")).unwrap().known(|known| known.evidence_from),
        Evidence::Since(Mono(1_000))
    );
    index.sweep(Mono(31_000));
    assert_eq!(
        index.try_lock(&external_id, &IdentityRef::new("a")).unwrap().known(|known| known.evidence_from),
        Evidence::default()
    );
}

/// A reconcile that is under way when its object goes may send a create all the same.
#[test]
fn what_comes_to_be_known_after_the_end_of_an_object_is_kept() {
    let (index, _woken) = index();
    let external_id = ExternalId::new("e");
    index.upsert(&object("a", 1, &json!({})));
    let key_lock = index.try_lock(&external_id, &IdentityRef::new("a")).unwrap();
    key_lock.known(|_| ());
    index.remove(&object("a", 1, &json!({})), Mono::ZERO);
    key_lock.known(|known| known.evidence_from = Evidence::Since(Mono(1_000)));
    drop(key_lock);
    let key_lock = index.try_lock(&external_id, &IdentityRef::new("a")).unwrap();
    assert_eq!(key_lock.known(|known| known.evidence_from), Evidence::Since(Mono(1_000)));
}

#[test]
fn the_key_that_all_name_is_kept_once_and_as_long_as_one_names_it() {
    let (index, _woken) = index();
    let under = |name: &str, key: &str| object(name, 1, &json!({"uid": name, "identityId": "id_1", "credential": key}));
    for (name, key) in [("a", "k"), ("b", "k"), ("c", "l")] {
        index.upsert(&under(name, key));
    }
    let named = |key: &str| index.state.lock().marks.get(key).map_or(0, Arc::strong_count);
    assert_eq!([named("k"), named("l")], [3, 2], "the set's own is one");
    index.remove(&under("c", "l"), Mono::ZERO);
    index.sweep(Mono::ZERO);
    assert_eq!([named("k"), named("l")], [3, 0]);
}

#[test]
fn one_acts_for_each_external_id() {
    let (index, mut woken) = index();
    let external_id = ExternalId::new("e");
    assert!(index.holders(&external_id).is_empty());
    index.upsert(&object("a", 1, &json!({})));
    index.upsert(&object("b", 1, &json!({"uid": "b", "identityId": "id_1", "credential": "k"})));
    let owner = index.holders(&external_id).remove(0);
    assert_eq!(owner.uid, Uid::new("b"));
    assert_eq!(owner.recorded, Some((IdentityId::new("id_1"), Some("k".to_owned()))));
    assert_eq!(index.owners(|_| true).len(), 1);
    assert!(index.owners(|owner| owner.recorded.is_none()).is_empty());
    names(&mut woken);
    let key_lock = index.idle_lock(&external_id).unwrap();
    assert!(index.idle_lock(&external_id).is_none(), "taken");
    drop(key_lock);
    assert!(names(&mut woken).is_empty(), "nobody is woken for a look");
}

/// An index whose clock runs, an object that is behind, and nobody who waits for a permit.
fn behind() -> (Index, UnboundedReceiver<IdentityRef>, ExternalId, Uid) {
    let (index, mut woken) = index();
    index.upsert(&object("a", 1, &json!({})));
    names(&mut woken);
    (index, woken, ExternalId::new("e"), Uid::new("a"))
}

const LATER: Mono = Mono(30_000);

fn rescued(index: &Index, now: Mono, dispatcher: bool) -> usize {
    rescued_after(index, now, Mono::ZERO, dispatcher)
}

fn rescued_after(index: &Index, now: Mono, awake: Mono, dispatcher: bool) -> usize {
    index.rescue(now, awake, |_| dispatcher).len()
}

#[test]
fn what_is_behind_and_forgotten_is_handed_to_the_queue_again_once() {
    let (index, mut woken, external_id, uid) = behind();
    index.runs(&external_id, &uid);
    index.plans(&external_id, &uid, Plan::Nothing);
    index.drops(&external_id, &uid);
    assert_eq!((rescued(&index, Mono::ZERO, false), names(&mut woken)), (1, vec!["a".to_owned()]));
    assert_eq!(rescued(&index, Mono::ZERO, false), 0, "it is queued now");
    assert_eq!(rescued(&index, LATER, false), 1, "and was lost again");
}

#[test]
fn what_is_planned_is_left_alone_until_it_is_late() {
    let (index, _woken, external_id, uid) = behind();
    let with = |plan: Plan| {
        index.runs(&external_id, &uid);
        index.plans(&external_id, &uid, plan);
        index.drops(&external_id, &uid);
    };
    assert_eq!(rescued(&index, Mono(29_999), false), 0, "the watch has just shown it");
    index.runs(&external_id, &uid);
    assert_eq!(rescued(&index, Mono(u64::MAX), false), 0, "a reconcile has its own deadlines");
    with(Plan::At(Mono(1)));
    assert_eq!([rescued(&index, LATER, false), rescued(&index, LATER.after(Duration::from_millis(1)), false)], [0, 1]);
    with(Plan::Change);
    assert_eq!(rescued(&index, Mono(u64::MAX), false), 0);
    with(Plan::Permit);
    assert_eq!([rescued(&index, LATER, true), rescued(&index, LATER, false)], [0, 1]);
    let key_lock = index.try_lock(&external_id, &IdentityRef::new("b")).unwrap();
    // It was handed to the queue, which has come to it: it waits for the lock now, and not for the queue.
    index.wake_all();
    index.waits_for_lock(&external_id, &uid);
    assert_eq!(rescued(&index, Mono(u64::MAX), false), 0, "another one has the turn, for however long");
    drop(key_lock);
    assert_eq!(rescued(&index, Mono::ZERO, false), 0, "its end hands it to the queue");
    assert_eq!(rescued(&index, LATER, false), 1);
}

/// After a standstill all is late, and nothing is lost: what is still late half a minute later is.
#[test]
fn a_standstill_makes_nothing_late() {
    let awake = Mono(600_000);
    let late = awake.after(Duration::from_secs(30));
    for plan in [None, Some(Plan::At(Mono(1))), Some(Plan::Permit)] {
        let (index, _woken, external_id, uid) = behind();
        if let Some(plan) = plan {
            index.runs(&external_id, &uid);
            index.plans(&external_id, &uid, plan);
            index.drops(&external_id, &uid);
        }
        for at in [awake, Mono(late.0 - 1)] {
            assert_eq!(rescued_after(&index, at, awake, false), 0, "{plan:?}");
        }
        assert_eq!(rescued_after(&index, late, awake, false), 1, "{plan:?}");
    }
}

#[test]
fn what_was_handed_to_the_queue_during_a_reconcile_stays_there() {
    let (index, _woken, external_id, uid) = behind();
    index.runs(&external_id, &uid);
    index.upsert(&object("a", 2, &json!({})));
    assert_eq!(
        rescued(&index, Mono(u64::MAX), false),
        0,
        "the queue comes to it when the reconcile is over, however long that takes"
    );
    index.plans(&external_id, &uid, Plan::Nothing);
    index.drops(&external_id, &uid);
    assert_eq!([rescued(&index, Mono::ZERO, false), rescued(&index, LATER, false)], [0, 1]);
}

#[test]
fn a_reconcile_that_is_dropped_is_forgotten_and_what_is_in_step_is_not_behind() {
    let (index, _woken, external_id, uid) = behind();
    index.runs(&external_id, &uid);
    index.drops(&external_id, &uid);
    assert_eq!(rescued(&index, Mono::ZERO, false), 1);
    index.runs(&external_id, &uid);
    index.drops(&external_id, &uid);
    let ready = json!({"observedGeneration": 0, "conditions": [{
        "type": "Ready", "status": "True", "reason": "Synced", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    index.update(&object("a", 2, &ready));
    assert_eq!(rescued(&index, Mono::ZERO, false), 0);
}

/// Etcd was restored from a backup: an older version is taken from a listing, from nowhere else, and what is remembered is judged anew.
#[test]
fn a_listing_is_taken_whatever_its_version_says() {
    let (index, _woken) = index();
    let external_id = ExternalId::new("e");
    index.upsert(&object("a", 1, &json!({})));
    index.upsert(&object("b", 9, &json!({"uid": "b", "identityId": "id_1"})));
    index.with_memory(&Uid::new("b"), |memory| memory.object_state.sent = true);
    let older = object("b", 2, &json!({}));
    index.upsert(&older);
    assert_eq!(role(&index, &external_id, &Uid::new("b")), Role::Owner);
    index.relist(&older);
    index.rewind(&older);
    assert_eq!(index.version(&older), Some(2));
    assert_eq!(role(&index, &external_id, &Uid::new("a")), Role::Owner, "it has recorded nothing");
    let object_state = index.with_memory(&Uid::new("b"), |memory| memory.object_state.clone());
    assert!(!object_state.sent && object_state.suspicion);
    index.update(&object("b", 3, &json!({"uid": "b", "identityId": "id_2"})));
    assert_eq!(index.version(&older), Some(3));
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
    let (index, _woken) = index();
    let begun = Instant::now();
    let due = |limit: usize| -> Vec<String> {
        index.overdue(Duration::ZERO, begun, limit).into_iter().map(|one| one.at.name).collect()
    };
    index.upsert(&told("rests", 1, 2, "True"));
    index.upsert(&object("fresh", 1, &json!({"observedGeneration": -1})));
    assert_eq!(due(9), Vec::<String>::new(), "at rest there are none, and what has no status of ours is none");
    for name in ["first", "second", "third"] {
        index.upsert(&told(name, 1, 1, "True"));
    }
    assert_eq!(due(9), ["first", "second", "third"]);
    assert_eq!(due(2), ["first", "second"]);
    assert!(index.overdue(Duration::from_secs(60), begun, 9).is_empty(), "not for long yet");
    // Another edit does not begin the wait anew; a status does end it.
    index.upsert(&told("first", 2, 1, "False"));
    assert_eq!(due(1), ["first"]);
    index.update(&told("first", 3, 2, "False"));
    assert_eq!(due(9), ["second", "third"]);
    index.puts_off(&Uid::new("second"), Duration::from_secs(60));
    assert_eq!(due(9), ["third"]);
    index.remove(&told("third", 2, 1, "True"), Mono::ZERO);
    assert_eq!(due(9), Vec::<String>::new());
    assert!(index.untold_since(&Uid::new("second")).is_some() && index.untold_since(&Uid::new("third")).is_none());
}

/// R24: a reconcile that comes while a status is being written is woken, and can tell that it need not give up its place.
#[test]
fn a_turn_to_tell_is_told_from_others() {
    let (index, mut woken) = index();
    index.upsert(&told("a", 1, 1, "True"));
    let external_id = ExternalId::new("a");
    let key_lock = index.lock_to_tell(&external_id).unwrap();
    assert!(index.is_telling(&external_id));
    assert!(index.lock_to_tell(&external_id).is_none() && index.idle_lock(&external_id).is_none());
    assert!(index.try_lock(&external_id, &IdentityRef::new("a").within("n")).is_none());
    drop(key_lock);
    assert_eq!(names(&mut woken), ["a"]);
    let key_lock = index.try_lock(&external_id, &IdentityRef::new("a").within("n"));
    assert!(key_lock.is_some() && !index.is_telling(&external_id));
    assert!(index.lock_to_tell(&external_id).is_none(), "a reconcile is under way");
}

/// A rollback meets a reason of the newer version: its status speaks of the spec, so nothing is left to do.
#[test]
fn a_reason_of_another_version_is_not_behind() {
    let (index, _woken, external_id, uid) = behind();
    let later = json!({"observedGeneration": 0, "conditions": [{
        "type": "Ready", "status": "True", "reason": "Later", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    index.update(&object("a", 2, &later));
    index.runs(&external_id, &uid);
    index.plans(&external_id, &uid, Plan::Nothing);
    assert_eq!(rescued(&index, Mono::ZERO, false), 0);
}
