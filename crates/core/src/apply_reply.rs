//! What a process takes from what it is answered.
//!
//! [`sync_object()`](super::sync_object()) takes in the object, [`begin`] notes a write before it is sent, [`apply_reply`] takes in the
//! answer. A write that was begun and never learned of (a dropped future, a panic) is an unknown outcome by itself.

mod answered;
mod reads;
mod under_way;

use self::answered::Answered;
use self::under_way::{sure_again, unknown};
use super::call::{Call, Patch, Purpose};
use super::cause::Cause;
use super::desired::Desired;
use super::fight;
use super::ids::Confirmed;
use super::knowledge::{Knowledge, Seen};
use super::note::EventNote;
use super::object::Object;
use super::object_state::{FailureState, ObjectState, Unfound};
use super::permission::Operation;
use super::policy::Policy;
use super::reply::{Reply, ReplyContext};
use super::writes::{InFlight, LastWrite, UnknownOutcome};

pub use self::under_way::{begin, begin_reconcile};

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
    let failures = object_state.failures;
    let mut answered = Answered { object, known, object_state, policy, telling, failures };
    if let Reply::Failed(fault) = reply {
        answered.failed(call, fault, sent.as_ref());
        return None;
    }
    let before = answered.succeeded(call);
    match (call, reply) {
        (Call::Read(external_id), Reply::Found { external_id: replied, id, content }) => {
            answered.found(Confirmed::from_reply(external_id, replied, id), content);
        }
        (Call::Read(_), Reply::Absent) => answered.absent(),
        (Call::Create(desired), Reply::Created { id }) => match Confirmed::from_create(&desired.external_id, id) {
            Some(identity) => {
                answered.accepted(true, call.carries_limits());
                answered.created(desired, identity);
            }
            // Accepted, but nobody knows as what.
            None => answered.leaves_doubt(sent.as_ref()),
        },
        (Call::Create(_), Reply::Exists) => answered.exists(sent.as_ref()),
        (Call::Update { to, patch, purpose }, Reply::Updated { external_id, id }) => {
            answered.accepted(true, call.carries_limits());
            if let Some(fields) = sent.as_ref().and_then(|sent| sent.fields.as_ref()) {
                sure_again(answered.known, fields);
            }
            let named = Confirmed::from_reply(to.external_id(), external_id, id);
            return answered.updated(to, named.as_ref(), patch, *purpose);
        }
        (Call::Update { to, .. }, Reply::Absent) => answered.update_found_nothing(to),
        (Call::Delete(identity), Reply::Deleted) => answered.deleted(identity),
        (Call::Delete(identity), Reply::Absent) => {
            answered.unfound(identity, Operation::Delete);
            answered.object_state.failures = failures;
        }
        // An answer that does not belong to the question: nothing was learned, and of a write nothing is known.
        _ => {
            answered.leaves_doubt(sent.as_ref());
            answered.object_state.failures = failures;
            answered.object_state.trouble = before;
        }
    }
    None
}

