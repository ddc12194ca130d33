//! What to do next: one request, or none. Total and pure.
//!
//! This file holds the order of the questions and what all answers share; [`establish`] makes an object own an
//! identity, [`maintain`] keeps that identity equal to the spec, [`deleting`] lets it go, and [`unwritten`] stands in for what Kubernetes refuses;
//! [`overdue()`] says what the status tells while work waits.

mod deleting;
mod establish;
mod maintain;
mod overdue;
mod unwritten;
#[cfg(test)]
pub(super) use self::unwritten::meanwhile;

pub use self::overdue::overdue;
use super::claim::{Claim, ClaimState};
use super::fields::{Fields, META, RATELIMITS};
use super::ids::{Confirmed, Mono};
use super::knowledge::{LastWrite, Seen};
use super::note::EventNote;
use super::object::Phase;
use super::ownership::Role;
use super::refusal::KubeWrite;
use super::report::{OwnedIdentity, StatusUpdate};
use super::situation::{Call, KubeStep, OwnershipGate, ReleaseProof, Situation, Step, Wake};
use super::takeover;
use super::verdict::{Cause, Stall, Verdict};
use super::workspace::Gate;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, Reason};

/// A view that is not complete this long after taking the lead is worth a status: until then it is a start like any other.
const UNSEEN_TOLD_FROM: Mono = Mono(15_000);

/// The next step for this object.
pub fn decide(s: &Situation<'_>) -> Step {
    let step = match s.object.phase {
        Phase::Live => live(s),
        Phase::Deleting => deleting::deleting(s),
        Phase::Gone { successors } => deleting::gone(s, successors),
    };
    unwritten::held_back(s, step)
}

fn live(s: &Situation<'_>) -> Step {
    if s.object.controls.suspend {
        // R14. An unreadable deletionPolicy suspends too; the spec's error is then what the user has to read.
        let verdict = match &s.object.spec {
            Err(error @ super::desired::SpecError::Unreadable { .. }) => {
                Verdict::Stalled(Stall::InvalidSpec(error.clone()))
            }
            _ => Verdict::Suspended,
        };
        return s.report(verdict, Step::Done);
    }
    if let Role::Loser { owner_leaving, owner_recorded } = s.role {
        return loser(s, owner_leaving, owner_recorded);
    }
    if s.is_quiet() {
        return Step::Done;
    }
    let held = s.held();
    let marked = s.object.finalizer && s.object.claim.own().is_some();
    if held.is_some() && !marked {
        // R1: whoever owns gets them back at once (S15).
        return Step::Kube(KubeStep::Claim(s.claim_for_holder()));
    }
    let desired = match &s.object.spec {
        Ok(desired) => desired,
        Err(error) => return s.report(Verdict::Stalled(Stall::InvalidSpec(error.clone())), Step::Done),
    };
    match held {
        Some(held) => maintain::maintain(s, desired, &held),
        None => establish::establish(s, desired),
    }
}

/// R8: a loser makes no call. Its claim is void once the owner's identity is recorded.
fn loser(s: &Situation<'_>, owner_leaving: bool, owner_recorded: bool) -> Step {
    let claimed = s.object.finalizer || s.object.claim != ClaimState::Absent;
    if claimed && owner_recorded {
        return Step::Kube(KubeStep::Release(ReleaseProof::NotOurs));
    }
    let verdict = Verdict::Conflict { owner_leaving };
    // What it may have recorded is the owner's now.
    let held = if owner_recorded { None } else { s.held() };
    s.say_holding(held, verdict, Step::Done)
}

