//! A content that is not looked at at the moment, in a tenth of the room: a plan keeps one for each identity of a workspace.

use serde_json::{Map, Value};

use crate::content::{Content, Limit, Limits, Meta};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packed {
    /// The meta as JSON; empty: there is none.
    meta: Box<str>,
    limits: Box<[(Box<str>, Limit)]>,
}

impl Packed {
    /// Packs it.
    pub fn new(content: &Content) -> Self {
        let meta = content.meta.as_map();
        // A map of texts and values can always be written, and an empty one needs no text.
        let text = if meta.is_empty() { String::new() } else { serde_json::to_string(meta).unwrap_or_default() };
        let limits = content.limits.as_map().iter();
        Self { meta: text.into(), limits: limits.map(|(name, limit)| (name.as_str().into(), *limit)).collect() }
    }

    /// The content.
    pub fn unpacked(&self) -> Content {
        // It is what was written above.
        let meta: Map<String, Value> = serde_json::from_str(&self.meta).unwrap_or_default();
        let limits = self.limits.iter().map(|(name, limit)| (name.to_string(), *limit));
        Content { meta: Meta::new(meta), limits: Limits::new(limits.collect()) }
    }
}
