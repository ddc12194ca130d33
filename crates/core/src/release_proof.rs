//! Why an object may be let go: there is no release without a proof (R7).

use std::time::Duration;

use super::cause::Left;
use super::claim::ClaimState;
use super::ids::{Confirmed, IdentityId};
use super::knowledge::{Knowledge, Seen};
use super::note::EventNote;
use super::object::{Object, Phase};

/// Proof that no identity of ours is left behind: there is no release without one (R7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseProof {
    /// The object never claimed anything.
    NeverClaimed,
    /// This process put the claim on and every create was definitely refused.
    NeverSent,
    /// The user asked to keep the identity.
    Orphaned,
    /// What exists upstream belongs to someone else; or the claim is another object's.
    NotOurs,
    /// What exists upstream was never recorded and is not our own create: the policy would have adopted it, no more.
    NeverAdopted,
    /// The delete of this identity was accepted.
    Deleted(Confirmed),
    /// The object is only observed from now on; what it owned is recorded (R21).
    Observed,
    /// A settled read found none, and a witness shows that this counts (R19).
    Gone(Settled),
}

/// A settled read's absence, with its witness. Made only from [`Knowledge::settled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled(());

impl Settled {
    /// The proof, if the last read found nothing, is settled, and was made when the object recorded `id`.
    pub fn absence(known: &Knowledge, window: Duration, id: Option<&IdentityId>) -> Option<Self> {
        let absent = matches!(known.settled(window), Some(Seen::Absent { of, .. }) if of.as_ref() == id);
        // A delete that is answered 404 says nothing of what a create of ours may have made meanwhile; a settled read of the
        // externalId does, and leaves no doubt.
        (absent && !known.lacks_witness() && !known.doubts_a_create()).then_some(Self(()))
    }
}

impl ReleaseProof {
    /// What a release leaves in Unkey although the object goes: worth an event.
    pub fn leaves(&self, object: &Object) -> Option<EventNote> {
        let left = match self {
            Self::Orphaned | Self::NeverAdopted => object.phase == Phase::Deleting,
            Self::NotOurs => object.phase == Phase::Deleting && object.claim == ClaimState::Foreign,
            Self::NeverClaimed | Self::NeverSent | Self::Observed | Self::Deleted(_) | Self::Gone(_) => false,
        };
        left.then(|| EventNote::Orphaned(object.external_id.clone()))
    }

    /// What is left in Unkey.
    pub fn left(&self) -> Left {
        match self {
            Self::Deleted(_) | Self::Gone(_) => Left::Gone,
            Self::Orphaned | Self::Observed => Left::Kept,
            Self::NotOurs | Self::NeverAdopted => Left::Others,
            Self::NeverClaimed | Self::NeverSent => Left::Nothing,
        }
    }

    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NeverClaimed => "never claimed",
            Self::NeverSent => "never sent",
            Self::Orphaned => "orphaned",
            Self::NotOurs => "not ours",
            Self::NeverAdopted => "never adopted",
            Self::Observed => "observed",
            Self::Deleted(_) => "deleted",
            Self::Gone(_) => "gone",
        }
    }
}
