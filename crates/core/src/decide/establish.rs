//! From nothing recorded to an identity owned: claim, create, and what to make of one that exists (R1, R2, R3).

use super::listed;
use crate::call::Call;
use crate::cause::Cause;
use crate::claim::Claim;
use crate::content::Content;
use crate::desired::Desired;
use crate::fields::Fields;
use crate::ids::Confirmed;
use crate::knowledge::Seen;
use crate::note::EventNote;
use crate::prior_status::OwnedIdentity;
use crate::situation::Situation;
use crate::step::{KubeStep, Step, Wake};
use crate::takeover;
use crate::verdict::{Stall, Verdict};
use crate::workspace::Gate;
use crate::writes::LastWrite;
use unkey_operator_api::{AdoptionPolicy, Origin, Reason};

/// What R3 makes of an identity that exists.
pub(super) enum Judgement {
    /// Our own create, whose answer was lost.
    Own,
    /// The policy takes it over.
    Adopt,
    /// It is to be left alone.
    Refuse(Stall),
    /// It needs a settled read first.
    Unsettled,
}

pub(super) fn establish(s: &Situation<'_>, desired: &Desired) -> Step {
    if let Some(wait) = s.held_at_entry() {
        return wait;
    }
    if *s.gate != Gate::Open {
        return s.in_this_workspace(Step::Done);
    }
    match &s.known.seen {
        Seen::Foreign { .. } => return s.refuse(Stall::IdentityMismatch),
        Seen::Ours { identity, content, .. } => {
            return match judge(s, Some(desired)) {
                Judgement::Own => take(s, desired, identity, content, Origin::Created),
                Judgement::Adopt => take(s, desired, identity, content, Origin::Adopted),
                Judgement::Refuse(stall) => s.refuse(stall),
                Judgement::Unsettled => s.read_settled(),
            };
        }
        Seen::Nothing | Seen::Absent { .. } => {}
    }
    if matches!(&s.known.last, LastWrite::Exists { uid } if *uid == s.object.guard.uid) {
        if s.known.doubt().is_some() {
            // With a create of ours in doubt only a settled read can tell whose it is: save the one that cannot.
            return s.read_settled();
        }
        let surely_foreign = s.object_state.claimed_here && !s.object_state.sent && !was_refused(s);
        if surely_foreign && s.adoption() == AdoptionPolicy::Never {
            // No look could change the verdict, and the shorter the claim stands, the less a crash can confuse (S36).
            return s.refuse(Stall::ExistsNever);
        }
        return s.read();
    }
    if let Some(step) = listed::adopt(s, desired) {
        return step;
    }
    let own = s.object.claim.own();
    if own.is_none() && looks_first(s) && s.known.seen == Seen::Nothing {
        return s.read();
    }
    let hash = desired.content_hash();
    match own {
        Some(claim) if s.object.finalizer && claim.hash == *hash => s.call(Call::Create(desired.clone())),
        // The spec changed while a create of the old content is in doubt, or was found and not recorded yet. A new claim
        // would forget what that create sent, and its identity could no longer be told to be ours: settle it first.
        Some(_) if s.known.doubt().is_some_and(|doubt| doubt.creates.contains(&s.object.guard.uid)) => s.read_settled(),
        Some(_) if s.object_state.maybe_own.is_some() && s.known.seen == Seen::Nothing => s.read(),
        _ => {
            let given_up = own.and_then(|claim| claim.given_up.clone());
            Step::Kube(KubeStep::Claim(Claim { hash: hash.clone(), given_up }))
        }
    }
}

/// `Never` must not even claim what exists; and what was refused before is likely to be there still.
fn looks_first(s: &Situation<'_>) -> bool {
    let shown = s.object.recorded.own().and_then(|record| record.shown.reason);
    // What was observed there is likely to be there still (R21).
    let was_seen = shown.is_some_and(|reason| reason.is_observing() && reason != Reason::NotInUnkey);
    s.adoption() == AdoptionPolicy::Never || was_refused(s) || was_seen
}

/// The status shows a refusal, so whatever is known of what exists dates from before it.
pub(super) fn was_refused(s: &Situation<'_>) -> bool {
    let shown = s.object.recorded.own().and_then(|record| record.shown.reason);
    matches!(shown, Some(Reason::AlreadyExists | Reason::IdentityMismatch))
}

