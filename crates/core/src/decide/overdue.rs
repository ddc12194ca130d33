//! What a status says while work waits (R24): for its turn among the calls, for whatever holds up the root key, for its next try.

use super::decide;
use super::establish::was_refused;
use crate::cause::Cause;
use crate::object::Phase;
use crate::refusal::KubeWrite;
use crate::situation::Situation;
use crate::status_update::StatusUpdate;
use crate::step::{KubeStep, Step};
use crate::verdict::Verdict;

/// The status of an object whose work has waited for long; `None`: there is no work, the status tells of it already, or there is none of ours,
/// which reads as in progress by itself. `holds_up`: why no call is answered under the root key, if none is.
///
/// It takes nothing back and promises nothing: id, hashes and echo stay as they are recorded.
pub fn overdue(s: &Situation<'_>, holds_up: Option<&Cause>) -> Option<StatusUpdate> {
    let record = s.object.recorded.own()?;
    let leaving = match s.object.phase {
        Phase::Live => false,
        Phase::Deleting => true,
        Phase::Gone { .. } => return None,
    };
    // A Ready of this generation stands until a settled read contradicts it, whatever is being looked at.
    let untrue = record.shown.ready && (leaving || s.held().is_none() && !s.object.recorded.observes());
    if s.may_have_lost_its_word() || record.generation == s.object.generation && !untrue {
        return None;
    }
    // Kubernetes refuses it; another try is the reconcile's (R25).
    if s.object_state.refusals.holding(KubeWrite::Status, s.now).is_some() {
        return None;
    }
    // That it was refused decides what comes first. It says that the object is not ready, and stays.
    if !leaving && was_refused(s) {
        return None;
    }
    match decide(s) {
        // Nothing follows; or a status, which is all that there is to do.
        Step::Done | Step::Kube(KubeStep::Status { .. }) => return None,
        Step::Kube(_) | Step::Call(_) | Step::Wait(_) => {}
    }
    let cause = s.object_state.trouble.as_ref().map(|trouble| &trouble.cause).or(holds_up);
    let verdict = cause.map(|cause| s.verdict_of(cause)).filter(|verdict| !verdict.is_stalled());
    let verdict = verdict.unwrap_or(Verdict::Waiting(Cause::Queued));
    Some(StatusUpdate {
        generation: s.object.generation,
        held: record.held.clone(),
        deletion: s.deletion(),
        handled_request: record.handled_request.clone(),
        verdict,
        external_id: s.object.external_id.clone(),
    })
}
