//! One flat stream of changes out of one or more watches.
//!
//! A watch that restarts lists everything again and reports deletions only by silence. Here each watch is compared with
//! what it has shown before, so that after the first listing there are only applied and deleted objects; that also
//! lets several namespaces feed one store.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ::kube::api::WatchParams;
use ::kube::runtime::reflector::{ObjectRef, Store};
use ::kube::runtime::{WatchStreamExt, watcher};
use ::kube::{Api, Client};
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};

use super::snapshot::Snapshot;

const PROBE_AGAIN: Duration = Duration::from_secs(1);

/// Where to watch.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// These namespaces; none: all.
    pub namespaces: Vec<String>,
    /// Label selector.
    pub selector: Option<String>,
}

impl Scope {
    /// One API handle for each watch.
    pub fn apis(&self, client: &Client) -> Vec<Api<Snapshot>> {
        if self.namespaces.is_empty() {
            return vec![Api::all(client.clone())];
        }
        self.namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
    }
}

/// True if the API server can stream the initial list (no page of 500 objects in memory twice). Old ones refuse the
/// parameters as invalid. Anything else (no CRD yet, no permission, a storage that starts) says nothing: it asks again
/// until it knows. An error is the API server's word on a selector that it cannot read.
pub async fn streams_lists(api: &Api<Snapshot>, scope: &Scope) -> Result<bool, String> {
    let mut probe = WatchParams::default().initial_events().timeout(1);
    probe.label_selector.clone_from(&scope.selector);
    loop {
        match api.watch(&probe, "0").await {
            Ok(_) => return Ok(true),
            Err(::kube::Error::Api(status)) if status.code == 422 => return Ok(false),
            Err(::kube::Error::Api(status)) if status.code == 400 => return Err(status.message.clone()),
            Err(::kube::Error::Api(status)) if status.code == 404 => {
                tracing::warn!("the API server knows no Identity; is the CRD installed? Trying again");
            }
            Err(error) => tracing::warn!(%error, "Identities cannot be watched; trying again"),
        }
        tokio::time::sleep(PROBE_AGAIN).await;
    }
}

/// The changes of `scope`. The first events are `Init`, one `InitApply` for each object and `InitDone`; after that
/// there are only `Apply` and `Delete`. `store` is what the events are reflected into.
pub fn changes(
    apis: Vec<Api<Snapshot>>,
    scope: &Scope,
    streaming: bool,
    store: Store<Snapshot>,
) -> impl Stream<Item = watcher::Result<watcher::Event<Snapshot>>> + Send + use<> {
    let mut config = watcher::Config::default();
    if let Some(selector) = &scope.selector {
        config = config.labels(selector);
    }
    config = if streaming { config.streaming_lists() } else { config.any_semantic() };
    let waiting = apis.len();
    let mut all: SelectAll<BoxStream<'static, (usize, watcher::Result<watcher::Event<Snapshot>>)>> = SelectAll::new();
    for (index, api) in apis.into_iter().enumerate() {
        let events = watcher(api, config.clone()).default_backoff().modify(Snapshot::prune);
        all.push(events.map(move |event| (index, event)).boxed());
    }
    let mut merge = Merge { parts: (0..waiting).map(|_| Part::default()).collect(), waiting, store };
    futures::stream::once(async { Ok(watcher::Event::Init) })
        .chain(all.map(move |(index, event)| merge.take(index, event)).flat_map(futures::stream::iter))
}

struct Merge {
    parts: Vec<Part>,
    waiting: usize,
    store: Store<Snapshot>,
}

/// One watch: what it has shown, and what it shows anew while it lists again.
#[derive(Default)]
struct Part {
    known: HashSet<ObjectRef<Snapshot>>,
    listing: HashSet<ObjectRef<Snapshot>>,
    ready: bool,
}

type Events = Vec<watcher::Result<watcher::Event<Snapshot>>>;

