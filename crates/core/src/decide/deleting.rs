//! Lets an object go, and never before its identity is gone or meant to stay (R7).

use super::establish::{Judgement, judge};
use crate::call::Call;
use crate::cause::Cause;
use crate::claim::ClaimState;
use crate::crd::Crd;
use crate::ids::{Confirmed, IdentityId};
use crate::knowledge::Seen;
use crate::ownership::Role;
use crate::release_proof::{ReleaseProof, Settled};
use crate::situation::Situation;
use crate::step::{KubeStep, Step, Wake};
use crate::verdict::Verdict;
use crate::workspace::Gate;
use crate::writes::LastWrite;
use std::time::Duration;
use unkey_operator_api::DeletionPolicy;

/// How soon to look again whether the operator may read its CustomResourceDefinition by now.
const CRD_RETRY: Duration = Duration::from_secs(30);

/// What comes next for an object with a deletionTimestamp.
pub(super) enum Leave {
    /// Whether the type stays has to be seen first (R10).
    Unseen(Step),
    /// This, whatever hold and brake say: nothing is deleted in Unkey with it, or it was already.
    Free(Step),
    /// This leads to a delete (R20).
    ToDelete(Step),
}

/// An object with a deletionTimestamp, as if there were neither hold nor brake. The order of the questions is R7's.
pub(super) fn leave(s: &Situation<'_>) -> Leave {
    match obstacle(s) {
        Some(step) if matches!(s.crd, Crd::Unseen | Crd::Doubtful(_)) => Leave::Unseen(step),
        Some(step) => Leave::Free(step),
        None => match (removed(s), s.held()) {
            (Some(identity), _) => Leave::Free(deleted(s, identity)),
            (None, Some(held)) => Leave::ToDelete(remove(s, &held.identity)),
            (None, None) => Leave::ToDelete(look_up(s)),
        },
    }
}

/// What this object recorded and this process has deleted. Another process may have recorded another identity since.
fn removed<'a>(s: &'a Situation<'_>) -> Option<&'a Confirmed> {
    match &s.known.last {
        LastWrite::Deleted { uid, identity } if *uid == s.object.guard.uid => {
            Some(identity).filter(|removed| s.held().is_none_or(|held| held.identity == **removed))
        }
        _ => None,
    }
}

/// What has to be done first, or ends it without a look at Unkey.
fn obstacle(s: &Situation<'_>) -> Option<Step> {
    if !s.object.finalizer {
        return Some(Step::Done);
    }
    let held = s.held();
    match (&s.object.claim, &held) {
        // A copied manifest or a restore. What this very object has recorded under its uid outweighs it.
        (ClaimState::Foreign, None) => return Some(release(ReleaseProof::NotOurs)),
        // A finalizer that was copied along without the claim.
        (ClaimState::Absent, None) if !s.object_state.sent => return Some(release(ReleaseProof::NeverClaimed)),
        _ => {}
    }
    if held.is_none()
        && s.given_up().is_none()
        && s.object_state.claimed_here
        && !s.object_state.sent
        && !s.object_state.met_exists
    {
        return Some(release(ReleaseProof::NeverSent));
    }
    if s.deletion() == DeletionPolicy::Orphan {
        return Some(release(ReleaseProof::Orphaned));
    }
    match s.crd {
        _ if removed(s).is_some() => {}
        Crd::Unguarded | Crd::Stays => {}
        // R10: first of all, whether it is the user who deletes it.
        Crd::Unseen => return Some(Step::Kube(KubeStep::LookAtCrd)),
        Crd::Going => return Some(release(ReleaseProof::Orphaned)),
        // Nothing is said of it yet: while the API server does not serve the type, a status cannot be written either.
        Crd::Doubtful(again) => return Some(Step::Wait(Wake::At(again))),
        Crd::Hidden => {
            let wait = Step::Wait(Wake::At(s.now.after(CRD_RETRY)));
            return Some(s.report(Verdict::Blocked(Cause::CrdHidden), wait));
        }
    }
    if s.object.controls.suspend {
        return Some(s.report(Verdict::Blocked(Cause::Suspended), Step::Wait(Wake::Change)));
    }
    if s.may_have_lost_its_word() {
        return Some(Step::Wait(Wake::Change));
    }
    if s.observed_by().is_some() {
        return Some(s.report(Verdict::Blocked(Cause::Observed), Step::Wait(Wake::Change)));
    }
    match s.role {
        Role::Loser { owner_recorded: true, .. } => Some(release(ReleaseProof::NotOurs)),
        // What stands upstream may be the owner's: it has to say so first.
        Role::Loser { .. } if held.is_none() => {
            Some(s.report(Verdict::Blocked(Cause::OwnerPending), Step::Wait(Wake::Change)))
        }
        _ => None,
    }
}

