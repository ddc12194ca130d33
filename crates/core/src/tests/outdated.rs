//! The definition in the cluster is older than this version (R8).

use super::any::windows;
use super::steps::{B, desired, ready};
use super::*;
use unkey_operator_api::Reason;

const LOSER: Role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false };

#[test]
fn with_an_older_definition_what_is_owned_goes_on_and_nothing_new_is_claimed() {
    let mut any = ready();
    any.ownership_gate = OwnershipGate::Outdated;
    any.object.generation = 2;
    any.object.spec = Ok(desired(B));
    any.now = windows(10);
    assert!(matches!(decide(&any.situation()), Step::Call(Call::Update { .. })), "{:?}", decide(&any.situation()));
    any.object.recorded = PriorStatus::Nothing;
    any.object.claim = ClaimState::Absent;
    any.object.finalizer = false;
    let Step::Kube(KubeStep::Status { report, .. }) = decide(&any.situation()) else {
        panic!("{:?}", decide(&any.situation()))
    };
    assert_eq!(report.verdict, Verdict::Waiting(Cause::Outdated));
}

/// R21: what looks as if it were enforced may only be observed, by a word that the definition has dropped. Nothing of ours is on it, and nothing counts as
/// managed; it may have an id or none. Any write would store it without that word for good.
#[test]
fn r21_with_an_older_definition_nothing_is_written_to_what_may_be_observed() {
    let managed = Fields::accepted(desired(B).hashes().clone());
    for (fields, is_written) in [(Some(Fields::default()), false), (None, false), (Some(managed), true)] {
        for (role, generation) in [(Role::Owner, 1), (Role::Owner, 2), (LOSER, 1)] {
            let mut any = ready();
            any.ownership_gate = OwnershipGate::Outdated;
            any.now = windows(10);
            any.role = role;
            any.object.generation = generation;
            (any.object.claim, any.object.finalizer) = (ClaimState::Absent, false);
            let PriorStatus::Own(record) = &mut any.object.recorded else { panic!("it is ready") };
            record.shown.reason = Some(Reason::Observed);
            match &fields {
                Some(fields) => record.held.as_mut().expect("an identity").fields = fields.clone(),
                None => record.held = None,
            }
            let step = decide(&any.situation());
            assert_eq!(step != Step::Wait(Wake::Change), is_written, "{step:?}");
            assert!(is_written || overdue(&any.situation(), None).is_none());
            any.ownership_gate = OwnershipGate::Open;
            assert_ne!(decide(&any.situation()), Step::Wait(Wake::Change));
        }
    }
}

/// One that is being deleted may have waited for that word.
#[test]
fn r21_with_an_older_definition_a_deletion_that_waited_waits() {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    let PriorStatus::Own(record) = &mut any.object.recorded else { panic!("it is ready") };
    record.shown = Shown { reason: Some(Reason::DeletionBlocked), ..Shown::default() };
    any.ownership_gate = OwnershipGate::Outdated;
    assert_eq!(decide(&any.situation()), Step::Wait(Wake::Change));
    any.ownership_gate = OwnershipGate::Open;
    assert!(matches!(decide(&any.situation()), Step::Call(Call::Delete(_))), "{:?}", decide(&any.situation()));
}

#[test]
fn a_status_that_was_not_kept_is_written_again_when_the_definition_changes() {
    for (code, again) in [(200, true), (403, false)] {
        let mut any = ready();
        any.object.controls.deletion = Some(unkey_operator_api::DeletionPolicy::Orphan);
        let answer = Refused { code, words: "no".to_owned(), retry_after: None };
        refused(&any.object, KubeWrite::Status, &answer, &mut any.object_state, any.now, u16::MAX);
        assert!(matches!(decide(&any.situation()), Step::Wait(Wake::At(_))), "{:?}", decide(&any.situation()));
        definition_changed(&mut any.object_state);
        assert_eq!(matches!(decide(&any.situation()), Step::Kube(KubeStep::Status { .. })), again, "{code}");
    }
}
