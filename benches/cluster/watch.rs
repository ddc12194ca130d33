//! What an independent watch sees of a namespace, with the time at which it saw it: one watch for any number of objects, no polling.
//! It keeps no object and judges nothing but `Ready`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::Api;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::object::{self, Object};

/// What became of an object.
#[derive(Clone, Debug)]
pub struct Change {
    pub name: String,
    /// The generation that `Ready=True` speaks of; 0: it is not Ready.
    pub ready_for: i64,
    pub gone: bool,
    /// When the watch showed it.
    pub at: Instant,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// Ready for that generation or a later one.
    Ready(i64),
    Gone,
}

impl Wanted {
    pub fn is_met_by(self, change: &Change) -> bool {
        match self {
            Self::Ready(generation) => !change.gone && change.ready_for >= generation,
            Self::Gone => change.gone,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(generation) => write!(f, "Ready for generation {generation}"),
            Self::Gone => f.write_str("gone"),
        }
    }
}

/// A watch under way.
pub struct Watch {
    changes: UnboundedReceiver<Change>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Begins to watch; returns when everything that is there has been listed.
    pub async fn start(api: Api<Object>) -> Self {
        let (sender, changes) = unbounded_channel();
        let (listed, mut is_listed) = tokio::sync::watch::channel(false);
        let task = tokio::spawn(async move {
            let mut events = pin!(watcher(api, Config::default().any_semantic()).default_backoff());
            let mut view = View { known: HashSet::new(), listing: HashSet::new(), sender };
            while let Some(event) = events.next().await {
                // An error is followed by another try, and whoever waits has a deadline.
                if event.is_ok_and(|event| view.take(event)) {
                    listed.send_replace(true);
                }
            }
        });
        let list = tokio::time::timeout(Duration::from_secs(120), is_listed.wait_for(|listed| *listed));
        assert!(list.await.is_ok_and(|listed| listed.is_ok()), "in vain: waited 120 s for a list of the Identities");
        Self { changes, task }
    }

    /// The next change; fails the bench, naming `what`, if none comes until the deadline.
    pub async fn next(&mut self, what: impl FnOnce() -> String, deadline: Instant) -> Change {
        let next = tokio::time::timeout_at(deadline.into(), self.changes.recv()).await;
        next.ok().flatten().unwrap_or_else(|| panic!("in vain: waited for {}", what()))
    }

    /// The next change, whenever it comes.
    pub async fn any(&mut self) -> Change {
        self.changes.recv().await.expect("the watch goes on until it is dropped")
    }

    /// When each of these objects was first seen to be as `wanted`; there may be others.
    pub async fn until(
        &mut self,
        wanted: Wanted,
        numbers: Range<usize>,
        patience: Duration,
    ) -> HashMap<String, Instant> {
        let deadline = Instant::now() + patience;
        let count = numbers.len();
        let mut waiting: HashSet<String> = numbers.map(object::name).collect();
        let mut met = HashMap::new();
        while !waiting.is_empty() {
            let what = || format!("{count} objects to be {wanted}; {} are not", waiting.len());
            let change = self.next(what, deadline).await;
            if wanted.is_met_by(&change) && waiting.remove(&change.name) {
                met.insert(change.name, change.at);
            }
        }
        met
    }

    /// When this object was first seen to be as `wanted`.
    pub async fn until_one(&mut self, name: &str, wanted: Wanted, patience: Duration) -> Instant {
        let deadline = Instant::now() + patience;
        loop {
            let change = self.next(|| format!("{name} to be {wanted}"), deadline).await;
            if change.name == name && wanted.is_met_by(&change) {
                return change.at;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Turns the events of a watch, which may list again at any time, into changes.
struct View {
    known: HashSet<String>,
    listing: HashSet<String>,
    sender: UnboundedSender<Change>,
}

impl View {
    /// True at the end of a listing.
    fn take(&mut self, event: Event<Object>) -> bool {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => {
                self.listing.insert(object.name().to_owned());
                self.tell(&object);
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listing);
                for name in self.known.difference(&listed) {
                    self.send(Change { name: name.clone(), ready_for: 0, gone: true, at: Instant::now() });
                }
                self.known = listed;
                return true;
            }
            Event::Apply(object) => {
                self.known.insert(object.name().to_owned());
                self.tell(&object);
            }
            Event::Delete(object) => {
                self.known.remove(object.name());
                self.send(Change { name: object.name().to_owned(), ready_for: 0, gone: true, at: Instant::now() });
            }
        }
        false
    }

    fn tell(&self, object: &Object) {
        let (name, ready_for) = (object.name().to_owned(), object.ready_for());
        self.send(Change { name, ready_for, gone: false, at: Instant::now() });
    }

    fn send(&self, change: Change) {
        // An error means that nobody listens any more.
        let _ = self.sender.send(change);
    }
}
