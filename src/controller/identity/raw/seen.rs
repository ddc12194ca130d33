//! What is remembered between two readings of an object.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::domain::{ExternalId, Mono, PriorStatus, Spec, Uid};

/// For whom a status is read: the object, and the externalId that its spec names.
type Reader = (Uid, Option<ExternalId>);

/// What was read last of one object, and the texts that it was read from: most steps of a reconcile see the same texts again.
#[derive(Debug, Default)]
pub struct LastRead {
    spec: Option<(Option<Arc<RawValue>>, Spec)>,
    status: Option<(Option<Arc<RawValue>>, Reader, PriorStatus)>,
}

fn is_same(of: Option<&Arc<RawValue>>, raw: Option<&Arc<RawValue>>) -> bool {
    match (of, raw) {
        (None, None) => true,
        (Some(of), Some(raw)) => Arc::ptr_eq(of, raw) || of.get() == raw.get(),
        _ => false,
    }
}

impl LastRead {
    /// What this spec says: read anew only if it is another text.
    pub fn spec(&mut self, raw: Option<&Arc<RawValue>>) -> Spec {
        if let Some((of, spec)) = &self.spec
            && is_same(of.as_ref(), raw)
        {
            return spec.clone();
        }
        let spec = Spec::read(raw.map_or("{}", |raw| raw.get()));
        self.spec = Some((raw.cloned(), spec.clone()));
        spec
    }

    /// What this status says to `reader`, as `read` reads it: anew only if it is another text or reader.
    pub fn status(
        &mut self,
        raw: Option<&Arc<RawValue>>,
        reader: Reader,
        read: impl FnOnce(&Reader) -> PriorStatus,
    ) -> PriorStatus {
        if let Some((of, last, status)) = &self.status
            && is_same(of.as_ref(), raw)
            && *last == reader
        {
            return status.clone();
        }
        let status = read(&reader);
        self.status = Some((raw.cloned(), reader, status.clone()));
        status
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