/// The delete was accepted. A create of ours that is still on its way would leave an identity behind: wait for it.
fn deleted(s: &Situation<'_>, identity: &Confirmed) -> Step {
    let doubt = s.known.doubts_a_create();
    // What a settled look found of that create is still to be deleted, though that look has cleared the doubt: its reconcile ended.
    let found = s.object_state.maybe_own.as_ref().is_some_and(|found| found != identity);
    if !doubt && !found && s.known.seen == Seen::Nothing {
        return release(ReleaseProof::Deleted(identity.clone()));
    }
    match s.settled() {
        // Only what that create has made: an application may have made the identity anew.
        Some(Seen::Ours { identity: found, .. }) if found != identity => match judge(s, s.object.spec.as_ref().ok()) {
            Judgement::Own => s.call(Call::Delete(found.clone())),
            _ => release(ReleaseProof::Deleted(identity.clone())),
        },
        // What that create made may be hidden (R19).
        Some(Seen::Absent { .. }) if s.known.lacks_witness() => s.await_witness(),
        Some(_) => release(ReleaseProof::Deleted(identity.clone())),
        None => s.read_settled(),
    }
}

/// Deletes the recorded identity, by id.
fn remove(s: &Situation<'_>, identity: &Confirmed) -> Step {
    match &s.known.seen {
        Seen::Ours { identity: seen, .. } if seen == identity => s.call(Call::Delete(identity.clone())),
        // It was absent before this id was recorded: that says nothing of it.
        Seen::Absent { of, .. } if of.as_ref() != Some(identity.id()) => first_or_repeated(s, identity),
        // Another identity stands there, so ours is gone; or none does. Either has to be settled.
        Seen::Ours { .. } | Seen::Absent { .. } | Seen::Foreign { .. } => match s.settled() {
            Some(seen) => s.in_this_workspace(not_there(s, identity, seen)),
            None => s.read_settled(),
        },
        Seen::Nothing => first_or_repeated(s, identity),
    }
}

/// A settled read does not show the recorded identity.
fn not_there(s: &Situation<'_>, identity: &Confirmed, seen: &Seen) -> Step {
    match seen {
        Seen::Absent { .. } => match Settled::absence(s.known, s.policy.window, Some(identity.id())) {
            Some(proof) => release(ReleaseProof::Gone(proof)),
            None => s.read_settled(),
        },
        // A create of ours that landed after the recorded identity had vanished.
        Seen::Ours { identity: found, .. } if matches!(judge(s, None), Judgement::Own) => {
            s.call(Call::Delete(found.clone()))
        }
        _ => release(ReleaseProof::NotOurs),
    }
}

/// R6: a delete is repeated only after a read that shows this very id under our externalId. After one that was answered with a 404
/// only a settled one tells more (R19).
fn first_or_repeated(s: &Situation<'_>, identity: &Confirmed) -> Step {
    if s.object_state.unfound.is_some() {
        return s.read_settled();
    }
    if s.object_state.met_deleting { s.read() } else { s.call(Call::Delete(identity.clone())) }
}

