//! What the API server would refuse of an Identity, by the schema of this program's definition: bounds, patterns, words, unknown fields, and the
//! rules in CEL. It knows the keywords that the schema uses and no more; a test holds it to that.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use parking_lot::Mutex;
use regex::Regex;
use serde_json::{Map, Value};

use crate::api::crd;
use crate::domain::MAX_DEPTH;

/// Rules in CEL, as the schema has them, and what they mean. `None`: the old value counts too.
const SAME: &str = "self == oldSelf";
const MATCHES: &str = "self.matches('";
const NOT_MATCHES: &str = "!self.matches('";
/// So many problems of one object are told.
const MAX_PROBLEMS: usize = 5;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let definition = crd().ok().and_then(|crd| serde_json::to_value(crd).ok()).unwrap_or_default();
    definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").cloned().unwrap_or_default()
});

/// What the API server would refuse of `object`, each in a sentence; `live`: as it stands.
pub fn problems(object: &Value, live: Option<&Value>) -> Vec<String> {
    let mut found = Problems::default();
    for field in object.as_object().into_iter().flat_map(Map::keys) {
        if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&field.as_str()) {
            found.add(field, "is no field of an Identity");
        }
    }
    for map in ["labels", "annotations"] {
        let is_text = |map: &Value| map.as_object().is_some_and(|map| map.values().all(Value::is_string));
        if !object["metadata"].get(map).is_none_or(|map| map.is_null() || is_text(map)) {
            found.add(&format!("metadata.{map}"), "must hold texts only; put numbers and true or false in quotes");
        }
    }
    match object.get("spec") {
        None => found.add("spec", "is required"),
        Some(spec) => found.value("spec", spec, live.and_then(|live| live.get("spec")), &SCHEMA, 0),
    }
    found.0
}

