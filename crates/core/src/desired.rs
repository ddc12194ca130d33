//! The content that a spec asks for, or why there is none. It is compared by hashes; how a spec is read is not its business.

use super::content::{Applied, Content, ContentHash, FieldHash, Limits, Meta};
use super::ids::ExternalId;
use super::losses::{Losses, lossless};
use unkey_operator_api::AdoptionPolicy;

/// Container levels of meta that Unkey's database takes; meta itself counts as one (measured on a running server).
pub const MAX_DEPTH: usize = 100;
/// Bytes of meta that Unkey takes, counted after its own re-encoding (Unkey API reference).
pub const MAX_META_BYTES: usize = 1_048_576;
/// Bytes of one key of meta that Unkey's database takes; one more is answered 500 for ever.
pub const MAX_KEY_BYTES: usize = 65_535;

/// The content that a spec asks for, with the hashes by which it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The identity's key.
    pub external_id: ExternalId,
    /// Meta; `None`: not managed.
    pub meta: Option<Meta>,
    /// Rate limits; `None`: not managed.
    pub limits: Option<Limits>,
    hashes: Applied,
    content_hash: ContentHash,
}

/// Why a spec cannot be sent to Unkey. The text is for the user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SpecError {
    /// Deeper than Unkey's database takes.
    #[error("meta is nested {levels} levels deep; Unkey accepts at most {MAX_DEPTH} (meta itself counts as one)")]
    MetaTooDeep {
        /// Container levels counted.
        levels: usize,
    },
    /// Larger than Unkey takes.
    #[error("meta has {bytes} bytes in Unkey's encoding; Unkey accepts at most {MAX_META_BYTES}")]
    MetaTooLarge {
        /// Bytes after Unkey's encoding.
        bytes: usize,
    },
    /// A key longer than Unkey's database takes.
    #[error("meta has a key of {bytes} bytes; Unkey accepts at most {MAX_KEY_BYTES}")]
    KeyTooLong {
        /// Bytes of the longest key.
        bytes: usize,
    },
    /// Two limits of one name: the API server refuses them, but an older schema may have let them in.
    #[error("ratelimits has two entries named {name:?}")]
    DuplicateLimit {
        /// The name.
        name: String,
    },
    /// A field that this version cannot read.
    #[error("this version of the operator cannot read spec.{field}")]
    Unreadable {
        /// The field's name.
        field: &'static str,
    },
}

impl Desired {
    /// A content to ask for.
    pub fn new(external_id: ExternalId, meta: Option<Meta>, limits: Option<Limits>) -> Self {
        let hashes = Applied { meta: meta.as_ref().map(Meta::hash), limits: limits.as_ref().map(Limits::hash) };
        let created = Content { meta: meta.clone().unwrap_or_default(), limits: limits.clone().unwrap_or_default() };
        let content_hash = created.hash();
        Self { external_id, meta, limits, hashes, content_hash }
    }

    /// Hash of what a create of this would store.
    pub fn content_hash(&self) -> &ContentHash {
        &self.content_hash
    }

    /// Hashes of the managed fields.
    pub fn hashes(&self) -> &Applied {
        &self.hashes
    }

    /// True if taking over `stored` would lose nothing (R3).
    pub fn keeps(&self, stored: &Content) -> bool {
        lossless(self.meta.as_ref(), self.limits.as_ref(), stored)
    }

    /// What taking over somebody else's `stored` would lose: empty if it [keeps](Self::keeps) all.
    pub fn losses_over(&self, stored: &Content) -> Losses {
        Losses::of_foreign(self.meta.as_ref(), self.limits.as_ref(), stored)
    }

    /// True if that policy takes over what holds `stored` (R3).
    pub fn may_take(&self, stored: &Content, policy: AdoptionPolicy) -> bool {
        match policy {
            AdoptionPolicy::Always => true,
            AdoptionPolicy::IfLossless => self.keeps(stored),
            AdoptionPolicy::Never => false,
        }
    }

    /// Hashes of `stored` in the managed fields.
    pub fn managed_of(&self, stored: &Content) -> Applied {
        Applied {
            meta: self.meta.as_ref().map(|_| stored.meta.hash()),
            limits: self.limits.as_ref().map(|_| stored.limits.hash()),
        }
    }

    /// The managed fields whose hash is not the applied one: what an update has to send.
    pub fn missing_from(&self, applied: &Applied) -> Option<(Option<Meta>, Option<Limits>)> {
        let differs = |wanted: &Option<FieldHash>, has: &Option<FieldHash>| wanted.is_some() && wanted != has;
        let meta = self.meta.clone().filter(|_| differs(&self.hashes.meta, &applied.meta));
        let limits = self.limits.clone().filter(|_| differs(&self.hashes.limits, &applied.limits));
        (meta.is_some() || limits.is_some()).then_some((meta, limits))
    }
}