impl Answered<'_> {
    /// A call went well: a row of failures ends with it, if it was of such calls. Returns the failure that held work back before.
    fn succeeded(&mut self, call: &Call) -> Option<FailureState> {
        let before = self.object_state.trouble.take();
        self.object_state.failures = 0;
        if !matches!(call, Call::Read(_)) {
            self.object_state.broken = 0;
        }
        if let (Call::Read(_), Some(trouble)) = (call, before.as_ref().filter(|trouble| trouble.write)) {
            // The row of failures goes on, or a repeated delete with its get would never be shown and never be slowed down (R13).
            self.object_state.failures = self.failures;
            self.object_state.trouble = Some(FailureState { retry_at: Some(self.telling.now), ..trouble.clone() });
        }
        before
    }

    fn leaves_doubt(&mut self, sent: Option<&InFlight>) {
        if let Some(sent) = sent {
            unknown(self.known, sent);
        }
    }

    /// Unkey has taken a write.
    fn accepted(&mut self, keeps: bool, limits: bool) {
        let (known, now) = (&mut *self.known, self.telling.now);
        known.evidence_begins(now);
        if known.doubt.as_ref().is_some_and(|doubt| doubt.ended) {
            known.doubt = None;
        }
        if limits {
            let twice = known.limits_sent.is_some_and(|before| now < before.after(self.policy.window));
            known.limits_sent = Some(now);
            if twice {
                known.add_doubt(UnknownOutcome::new(now, false, None));
            }
        }
        if !keeps {
            known.limits_sent = None;
        }
    }

    /// Unkey has made this identity, so nothing else lived under its externalId.
    fn created(&mut self, desired: &Desired, identity: Confirmed) {
        let uid = self.object.guard.uid.clone();
        let (applied, credential) = (desired.hashes().clone(), self.policy.credential.clone());
        self.known.last = LastWrite::Created { uid, identity, applied, credential, noted: false };
        // What was seen before is not about this identity, and lives no more.
        self.known.seen = Seen::Nothing;
        self.object_state.maybe_own = None;
        self.object_state.suspicion = false;
        self.object_state.exists_since = None;
    }

    /// Unkey did not create it, since one of that externalId exists.
    fn exists(&mut self, sent: Option<&InFlight>) {
        self.known.last = LastWrite::Exists { uid: self.object.guard.uid.clone() };
        self.known.seen = Seen::Nothing;
        self.object_state.failures = self.failures;
        self.object_state.sent = sent.is_some_and(|sent| sent.sent_before);
        self.object_state.met_exists = true;
        self.object_state.exists_since.get_or_insert(self.telling.now);
    }

    /// Unkey has updated an identity, and names this one.
    fn updated(
        &mut self,
        to: &Confirmed,
        named: Option<&Confirmed>,
        patch: &Patch,
        purpose: Purpose,
    ) -> Option<EventNote> {
        if named != Some(to) {
            // It was written to, whatever it is: hold everything and say so.
            self.object_state.failures = self.failures + 1;
            self.object_state.rejudge = None;
            self.object_state.trouble = Some(self.trouble(Cause::Mismatch, None, true));
            return None;
        }
        let last = self.known.updated(self.object, to, &patch.hashes());
        if purpose == Purpose::Drift {
            fight::corrected(self.object, &self.known.seen, self.object_state, self.telling.now);
        }
        self.object_state.drifted = false;
        self.object_state.unfound = None;
        self.known.last = last;
        self.object_state.suspicion = false;
        (purpose == Purpose::Drift).then(|| EventNote::DriftCorrected(to.id().clone()))
    }

    /// The identity is gone, a replica is behind, or the root key lacks the permission.
    fn update_found_nothing(&mut self, to: &Confirmed) {
        self.object_state.suspicion = true;
        self.object_state.failures = self.failures;
        if self.unfound(to, Operation::Update) {
            return;
        }
        self.object_state.failures += 1;
        if self.failures > 0 {
            // A read shows it and an update does not find it: replicas that disagree must not drive a loop.
            self.object_state.trouble = Some(self.lag());
        }
    }

    /// Unkey has deleted it.
    fn deleted(&mut self, identity: &Confirmed) {
        self.accepted(false, false);
        self.known.shown_at = None;
        self.known.last = LastWrite::Deleted { uid: self.object.guard.uid.clone(), identity: identity.clone() };
        self.known.seen = Seen::Nothing;
        self.object_state.unfound = None;
    }

    /// A write by id was answered with a 404: the identity is gone, a replica is behind, or the root key lacks the permission. What was
    /// seen before is contradicted, and a settled read has to tell (R19). Returns true if no replica can be behind.
    fn unfound(&mut self, to: &Confirmed, operation: Operation) -> bool {
        let settled = self.telling.begun >= self.known.settles_at(self.policy.window);
        self.known.seen = Seen::Nothing;
        self.object_state.unfound = Some(Unfound { id: to.id().clone(), operation, settled });
        settled
    }
}
