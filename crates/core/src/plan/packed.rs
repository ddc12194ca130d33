//! A content that is not looked at at the moment, in a tenth of the room: a plan keeps one for each identity of a workspace.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::content::{Content, Limit, Limits, Meta};

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packed(Arc<Inner>);

#[derive(Debug, Default, PartialEq)]
struct Inner {
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
        let limits = limits.map(|(name, limit)| (name.as_str().into(), *limit)).collect();
        Self(Arc::new(Inner { meta: text.into(), limits }))
    }

    /// The content.
    pub fn unpacked(&self) -> Content {
        // It is what was written above.
        let meta: Map<String, Value> = serde_json::from_str(&self.0.meta).unwrap_or_default();
        let limits = self.0.limits.iter().map(|(name, limit)| (name.to_string(), *limit));
        Content { meta: Meta::new(meta), limits: Limits::new(limits.collect()) }
    }
}
