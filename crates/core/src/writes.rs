//! What was written to Unkey for an externalId, and what of it is in doubt.

use std::collections::BTreeSet;

use super::content::Applied;
use super::ids::{Confirmed, Mono, Uid};

/// From when on a read may count, but for the consistency window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// Whatever was sent took effect, or never will, longer than a consistency window ago: a read counts whenever it begins.
    LongSince,
    /// From this moment.
    Since(Mono),
}

impl Default for Evidence {
    /// Since this process acts.
    fn default() -> Self {
        Self::Since(Mono::ZERO)
    }
}

/// A kind of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// createIdentity
    Create,
    /// updateIdentity
    Update,
    /// deleteIdentity
    Delete,
}

/// What this process last wrote, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum LastWrite {
    /// Nothing that matters any more.
    #[default]
    None,
    /// A create was accepted. `noted`: the status has it.
    Created {
        /// The object it was for.
        uid: Uid,
        /// The new identity.
        identity: Confirmed,
        /// Hashes of the managed fields it holds.
        applied: Applied,
        /// Fingerprint of the root key that made it.
        credential: Option<String>,
        /// The status of the object shows it.
        noted: bool,
    },
    /// An update was accepted.
    Updated {
        /// The object it was for.
        uid: Uid,
        /// The identity.
        identity: Confirmed,
        /// Hashes of the fields that were sent.
        applied: Applied,
        /// The generation that the status spoke of when the first of those fields was sent.
        told: i64,
        /// The status of the object shows it.
        noted: bool,
    },
    /// A delete was accepted.
    Deleted {
        /// The object it was for.
        uid: Uid,
        /// The identity that is gone.
        identity: Confirmed,
    },
    /// A create was refused because an identity of that externalId exists.
    Exists {
        /// The object it was for.
        uid: Uid,
    },
}

impl LastWrite {
    /// The object that it was for is `uid`.
    pub fn is_for(&self, uid: &Uid) -> bool {
        match self {
            Self::None => false,
            Self::Created { uid: of, .. }
            | Self::Updated { uid: of, .. }
            | Self::Deleted { uid: of, .. }
            | Self::Exists { uid: of } => of == uid,
        }
    }
}

/// Writes whose outcome is unknown, taken together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownOutcome {
    /// When the last of them is surely over.
    pub over: Evidence,
    /// All of them were answered (a 5xx of Unkey): nothing is on its way any more, and the next accepted write settles it.
    pub ended: bool,
    /// The objects for which one of them was a create: what is found may be their own. An externalId can have several lives.
    pub creates: BTreeSet<Uid>,
}

/// Fields that an update may have changed. The next accepted update that sends a field settles it, as does a settled read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UncertainFields {
    /// The object it was for.
    pub uid: Uid,
    /// Meta was sent.
    pub meta: bool,
    /// Rate limits were sent.
    pub limits: bool,
}

/// A write that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InFlight {
    /// The object it is for.
    pub uid: Uid,
    /// What is sent.
    pub what: Write,
    /// When it is over at the latest.
    pub deadline: Mono,
    /// The fields that an update sends.
    pub fields: Option<UncertainFields>,
    /// What [`ObjectState::sent`](super::object_state::ObjectState::sent) was before: a definite refusal restores it.
    pub sent_before: bool,
}

impl UnknownOutcome {
    /// About one write; `create`: the object, if it was a create.
    pub fn new(over: Mono, ended: bool, create: Option<Uid>) -> Self {
        Self { over: Evidence::Since(over), ended, creates: create.into_iter().collect() }
    }

    /// About one write that is long over: what it has done is there to be seen.
    pub fn long_over(create: Option<Uid>) -> Self {
        Self { over: Evidence::LongSince, ..Self::new(Mono::ZERO, false, create) }
    }

    /// Both doubts at once.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.creates.extend(other.creates);
        Self { over: self.over.max(other.over), ended: self.ended && other.ended, creates: self.creates }
    }
}
