//! One situation each, and the one step that it asks for.

mod rest;

use super::any::{Any, WINDOW, customer, windows};
use super::*;
use unkey_operator_api::{DeletionPolicy, Origin, Reason};

pub(super) const A: &str = r#"{"plan":"a"}"#;
pub(super) const B: &str = r#"{"plan":"b"}"#;

type Change = fn(&mut Any);

pub(super) fn desired(text: &str) -> Desired {
    Desired::new(customer(), Some(meta(text)), None)
}

pub(super) fn confirmed(id: &str) -> Confirmed {
    Confirmed::from_create(&customer(), id).expect("an id")
}

/// What a create for `u` has made, and no status shows yet.
pub(super) fn created(id: &str) -> LastWrite {
    let (identity, applied) = (confirmed(id), desired(A).hashes().clone());
    LastWrite::Created { uid: uid("u"), identity, applied, credential: None, noted: false }
}

/// An object whose identity is as it should be, long after the last write.
pub(super) fn ready() -> Any {
    let spec = desired(A);
    let held = OwnedIdentity {
        identity: confirmed("id_1"),
        origin: Some(Origin::Created),
        fields: Fields::accepted(spec.hashes().clone()),
        credential: Some("key".to_owned()),
    };
    let shown = Shown { ready: true, reason: Some(Reason::Synced), message: "m".to_owned(), ..Shown::default() };
    let record = Record {
        generation: 1,
        held: Some(held),
        observed: None,
        deletion: Some(DeletionPolicy::Delete),
        handled_request: None,
        shown,
    };
    Any {
        object: Object {
            key: ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() },
            guard: Guard { uid: uid("u"), resource_version: "1".to_owned() },
            phase: Phase::Live,
            fresh: true,
            finalizer: true,
            claim: ClaimState::Own(Claim { hash: spec.content_hash().clone(), given_up: None }),
            approval: Approval::None,
            crowd: None,
            leaving_for: None,
            generation: 1,
            reconcile_request: None,
            external_id: Some(customer()),
            controls: Controls::default(),
            spec: Ok(spec),
            recorded: PriorStatus::Own(Box::new(record)),
        },
        role: Role::Owner,
        known: Knowledge::default(),
        object_state: ObjectState { seen_before: true, ..ObjectState::default() },
        gate: Gate::Open,
        witness: Witness::default(),
        crd: Crd::Unguarded,
        ownership_gate: OwnershipGate::Open,
        deletion_gate: DeletionGate::Open,
        policy: Policy { window: WINDOW, attempt: ms(10_000), credential: Some("key".to_owned()), ..Policy::default() },
        now: windows(10),
    }
}

fn record(any: &mut Any) -> &mut Record {
    match &mut any.object.recorded {
        PriorStatus::Own(record) => record,
        _ => panic!("nothing recorded"),
    }
}

/// The same, refused by Unkey for good.
fn rejected() -> Any {
    let mut any = ready();
    let record = record(&mut any);
    record.shown.ready = false;
    record.shown.stalled = true;
    record.shown.reason = Some(Reason::Rejected);
    any
}

pub(super) fn step(any: &Any) -> Step {
    decide(&any.situation())
}

fn verdict(step: &Step) -> Option<&Verdict> {
    match step {
        Step::Kube(KubeStep::Status { report, .. }) => Some(&report.verdict),
        _ => None,
    }
}

fn updated(of: &str, text: &str) -> LastWrite {
    let applied = desired(text).hashes().clone();
    LastWrite::Updated { uid: uid(of), identity: confirmed("id_1"), applied, told: 1, noted: false }
}

fn doubt() -> UnknownOutcome {
    UnknownOutcome::new(Mono::ZERO, false, None)
}

/// S41: another process's status came first, so what Unkey holds is ours and not what that status says.
#[test]
fn s41_an_update_that_was_overtaken_is_set_right() {
    let mut any = ready();
    any.known.last = updated("u", B);
    any.known.seen = Seen::Nothing;
    assert!(matches!(step(&any), Step::Call(Call::Update { .. })), "{:?}", step(&any));
}

/// R3: a new claim would forget what the create sent that may have made what was found.
#[test]
fn what_was_found_is_judged_before_the_claim_follows_an_edit() {
    let mut any = ready();
    any.object.recorded = PriorStatus::Nothing;
    any.object.spec = Ok(desired(B));
    assert!(matches!(step(&any), Step::Kube(KubeStep::Claim(_))), "{:?}", step(&any));
    any.object_state.maybe_own = Some(confirmed("id_2"));
    assert!(matches!(step(&any), Step::Call(Call::Read(_))), "{:?}", step(&any));
}

/// What an update of an earlier life put there says nothing of this one.
#[test]
fn an_update_of_another_life_does_not_count_as_sent() {
    let mut any = ready();
    any.known.last = updated("v", B);
    assert_eq!(step(&any), Step::Done);
    any.object.generation = 2;
    any.object.spec = Ok(desired(B));
    assert!(matches!(step(&any), Step::Call(Call::Update { .. })), "{:?}", step(&any));
}

