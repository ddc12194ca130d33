//! How an object stands, and what a person has to mend. Words for programs are here, those for people in `message`.

use super::cause::Cause;
use super::deletions::{Approval, Episode};
use super::desired::SpecError;
use super::losses::Losses;
use super::observation::{Observation, Outlook};
use super::shown::rests;
use super::stripped::Stripper;
use unkey_operator_api::{Reason, StatusCause};

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Unkey accepted this generation.
    Synced,
    /// Not yet; the operator goes on by itself.
    Waiting(Cause),
    /// Being deleted, and the identity cannot be.
    Blocked(Cause),
    /// Being deleted, and one of too many: it waits for an approval (R20).
    DeletionHeld(Box<HeldDeletion>),
    /// `spec.suspend`.
    Suspended,
    /// It is only observed, and this is what it comes upon (R21).
    Observing(Box<Observation>),
    /// Another `Identity` owns the externalId.
    Conflict {
        /// It is being deleted.
        owner_leaving: bool,
        /// That deletion is held.
        owner_held: bool,
    },
    /// A person must act.
    Stalled(Stall),
}

/// A deletion that is one of too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldDeletion {
    /// Of those.
    pub episode: Episode,
    /// An hour ahead, RFC 3339: until then an approval may hold.
    pub approve_until: String,
    /// Why the present approval does not do.
    pub approval: Approval,
}

/// Why a person must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The spec cannot be sent.
    InvalidSpec(SpecError),
    /// Unkey refused the content; its words, escaped.
    Rejected(String),
    /// An identity exists and the policy is `Never`.
    ExistsNever,
    /// An identity exists, the policy is `Never`, and it may be our own: an empty one cannot be told apart.
    ExistsNeverMaybeOurs,
    /// An identity exists and taking it over would lose this.
    ExistsWouldLose(Losses),
    /// A field becomes managed, and writing it would lose this (R18).
    WouldLose(Losses),
    /// Unkey answered with another externalId.
    IdentityMismatch,
    /// What was set right is found changed again and again.
    Contested,
    /// Unkey answers this with a 5xx each time, and other calls well.
    Broken,
    /// Finalizer and claim do not stay on.
    Stripped(Stripper),
}

impl Verdict {
    /// The reason of the `Ready` condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Synced => Reason::Synced,
            // The identity does not hold up a release that is refused.
            Self::Waiting(cause) | Self::Blocked(cause @ Cause::ReleaseRefused { .. }) => cause.reason(),
            Self::Blocked(_) => Reason::DeletionBlocked,
            Self::DeletionHeld(_) => Reason::DeletionHeld,
            Self::Suspended => Reason::Suspended,
            Self::Observing(observation) => observation.outlook.reason(),
            Self::Conflict { .. } => Reason::ExternalIdConflict,
            Self::Stalled(stall) => stall.reason(),
        }
    }

    /// The cause, where the reason stands for several.
    pub fn cause(&self) -> Option<StatusCause> {
        match self {
            Self::Waiting(cause) => cause.word(),
            Self::Blocked(Cause::CrdHidden | Cause::CrdUnread(_)) => Some(StatusCause::DefinitionUnread),
            Self::DeletionHeld(held) => match held.approval {
                Approval::Past(_) => Some(StatusCause::ApprovalPast),
                Approval::Unreadable(_) => Some(StatusCause::ApprovalUnreadable),
                Approval::None | Approval::Given => None,
            },
            Self::Observing(observation) => observation.outlook.cause(),
            Self::Stalled(Stall::Contested) => Some(StatusCause::Contested),
            Self::Stalled(Stall::Broken) => Some(StatusCause::Broken),
            Self::Stalled(Stall::Stripped(_)) => Some(StatusCause::Stripped),
            Self::Synced | Self::Blocked(_) | Self::Suspended | Self::Conflict { .. } | Self::Stalled(_) => None,
        }
    }

    /// True for `Synced`, and for what is observed and would stay as it is.
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Synced => true,
            Self::Observing(observation) => observation.outlook == Outlook::Nothing,
            _ => false,
        }
    }

    /// True if nothing will change until a person acts.
    pub fn is_stalled(&self) -> bool {
        matches!(self, Self::Stalled(_) | Self::Conflict { owner_leaving: false, .. })
    }

    /// True if no work is under way: ready, or waiting for a person alone.
    pub fn rests(&self) -> bool {
        rests(self.is_ready(), self.is_stalled(), *self == Self::Suspended, Some(self.reason()))
    }
}

impl Stall {
    fn reason(&self) -> Reason {
        match self {
            Self::InvalidSpec(_) => Reason::InvalidSpec,
            Self::Rejected(_) => Reason::Rejected,
            Self::ExistsNever | Self::ExistsNeverMaybeOurs | Self::ExistsWouldLose(_) => Reason::AlreadyExists,
            Self::WouldLose(_) => Reason::WouldLose,
            Self::IdentityMismatch => Reason::IdentityMismatch,
            Self::Contested | Self::Broken | Self::Stripped(_) => Reason::NotConverging,
        }
    }
}
