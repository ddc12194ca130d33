//! What is remembered between two readings of an object.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::domain::{ExternalId, Mono, PriorStatus, Spec, Uid};

/// The text itself.
pub(super) fn text(raw: Option<&Arc<RawValue>>) -> Option<&str> {
    raw.map(|raw| raw.get())
}

/// What was read last, from which text and for whom: most steps of a reconcile see the same text again.
#[derive(Debug)]
struct Last<R, T> {
    raw: Option<Arc<RawValue>>,
    reader: R,
    value: T,
}

/// What was read last of one object.
#[derive(Debug, Default)]
pub struct LastRead {
    spec: Option<Last<(), Spec>>,
    status: Option<Last<(Uid, Option<ExternalId>), PriorStatus>>,
}

/// What `raw` says to `reader`, as `read` reads it: anew only if the text or the reader is another one than last time.
fn again<R: PartialEq, T: Clone>(
    last: &mut Option<Last<R, T>>,
    raw: Option<&Arc<RawValue>>,
    reader: R,
    read: impl FnOnce() -> T,
) -> T {
    match last {
        Some(last) if last.reader == reader && text(last.raw.as_ref()) == text(raw) => last.value.clone(),
        _ => {
            let value = read();
            *last = Some(Last { raw: raw.cloned(), reader, value: value.clone() });
            value
        }
    }
}

impl LastRead {
    /// What this spec says.
    pub fn spec(&mut self, raw: Option<&Arc<RawValue>>) -> Spec {
        again(&mut self.spec, raw, (), || Spec::read(text(raw).unwrap_or("{}")))
    }

    /// What this status says to the object `uid` whose spec names that externalId, as `read` reads it.
    pub fn status(
        &mut self,
        raw: Option<&Arc<RawValue>>,
        (uid, external_id): (&Uid, Option<&ExternalId>),
        read: impl FnOnce() -> PriorStatus,
    ) -> PriorStatus {
        again(&mut self.status, raw, (uid.clone(), external_id.cloned()), read)
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
