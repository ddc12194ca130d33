//! One answer with all that it changes, and what a failure leaves: the next try, and what the status should show.

use std::time::Duration;

use super::super::backoff;
use super::super::call::Call;
use super::super::cause::Cause;
use super::super::fight;
use super::super::ids::Mono;
use super::super::knowledge::Knowledge;
use super::super::object::Object;
use super::super::object_state::{FailureState, ObjectState};
use super::super::permission::Operation;
use super::super::policy::Policy;
use super::super::reply::{Effect, Fault, ReplyContext};
use super::super::writes::InFlight;
use super::under_way::{in_doubt, unknown};

/// Before a wait of this length the status tells of a failure at once, though most such failures pass.
const LONG_WAIT: Duration = Duration::from_secs(10);

/// One answer: whom it is about, what takes it in, and its circumstances.
pub(super) struct Answered<'a> {
    pub(super) object: &'a Object,
    pub(super) known: &'a mut Knowledge,
    pub(super) object_state: &'a mut ObjectState,
    pub(super) policy: &'a Policy,
    pub(super) telling: ReplyContext,
    /// Failures in a row before it.
    pub(super) failures: u32,
}

impl Answered<'_> {
    /// A failure of this answer, to be remembered.
    pub(super) fn trouble(&self, cause: Cause, retry_at: Option<Mono>, lasting: bool) -> FailureState {
        let request = self.object.reconcile_request.as_ref();
        FailureState {
            cause,
            retry_at,
            lasting,
            write: false,
            generation: self.object.generation,
            reconcile_request: request.map(|reconcile_request| reconcile_request.value.clone()),
            credential: self.policy.credential.clone(),
        }
    }

    /// The primary and its replicas disagree: again in a while.
    pub(super) fn lag(&self) -> FailureState {
        let failures = self.object_state.failures;
        let delay = backoff::delay(&Cause::Lag, failures, None, self.telling.jitter);
        self.trouble(Cause::Lag, delay.map(|wait| self.telling.now.after(wait)), failures > 1)
    }

    /// A read or its absence shows that the root key lacks this permission, though no answer says so: as a 403 would (R13, R19).
    pub(super) fn denied(&mut self, operation: Operation) {
        if self.failures == 0 {
            self.object_state.failing_since = self.telling.begun;
        }
        self.object_state.failures = self.failures + 1;
        let cause = Cause::PermissionDenied(operation);
        let delay = backoff::delay(&cause, self.object_state.failures, None, self.telling.jitter);
        let trouble = self.trouble(cause, delay.map(|wait| self.telling.now.after(wait)), true);
        self.object_state.trouble = Some(FailureState { write: true, ..trouble });
    }

    /// The call failed.
    pub(super) fn failed(&mut self, call: &Call, fault: &Fault, sent: Option<&InFlight>) {
        if let Some(sent) = sent {
            self.takes_effect(call, fault.effect, sent);
        }
        let (telling, object_state) = (self.telling, &mut *self.object_state);
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
        let lasts = object_state.failures > 1 || !cause.is_passing() || delay.is_none_or(|wait| wait >= LONG_WAIT);
        let lasting = lasts && !alternates;
        let trouble = self.trouble(cause, delay.map(|wait| telling.now.after(wait)), lasting);
        self.object_state.trouble = Some(FailureState { write: sent.is_some(), ..trouble });
    }

    /// What a write that failed may have done.
    fn takes_effect(&mut self, call: &Call, effect: Effect, sent: &InFlight) {
        match effect {
            Effect::None => self.object_state.sent = sent.sent_before,
            Effect::Ended => {
                in_doubt(self.known, sent, self.telling.now, true);
                // It may have changed the limits, as the server's primary holds them: that counts as sent.
                if call.carries_limits() {
                    self.known.limits_sent = Some(self.telling.now);
                }
            }
            Effect::Unknown => unknown(self.known, sent),
        }
    }
}
