//! Takes what the watch shows into store and table, and says what is to be looked at. It asks nobody and decides nothing.

use std::sync::Arc;

use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher;

use super::context::Context;
use super::raw::RawIdentity;
use super::{left_behind, orphan_cleanup};
use crate::controller::runtime::merge::Change;

/// The way in for changes.
pub struct EventHandler {
    context: Arc<Context>,
    store: Store<RawIdentity>,
    writer: Writer<RawIdentity>,
    /// The newest version that a watch has shown, of any object.
    newest: u64,
    /// The same of what watches are listing anew, and whether something in it went back in time.
    relisting: (u64, bool),
}

impl EventHandler {
    /// With an empty store, which it fills.
    pub fn new(context: &Arc<Context>) -> (Self, Store<RawIdentity>) {
        let (store, writer) = reflector::store();
        let event_handler =
            Self { context: Arc::clone(context), store: store.clone(), writer, newest: 0, relisting: (0, false) };
        (event_handler, store)
    }

    /// Takes in a change; returns the object if a reconcile would see something new. What the first listing shows is new as a whole.
    pub fn take(&mut self, mut change: Change) -> Option<RawIdentity> {
        let is_news = match &mut change {
            Change::Listed(object) | Change::Applied(object) => self.applied(object, false),
            Change::Relisted(object) => {
                let went_back = self.went_back(object);
                self.applied(object, went_back)
            }
            Change::RelistDone => {
                self.relisted();
                false
            }
            Change::Deleted(object) => {
                let before = self.store.get(&ObjectRef::from_obj(&*object));
                let before = before.filter(|before| before.uid() == object.uid());
                self.ended(object, before.as_deref().unwrap_or(object));
                false
            }
            Change::Init | Change::InitDone => false,
        };
        let event = change.into_event()?;
        self.writer.apply_watcher_event(&event);
        match event {
            watcher::Event::Apply(object) => is_news.then_some(object),
            _ => None,
        }
    }

    /// True if a listing shows an older state of the object than was there before, or brings back one that is older than all that was shown: etcd was
    /// restored from a backup.
    fn went_back(&mut self, object: &RawIdentity) -> bool {
        let version = object.version();
        let known = self.context.index.version(object);
        let before = self.store.get(&ObjectRef::from_obj(object));
        // New writes may have brought its version beyond the one of before.
        let undone =
            known.is_some_and(|known| known > version) || self.context.index.is_undone(object, before.as_deref());
        let (newest, any) = self.relisting;
        self.relisting = (newest.max(version), any || undone);
        undone || (known.is_none() && version < self.newest)
    }

    /// A listing is complete. If time went back, what was the newest before is none any more.
    fn relisted(&mut self) {
        let (newest, went_back) = std::mem::take(&mut self.relisting);
        if went_back {
            tracing::warn!(
                newest = self.newest,
                now = newest,
                "the API server returns older versions of Identities than before, as after a restore of etcd from a backup; checking those Identities in Unkey"
            );
            self.newest = newest;
        }
    }

    fn applied(&mut self, object: &mut RawIdentity, went_back: bool) -> bool {
        let context = &self.context;
        let before = self.store.get(&ObjectRef::from_obj(&*object));
        // A name can change hands while the watch looks away.
        if let Some(before) = before.as_ref().filter(|before| before.uid() != object.uid()) {
            self.ended(before, before);
        }
        // A reconcile that sees what the last one saw comes to the same end: that one is over, waits for its time, or was put off and will be
        // woken. And what else it looked at wakes the object by itself when it changes.
        let reads_anew = before.as_ref().is_none_or(|before| !object.reads_as(before));
        // A policy that refuses a write may look at labels and the like (R25).
        let is_news = went_back || reads_anew || context.index.is_refused(object.uid());
        if let Some(before) = &before {
            object.share(before);
            left_behind::notice(before, object, context);
        }
        if went_back {
            context.pause_detector.voids_looks();
            context.metrics.synced(context.index.relist(object));
            context.index.rewind(object);
        } else if is_news {
            context.metrics.synced(context.index.upsert(object));
        } else {
            context.index.touch(object);
        }
        self.newest = self.newest.max(object.version());
        is_news
    }

    /// An object is gone (or no longer selected). `before`: as it was until then, since what lets it go takes its claim off.
    fn ended(&self, object: &RawIdentity, before: &RawIdentity) {
        let context = &self.context;
        context.index.remove(object, context.clock.now());
        context.dispatcher.forget(object.uid());
        orphan_cleanup::look(before, context);
        left_behind::look(object, context);
    }
}

impl std::fmt::Debug for EventHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}
