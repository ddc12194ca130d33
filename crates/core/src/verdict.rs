//! How an object stands, and why: verdict, cause, and what a person has to mend. Their words for programs are here, those for people in `message`.

use unkey_operator_api::{Reason, StatusCause};

use super::desired::SpecError;
use super::losses::Losses;
use super::permission::Operation;
use super::refusal::Stripper;

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Unkey accepted this generation.
    Synced,
    /// Not yet; the operator goes on by itself.
    Waiting(Cause),
    /// Being deleted, and the identity cannot be.
    Blocked(Cause),
    /// `spec.suspend`.
    Suspended,
    /// Another `Identity` owns the externalId.
    Conflict {
        /// It is being deleted.
        owner_leaving: bool,
    },
    /// A person must act.
    Stalled(Stall),
}

/// Why something has to wait. Where a text is carried, it is the same for every retry of the same cause.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// An update is about to be sent.
    Updating,
    /// A write may still take effect; a settled read will tell.
    Settling,
    /// Unkey says that the identity exists and does not show it yet.
    Lag,
    /// Unkey shows no such identity; to be confirmed before it is made again.
    Vanished,
    /// Unkey cannot be reached or fails.
    Unavailable,
    /// What answers is not Unkey's API.
    Misconfigured(String),
    /// No TLS session with Unkey for a reason that only a person removes: why, and the remedy.
    Untrusted(String),
    /// Asked to slow down.
    RateLimited,
    /// The root key is refused.
    Unauthorized(String),
    /// The root key lacks this permission.
    PermissionDenied(Operation),
    /// Unkey shows no identity of the workspace at all, so what it does not show may be hidden (R19).
    Unwitnessed,
    /// There is no usable root key.
    CredentialsMissing(String),
    /// Unkey refuses the content.
    Rejected(String),
    /// An answer named another identity than the one written to.
    Mismatch,
    /// The root key shows none of the identities that were recorded under another key.
    WorkspaceMismatch,
    /// What was set right is found changed again and again.
    Contested,
    /// Unkey answers this with a 5xx each time, and other calls well.
    Broken,
    /// The operator cannot tell whether the whole resource type is being removed.
    CrdHidden,
    /// The same, for another reason than a missing right: why the definition cannot be read, escaped.
    CrdUnread(String),
    /// `spec.suspend` holds a deletion back.
    Suspended,
    /// The owner of the externalId has to settle first.
    OwnerPending,
    /// Not every object that could own the externalId is known.
    Unseen,
    /// The definition in the cluster is older than this version.
    Outdated,
    /// Kubernetes refuses finalizer and claim; its words, escaped.
    ClaimRefused(String),
    /// Kubernetes refuses to take them off.
    ReleaseRefused {
        /// Its words, escaped.
        words: String,
        /// What is left in Unkey.
        left: Left,
    },
    /// The annotations leave no room for the claim.
    AnnotationsTooLarge {
        /// Bytes of all annotations, the claim included.
        is: usize,
        /// The key of the largest.
        largest: String,
        /// Bytes of its value.
        bytes: usize,
    },
    /// What is to be done waits for its turn (R24).
    Queued,
}

/// What is left in Unkey of an object that could go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// Its identity was there and is gone.
    Gone,
    /// Its identity, as asked.
    Kept,
    /// What belongs to somebody else.
    Others,
    /// Nothing was ever there.
    Nothing,
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
    /// An identity exists and taking it over would lose something.
    ExistsWouldLose,
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
            Self::Suspended => Reason::Suspended,
            Self::Conflict { .. } => Reason::ExternalIdConflict,
            Self::Stalled(stall) => stall.reason(),
        }
    }

    /// The cause, where the reason stands for several.
    pub fn cause(&self) -> Option<StatusCause> {
        match self {
            Self::Waiting(cause) => cause.word(),
            Self::Stalled(Stall::Contested) => Some(StatusCause::Contested),
            Self::Stalled(Stall::Broken) => Some(StatusCause::Broken),
            Self::Stalled(Stall::Stripped(_)) => Some(StatusCause::Stripped),
            Self::Synced | Self::Blocked(_) | Self::Suspended | Self::Conflict { .. } | Self::Stalled(_) => None,
        }
    }

    /// True only for `Synced`.
    pub fn is_ready(&self) -> bool {
        *self == Self::Synced
    }

    /// True if nothing will change until a person acts.
    pub fn is_stalled(&self) -> bool {
        matches!(self, Self::Stalled(_) | Self::Conflict { owner_leaving: false })
    }

    /// True if no work is under way: ready, or waiting for a person alone.
    pub fn rests(&self) -> bool {
        super::report::rests(self.is_ready(), self.is_stalled(), *self == Self::Suspended, Some(self.reason()))
    }
}

