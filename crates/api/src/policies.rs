//! What an `Identity` may say about taking over and deleting. Doc comments here are what `kubectl explain` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to do when Unkey already holds an identity of this externalId. 'Never': leave it alone and report
/// AlreadyExists. 'IfLossless': take it over if nothing stored in a managed field would be lost. 'Always': take it
/// over and overwrite the managed fields. It also decides when meta or ratelimits of an owned identity get into the spec
/// for the first time, or again: if something stored there would be removed or changed, only 'Always' writes; the
/// others report WouldLose. Left out: the operator's --default-adoption-policy (IfLossless).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum), value(rename_all = "PascalCase"))]
#[allow(clippy::doc_markdown)] // users read this in `kubectl explain`, where backticks would be noise
pub enum AdoptionPolicy {
    /// An identity that exists already is left alone.
    Never,
    /// Taken over if nothing stored in a managed field would be lost.
    IfLossless,
    /// Taken over, managed fields overwritten.
    Always,
}

/// What happens in Unkey when this resource is deleted. 'Delete': the identity is deleted. WARNING: this unlinks
/// every key of the identity for ever; the keys still verify, but without identity, meta and shared limits, and
/// creating the same externalId again does not link them back. A rename or a prune by GitOps is a deletion too. 'Orphan':
/// the identity stays in Unkey; set it before a rename. Left out: the operator's --default-deletion-policy
/// (Delete).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum), value(rename_all = "PascalCase"))]
pub enum DeletionPolicy {
    /// The identity is deleted with the resource.
    Delete,
    /// The identity stays in Unkey.
    Orphan,
}
