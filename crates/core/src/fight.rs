//! No fights (R16): what was set right three times and is found changed in the same way again is left alone for an hour,
//! and so is what Unkey answers with a 5xx each time. Two operators that disagree, or a server that does not keep what it
//! accepts, would otherwise be written to for ever.

use super::backoff::{self, CORRECTIONS};
use super::cause::Cause;
use super::content::Applied;
use super::correction_limit::CorrectionLimit;
use super::ids::Mono;
use super::knowledge::Seen;
use super::object::Object;
use super::object_state::{FailureState, ObjectState};
use super::policy::Policy;
use unkey_operator_api::{Reason, StatusCause};

/// So many 5xx in a row on one object are held against its content.
pub(super) const BROKEN: u32 = 5;

/// What Unkey holds of the managed fields of the recorded identity.
fn held_there(object: &Object, seen: &Seen) -> Option<Applied> {
    match (seen, object.held(), &object.spec) {
        (Seen::Ours { identity, content, .. }, Some(held), Ok(desired)) if *identity == held.identity => {
            Some(desired.managed_of(content))
        }
        _ => None,
    }
}

/// Counts a correction of what was seen.
pub(super) fn corrected(object: &Object, seen: &Seen, object_state: &mut ObjectState, now: Mono) {
    let Some(found) = held_there(object, seen) else { return };
    let before = object_state.fight.take().filter(|fight| fight.is_about(object, &found));
    let corrections = before.map_or(0, |fight| fight.corrections) + 1;
    object_state.fight =
        Some(CorrectionLimit { generation: object.generation, found: Some(found), corrections, last: now });
}

/// Until when what a settled read has just shown is to be left alone.
pub(super) fn truce(object: &Object, seen: &Seen, object_state: &ObjectState, now: Mono) -> Option<Mono> {
    let found = held_there(object, seen)?;
    let differs = object.spec.as_ref().is_ok_and(|desired| desired.missing_from(&found).is_some());
    let fight = object_state.fight.as_ref().filter(|fight| differs && fight.is_about(object, &found))?;
    let until = fight.last.after(backoff::HOUR);
    (fight.corrections >= CORRECTIONS && now < until).then_some(until)
}

/// What a process finds given up for an hour it does not try at once, only because it began.
pub(super) fn resume(object: &Object, object_state: &mut ObjectState, policy: &Policy, now: Mono) {
    let Some(record) = object.recorded.own().filter(|record| record.generation == object.generation) else { return };
    // Whoever owns gets finalizer and claim back at once (R1): one that does not stay on is found out anew.
    let marked = object.finalizer && object.claim.own().is_some();
    if record.shown.reason != Some(Reason::NotConverging) || !marked {
        return;
    }
    let cause = if record.shown.cause == Some(StatusCause::Broken) { Cause::Broken } else { Cause::Contested };
    if cause == Cause::Contested {
        object_state.suspicion = object.held().is_some();
        object_state.fight =
            Some(CorrectionLimit { generation: object.generation, found: None, corrections: CORRECTIONS, last: now });
    } else {
        object_state.broken = BROKEN;
    }
    object_state.failures = BROKEN;
    object_state.trouble = Some(FailureState {
        cause,
        retry_at: Some(now.after(backoff::HOUR)),
        lasting: true,
        write: true,
        generation: object.generation,
        reconcile_request: object.reconcile_request.as_ref().map(|reconcile_request| reconcile_request.value.clone()),
        credential: policy.credential.clone(),
    });
}