impl Cause {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Updating
            | Self::Settling
            | Self::Lag
            | Self::Vanished
            | Self::OwnerPending
            | Self::Unseen
            | Self::Outdated
            | Self::CrdUnread(_)
            | Self::Queued => Reason::Progressing,
            Self::Unavailable | Self::Misconfigured(_) | Self::Untrusted(_) => Reason::UpstreamUnavailable,
            Self::RateLimited => Reason::RateLimited,
            Self::Unauthorized(_) => Reason::Unauthorized,
            Self::PermissionDenied(_) | Self::Unwitnessed | Self::CrdHidden => Reason::PermissionDenied,
            Self::CredentialsMissing(_) => Reason::CredentialsMissing,
            Self::Rejected(_) => Reason::Rejected,
            Self::Mismatch => Reason::IdentityMismatch,
            Self::WorkspaceMismatch => Reason::WorkspaceMismatch,
            Self::Contested | Self::Broken => Reason::NotConverging,
            Self::Suspended => Reason::Suspended,
            Self::ClaimRefused(_) | Self::ReleaseRefused { .. } | Self::AnnotationsTooLarge { .. } => {
                Reason::WriteRefused
            }
        }
    }

    fn word(&self) -> Option<StatusCause> {
        match self {
            Self::Updating => Some(StatusCause::Updating),
            Self::Settling => Some(StatusCause::Settling),
            Self::Lag => Some(StatusCause::Lag),
            Self::Vanished => Some(StatusCause::Vanished),
            Self::OwnerPending => Some(StatusCause::OwnerPending),
            Self::Unseen => Some(StatusCause::Unseen),
            Self::Outdated => Some(StatusCause::Outdated),
            Self::CrdUnread(_) => Some(StatusCause::DefinitionUnread),
            Self::Queued => Some(StatusCause::Queued),
            Self::Contested => Some(StatusCause::Contested),
            Self::Broken => Some(StatusCause::Broken),
            Self::Unavailable
            | Self::Misconfigured(_)
            | Self::Untrusted(_)
            | Self::RateLimited
            | Self::Unauthorized(_)
            | Self::PermissionDenied(_)
            | Self::Unwitnessed
            | Self::CredentialsMissing(_)
            | Self::Rejected(_)
            | Self::Mismatch
            | Self::WorkspaceMismatch
            | Self::CrdHidden
            | Self::Suspended
            | Self::ClaimRefused(_)
            | Self::ReleaseRefused { .. }
            | Self::AnnotationsTooLarge { .. } => None,
        }
    }

    /// True for what usually passes within seconds, so that one failure is not worth a status write.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Updating | Self::Settling | Self::Lag | Self::Unavailable | Self::RateLimited)
    }
}

impl Stall {
    fn reason(&self) -> Reason {
        match self {
            Self::InvalidSpec(_) => Reason::InvalidSpec,
            Self::Rejected(_) => Reason::Rejected,
            Self::ExistsNever | Self::ExistsNeverMaybeOurs | Self::ExistsWouldLose => Reason::AlreadyExists,
            Self::WouldLose(_) => Reason::WouldLose,
            Self::IdentityMismatch => Reason::IdentityMismatch,
            Self::Contested | Self::Broken | Self::Stripped(_) => Reason::NotConverging,
        }
    }
}
