//! One flat stream of changes out of one or more watches.
//!
//! Each namespace has a watch of its own, which waits for no other: one that fails is told of in [`Coverage`](super::coverage::Coverage), and
//! tried again.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::select_all;
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, Stream, StreamExt};
use http::Request;
use kube::api::WatchParams;
use kube::client::Body;
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use super::api_server::words;
use super::kind::Kind;
use super::merge::{Change, Merge};
use super::scope::Scope;
use super::shared::Runtime;
use crate::apiserver::WATCH_SECONDS;
use crate::transport;

const PROBE_AGAIN: Duration = Duration::from_secs(1);
/// A request that waits for longer may have waited for an API server that was away. None is back sooner with another etcd.
const HELD: Duration = Duration::from_secs(2);
/// One that goes out later by more was not sent because this process stood still.
const STILL: Duration = Duration::from_secs(5);
/// An event of the watch of this number; `None`: those that have not listed have had their time.
type Shown<K> = Option<(usize, watcher::Event<K>)>;

/// How long those that have listed wait for the others.
const LISTS_WITHIN: Duration = Duration::from_secs(5);

/// True if the API server can stream the initial list (no page of 500 objects in memory twice). Old ones refuse the
/// parameters as invalid. The first watch that the API server serves or refuses so says it for all. Anything else (no CRD yet, no permission, a
/// storage that starts) says nothing: it is asked again until one knows. An error is the API server's word on a selector that it cannot read.
pub async fn streams_lists<K: Kind>(runtime: &Runtime<K>, scope: &Scope) -> Result<bool, String> {
    let probes: Vec<_> = (0..runtime.apis.len()).map(|watch| probe(runtime, watch, scope).boxed()).collect();
    if probes.is_empty() { Ok(false) } else { select_all(probes).await.0 }
}

async fn probe<K: Kind>(runtime: &Runtime<K>, watch: usize, scope: &Scope) -> Result<bool, String> {
    let mut probe = WatchParams::default().initial_events().timeout(1);
    probe.label_selector.clone_from(&scope.selector);
    let Some(api) = runtime.apis.get(watch) else { return std::future::pending().await };
    loop {
        let why = match api.watch(&probe, "0").await {
            Ok(_) => {
                runtime.coverage.stands(watch);
                return Ok(true);
            }
            Err(kube::Error::Api(status)) if status.code == 422 => return Ok(false),
            Err(kube::Error::Api(status)) if status.code == 400 && scope.selector.is_some() => {
                return Err(status.message.clone());
            }
            Err(error) => why::<K>(&error),
        };
        runtime.coverage.fails(watch, why);
        tokio::time::sleep(PROBE_AGAIN).await;
    }
}

/// Why the API server serves no watch.
fn why<K: Kind>(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 404 => {
            format!("the API server does not know the resource {}; install the CRD", K::kind(&()))
        }
        error => words(error),
    }
}

