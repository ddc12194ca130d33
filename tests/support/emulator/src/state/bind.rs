//! Decodes a body into a request as Go's `encoding/json` does into its structs: field names in any case, later members over earlier ones
//! (a map given twice is merged), integers only as plain literals. It must not apply the schema: fields by other case come here unchecked.

use std::collections::BTreeMap;

use super::Operation;
use super::go::{Encoded, encode, is_field};
use super::json::{Kind, Value};

/// A body that the server cannot decode; answered as 400.
#[derive(Debug, PartialEq, Eq)]
pub struct Unbindable;

/// One rate limit as sent; absent fields are Go's zero values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ratelimit {
    /// Unique per identity under the collation.
    pub name: String,
    /// Calls per duration.
    pub limit: i64,
    /// Milliseconds.
    pub duration: i64,
    /// Whether verification applies it unasked.
    pub auto_apply: bool,
}

/// The fields of all five bodies; those that an operation does not have are empty.
#[derive(Debug, Default)]
pub struct Body {
    /// create
    pub external_id: String,
    /// get, update, delete
    pub identity: String,
    /// create, update
    pub meta: Option<Encoded>,
    /// create, update
    pub ratelimits: Option<Vec<Ratelimit>>,
    /// list
    pub limit: Option<i64>,
    /// list
    pub cursor: Option<String>,
    /// list
    pub search: Option<String>,
}

/// Decodes the body of an operation; what it has no field for is not looked at.
pub fn bind(operation: Operation, body: Value<'_>) -> Result<Body, Unbindable> {
    let fields: &[&str] = match operation {
        Operation::Create => &["externalId", "meta", "ratelimits"],
        Operation::Update => &["identity", "meta", "ratelimits"],
        Operation::Get | Operation::Delete => &["identity"],
        Operation::List => &["limit", "cursor", "search"],
    };
    let mut bound = Body::default();
    let mut meta: Option<BTreeMap<&str, Value<'_>>> = None;
    let Kind::Object(members) = body.kind() else { return Err(Unbindable) };
    for (key, value) in members {
        match fields.iter().find(|field| is_field(key, field)).copied() {
            Some("externalId") => text(&mut bound.external_id, value)?,
            Some("identity") => text(&mut bound.identity, value)?,
            Some("cursor") => optional(&mut bound.cursor, value, text)?,
            Some("search") => optional(&mut bound.search, value, text)?,
            Some("limit") => optional(&mut bound.limit, value, integer)?,
            Some("ratelimits") => optional(&mut bound.ratelimits, value, ratelimits)?,
            Some("meta") => match value.kind() {
                Kind::Object(entries) => meta.get_or_insert_default().extend(entries),
                Kind::Null => meta = None,
                _ => return Err(Unbindable),
            },
            _ => {}
        }
    }
    bound.meta = meta.as_ref().map(encode);
    Ok(bound)
}

fn optional<'a, T: Default>(
    slot: &mut Option<T>,
    value: Value<'a>,
    decode: impl FnOnce(&mut T, Value<'a>) -> Result<(), Unbindable>,
) -> Result<(), Unbindable> {
    if matches!(value.kind(), Kind::Null) {
        *slot = None;
        return Ok(());
    }
    decode(slot.get_or_insert_default(), value)
}

fn text(slot: &mut String, value: Value<'_>) -> Result<(), Unbindable> {
    match value.kind() {
        Kind::Text(text) => text.clone_into(slot),
        // Go leaves a field that is not a pointer as it was.
        Kind::Null => {}
        _ => return Err(Unbindable),
    }
    Ok(())
}

fn integer(slot: &mut i64, value: Value<'_>) -> Result<(), Unbindable> {
    match value.kind() {
        Kind::Number(literal) => *slot = literal.parse().map_err(|_| Unbindable)?,
        Kind::Null => {}
        _ => return Err(Unbindable),
    }
    Ok(())
}

fn boolean(slot: &mut bool, value: Value<'_>) -> Result<(), Unbindable> {
    match value.kind() {
        Kind::Bool(value) => *slot = value,
        Kind::Null => {}
        _ => return Err(Unbindable),
    }
    Ok(())
}

/// A second list in one body is decoded over the first, item by item.
fn ratelimits(slot: &mut Vec<Ratelimit>, value: Value<'_>) -> Result<(), Unbindable> {
    let Kind::Array(items) = value.kind() else { return Err(Unbindable) };
    slot.resize(items.len(), Ratelimit::default());
    for (ratelimit, item) in slot.iter_mut().zip(items) {
        let members = match item.kind() {
            Kind::Object(members) => members,
            Kind::Null => continue,
            _ => return Err(Unbindable),
        };
        for (key, value) in members {
            if is_field(key, "name") {
                text(&mut ratelimit.name, value)?;
            } else if is_field(key, "limit") {
                integer(&mut ratelimit.limit, value)?;
            } else if is_field(key, "duration") {
                integer(&mut ratelimit.duration, value)?;
            } else if is_field(key, "autoApply") {
                boolean(&mut ratelimit.auto_apply, value)?;
            }
        }
    }
    Ok(())
}
