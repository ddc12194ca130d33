//! What is remembered between two readings of an object.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::domain::{Mono, Spec};

/// The spec that was read last, and its text.
#[derive(Debug, Default)]
pub struct LastSpec(Option<(Option<Arc<RawValue>>, Spec)>);

impl LastSpec {
    /// What this text says: read anew only if it is another one.
    pub fn read(&mut self, raw: Option<&Arc<RawValue>>) -> Spec {
        if let Some((of, spec)) = &self.0
            && of.as_ref().map(|of| of.get()) == raw.map(|raw| raw.get())
        {
            return spec.clone();
        }
        let spec = Spec::read(raw.map_or("{}", |raw| raw.get()));
        self.0 = Some((raw.cloned(), spec.clone()));
        spec
    }
}

/// When the last reconcile request was first seen.
#[derive(Debug, Default)]
pub struct ReconcileRequests(Option<(String, Mono)>);

impl ReconcileRequests {
    /// True if there was none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// When this one was first seen.
    pub fn since(&mut self, value: &str, now: Mono) -> Mono {
        match &self.0 {
            Some((last, since)) if last == value => *since,
            _ => {
                self.0 = Some((value.to_owned(), now));
                now
            }
        }
    }
}
