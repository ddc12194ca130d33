//! Who of several `Identity` objects with one externalId may act (R8). Pure: the controller keeps the index.

use super::ids::{IdentityId, KeyMark, Uid};
use super::object::Object;
use super::policy::Policy;
use super::spec::ObservedBy;
use std::sync::Arc;
use unkey_operator_api::{Origin, Reason};

/// What an object says for its right to an externalId.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is a fact that an object tells
pub struct Claimant {
    /// The object.
    pub uid: Uid,
    /// The id recorded under its uid, unless given up.
    pub recorded: Option<IdentityId>,
    /// Fingerprint of the root key under which that id was recorded: one text for all that name it.
    pub credential: Option<Arc<str>>,
    /// It carries a claim of its own.
    pub claimed: bool,
    /// Its status says that the operator created the identity.
    pub created: bool,
    /// `metadata.creationTimestamp`, in seconds.
    pub born: i64,
    /// It is being deleted.
    pub leaving: bool,
    /// Its status says that its deletion is held (R20).
    pub held: bool,
    /// It is only observed, by its own policy, and holds nothing any more: it has no right to the externalId (R21).
    pub observes: bool,
}

impl Claimant {
    /// What `object` says. `born`: its `metadata.creationTimestamp`, in seconds.
    pub fn of(object: &Object, born: i64, policy: &Policy) -> Self {
        let own = object.recorded.own();
        let held = object.held();
        let leaving = object.is_leaving();
        let observes = object.controls.observed_by(policy) == Some(ObservedBy::Spec) && !object.is_marked();
        Self {
            uid: object.guard.uid.clone(),
            recorded: held.map(|held| held.identity.id().clone()),
            credential: held.and_then(|held| held.credential.as_deref()).map(Arc::from),
            claimed: object.claim.own().is_some() && object.finalizer,
            created: own.and_then(|record| record.held.as_ref()?.origin) == Some(Origin::Created),
            born,
            leaving,
            held: leaving && own.is_some_and(|record| record.shown.reason == Some(Reason::DeletionHeld)),
            observes,
        }
    }

    /// The root key under which its id was recorded; `None`: it has no id.
    pub fn mark(&self) -> Option<KeyMark> {
        self.recorded.as_ref().map(|_| self.credential.as_deref().map(str::to_owned))
    }
}

/// Where an object stands among those that share its externalId.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It may act.
    Owner,
    /// Another one may.
    Loser {
        /// The owner is being deleted.
        owner_leaving: bool,
        /// The owner's identity is recorded, so a claim of ours is void.
        owner_recorded: bool,
        /// Its deletion is held (R20).
        owner_held: bool,
    },
}

/// The role of `uid` among `claimants`. Someone who is not among them yields to any of them, and alone owns.
pub fn role<'a>(uid: &Uid, claimants: impl IntoIterator<Item = &'a Claimant>) -> Role {
    match owner(claimants) {
        Some(owner) if owner.uid != *uid => {
            let owner_held = owner.leaving && owner.held;
            Role::Loser { owner_leaving: owner.leaving, owner_recorded: owner.recorded.is_some(), owner_held }
        }
        _ => Role::Owner,
    }
}

/// The one that acts.
pub fn owner<'a>(claimants: impl IntoIterator<Item = &'a Claimant>) -> Option<&'a Claimant> {
    let acts = claimants.into_iter().filter(|claimant| !claimant.observes);
    acts.min_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.uid.cmp(&b.uid)))
}

/// Lower is better: an id recorded, with a claim before without, then a claim, then neither; then what was created; then age. Who was only observed
/// comes back without a claim, and yields to whoever owns the identity by then (R21).
fn rank(claimant: &Claimant) -> (u8, bool, i64) {
    let right = match (&claimant.recorded, claimant.claimed) {
        (Some(_), true) => 0,
        (Some(_), false) => 1,
        (None, true) => 2,
        (None, false) => 3,
    };
    (right, !claimant.created, claimant.born)
}