/// Why a watch failed. It is tried again.
pub fn trouble<K: Kind>(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => why::<K>(error),
        watcher::Error::WatchError(status) => words(&kube::Error::Api(status.clone())),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// The changes of all that is watched. The first are `Init`, one `Listed` for each object and `InitDone`. `store` is what they are reflected into.
pub fn changes<K: Kind>(
    runtime: &Arc<Runtime<K>>,
    scope: &Scope,
    streaming: bool,
    store: Store<K>,
    all_listed_late: impl Fn() + Send + Sync + 'static,
) -> impl Stream<Item = Change<K>> + Send + 'static {
    let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
    if let Some(selector) = &scope.selector {
        config = config.labels(selector);
    }
    config = if streaming { config.streaming_lists() } else { config.any_semantic() };
    let mut all: SelectAll<BoxStream<'static, Shown<K>>> = SelectAll::new();
    all.push(futures::stream::once(tokio::time::sleep(LISTS_WITHIN)).map(|()| None).boxed());
    for (index, api) in runtime.apis.iter().enumerate() {
        let client = told_of(runtime, index);
        let api = match api.namespace() {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        let told = Arc::clone(runtime);
        let events = resumed(api, config.clone()).default_backoff().modify(K::prune);
        let events = events.filter_map(move |event| {
            let event = event.map_err(|error| {
                if transport::find::<KeptWaiting>(&error).is_none() {
                    told.coverage.fails(index, trouble::<K>(&error));
                }
            });
            let event = event.ok();
            std::future::ready(event.map(|event| Some((index, event))))
        });
        all.push(events.boxed());
    }
    let known = Arc::clone(runtime);
    // What waited until all were known is looked at again if that took a while: at the start everything is.
    let known = Arc::new(move |watch, later| {
        if known.coverage.listed(watch) && later {
            tracing::info!("listed the {} of every namespace", K::SEVERAL);
            all_listed_late();
        }
    });
    let mut merge = Merge::new(runtime.apis.iter().map(|api| api.namespace().map(str::to_owned)), store, known);
    let next = move |shown| match shown {
        Some((index, event)) => merge.take(index, event),
        None => merge.late(),
    };
    futures::stream::once(async { Change::Init }).chain(all.map(next).flat_map(futures::stream::iter))
}

/// A watch that lists anew after every failure, whatever it is. It could go on where it ended, but if etcd was restored from a backup meanwhile, that is
/// a version of the future: the API server then shows nothing until its versions have come so far (kubernetes#107457). No failure tells that this did
/// not happen: a proxy, say, may have refused the watch while the API server was away.
fn resumed<K: Kind>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send {
    let begin = move || watcher(api.clone(), config.clone()).boxed();
    futures::stream::unfold((begin(), begin), |(mut events, begin)| async move {
        let event = events.next().await?;
        if event.is_err() {
            events = begin();
        }
        Some((event, (events, begin)))
    })
}

/// A watch goes on so late that the API server may have been another one meanwhile.
#[derive(Debug, thiserror::Error)]
#[error("the watch was delayed and starts again")]
struct KeptWaiting;

/// When one watch, or the list before it, was last served; and whether that was a watch that went on from an earlier one.
#[derive(Debug)]
struct Served(Mutex<(Instant, bool)>);

impl Served {
    /// What was asked for at `asked` is served now. An error: it goes on, and something has held the request or this process for as long as a
    /// restore takes. That a proxy lets it wait until there is an API server again is no failure; and that a watch shows nothing at all is none
    /// either, since an idle API server sends no bookmark. What directly follows a list goes on in any case: a slow API server is watched too.
    fn again(&self, asked: Instant, goes_on: bool) -> Result<(), KeptWaiting> {
        let now = Instant::now();
        let (last, went_on) = std::mem::replace(&mut *self.0.lock(), (now, goes_on));
        let ends_after = Duration::from_secs(WATCH_SECONDS.into());
        let late =
            now.saturating_duration_since(asked) > HELD || now.saturating_duration_since(last) > ends_after + STILL;
        if went_on && goes_on && late { Err(KeptWaiting) } else { Ok(()) }
    }
}

fn asks(request: &Request<Body>, what: &str) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|it| it == what))
}

/// The client of one watch. A watch that is served again shows no event until something changes: that it is served is told here.
fn told_of<K: Kind>(runtime: &Arc<Runtime<K>>, watch: usize) -> Client {
    let (client, runtime) = (runtime.client.clone(), Arc::clone(runtime));
    let namespace = client.default_namespace().to_owned();
    let served = Arc::new(Served(Mutex::new((Instant::now(), false))));
    let send = move |request: Request<Body>| {
        let (client, runtime, served) = (client.clone(), Arc::clone(&runtime), Arc::clone(&served));
        async move {
            let is_watch = asks(&request, "watch=true");
            let goes_on = is_watch && !asks(&request, "sendInitialEvents=true");
            let asked = Instant::now();
            let answer = client.send(request).await?;
            if answer.status().is_success() {
                if is_watch {
                    runtime.coverage.stands(watch);
                }
                served.again(asked, goes_on).map_err(|late| kube::Error::Service(late.into()))?;
            }
            Ok::<_, kube::Error>(answer)
        }
    };
    Client::new(tower::service_fn(send), namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(ago: u64, asked: u64, went_on: bool, goes_on: bool) -> bool {
        let before = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        Served(Mutex::new((before(ago), went_on))).again(before(asked), goes_on).is_ok()
    }

    #[test]
    fn a_watch_that_was_kept_waiting_begins_anew() {
        assert!(served(16, 0, true, true), "as at rest");
        assert!(!served(10, 5, true, true), "held on the way");
        assert!(!served(60, 0, true, true), "this process stood still");
        assert!(served(60, 30, true, false), "it lists anyway");
        assert!(served(60, 30, false, true), "it has just listed");
    }
}
