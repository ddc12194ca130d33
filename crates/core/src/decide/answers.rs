//! Steps that several decisions come to: a status, a call, a wait.

use super::unwritten;
use crate::call::Call;
use crate::cause::Cause;
use crate::claim::Claim;
use crate::content::{Content, META, RATELIMITS};
use crate::ids::Mono;
use crate::note::EventNote;
use crate::object::Phase;
use crate::prior_status::OwnedIdentity;
use crate::refusal::KubeWrite;
use crate::release_proof::ReleaseProof;
use crate::situation::{OwnershipGate, Situation};
use crate::status_update::StatusUpdate;
use crate::step::{KubeStep, Step, Wake};
use crate::verdict::{Stall, Verdict};
use crate::workspace::Gate;

/// A view that is not complete this long after taking the lead is worth a status: until then it is a start like any other.
const UNSEEN_TOLD_FROM: Mono = Mono(15_000);

impl Situation<'_> {
    /// A claim for an object that owns an identity already: no create will follow it.
    pub(super) fn claim_for_holder(&self) -> Claim {
        let hash = match (&self.object.spec, self.object.claim.own()) {
            (_, Some(claim)) => claim.hash.clone(),
            (Ok(desired), None) => desired.content_hash().clone(),
            (Err(_), None) => Content::default().hash(),
        };
        let given_up = self.object.claim.own().and_then(|claim| claim.given_up.clone());
        Claim { hash, given_up }
    }

    /// Writes the verdict if the status does not show it yet; else goes on with `then`. What the claim gives up stays recorded until
    /// something takes its place: if it shows again, it is told by that (R9).
    pub(super) fn report(&self, verdict: Verdict, then: Step) -> Step {
        let given_up = || self.object.recorded.own().and_then(|record| record.held.clone());
        self.say_holding(self.held().or_else(given_up), verdict, then)
    }

    pub(super) fn say_holding(&self, held: Option<OwnedIdentity>, verdict: Verdict, then: Step) -> Step {
        self.say_with(held, verdict, Vec::new(), then)
    }

    pub(super) fn say_with(
        &self,
        held: Option<OwnedIdentity>,
        verdict: Verdict,
        mut notes: Vec<EventNote>,
        then: Step,
    ) -> Step {
        let object = self.object;
        let record = object.recorded.own();
        // R5: an accepted update does not say what a reconcile request asks; an accepted create, or a stall, does.
        let is_told = verdict.is_ready() || matches!(verdict, Verdict::Observing(_));
        let needs_no_look = matches!(&verdict, Verdict::Observing(it) if it.outlook.needs_no_look());
        let judged = verdict.is_stalled() || needs_no_look || (is_told && (self.owes_id() || !self.poked()));
        let handled_request = match &object.reconcile_request {
            Some(reconcile_request) if judged => Some(reconcile_request.value.clone()),
            _ => record.and_then(|record| record.handled_request.clone()),
        };
        let mut held = held;
        if let (Some(held), Ok(desired)) = (&mut held, &object.spec) {
            let kept = held.fields.kept_by(desired);
            if let Some(before) = record.and_then(|record| record.held.as_ref()) {
                let released = |was: bool, is: bool| was && !is;
                if released(before.fields.meta.is_named(), desired.meta.is_some()) {
                    notes.push(EventNote::Released { field: META });
                }
                if released(before.fields.limits.is_named(), desired.limits.is_some()) {
                    notes.push(EventNote::Released { field: RATELIMITS });
                }
            }
            held.fields = kept;
        }
        let report = StatusUpdate {
            generation: object.generation,
            held,
            deletion: self.deletion(),
            handled_request,
            verdict,
            external_id: object.external_id.clone(),
        };
        if record.is_some_and(|record| record.shows(&report, &object.key)) {
            return then;
        }
        // R25: the status is refused. That holds up nothing else, and is tried again in time.
        match self.object_state.refusals.holding(KubeWrite::Status, self.now) {
            Some(refusal) => unwritten::meanwhile(then, refusal.retry_at),
            None => Step::Kube(KubeStep::Status { report: Box::new(report), notes }),
        }
    }

    /// A call, unless a failure holds it back (R13) or the object has to be looked at first (R11).
    pub(super) fn call(&self, call: Call) -> Step {
        let gone = matches!(self.object.phase, Phase::Gone { .. });
        if let Some(trouble) = &self.object_state.trouble {
            let waits = match trouble.retry_at {
                None => Some(Wake::Change),
                Some(at) if self.now < at => Some(Wake::At(at)),
                Some(_) => None,
            };
            if let Some(wake) = waits {
                let verdict = self.verdict_of(&trouble.cause);
                // What is gone has no status to say it in.
                let says = trouble.lasting && !gone;
                return if says { self.report(verdict, Step::Wait(wake)) } else { Step::Wait(wake) };
            }
        }
        let writes = !matches!(call, Call::Read(_));
        // What is gone left something that this very process made: it has no other trace, and a delete names its id.
        if writes && *self.gate == Gate::Wrong && !gone {
            return self.in_this_workspace(Step::Call(call));
        }
        if writes && !self.object.fresh {
            return Step::Kube(KubeStep::Refresh);
        }
        Step::Call(call)
    }

    /// `then`, which rests on what Unkey does not show or makes something new, unless the root key may lead to another
    /// workspace (R15).
    pub(super) fn in_this_workspace(&self, then: Step) -> Step {
        match self.gate {
            Gate::Open => then,
            Gate::Unproven { cause: None } => Step::Wait(Wake::Proof),
            Gate::Unproven { cause: Some(cause) } => self.report(self.verdict_of(cause), Step::Wait(Wake::Proof)),
            Gate::Wrong => self.report(self.verdict_of(&Cause::WorkspaceMismatch), Step::Wait(Wake::Change)),
        }
    }

    /// The wait of an object that would have to come to own an identity, and may not yet.
    pub(super) fn held_at_entry(&self) -> Option<Step> {
        match self.ownership_gate {
            OwnershipGate::Open => None,
            OwnershipGate::Unseen if self.now < UNSEEN_TOLD_FROM => Some(Step::Wait(Wake::At(UNSEEN_TOLD_FROM))),
            OwnershipGate::Unseen => Some(self.report(self.verdict_of(&Cause::Unseen), Step::Wait(Wake::Change))),
            OwnershipGate::Outdated => Some(self.report(self.verdict_of(&Cause::Outdated), Step::Wait(Wake::Change))),
            OwnershipGate::Listing { until } => {
                let waits = self.is_new() && self.object_state.sight.is_none() && self.now < until;
                waits.then_some(Step::Wait(Wake::At(until)))
            }
        }
    }

    pub(super) fn verdict_of(&self, cause: &Cause) -> Verdict {
        match (self.object.phase, cause) {
            // R21: it is nobody's to act for.
            (Phase::Live, _) if self.observed_by().is_some() => Verdict::Waiting(cause.clone()),
            (Phase::Live, Cause::Rejected(why)) => Verdict::Stalled(Stall::Rejected(why.clone())),
            (Phase::Live, Cause::Mismatch) => Verdict::Stalled(Stall::IdentityMismatch),
            (Phase::Live, Cause::Contested) => Verdict::Stalled(Stall::Contested),
            (Phase::Live, Cause::Broken) => Verdict::Stalled(Stall::Broken),
            (Phase::Live, _) => Verdict::Waiting(cause.clone()),
            (Phase::Deleting | Phase::Gone { .. }, _) => Verdict::Blocked(cause.clone()),
        }
    }

    /// Claim off first, verdict second: a claim without an id always means that a create may have been sent (R1).
    pub(super) fn refuse(&self, stall: Stall) -> Step {
        if self.object.is_marked() {
            let release = Step::Kube(KubeStep::Release(ReleaseProof::NotOurs));
            // The claim says that the recorded id is given up; without it the dead one would be owned again (R9).
            let recorded = self.object.recorded.own().is_some_and(|record| record.held.is_some());
            let verdict = Verdict::Waiting(Cause::Vanished);
            return if recorded { self.say_holding(None, verdict, release) } else { release };
        }
        self.say_holding(None, Verdict::Stalled(stall), Step::Done)
    }

    /// Waits for the witness that what a settled read did not find is not there (R19).
    pub(super) fn await_witness(&self) -> Step {
        let wait = Step::Wait(Wake::Witness);
        match self.witness.of(self.object.is_leaving()).blind() {
            // What is gone has no status to say it in. A reconcile request asks for another read, and that for another look.
            Some(cause) if !matches!(self.object.phase, Phase::Gone { .. }) => {
                if self.poked() {
                    self.read()
                } else {
                    self.report(self.verdict_of(cause), wait)
                }
            }
            _ => wait,
        }
    }

    /// A settled read: waits until one is possible, then asks for it. One that found nothing is not made again: it lacks a witness.
    pub(super) fn read_settled(&self) -> Step {
        let at = self.settles_at();
        if self.known.lacks_witness() && self.settled().is_some() {
            return self.await_witness();
        }
        if self.now < at { Step::Wait(Wake::At(at)) } else { self.read() }
    }

    pub(super) fn read(&self) -> Step {
        match &self.object.external_id {
            Some(external_id) => self.call(Call::Read(external_id.clone())),
            None => Step::Done,
        }
    }
}