impl Situation<'_> {
    /// The deletion policy in force.
    fn deletion(&self) -> DeletionPolicy {
        self.object.controls.deletion.unwrap_or(self.policy.deletion)
    }

    /// The adoption policy in force.
    fn adoption(&self) -> AdoptionPolicy {
        self.object.controls.adoption(self.policy)
    }

    /// The moment from which on a read is settled (R4).
    fn settles_at(&self) -> Mono {
        self.known.settles_at(self.policy.window)
    }

    /// The last read, if it is settled.
    fn settled(&self) -> Option<&Seen> {
        self.known.settled(self.policy.window)
    }

    /// The identity this object owns: as recorded, or as this process knows better.
    fn held(&self) -> Option<OwnedIdentity> {
        let recorded = self.object.held();
        let ours = &self.object.guard.uid;
        let held = match &self.known.last {
            LastWrite::Created { uid, identity, applied, credential, noted: false } if uid == ours => {
                Some(OwnedIdentity {
                    identity: identity.clone(),
                    origin: Some(unkey_operator_api::Origin::Created),
                    fields: Fields::accepted(applied.clone()),
                    credential: credential.clone(),
                })
            }
            // An update of an identity that was given up since says nothing of the one recorded now.
            LastWrite::Updated { uid, identity, applied, noted: false, .. } if uid == ours => recorded.map(|held| {
                let fields =
                    if held.identity == *identity { held.fields.overlaid(applied) } else { held.fields.clone() };
                OwnedIdentity { fields, ..held.clone() }
            }),
            _ => recorded.cloned(),
        };
        held.map(|held| OwnedIdentity { fields: self.known.sure_of(ours, held.fields), ..held })
    }

    /// The identity that the status records and the claim gives up (R9).
    fn given_up(&self) -> Option<&Confirmed> {
        let recorded = self.object.recorded.own()?.held.as_ref()?;
        let given_up = self.object.claim.own()?.given_up.as_ref()?;
        (recorded.identity.id() == given_up).then_some(&recorded.identity)
    }

    /// A create was accepted and no status shows its id yet: that comes before anything else.
    fn owes_id(&self) -> bool {
        matches!(&self.known.last, LastWrite::Created { uid, noted: false, .. } if *uid == self.object.guard.uid)
    }

    /// An update of ours was accepted that the status does not show: another process's came first, and Unkey holds ours (S41).
    fn overwrote(&self) -> bool {
        let held = self.object.held().map(|held| &held.identity);
        matches!(&self.known.last, LastWrite::Updated { uid, identity, noted: false, .. }
            if *uid == self.object.guard.uid && held == Some(identity))
    }

    /// A reconcile request is pending that no settled read has answered.
    fn poked(&self) -> bool {
        self.object
            .reconcile_request
            .as_ref()
            .is_some_and(|reconcile_request| self.object_state.judged.as_ref() != Some(&reconcile_request.value))
    }

    /// R12: nothing to do, nothing to ask.
    fn is_quiet(&self) -> bool {
        let object = self.object;
        let Some(record) = object.recorded.own() else { return false };
        let current = record.generation == object.generation
            && object.reconcile_request.is_none()
            && record.deletion == Some(self.deletion())
            && !self.owes_id()
            && !self.overwrote()
            && !self.object_state.suspicion;
        let at_rest = if record.shown.ready {
            object.held().is_some() && self.known.doubt().is_none()
        } else {
            // A doubt can wait until a person has acted: whatever comes next, a deletion too, settles it first (S29).
            // A stall whose ground is gone (the owner of the externalId, the root key) is not at rest.
            let conflict = record.shown.reason == Some(Reason::ExternalIdConflict);
            // Tried again once an hour, and never by chance (R16).
            let truce = record.shown.reason == Some(Reason::NotConverging);
            // What this reconcile has read is judged, whatever the status says.
            let looked = matches!(self.known.seen, Seen::Ours { .. } | Seen::Foreign { .. });
            record.shown.stalled && !conflict && !truce && !looked && self.object_state.rejudge.is_none()
        };
        // Whoever owns is protected, stalled or not (R1, S15).
        let protected = object.held().is_none() || (object.finalizer && object.claim.own().is_some());
        current && at_rest && protected
    }

    /// A claim for an object that owns an identity already: no create will follow it.
    fn claim_for_holder(&self) -> Claim {
        let hash = match (&self.object.spec, self.object.claim.own()) {
            (_, Some(claim)) => claim.hash.clone(),
            (Ok(desired), None) => desired.content_hash().clone(),
            (Err(_), None) => super::content::Content::default().hash(),
        };
        let given_up = self.object.claim.own().and_then(|claim| claim.given_up.clone());
        Claim { hash, given_up }
    }

    /// Writes the verdict if the status does not show it yet; else goes on with `then`. What the claim gives up stays recorded until
    /// something takes its place: if it shows again, it is told by that (R9).
    fn report(&self, verdict: Verdict, then: Step) -> Step {
        let given_up = || self.object.recorded.own().and_then(|record| record.held.clone());
        self.say_holding(self.held().or_else(given_up), verdict, then)
    }

    fn say_holding(&self, held: Option<OwnedIdentity>, verdict: Verdict, then: Step) -> Step {
        self.say_with(held, verdict, Vec::new(), then)
    }

    fn say_with(&self, held: Option<OwnedIdentity>, verdict: Verdict, mut notes: Vec<EventNote>, then: Step) -> Step {
        let object = self.object;
        let record = object.recorded.own();
        // R5: an accepted update does not say what a reconcile request asks; an accepted create, or a stall, does.
        let judged = verdict.is_stalled() || (verdict.is_ready() && (self.owes_id() || !self.poked()));
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
    fn call(&self, call: Call) -> Step {
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
    fn in_this_workspace(&self, then: Step) -> Step {
        match self.gate {
            Gate::Open => then,
            Gate::Unproven { cause: None } => Step::Wait(Wake::Proof),
            Gate::Unproven { cause: Some(cause) } => self.report(self.verdict_of(cause), Step::Wait(Wake::Proof)),
            Gate::Wrong => self.report(self.verdict_of(&Cause::WorkspaceMismatch), Step::Wait(Wake::Change)),
        }
    }

    /// The wait of an object that would have to come to own an identity, and may not yet.
    fn held_at_entry(&self) -> Option<Step> {
        match self.ownership_gate {
            OwnershipGate::Open => None,
            OwnershipGate::Unseen if self.now < UNSEEN_TOLD_FROM => Some(Step::Wait(Wake::At(UNSEEN_TOLD_FROM))),
            OwnershipGate::Unseen => Some(self.report(self.verdict_of(&Cause::Unseen), Step::Wait(Wake::Change))),
            OwnershipGate::Outdated => Some(self.report(self.verdict_of(&Cause::Outdated), Step::Wait(Wake::Change))),
        }
    }

    fn verdict_of(&self, cause: &Cause) -> Verdict {
        match (self.object.phase, cause) {
            (Phase::Live, Cause::Rejected(why)) => Verdict::Stalled(Stall::Rejected(why.clone())),
            (Phase::Live, Cause::Mismatch) => Verdict::Stalled(Stall::IdentityMismatch),
            (Phase::Live, Cause::Contested) => Verdict::Stalled(Stall::Contested),
            (Phase::Live, Cause::Broken) => Verdict::Stalled(Stall::Broken),
            (Phase::Live, _) => Verdict::Waiting(cause.clone()),
            (Phase::Deleting | Phase::Gone { .. }, _) => Verdict::Blocked(cause.clone()),
        }
    }

    /// This reconcile has read the identity and recorded what it was then allowed to write for the first time: the update follows (R18). A
    /// take-over comes here with a read that need not be settled (R3).
    fn has_looked(&self, desired: &super::desired::Desired, held: &OwnedIdentity) -> bool {
        let read = matches!(&self.known.seen, Seen::Ours { identity, .. } if *identity == held.identity);
        read && takeover::is_recorded(desired, &held.fields)
    }

    /// Waits for the witness that what a settled read did not find is not there (R19).
    fn await_witness(&self) -> Step {
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
    fn read_settled(&self) -> Step {
        let at = self.settles_at();
        if self.known.lacks_witness() && self.settled().is_some() {
            return self.await_witness();
        }
        if self.now < at { Step::Wait(Wake::At(at)) } else { self.read() }
    }

    fn read(&self) -> Step {
        match &self.object.external_id {
            Some(external_id) => self.call(Call::Read(external_id.clone())),
            None => Step::Done,
        }
    }
}
