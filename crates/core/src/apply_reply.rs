//! What a process takes from what it sees and from what it is answered.
//!
//! [`sync_object()`](super::sync_object()) takes in the object, [`begin`] notes a write before it is sent, [`apply_reply`] takes in the
//! answer. A write that was begun and never learned of (a dropped future, a panic) is an unknown outcome by itself.

mod reads;

use super::backoff;
use super::call::{Call, Purpose};
use super::cause::Cause;
use super::desired::Desired;
use super::fight;
use super::ids::{Confirmed, IdentityId, Mono};
use super::knowledge::{Knowledge, Seen};
use super::note::EventNote;
use super::object::Object;
use super::object_state::{FailureState, ObjectState, Unfound};
use super::permission::Operation;
use super::policy::Policy;
use super::reply::{Effect, Fault, Reply, ReplyContext};
use super::writes::{InFlight, LastWrite, UncertainFields, UnknownOutcome, Write};

/// Begins a reconcile: what an earlier one saw to be there may be gone by now. Absence is kept, as a row of it is evidence.
pub fn begin_reconcile(known: &mut Knowledge) {
    if let Some(sent) = known.in_flight.take() {
        unknown(known, &sent);
    }
    if matches!(known.seen, Seen::Ours { .. } | Seen::Foreign { .. }) {
        known.seen = Seen::Nothing;
    }
}

fn unknown(known: &mut Knowledge, sent: &InFlight) {
    in_doubt(known, sent, sent.deadline, false);
}

fn in_doubt(known: &mut Knowledge, sent: &InFlight, over: Mono, ended: bool) {
    let create = (sent.what == Write::Create).then(|| sent.uid.clone());
    known.add_doubt(UnknownOutcome::new(over, ended, create));
    if sent.what == Write::Delete && matches!(known.seen, Seen::Ours { .. }) {
        // R6: what was seen before a delete that may have taken effect allows no other one.
        known.seen = Seen::Nothing;
    }
    if let Some(fields) = &sent.fields {
        known.unsure = Some(match known.unsure.take().filter(|before| before.uid == fields.uid) {
            Some(before) => {
                UncertainFields { meta: before.meta || fields.meta, limits: before.limits || fields.limits, ..before }
            }
            None => fields.clone(),
        });
    }
}

/// What an accepted update sent is known again.
fn sure_again(known: &mut Knowledge, sent: &UncertainFields) {
    if let Some(unsure) = known.unsure.as_mut().filter(|unsure| unsure.uid == sent.uid) {
        unsure.meta &= !sent.meta;
        unsure.limits &= !sent.limits;
    }
}

/// Notes a call before it is sent; it is over by `deadline` at the latest.
pub fn begin(object: &Object, call: &Call, known: &mut Knowledge, object_state: &mut ObjectState, deadline: Mono) {
    let what = match call {
        Call::Read(_) => return,
        Call::Create(_) => Write::Create,
        Call::Update { .. } => Write::Update,
        Call::Delete(_) => Write::Delete,
    };
    let uid = object.guard.uid.clone();
    let fields = match call {
        Call::Update { patch, .. } => {
            Some(UncertainFields { uid: uid.clone(), meta: patch.meta.is_some(), limits: patch.limits.is_some() })
        }
        _ => None,
    };
    known.in_flight = Some(InFlight { uid, what, deadline, fields, sent_before: object_state.sent });
    object_state.sent |= what == Write::Create;
    object_state.met_deleting |= what == Write::Delete;
}