/// R3 on what the last read found. `desired` is `None` if the spec cannot be read: then nothing would be adopted.
pub(super) fn judge(s: &Situation<'_>, desired: Option<&Desired>) -> Judgement {
    let Seen::Ours { identity, content, .. } = &s.known.seen else { return Judgement::Unsettled };
    // A replica may still show what was deleted a moment ago, by us or by the process before (S14). Only the primary's
    // 409 says that something lives; without it, and with a write of our own in doubt, a settled read has to.
    let lives = matches!(&s.known.last, LastWrite::Exists { uid } if *uid == s.object.guard.uid);
    if (s.known.doubt().is_some() || !lives) && s.settled().is_none() {
        return Judgement::Unsettled;
    }
    if s.given_up() == Some(identity) {
        // Gone as far as anybody could tell, and there after all.
        return if s.settled().is_some() { Judgement::Own } else { Judgement::Unsettled };
    }
    let claimed = s.object.claim.own().map(|claim| &claim.hash);
    let as_claimed = claimed == Some(&content.hash());
    let maybe_own = s.object_state.maybe_own.as_ref() == Some(identity);
    if maybe_own && !content.is_empty() && as_claimed {
        return Judgement::Own;
    }
    // It met the create of the content that it holds: an edit between that answer and this look does not make it another's.
    let met = s.object_state.met_exists && as_claimed;
    match (s.adoption(), desired) {
        (AdoptionPolicy::Always, Some(_)) => Judgement::Adopt,
        (AdoptionPolicy::IfLossless, Some(desired)) if met || desired.keeps(content) => Judgement::Adopt,
        (AdoptionPolicy::Never, _) if maybe_own && content.is_empty() => Judgement::Refuse(Stall::ExistsNeverMaybeOurs),
        (AdoptionPolicy::Never, _) => Judgement::Refuse(Stall::ExistsNever),
        (_, desired) => {
            let losses = desired.map(|desired| desired.losses_over(content));
            Judgement::Refuse(Stall::ExistsWouldLose(losses.unwrap_or_default()))
        }
    }
}

/// Records id and origin, before anything is written to the identity (R3).
fn take(s: &Situation<'_>, desired: &Desired, identity: &Confirmed, content: &Content, origin: Origin) -> Step {
    if !s.object.finalizer || s.object.claim.own().is_none() {
        let given_up = s.object.claim.own().and_then(|claim| claim.given_up.clone());
        return Step::Kube(KubeStep::Claim(Claim { hash: desired.content_hash().clone(), given_up }));
    }
    if let Some(claim) = s.object.claim.own().filter(|claim| claim.given_up.as_ref() == Some(identity.id())) {
        // A claim that gives up what is taken would leave it recorded and void at once.
        return Step::Kube(KubeStep::Claim(Claim { given_up: None, ..claim.clone() }));
    }
    let found = desired.managed_of(content);
    let differs = desired.missing_from(&found).is_some();
    let settled = s.settled().is_some();
    let manages = desired.meta.is_some() || desired.limits.is_some();
    if manages && !differs && !settled {
        // Equal, but not proven so: rather than write what is there already, look again when it counts.
        return Step::Wait(Wake::At(s.settles_at()));
    }
    let fields = taken(s, desired, identity, content);
    let held = OwnedIdentity {
        identity: identity.clone(),
        origin: Some(origin),
        fields,
        credential: s.policy.credential.clone(),
    };
    let replaces = s.object.claim.own().is_some_and(|claim| claim.given_up.is_some());
    let note = match (origin, replaces) {
        (Origin::Adopted, true) => Some(EventNote::Replaced(identity.id().clone())),
        (Origin::Adopted, false) => Some(EventNote::Adopted(identity.id().clone())),
        (Origin::Created, true) => Some(EventNote::Recreated(identity.id().clone())),
        (Origin::Created, false) => None,
    };
    let verdict = if differs { Verdict::Waiting(Cause::Updating) } else { Verdict::Synced };
    s.say_with(Some(held), verdict, note.into_iter().collect(), Step::Done)
}

/// What is known of the fields of what is taken. What an unsettled read showed is no ground for leaving a field out of the update.
fn taken(s: &Situation<'_>, desired: &Desired, identity: &Confirmed, content: &Content) -> Fields {
    let settled = s.settled().is_some();
    if s.given_up() == Some(identity) {
        // What was managed still is. What was not has to be looked at as ever (R18).
        let recorded = s.object.recorded.own().and_then(|record| record.held.as_ref());
        return recorded.map_or_else(Fields::default, |held| takeover::seen(desired, &held.fields, content));
    }
    let claimed = s.object.claim.own().is_some_and(|claim| claim.hash == content.hash());
    match (claimed, settled) {
        // This object's own spec asked for just this, before an edit if not now.
        (true, true) => Fields::accepted(desired.managed_of(content)),
        (true, false) => Fields::unknown(desired),
        (false, true) => takeover::allowed(desired, &Fields::default(), content),
        (false, false) => takeover::pending(desired),
    }
}
