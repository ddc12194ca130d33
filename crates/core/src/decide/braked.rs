//! Hold and brake stand before what leads to a delete (R20). They know no mass: [`Deletions`](crate::Deletions) counts.

use super::deleting::{Leave, leave};
use crate::call::Call;
use crate::cause::Cause;
use crate::deletions::DeletionGate;
use crate::situation::Situation;
use crate::step::{KubeStep, Step, Wake};
use crate::verdict::{HeldDeletion, Verdict};

/// An object with a deletionTimestamp.
pub(super) fn deleting(s: &Situation<'_>) -> Step {
    let step = match leave(s) {
        Leave::Free(step) | Leave::Unseen(step) => return step,
        Leave::ToDelete(step) => step,
    };
    if !s.object.needs_approval() || is_stopped(s, &step) {
        return step;
    }
    match s.deletion_gate {
        DeletionGate::Open => step,
        DeletionGate::Hold { until, is_long } => {
            let wait = Step::Wait(Wake::At(*until));
            if *is_long { s.report(Verdict::Waiting(Cause::DeletionDelayed), wait) } else { wait }
        }
        DeletionGate::Held { episode, approve_until } => {
            let (approve_until, approval) = (approve_until.clone(), s.object.approval.clone());
            held(s, HeldDeletion { episode: episode.clone(), approve_until, approval })
        }
    }
}

/// The numbers that a status shows are those of its first writing: they are not followed.
fn held(s: &Situation<'_>, held: HeldDeletion) -> Step {
    let (verdict, wait) = (Verdict::DeletionHeld(Box::new(held)), Step::Wait(Wake::Change));
    let is_shown = s.object.recorded.own().is_some_and(|record| {
        let said = (record.shown.reason, record.shown.cause, record.generation);
        said == (Some(verdict.reason()), verdict.cause(), s.object.generation)
    });
    if is_shown { wait } else { s.report(verdict, wait) }
}

/// True if nothing but hold and brake stops the deletion of this object: it is counted. `None`: that is not known before a look.
pub fn waits_for_brake_alone(s: &Situation<'_>) -> Option<bool> {
    if !s.object.needs_approval() {
        return Some(false);
    }
    match leave(s) {
        Leave::Unseen(_) => None,
        Leave::Free(_) => Some(false),
        Leave::ToDelete(step) => Some(!is_stopped(s, &step)),
    }
}

/// True if something else stops it: a missing right, another workspace, an outage.
fn is_stopped(s: &Situation<'_>, step: &Step) -> bool {
    match step {
        Step::Call(Call::Delete(_) | Call::Read(_)) | Step::Kube(KubeStep::Refresh) => false,
        // A read is not settled yet; or a failure holds it back.
        Step::Wait(Wake::At(_)) => s.object_state.trouble.is_some(),
        Step::Call(_) | Step::Kube(_) | Step::Wait(_) | Step::Done => true,
    }
}
