//! Events: only what a status cannot show. A failure to publish one is logged and changes nothing.
//!
//! They are published here and not by kube's recorder, which calls an event `<object>.<number>` however long that gets: the API server
//! refuses it for an object whose name has more than 236 characters. The recorder also goes on to patch an event that has expired.

mod series;

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

pub use self::series::Said;
use self::series::Series;
use super::api_server::words;
use super::kind::Kind;

const DEADLINE: Duration = Duration::from_secs(5);
/// The API server's limit of a note, in bytes.
const MAX_NOTE: usize = 1024;
/// The API server's limit of an action, in bytes.
const MAX_ACTION: usize = 128;
/// How many names are tried for a new event, if others have taken them.
const NAMES: usize = 3;
/// Who reports.
const REPORTER: &str = "unkey-operator";

/// Publishes events; what repeats within minutes becomes one series. A series keeps its first note, so events that say different things must
/// differ in their action: it names what the note is about.
#[derive(Clone)]
pub struct Events {
    client: Client,
    series: Arc<Mutex<Series>>,
}

impl Events {
    /// Publishes through `client`.
    pub fn new(client: Client) -> Self {
        Self { client, series: Arc::default() }
    }

    /// Publishes that `said` happened, with these words for people. A failure is logged.
    pub async fn publish(&self, object: &impl Kind, said: Said, note: String) {
        let reason = said.reason.clone();
        if let Err(why) = self.try_publish(object, said, note).await {
            tracing::warn!(error = %why, reason, "an event could not be published");
        }
    }

    /// The same, and why it failed.
    pub async fn try_publish(&self, object: &impl Kind, said: Said, note: String) -> Result<(), String> {
        match tokio::time::timeout(DEADLINE, self.tell(object, said, note)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err(format!("the API server did not answer within {} s", DEADLINE.as_secs())),
        }
    }

    async fn tell(&self, object: &impl Kind, said: Said, note: String) -> kube::Result<()> {
        let api = Api::namespaced(self.client.clone(), object.namespace());
        let again = self.series.lock().again(&said, Instant::now());
        if let Some((name, count)) = again
            && repeat(&api, &name, count).await?
        {
            self.series.lock().told(said, name, count, Instant::now());
            return Ok(());
        }
        let name = self.create(&api, object, &said, &shortened(note, MAX_NOTE)).await?;
        self.series.lock().told(said, name, 1, Instant::now());
        Ok(())
    }

    /// A new event; its name.
    async fn create(&self, api: &Api<Event>, object: &impl Kind, said: &Said, note: &str) -> kube::Result<String> {
        let mut tries = 1;
        loop {
            let name = self.series.lock().name(object.name(), nanos());
            match api.create(&PostParams::default(), &event(object, said, note, name.clone())).await {
                Ok(_) => return Ok(name),
                // Another process has told of an object whose name begins alike, at the same moment.
                Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" && tries < NAMES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Said {
    /// Of `object`: one word for the reason, and what it is about.
    pub fn of(object: &impl Kind, is_warning: bool, reason: &str, about: &str) -> Self {
        let action = shortened(format!("Reconcile {about}"), MAX_ACTION);
        Self { uid: object.uid().clone(), is_warning, reason: reason.to_owned(), action }
    }
}

fn event(object: &impl Kind, said: &Said, note: &str, name: String) -> Event {
    Event {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(object.namespace().to_owned()),
            ..ObjectMeta::default()
        },
        regarding: Some(object.reference()),
        type_: Some(if said.is_warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(said.reason.clone()),
        action: Some(said.action.clone()),
        note: Some(note.to_owned()),
        event_time: Some(MicroTime(Timestamp::now())),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some(REPORTER.to_owned()),
        ..Event::default()
    }
}

/// An event is told once more. False: it has expired, or somebody has deleted it.
async fn repeat(api: &Api<Event>, name: &str, count: i32) -> kube::Result<bool> {
    let series = EventSeries { count, last_observed_time: MicroTime(Timestamp::now()) };
    match api.patch(name, &PatchParams::default(), &Patch::Merge(json!({"series": series}))).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Since 1970.
fn nanos() -> u64 {
    u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default()
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
