//! One flat stream of changes out of one or more watches.
//!
//! A watch that restarts lists everything again and reports deletions only by silence. Here each watch is compared with
//! what it has shown before, so that after the first listing there are only applied and deleted objects; that also
//! lets several namespaces feed one store.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ::kube::api::WatchParams;
use ::kube::runtime::reflector::{ObjectRef, Store};
use ::kube::runtime::{WatchStreamExt, watcher};
use ::kube::{Api, Client};
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};

use super::kube::words;
use super::snapshot::Snapshot;
use crate::telemetry::Told;

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
        // Named twice, a namespace would be watched twice.
        let namespaces: BTreeSet<&String> = self.namespaces.iter().collect();
        namespaces.into_iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
    }
}

/// True if the API server can stream the initial list (no page of 500 objects in memory twice). Old ones refuse the
/// parameters as invalid. Anything else (no CRD yet, no permission, a storage that starts) says nothing: it asks again
/// until it knows, and tells why it cannot once, until there is another reason. An error is the API server's word on a selector that it cannot
/// read.
pub async fn streams_lists(api: &Api<Snapshot>, scope: &Scope) -> Result<bool, String> {
    let mut probe = WatchParams::default().initial_events().timeout(1);
    probe.label_selector.clone_from(&scope.selector);
    let mut told = Told::default();
    let streams = loop {
        let why = match api.watch(&probe, "0").await {
            Ok(_) => break true,
            Err(::kube::Error::Api(status)) if status.code == 422 => break false,
            Err(::kube::Error::Api(status)) if status.code == 400 && scope.selector.is_some() => {
                return Err(status.message.clone());
            }
            Err(::kube::Error::Api(status)) if status.code == 404 => {
                "the API server knows no Identity; is the CRD installed?".to_owned()
            }
            Err(error) => words(&error),
        };
        if told.is_news(&why) {
            tracing::warn!(error = %why, "Identities cannot be watched; trying again each second");
        }
        tokio::time::sleep(PROBE_AGAIN).await;
    };
    if told.ends() {
        tracing::info!("Identities can be watched now");
    }
    Ok(streams)
}

/// What the watches show, merged.
#[derive(Debug)]
pub enum Change {
    /// The first listing begins. It comes first, and once.
    Init,
    /// The first listing shows this object.
    Listed(Snapshot),
    /// The first listing is complete. It comes once.
    InitDone,
    /// An object was made or changed.
    Applied(Snapshot),
    /// A watch that lists anew shows this object: its version says nothing about what was shown before.
    Relisted(Snapshot),
    /// A watch has listed anew to the end.
    RelistDone,
    /// An object is gone or no longer selected.
    Deleted(Snapshot),
}

