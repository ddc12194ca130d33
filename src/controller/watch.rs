//! One flat stream of changes out of one or more watches.
//!
//! Each namespace has a watch of its own, which waits for no other: one that fails is told of in [`Coverage`](super::coverage::Coverage), and
//! tried again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::kube::api::WatchParams;
use ::kube::client::Body;
use ::kube::runtime::reflector::Store;
use ::kube::runtime::{WatchStreamExt, watcher};
use ::kube::{Api, Client};
use futures::future::select_all;
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, Stream, StreamExt};
use http::Request;

use super::context::Context;
use super::kube::words;
use super::merge::{Change, Merge};
use super::snapshot::Snapshot;
use crate::apiserver::WATCH_SECONDS;

const PROBE_AGAIN: Duration = Duration::from_secs(1);
/// An event of the watch of this number; `None`: those that have not listed have had their time.
type Shown = Option<(usize, watcher::Event<Snapshot>)>;

/// How long those that have listed wait for the others.
const LISTS_WITHIN: Duration = Duration::from_secs(5);

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
/// parameters as invalid. The first watch that the API server serves or refuses so says it for all. Anything else (no CRD yet, no permission, a
/// storage that starts) says nothing: it is asked again until one knows. An error is the API server's word on a selector that it cannot read.
pub async fn streams_lists(context: &Context, scope: &Scope) -> Result<bool, String> {
    let probes: Vec<_> = (0..context.apis.len()).map(|watch| probe(context, watch, scope).boxed()).collect();
    if probes.is_empty() { Ok(false) } else { select_all(probes).await.0 }
}

async fn probe(context: &Context, watch: usize, scope: &Scope) -> Result<bool, String> {
    let mut probe = WatchParams::default().initial_events().timeout(1);
    probe.label_selector.clone_from(&scope.selector);
    let Some(api) = context.apis.get(watch) else { return std::future::pending().await };
    loop {
        let why = match api.watch(&probe, "0").await {
            Ok(_) => {
                context.coverage.stands(watch);
                return Ok(true);
            }
            Err(::kube::Error::Api(status)) if status.code == 422 => return Ok(false),
            Err(::kube::Error::Api(status)) if status.code == 400 && scope.selector.is_some() => {
                return Err(status.message.clone());
            }
            Err(error) => why(&error),
        };
        context.coverage.fails(watch, why);
        tokio::time::sleep(PROBE_AGAIN).await;
    }
}

/// Why the API server serves no watch.
fn why(error: &::kube::Error) -> String {
    match error {
        ::kube::Error::Api(status) if status.code == 404 => {
            "the API server knows no Identity; is the CRD installed?".to_owned()
        }
        error => words(error),
    }
}

/// Why a watch failed. It is tried again.
pub fn trouble(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => why(error),
        watcher::Error::WatchError(status) => words(&::kube::Error::Api(status.clone())),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// The changes of all that is watched. The first are `Init`, one `Listed` for each object and `InitDone`. `store` is what they are reflected into.
pub fn changes(
    context: &Arc<Context>,
    scope: &Scope,
    streaming: bool,
    store: Store<Snapshot>,
) -> impl Stream<Item = Change> + Send + use<> {
    let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
    if let Some(selector) = &scope.selector {
        config = config.labels(selector);
    }
    config = if streaming { config.streaming_lists() } else { config.any_semantic() };
    let mut all: SelectAll<BoxStream<'static, Shown>> = SelectAll::new();
    all.push(futures::stream::once(tokio::time::sleep(LISTS_WITHIN)).map(|()| None).boxed());
    for (index, api) in context.apis.iter().enumerate() {
        let client = told_of(context, index);
        let api = match api.namespace() {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        let context = Arc::clone(context);
        let events = resumed(api, config.clone()).default_backoff().modify(Snapshot::prune);
        let events = events.filter_map(move |event| {
            let event = event.map_err(|error| context.coverage.fails(index, trouble(&error))).ok();
            std::future::ready(event.map(|event| Some((index, event))))
        });
        all.push(events.boxed());
    }
    let known = Arc::clone(context);
    let known = Arc::new(move |watch, later| known.listed(watch, later));
    let mut merge = Merge::new(context.apis.iter().map(|api| api.namespace().map(str::to_owned)), store, known);
    let next = move |shown| match shown {
        Some((index, event)) => merge.take(index, event),
        None => merge.late(),
    };
    futures::stream::once(async { Change::Init }).chain(all.map(next).flat_map(futures::stream::iter))
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

/// The client of one watch. A watch that is served again shows no event until something changes: that it is served is told here.
fn told_of(context: &Arc<Context>, watch: usize) -> Client {
    let (client, context) = (context.client.clone(), Arc::clone(context));
    let namespace = client.default_namespace().to_owned();
    let send = move |request: Request<Body>| {
        let (client, context) = (client.clone(), Arc::clone(&context));
        async move {
            let is_watch = request.uri().query().is_some_and(|query| query.split('&').any(|it| it == "watch=true"));
            let answer = client.send(request).await?;
            if is_watch && answer.status().is_success() {
                context.coverage.stands(watch);
            }
            Ok::<_, ::kube::Error>(answer)
        }
    };
    Client::new(tower::service_fn(send), namespace)
}
