//! What is done in place of a write that Kubernetes refuses, or that has no lasting effect there (R25, R16).

use crate::call::Call;
use crate::cause::Cause;
use crate::claim::{Claim, MAX_ANNOTATION_BYTES};
use crate::ids::Mono;
use crate::object::Phase;
use crate::refusal::KubeWrite;
use crate::situation::Situation;
use crate::step::{KubeStep, Step, Wake};
use crate::stripped::Stripper;
use crate::verdict::{Stall, Verdict};
use unkey_operator_api::CLAIM_ANNOTATION;

/// `step`, unless it is a claim or a release that is to be left alone for now: then that is told, and waited for.
pub(super) fn held_back(s: &Situation<'_>, step: Step) -> Step {
    match &step {
        Step::Kube(KubeStep::Claim(claim)) => {
            let instead = does_not_fit(s, claim).or_else(|| does_not_stay(s, claim));
            instead.or_else(|| is_refused(s, KubeWrite::Claim, Cause::ClaimRefused)).unwrap_or(step)
        }
        Step::Kube(KubeStep::Release(because)) => {
            let cause = |words| Cause::ReleaseRefused { words, left: because.left() };
            is_refused(s, KubeWrite::Release, cause).unwrap_or(step)
        }
        _ => step,
    }
}

/// What is done in place of a status that is refused until `at`. Only a read does not rest on it.
pub(crate) fn meanwhile(then: Step, at: Mono) -> Step {
    match then {
        Step::Wait(Wake::At(other)) => Step::Wait(Wake::At(at.min(other))),
        // A look for a witness ends in a wake, whether it was in vain or not.
        Step::Call(Call::Read(_)) | Step::Wait(Wake::Witness) => then,
        Step::Wait(Wake::Change | Wake::Proof) | Step::Done | Step::Call(_) | Step::Kube(_) => Step::Wait(Wake::At(at)),
    }
}

fn is_refused(s: &Situation<'_>, write: KubeWrite, cause: impl FnOnce(String) -> Cause) -> Option<Step> {
    let refusal = s.object_state.refusals.holding(write, s.now)?;
    let wait = Step::Wait(Wake::At(refusal.retry_at));
    let verdict = s.verdict_of(&cause(refusal.words.clone()));
    Some(if refusal.lasts() { s.report(verdict, wait) } else { wait })
}

/// The API server would refuse the claim for the size of all annotations: it is not sent, and the largest is named.
fn does_not_fit(s: &Situation<'_>, claim: &Claim) -> Option<Step> {
    let crowd = s.object.crowd.as_ref()?;
    let needs = CLAIM_ANNOTATION.len() + claim.render(&s.object.guard.uid).len();
    let is = crowd.bytes + needs;
    (is > MAX_ANNOTATION_BYTES).then(|| {
        let cause = Cause::AnnotationsTooLarge { is, largest: crowd.largest.clone(), bytes: crowd.largest_bytes };
        s.report(s.verdict_of(&cause), Step::Wait(Wake::Change))
    })
}

/// The claim was put on a few times and taken off again by somebody else each time.
fn does_not_stay(s: &Situation<'_>, claim: &Claim) -> Option<Step> {
    let stripped = s.object_state.stripped.as_ref()?;
    let until = stripped.truce(claim, s.now)?;
    if stripped.by == Stripper::Unasked && !matches!(s.object.phase, Phase::Gone { .. }) {
        return Some(Step::Kube(KubeStep::LookAtManagers));
    }
    Some(s.report(Verdict::Stalled(Stall::Stripped(stripped.by.clone())), Step::Wait(Wake::At(until))))
}
