//! A request to Unkey.

use super::content::{Applied, Limits, Meta};
use super::desired::Desired;
use super::ids::{Confirmed, ExternalId};

/// A request to Unkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// getIdentity by externalId.
    Read(ExternalId),
    /// createIdentity.
    Create(Desired),
    /// updateIdentity by id.
    Update {
        /// The identity.
        to: Confirmed,
        /// The fields to send.
        patch: Patch,
        /// Why.
        purpose: Purpose,
    },
    /// deleteIdentity by id.
    Delete(Confirmed),
}

impl Call {
    /// It writes rate limits.
    pub(super) fn carries_limits(&self) -> bool {
        match self {
            Self::Create(desired) => desired.limits.is_some(),
            Self::Update { patch, .. } => patch.limits.is_some(),
            Self::Read(_) | Self::Delete(_) => false,
        }
    }
}

/// The fields that an update sends; those left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// Replaces the whole meta.
    pub meta: Option<Meta>,
    /// Replaces the whole list.
    pub limits: Option<Limits>,
}

impl Patch {
    /// The hashes of what it sends.
    pub fn hashes(&self) -> Applied {
        Applied { meta: self.meta.as_ref().map(Meta::hash), limits: self.limits.as_ref().map(Limits::hash) }
    }
}

/// Why an update is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The spec asks for something new.
    Spec,
    /// Unkey holds something else than it accepted.
    Drift,
}
