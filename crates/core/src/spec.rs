//! What a spec asks for, read from its text.
//!
//! The spec comes as text and is measured before it is parsed: one object whose meta is nested deeper than a parser's
//! limit must be that object's failure and nobody else's (S24). Controls and the externalId are read even when meta or
//! rate limits cannot be, since deletion and ownership need them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::content::{Limit, Limits, Meta};
use super::desired::{Desired, MAX_DEPTH, MAX_KEY_BYTES, MAX_META_BYTES, SpecError};
use super::ids::ExternalId;
use super::policy::Policy;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};

/// What the spec says besides content; `None`: the operator's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Controls {
    /// `spec.adoptionPolicy`.
    pub adoption: Option<AdoptionPolicy>,
    /// `spec.deletionPolicy`.
    pub deletion: Option<DeletionPolicy>,
    /// `spec.managementPolicy`.
    pub management: Option<ManagementPolicy>,
    /// `spec.suspend`.
    pub suspend: bool,
}

/// Who says that an object is only observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObservedBy {
    /// Its spec, or the default for specs that do not say: it owns nothing.
    Spec,
    /// The operator observes everything: what an object owns it keeps.
    Operator,
}

impl Controls {
    /// The adoption policy in force.
    pub fn adoption(&self, policy: &Policy) -> AdoptionPolicy {
        self.adoption.unwrap_or(policy.adoption)
    }

    /// Who says that the object is only observed (R21); `None`: it is enforced. What the object says itself goes further, and so comes first.
    pub fn observed_by(&self, policy: &Policy) -> Option<ObservedBy> {
        match self.management.unwrap_or(policy.management) {
            ManagementPolicy::Observe => Some(ObservedBy::Spec),
            ManagementPolicy::Enforce => policy.observe.then_some(ObservedBy::Operator),
        }
    }
}

/// A spec as far as it can be read.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The identity's key; `None` only if the schema was tampered with.
    pub external_id: Option<ExternalId>,
    /// Policies and suspension.
    pub controls: Controls,
    /// The content, or why there is none.
    pub desired: Result<Desired, SpecError>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Shallow<'a> {
    #[serde(borrow)]
    external_id: Option<&'a RawValue>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    #[serde(borrow)]
    ratelimits: Option<&'a RawValue>,
    #[serde(borrow)]
    adoption_policy: Option<&'a RawValue>,
    #[serde(borrow)]
    deletion_policy: Option<&'a RawValue>,
    #[serde(borrow)]
    management_policy: Option<&'a RawValue>,
    #[serde(borrow)]
    suspend: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LimitEntry {
    name: String,
    limit: i64,
    duration: i64,
    #[serde(default)]
    auto_apply: Option<bool>,
}

impl Spec {
    /// Reads a spec's JSON text.
    pub fn read(text: &str) -> Self {
        // Raw values are skipped without recursion, so this cannot fail on depth.
        let Ok(shallow) = serde_json::from_str::<Shallow<'_>>(text) else {
            let unreadable = SpecError::Unreadable { field: "externalId" };
            let controls = Controls { suspend: true, ..Controls::default() };
            return Self { external_id: None, controls, desired: Err(unreadable) };
        };
        let external_id = field::<String>(shallow.external_id).ok().flatten().map(|id| ExternalId::new(&id));
        let adoption = field::<AdoptionPolicy>(shallow.adoption_policy);
        let deletion = field::<DeletionPolicy>(shallow.deletion_policy);
        let management = field::<ManagementPolicy>(shallow.management_policy);
        let suspend = field::<bool>(shallow.suspend);
        let controls = Controls {
            adoption: adoption.as_ref().ok().copied().flatten(),
            deletion: deletion.as_ref().ok().copied().flatten(),
            management: management.as_ref().ok().copied().flatten(),
            // What cannot be read must not lead to a deletion, nor to a write that was to be none: hold everything instead.
            suspend: suspend.as_ref().map_or(true, |value| value.unwrap_or(false))
                || deletion.is_err()
                || management.is_err()
                || external_id.is_none(),
        };
        let policies = [
            ("adoptionPolicy", adoption.is_err()),
            ("deletionPolicy", deletion.is_err()),
            ("managementPolicy", management.is_err()),
        ];
        let unreadable = policies.into_iter().find_map(|(field, is_unreadable)| is_unreadable.then_some(field));
        let desired = match (&external_id, unreadable) {
            (None, _) => Err(SpecError::Unreadable { field: "externalId" }),
            (Some(_), Some(field)) => Err(SpecError::Unreadable { field }),
            (Some(id), None) => read_meta(shallow.meta)
                .and_then(|meta| Ok(Desired::new(id.clone(), meta, read_limits(shallow.ratelimits)?))),
        };
        Self { external_id, controls, desired }
    }
}