/// Takes in the answer to a call. Returns what is worth an event.
pub fn apply_reply(
    object: &Object,
    call: &Call,
    reply: &Reply,
    known: &mut Knowledge,
    object_state: &mut ObjectState,
    policy: &Policy,
    telling: ReplyContext,
) -> Option<EventNote> {
    let sent = known.in_flight.take();
    if let Reply::Failed(fault) = reply {
        failed(object, call, fault, sent.as_ref(), known, object_state, policy, telling);
        return None;
    }
    let (failures, before) = (object_state.failures, object_state.trouble.take());
    object_state.failures = 0;
    if !matches!(call, Call::Read(_)) {
        object_state.broken = 0;
    }
    if let (Call::Read(_), Some(trouble)) = (call, before.as_ref().filter(|trouble| trouble.write)) {
        // The row of failures goes on, or a repeated delete with its get would never be shown and never be slowed down (R13).
        object_state.failures = failures;
        object_state.trouble = Some(FailureState { retry_at: Some(telling.now), ..trouble.clone() });
    }
    match (call, reply) {
        (Call::Read(external_id), Reply::Found { external_id: replied, id, content }) => {
            if object_state.suspicion {
                // Whether that is over only the write that follows can tell.
                object_state.failures = failures;
            }
            reads::found(external_id, replied, id, content, object, known, object_state, policy, telling, failures);
        }
        (Call::Read(_), Reply::Absent) => reads::absent(object, known, object_state, policy, telling, failures),
        (Call::Create(desired), Reply::Created { id }) => match Confirmed::from_create(&desired.external_id, id) {
            Some(identity) => {
                accepted(known, telling.now, policy, true, call.carries_limits());
                created(object, desired, identity, known, object_state, policy);
            }
            // Accepted, but nobody knows as what.
            None => {
                if let Some(sent) = &sent {
                    unknown(known, sent);
                }
            }
        },
        (Call::Create(_), Reply::Exists) => {
            known.last = LastWrite::Exists { uid: object.guard.uid.clone() };
            known.seen = Seen::Nothing;
            object_state.failures = failures;
            object_state.sent = sent.is_some_and(|sent| sent.sent_before);
            object_state.met_exists = true;
            object_state.exists_since.get_or_insert(telling.now);
        }
        (Call::Update { to, patch, purpose }, Reply::Updated { external_id, id }) => {
            accepted(known, telling.now, policy, true, call.carries_limits());
            if let Some(fields) = sent.as_ref().and_then(|sent| sent.fields.as_ref()) {
                sure_again(known, fields);
            }
            if Confirmed::from_reply(to.external_id(), external_id, id).as_ref() != Some(to) {
                // It was written to, whatever it is: hold everything and say so.
                object_state.failures = failures + 1;
                object_state.rejudge = None;
                object_state.trouble = Some(trouble(object, policy, Cause::Mismatch, None, true));
                return None;
            }
            let last = known.updated(object, to, &patch.hashes());
            if *purpose == Purpose::Drift {
                fight::corrected(object, &known.seen, object_state, telling.now);
            }
            object_state.drifted = false;
            object_state.unfound = None;
            known.last = last;
            object_state.suspicion = false;
            return (*purpose == Purpose::Drift).then(|| EventNote::DriftCorrected(to.id().clone()));
        }
        (Call::Update { to, .. }, Reply::Absent) => {
            update_found_nothing(object, to, known, object_state, policy, telling, failures);
        }
        (Call::Delete(identity), Reply::Deleted) => {
            accepted(known, telling.now, policy, false, false);
            known.shown_at = None;
            known.last = LastWrite::Deleted { uid: object.guard.uid.clone(), identity: identity.clone() };
            known.seen = Seen::Nothing;
            object_state.unfound = None;
        }
        (Call::Delete(identity), Reply::Absent) => {
            unfound(identity, Operation::Delete, known, object_state, policy, telling);
            object_state.failures = failures;
        }
        // An answer that does not belong to the question: nothing was learned, and of a write nothing is known.
        _ => {
            if let Some(sent) = &sent {
                unknown(known, sent);
            }
            object_state.failures = failures;
            object_state.trouble = before;
        }
    }
    None
}

/// Unkey has made this identity, so nothing else lived under its externalId.
fn created(
    object: &Object,
    desired: &Desired,
    identity: Confirmed,
    known: &mut Knowledge,
    object_state: &mut ObjectState,
    policy: &Policy,
) {
    let uid = object.guard.uid.clone();
    let (applied, credential) = (desired.hashes().clone(), policy.credential.clone());
    known.last = LastWrite::Created { uid, identity, applied, credential, noted: false };
    // What was seen before is not about this identity, and lives no more.
    known.seen = Seen::Nothing;
    object_state.maybe_own = None;
    object_state.suspicion = false;
    object_state.exists_since = None;
}

/// The identity is gone, a replica is behind, or the root key lacks the permission.
fn update_found_nothing(
    object: &Object,
    to: &Confirmed,
    known: &mut Knowledge,
    object_state: &mut ObjectState,
    policy: &Policy,
    telling: ReplyContext,
    failures: u32,
) {
    object_state.suspicion = true;
    object_state.failures = failures;
    if unfound(to, Operation::Update, known, object_state, policy, telling) {
        return;
    }
    object_state.failures += 1;
    if failures > 0 {
        // A read shows it and an update does not find it: replicas that disagree must not drive a loop.
        object_state.trouble = Some(lag(object, object_state, policy, telling));
    }
}

/// A write by id was answered with a 404: the identity is gone, a replica is behind, or the root key lacks the permission. What was
/// seen before is contradicted, and a settled read has to tell (R19). Returns true if no replica can be behind.
fn unfound(
    to: &Confirmed,
    operation: Operation,
    known: &mut Knowledge,
    object_state: &mut ObjectState,
    policy: &Policy,
    telling: ReplyContext,
) -> bool {
    let settled = telling.begun >= known.settles_at(policy.window);
    known.seen = Seen::Nothing;
    object_state.unfound = Some(Unfound { id: to.id().clone(), operation, settled });
    settled
}

