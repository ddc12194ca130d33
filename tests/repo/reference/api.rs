//! `docs/reference/api.md`: every field of the resource with type, bounds, default, meaning and an example, read from the definition.

use serde_json::{Map, Value, json};
use unkey_operator::api::{IdentitySpec, IdentityStatus, crd};

use super::{entry, head, heading, paragraph};

/// What happens if a field of the spec is left out. The schema has no defaults: the diff of a GitOps tool has to stay empty.
const OMITTED: [(&str, &str); 7] = [
    ("spec.meta", "not managed"),
    ("spec.ratelimits", "not managed"),
    ("spec.ratelimits[].autoApply", "`false`"),
    ("spec.adoptionPolicy", "`--default-adoption-policy` of the operator (`IfLossless`)"),
    ("spec.deletionPolicy", "`--default-deletion-policy` of the operator (`Delete`)"),
    ("spec.managementPolicy", "`--default-management-policy` of the operator (`Enforce`)"),
    ("spec.suspend", "`false`"),
];

fn example_spec() -> Value {
    json!({
        "externalId": "acme",
        "meta": {"plan": "pro", "seats": 25},
        "ratelimits": [{"name": "requests", "limit": 1000, "duration": 60000, "autoApply": true}],
        "adoptionPolicy": "IfLossless",
        "deletionPolicy": "Orphan",
        "managementPolicy": "Enforce",
        "suspend": false,
    })
}

fn example_status() -> Value {
    let hash = format!("v1:{}", "5f".repeat(32));
    json!({
        "observedGeneration": 3,
        "uid": "5b2c1a9e-8f43-4f4e-9a0b-6f1d2c3b4a59",
        "identityId": "id_Mbsn9CCI8",
        "origin": "Created",
        "applied": {"meta": hash, "ratelimits": hash},
        "managed": ["meta", "ratelimits"],
        "pending": {"meta": hash, "ratelimits": hash},
        "observed": {"identityId": "id_Mbsn9CCI8", "differs": ["meta.plan", "ratelimits[requests].limit"], "others": 2},
        "deletionPolicy": "Delete",
        "credential": "3f2a9c1b7d4e",
        "cause": "Settling",
        "lastHandledReconcileAt": "2026-11-01T10:00:00Z",
        "conditions": [{
            "type": "Ready", "status": "True", "observedGeneration": 3, "lastTransitionTime": "2026-11-01T10:00:00Z",
            "reason": "Synced", "message": "Unkey accepted this spec.",
        }],
    })
}

/// Quoted words of a description, which `kubectl explain` shows too, as Markdown has them. Apostrophes stay.
fn marked(text: &str) -> String {
    let is_word = |part: &&str| !part.is_empty() && !part.starts_with(' ') && !part.ends_with(' ');
    let (mut marked, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('\'') {
        marked.push_str(before);
        let opens = !before.ends_with(char::is_alphanumeric);
        if let Some((word, behind)) = after.split_once('\'').filter(|(word, _)| opens && is_word(word)) {
            marked.push_str(&["`", word, "`"].concat());
            rest = behind;
        } else {
            marked.push('\'');
            rest = after;
        }
    }
    marked += rest;
    let flag = |word: &str| {
        let name = word.trim_end_matches(['.', ',']);
        if name.starts_with("--") { format!("`{name}`{}", &word[name.len()..]) } else { word.to_owned() }
    };
    marked.split(' ').map(flag).collect::<Vec<_>>().join(" ")
}

/// The type as a reader says it.
fn type_of(schema: &Value) -> String {
    let name = schema["type"].as_str().unwrap_or("any JSON");
    match name {
        "array" => format!("list of {}", schema["items"]["type"].as_str().unwrap_or("any JSON")),
        "object" if schema["x-kubernetes-preserve-unknown-fields"] == true => "object of any content".to_owned(),
        "string" if schema["format"] == "date-time" => "string, a time (RFC 3339)".to_owned(),
        name => name.to_owned(),
    }
}

/// What the API server checks.
fn bounds(schema: &Value) -> Vec<String> {
    let mut bounds = Vec::new();
    let number = |key: &str| schema[key].as_i64();
    let range = |low: Option<i64>, high: Option<i64>, of: &str| match (low, high) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}{of}")),
        (Some(low), None) => Some(format!("at least {low}{of}")),
        (None, Some(high)) => Some(format!("at most {high}{of}")),
        (None, None) => None,
    };
    bounds.extend(range(number("minLength"), number("maxLength"), " characters"));
    bounds.extend(range(number("minItems"), number("maxItems"), " entries"));
    bounds.extend(range(number("minProperties"), number("maxProperties"), " keys"));
    bounds.extend(range(number("minimum"), number("maximum"), ""));
    if let Some(pattern) = schema["pattern"].as_str() {
        bounds.push(format!("pattern `{pattern}`"));
    }
    if let Some(words) = schema["enum"].as_array() {
        bounds.push(format!(
            "one of {}",
            words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect::<Vec<_>>().join(", ")
        ));
    }
    bounds
}

