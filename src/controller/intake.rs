//! Takes what the watch shows into store and table, and says what is to be looked at. It asks nobody and decides nothing.

use std::sync::Arc;

use ::kube::runtime::reflector::store::Writer;
use ::kube::runtime::reflector::{self, ObjectRef, Store};
use ::kube::runtime::watcher::Event;

use super::context::Context;
use super::snapshot::Snapshot;
use super::stray;

/// The way in for changes.
pub struct Intake {
    context: Arc<Context>,
    store: Store<Snapshot>,
    writer: Writer<Snapshot>,
}

impl Intake {
    /// With an empty store, which it fills.
    pub fn new(context: &Arc<Context>) -> (Self, Store<Snapshot>) {
        let (store, writer) = reflector::store();
        (Self { context: Arc::clone(context), store: store.clone(), writer }, store)
    }

    /// Takes in a change; returns the object if a pass would see something new. What the first listing shows is new as a whole.
    pub fn take(&mut self, mut event: Event<Snapshot>) -> Option<Snapshot> {
        let is_news = match &mut event {
            Event::Apply(object) | Event::InitApply(object) => self.applied(object),
            Event::Delete(object) => {
                let before = self.store.get(&ObjectRef::from_obj(&*object));
                let before = before.filter(|before| before.uid() == object.uid());
                self.ended(object, before.as_deref().unwrap_or(object));
                false
            }
            Event::Init | Event::InitDone => false,
        };
        self.writer.apply_watcher_event(&event);
        match event {
            Event::Apply(object) => is_news.then_some(object),
            Event::InitApply(_) | Event::Delete(_) | Event::Init | Event::InitDone => None,
        }
    }

    fn applied(&self, object: &mut Snapshot) -> bool {
        let before = self.store.get(&ObjectRef::from_obj(&*object));
        // A name can change hands while the watch looks away.
        if let Some(before) = before.as_ref().filter(|before| before.uid() != object.uid()) {
            self.ended(before, before);
        }
        // A pass that sees what the last one saw comes to the same end: that one is over, waits for its time, or was put off and will be
        // woken. And what else it looked at wakes the object by itself when it changes.
        let is_news = before.as_ref().is_none_or(|before| !object.reads_as(before));
        if let Some(before) = before {
            object.share(&before);
        }
        if is_news {
            self.context.metrics.synced(self.context.table.upsert(object));
        } else {
            self.context.table.touch(object);
        }
        is_news
    }

    /// An object is gone (or no longer selected). `before`: as it was until then, since what lets it go takes its claim off.
    fn ended(&self, object: &Snapshot, before: &Snapshot) {
        let context = &self.context;
        context.table.remove(object, context.clock.now());
        context.permits.forget(object.uid());
        stray::look(before, context);
        let claimant = object.claimant(object.read_status().as_ref());
        // A release takes the claim off with the finalizer. Gone without the one but with the other, or without having been
        // asked to go, it was by somebody's hand (S15).
        let by_hand = object.claim().is_some() || !claimant.leaving;
        if let Some(id) =
            claimant.recorded.filter(|_| object.finalizers().ours().is_none() && by_hand && context.leads())
        {
            context.metrics.left_behind();
            tracing::warn!(
                namespace = object.namespace(),
                identity = object.name(),
                identity_id = id.as_str(),
                external_id = object.external_id().as_str(),
                "an Identity went without its finalizer; its identity stays in Unkey"
            );
        }
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}