/// R14: an unreadable deletionPolicy suspends; then the spec's error is what the user has to read, and else nothing is.
#[test]
fn what_a_suspended_object_says() {
    let mut any = ready();
    any.object.controls.suspend = true;
    assert_eq!(verdict(&step(&any)), Some(&Verdict::Suspended));
    for (error, said) in
        [(SpecError::Unreadable { field: "deletionPolicy" }, true), (SpecError::MetaTooDeep { levels: 101 }, false)]
    {
        any.object.spec = Err(error.clone());
        let expected = if said { Verdict::Stalled(Stall::InvalidSpec(error)) } else { Verdict::Suspended };
        assert_eq!(verdict(&step(&any)), Some(&expected));
    }
}

/// R8: a claim is void, in part or as a whole, once the owner's identity is recorded; before that it may be the only trace.
#[test]
fn a_loser_lets_go_of_what_is_on() {
    let own = || ClaimState::Own(Claim { hash: desired(A).content_hash().clone(), given_up: None });
    for (finalizer, mark, owner_recorded, releases) in [
        (true, own(), true, true),
        (true, ClaimState::Absent, true, true),
        (false, own(), true, true),
        (false, ClaimState::Absent, true, false),
        (true, own(), false, false),
    ] {
        let mut any = ready();
        any.role = Role::Loser { owner_leaving: false, owner_recorded, owner_held: false };
        (any.object.finalizer, any.object.claim) = (finalizer, mark);
        let step = step(&any);
        assert_eq!(matches!(step, Step::Kube(KubeStep::Release(ReleaseProof::NotOurs))), releases, "{step:?}");
        if !releases {
            assert_eq!(verdict(&step), Some(&Verdict::Conflict { owner_leaving: false, owner_held: false }));
        }
    }
}

/// R7: what was deleted is not what the object owns by now, if another process has recorded another identity since.
#[test]
fn having_deleted_one_identity_is_no_reason_to_leave_another() {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    any.object_state.met_deleting = true;
    any.known.last = LastWrite::Deleted { uid: uid("u"), identity: confirmed("id_1") };
    assert!(matches!(step(&any), Step::Kube(KubeStep::Release(ReleaseProof::Deleted(_)))), "{:?}", step(&any));
    record(&mut any).held.as_mut().expect("held").identity = confirmed("id_2");
    assert!(matches!(step(&any), Step::Call(Call::Read(_))), "{:?}", step(&any));
}

fn report(step: &Step) -> (&StatusUpdate, &[EventNote]) {
    match step {
        Step::Kube(KubeStep::Status { report, notes }) => (report, notes),
        other => panic!("{other:?}"),
    }
}

/// A reconcile request is echoed when a settled read has answered it, or a stall does; until then the last echo stays.
#[test]
fn a_poke_is_echoed_when_it_is_answered() {
    let poked = |change: fn(&mut Any)| {
        let mut any = ready();
        record(&mut any).handled_request = Some("before".to_owned());
        any.object.reconcile_request = Some(ReconcileRequest { value: "now".to_owned(), since: Mono::ZERO });
        any.object.generation = 2;
        change(&mut any);
        report(&step(&any)).0.handled_request.clone()
    };
    assert_eq!(poked(|any| any.object_state.judged = Some("now".to_owned())).as_deref(), Some("now"));
    assert_eq!(poked(|any| any.object.spec = Err(SpecError::MetaTooDeep { levels: 101 })).as_deref(), Some("now"));
    assert_eq!(poked(|any| any.object.controls.suspend = true).as_deref(), Some("before"));
}

/// R17: a field that leaves the spec is released, which is told once; one that was never managed is none.
#[test]
fn a_field_that_leaves_the_spec_is_released() {
    let limits = limits(&[("req", 1, 1000, false)]);
    let both = Desired::new(customer(), Some(meta(A)), Some(limits.clone()));
    let only_meta = desired(A);
    let only_limits = Desired::new(customer(), None, Some(limits));
    let after = |before: &Desired, now: &Desired| {
        let mut any = ready();
        record(&mut any).held.as_mut().expect("held").fields = Fields::accepted(before.hashes().clone());
        any.object.generation = 2;
        any.object.spec = Ok(now.clone());
        let step = step(&any);
        let (report, notes) = report(&step);
        assert_eq!(report.held.as_ref().expect("held").fields, Fields::accepted(now.hashes().clone()));
        notes.iter().map(|note| note.about().into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(after(&both, &only_meta), ["ratelimits"]);
    assert_eq!(after(&both, &only_limits), ["meta"]);
    assert_eq!(after(&both, &both), [""; 0]);
    assert_eq!(after(&only_meta, &only_meta), [""; 0]);
}