struct Writer {
    page: String,
    omitted: Vec<(&'static str, &'static str)>,
}

impl Writer {
    fn field(&mut self, path: &str, schema: &Value, is_required: bool, example: &Value) {
        heading(&mut self.page, "###", &format!("`{path}`"));
        let about = schema["description"].as_str().unwrap_or_else(|| panic!("{path} has no description"));
        for part in about.split("\n\n") {
            paragraph(&mut self.page, &marked(part));
        }
        self.page.push('\n');
        entry(&mut self.page, &format!("Type: {}", type_of(schema)));
        let bounds = bounds(schema);
        if !bounds.is_empty() {
            entry(&mut self.page, &format!("Bounds: {}", bounds.join("; ")));
        }
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            entry(&mut self.page, &format!("Rule: {}", rule["message"].as_str().unwrap()));
        }
        if path.starts_with("spec") {
            if is_required {
                entry(&mut self.page, "Required");
            } else {
                let at = self.omitted.iter().position(|(known, _)| *known == path);
                let (_, omitted) = self.omitted.remove(at.unwrap_or_else(|| panic!("what if {path} is left out?")));
                entry(&mut self.page, &format!("Default: {omitted}"));
            }
        }
        assert!(!example.is_null(), "{path} has no example");
        let name = path.rsplit('.').next().unwrap();
        entry(&mut self.page, &format!("Example: `{name}: {}`", serde_json::to_string(example).unwrap()));
        self.fields(path, schema, example);
    }

    /// The fields of an object, or of each entry of a list.
    fn fields(&mut self, path: &str, schema: &Value, example: &Value) {
        let (schema, path, example) = match schema["type"].as_str() {
            Some("array") => (&schema["items"], format!("{path}[]"), &example[0]),
            _ => (schema, path.to_owned(), example),
        };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema["properties"].as_object().unwrap_or(&Map::new()) {
            self.field(&format!("{path}.{name}"), field, required.contains(&name.as_str()), &example[name]);
        }
    }
}

pub fn page() -> String {
    let crd = serde_json::to_value(crd().unwrap()).unwrap();
    let (spec, version) = (&crd["spec"], &crd["spec"]["versions"][0]);
    let schema = &version["schema"]["openAPIV3Schema"];
    let mut writer =
        Writer { page: head("Identity", schema["description"].as_str().unwrap()), omitted: OMITTED.into() };
    let text = |at: &Value| at.as_str().unwrap().to_owned();
    let names = &spec["names"];
    writer.page.push('\n');
    entry(&mut writer.page, &format!("API version: `{}/{}`", text(&spec["group"]), text(&version["name"])));
    entry(&mut writer.page, &format!("Kind: `{}`, in a namespace", text(&names["kind"])));
    entry(
        &mut writer.page,
        &format!(
            "For kubectl: `{}`, `{}`, `{}`; category `{}`",
            text(&names["plural"]),
            text(&names["singular"]),
            text(&names["shortNames"][0]),
            text(&names["categories"][0])
        ),
    );
    let selectable: Vec<String> = version["selectableFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("`{}`", text(&it["jsonPath"]).trim_start_matches('.')))
        .collect();
    entry(&mut writer.page, &format!("Field selectors: {}", selectable.join(", ")));
    for (part, title, example) in [("spec", "Spec", example_spec()), ("status", "Status", example_status())] {
        heading(&mut writer.page, "##", title);
        paragraph(&mut writer.page, &marked(schema["properties"][part]["description"].as_str().unwrap()));
        writer.fields(part, &schema["properties"][part], &example);
    }
    assert!(writer.omitted.is_empty(), "no such optional fields: {:?}", writer.omitted);
    writer.page
}

/// The examples are what the types take, and nothing else.
#[test]
fn examples_are_read_whole() {
    let spec: IdentitySpec = serde_json::from_value(example_spec()).unwrap();
    assert_eq!(serde_json::to_value(spec).unwrap(), example_spec());
    let status: IdentityStatus = serde_json::from_value(example_status()).unwrap();
    assert_eq!(serde_json::to_value(status).unwrap(), example_status());
}
