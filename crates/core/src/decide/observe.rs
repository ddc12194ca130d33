//! An object that is only observed (R21): it owns nothing, or keeps what it owns as it is, and its status tells what Enforce would change.
//!
//! Nothing here may come to a create, an update or a delete. What Enforce began is brought to an end by reads alone: a create in doubt is
//! settled and its id recorded before finalizer and claim go.

use super::establish::{Judgement, judge};
use crate::cause::Cause;
use crate::fields::Fields;
use crate::knowledge::Seen;
use crate::observation::{Found, Observation, Refusal};
use crate::ownership::Role;
use crate::prior_status::OwnedIdentity;
use crate::release_proof::{ReleaseProof, Settled};
use crate::situation::Situation;
use crate::spec::ObservedBy;
use crate::step::{KubeStep, Step, Wake};
use crate::verdict::Verdict;
use crate::workspace::Gate;
use unkey_operator_api::{Origin, StatusCause};

pub(super) fn observe(s: &Situation<'_>, by: ObservedBy) -> Step {
    let held = match by {
        ObservedBy::Operator => s.held().or_else(|| recorded(s).cloned()),
        ObservedBy::Spec => match let_go(s) {
            Ok(held) => held,
            Err(step) => return step,
        },
    };
    let tell = |observation| s.say_holding(held.clone(), Verdict::Observing(Box::new(observation)), Step::Done);
    if let Role::Loser { .. } = s.role {
        return tell(Observation::without_look(Refusal::Conflict));
    }
    if let Err(error) = &s.object.spec {
        return tell(Observation::without_look(Refusal::InvalidSpec(error.clone())));
    }
    match found(s) {
        Some(found) if !s.poked() => tell(Observation::of(s.object, held.as_ref(), s.policy, found)),
        None if is_told(s) => Step::Done,
        // One that waits for a witness waits for it here, too (R19).
        _ if s.known.lacks_witness() && s.settled().is_some() => s.in_this_workspace(s.await_witness()),
        _ => s.in_this_workspace(s.read_settled()),
    }
}

/// The identity that the status records, given up or not.
fn recorded<'a>(s: &'a Situation<'_>) -> Option<&'a OwnedIdentity> {
    s.object.recorded.own()?.held.as_ref()
}

/// Finalizer and claim go once the status records what Enforce made, and nothing more of it: the id stays, what was accepted does not, so that each
/// field is looked at before it is written again (R18). Returns that id, or what is to be done first.
fn let_go(s: &Situation<'_>) -> Result<Option<OwnedIdentity>, Step> {
    let object = s.object;
    let marked = object.is_marked();
    let held = s.held().map(|held| OwnedIdentity { fields: Fields::default(), ..held });
    let held = match held {
        Some(held) if !is_in_doubt(s, &held) => Some(held),
        held => made_in_doubt(s)?.or(held),
    };
    let release = || Step::Kube(KubeStep::Release(ReleaseProof::Observed));
    if recorded(s) != held.as_ref() {
        let then = if marked { release() } else { Step::Done };
        return Err(s.say_holding(held, Verdict::Waiting(Cause::Observing), then));
    }
    if marked { Err(release()) } else { Ok(held) }
}

/// A create that may still land, or was found to have landed, may have made another identity than this one (S37).
fn is_in_doubt(s: &Situation<'_>, held: &OwnedIdentity) -> bool {
    let uid = &s.object.guard.uid;
    let found = s.object_state.maybe_own.as_ref().is_some_and(|found| *found != held.identity);
    found || s.known.doubt().is_some_and(|doubt| doubt.creates.contains(uid))
}

/// What a create that may have been sent has made, if a settled read shows that it did.
fn made_in_doubt(s: &Situation<'_>) -> Result<Option<OwnedIdentity>, Step> {
    let object_state = s.object_state;
    let surely_unsent = object_state.claimed_here && !object_state.sent && !object_state.met_exists;
    let may_be_sent = s.object.claim.own().is_some() && !surely_unsent;
    if !may_be_sent && !s.known.owes(&s.object.guard.uid) {
        return Ok(None);
    }
    match s.role {
        Role::Loser { owner_recorded: true, .. } => return Ok(None),
        // What stands upstream may be the owner's: it has to say so first.
        Role::Loser { .. } => return Err(s.report(Verdict::Waiting(Cause::OwnerPending), Step::Wait(Wake::Change))),
        Role::Owner => {}
    }
    if let Some(wait) = s.held_at_entry() {
        return Err(wait);
    }
    if *s.gate != Gate::Open {
        return Err(s.in_this_workspace(Step::Done));
    }
    match s.settled() {
        Some(Seen::Ours { identity, .. }) => match judge(s, s.object.spec.as_ref().ok()) {
            Judgement::Own => Ok(Some(OwnedIdentity {
                identity: identity.clone(),
                origin: Some(Origin::Created),
                fields: Fields::default(),
                credential: s.policy.credential.clone(),
            })),
            Judgement::Unsettled => Err(s.read_settled()),
            Judgement::Adopt | Judgement::Refuse(_) => Ok(None),
        },
        Some(Seen::Absent { of, .. }) => match Settled::absence(s.known, s.policy.window, of.as_ref()) {
            Some(_) => Ok(None),
            None => Err(s.read_settled()),
        },
        Some(Seen::Foreign { .. }) => Ok(None),
        Some(Seen::Nothing) | None => Err(s.read_settled()),
    }
}

/// What stands in Unkey, by the latest settled look: one of this reconcile, or one of the scan. A replica may still show what was deleted, by an
/// earlier object of the externalId too.
fn found<'a>(s: &'a Situation<'_>) -> Option<Found<'a>> {
    let read = match s.settled() {
        Some(Seen::Absent { .. }) if s.known.lacks_witness() => None,
        settled => settled,
    };
    // Another workspace's is nothing of ours (R15), and what was read since is newer.
    let counts = |sight: &&Seen| {
        *s.gate == Gate::Open && sight.begun() > s.known.seen.begun() && s.known.is_settled(sight, s.policy.window)
    };
    s.object_state.sight.as_deref().filter(counts).or(read).and_then(Found::by_read)
}

/// The status speaks of this generation. A conflict that is over is no ground to rest on.
fn is_told(s: &Situation<'_>) -> bool {
    let Some(record) = s.object.recorded.own() else { return false };
    record.generation == s.object.generation
        && record.deletion == Some(s.deletion())
        && s.object.recorded.observes()
        && s.known.doubt().is_none()
        // What was read for a request may be forgotten before the status echoes it.
        && s.object.reconcile_request.is_none()
        && record.shown.cause != Some(StatusCause::ExternalIdConflict)
}
