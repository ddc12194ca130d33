//! What is worth an event: what a status cannot show.

use std::borrow::Cow;

use super::deletions::Episode;
use super::ids::{ExternalId, IdentityId};
use super::vanished::VanishedLimits;
use unkey_operator_api::EventReason;

/// Something worth an event: what the status cannot show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventNote {
    /// An existing identity was taken over.
    Adopted(IdentityId),
    /// The identity had vanished and was created again.
    Recreated(IdentityId),
    /// Another identity stands under the externalId and was taken over.
    Replaced(IdentityId),
    /// Unkey held something else than the spec; it was set right.
    DriftCorrected(IdentityId),
    /// A field left the spec; Unkey keeps it.
    Released {
        /// `meta` or `ratelimits`.
        field: &'static str,
    },
    /// The object is let go and its identity stays.
    Orphaned(Option<ExternalId>),
    /// An update took rate limits away.
    LimitRemoved(VanishedLimits),
    /// Too many deletions: those of a namespace wait for an approval (R20).
    MassDeletionHeld {
        /// The namespace.
        namespace: String,
        /// The numbers.
        episode: Episode,
    },
}

impl EventNote {
    /// The event's reason.
    pub fn reason(&self) -> EventReason {
        match self {
            Self::Adopted(_) => EventReason::Adopted,
            Self::Recreated(_) => EventReason::Recreated,
            Self::Replaced(_) => EventReason::IdentityReplaced,
            Self::DriftCorrected(_) => EventReason::DriftCorrected,
            Self::Released { .. } => EventReason::FieldReleased,
            Self::Orphaned(_) => EventReason::Orphaned,
            Self::LimitRemoved(_) => EventReason::LimitRemoved,
            Self::MassDeletionHeld { .. } => EventReason::MassDeletionHeld,
        }
    }

    /// What the text is about: two notes of one reason that differ in it are not the same.
    pub fn about(&self) -> Cow<'_, str> {
        match self {
            Self::Adopted(id) | Self::Recreated(id) | Self::Replaced(id) | Self::DriftCorrected(id) => {
                id.as_str().into()
            }
            Self::Released { field } => (*field).into(),
            Self::Orphaned(external_id) => external_id.as_ref().map_or("", ExternalId::as_str).into(),
            Self::LimitRemoved(VanishedLimits { removed, unapplied }) => format!("{removed:?} {unapplied:?}").into(),
            Self::MassDeletionHeld { namespace, .. } => namespace.into(),
        }
    }
}