impl Change {
    /// What the store has to take in.
    pub fn into_event(self) -> Option<watcher::Event<Snapshot>> {
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

/// Why a watch failed. It is tried again.
pub fn trouble(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => words(error),
        watcher::Error::WatchError(status) => words(&::kube::Error::Api(status.clone())),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// The changes of `scope`. The first are `Init`, one `Listed` for each object and `InitDone`. `store` is what they are reflected into.
pub fn changes(
    apis: Vec<Api<Snapshot>>,
    scope: &Scope,
    streaming: bool,
    store: Store<Snapshot>,
) -> impl Stream<Item = watcher::Result<Change>> + Send + use<> {
    let mut config = watcher::Config::default();
    if let Some(selector) = &scope.selector {
        config = config.labels(selector);
    }
    config = if streaming { config.streaming_lists() } else { config.any_semantic() };
    let mut merge = Merge::new(apis.iter().map(|api| api.namespace().map(str::to_owned)), store);
    let mut all: SelectAll<BoxStream<'static, (usize, watcher::Result<watcher::Event<Snapshot>>)>> = SelectAll::new();
    for (index, api) in apis.into_iter().enumerate() {
        let events = resumed(api, config.clone()).default_backoff().modify(Snapshot::prune);
        all.push(events.map(move |event| (index, event)).boxed());
    }
    futures::stream::once(async { Ok(Change::Init) })
        .chain(all.map(move |(index, event)| merge.take(index, event)).flat_map(futures::stream::iter))
}

/// A watch that lists anew after its connection broke. It could go on where it ended, but if etcd was restored from a backup meanwhile, that is a
/// version of the future: the API server then shows nothing until its versions have come so far (kubernetes#107457).
fn resumed(
    api: Api<Snapshot>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<watcher::Event<Snapshot>>> + Send {
    let begin = move || watcher(api.clone(), config.clone()).boxed();
    futures::stream::unfold((begin(), begin), |(mut events, begin)| async move {
        let event = events.next().await?;
        if matches!(&event, Err(error) if is_broken(error)) {
            events = begin();
        }
        Some((event, (events, begin)))
    })
}

/// True if the API server may be another one since. One that refuses (4xx) is the same.
fn is_broken(error: &watcher::Error) -> bool {
    let refused =
        |error: &::kube::Error| matches!(error, ::kube::Error::Api(status) if (400..500).contains(&status.code));
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => !refused(error),
        watcher::Error::WatchError(status) => !(400..500).contains(&status.code),
        watcher::Error::NoResourceVersion => true,
    }
}

/// Compares each watch with what it has shown before: that is what the store holds of its namespace, since every event is reflected before
/// the next one is taken. Until all have listed once, objects are held here: the store gets them in one go.
struct Merge {
    parts: Vec<Part>,
    held: Option<HashMap<ObjectRef<Snapshot>, Box<Snapshot>>>,
    store: Store<Snapshot>,
}

/// One watch.
struct Part {
    /// `None`: all.
    namespace: Option<String>,
    /// It has ended a listing, and not begun another one.
    listed: bool,
    /// What it shows anew, once the store has what it showed before.
    listing: HashSet<ObjectRef<Snapshot>>,
}

impl Part {
    fn watches(&self, namespace: Option<&str>) -> bool {
        self.namespace.is_none() || self.namespace.as_deref() == namespace
    }
}

/// One after the other, so that a large listing is not in memory twice.
type Events = Box<dyn Iterator<Item = watcher::Result<Change>> + Send>;

fn none() -> Events {
    Box::new(std::iter::empty())
}

fn one(change: Change) -> Events {
    Box::new(std::iter::once(Ok(change)))
}

impl Merge {
    fn new(namespaces: impl Iterator<Item = Option<String>>, store: Store<Snapshot>) -> Self {
        let part = |namespace| Part { namespace, listed: false, listing: HashSet::new() };
        Self { parts: namespaces.map(part).collect(), held: Some(HashMap::new()), store }
    }

    fn take(&mut self, index: usize, event: watcher::Result<watcher::Event<Snapshot>>) -> Events {
        let Some(part) = self.parts.get_mut(index) else { return none() };
        let event = match event {
            Ok(event) => event,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        match (event, &mut self.held) {
            (watcher::Event::Init, held) => {
                part.listed = false;
                part.listing.clear();
                if let Some(held) = held {
                    held.retain(|at, _| !part.watches(at.namespace.as_deref()));
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
                self.all_listed()
            }
            (watcher::Event::InitApply(object), None) => {
                part.listing.insert(ObjectRef::from_obj(&object));
                one(Change::Relisted(object))
            }
            (watcher::Event::InitDone, None) => {
                let listed = std::mem::take(&mut part.listing);
                let before = self.store.state().into_iter().filter(|object| part.watches(Some(object.namespace())));
                let gone: Vec<_> = before.filter(|object| !listed.contains(&ObjectRef::from_obj(&**object))).collect();
                let gone = gone.into_iter().map(|object| Ok(Change::Deleted(Arc::unwrap_or_clone(object))));
                Box::new(gone.chain(std::iter::once(Ok(Change::RelistDone))))
            }
            (watcher::Event::Apply(object), None) => one(Change::Applied(object)),
            (watcher::Event::Delete(object), None) => one(Change::Deleted(object)),
        }
    }

    /// What was held, if nobody is waited for any more.
    fn all_listed(&mut self) -> Events {
        if !self.parts.iter().all(|part| part.listed) {
            return none();
        }
        let all = self.held.take().unwrap_or_default().into_values();
        let all = all.map(|object| Change::Listed(*object)).chain([Change::InitDone]);
        Box::new(all.map(Ok))
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

    fn word(change: &Change) -> String {
        match change {
            Change::Init => "Init".to_owned(),
            Change::Listed(object) => format!("Listed({})", object.name()),
            Change::InitDone => "InitDone".to_owned(),
            Change::Applied(object) => format!("Applied({})", object.name()),
            Change::Relisted(object) => format!("Relisted({})", object.name()),
            Change::RelistDone => "RelistDone".to_owned(),
            Change::Deleted(object) => format!("Deleted({})", object.name()),
        }
    }

    /// Feeds events of watch 0 or 1 through a merge and reflects what comes out, as the controller does.
    fn shown(events: Vec<(usize, Event<Snapshot>)>) -> (Vec<String>, Vec<String>) {
        let (store, mut writer) = reflector::store::<Snapshot>();
        let namespaces = ["a", "b"].map(|namespace| Some(namespace.to_owned()));
        let mut merge = Merge::new(namespaces.into_iter(), store.clone());
        writer.apply_watcher_event(&Event::Init);
        let mut out = Vec::new();
        for (index, event) in events {
            for change in merge.take(index, Ok(event)) {
                let change = change.unwrap();
                out.push(word(&change));
                if let Some(event) = change.into_event() {
                    writer.apply_watcher_event(&event);
                }
            }
        }
        let mut held: Vec<String> = store.state().iter().map(|object| object.name().to_owned()).collect();
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
    fn what_goes_before_all_have_listed_never_comes() {
        let (out, held) = shown(vec![
            (0, Event::Init),
            (0, Event::InitApply(object("a", "deleted"))),
            (0, Event::InitApply(object("a", "missing"))),
            (0, Event::InitApply(object("a", "stays"))),
            (0, Event::InitDone),
            (0, Event::Delete(object("a", "deleted"))),
            (0, Event::Init),
            (0, Event::InitApply(object("a", "stays"))),
            (0, Event::InitDone),
            (1, Event::Init),
            (1, Event::InitDone),
        ]);
        assert_eq!(out, ["Listed(stays)", "InitDone"]);
        assert_eq!(held, ["stays"]);
    }

    #[test]
    fn a_namespace_that_lists_again_is_waited_for() {
        let (out, held) = shown(vec![
            (0, Event::Init),
            (0, Event::InitApply(object("a", "one"))),
            (0, Event::InitDone),
            (1, Event::Init),
            (0, Event::Init),
            (1, Event::InitDone),
        ]);
        assert!(out.is_empty() && held.is_empty(), "{out:?} {held:?}");
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
        assert_eq!(out[out.len() - 3..], ["Relisted(stays)", "Deleted(goes)", "RelistDone"]);
        assert_eq!(held, ["other", "stays"], "another namespace's objects are not touched by a listing of this one");
    }
}
