//! A manifest as people read it: fields in the order in which one thinks of them, and a comment where a value has a reason. It knows no client.

use serde_json::{Map, Value};

use super::yaml::{entry, item};

/// The order of fields; others follow in the order of their names.
const ORDER: [&str; 13] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "spec",
    "externalId",
    "deletionPolicy",
    "managementPolicy",
    "meta",
    "limit",
    "duration",
];
const ORPHAN: &str =
    "# Orphan: the identity is older than this manifest. Deleting the resource keeps the identity and its keys.\n";

/// One document of YAML, which begins with a line of dashes.
pub fn document(manifest: &Value) -> String {
    let mut text = "---\n".to_owned();
    for (key, value) in fields(manifest) {
        match key {
            "metadata" => group(&mut text, key, value, |text, key, value| entry(text, 2, key, value)),
            "spec" => group(&mut text, key, value, field),
            key => entry(&mut text, 0, key, value),
        }
    }
    text
}

fn group(text: &mut String, key: &str, value: &Value, write: impl Fn(&mut String, &str, &Value)) {
    text.push('"');
    text.push_str(key);
    text.push_str("\":\n");
    fields(value).for_each(|(key, value)| write(text, key, value));
}

/// A field of the spec.
fn field(text: &mut String, key: &str, value: &Value) {
    if key == "deletionPolicy" && value == "Orphan" {
        text.push_str("  ");
        text.push_str(ORPHAN);
    }
    match value.as_array() {
        Some(limits) if !limits.is_empty() => {
            text.push_str("  \"");
            text.push_str(key);
            text.push_str("\":\n");
            for limit in limits {
                item(text, 4, fields(limit));
            }
        }
        _ => entry(text, 2, key, value),
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let mut all: Vec<(&str, &Value)> =
        value.as_object().into_iter().flat_map(Map::iter).map(|(key, value)| (key.as_str(), value)).collect();
    let place = |key: &str| ORDER.iter().position(|it| *it == key).unwrap_or(ORDER.len());
    all.sort_by_key(|(key, _)| (place(key), *key));
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::manifest::manifest;
    use super::super::manifest::tests::{form, identity};
    use super::super::{Form, MetaForm};
    use super::*;
    use crate::api::{DeletionPolicy, ManagementPolicy};

    #[test]
    fn a_document_reads_well_and_is_the_manifest() {
        let limits = json!([{"id": "rl_1", "name": "requests", "limit": 100, "duration": 60_000, "autoApply": true}]);
        let stored = identity("Acme", json!({"plan": "on", "name": {"limit": [1e21]}, "tags": ["a", null]}), limits);
        let labels = BTreeMap::from([("team".to_owned(), "1_0".to_owned())]);
        let made = manifest(&stored, &Form { labels, ..form() }).unwrap();
        let text = document(&made);
        let expected = r#"---
"apiVersion": "unkey.com/v1alpha1"
"kind": "Identity"
"metadata":
  "name": "acme-x37036cd8f9"
  "namespace": "shop"
  "labels":
    "team": "1_0"
"spec":
  "externalId": "Acme"
  # Orphan: the identity is older than this manifest. Deleting the resource keeps the identity and its keys.
  "deletionPolicy": "Orphan"
  "meta":
    "name":
      "limit": [1.0e+21]
    "plan": "on"
    "tags": ["a", null]
  "ratelimits":
    - "name": "requests"
      "limit": 100
      "duration": 60000
      "autoApply": true
"#;
        assert_eq!(text, expected);
        assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), made);
    }

    #[test]
    fn what_is_empty_or_left_out() {
        let stored = identity("a", json!({}), json!([]));
        let spec = |form: &Form| {
            let text = document(&manifest(&stored, form).unwrap());
            text.split_once("\"spec\":\n").unwrap().1.to_owned()
        };
        let kept = Form { deletion: DeletionPolicy::Delete, management: Some(ManagementPolicy::Observe), ..form() };
        assert_eq!(
            spec(&kept),
            "  \"externalId\": \"a\"\n  \"deletionPolicy\": \"Delete\"\n  \"managementPolicy\": \"Observe\"\n  \"meta\": {}\n  \"ratelimits\": []\n"
        );
        let none = Form { meta: MetaForm::Omit, ratelimits: false, ..kept };
        assert!(spec(&none).ends_with("\"managementPolicy\": \"Observe\"\n"));
    }
}