fn field<T: for<'de> Deserialize<'de>>(raw: Option<&RawValue>) -> Result<Option<T>, serde_json::Error> {
    raw.map_or(Ok(None), |raw| serde_json::from_str::<Option<T>>(raw.get()))
}

fn read_meta(raw: Option<&RawValue>) -> Result<Option<Meta>, SpecError> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(None) };
    let levels = depth(raw.get());
    if levels > MAX_DEPTH {
        return Err(SpecError::MetaTooDeep { levels });
    }
    let object: Map<String, Value> =
        serde_json::from_str(raw.get()).map_err(|_| SpecError::Unreadable { field: "meta" })?;
    fits(&object)?;
    Ok(Some(Meta::new(object)))
}

/// Whether Unkey takes as much. How deep it is, is another question.
pub(super) fn fits(meta: &Map<String, Value>) -> Result<(), SpecError> {
    let mut longest = 0;
    let bytes = go_len_object(meta, &mut longest);
    if longest > MAX_KEY_BYTES {
        return Err(SpecError::KeyTooLong { bytes: longest });
    }
    if bytes > MAX_META_BYTES {
        return Err(SpecError::MetaTooLarge { bytes });
    }
    Ok(())
}

fn read_limits(raw: Option<&RawValue>) -> Result<Option<Limits>, SpecError> {
    let unreadable = |_| SpecError::Unreadable { field: "ratelimits" };
    let Some(entries) = field::<Vec<LimitEntry>>(raw).map_err(unreadable)? else { return Ok(None) };
    let mut by_name = BTreeMap::new();
    for entry in entries {
        let limit =
            Limit { limit: entry.limit, duration: entry.duration, auto_apply: entry.auto_apply.unwrap_or(false) };
        if by_name.insert(entry.name.clone(), limit).is_some() {
            return Err(SpecError::DuplicateLimit { name: entry.name });
        }
    }
    Ok(Some(Limits::new(by_name)))
}

/// Container levels of a JSON text, counted without recursion. Assumes well-formed JSON, which the API server grants.
pub fn depth(json: &str) -> usize {
    let (mut level, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            // It stands in strings only.
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                level += 1;
                deepest = deepest.max(level);
            }
            b'}' | b']' if !in_string => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Bytes of a value as Unkey encodes it to measure it: compact, numbers as f64, `<`, `>`, `&`, U+2028 and U+2029 as
/// six-byte escapes. `longest_key` grows to the bytes of the longest key met.
pub(super) fn go_len_value(value: &Value, longest_key: &mut usize) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => go_len_number(number.as_f64().unwrap_or(0.0)),
        Value::String(string) => go_len_string(string),
        Value::Array(items) => {
            2 + items.len().saturating_sub(1) + items.iter().map(|item| go_len_value(item, longest_key)).sum::<usize>()
        }
        Value::Object(map) => go_len_object(map, longest_key),
    }
}

fn go_len_object(map: &Map<String, Value>, longest_key: &mut usize) -> usize {
    let mut bytes = 2 + map.len().saturating_sub(1);
    for (key, value) in map {
        *longest_key = (*longest_key).max(key.len());
        bytes += go_len_string(key) + 1 + go_len_value(value, longest_key);
    }
    bytes
}

fn go_len_string(string: &str) -> usize {
    2 + string
        .chars()
        .map(|c| match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
            c if c < ' ' => 6,
            c => c.len_utf8(),
        })
        .sum::<usize>()
}

fn go_len_number(number: f64) -> usize {
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        // Go writes a sign before a positive exponent, Rust does not.
        format!("{number:e}").len() + usize::from(magnitude >= 1.0)
    } else {
        format!("{number}").len()
    }
}
