//! What a spec asks for, read from its text.
//!
//! The spec comes as text and is measured before it is parsed: one object whose meta is nested deeper than a parser's
//! limit must be that object's failure and nobody else's (S24). Controls and the externalId are read even when meta or
//! rate limits cannot be, since deletion and ownership need them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::content::{Applied, Content, ContentHash, FieldHash, Limit, Limits, Meta};
use super::ids::ExternalId;
use super::losses::lossless;
use super::object::Controls;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy};

/// Container levels of meta that Unkey's database takes; meta itself counts as one (measured on a running server).
pub const MAX_DEPTH: usize = 100;
/// Bytes of meta that Unkey takes, counted after its own re-encoding (Unkey API reference).
pub const MAX_META_BYTES: usize = 1_048_576;
/// Bytes of one key of meta that Unkey's database takes; one more is answered 500 for ever.
pub const MAX_KEY_BYTES: usize = 65_535;

/// The content that a spec asks for, with the hashes by which it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The identity's key.
    pub external_id: ExternalId,
    /// Meta; `None`: not managed.
    pub meta: Option<Meta>,
    /// Rate limits; `None`: not managed.
    pub limits: Option<Limits>,
    hashes: Applied,
    content_hash: ContentHash,
}

/// Why a spec cannot be sent to Unkey. The text is for the user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SpecError {
    /// Deeper than Unkey's database takes.
    #[error("meta is nested {levels} levels deep; Unkey accepts at most {MAX_DEPTH} (meta itself counts as one)")]
    MetaTooDeep {
        /// Container levels counted.
        levels: usize,
    },
    /// Larger than Unkey takes.
    #[error("meta has {bytes} bytes in Unkey's encoding; Unkey accepts at most {MAX_META_BYTES}")]
    MetaTooLarge {
        /// Bytes after Unkey's encoding.
        bytes: usize,
    },
    /// A key longer than Unkey's database takes.
    #[error("meta has a key of {bytes} bytes; Unkey accepts at most {MAX_KEY_BYTES}")]
    KeyTooLong {
        /// Bytes of the longest key.
        bytes: usize,
    },
    /// Two limits of one name: the API server refuses them, but an older schema may have let them in.
    #[error("ratelimits has two entries named {name:?}")]
    DuplicateLimit {
        /// The name.
        name: String,
    },
    /// A field that this version cannot read.
    #[error("this version of the operator cannot read spec.{field}")]
    Unreadable {
        /// The field's name.
        field: &'static str,
    },
}

impl Desired {
    /// A content to ask for.
    pub fn new(external_id: ExternalId, meta: Option<Meta>, limits: Option<Limits>) -> Self {
        let hashes = Applied { meta: meta.as_ref().map(Meta::hash), limits: limits.as_ref().map(Limits::hash) };
        let created = Content { meta: meta.clone().unwrap_or_default(), limits: limits.clone().unwrap_or_default() };
        let content_hash = created.hash();
        Self { external_id, meta, limits, hashes, content_hash }
    }

    /// Hash of what a create of this would store.
    pub fn content_hash(&self) -> &ContentHash {
        &self.content_hash
    }

    /// Hashes of the managed fields.
    pub fn hashes(&self) -> &Applied {
        &self.hashes
    }

    /// True if taking over `stored` would lose nothing (R3).
    pub fn keeps(&self, stored: &Content) -> bool {
        lossless(self.meta.as_ref(), self.limits.as_ref(), stored)
    }

    /// Hashes of `stored` in the managed fields.
    pub fn managed_of(&self, stored: &Content) -> Applied {
        Applied {
            meta: self.meta.as_ref().map(|_| stored.meta.hash()),
            limits: self.limits.as_ref().map(|_| stored.limits.hash()),
        }
    }

    /// The managed fields whose hash is not the applied one: what an update has to send.
    pub fn missing_from(&self, applied: &Applied) -> Option<(Option<Meta>, Option<Limits>)> {
        let differs = |wanted: &Option<FieldHash>, has: &Option<FieldHash>| wanted.is_some() && wanted != has;
        let meta = self.meta.clone().filter(|_| differs(&self.hashes.meta, &applied.meta));
        let limits = self.limits.clone().filter(|_| differs(&self.hashes.limits, &applied.limits));
        (meta.is_some() || limits.is_some()).then_some((meta, limits))
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
        let suspend = field::<bool>(shallow.suspend);
        let controls = Controls {
            adoption: adoption.as_ref().ok().copied().flatten(),
            deletion: deletion.as_ref().ok().copied().flatten(),
            // What cannot be read must not lead to a deletion: hold everything instead.
            suspend: suspend.as_ref().map_or(true, |value| value.unwrap_or(false))
                || deletion.is_err()
                || external_id.is_none(),
        };
        let desired = match (&external_id, adoption.is_err(), deletion.is_err()) {
            (None, ..) => Err(SpecError::Unreadable { field: "externalId" }),
            (_, true, _) => Err(SpecError::Unreadable { field: "adoptionPolicy" }),
            (_, _, true) => Err(SpecError::Unreadable { field: "deletionPolicy" }),
            (Some(id), ..) => read_meta(shallow.meta)
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
    let mut longest = 0;
    let bytes = go_len_object(&object, &mut longest);
    if longest > MAX_KEY_BYTES {
        return Err(SpecError::KeyTooLong { bytes: longest });
    }
    if bytes > MAX_META_BYTES {
        return Err(SpecError::MetaTooLarge { bytes });
    }
    Ok(Some(Meta::new(object)))
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