/// What the API server makes of a spec before it looks at it: nulls go where the schema has no use for them, and whole numbers are whole.
pub fn normalised(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    spec.retain(|_, value| !value.is_null());
    for limit in spec.get_mut("ratelimits").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(fields) = limit.as_object_mut() else { continue };
        fields.retain(|_, value| !value.is_null());
        for value in fields.values_mut() {
            let whole = value.as_f64().filter(|number| !value.is_i64() && number.fract() == 0.0 && number.abs() < 9e15);
            if let Some(whole) = whole {
                #[allow(clippy::cast_possible_truncation)] // it is whole, and small enough
                let number = whole as i64;
                *value = Value::from(number);
            }
        }
    }
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, path: &str, problem: impl std::fmt::Display) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(format!("{path} {problem}"));
        }
    }

    fn value(&mut self, path: &str, value: &Value, old: Option<&Value>, schema: &Value, level: usize) {
        // A message of its own tells of meta that is too deep.
        if level > MAX_DEPTH {
            return;
        }
        let expected = schema["type"].as_str().unwrap_or_default();
        let fits = match expected {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
            _ => true,
        };
        if !fits {
            return self.add(path, format_args!("must be of type {expected}"));
        }
        match value {
            Value::Object(fields) => self.object(path, fields, old, schema, level),
            Value::Array(items) => self.array(path, items, old, schema, level),
            Value::String(text) => self.string(path, text, schema),
            Value::Number(number) => {
                let least = schema["minimum"].as_f64();
                if let (Some(least), Some(number)) = (least, number.as_f64())
                    && number < least
                {
                    self.add(path, format_args!("must be at least {least}"));
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
        self.rules(path, value, old, schema);
    }

    fn object(&mut self, path: &str, fields: &Map<String, Value>, old: Option<&Value>, schema: &Value, level: usize) {
        for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(field) {
                self.add(&format!("{path}.{field}"), "is required");
            }
        }
        if schema["maxProperties"].as_u64().is_some_and(|most| fields.len() as u64 > most) {
            self.add(path, format_args!("has {} keys; at most {} are allowed", fields.len(), schema["maxProperties"]));
        }
        if schema["x-kubernetes-preserve-unknown-fields"] == true {
            return;
        }
        for (name, value) in fields {
            let path = format!("{path}.{name}");
            match schema["properties"].get(name) {
                Some(schema) => self.value(&path, value, old.and_then(|old| old.get(name)), schema, level + 1),
                None => self.add(&path, "is no field of an Identity"),
            }
        }
    }

    fn array(&mut self, path: &str, items: &[Value], old: Option<&Value>, schema: &Value, level: usize) {
        if schema["maxItems"].as_u64().is_some_and(|most| items.len() as u64 > most) {
            self.add(path, format_args!("has {} items; at most {} are allowed", items.len(), schema["maxItems"]));
        }
        let key = schema["x-kubernetes-list-map-keys"][0].as_str();
        let mut seen = BTreeSet::new();
        for (at, item) in items.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let name = key.and_then(|key| item.get(key));
            if let Some(name) = name
                && !seen.insert(name.to_string())
            {
                self.add(&path, "has a name that another item of the list has");
            }
            let of_old = |it: &&Value| key.and_then(|key| it.get(key)) == name;
            let old = old.and_then(Value::as_array).and_then(|old| old.iter().find(of_old));
            self.value(&path, item, old, &schema["items"], level + 1);
        }
    }

    fn string(&mut self, path: &str, text: &str, schema: &Value) {
        let length = text.chars().count() as u64;
        if schema["minLength"].as_u64().is_some_and(|least| length < least) {
            self.add(path, format_args!("must have at least {} characters", schema["minLength"]));
        }
        if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
            self.add(path, format_args!("must have at most {} characters", schema["maxLength"]));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.iter().any(|word| word == text)
        {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            self.add(path, format_args!("must be one of {}", words.join(", ")));
        }
        if let Some(pattern) = schema["pattern"].as_str()
            && !matches(pattern, text)
        {
            self.add(path, format_args!("must match '{pattern}'"));
        }
    }

    fn rules(&mut self, path: &str, value: &Value, old: Option<&Value>, schema: &Value) {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let text = rule["rule"].as_str().unwrap_or_default();
            // What was let in once stays: the API server asks again only about what changes.
            let holds = old.is_some_and(|old| old == value) || holds(text, value, old);
            if !holds {
                self.add(path, format_args!("is refused: {}", rule["message"].as_str().unwrap_or(text)));
            }
        }
    }
}

/// What a rule says; a rule that is not known refuses nothing.
fn holds(rule: &str, value: &Value, old: Option<&Value>) -> bool {
    let pattern = |prefix: &str| rule.strip_prefix(prefix).and_then(|rest| rest.strip_suffix("')"));
    let text = value.as_str().unwrap_or_default();
    if rule == SAME {
        old.is_none_or(|old| old == value)
    } else if let Some(pattern) = pattern(NOT_MATCHES) {
        !matches(pattern, text)
    } else {
        pattern(MATCHES).is_none_or(|pattern| matches(pattern, text))
    }
}

/// Compiled once: the schema has a handful, and a plan may have ten thousand manifests.
static PATTERNS: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);

