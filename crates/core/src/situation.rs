//! The question of a decision.

use super::crd::Crd;
use super::deletions::DeletionGate;
use super::ids::Mono;
use super::knowledge::Knowledge;
use super::object::Object;
use super::object_state::ObjectState;
use super::ownership::Role;
use super::policy::Policy;
use super::witness::Witness;
use super::workspace::Gate;

/// All that a decision may look at.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The object.
    pub object: &'a Object,
    /// Its standing among those of the same externalId.
    pub role: Role,
    /// What is known of that externalId in Unkey.
    pub known: &'a Knowledge,
    /// What is remembered of this object.
    pub object_state: &'a ObjectState,
    /// Whether the root key leads to the workspace of what is recorded (R15).
    pub gate: &'a Gate,
    /// Whether the root key shows anything at all (R19).
    pub witness: &'a Witness,
    /// Whether the whole resource type is being removed (R10).
    pub crd: Crd,
    /// Whether an object that owns no identity yet may come to own one.
    pub ownership_gate: OwnershipGate,
    /// What hold and brake say of its deletion (R20).
    pub deletion_gate: &'a DeletionGate,
    /// How this operator is set up.
    pub policy: &'a Policy,
    /// Now.
    pub now: Mono,
}

/// Whether an object that owns no identity yet may come to own one: claim, create, adopt, or delete what it would have adopted. What an
/// object owns already is kept in step in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OwnershipGate {
    /// It may.
    #[default]
    Open,
    /// Not yet: the objects of a watched namespace are unknown, and one of them may own the externalId (R8).
    Unseen,
    /// Not yet: the definition in the cluster is older than this version, so that the API server would drop part of what is recorded.
    Outdated,
    /// Many objects are new. What is new and was not listed yet waits for a listing of the workspace, until then at the latest.
    Listing {
        /// When it goes on without.
        until: Mono,
    },
}
