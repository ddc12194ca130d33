//! Events that a reconcile publishes, and what it only logs.

use std::sync::Arc;

use super::super::events;
use super::super::index::ObjectMemory;
use super::Reconcile;
use crate::controller::runtime::api_server::KubeError;
use crate::domain::session::Event;
use crate::domain::{EventNote, KubeWrite};

impl Reconcile<'_> {
    pub(super) async fn publish(&mut self, event: &Event) -> Result<(), KubeError> {
        let (published, about) = (&self.context.events, Arc::clone(&self.snapshot));
        let accepted = match event {
            Event::Note(note) => {
                self.context.runtime.metrics.told(note.reason());
                events::note(published, &about, note).await;
                true
            }
            Event::Released(note) => {
                self.context.runtime.metrics.told(note.reason());
                events::note(published, self.before.as_ref().unwrap_or(&about), note).await;
                true
            }
            Event::Stalled(report) => {
                events::stalled(published, &about, report).await;
                true
            }
            Event::Unwritten(report, refusal) => events::unwritten(published, &about, report, refusal).await,
        };
        Ok(self.remembering(|session, memory| session.published(accepted, memory))?)
    }

    /// What an edit has taken from callers, as far as this process has seen the spec before it.
    pub(super) async fn tell_of_vanished_limits(&mut self) {
        let Some(vanished) = self.memory.with(|memory| memory.vanished.take()) else { return };
        let note = EventNote::LimitRemoved(*vanished);
        self.context.runtime.metrics.told(note.reason());
        events::note(&self.context.events, &self.snapshot, &note).await;
        // That may have taken seconds (R11).
        self.session.look_again();
    }

    /// However it came that a write is refused no more.
    pub(super) fn tell_what_is_taken_again(&self) {
        let is_taken = |memory: &ObjectMemory, write: &KubeWrite| memory.object_state.refusals.of(*write).is_none();
        let taken: Vec<_> =
            self.memory.with(|memory| self.refused.iter().filter(|write| is_taken(memory, write)).collect());
        for write in taken {
            tracing::info!(write = write.as_str(), "Kubernetes accepts this write again");
        }
    }
}
