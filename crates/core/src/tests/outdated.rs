//! The definition in the cluster is older than this version (R8).

use super::any::windows;
use super::steps::{B, desired, ready};
use super::*;

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

/// R21: what looks as if it were enforced may only be observed, by a word that the definition has dropped. It shows as an identity of which nothing is
/// managed, and nothing of ours is on it.
#[test]
fn r21_with_an_older_definition_what_may_be_observed_is_not_claimed() {
    for (fields, protects) in [(Fields::default(), false), (Fields::accepted(desired(B).hashes().clone()), true)] {
        let mut any = ready();
        any.ownership_gate = OwnershipGate::Outdated;
        any.now = windows(10);
        (any.object.claim, any.object.finalizer) = (ClaimState::Absent, false);
        let PriorStatus::Own(record) = &mut any.object.recorded else { panic!("it is ready") };
        record.held.as_mut().expect("an identity").fields = fields;
        let step = decide(&any.situation());
        assert_eq!(matches!(step, Step::Kube(KubeStep::Claim(_))), protects, "{step:?}");
        assert!(protects || step == Step::Wait(Wake::Change), "a write would drop the word for good: {step:?}");
        any.ownership_gate = OwnershipGate::Open;
        assert!(matches!(decide(&any.situation()), Step::Kube(KubeStep::Claim(_))));
    }
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
