//! Takes what the watch shows into the store, and says what is to be reconciled. It asks nobody and decides nothing.

use std::sync::Arc;

use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher;

use super::kind::Kind;
use super::merge::Change;
use super::reconciler::{History, Reconciler};

/// The way in for changes.
pub struct EventHandler<R: Reconciler> {
    reconciler: Arc<R>,
    store: Store<R::Kind>,
    writer: Writer<R::Kind>,
    /// The newest version that a watch has shown, of any object.
    newest: u64,
    /// The same of what watches are listing anew, and whether something in it went back in time.
    relisting: (u64, bool),
}

impl<R: Reconciler> EventHandler<R> {
    /// With an empty store, which it fills.
    pub fn new(reconciler: &Arc<R>) -> (Self, Store<R::Kind>) {
        let (store, writer) = reflector::store();
        let reconciler = Arc::clone(reconciler);
        (Self { reconciler, store: store.clone(), writer, newest: 0, relisting: (0, false) }, store)
    }

    /// Takes in a change; returns the object if a reconcile would see something new. What the first listing shows is new as a whole.
    pub fn take(&mut self, mut change: Change<R::Kind>) -> Option<R::Kind> {
        let is_news = match &mut change {
            Change::Listed(object) | Change::Applied(object) => {
                self.newest = self.newest.max(object.version());
                self.applied(object, History::GoesOn)
            }
            // What is newest until now is compared with all of the listing, in whatever order it comes.
            Change::Relisted(object) => {
                let history = self.history(object);
                self.applied(object, history)
            }
            Change::RelistDone => {
                self.relisted();
                false
            }
            Change::Deleted(object) => {
                let before = self.store.get(&ObjectRef::from_obj(&*object));
                let before = before.filter(|before| before.uid() == object.uid());
                self.reconciler.ended(object, before.as_deref().unwrap_or(object));
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

    /// Whether a listing shows an older state of the object than was there before, or brings back one that is older than all that was shown: etcd
    /// was restored from a backup.
    fn history(&mut self, object: &R::Kind) -> History {
        let version = object.version();
        let before = self.store.get(&ObjectRef::from_obj(object));
        let stored = before.as_ref().filter(|before| before.uid() == object.uid()).map(|before| before.version());
        let known = self.reconciler.known_version(object).or(stored);
        // New writes may have brought its version beyond the one of before.
        let undone = known.is_some_and(|known| known > version) || self.reconciler.is_undone(object, before.as_deref());
        let (newest, any) = self.relisting;
        self.relisting = (newest.max(version), any || undone);
        if undone || (known.is_none() && version < self.newest) { History::WentBack } else { History::GoesOn }
    }

    /// A listing is complete. If time went back, what was the newest before is none any more.
    fn relisted(&mut self) {
        let (newest, went_back) = std::mem::take(&mut self.relisting);
        if went_back {
            tracing::warn!(
                newest = self.newest,
                now = newest,
                "the API server returns older versions of {} than before, as after a restore of etcd from a backup; those are reconciled",
                R::Kind::SEVERAL
            );
            self.newest = newest;
        } else {
            self.newest = self.newest.max(newest);
        }
    }

    fn applied(&mut self, object: &mut R::Kind, history: History) -> bool {
        let before = self.store.get(&ObjectRef::from_obj(&*object));
        // A name can change hands while the watch looks away.
        if let Some(before) = before.as_ref().filter(|before| before.uid() != object.uid()) {
            self.reconciler.ended(before, before);
        }
        if history == History::WentBack {
            self.reconciler.runtime().pause_detector.voids_looks();
        }
        self.reconciler.shown(object, before.as_ref(), history)
    }
}

impl<R: Reconciler> std::fmt::Debug for EventHandler<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventHandler").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
