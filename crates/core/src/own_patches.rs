//! What a process remembers of its own claims and releases: before they are sent, and once it is known
//! what became of them. It sends nothing.

use super::claim::Claim;
use super::ids::{Mono, Uid};
use super::knowledge::Knowledge;
use super::object::Object;
use super::object_state::ObjectState;
use super::policy::Policy;
use super::release_proof::ReleaseProof;

/// Notes a release before it is sent: the watch may show the end before the answer is here, and there may be none. Returns true if it is noted and was
/// not before.
pub fn releasing(because: &ReleaseProof, object_state: &mut ObjectState) -> bool {
    *because == ReleaseProof::Orphaned && !std::mem::replace(&mut object_state.keeping, true)
}

/// Notes that this release was surely not carried out. `noted`: what [`releasing`] returned. One that was sent before may have been: then this one
/// found the object gone.
pub fn not_released(noted: bool, object_state: &mut ObjectState) {
    if noted {
        object_state.keeping = false;
    }
}

/// Notes that our patch took the claim off: nothing is left to be dealt with. If the identity is to stay, what a create in doubt has made is
/// nothing to be cleared up either: that doubt may only come from a restart while the object was not Ready.
pub fn released(uid: &Uid, known: &mut Knowledge, object_state: &mut ObjectState) {
    object_state.maybe_own = None;
    object_state.stripped = None;
    if std::mem::take(&mut object_state.keeping) {
        known.let_stay(uid);
    }
}

/// Notes a claim before it is sent; `before` is the object that the patch is made from. While a cache may still show what was before the last
/// process's claim, it may be that one's that is seen then. Returns true if it is noted and was not before.
pub fn claiming(before: &Object, claim: &Claim, object_state: &mut ObjectState, policy: &Policy, now: Mono) -> bool {
    let first = !object_state.claim_met && before.claim.own().is_none() && before.held().is_none();
    let is_new = first && now >= Mono::ZERO.after(policy.window) && !object_state.claiming.contains(claim);
    if is_new {
        object_state.claiming.push(claim.clone());
    }
    is_new
}

/// Notes that this patch of a claim was refused, or a test in it failed. `noted`: what [`claiming`] returned. What was sent before may be on all
/// the same.
pub fn not_claimed(claim: &Claim, noted: bool, object_state: &mut ObjectState) {
    if noted {
        object_state.claiming.retain(|sent| sent != claim);
    }
}

/// Notes that our patch put the claim on; `before` is the object that the patch was made from, whose version it tested.
/// A claim that replaces one found there, or that comes back to an owner, does not prove that no other process acted.
pub fn claimed(before: &Object, object_state: &mut ObjectState) {
    object_state.claimed_here |= !object_state.claim_met && before.claim.own().is_none() && before.held().is_none();
    object_state.claiming.clear();
}
