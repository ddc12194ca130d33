//! The spec of an `Identity`. Doc comments here are what `kubectl explain` prints; they carry units and consequences.
//!
//! Bounds are those that Unkey checks itself (Unkey API reference), so that a manifest is refused at admission and
//! not minutes later. No `default` on fields that users omit: a GitOps diff has to stay empty.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::policies::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};
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
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status","description":"Whether Unkey holds what this generation asks for."}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason","description":"Why the resource is ready or not, in one word."}"#,
    printcolumn = r#"{"name":"External-ID","type":"string","jsonPath":".spec.externalId","description":"The identity's name in the Unkey workspace."}"#,
    printcolumn = r#"{"name":"Identity-ID","type":"string","jsonPath":".status.identityId","description":"The id that Unkey assigned to the identity."}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Deletion","type":"string","priority":1,"jsonPath":".status.deletionPolicy","description":"What happens in Unkey when this resource is deleted."}"#,
    printcolumn = r#"{"name":"Origin","type":"string","priority":1,"jsonPath":".status.origin","description":"Whether the operator created the identity or adopted it."}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message","description":"What happened and what to do."}"#
)]
#[serde(rename_all = "camelCase")]
pub struct IdentitySpec {
    /// The identity's name in the Unkey workspace, usually your own customer or tenant id: 1 to 255 letters, digits,
    /// '_', '.' or '-', case-sensitive. Immutable: the keys of a customer who gets another externalId have to be moved
    /// (docs/guides/rename-without-losing-keys.md). Values that look like Unkey's own ids ('id_' and 8 or more letters
    /// or digits) are refused, because Unkey looks up identities by either id.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-zA-Z0-9_.-]+$"))]
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("externalId is immutable. Create another Identity and delete this one (set deletionPolicy Orphan first if its keys must keep their identity)"),
        validation = Rule::new("!self.matches('^id_[a-zA-Z0-9]{8,}$')")
            .message("externalId must not look like an internal id of Unkey ('id_' and 8 or more letters or digits): Unkey would look up the identity with that id instead")
    )]
    pub external_id: String,

    /// Free-form JSON object that every key verification returns: plan, names, feature flags. At most 100 top-level
    /// keys, 100 levels deep (meta itself counts as one) and 1,048,576 bytes as compact JSON. Unkey stores numbers as 64-bit
    /// floats and rounds integers beyond 2^53: write those as strings. Do not store secrets here: Unkey logs meta. If
    /// omitted, the operator does not manage the identity's meta and leaves it unchanged. '{}' clears it. When meta is
    /// added to the spec of an existing identity, the operator removes or changes stored values only under adoptionPolicy
    /// Always. If meta exceeds about 256 kB, apply with --server-side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "meta_schema")]
    pub meta: Option<BTreeMap<String, serde_json::Value>>,

    /// Rate limits that all keys of this identity share: at most 50, each with a unique name. If omitted, the operator
    /// does not manage the identity's rate limits and leaves them unchanged. '[]' clears them. When ratelimits are added to
    /// the spec of an existing identity, the operator removes or changes stored limits only under adoptionPolicy Always. A
    /// limit that is removed is an outage for callers that name it: Unkey answers their key verifications with HTTP 412.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub ratelimits: Option<Vec<RateLimit>>,

    /// See [`AdoptionPolicy`], whose description users read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,

    /// See [`DeletionPolicy`], whose description users read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// See [`ManagementPolicy`], whose description users read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,

    /// True suspends reconciliation: the operator does nothing in Unkey for this resource, and a deletion waits unless
    /// deletionPolicy is Orphan. To resume, set it to false or remove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// One rate limit shared by all keys of the identity.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Name by which a key verification selects this limit: 3 to 128 printable ASCII characters, unique in the list.
    #[schemars(length(min = 3, max = 128))]
    // A rule and not a pattern: the message of a pattern is the pattern, and what breaks this one is often invisible.
    #[x_kube(
        validation = Rule::new("self.matches('^[ -~]+$')")
            .message("name must be printable ASCII (letters, digits, punctuation, spaces): Unkey treats some other characters as equal, or ignores them")
    )]
    pub name: String,

    /// Number of requests allowed in one window of 'duration'; at least 1.
    #[schemars(range(min = 1))]
    pub limit: i64,

    /// Length of the window in milliseconds: 60000 is one minute. At least 1000 (one second).
    #[schemars(range(min = 1000))]
    pub duration: i64,

    /// True applies the limit to every key verification, even if the caller does not name it. Defaults to false. Without
    /// it the limit does not hold for callers that do not name it.
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
