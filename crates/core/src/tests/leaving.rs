//! R7, R10: one situation each of an object that leaves, and the one step that it asks for.

use super::any::{Any, WINDOW, windows};
use super::steps::{A, B, confirmed, created, ready};
use super::*;

fn leaving() -> Any {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    any
}

/// It went in the middle of its create, and nobody has taken its place.
fn gone() -> Any {
    let mut any = ready();
    any.object.phase = Phase::Gone { successors: false };
    any.object.recorded = PriorStatus::Nothing;
    any.known.last = created("id_1");
    any
}

fn step(any: &Any) -> Step {
    decide(&any.situation())
}

fn ours(id: &str, text: &str, begun: Mono) -> Seen {
    Seen::Ours { begun, identity: confirmed(id), content: Content { meta: meta(text), limits: Limits::default() } }
}

const SETTLED: Mono = windows(9);

fn deletes(id: &str) -> Step {
    Step::Call(Call::Delete(confirmed(id)))
}

#[test]
fn the_type_is_looked_at_before_the_delete_and_not_after_it() {
    let mut any = leaving();
    any.crd = Crd::Unseen;
    assert_eq!(step(&any), Step::Kube(KubeStep::LookAtCrd));
    any.known.last = LastWrite::Deleted { uid: uid("u"), identity: confirmed("id_1") };
    assert!(matches!(step(&any), Step::Kube(KubeStep::Release(ReleaseProof::Deleted(_)))), "{:?}", step(&any));
}

/// What a loser holds is its own, whatever the owner of the externalId will record.
#[test]
fn a_loser_that_holds_an_identity_deletes_it() {
    let mut any = leaving();
    any.role = Role::Loser { owner_leaving: false, owner_recorded: false, owner_held: false };
    assert_eq!(step(&any), deletes("id_1"));
}

#[test]
fn what_was_deleted_is_not_deleted_again_though_a_replica_shows_it() {
    let mut any = leaving();
    any.known.last = LastWrite::Deleted { uid: uid("u"), identity: confirmed("id_1") };
    any.object_state.maybe_own = Some(confirmed("id_1"));
    any.known.seen = ours("id_1", A, SETTLED);
    assert!(matches!(step(&any), Step::Kube(KubeStep::Release(ReleaseProof::Deleted(_)))), "{:?}", step(&any));
}

#[test]
fn an_absence_from_before_the_id_was_recorded_says_nothing_of_it() {
    let mut any = leaving();
    any.known.seen = Seen::Absent { first: SETTLED, last: SETTLED, of: None };
    assert_eq!(step(&any), deletes("id_1"));
}

#[test]
fn what_stands_in_its_place_is_deleted_only_if_a_create_of_ours_made_it() {
    let mut any = leaving();
    any.known.seen = ours("id_2", A, SETTLED);
    assert_eq!(step(&any), Step::Kube(KubeStep::Release(ReleaseProof::NotOurs)));
    any.object_state.maybe_own = Some(confirmed("id_2"));
    assert_eq!(step(&any), deletes("id_2"));
    any.known.seen = ours("id_2", B, SETTLED);
    assert_eq!(step(&any), Step::Kube(KubeStep::Release(ReleaseProof::NotOurs)), "it holds what nobody sent");
}

#[test]
fn what_a_create_made_is_deleted_after_its_object() {
    let mut any = gone();
    assert_eq!(step(&any), deletes("id_1"));
    // Its id was answered, so a look need not be settled to show that very one.
    any.object_state.met_deleting = true;
    any.known.evidence_from = Evidence::Since(windows(10));
    any.known.seen = ours("id_1", A, SETTLED);
    assert_eq!(step(&any), deletes("id_1"));
}

#[test]
fn another_one_in_its_place_is_left_or_settled_first() {
    let mut any = gone();
    any.known.seen = ours("id_2", A, SETTLED);
    assert_eq!(step(&any), Step::Done, "somebody else's");
    any.object_state.maybe_own = Some(confirmed("id_2"));
    assert_eq!(step(&any), deletes("id_2"), "of a create before it");
    any.object_state.maybe_own = None;
    any.known.evidence_from = Evidence::Since(SETTLED);
    assert!(matches!(step(&any), Step::Call(Call::Read(_))), "{:?}", step(&any));
}

#[test]
fn it_is_over_when_what_was_found_is_deleted_and_no_create_is_in_doubt() {
    let after = |of: &str, found: Option<&str>, doubt: bool| {
        let mut any = gone();
        any.object_state.met_deleting = true;
        any.known.last = LastWrite::Deleted { uid: uid(of), identity: confirmed("id_1") };
        any.object_state.maybe_own = found.map(confirmed);
        any.known.doubt = doubt.then(|| UnknownOutcome::new(Mono::ZERO, false, Some(uid("u"))));
        step(&any) == Step::Done
    };
    assert!(after("u", None, false));
    assert!(after("u", Some("id_1"), false));
    assert!(!after("u", Some("id_2"), false), "another one was found");
    assert!(!after("v", Some("id_1"), false), "another life's delete");
    assert!(!after("u", None, true) && !after("u", Some("id_1"), true), "a create may still land");
}

#[test]
fn with_an_heir_nothing_is_touched() {
    let mut any = gone();
    any.object.phase = Phase::Gone { successors: true };
    assert_eq!(step(&any), Step::Done);
}

/// Went by somebody's hand: what of it is left is what this process has not seen to be gone.
#[test]
fn what_an_object_leaves_that_was_not_let_go() {
    let id = confirmed("id_1").id().clone();
    let leaves = |change: &dyn Fn(&mut Knowledge)| {
        let mut known = leaving().known;
        known.last = LastWrite::None;
        known.seen = Seen::Nothing;
        change(&mut known);
        left_behind(&uid("u"), &id, &known, WINDOW)
    };
    let deleted = |of: &str, id: &str| LastWrite::Deleted { uid: uid(of), identity: confirmed(id) };
    let absent = |of: &str, at: Mono| Seen::Absent { first: at, last: at, of: Some(confirmed(of).id().clone()) };
    let doubt = || Some(UnknownOutcome::new(SETTLED, false, None));
    assert_eq!(leaves(&|_| {}), LeftBehind::Identity);
    assert_eq!(leaves(&|known| known.last = deleted("u", "id_1")), LeftBehind::Nothing);
    assert_eq!(leaves(&|known| known.last = deleted("v", "id_1")), LeftBehind::Identity, "another life's delete");
    assert_eq!(leaves(&|known| known.last = deleted("u", "id_2")), LeftBehind::Identity, "another identity's");
    assert_eq!(leaves(&|known| known.seen = absent("id_1", SETTLED)), LeftBehind::Nothing);
    assert_eq!(
        leaves(&|known| known.seen = absent("id_2", SETTLED)),
        LeftBehind::Identity,
        "before this id was recorded"
    );
    assert_eq!(leaves(&|known| known.seen = ours("id_1", A, SETTLED)), LeftBehind::Identity);
    let unsettled = |known: &mut Knowledge| {
        known.evidence_from = Evidence::Since(SETTLED);
        known.seen = absent("id_1", SETTLED);
    };
    assert_eq!(leaves(&unsettled), LeftBehind::Identity, "a replica may be behind");
    assert_eq!(leaves(&|known| known.doubt = doubt()), LeftBehind::Perhaps);
    let both = |known: &mut Knowledge| {
        known.doubt = doubt();
        known.last = deleted("u", "id_1");
    };
    assert_eq!(leaves(&both), LeftBehind::Nothing);
}
