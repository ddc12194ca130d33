//! The status of an `Identity`: what the operator knows, and for which object and generation it knows it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cause::StatusCause;
use super::policies::DeletionPolicy;
use super::reason::Reason;

/// What the operator last found and did. Only the operator writes it; other tools may add conditions of their own types.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IdentityStatus {
    /// The metadata.generation that this status describes; -1 before the first reconcile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// metadata.uid of the object that this status was written for. If it differs from the object's own uid (after a
    /// restore or a copy), the status is only a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,

    /// The id that Unkey assigned to the identity that this resource owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,

    /// Whether the operator created the identity or adopted an existing one. Informational: the operator does not act on it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_word")]
    pub origin: Option<Origin>,

    /// Hashes of the values that Unkey last accepted, one for each managed field. They distinguish a change of the spec from drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<AppliedHashes>,

    /// The fields that the operator manages ('meta', 'ratelimits'). Present while work is under way, and while it is not
    /// known what Unkey accepted. If absent, the operator manages the fields in 'applied'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<Vec<String>>,

    /// Hashes of the values that the operator is about to write to newly managed fields, after it read the stored values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<AppliedHashes>,

    /// What Unkey holds and what the spec would change, while the resource is observed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_word")]
    pub observed: Option<Observed>,

    /// The deletion policy in force, including the operator's default.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_word")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// Fingerprint of the API URL and root key under which identityId was recorded: the first 12 hex digits of a
    /// SHA-256. It distinguishes a changed workspace from a vanished identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,

    /// See [`StatusCause`]. Absent if the reason has one cause only.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_word")]
    // Any word: a definition that is older than the operator must not refuse a status for a word that it does not know.
    #[schemars(with = "Option<String>")]
    pub cause: Option<StatusCause>,

    /// The last value of the annotation unkey.com/reconcile-requested-at that the operator acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,

    /// 'Ready' is present once an operator has worked on the resource; 'Stalled' only while a person must act; 'Suspended' only while spec.suspend is true. The
    /// operator does not change conditions of other types: they belong to other tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "readable")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<StatusCondition>,
}

/// A word that another version wrote and this one does not know reads as none: it must not make the whole status
/// unreadable, the id included.
fn known_word<'de, D: serde::Deserializer<'de>, T: serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(|word| serde_json::from_value(word).ok())
}

/// A condition that cannot be read is somebody else's, or counts as none: it must not make the whole status unreadable, the id included.
fn readable<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<StatusCondition>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Readable<T> {
        Yes(T),
        No(serde::de::IgnoredAny),
    }
    impl<T> Readable<T> {
        fn ok(self) -> Option<T> {
            match self {
                Self::Yes(value) => Some(value),
                Self::No(_) => None,
            }
        }
    }
    let listed = Readable::<Vec<Readable<StatusCondition>>>::deserialize(deserializer)?;
    Ok(listed.ok().unwrap_or_default().into_iter().filter_map(Readable::ok).collect())
}

impl IdentityStatus {
    /// The condition of this type, if there is one.
    pub fn condition(&self, kind: ConditionType) -> Option<&StatusCondition> {
        self.conditions.iter().find(|condition| condition.type_ == kind.as_str())
    }

    /// True if the condition of this type is.
    pub fn is_true(&self, kind: ConditionType) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }

    /// The reason of `Ready`, if it is one of ours.
    pub fn reason(&self) -> Option<Reason> {
        Reason::parse(&self.condition(ConditionType::Ready)?.reason)
    }

    /// The names of all fields, as they stand in JSON.
    pub const FIELDS: [&'static str; 13] = [
        "observedGeneration",
        "uid",
        "identityId",
        "origin",
        "applied",
        "managed",
        "pending",
        "observed",
        "deletionPolicy",
        "credential",
        "cause",
        "lastHandledReconcileAt",
        "conditions",
    ];
}

/// One hash for each field: 'v1:' and a SHA-256 of canonical JSON.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AppliedHashes {
    /// Hash of meta; absent if there is none or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<String>,
    /// Hash of the rate limits; absent if there is none or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratelimits: Option<String>,
}

