//! What was listed: the objects, the identities, and how the operator is set up.

use super::packed::Packed;
use crate::deletions::DeletionLimits;
use crate::ids::{ExternalId, IdentityId, Mono};
use crate::object::Object;
use crate::policy::Policy;

/// An object as it was listed. It is read when it is looked at, so that what rests takes no room.
pub trait Listed {
    /// The object as a decision sees it; a reconcile request counts as first seen at `now`.
    fn object(&self, now: Mono) -> Object;
    /// The externalId of its spec; empty if it has none.
    fn external_id(&self) -> &ExternalId;
    /// `metadata.creationTimestamp`, in seconds since 1970.
    fn born(&self) -> i64;
}

/// An identity as it was listed.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its externalId.
    pub external_id: ExternalId,
    /// Its id.
    pub id: IdentityId,
    /// What it holds.
    pub content: Packed,
}

/// All that a plan rests on.
#[derive(Debug)]
pub struct World<L> {
    /// All objects of the operator's scope, not only those that are asked about: others may own what these name.
    pub objects: Vec<L>,
    /// The whole workspace.
    pub identities: Vec<Identity>,
    /// How the operator is set up. Without a [`credential`](Policy::credential) R15 judges nothing.
    pub policy: Policy,
    /// Hold and brake. What the operator has counted already lives in its memory; a plan begins with none.
    pub deletions: DeletionLimits,
    /// R15: ids recorded under another key need no proof that they are of this workspace.
    pub accepts_workspace_change: bool,
    /// An hour from now, RFC 3339, as the message of a held deletion prints it.
    pub an_hour_ahead: String,
}
