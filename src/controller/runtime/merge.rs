//! Makes one flow of changes of what several watches show. It asks nobody.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;

use super::kind::Kind;

/// What the watches show, merged.
#[derive(Debug)]
pub enum Change<K> {
    /// The first listing begins. It comes first, and once.
    Init,
    /// The first listing shows this object.
    Listed(K),
    /// The first listing is complete. It comes once.
    InitDone,
    /// An object was made or changed.
    Applied(K),
    /// A watch that lists anew shows this object: its version says nothing about what was shown before.
    Relisted(K),
    /// A watch has listed anew to the end.
    RelistDone,
    /// An object is gone or no longer selected.
    Deleted(K),
}

impl<K: Kind> Change<K> {
    /// What the store has to take in.
    pub fn into_event(self) -> Option<watcher::Event<K>> {
        match self {
            Self::Init => Some(watcher::Event::Init),
            Self::Listed(object) => Some(watcher::Event::InitApply(object)),
            Self::InitDone => Some(watcher::Event::InitDone),
            Self::Applied(object) | Self::Relisted(object) => Some(watcher::Event::Apply(object)),
            Self::Deleted(object) => Some(watcher::Event::Delete(object)),
            Self::RelistDone => None,
        }
    }
}

/// Compares each watch with what it has shown before: that is what the store holds of its namespace, since every event is reflected before
/// the next one is taken.
///
/// The store gets the first listings in one go: of all watches, or, when they have had their time, of those that have ended. What a watch shows
/// before its first listing is over is held here, so that nothing is known of a namespace or everything.
pub struct Merge<K: Kind> {
    parts: Vec<Part<K>>,
    /// The store has got what was listed first.
    begun: bool,
    /// Those that have not listed are not waited for.
    late: bool,
    store: Store<K>,
    known: Known,
}

/// Told of each watch as soon as the store and the index have all of its objects; true: after the others.
pub type Known = Arc<dyn Fn(usize, bool) + Send + Sync>;

/// One watch.
struct Part<K: Kind> {
    /// `None`: all.
    namespace: Option<String>,
    /// It has ended a listing, and not begun another one.
    listed: bool,
    /// What it has shown, until the store gets it.
    held: Option<HashMap<ObjectRef<K>, Box<K>>>,
    /// What it shows anew, once the store has what it showed before.
    listing: HashSet<ObjectRef<K>>,
}

impl<K: Kind> Part<K> {
    fn watches(&self, namespace: Option<&str>) -> bool {
        self.namespace.is_none() || self.namespace.as_deref() == namespace
    }
}

/// One after the other, so that a large listing is not in memory twice.
pub type Changes<K> = Box<dyn Iterator<Item = Change<K>> + Send>;

fn none<K: Kind>() -> Changes<K> {
    Box::new(std::iter::empty())
}

fn one<K: Kind>(change: Change<K>) -> Changes<K> {
    Box::new(std::iter::once(change))
}

impl<K: Kind> Merge<K> {
    /// One watch for each of these namespaces; `None`: all. `store` is what the events are reflected into.
    pub fn new(namespaces: impl Iterator<Item = Option<String>>, store: Store<K>, known: Known) -> Self {
        let part = |namespace| Part { namespace, listed: false, held: Some(HashMap::new()), listing: HashSet::new() };
        Self { parts: namespaces.map(part).collect(), begun: false, late: false, store, known }
    }

    /// Those that have not listed yet are not waited for any longer.
    pub fn late(&mut self) -> Changes<K> {
        self.late = true;
        self.begin()
    }

    /// What comes of an event of this watch. The first changes are one `Listed` for each object and `InitDone`.
    pub fn take(&mut self, index: usize, event: watcher::Event<K>) -> Changes<K> {
        let Some(part) = self.parts.get_mut(index) else { return none() };
        match (event, &mut part.held) {
            (watcher::Event::Init, held) => {
                part.listed = false;
                part.listing.clear();
                if let Some(held) = held {
                    held.clear();
                }
                none()
            }
            (watcher::Event::InitApply(object) | watcher::Event::Apply(object), Some(held)) => {
                held.insert(ObjectRef::from_obj(&object), Box::new(object));
                none()
            }
            (watcher::Event::Delete(object), Some(held)) => {
                held.remove(&ObjectRef::from_obj(&object));
                none()
            }
            (watcher::Event::InitDone, Some(_)) => {
                part.listed = true;
                if self.begun { self.joins(index) } else { self.begin() }
            }
            (watcher::Event::InitApply(object), None) => {
                part.listing.insert(ObjectRef::from_obj(&object));
                one(Change::Relisted(object))
            }
            (watcher::Event::InitDone, None) => {
                let listed = std::mem::take(&mut part.listing);
                let before = self.store.state().into_iter().filter(|object| part.watches(Some(object.namespace())));
                let gone: Vec<_> = before.filter(|object| !listed.contains(&ObjectRef::from_obj(&**object))).collect();
                let gone = gone.into_iter().map(|object| Change::Deleted(Arc::unwrap_or_clone(object)));
                Box::new(gone.chain([Change::RelistDone]))
            }
            (watcher::Event::Apply(object), None) => one(Change::Applied(object)),
            (watcher::Event::Delete(object), None) => one(Change::Deleted(object)),
        }
    }

    /// What has been listed, if nobody is waited for any more.
    fn begin(&mut self) -> Changes<K> {
        let listed = self.parts.iter().filter(|part| part.listed).count();
        if self.begun || listed == 0 || (listed < self.parts.len() && !self.late) {
            return none();
        }
        self.begun = true;
        let (mut all, mut known) = (Vec::new(), Vec::new());
        for (index, part) in self.parts.iter_mut().enumerate().filter(|(_, part)| part.listed) {
            all.extend(part.held.take().into_iter().flat_map(HashMap::into_values));
            known.push(index);
        }
        let all = all.into_iter().map(|object| Change::Listed(*object));
        self.then_known(all.chain([Change::InitDone]), known, false)
    }

    /// A watch has listed for the first time, after the store began.
    fn joins(&mut self, index: usize) -> Changes<K> {
        let held = self.parts.get_mut(index).and_then(|part| part.held.take()).unwrap_or_default();
        self.then_known(held.into_values().map(|object| Change::Applied(*object)), vec![index], true)
    }

    /// `changes`, and then the objects of these watches are known: each change is taken in before the next one is asked for.
    fn then_known(
        &self,
        changes: impl Iterator<Item = Change<K>> + Send + 'static,
        watches: Vec<usize>,
        later: bool,
    ) -> Changes<K> {
        let known = Arc::clone(&self.known);
        Box::new(changes.chain(std::iter::from_fn(move || {
            for watch in &watches {
                known(*watch, later);
            }
            None
        })))
    }
}

#[cfg(test)]
mod tests;
