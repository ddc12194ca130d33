//! One identity as a manifest, or why there is none. Pure. What the API server refuses, and what the operator cannot read, makes no manifest: it
//! could not be applied, or would not mean what Unkey holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::names::name_of;
use crate::api::{DeletionPolicy, GROUP, KIND, ManagementPolicy, VERSION};
use crate::domain::{Spec, SpecError};
use crate::plan::problems;
use crate::text::printable;
use crate::unkey::{Identity, Meta, Ratelimit};

/// Characters of a name that are shown.
const SHOWN: usize = 64;

/// What becomes of meta.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MetaForm {
    /// All of it is in the manifest.
    #[default]
    Keep,
    /// None of it: the operator does not manage meta.
    Omit,
    /// These keys of it.
    Only(BTreeSet<String>),
}

/// What is in each manifest beside its content.
#[derive(Clone, Debug)]
pub struct Form {
    /// The namespace.
    pub namespace: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// What becomes of meta.
    pub meta: MetaForm,
    /// Rate limits are in the manifest; else the operator does not manage them.
    pub ratelimits: bool,
    /// What happens to the identity when its resource is deleted.
    pub deletion: DeletionPolicy,
    /// Whether the operator writes; `None`: its default.
    pub management: Option<ManagementPolicy>,
}

/// The manifest of this identity, or all reasons why there is none.
pub(super) fn manifest(identity: &Identity, form: &Form) -> Result<Value, Vec<String>> {
    let mut spec = Map::new();
    spec.insert("externalId".to_owned(), json!(identity.external_id));
    spec.insert("deletionPolicy".to_owned(), json!(form.deletion));
    if let Some(management) = form.management {
        spec.insert("managementPolicy".to_owned(), json!(management));
    }
    match &form.meta {
        MetaForm::Keep => drop(spec.insert("meta".to_owned(), Value::Object(identity.meta.clone()))),
        MetaForm::Omit => {}
        MetaForm::Only(keys) => drop(spec.insert("meta".to_owned(), Value::Object(only(&identity.meta, keys)))),
    }
    let mut limits: Vec<&Ratelimit> = identity.ratelimits.iter().filter(|_| form.ratelimits).collect();
    // Unkey has no order that lasts, and a second import is to be the same.
    limits.sort_by(|a, b| a.name.cmp(&b.name));
    if form.ratelimits {
        spec.insert("ratelimits".to_owned(), limits.iter().map(|limit| limit_of(limit)).collect());
    }
    let mut metadata = json!({"name": name_of(&identity.external_id), "namespace": form.namespace});
    if !form.labels.is_empty() {
        metadata["labels"] = json!(form.labels);
    }
    let manifest =
        json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND, "metadata": metadata, "spec": spec});
    let why = reasons(&manifest, &limits);
    if why.is_empty() { Ok(manifest) } else { Err(why) }
}

