//! The closed set of reasons: one enum for conditions, one for events. Metric labels use the same words.

use std::fmt;

/// Why an `Identity` is ready or not: the `reason` of its conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Unkey accepted this generation.
    Synced,
    /// Work is under way or waits for evidence; retried.
    Progressing,
    /// Unkey cannot be reached or fails; retried.
    UpstreamUnavailable,
    /// Unkey asked to slow down; retried.
    RateLimited,
    /// Unkey refuses the root key; retried, and at once when the key changes.
    Unauthorized,
    /// The root key lacks a permission; retried.
    PermissionDenied,
    /// The operator has no usable root key; retried, and at once when it appears.
    CredentialsMissing,
    /// The root key shows none of the identities that were recorded under another one; goes on by itself under the right one.
    WorkspaceMismatch,
    /// The resource is being deleted and the identity cannot be; retried.
    DeletionBlocked,
    /// The resource is being deleted and is one of too many; waits for an approval.
    DeletionHeld,
    /// `spec.suspend` is true.
    Suspended,
    /// The spec cannot be sent to Unkey. Stalled.
    InvalidSpec,
    /// Unkey refused the content. Stalled.
    Rejected,
    /// An identity of that externalId exists and the adoption policy forbids taking it over. Stalled.
    AlreadyExists,
    /// A field that becomes managed holds something that the spec would remove or change, and the adoption policy forbids that. Stalled.
    WouldLose,
    /// Another `Identity` of this cluster owns that externalId. Stalled.
    ExternalIdConflict,
    /// Unkey answered with another identity than the one asked for. Stalled.
    IdentityMismatch,
    /// What is sent has no lasting effect, or Unkey always fails on it; tried once an hour. Stalled.
    NotConverging,
    /// Kubernetes refuses a write to the resource: an admission policy, a quota, its size, a missing right; retried.
    WriteRefused,
    /// Observed: Unkey holds what the spec asks for.
    Observed,
    /// Observed: the operator would change the identity.
    Differs,
    /// Observed: Unkey holds no identity of that externalId; the operator would create it.
    NotInUnkey,
    /// Observed: the operator would refuse to take over or change the identity.
    WouldRefuse,
}

impl Reason {
    /// Every reason, for metrics that must list them all.
    pub const ALL: [Self; 23] = [
        Self::Synced,
        Self::Progressing,
        Self::UpstreamUnavailable,
        Self::RateLimited,
        Self::Unauthorized,
        Self::PermissionDenied,
        Self::CredentialsMissing,
        Self::WorkspaceMismatch,
        Self::DeletionBlocked,
        Self::DeletionHeld,
        Self::Suspended,
        Self::InvalidSpec,
        Self::Rejected,
        Self::AlreadyExists,
        Self::WouldLose,
        Self::ExternalIdConflict,
        Self::IdentityMismatch,
        Self::NotConverging,
        Self::WriteRefused,
        Self::Observed,
        Self::Differs,
        Self::NotInUnkey,
        Self::WouldRefuse,
    ];

    /// Those that say what an observed resource comes upon in Unkey.
    pub const OBSERVING: [Self; 4] = [Self::Observed, Self::Differs, Self::NotInUnkey, Self::WouldRefuse];

    /// The word as it stands in a condition or a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::Progressing => "Progressing",
            Self::UpstreamUnavailable => "UpstreamUnavailable",
            Self::RateLimited => "RateLimited",
            Self::Unauthorized => "Unauthorized",
            Self::PermissionDenied => "PermissionDenied",
            Self::CredentialsMissing => "CredentialsMissing",
            Self::WorkspaceMismatch => "WorkspaceMismatch",
            Self::DeletionBlocked => "DeletionBlocked",
            Self::DeletionHeld => "DeletionHeld",
            Self::Suspended => "Suspended",
            Self::InvalidSpec => "InvalidSpec",
            Self::Rejected => "Rejected",
            Self::AlreadyExists => "AlreadyExists",
            Self::WouldLose => "WouldLose",
            Self::ExternalIdConflict => "ExternalIdConflict",
            Self::IdentityMismatch => "IdentityMismatch",
            Self::NotConverging => "NotConverging",
            Self::WriteRefused => "WriteRefused",
            Self::Observed => "Observed",
            Self::Differs => "Differs",
            Self::NotInUnkey => "NotInUnkey",
            Self::WouldRefuse => "WouldRefuse",
        }
    }

    /// Not ready, and the operator goes on by itself; the others are at rest, or wait for a person.
    pub fn is_retried(self) -> bool {
        match self {
            Self::Progressing
            | Self::UpstreamUnavailable
            | Self::RateLimited
            | Self::Unauthorized
            | Self::PermissionDenied
            | Self::CredentialsMissing
            | Self::WorkspaceMismatch
            | Self::DeletionBlocked
            | Self::WriteRefused => true,
            Self::Synced
            | Self::DeletionHeld
            | Self::Suspended
            | Self::InvalidSpec
            | Self::Rejected
            | Self::AlreadyExists
            | Self::WouldLose
            | Self::ExternalIdConflict
            | Self::IdentityMismatch
            | Self::NotConverging
            | Self::Observed
            | Self::Differs
            | Self::NotInUnkey
            | Self::WouldRefuse => false,
        }
    }

    /// It says what an observed resource comes upon in Unkey.
    pub fn is_observing(self) -> bool {
        Self::OBSERVING.contains(&self)
    }

    /// The reason of that name, if it is one of ours.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an event tells: only what the status cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventReason {
    /// An existing identity was taken over.
    Adopted,
    /// The resource is gone and its identity stays in Unkey.
    Orphaned,
    /// The identity had vanished and was created again, with a new id.
    Recreated,
    /// Another identity stands under the externalId; it was taken over by the adoption policy.
    IdentityReplaced,
    /// Unkey held something else than the spec; it was set right.
    DriftCorrected,
    /// A field left the spec; what Unkey holds of it stays and is no longer managed.
    FieldReleased,
    /// A rate limit left the spec and Unkey, or applies no longer by itself.
    LimitRemoved,
    /// Too many deletions at once: those of a namespace wait for an approval.
    MassDeletionHeld,
}

impl EventReason {
    /// Every one, for metrics that must list them all.
    pub const ALL: [Self; 8] = [
        Self::Adopted,
        Self::Orphaned,
        Self::Recreated,
        Self::IdentityReplaced,
        Self::DriftCorrected,
        Self::FieldReleased,
        Self::LimitRemoved,
        Self::MassDeletionHeld,
    ];

    /// The word as it stands in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adopted => "Adopted",
            Self::Orphaned => "Orphaned",
            Self::Recreated => "Recreated",
            Self::IdentityReplaced => "IdentityReplaced",
            Self::DriftCorrected => "DriftCorrected",
            Self::FieldReleased => "FieldReleased",
            Self::LimitRemoved => "LimitRemoved",
            Self::MassDeletionHeld => "MassDeletionHeld",
        }
    }
}