/// No id is recorded, but a create may have been sent. What that create made is deleted; what the policy would only have adopted was
/// never ours, and its owner may need it (R7).
fn look_up(s: &Situation<'_>) -> Step {
    if let Some(wait) = s.held_at_entry() {
        // What stands upstream may be another object's.
        return wait;
    }
    if *s.gate != Gate::Open {
        return s.in_this_workspace(Step::Done);
    }
    // A root key without the permission to read may only have hidden it. A delete by its id costs one call, and tells (R19).
    let unfound = |id: &IdentityId| s.object_state.unfound.as_ref().is_some_and(|unfound| unfound.id == *id);
    if let Some(identity) = s.given_up().filter(|it| !s.object_state.met_deleting && !unfound(it.id())) {
        return s.call(Call::Delete(identity.clone()));
    }
    let given_up = s.object.claim.own().and_then(|claim| claim.given_up.as_ref());
    let absence = |id| Settled::absence(s.known, s.policy.window, id);
    match s.settled() {
        // Of nothing recorded, or of the id that the claim gives up.
        Some(Seen::Absent { .. }) => match absence(None).or_else(|| absence(given_up)) {
            Some(proof) => release(ReleaseProof::Gone(proof)),
            None => s.read_settled(),
        },
        Some(Seen::Foreign { .. }) => release(ReleaseProof::NotOurs),
        Some(Seen::Ours { identity, .. }) => match judge(s, s.object.spec.as_ref().ok()) {
            Judgement::Own => s.call(Call::Delete(identity.clone())),
            Judgement::Adopt if sent_without_claim(s, identity) => s.call(Call::Delete(identity.clone())),
            Judgement::Adopt => release(ReleaseProof::NeverAdopted),
            Judgement::Refuse(_) => release(ReleaseProof::NotOurs),
            Judgement::Unsettled => s.read_settled(),
        },
        Some(Seen::Nothing) | None => s.read_settled(),
    }
}

/// It was found while a create of this process was in doubt and holds just what that sent; the claim that says so was taken off by hand.
fn sent_without_claim(s: &Situation<'_>, identity: &Confirmed) -> bool {
    let Seen::Ours { content, .. } = &s.known.seen else { return false };
    let wanted = s.object.spec.as_ref().is_ok_and(|desired| *desired.content_hash() == content.hash());
    let maybe_own = s.object_state.maybe_own.as_ref() == Some(identity);
    s.object.claim == ClaimState::Absent && s.object_state.sent && maybe_own && wanted && !content.is_empty()
}

/// The object went in the middle of its first create (its finalizer was taken off by hand). What that create made has no
/// other trace than this process's memory (R2). With a successor of the externalId it is left to the successor's adoption policy.
pub(super) fn gone(s: &Situation<'_>, successors: bool) -> Step {
    let ours = &s.object.guard.uid;
    // R7: under Orphan the identity stays, however the object went.
    // R21: nor is anything deleted for what is only observed.
    if successors || s.deletion() == DeletionPolicy::Orphan || s.observed_by().is_some() {
        return Step::Done;
    }
    // A delete that is answered 404 says nothing of what another create made; a settled read does, and leaves no doubt of one.
    let settled = s.settled().filter(|_| !s.known.doubts_a_create());
    if let LastWrite::Created { uid, identity, noted: false, .. } = &s.known.last
        && uid == ours
    {
        match &s.known.seen {
            Seen::Nothing => return first_or_repeated(s, identity),
            Seen::Ours { identity: seen, .. } if seen == identity => return s.call(Call::Delete(identity.clone())),
            // It is gone, it seems; a create before it may have landed since.
            _ => {}
        }
    }
    let deleted = match &s.known.last {
        LastWrite::Deleted { uid, identity } if uid == ours => Some(identity),
        _ => None,
    };
    // What was deleted may be of a later create, while the one that was found landed after it.
    if !s.known.owes(ours) && s.object_state.maybe_own.as_ref().is_none_or(|found| deleted == Some(found)) {
        return Step::Done;
    }
    match (settled, judge(s, None)) {
        (Some(Seen::Ours { identity, .. }), Judgement::Own) => s.call(Call::Delete(identity.clone())),
        (Some(Seen::Absent { .. }), _) if s.known.lacks_witness() => s.await_witness(),
        (Some(Seen::Ours { .. } | Seen::Absent { .. } | Seen::Foreign { .. }), _) => Step::Done,
        (Some(Seen::Nothing) | None, _) => s.read_settled(),
    }
}

fn release(because: ReleaseProof) -> Step {
    Step::Kube(KubeStep::Release(because))
}
