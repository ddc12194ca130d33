//! R3, R9: one situation each of an identity that exists, and the one step that it asks for.

use super::any::{Any, windows};
use super::steps::{A, B, confirmed, desired, ready};
use super::*;
use unkey_operator_api::AdoptionPolicy;

/// Claimed, answered "exists", and this was found.
fn met(content: &str) -> Any {
    let mut any = ready();
    any.object.recorded = PriorStatus::Nothing;
    any.known.last = LastWrite::Exists { uid: uid("u") };
    let content = Content { meta: meta(content), limits: Limits::default() };
    any.known.seen = Seen::Ours { begun: windows(9), identity: confirmed("id_2"), content };
    any
}

fn step(any: &Any) -> Step {
    decide(&any.situation())
}

fn says(any: &Any) -> Verdict {
    match step(any) {
        Step::Kube(KubeStep::Status { report, .. }) => report.verdict,
        other => panic!("{other:?}"),
    }
}

/// The claim goes first, whatever is left of it, and then the refusal is told.
#[test]
fn what_is_left_to_somebody_else_is_told_when_the_claim_is_off() {
    for (finalizer, claimed) in [(true, true), (true, false), (false, true)] {
        let mut any = met(B);
        any.object.finalizer = finalizer;
        if !claimed {
            any.object.claim = ClaimState::Absent;
        }
        assert_eq!(step(&any), Step::Kube(KubeStep::Release(ReleaseProof::NotOurs)), "{finalizer} {claimed}");
    }
    let mut any = met(B);
    (any.object.finalizer, any.object.claim) = (false, ClaimState::Absent);
    assert!(matches!(says(&any), Verdict::Stalled(Stall::ExistsWouldLose(_))));
}

/// Each refusal says what would take it.
#[test]
fn the_refusal_names_its_reason() {
    let refused = |content: &str, maybe_own: bool| {
        let mut any = met(content);
        any.object.controls.adoption = Some(AdoptionPolicy::Never);
        any.object_state.maybe_own = maybe_own.then(|| confirmed("id_2"));
        (any.object.finalizer, any.object.claim) = (false, ClaimState::Absent);
        says(&any)
    };
    assert_eq!(refused(A, false), Verdict::Stalled(Stall::ExistsNever));
    assert_eq!(refused("{}", false), Verdict::Stalled(Stall::ExistsNever));
    assert_eq!(refused(A, true), Verdict::Stalled(Stall::ExistsNever));
    assert_eq!(refused("{}", true), Verdict::Stalled(Stall::ExistsNeverMaybeOurs));
}

/// Gone as far as anybody could tell, and there after all: it is taken back, and the claim no longer gives it up.
#[test]
fn what_was_given_up_and_shows_again_is_taken_back() {
    let mut any = ready();
    let hash = desired(A).content_hash().clone();
    let claim = |given_up: Option<&str>| Claim { hash: hash.clone(), given_up: given_up.map(IdentityId::new) };
    any.object.claim = ClaimState::Own(claim(Some("id_1")));
    any.object.controls.adoption = Some(AdoptionPolicy::Never);
    let content = Content { meta: meta(B), limits: Limits::default() };
    any.known.seen = Seen::Ours { begun: windows(9), identity: confirmed("id_1"), content };
    assert_eq!(step(&any), Step::Kube(KubeStep::Claim(claim(None))));
    // Not settled, it may be what was: then it has to be looked at again.
    any.known.evidence_from = Evidence::Since(windows(9));
    assert!(matches!(step(&any), Step::Call(Call::Read(_))), "{:?}", step(&any));
}

/// A claim that gives an id up speaks of an identity of ours only beside the status that records it.
#[test]
fn an_id_that_is_given_up_and_recorded_no_more_is_judged_by_the_policy() {
    let mut any = ready();
    let given_up = Some(IdentityId::new("id_1"));
    any.object.claim = ClaimState::Own(Claim { hash: desired(A).content_hash().clone(), given_up });
    any.object.controls.adoption = Some(AdoptionPolicy::Never);
    let content = Content { meta: meta(B), limits: Limits::default() };
    any.known.seen = Seen::Ours { begun: windows(9), identity: confirmed("id_1"), content };
    if let PriorStatus::Own(record) = &mut any.object.recorded {
        record.held = None;
        record.shown.ready = false;
    }
    assert_eq!(step(&any), Step::Kube(KubeStep::Release(ReleaseProof::NotOurs)));
}
