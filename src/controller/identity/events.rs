//! The events of an `Identity`: only what a status cannot show.

use super::raw::RawIdentity;
use crate::api::Reason;
use crate::controller::runtime::events::{Events, Said};
use crate::domain::{EventNote, Refusal, StatusUpdate};

/// What happened to the identity.
pub async fn note(events: &Events, object: &RawIdentity, note: &EventNote) {
    let warns = matches!(note, EventNote::MassDeletionHeld { .. } | EventNote::LimitRemoved(_));
    if matches!(note, EventNote::MassDeletionHeld { .. }) {
        tracing::error!("{}", note.text());
    }
    let said = Said::of(object, warns, note.reason().as_str(), &note.about());
    events.publish(object, said, note.text()).await;
}

/// A person must act from now on.
pub async fn stalled(events: &Events, object: &RawIdentity, report: &StatusUpdate) {
    let about = format!("generation {}", report.generation);
    let said = Said::of(object, true, report.verdict.reason().as_str(), &about);
    events.publish(object, said, report.message(&object.key())).await;
}

/// The status is refused, and this stands in its place. Returns true if it was published.
pub async fn unwritten(events: &Events, object: &RawIdentity, report: &StatusUpdate, refusal: &Refusal) -> bool {
    let about = format!("status of generation {}, refused with {}", report.generation, refusal.code);
    let said = Said::of(object, true, Reason::WriteRefused.as_str(), &about);
    // What refuses the status may refuse the event as well, for as long: a metric and the probe tell that.
    events.try_publish(object, said, report.unwritten(&object.key(), &refusal.words)).await.is_ok()
}