/// What a look at Unkey found while the resource was observed.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// The id of the identity that Unkey holds under the externalId. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// Paths of the spec whose values differ in Unkey, such as 'meta.plan'; at most 20. Never a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub differs: Vec<String>,
    /// How many keys of meta and rate limits Unkey holds that the spec does not name, as of the last change of this status.
    /// 'Enforce' removes those of fields that the spec names, and leaves the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub others: Option<i64>,
}

/// Where the identity came from.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The operator created the identity.
    Created,
    /// The identity existed and was adopted.
    Adopted,
}

/// One condition, in the shape that kubectl wait, Argo CD and Flux read (metav1.Condition).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StatusCondition {
    /// Ready, Stalled or Suspended; any other type belongs to another tool.
    #[serde(rename = "type")]
    pub type_: String,
    /// 'True' or 'False'.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub status: String,
    /// The metadata.generation that this condition describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When 'status' last changed.
    pub last_transition_time: Time,
    /// One word that programs can rely on.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// What happened, why, and what to do about it.
    #[schemars(length(max = 32768))]
    pub message: String,
}

/// The types of condition that an `Identity` may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// Unkey accepted exactly this generation and no settled read contradicts it. Of an observed resource: Unkey holds what this generation asks for.
    Ready,
    /// Nothing will change until a person acts.
    Stalled,
    /// spec.suspend is true.
    Suspended,
}

impl ConditionType {
    /// Those that the operator writes. All others are other tools'.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Stalled, Self::Suspended];

    /// The name as it stands in the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Stalled => "Stalled",
            Self::Suspended => "Suspended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rollback meets what the newer version wrote: a word it does not know must not cost it the id.
    #[test]
    fn an_unknown_word_leaves_the_rest_readable() {
        let text = r#"{"uid":"u","identityId":"id_1","origin":"Imported","deletionPolicy":"Archive","later":1}"#;
        let status: IdentityStatus = serde_json::from_str(text).unwrap();
        assert_eq!(status.identity_id.as_deref(), Some("id_1"));
        assert_eq!((status.origin, status.deletion_policy), (None, None));
    }

    /// Another tool's condition may hold what the schema takes and this program does not read, such as the offset of this date.
    #[test]
    fn an_unreadable_condition_leaves_the_rest_readable() {
        let ready = r#"{"type":"Ready","status":"True","lastTransitionTime":"2026-11-01T10:00:00Z","reason":"Synced","message":""}"#;
        for other in [
            r#"{"type":"Odd","status":"True","lastTransitionTime":"2026-11-01T10:00:00+30:00","reason":"r","message":""}"#,
            r#"{"type":"Odd"}"#,
            r#"{"type":"Odd","status":"True","lastTransitionTime":"2026-11-01T10:00:00Z","reason":"r","message":"","observedGeneration":"3"}"#,
            r#"{"type":"Odd","status":true,"lastTransitionTime":7,"reason":[1.5,{}],"message":{"a":{"b":-1}}}"#,
            r#"{"type":{"deep":[1]},"status":3}"#,
            "7",
            "null",
        ] {
            let text = format!(r#"{{"uid":"u","identityId":"id_1","conditions":[{other},{ready},{other}]}}"#);
            let status: IdentityStatus = serde_json::from_str(&text).unwrap();
            assert_eq!(status.identity_id.as_deref(), Some("id_1"));
            assert_eq!(status.conditions.iter().map(|it| it.type_.as_str()).collect::<Vec<_>>(), ["Ready"], "{other}");
        }
        for conditions in ["null", "{}", "\"none\"", "[]"] {
            let status: IdentityStatus =
                serde_json::from_str(&format!(r#"{{"uid":"u","conditions":{conditions}}}"#)).unwrap();
            assert_eq!((status.uid.as_deref(), status.conditions.len()), (Some("u"), 0));
        }
    }

    #[test]
    fn the_names_of_the_fields_are_those_of_the_schema() {
        let schema = serde_json::to_value(schemars::schema_for!(IdentityStatus)).unwrap();
        let named: std::collections::BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(named, IdentityStatus::FIELDS.into());
    }
}
