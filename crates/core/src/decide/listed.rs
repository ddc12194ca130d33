//! Adoption from the list: of an object that is new, what a listing of the workspace has shown takes the place of the create that is answered "exists",
//! and of the get after that. Only for what the policy takes as it is: before an update there is always a get (R3).

use crate::claim::Claim;
use crate::content::Content;
use crate::desired::Desired;
use crate::fields::Fields;
use crate::ids::Confirmed;
use crate::knowledge::Seen;
use crate::note::EventNote;
use crate::prior_status::OwnedIdentity;
use crate::situation::Situation;
use crate::step::{KubeStep, Step};
use crate::takeover;
use crate::verdict::{Stall, Verdict};
use crate::writes::LastWrite;
use unkey_operator_api::{AdoptionPolicy, Origin};

/// What comes next for an object that a listing has shown an identity of; `None`: it goes the way of all others.
pub(super) fn adopt(s: &Situation<'_>, desired: &Desired) -> Option<Step> {
    let (identity, content) = sight(s)?;
    let claimed = s.object.claim.own().is_some();
    match refuses(s.adoption(), desired, content) {
        Some(stall) if !claimed => Some(s.refuse(stall)),
        None if desired.missing_from(&desired.managed_of(content)).is_none() => {
            Some(take(s, desired, identity, content))
        }
        // An update would follow; or the spec was edited after the claim. The get decides.
        _ => Some(s.read()),
    }
}

/// R3.
fn refuses(policy: AdoptionPolicy, desired: &Desired, content: &Content) -> Option<Stall> {
    match policy {
        _ if desired.may_take(content, policy) => None,
        AdoptionPolicy::Never => Some(Stall::ExistsNever),
        AdoptionPolicy::IfLossless | AdoptionPolicy::Always => {
            Some(Stall::ExistsWouldLose(desired.losses_over(content)))
        }
    }
}

/// The identity that a listing has shown of this very object: a settled sight that is not older than a window, with nothing sent since.
fn sight<'a>(s: &'a Situation<'_>) -> Option<(&'a Confirmed, &'a Content)> {
    let sight = s.object_state.sight.as_deref()?;
    let Seen::Ours { begun, identity, content } = sight else { return None };
    let is_recent = s.now <= begun.after(s.policy.window);
    let ours = !s.object.is_marked() || s.object_state.claimed_here;
    let untouched = ours
        && !s.object_state.sent
        && s.known.seen == Seen::Nothing
        && s.known.last == LastWrite::None
        && s.given_up().is_none();
    let counts = is_recent && s.known.is_settled(sight, s.policy.window) && s.known.doubt().is_none();
    (counts && untouched).then_some((identity, content))
}

/// Claim first, then id and origin, as ever (R1, R3). What is managed was found as it is wanted (R18).
fn take(s: &Situation<'_>, desired: &Desired, identity: &Confirmed, content: &Content) -> Step {
    if !s.object.finalizer || s.object.claim.own().is_none() {
        // No create follows this claim: whoever comes upon it after a crash must not take what is there for what a create has made.
        return Step::Kube(KubeStep::Claim(Claim { hash: Content::default().hash(), given_up: None }));
    }
    let held = OwnedIdentity {
        identity: identity.clone(),
        origin: Some(Origin::Adopted),
        fields: takeover::allowed(desired, &Fields::default(), content),
        credential: s.policy.credential.clone(),
    };
    let note = EventNote::Adopted(identity.id().clone());
    s.say_with(Some(held), Verdict::Synced, vec![note], Step::Done)
}