/// A read or its absence shows that the root key lacks this permission, though no answer says so: as a 403 would (R13, R19).
fn denied(
    object: &Object,
    operation: Operation,
    object_state: &mut ObjectState,
    policy: &Policy,
    telling: ReplyContext,
    failures: u32,
) {
    if failures == 0 {
        object_state.failing_since = telling.begun;
    }
    object_state.failures = failures + 1;
    let cause = Cause::PermissionDenied(operation);
    let delay = backoff::delay(&cause, object_state.failures, 0, telling.jitter);
    let trouble = trouble(object, policy, cause, delay.map(|ms| telling.now.after(ms)), true);
    object_state.trouble = Some(FailureState { write: true, ..trouble });
}

fn accepted(known: &mut Knowledge, now: Mono, policy: &Policy, keeps: bool, limits: bool) {
    known.evidence_begins(now);
    if known.doubt.as_ref().is_some_and(|doubt| doubt.ended) {
        known.doubt = None;
    }
    if limits {
        let twice = known.limits_sent.is_some_and(|before| now < before.after(policy.window));
        known.limits_sent = Some(now);
        if twice {
            known.add_doubt(UnknownOutcome::new(now, false, None));
        }
    }
    if !keeps {
        known.limits_sent = None;
    }
}

/// The primary and its replicas disagree: again in a while.
fn lag(object: &Object, object_state: &ObjectState, policy: &Policy, telling: ReplyContext) -> FailureState {
    let delay = backoff::delay(&Cause::Lag, object_state.failures, 0, telling.jitter);
    trouble(object, policy, Cause::Lag, delay.map(|ms| telling.now.after(ms)), object_state.failures > 1)
}

/// The id that the object owns, as its status shows it or, until it does, as this process knows better.
fn owned_id(object: &Object, known: &Knowledge) -> Option<IdentityId> {
    match &known.last {
        LastWrite::Created { uid, identity, noted: false, .. } if *uid == object.guard.uid => {
            Some(identity.id().clone())
        }
        _ => object.held().map(|held| held.identity.id().clone()),
    }
}

fn trouble(object: &Object, policy: &Policy, cause: Cause, retry_at: Option<Mono>, lasting: bool) -> FailureState {
    FailureState {
        cause,
        retry_at,
        lasting,
        write: false,
        generation: object.generation,
        reconcile_request: object.reconcile_request.as_ref().map(|reconcile_request| reconcile_request.value.clone()),
        credential: policy.credential.clone(),
    }
}

#[allow(clippy::too_many_arguments)] // each is one fact about one answer; a struct would only rename them
fn failed(
    object: &Object,
    call: &Call,
    fault: &Fault,
    sent: Option<&InFlight>,
    known: &mut Knowledge,
    object_state: &mut ObjectState,
    policy: &Policy,
    telling: ReplyContext,
) {
    if let Some(sent) = sent {
        match fault.effect {
            Effect::None => object_state.sent = sent.sent_before,
            Effect::Ended => {
                in_doubt(known, sent, telling.now, true);
                // It may have changed the limits, as the server's primary holds them: that counts as sent.
                if call.carries_limits() {
                    known.limits_sent = Some(telling.now);
                }
            }
            Effect::Unknown => unknown(known, sent),
        }
    }
    if object_state.failures == 0 {
        object_state.failing_since = telling.begun;
    }
    object_state.failures += 1;
    if sent.is_some() {
        object_state.broken = if fault.effect == Effect::Ended { object_state.broken + 1 } else { 0 };
    }
    // R16: if others get answers, it is not Unkey that is down.
    let broken =
        object_state.broken >= fight::BROKEN && telling.thrives.is_some_and(|at| at > object_state.failing_since);
    let cause = if broken { Cause::Broken } else { fault.cause.clone() };
    let delay = backoff::delay(&cause, object_state.failures, fault.retry_after, telling.jitter);
    if delay.is_none() {
        object_state.rejudge = None;
    }
    // Causes that alternate (429, 5xx, 429 …) are not worth a write each: what is shown stays until another one comes twice (S30).
    let alternates = cause.is_passing()
        && object_state
            .trouble
            .as_ref()
            .is_some_and(|last| last.lasting && last.cause.is_passing() && last.cause != cause);
    let lasts = object_state.failures > 1 || !cause.is_passing() || delay.is_none_or(|ms| ms >= 10_000);
    let lasting = lasts && !alternates;
    let trouble = trouble(object, policy, cause, delay.map(|ms| telling.now.after(ms)), lasting);
    object_state.trouble = Some(FailureState { write: sent.is_some(), ..trouble });
}
