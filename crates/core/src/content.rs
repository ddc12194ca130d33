//! What an identity holds, as Unkey stores it, and how two such contents compare.
//!
//! Unkey keeps every number of meta as a 64-bit float and loses key order; rate limits are a set by name. Equality and
//! hashes follow that, or drift would never settle.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The fields by their names in the spec.
pub(super) const META: &str = "meta";
pub(super) const RATELIMITS: &str = "ratelimits";

/// Prefix of the hashes this version writes. A hash with another prefix is "unknown": it equals nothing.
const HASH_VERSION: &str = "v1:";

/// The meta of an identity.
#[derive(Clone, Debug, Default)]
pub struct Meta(Arc<Map<String, Value>>);

impl Meta {
    /// Takes a JSON object.
    pub fn new(object: Map<String, Value>) -> Self {
        Self(Arc::new(object))
    }

    /// The JSON object.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// True for `{}`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hash of what Unkey stores for this meta.
    pub fn hash(&self) -> FieldHash {
        FieldHash::of(|text| canonical_object(&self.0, text))
    }
}

impl PartialEq for Meta {
    fn eq(&self, other: &Self) -> bool {
        same_object(&self.0, &other.0)
    }
}

impl Eq for Meta {}

/// One rate limit, without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Requests allowed in one window.
    pub limit: i64,
    /// Length of the window in milliseconds.
    pub duration: i64,
    /// Applied at every verification without being named.
    pub auto_apply: bool,
}

/// The rate limits of an identity, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(Arc<BTreeMap<String, Limit>>);

impl Limits {
    /// Takes the limits by name.
    pub fn new(by_name: BTreeMap<String, Limit>) -> Self {
        Self(Arc::new(by_name))
    }

    /// The limits by name.
    pub fn as_map(&self) -> &BTreeMap<String, Limit> {
        &self.0
    }

    /// True for `[]`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hash of what Unkey stores for these limits.
    pub fn hash(&self) -> FieldHash {
        FieldHash::of(|text| canonical_limits(&self.0, text))
    }
}

/// All that an identity holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Meta; `{}` if Unkey's answer leaves it out.
    pub meta: Meta,
    /// Rate limits; `[]` if Unkey's answer leaves them out.
    pub limits: Limits,
}

impl Content {
    /// True if there is nothing by which this content could be told from any other empty one.
    pub fn is_empty(&self) -> bool {
        self.meta.is_empty() && self.limits.is_empty()
    }

    /// Hash over all of it: what a claim carries.
    pub fn hash(&self) -> ContentHash {
        ContentHash(digest_of(Some(&self.meta), Some(&self.limits)))
    }
}

/// Hash of one managed field, as it stands in `status.applied`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldHash(Arc<str>);

impl FieldHash {
    fn of(write: impl FnOnce(&mut String)) -> Self {
        Self(digest(write))
    }

    /// From a status; `None` if another version wrote it in a way this one cannot compare.
    pub fn parse(text: &str) -> Option<Self> {
        text.starts_with(HASH_VERSION).then(|| Self(Arc::from(text)))
    }

    /// As it is written to the status.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hash of a whole content, as it stands in a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash(Arc<str>);

impl ContentHash {
    /// From a claim; a hash of another version is kept and equals none of ours.
    pub fn parse(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// As it is written to the claim.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What Unkey last accepted, per managed field; `None`: not managed, or not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Applied {
    /// Hash of the meta.
    pub meta: Option<FieldHash>,
    /// Hash of the rate limits.
    pub limits: Option<FieldHash>,
}

impl Applied {
    /// The same, with the fields that `top` knows in their place.
    #[must_use]
    pub fn overlaid(&self, top: &Self) -> Self {
        Self {
            meta: top.meta.clone().or_else(|| self.meta.clone()),
            limits: top.limits.clone().or_else(|| self.limits.clone()),
        }
    }

    /// The fields of it that `of` knows too.
    #[must_use]
    pub fn shared_with(&self, of: &Self) -> Self {
        Self { meta: of.meta.as_ref().and(self.meta.clone()), limits: of.limits.as_ref().and(self.limits.clone()) }
    }
}

/// Equality as Unkey stores values: numbers as f64 (so 1 = 1.0 and -0 = 0), objects unordered, arrays ordered.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => stored_number(x).to_bits() == stored_number(y).to_bits(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => same_object(x, y),
        _ => a == b,
    }
}

fn same_object(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
}

/// The number as the server keeps it. A JSON number always converts: the parser refuses those out of range.
fn stored_number(number: &serde_json::Number) -> f64 {
    let value = number.as_f64().unwrap_or(0.0);
    // -0 is stored as 0.
    if value == 0.0 { 0.0 } else { value }
}

/// Hexadecimal digits of the digest of a layer: enough to tell the few revisions of one tier apart, and short to read.
const LAYER_DIGITS: usize = 16;

/// Of a layer (R23).
pub(super) fn layer_digest(meta: Option<&Meta>, limits: Option<&Limits>) -> Arc<str> {
    // A digest is all ASCII.
    Arc::from(&digest_of(meta, limits)[..HASH_VERSION.len() + LAYER_DIGITS])
}

/// Of both fields. One that is not named is another one than an empty one.
fn digest_of(meta: Option<&Meta>, limits: Option<&Limits>) -> Arc<str> {
    digest(|text| {
        text.push_str("{\"meta\":");
        match meta {
            Some(meta) => canonical_object(meta.as_map(), text),
            None => text.push_str("null"),
        }
        text.push_str(",\"ratelimits\":");
        match limits {
            Some(limits) => canonical_limits(limits.as_map(), text),
            None => text.push_str("null"),
        }
        text.push('}');
    })
}

fn digest(write: impl FnOnce(&mut String)) -> Arc<str> {
    let mut text = String::new();
    write(&mut text);
    let mut hash = String::with_capacity(HASH_VERSION.len() + 64);
    hash.push_str(HASH_VERSION);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    Arc::from(hash)
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        // Rust prints the shortest digits that read back as the same f64: stable across versions, unlike a JSON
        // library's choice between 1e21 and 1e+21.
        Value::Number(number) => {
            let _ = write!(text, "{}", stored_number(number));
        }
        Value::String(string) => canonical_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => canonical_object(map, text),
    }
}

fn canonical_object(map: &Map<String, Value>, text: &mut String) {
    // Sorted here, whatever order the map type keeps: a dependency may turn on serde_json's `preserve_order`.
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_unstable();
    text.push('{');
    for (i, key) in keys.into_iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        canonical_string(key, text);
        text.push(':');
        if let Some(value) = map.get(key) {
            canonical(value, text);
        }
    }
    text.push('}');
}

fn canonical_limits(limits: &BTreeMap<String, Limit>, text: &mut String) {
    text.push('[');
    for (i, (name, limit)) in limits.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push('{');
        canonical_string("name", text);
        text.push(':');
        canonical_string(name, text);
        let _ = write!(
            text,
            ",\"limit\":{},\"duration\":{},\"autoApply\":{}}}",
            limit.limit, limit.duration, limit.auto_apply
        );
    }
    text.push(']');
}

fn canonical_string(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
