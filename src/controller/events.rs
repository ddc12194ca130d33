//! Events: only what a status cannot show. A failure to publish one is logged and changes nothing.

use std::time::Duration;

use ::kube::Client;
use ::kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::kube::words;
use super::snapshot::Snapshot;
use crate::api::Reason;
use crate::domain::{Note, Refusal, Report};

const DEADLINE: Duration = Duration::from_secs(5);
/// The API server's limit of a note, in bytes.
const MAX_NOTE: usize = 1024;
/// The API server's limit of an action, in bytes.
const MAX_ACTION: usize = 128;

/// Publishes events; what repeats within minutes becomes one series. The recorder keeps a series' first note, so events
/// that say different things must differ in their action: it names what the note is about.
#[derive(Clone)]
pub struct Events(Recorder);

impl Events {
    /// Publishes through `client`.
    pub fn new(client: Client) -> Self {
        Self(Recorder::new(client, Reporter { controller: "unkey-operator".to_owned(), instance: None }))
    }

    /// What happened to the identity.
    pub async fn note(&self, object: &Snapshot, note: &Note) {
        let (reason, about) = (note.reason().as_str(), note.about());
        self.publish(object, EventType::Normal, reason, about, note.text()).await;
    }

    /// A person must act from now on.
    pub async fn stalled(&self, object: &Snapshot, report: &Report) {
        let about = format!("generation {}", report.generation);
        let text = report.message(&object.key());
        self.publish(object, EventType::Warning, report.verdict.reason().as_str(), &about, text).await;
    }

    /// The status is refused, and this stands in its place. Returns true if it was published.
    pub async fn unwritten(&self, object: &Snapshot, report: &Report, refusal: &Refusal) -> bool {
        let about = format!("status of generation {}, refused with {}", report.generation, refusal.code);
        let text = report.unwritten(&object.key(), &refusal.words);
        let reason = Reason::WriteRefused.as_str();
        // What refuses the status may refuse the event as well, for as long: a metric and the probe tell that.
        self.try_publish(object, EventType::Warning, reason, &about, text).await.is_ok()
    }

    async fn publish(&self, object: &Snapshot, type_: EventType, reason: &str, about: &str, note: String) {
        if let Err(why) = self.try_publish(object, type_, reason, about, note).await {
            tracing::warn!(error = %why, reason, "an event could not be published");
        }
    }

    async fn try_publish(
        &self,
        object: &Snapshot,
        type_: EventType,
        reason: &str,
        about: &str,
        note: String,
    ) -> Result<(), String> {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(shortened(note, MAX_NOTE)),
            action: shortened(format!("Reconcile {about}"), MAX_ACTION),
            secondary: None,
        };
        let about = object.reference();
        match tokio::time::timeout(DEADLINE, self.0.publish(&event, &about)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err(format!("the API server did not answer within {} s", DEADLINE.as_secs())),
        }
    }
}

fn shortened(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_at_a_character() {
        assert_eq!(shortened("short".to_owned(), MAX_NOTE), "short");
        let cut = shortened("é".repeat(MAX_NOTE), MAX_NOTE);
        assert!(cut.len() <= MAX_NOTE && cut.ends_with('…'), "{} bytes", cut.len());
    }
}
