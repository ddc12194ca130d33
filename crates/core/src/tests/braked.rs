//! R20: what is held back of a deletion, what is not, and what is said of it.

use proptest::prelude::*;
use unkey_operator_api::{DeletionPolicy, StatusCause};

use super::any::{Any, anything, held_gate, windows};
use super::steps::{confirmed, created, ready};
use super::*;

fn leaving(deletion_gate: DeletionGate) -> Any {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    any.deletion_gate = deletion_gate;
    any
}

fn step(any: &Any) -> Step {
    decide(&any.situation())
}

fn said(step: &Step) -> Option<&Verdict> {
    match step {
        Step::Kube(KubeStep::Status { report, .. }) => Some(&report.verdict),
        _ => None,
    }
}

#[test]
fn r20_what_is_held_is_told_and_waits_for_a_change() {
    let mut any = leaving(held_gate());
    let first = step(&any);
    let Some(Verdict::DeletionHeld(held)) = said(&first) else { panic!("{first:?}") };
    assert_eq!((held.episode.deletions, held.approve_until.as_str()), (11, "2026-11-28T18:00:00Z"));
    let Step::Kube(KubeStep::Status { report, .. }) = first else { unreachable!() };
    let PriorStatus::Own(record) = &mut any.object.recorded else { panic!("nothing recorded") };
    record.shown = report.shown(&any.object.key);
    // The numbers move, and a message of another process has others.
    record.shown.message = "with other numbers".to_owned();
    assert_eq!(step(&any), Step::Wait(Wake::Change));
    any.object.approval = Approval::Past("2026-11-28T17:00:00Z".to_owned());
    assert_eq!(said(&step(&any)).and_then(Verdict::cause), Some(StatusCause::ApprovalPast));
    any.object.approval = Approval::Unreadable("yes".to_owned());
    assert_eq!(said(&step(&any)).and_then(Verdict::cause), Some(StatusCause::ApprovalUnreadable));
    any.object.approval = Approval::Given;
    assert_eq!(step(&any), Step::Call(Call::Delete(confirmed("id_1"))));
}

#[test]
fn r20_a_hold_is_waited_for_and_told_only_if_it_is_long() {
    let until = windows(11);
    let mut any = leaving(DeletionGate::Hold { until, is_long: false });
    assert_eq!(step(&any), Step::Wait(Wake::At(until)));
    any.deletion_gate = DeletionGate::Hold { until, is_long: true };
    assert_eq!(said(&step(&any)), Some(&Verdict::Waiting(Cause::DeletionDelayed)));
    any.object.approval = Approval::Given;
    assert_eq!(step(&any), Step::Call(Call::Delete(confirmed("id_1"))));
}

/// What is gone already is let go, whatever waits beside it; and so is what stays.
#[test]
fn r20_what_deletes_nothing_is_not_held() {
    let mut deleted = leaving(held_gate());
    deleted.known.last = LastWrite::Deleted { uid: uid("u"), identity: confirmed("id_1") };
    let mut orphaned = leaving(held_gate());
    orphaned.object.controls.deletion = Some(DeletionPolicy::Orphan);
    let mut type_goes = leaving(held_gate());
    type_goes.crd = Crd::Going;
    for any in [deleted, orphaned, type_goes] {
        assert!(matches!(step(&any), Step::Kube(KubeStep::Release(_))), "{:?}", step(&any));
        assert_eq!(waits_for_brake_alone(&any.situation()), Some(false));
    }
}

/// A create of this process is in doubt, or accepted and not recorded: the deletion may send a delete, so it counts.
#[test]
fn r20_whether_it_counts_is_not_known_before_the_look_at_the_type() {
    for crd in [Crd::Unseen, Crd::Doubtful(windows(11))] {
        let mut any = leaving(held_gate());
        any.crd = crd;
        assert_eq!(waits_for_brake_alone(&any.situation()), None);
        any.object.controls.deletion = Some(DeletionPolicy::Orphan);
        assert!(matches!(step(&any), Step::Kube(KubeStep::Release(_))), "R7: it is let go without one");
    }
}

#[test]
fn r20_a_claim_without_an_id_counts() {
    let mut any = leaving(held_gate());
    any.object.recorded = PriorStatus::Nothing;
    any.object_state.claim_met = true;
    assert_eq!(waits_for_brake_alone(&any.situation()), Some(true));
    assert!(matches!(said(&step(&any)), Some(Verdict::DeletionHeld(_))));
    any.known.last = created("id_1");
    assert_eq!(waits_for_brake_alone(&any.situation()), Some(true));
}

/// What something else stops does not count, and says what stops it.
#[test]
fn r20_what_something_else_stops_does_not_count() {
    let with = |change: fn(&mut Any)| {
        let mut any = leaving(held_gate());
        change(&mut any);
        any
    };
    for any in [
        with(|any| any.object.controls.suspend = true),
        with(|any| any.crd = Crd::Hidden),
        with(|any| any.object.finalizer = false),
        with(|any| any.object.approval = Approval::Given),
        with(|any| any.object.phase = Phase::Live),
        with(|any| {
            any.object_state.trouble = Some(FailureState {
                cause: Cause::PermissionDenied(Operation::Delete),
                retry_at: Some(windows(12)),
                generation: 1,
                credential: Some("key".to_owned()),
                reconcile_request: None,
                lasting: true,
                write: true,
            });
        }),
    ] {
        assert_eq!(waits_for_brake_alone(&any.situation()), Some(false), "{:?}", step(&any));
        assert!(!matches!(said(&step(&any)), Some(Verdict::DeletionHeld(_))), "{:?}", step(&any));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// Nothing that an object being deleted asks for leads to a delete while it is held, unless it is approved, or gone by our own hand.
    #[test]
    fn r20_a_closed_gate_lets_no_delete_pass(any in anything()) {
        let s = any.situation();
        let closed = any.deletion_gate != DeletionGate::Open && any.object.approval != Approval::Given;
        let removed = matches!(&any.known.last, LastWrite::Deleted { uid: of, .. } if *of == uid("u"));
        if any.object.phase == Phase::Deleting && closed && !removed {
            prop_assert!(!matches!(decide(&s), Step::Call(Call::Delete(_))), "{:?}", decide(&s));
        }
    }

    /// With an open gate the brake changes nothing; and what counts would go on.
    #[test]
    fn r20_what_counts_goes_on_behind_an_open_gate(any in anything()) {
        let mut open = any.clone();
        open.deletion_gate = DeletionGate::Open;
        if waits_for_brake_alone(&any.situation()) == Some(true) {
            let next = decide(&open.situation());
            prop_assert!(matches!(next, Step::Call(_) | Step::Kube(KubeStep::Refresh) | Step::Wait(Wake::At(_))), "{next:?}");
        }
        let mut approved = open.clone();
        approved.object.approval = Approval::Given;
        prop_assert_eq!(decide(&open.situation()), decide(&approved.situation()));
    }
}
