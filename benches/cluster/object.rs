//! The `Identity` that the benches write, and how they read one back: metadata and the verdict, nothing more, so that watching costs little.
//! It must not read what the operator keeps for itself.

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;
use serde_json::{Value, json};
use unkey_operator::api::{GROUP, Identity, KIND, PLURAL, VERSION};

/// The name of the object of that number; its externalId too.
pub fn name(number: usize) -> String {
    format!("tenant-{number:06}")
}

/// What a small customer's spec looks like. A `revision` makes an edit of it.
pub fn spec(name: &str, revision: usize) -> Value {
    json!({"externalId": name, "meta": meta(name, revision), "ratelimits": ratelimits()})
}

/// `spec.meta`
pub fn meta(name: &str, revision: usize) -> Value {
    json!({
        "plan": "pro", "company": format!("Example and Daughters {name}"), "region": "eu-central-1", "seats": 25,
        "features": {"sso": true, "audit": false}, "revision": revision,
    })
}

/// `spec.ratelimits`
pub fn ratelimits() -> Value {
    json!([
        {"name": "requests", "limit": 1000, "duration": 60_000, "autoApply": true},
        {"name": "exports", "limit": 10, "duration": 3_600_000, "autoApply": false},
    ])
}

/// The manifest of the object of that name.
pub fn manifest(name: &str) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND,
        "metadata": {"name": name}, "spec": spec(name, 0),
    })
}

/// An `Identity` as a watch of the benches reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct Object {
    pub metadata: ObjectMeta,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    identity_id: Option<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    observed_generation: i64,
}

impl Object {
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The generation that `Ready=True` speaks of; 0 if it does not say `True`.
    pub fn ready_for(&self) -> i64 {
        let ready = self.status.conditions.iter().find(|condition| condition.kind == "Ready");
        ready.filter(|ready| ready.status == "True").map_or(0, |ready| ready.observed_generation)
    }

    /// Where its identity lives in Unkey.
    pub fn identity_id(&self) -> Option<&str> {
        self.status.identity_id.as_deref()
    }
}

impl Resource for Object {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        Identity::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Identity::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Identity::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
