//! Events: only what a status cannot show. A failure to publish one is logged and changes nothing.

use std::time::Duration;

use ::kube::Client;
use ::kube::Resource;
use ::kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::snapshot::Snapshot;
use crate::domain::{Note, Report};

const DEADLINE: Duration = Duration::from_secs(5);
/// The API server's limit of a note, in bytes.
const MAX_NOTE: usize = 1024;

/// Publishes events, each as one of its own. kube's recorder would fold what has the same reason into a series that keeps
/// the first note, and so say `meta` where `ratelimits` left the spec a minute later, or name an id that is gone again.
#[derive(Clone)]
pub struct Events(Client);

impl Events {
    /// Publishes through `client`.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// What happened to the identity.
    pub async fn note(&self, object: &Snapshot, note: &Note) {
        self.publish(object, EventType::Normal, note.reason().as_str(), note.text()).await;
    }

    /// A person must act from now on.
    pub async fn stalled(&self, object: &Snapshot, report: &Report) {
        let text = report.message(&object.key());
        self.publish(object, EventType::Warning, report.verdict.reason().as_str(), text).await;
    }

    async fn publish(&self, object: &Snapshot, type_: EventType, reason: &str, text: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(shortened(text)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let about = object.object_ref(&());
        let reporter = Reporter { controller: "unkey-operator".to_owned(), instance: None };
        // A recorder that has published nothing yet folds nothing.
        let recorder = Recorder::new(self.0.clone(), reporter);
        match tokio::time::timeout(DEADLINE, recorder.publish(&event, &about)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, reason, "an event could not be published"),
            Err(_) => tracing::warn!(reason, "an event could not be published in time"),
        }
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_NOTE {
        let end = (0..=MAX_NOTE - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
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
        assert_eq!(shortened("short".to_owned()), "short");
        let cut = shortened("é".repeat(MAX_NOTE));
        assert!(cut.len() <= MAX_NOTE && cut.ends_with('…'), "{} bytes", cut.len());
    }
}