impl Merge {
    fn take(&mut self, index: usize, event: watcher::Result<watcher::Event<Snapshot>>) -> Events {
        let Some(part) = self.parts.get_mut(index) else { return Vec::new() };
        match event {
            Err(error) => vec![Err(error)],
            Ok(watcher::Event::Init) => {
                part.listing.clear();
                Vec::new()
            }
            Ok(watcher::Event::InitApply(object)) => {
                part.listing.insert(ObjectRef::from_obj(&object));
                // Until all have listed once, the store is filled in one go.
                vec![Ok(if self.waiting > 0 {
                    watcher::Event::InitApply(object)
                } else {
                    watcher::Event::Apply(object)
                })]
            }
            Ok(watcher::Event::InitDone) => self.listed(index),
            Ok(watcher::Event::Apply(object)) => {
                part.known.insert(ObjectRef::from_obj(&object));
                // Another namespace is still listing: this one's changes go into the same buffer.
                vec![Ok(if self.waiting > 0 {
                    watcher::Event::InitApply(object)
                } else {
                    watcher::Event::Apply(object)
                })]
            }
            Ok(watcher::Event::Delete(object)) => {
                part.known.remove(&ObjectRef::from_obj(&object));
                vec![Ok(watcher::Event::Delete(object))]
            }
        }
    }

    fn listed(&mut self, index: usize) -> Events {
        let Some(part) = self.parts.get_mut(index) else { return Vec::new() };
        let listed = std::mem::take(&mut part.listing);
        let before = std::mem::replace(&mut part.known, listed);
        let mut events: Events = before
            .difference(&part.known)
            .filter_map(|gone| self.store.get(gone))
            .map(|object| Ok(watcher::Event::Delete(Arc::unwrap_or_clone(object))))
            .collect();
        if !std::mem::replace(&mut part.ready, true) {
            self.waiting = self.waiting.saturating_sub(1);
            if self.waiting == 0 {
                events.push(Ok(watcher::Event::InitDone));
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use ::kube::runtime::reflector;
    use serde_json::json;
    use watcher::Event;

    use super::super::snapshot::tests::snapshot;
    use super::*;

    fn object(namespace: &str, name: &str) -> Snapshot {
        snapshot(&json!({"metadata": {"namespace": namespace, "name": name, "uid": format!("{namespace}/{name}")}}))
    }

    /// Feeds events of watch 0 or 1 through a merge and reflects what comes out, as the controller does.
    fn shown(events: Vec<(usize, Event<Snapshot>)>) -> (Vec<String>, Vec<String>) {
        let (store, mut writer) = reflector::store::<Snapshot>();
        let mut merge = Merge { parts: vec![Part::default(), Part::default()], waiting: 2, store: store.clone() };
        writer.apply_watcher_event(&Event::Init);
        let mut out = Vec::new();
        for (index, event) in events {
            for event in merge.take(index, Ok(event)) {
                let event = event.unwrap();
                writer.apply_watcher_event(&event);
                out.push(event.to_string());
            }
        }
        let mut held: Vec<String> = store.state().iter().map(|object| object.key().name).collect();
        held.sort_unstable();
        (out, held)
    }

    #[test]
    fn the_store_is_ready_only_when_all_namespaces_have_listed() {
        let first = vec![
            (0, Event::Init),
            (0, Event::InitApply(object("a", "one"))),
            (0, Event::InitDone),
            (0, Event::Apply(object("a", "two"))),
            (1, Event::Init),
            (1, Event::InitApply(object("b", "three"))),
        ];
        let (out, held) = shown(first.clone());
        assert!(!out.contains(&"InitDone".to_owned()) && held.is_empty(), "{out:?} {held:?}");
        let (out, held) = shown([first, vec![(1, Event::InitDone)]].concat());
        assert_eq!(out.last().unwrap(), "InitDone");
        assert_eq!(held, ["one", "three", "two"]);
    }

    #[test]
    fn what_a_second_listing_no_longer_shows_is_deleted() {
        let (out, held) = shown(vec![
            (0, Event::Init),
            (0, Event::InitApply(object("a", "stays"))),
            (0, Event::InitApply(object("a", "goes"))),
            (0, Event::InitDone),
            (1, Event::Init),
            (1, Event::InitApply(object("b", "other"))),
            (1, Event::InitDone),
            (0, Event::Init),
            (0, Event::InitApply(object("a", "stays"))),
            (0, Event::InitDone),
        ]);
        assert_eq!(out.last().unwrap(), "Delete(goes)");
        assert_eq!(held, ["other", "stays"], "another namespace's objects are not touched by a listing of this one");
    }
}