fn matches(pattern: &str, text: &str) -> bool {
    let mut patterns = PATTERNS.lock();
    let compiled = patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
    compiled.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(spec: &Value) -> Vec<String> {
        problems(&json!({"apiVersion": "x", "kind": "Identity", "metadata": {}, "spec": spec}), None)
    }

    /// A keyword that is added to the schema is decided about here.
    #[test]
    fn every_keyword_of_the_schema_is_known() {
        const KNOWN: &[&str] = &[
            "type",
            "properties",
            "required",
            "enum",
            "pattern",
            "minLength",
            "maxLength",
            "minimum",
            "maxItems",
            "items",
            "maxProperties",
            "x-kubernetes-validations",
            "x-kubernetes-list-map-keys",
            "x-kubernetes-preserve-unknown-fields",
            // Of no consequence here: text, how lists merge, and the width of an integer, which the reader of JSON has.
            "description",
            "x-kubernetes-list-type",
            "x-kubernetes-map-type",
            "format",
        ];
        fn walk(schema: &Value) {
            for (keyword, value) in schema.as_object().unwrap() {
                assert!(KNOWN.contains(&keyword.as_str()), "{keyword}");
                match keyword.as_str() {
                    "properties" => value.as_object().unwrap().values().for_each(walk),
                    "items" => walk(value),
                    "x-kubernetes-validations" => value.as_array().unwrap().iter().for_each(|rule| {
                        let text = rule["rule"].as_str().unwrap();
                        let known =
                            text == SAME || [MATCHES, NOT_MATCHES].iter().any(|prefix| text.starts_with(prefix));
                        assert!(known, "{text}");
                    }),
                    _ => {}
                }
            }
        }
        assert!(SCHEMA["properties"]["externalId"].is_object());
        walk(&SCHEMA);
    }

    #[test]
    fn what_the_api_server_refuses() {
        let limit = |limit: Value| json!({"externalId": "a", "ratelimits": [limit]});
        let rows = [
            (json!({}), "spec.externalId is required"),
            (json!({"externalId": "a b"}), "spec.externalId must match '^[a-zA-Z0-9_.-]+$'"),
            (
                json!({"externalId": "id_12345678"}),
                "spec.externalId is refused: externalId must not look like an internal id",
            ),
            (json!({"externalId": ""}), "spec.externalId must have at least 1 characters"),
            (json!({"externalId": 1}), "spec.externalId must be of type string"),
            (json!({"externalId": "a", "plan": 1}), "spec.plan is no field of an Identity"),
            (
                json!({"externalId": "a", "deletionPolicy": "Retain"}),
                "spec.deletionPolicy must be one of Delete, Orphan",
            ),
            (json!({"externalId": "a", "meta": [1]}), "spec.meta must be of type object"),
            (
                limit(json!({"name": "abc", "limit": 0, "duration": 1000})),
                "spec.ratelimits[0].limit must be at least 1",
            ),
            (
                limit(json!({"name": "é\u{200b}x", "limit": 1, "duration": 1000})),
                "spec.ratelimits[0].name is refused: name must be printable",
            ),
            (limit(json!({"name": "abc", "limit": 1})), "spec.ratelimits[0].duration is required"),
        ];
        for (spec, expected) in rows {
            let found = of(&spec);
            assert!(found.iter().any(|problem| problem.starts_with(expected)), "{spec}: {found:?}");
        }
        let twice = json!({"name": "abc", "limit": 1, "duration": 1000});
        assert_eq!(of(&json!({"externalId": "a", "ratelimits": [twice, twice]})).len(), 1);
        assert!(
            of(&json!({"externalId": "a", "meta": {"a": {"b": null}}, "ratelimits": [twice], "suspend": true}))
                .is_empty()
        );
    }

    #[test]
    fn nulls_go_and_whole_numbers_are_whole() {
        let mut object = json!({"metadata": {"labels": {"a": 1}}, "spec": {"externalId": "a", "meta": null, "suspend": null,
            "ratelimits": [{"name": "abc", "limit": 1e3, "duration": 1000.0, "autoApply": null}]}});
        normalised(&mut object);
        let limit = json!({"name": "abc", "limit": 1000, "duration": 1000});
        assert_eq!(object["spec"], json!({"externalId": "a", "ratelimits": [limit]}));
        assert_eq!(
            problems(&object, None),
            ["metadata.labels must hold texts only; put numbers and true or false in quotes"]
        );
    }

    #[test]
    fn an_external_id_is_immutable() {
        let object = |id: &str| json!({"spec": {"externalId": id}});
        let found = problems(&object("b"), Some(&object("a")));
        assert!(found[0].contains("immutable"), "{found:?}");
        assert!(problems(&object("a"), Some(&object("a"))).is_empty());
    }
}
