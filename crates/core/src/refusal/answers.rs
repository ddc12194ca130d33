//! What Kubernetes answered to a write, taken into what is remembered of the object: what is refused, what counts as taken, and which claim does
//! not stay on. It decides nothing.

use super::super::backoff::{self, CORRECTIONS, HOUR};
use super::super::cause::Cause;
use super::super::claim::Claim;
use super::super::ids::Mono;
use super::super::object::{Guard, Object};
use super::super::object_state::ObjectState;
use super::super::refusal::{KubeWrite, Refusal, Refused};
use super::super::step::{Step, Wake};
use super::super::stripped::{Stripped, Stripper};
use unkey_text::printable;

/// Characters of the API server's words that are kept.
const MAX_WORDS: usize = 500;
/// So many failed tests in a row, each of another version of the object, are no coincidence any more.
const STALE: u32 = 8;

/// The definition in the cluster is another one: a status that the API server accepted and did not keep may be written again.
pub fn definition_changed(object_state: &mut ObjectState) {
    if object_state.refusals.of(KubeWrite::Status).is_some_and(|refusal| refusal.code == 200) {
        object_state.refusals.take(KubeWrite::Status);
    }
}

/// Takes in that the API server refused a write. Returns true if that begins with this.
pub fn refused(
    object: &Object,
    write: KubeWrite,
    answer: &Refused,
    object_state: &mut ObjectState,
    now: Mono,
    jitter: u16,
) -> bool {
    let before = object_state.refusals.take(write);
    let begins = before.is_none();
    let failures = before.as_ref().map_or(0, |before| before.failures) + 1;
    let latest = printable(&answer.words, MAX_WORDS);
    // Words that hold a time, a port or a request id are others each time, and refusals may alternate: neither is news. What comes twice is.
    let is_news = |before: &Refusal| !before.lasts() || before.latest == latest;
    let (words, told) = match before {
        Some(before) if !is_news(&before) => (before.words, before.told),
        Some(before) => {
            let told = before.told && before.words == latest;
            (latest.clone(), told)
        }
        None => (latest.clone(), false),
    };
    // Every cause that passes by itself has the same delays.
    let wait = backoff::delay(&Cause::Unavailable, failures, answer.retry_after, jitter).unwrap_or(backoff::MAX);
    object_state.refusals.0.push(Refusal {
        write,
        code: answer.code,
        words,
        latest,
        failures,
        tried_at: now,
        retry_at: now.after(wait),
        version: object.guard.resource_version.clone(),
        generation: object.generation,
        reconcile_request: object.reconcile_request.as_ref().map(|reconcile_request| reconcile_request.value.clone()),
        told,
    });
    begins
}

/// Takes in that the API server took a write.
pub fn accepted(write: KubeWrite, object_state: &mut ObjectState) {
    object_state.refusals.take(write);
    object_state.stale = 0;
}

/// Takes in that a write was answered as if a test in its patch had failed: 409, or 422 without causes. `after` is what a read showed then;
/// `None`: the object is gone. Returns true if that is no failed test but a refusal: nothing has changed that could have failed one, or
/// something changes each time.
pub fn is_refusal(before: &Guard, after: Option<&Guard>, object_state: &mut ObjectState) -> bool {
    let Some(after) = after.filter(|after| after.uid == before.uid) else { return false };
    object_state.stale = object_state.stale.saturating_add(1);
    after.resource_version == before.resource_version || object_state.stale >= STALE
}

/// Takes in how a reconcile ends: where nothing is left to be written, what was refused is not wanted any more.
pub fn concluded(end: &Step, object_state: &mut ObjectState) {
    if matches!(end, Step::Done | Step::Wait(Wake::Change | Wake::Proof)) {
        object_state.refusals.0.clear();
        object_state.stale = 0;
    }
}

/// An event tells that this write is refused.
pub fn told(write: KubeWrite, object_state: &mut ObjectState) {
    if let Some(refusal) = object_state.refusals.0.iter_mut().find(|refusal| refusal.write == write) {
        refusal.told = true;
    }
}

/// Notes that our patch put a claim on `before`, the object that the patch was made from. `stays`: the API server's reply shows it.
/// Nothing is kept of one that is put on for the first time and stays.
pub fn put_on(before: &Object, claim: &Claim, stays: bool, object_state: &mut ObjectState, now: Mono) {
    let was_on = object_state.claim_met || object_state.claimed_here;
    let is_off = !before.finalizer || before.claim.own().is_none();
    if stays && !(was_on && is_off) {
        return;
    }
    let known = object_state.stripped.take().filter(|known| known.claim == *claim);
    // One that stayed on for long is not taken off for having been put on.
    let known = known.filter(|known| known.times >= CORRECTIONS || now < known.last.after(HOUR));
    let (times, by) = known.map_or((0, Stripper::Unasked), |known| (known.times, known.by));
    let by = match by {
        _ if !stays => Stripper::Admission,
        Stripper::Admission => Stripper::Unasked,
        by => by,
    };
    object_state.stripped = Some(Stripped {
        claim: claim.clone(),
        generation: before.generation,
        reconcile_request: before.reconcile_request.as_ref().map(|reconcile_request| reconcile_request.value.clone()),
        times: times.saturating_add(1),
        last: now,
        by,
    });
}

/// Takes in which manager wrote the object last, as its managedFields tell.
pub fn managers_seen(manager: Option<&str>, object_state: &mut ObjectState) {
    if let Some(stripped) = &mut object_state.stripped {
        stripped.by = manager.map_or(Stripper::Unknown, |name| Stripper::Manager(printable(name, MAX_WORDS)));
    }
}

/// What a change of the object ends, and what time does.
pub(crate) fn sync_object(object: &Object, object_state: &mut ObjectState, now: Mono) {
    object_state.refusals.0.retain(|refusal| refusal.is_of(object));
    for refusal in &mut object_state.refusals.0 {
        refusal.follow(object);
    }
    let marked = object.finalizer && object.claim.own().is_some();
    let ends = |stripped: &Stripped| {
        let poked = object
            .reconcile_request
            .as_ref()
            .is_some_and(|reconcile_request| stripped.reconcile_request.as_ref() != Some(&reconcile_request.value));
        let stayed = marked && now >= stripped.last.after(HOUR);
        stripped.generation != object.generation || poked || stayed
    };
    if object_state.stripped.as_ref().is_some_and(ends) {
        object_state.stripped = None;
    }
}
