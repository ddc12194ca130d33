//! What becomes of the memory of a write when the status shows it, and when the object, or its claim, comes and goes.

use super::*;

fn created(of: &str, n: u32) -> LastWrite {
    LastWrite::Created {
        uid: uid(of),
        identity: confirmed(n),
        applied: desired().hashes().clone(),
        credential: None,
        noted: false,
    }
}

fn updated(of: &str, n: u32, meta: Option<Meta>, limits: Option<Limits>) -> LastWrite {
    let applied = Desired::new(customer(), meta, limits).hashes().clone();
    LastWrite::Updated { uid: uid(of), identity: confirmed(n), applied, told: 1, noted: false }
}

fn after(last: LastWrite, scene: Scene) -> Scene {
    scene.met().with(|scene| scene.known.last = last).look()
}

fn is_noted(scene: &Scene) -> bool {
    match &scene.known.last {
        LastWrite::Created { noted, .. } | LastWrite::Updated { noted, .. } => *noted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_create_is_noted_when_the_status_of_its_object_shows_its_id() {
    for (what, last, noted) in [
        ("shown", created("u", 1), true),
        ("another id", created("u", 2), false),
        ("another object's create", created("v", 1), false),
    ] {
        assert_eq!(is_noted(&after(last.clone(), ready())), noted, "{what}");
        assert!(!is_noted(&after(last, Scene::claimed())), "{what}, no id at all");
    }
    assert!(
        is_noted(&after(created("u", 1), ready().with(given_up))),
        "given up since: it must not pass for ours again"
    );
    let behind = after(created("u", 1), ready()).with(|scene| scene.record().held = None).look();
    assert!(is_noted(&behind), "a cache that is behind takes nothing back");
}

#[test]
fn an_update_is_noted_when_the_status_of_its_object_shows_each_field_that_it_sent() {
    let (meta_shown, limits_shown) = (desired().meta, desired().limits);
    let (other_meta, other_limits) = (Some(meta("{}")), Some(limits(&[])));
    for (what, last, noted) in [
        ("meta", updated("u", 1, meta_shown.clone(), None), true),
        ("limits", updated("u", 1, None, limits_shown.clone()), true),
        ("both", updated("u", 1, meta_shown.clone(), limits_shown.clone()), true),
        ("another meta", updated("u", 1, other_meta, limits_shown.clone()), false),
        ("other limits", updated("u", 1, meta_shown.clone(), other_limits), false),
        ("another identity", updated("u", 2, meta_shown.clone(), limits_shown.clone()), false),
        ("another object's update", updated("v", 1, meta_shown.clone(), limits_shown.clone()), false),
    ] {
        assert_eq!(is_noted(&after(last.clone(), ready())), noted, "{what}");
        assert!(!is_noted(&after(last, Scene::claimed())), "{what}, no id at all");
    }
    let behind = after(updated("u", 1, meta_shown, None), ready()).with(|scene| scene.record().held = None).look();
    assert!(is_noted(&behind), "a cache that is behind takes nothing back");
}

/// An accepted update that no status shows is forgotten field by field once a later status says that the field is not managed, although the
/// spec may name it again by then: it becomes managed anew, with a look.
#[test]
fn r18_what_a_later_status_released_is_not_managed_for_an_update_before_it() {
    let sent = desired().hashes().clone();
    let field = |hash: &Option<FieldHash>| Field::Managed(hash.clone());
    let both = Fields { meta: field(&sent.meta), limits: field(&sent.limits) };
    let no_meta = Fields { meta: Field::Unmanaged, ..both.clone() };
    let pending = Fields { meta: sent.meta.clone().map_or(Field::Unmanaged, Field::Pending), ..both.clone() };
    let applied_after = |generation: i64, fields: &Fields, object: i64| {
        let scene = ready().with(|scene| {
            let record = scene.record();
            record.generation = generation;
            if let Some(held) = record.held.as_mut() {
                held.fields = fields.clone();
            }
            scene.object.generation = object;
        });
        match after(updated("u", 1, desired().meta.clone(), desired().limits.clone()), scene).known.last {
            LastWrite::Updated { applied, .. } => applied,
            other => panic!("{other:?}"),
        }
    };
    let no_meta_left = Applied { meta: None, ..sent.clone() };
    for (what, generation, fields, left) in [
        ("released since", 2, &no_meta, &no_meta_left),
        ("not managed yet, before it was sent", 1, &no_meta, &sent),
        ("the status allows it", 2, &pending, &sent),
        ("managed", 2, &both, &sent),
    ] {
        for object in generation..=3 {
            assert_eq!(applied_after(generation, fields, object), *left, "{what}, object of generation {object}");
        }
    }
}

#[test]
fn r2_what_was_found_and_not_dealt_with_is_in_doubt_again_when_its_object_is_gone() {
    let deleted = |of: &str, n: u32| LastWrite::Deleted { uid: uid(of), identity: confirmed(n) };
    let left = UnknownOutcome::new(NOW, false, Some(uid("u")));
    for (what, found, recorded, last, doubted) in [
        ("left behind", Some(1), None, LastWrite::None, true),
        ("nothing found", None, None, LastWrite::None, false),
        ("recorded", Some(1), Some(1), LastWrite::None, false),
        ("another one recorded", Some(1), Some(2), LastWrite::None, true),
        ("deleted", Some(1), None, deleted("u", 1), false),
        ("recorded and deleted", Some(1), Some(1), deleted("u", 1), false),
        ("another one recorded, this one deleted", Some(1), Some(2), deleted("u", 1), false),
        ("another one deleted", Some(1), None, deleted("u", 2), true),
        ("deleted for another object", Some(1), None, deleted("v", 1), true),
    ] {
        let object_state = ObjectState { maybe_own: found.map(confirmed), ..ObjectState::default() };
        let mut known = Knowledge { last, ..Knowledge::default() };
        let recorded = recorded.map(|n| confirmed(n).id().clone());
        ended(&uid("u"), recorded.as_ref(), &mut known, &object_state, NOW);
        assert_eq!(known.doubt, doubted.then(|| left.clone()), "{what}");
        assert_eq!(known.owes(&uid("u")), doubted, "{what}");
    }
}

#[test]
fn a_release_leaves_nothing_to_be_dealt_with() {
    let mut known = Knowledge { doubt: Some(doubt(Some("u"))), last: created("u", 1), ..Knowledge::default() };
    let before = known.clone();
    let mut object_state = ObjectState { maybe_own: Some(confirmed(1)), sent: true, ..ObjectState::default() };
    releasing(&ReleaseProof::NotOurs, &mut object_state);
    released(&uid("u"), &mut known, &mut object_state);
    assert_eq!(object_state, ObjectState { sent: true, ..ObjectState::default() });
    assert_eq!(known, before, "a create in doubt is looked after, unless what it made is to stay");
}

/// R7, R10: what is to stay is not taken for what a create has left behind, whether the answer to the release was heard or not.
#[test]
fn r7_what_stays_is_not_cleared_up_after() {
    let doubted = || Knowledge {
        doubt: Some(UnknownOutcome { creates: [uid("u"), uid("v")].into(), ..doubt(None) }),
        assumed: Some(doubt(Some("u"))),
        last: created("u", 1),
        ..Knowledge::default()
    };
    let stays = |known: &Knowledge| {
        assert!(known.owes(&uid("v")), "another object's create is in doubt still");
        !known.owes(&uid("u")) && known.last == LastWrite::None && known.assumed.is_some()
    };
    let sent = || {
        let mut object_state = ObjectState { maybe_own: Some(confirmed(1)), ..ObjectState::default() };
        releasing(&ReleaseProof::Orphaned, &mut object_state);
        object_state
    };
    let (mut known, mut object_state) = (doubted(), sent());
    released(&uid("u"), &mut known, &mut object_state);
    assert!(stays(&known) && object_state == ObjectState::default(), "answered");
    let mut known = doubted();
    ended(&uid("u"), None, &mut known, &sent(), NOW);
    assert!(stays(&known), "not answered, and the watch shows its end");
    let (mut known, mut object_state) = (doubted(), sent());
    not_released(true, &mut object_state);
    ended(&uid("u"), None, &mut known, &object_state, NOW);
    assert!(known.owes(&uid("u")), "refused: it went by another hand");
    let (mut known, mut object_state) = (doubted(), sent());
    assert!(!releasing(&ReleaseProof::Orphaned, &mut object_state), "the first one is not answered");
    not_released(false, &mut object_state);
    ended(&uid("u"), None, &mut known, &object_state, NOW);
    assert!(stays(&known), "a second one found the object gone: the first one was carried out");
    let held_still = ready().met().with(|scene| scene.object_state.keeping = true).look();
    assert!(!held_still.object_state.keeping, "a look shows that it was not carried out");
}

#[test]
fn r4_only_a_first_claim_proves_that_no_other_process_acted() {
    let put_on = |before: Scene| {
        let mut object_state = before.object_state;
        claimed(&before.object, &mut object_state);
        object_state.claimed_here
    };
    let unclaimed = |scene: &mut Scene| scene.object.claim = ClaimState::Absent;
    assert!(put_on(Scene::new()));
    assert!(!put_on(Scene::claimed()), "it replaces one");
    assert!(!put_on(ready().with(unclaimed)), "it comes back to an owner");
    assert!(!put_on(Scene::new().with(|scene| scene.object_state.claim_met = true)), "there was one before");
    let ours = |scene: &mut Scene| scene.object_state.claimed_here = true;
    assert!(put_on(Scene::claimed().with(ours)), "of what was ours already nobody else has taken anything");
}

#[test]
fn a_first_claim_is_no_surprise_at_the_next_sight() {
    let before = Scene::new().look();
    let mut after = before.clone().with(|scene| scene.object.claim = Scene::claimed().object.claim);
    claimed(&before.object, &mut after.object_state);
    assert_eq!(after.look().known, Knowledge::default());
}
