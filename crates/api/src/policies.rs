//! What an `Identity` may say about taking over and deleting. Doc comments here are what `kubectl explain` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to do when Unkey already holds an identity of this externalId. 'Never': do not adopt it; report AlreadyExists.
/// 'IfLossless': adopt it if no value stored in a managed field would be lost. 'Always': adopt it and overwrite the
/// managed fields. The policy also applies when meta or ratelimits are added to the spec of an existing identity: if
/// stored values would be removed or changed, only 'Always' writes; the other policies report WouldLose. Defaults to the
/// operator's --default-adoption-policy (IfLossless).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum), value(rename_all = "PascalCase"))]
#[allow(clippy::doc_markdown)] // users read this in `kubectl explain`, where backticks would be noise
pub enum AdoptionPolicy {
    /// Do not adopt an existing identity.
    Never,
    /// Adopt it if no value stored in a managed field would be lost.
    IfLossless,
    /// Adopt it and overwrite the managed fields.
    Always,
}

/// What happens in Unkey when this resource is deleted. 'Delete': the identity is deleted. WARNING: this permanently
/// unlinks every key of the identity. The keys still verify, but without identity, meta and shared limits. Creating the
/// same externalId again does not link them back. A rename and a prune by GitOps are deletions too. 'Orphan': the
/// identity stays in Unkey; set it before a rename. Defaults to the operator's --default-deletion-policy (Delete).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum), value(rename_all = "PascalCase"))]
pub enum DeletionPolicy {
    /// The identity is deleted with the resource.
    Delete,
    /// The identity stays in Unkey.
    Orphan,
}

/// Whether the operator writes to Unkey for this resource. 'Enforce': the operator creates, adopts, updates and deletes the
/// identity. 'Observe': the operator only reads, and status.observed tells what it would change. It gives up its finalizer, so
/// a deletion leaves the identity in Unkey; a deletion that has begun before waits. suspend comes first. Defaults to the operator's --default-management-policy
/// (Enforce). With --observe the operator observes every resource, whatever this field says.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum), value(rename_all = "PascalCase"))]
#[allow(clippy::doc_markdown)] // users read this in `kubectl explain`, where backticks would be noise
pub enum ManagementPolicy {
    /// The operator keeps the identity equal to the spec.
    Enforce,
    /// The operator only reads, and tells what differs.
    Observe,
}
