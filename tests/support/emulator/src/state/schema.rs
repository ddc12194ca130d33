//! The request schemas of the OpenAPI document: which bodies are refused, and the JSON-schema keyword each violation is reported under.
//! It must not decode a body; what passes here may still fail to bind.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Operation;
use super::json::{Kind, Value};

/// One entry of `error.errors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The path of the schema keyword, not of the field.
    pub location: String,
    /// For people.
    pub message: String,
}

/// Collects violations under a path of schema keywords.
struct Checker {
    found: Vec<Violation>,
}

/// Everything wrong with `body`, in no particular order.
pub fn check(operation: Operation, body: Value<'_>) -> Vec<Violation> {
    let mut checker = Checker { found: Vec::new() };
    let Kind::Object(members) = body.kind() else {
        checker.wrong_type("", body, "object");
        return checker.found;
    };
    let members: BTreeMap<&str, Value<'_>> = members.into_iter().collect();
    let (required, known): (&[&str], &[&str]) = match operation {
        // The only body without `additionalProperties: false`.
        Operation::Create => (&["externalId"], &[]),
        Operation::Update => (&["identity"], &["identity", "meta", "ratelimits"]),
        Operation::Get | Operation::Delete => (&["identity"], &["identity"]),
        Operation::List => (&[], &["cursor", "limit", "search"]),
    };
    checker.required("", &members, required);
    if !known.is_empty() {
        for name in members.keys().filter(|name| !known.contains(name)) {
            checker.fail("/additionalProperties", format!("additional properties '{name}' not allowed"));
        }
    }
    match operation {
        Operation::Create => {
            checker.external_id(members.get("externalId"));
            checker.content(&members);
        }
        Operation::Update => {
            checker.string("/properties/identity", members.get("identity"), 1, usize::MAX);
            checker.content(&members);
        }
        Operation::Get | Operation::Delete => {
            checker.string("/properties/identity", members.get("identity"), 1, usize::MAX);
        }
        Operation::List => {
            checker.integer("/properties/limit", members.get("limit"), 1.0, 100.0);
            checker.string("/properties/cursor", members.get("cursor"), 0, usize::MAX);
            checker.string("/properties/search", members.get("search"), 0, 256);
        }
    }
    checker.found
}

impl Checker {
    fn fail(&mut self, location: impl Into<String>, message: String) {
        self.found.push(Violation { location: location.into(), message });
    }

    fn wrong_type(&mut self, path: &str, value: Value<'_>, want: &str) {
        self.fail(format!("{path}/type"), format!("got {}, want {want}", name_of(value)));
    }

    fn required(&mut self, path: &str, members: &BTreeMap<&str, Value<'_>>, names: &[&str]) {
        let missing: Vec<_> =
            names.iter().filter(|name| !members.contains_key(**name)).map(|n| format!("'{n}'")).collect();
        if !missing.is_empty() {
            self.fail(format!("{path}/required"), format!("missing properties {}", missing.join(", ")));
        }
    }

    /// Returns the string, for further checks.
    fn string<'a>(&mut self, path: &str, value: Option<&Value<'a>>, min: usize, max: usize) -> Option<&'a str> {
        let value = *value?;
        let Some(text) = value.text() else {
            self.wrong_type(path, value, "string");
            return None;
        };
        let length = text.chars().count();
        if length < min {
            self.fail(format!("{path}/minLength"), format!("minLength: got {length}, want {min}"));
        }
        if length > max {
            self.fail(format!("{path}/maxLength"), format!("maxLength: got {length}, want {max}"));
        }
        Some(text)
    }

    fn external_id(&mut self, value: Option<&Value<'_>>) {
        let path = "/properties/externalId";
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if let Some(text) = self.string(path, value, 1, 255)
            && (text.is_empty() || !text.chars().all(allowed))
        {
            self.fail(format!("{path}/pattern"), "does not match pattern '^[a-zA-Z0-9_.-]+$'".to_owned());
        }
    }

    /// The validator sees numbers as doubles, so `1.0`, `1e3` and 2^63 are integers to it.
    fn integer(&mut self, path: &str, value: Option<&Value<'_>>, min: f64, max: f64) {
        let Some(value) = value else { return };
        let double = match value.kind() {
            Kind::Number(literal) => literal.parse::<f64>().ok().filter(|double| double.fract() == 0.0),
            _ => None,
        };
        let Some(double) = double else { return self.wrong_type(path, *value, "integer") };
        if double < min {
            self.fail(format!("{path}/minimum"), format!("minimum: got {double}, want {min}"));
        }
        if double > max {
            self.fail(format!("{path}/maximum"), format!("maximum: got {double}, want {max}"));
        }
    }

    fn content(&mut self, members: &BTreeMap<&str, Value<'_>>) {
        if let Some(meta) = members.get("meta") {
            match meta.kind() {
                Kind::Object(entries) => {
                    let count = entries.into_iter().collect::<BTreeMap<_, _>>().len();
                    if count > 100 {
                        self.fail("/properties/meta/maxProperties", format!("maxProperties: got {count}, want 100"));
                    }
                }
                _ => self.wrong_type("/properties/meta", *meta, "object"),
            }
        }
        if let Some(limits) = members.get("ratelimits") {
            let path = "/properties/ratelimits";
            let Kind::Array(items) = limits.kind() else { return self.wrong_type(path, *limits, "array") };
            if items.len() > 50 {
                self.fail(format!("{path}/maxItems"), format!("maxItems: got {}, want 50", items.len()));
            }
            for item in items {
                self.ratelimit(item);
            }
        }
    }

    fn ratelimit(&mut self, item: Value<'_>) {
        let path = "/properties/ratelimits/items";
        let Kind::Object(members) = item.kind() else { return self.wrong_type(path, item, "object") };
        let members: BTreeMap<&str, Value<'_>> = members.into_iter().collect();
        self.required(path, &members, &["autoApply", "duration", "limit", "name"]);
        self.string(&format!("{path}/properties/name"), members.get("name"), 3, 128);
        self.integer(&format!("{path}/properties/limit"), members.get("limit"), 1.0, f64::INFINITY);
        self.integer(&format!("{path}/properties/duration"), members.get("duration"), 1000.0, f64::INFINITY);
        if let Some(auto_apply) = members.get("autoApply")
            && !matches!(auto_apply.kind(), Kind::Bool(_))
        {
            self.wrong_type(&format!("{path}/properties/autoApply"), *auto_apply, "boolean");
        }
    }
}

fn name_of(value: Value<'_>) -> &'static str {
    match value.kind() {
        Kind::Null => "null",
        Kind::Bool(_) => "boolean",
        Kind::Number(_) => "number",
        Kind::Text(_) => "string",
        Kind::Array(_) => "array",
        Kind::Object(_) => "object",
    }
}