fn only(meta: &Meta, keys: &BTreeSet<String>) -> Meta {
    meta.iter().filter(|(key, _)| keys.contains(*key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// As users write it: without what is the default.
fn limit_of(limit: &Ratelimit) -> Value {
    let mut value = json!({"name": limit.name, "limit": limit.limit, "duration": limit.duration});
    if limit.auto_apply {
        value["autoApply"] = json!(true);
    }
    value
}

fn reasons(manifest: &Value, limits: &[&Ratelimit]) -> Vec<String> {
    let mut why: Vec<String> = problems(manifest, None).into_iter().map(|problem| named(problem, limits)).collect();
    match Spec::read(&manifest["spec"].to_string()).desired {
        // The schema has told of it.
        Ok(_) | Err(SpecError::DuplicateLimit { .. }) => {}
        Err(error) => why.push(error.to_string()),
    }
    why
}

/// With the name of the limit that it is about: there is no manifest in which to count.
fn named(problem: String, limits: &[&Ratelimit]) -> String {
    let at = problem.strip_prefix("spec.ratelimits[").and_then(|rest| rest.split_once(']')?.0.parse::<usize>().ok());
    match at.and_then(|at| limits.get(at)) {
        Some(limit) => format!("{problem} (the limit is named '{}')", printable(&limit.name, SHOWN)),
        None => problem,
    }
}

/// True if meta has keys that the manifest lacks although the operator is to manage meta.
pub(super) fn loses_keys(identity: &Identity, form: &Form) -> bool {
    match &form.meta {
        MetaForm::Only(keys) => identity.meta.keys().any(|key| !keys.contains(key)),
        MetaForm::Keep | MetaForm::Omit => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::controller::content_of;

    pub fn identity(external_id: &str, meta: Value, ratelimits: Value) -> Identity {
        let mut value = json!({"id": "id_1", "externalId": external_id});
        value["meta"] = meta;
        value["ratelimits"] = ratelimits;
        serde_json::from_value(value).unwrap()
    }

    pub fn form() -> Form {
        Form {
            namespace: "shop".to_owned(),
            labels: BTreeMap::new(),
            meta: MetaForm::Keep,
            ratelimits: true,
            deletion: DeletionPolicy::Orphan,
            management: None,
        }
    }

    fn limit(name: &str, limit: i64) -> Value {
        json!({"id": "rl_1", "name": name, "limit": limit, "duration": 1000, "autoApply": name == "abc"})
    }

    #[test]
    fn a_manifest_asks_for_what_unkey_holds() {
        let meta = json!({"a": null, "b": [1e21, -0.0, 1.0, "\0"], "c": {"on": "1_0"}});
        let stored = identity("Acme", meta.clone(), json!([limit("def", 2), limit("abc", 1)]));
        let made = manifest(&stored, &form()).unwrap();
        let expected = json!({
            "apiVersion": "unkey.com/v1alpha1", "kind": "Identity",
            "metadata": {"name": "acme-x37036cd8f9", "namespace": "shop"},
            "spec": {"externalId": "Acme", "deletionPolicy": "Orphan", "meta": meta, "ratelimits": [
                {"name": "abc", "limit": 1, "duration": 1000, "autoApply": true},
                {"name": "def", "limit": 2, "duration": 1000},
            ]},
        });
        assert_eq!(made, expected);
        let desired = Spec::read(&made["spec"].to_string()).desired.unwrap();
        let content = content_of(&stored);
        assert_eq!((desired.meta, desired.limits), (Some(content.meta), Some(content.limits)));
    }

    #[test]
    fn what_is_left_out_is_not_managed() {
        let stored = identity("a", json!({"plan": "pro", "seats": 1}), json!([limit("abc", 1)]));
        let spec = |form: &Form| manifest(&stored, form).unwrap()["spec"].clone();
        let none = Form { meta: MetaForm::Omit, ratelimits: false, ..form() };
        assert_eq!(spec(&none), json!({"externalId": "a", "deletionPolicy": "Orphan"}));
        let only = Form {
            meta: MetaForm::Only(["plan", "x"].map(str::to_owned).into()),
            management: Some(ManagementPolicy::Observe),
            labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
            ..none.clone()
        };
        let made = manifest(&stored, &only).unwrap();
        assert_eq!(
            (&made["spec"]["meta"], &made["spec"]["managementPolicy"]),
            (&json!({"plan": "pro"}), &json!("Observe"))
        );
        assert_eq!(made["metadata"]["labels"], json!({"team": "a"}));
        assert!(loses_keys(&stored, &only) && !loses_keys(&stored, &none) && !loses_keys(&stored, &form()));
    }

    #[test]
    fn what_no_manifest_can_say_is_told() {
        let why = |external_id: &str, meta: Value, limits: Value| {
            manifest(&identity(external_id, meta, limits), &form()).unwrap_err().join("; ")
        };
        let deep = (0..101).fold(json!(1), |inner, _| json!({ "a": inner }));
        let keys: Map<String, Value> = (0..101).map(|n| (n.to_string(), json!(n))).collect();
        for (external_id, meta, limits, expected) in [
            ("id_12345678", json!({}), json!([]), "must not look like an internal id"),
            ("a b", json!({}), json!([]), "spec.externalId must match"),
            ("a", deep, json!([]), "meta is nested 101 levels deep"),
            ("a", json!({"a": "x".repeat(1_048_576)}), json!([]), "meta has 1048584 bytes"),
            ("a", json!({"k".repeat(65_536): 1}), json!([]), "meta has a key of 65536 bytes"),
            ("a", json!(keys), json!([]), "spec.meta has 101 keys"),
            ("a", json!({}), json!([limit("abc", 1), limit("abc", 1)]), "has a name that another item of the list has"),
            ("a", json!({}), json!([limit("abc", 0)]), "limit must be at least 1 (the limit is named 'abc')"),
            ("a", json!({}), json!([limit("def", 1), limit("a\u{301}b\u{200b}", 1)]), "named 'a\\u{301}b\\u{200b}'"),
        ] {
            let told = why(external_id, meta, limits);
            assert!(told.contains(expected), "{expected}: {told}");
        }
        // Only what would be in the manifest counts.
        let without = Form { ratelimits: false, ..form() };
        assert!(manifest(&identity("a", json!({}), json!([limit("abc", 0)])), &without).is_ok());
    }
}
