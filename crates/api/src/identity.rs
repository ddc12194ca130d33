//! The spec of an `Identity`. Doc comments here are what `kubectl explain` prints; they carry units and consequences.
//!
//! Bounds are those that Unkey checks itself (Unkey API reference), so that a manifest is refused at admission and
//! not minutes later. No `default` on fields that users omit: a GitOps diff has to stay empty.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::policies::{AdoptionPolicy, DeletionPolicy};
use super::status::IdentityStatus;

/// What the identity should be in Unkey, and what the operator may do to it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "unkey.com",
    version = "v1alpha1",
    kind = "Identity",
    plural = "identities",
    singular = "identity",
    shortname = "ukid",
    category = "unkey",
    namespaced,
    status = "IdentityStatus",
    selectable = ".spec.externalId",
    selectable = ".status.identityId",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status","description":"Whether Unkey accepted exactly this generation."}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason","description":"Why it is ready or not, in one word."}"#,
    printcolumn = r#"{"name":"External-ID","type":"string","jsonPath":".spec.externalId","description":"The identity's key in the Unkey workspace."}"#,
    printcolumn = r#"{"name":"Identity-ID","type":"string","jsonPath":".status.identityId","description":"The id that Unkey gave the identity."}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Deletion","type":"string","priority":1,"jsonPath":".status.deletionPolicy","description":"What happens in Unkey when this resource is deleted."}"#,
    printcolumn = r#"{"name":"Origin","type":"string","priority":1,"jsonPath":".status.origin","description":"Whether the operator created the identity or adopted it."}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message","description":"What happened and what to do."}"#
)]
#[serde(rename_all = "camelCase")]
pub struct IdentitySpec {
    /// The identity's key in the Unkey workspace, usually your own customer or tenant id: 1 to 255 letters, digits,
    /// '_', '.' or '-', case-sensitive. Immutable: to rename, see the README on what deletion does to keys. A value
    /// that looks like one of Unkey's own ids ('id_' and 8 or more letters or digits) is refused, because Unkey looks
    /// identities up by either.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-zA-Z0-9_.-]+$"))]
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("externalId is immutable: create another Identity and delete this one (with deletionPolicy Orphan if its keys must keep their identity)"),
        validation = Rule::new("!self.matches('^id_[a-zA-Z0-9]{8,}$')")
            .message("externalId must not look like an internal id of Unkey ('id_' and 8 or more letters or digits): Unkey would take it for that identity")
    )]
    pub external_id: String,

    /// Free-form JSON object that every key verification returns: plan, names, feature flags. At most 100 top-level
    /// keys, 100 levels deep (meta itself counts as one) and 1,048,576 bytes as compact JSON. Numbers are 64-bit floats to Unkey: an integer beyond
    /// 2^53 is rounded, so write it as a string. Not for secrets: Unkey logs it. Left out: the operator does not manage
    /// the identity's meta and keeps what is there. '{}': cleared. Begins to be managed when it gets into the spec: what is
    /// stored then is removed or changed only under adoptionPolicy Always. Over about 256 kB apply with --server-side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "meta_schema")]
    pub meta: Option<BTreeMap<String, serde_json::Value>>,

    /// Rate limits that all keys of this identity share, at most 50, told apart by name. Left out: the operator does
    /// not manage the identity's rate limits and keeps what is there. '[]': cleared. Begin to be managed when they get into
    /// the spec: what is stored then is removed or changed only under adoptionPolicy Always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub ratelimits: Option<Vec<RateLimit>>,

    /// See [`AdoptionPolicy`], whose description users read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,

    /// See [`DeletionPolicy`], whose description users read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// True stops the operator from doing anything in Unkey for this resource, deletion included, until it is false or
    /// left out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// One rate limit shared by all keys of the identity.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Name by which a key verification picks this limit: 3 to 128 printable ASCII characters, unique in the list.
    #[schemars(length(min = 3, max = 128))]
    // A rule and not a pattern: the message of a pattern is the pattern, and what breaks this one is often invisible.
    #[x_kube(
        validation = Rule::new("self.matches('^[ -~]+$')")
            .message("name must be printable ASCII (letters, digits, punctuation, spaces): Unkey takes some other characters for one another, or for none")
    )]
    pub name: String,

    /// Requests that are allowed in one window of 'duration'; at least 1.
    #[schemars(range(min = 1))]
    pub limit: i64,

    /// Length of the window in milliseconds; at least 1000 (one second), so 60000 is a minute.
    #[schemars(range(min = 1000))]
    pub duration: i64,

    /// True applies the limit at every key verification, without the caller naming it. Left out: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_apply: Option<bool>,
}

/// `meta` is data: the API server must keep every field of it, and two appliers must not half-merge it.
///
/// Its bounds must never become tighter. Where another rule does, the API server lets what broke it later be edited elsewhere and
/// lose its finalizer (validation ratcheting); inside a field that keeps unknown keys it does not (tried on 1.36), and such an object
/// could never be deleted.
fn meta_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 100,
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-map-type": "atomic",
    })
}
