//! Why something has to wait, in words for programs: the reason and the cause that a status names. The words for people are in `message`.

use super::permission::Operation;
use unkey_operator_api::{Reason, StatusCause};

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
    /// A deletion waits until a mass would have been seen (R20).
    DeletionDelayed,
    /// The object is observed from now on: what it owned is let go (R21).
    Observing,
    /// A deletion waits, since the object is only observed (R21).
    Observed,
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
            | Self::Queued
            | Self::DeletionDelayed
            | Self::Observing
            | Self::Observed => Reason::Progressing,
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

    pub(super) fn word(&self) -> Option<StatusCause> {
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
            Self::DeletionDelayed => Some(StatusCause::DeletionDelayed),
            Self::Observing => Some(StatusCause::Observing),
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
            | Self::Observed
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
