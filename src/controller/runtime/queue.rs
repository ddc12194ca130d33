//! Runs reconciles: the queue, and what becomes of one that fails or panics.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tracing::Instrument;

use super::clock::millis;
use super::event_handler::EventHandler;
use super::kind::Kind;
use super::merge::Change;
use super::reconciler::Reconciler;
use super::scope::Scope;
use super::watch::{changes, streams_lists, trouble};
use crate::telemetry::ReconcileResult;

/// At the start the queue gets so many objects at a time, and so often: 100,000 within five seconds.
const BATCH: usize = 50;
const BATCH_EVERY: Duration = Duration::from_millis(2);

/// Why the queue ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// `--selector` is not one.
    #[error("the API server refuses --selector: {0}")]
    Selector(String),
    /// The queue ended although nobody asked it to.
    #[error("the controller ended unexpectedly; this is a bug of the operator")]
    Ended,
    /// Something beside the queue panicked. The log has where.
    #[error("a background task panicked; this is a bug of the operator")]
    Panicked,
}

/// The objects of one kind, as they are watched, and those that are to be reconciled.
pub struct Queue<R: Reconciler> {
    reconciler: Arc<R>,
    /// What the watch has shown so far.
    pub store: Store<R::Kind>,
    /// True once the first listing is in the store.
    pub filled: watch::Receiver<bool>,
    news: BoxStream<'static, watcher::Result<R::Kind>>,
    woken: UnboundedReceiver<ObjectRef<R::Kind>>,
}

impl<R: Reconciler> Queue<R> {
    /// Asks the API server how it lists, and begins to watch. `ready` is called once, when the cache is filled.
    pub async fn new(
        reconciler: &Arc<R>,
        woken: UnboundedReceiver<ObjectRef<R::Kind>>,
        scope: &Scope,
        ready: impl FnOnce() + Send + 'static,
    ) -> Result<Self, RunError> {
        let runtime = reconciler.runtime();
        let streaming = streams_lists(runtime, scope).await.map_err(RunError::Selector)?;
        let (event_handler, store) = EventHandler::new(reconciler);
        let late = Arc::clone(reconciler);
        let changes = changes(runtime, scope, streaming, store.clone(), move || late.all_listed_late());
        let (listed, filled) = watch::channel(false);
        let told = Arc::clone(reconciler);
        let ready = move || {
            told.filled();
            // An error means that nobody waits for it.
            let _ = listed.send(true);
            ready();
        };
        let news = news(changes, event_handler, ready).boxed();
        Ok(Self { reconciler: Arc::clone(reconciler), store, filled, news, woken })
    }

    /// Follows what happens and does nothing, until this process leads.
    pub async fn stand_by(&mut self) -> Result<(), RunError> {
        let runtime = Arc::clone(self.reconciler.runtime());
        let mut won = pin!(runtime.lead.won());
        loop {
            tokio::select! {
                biased;
                () = &mut won => return Ok(()),
                // It is looked at with all the others then.
                Some(_) = self.woken.recv() => {}
                change = self.news.next() => if change.is_none() {
                    return Err(RunError::Ended);
                },
            }
        }
    }

    /// Reconciles until the process is to end and what is under way has ended.
    pub async fn run(self) -> Result<(), RunError> {
        let Self { reconciler, store, filled, news, woken } = self;
        let woken = futures::stream::unfold(woken, |mut woken| async move { woken.recv().await.map(|it| (it, woken)) });
        let woken = futures::stream::select(woken, all_of(store.clone(), filled));
        let stop = reconciler.runtime().stop().clone();
        Controller::for_stream(news, store)
            .reconcile_on(woken)
            // Not bounded here: a reconcile that is not permitted to go on ends at once.
            .with_config(Config::default())
            .graceful_shutdown_on(stop.clone().cancelled_owned())
            .run(reconcile::<R>, |_, error, _| Action::requeue(error.retry), reconciler)
            .for_each(|result| async move {
                if let Err(error) = result {
                    report::<R>(&error);
                }
            })
            .await;
        // The queue ends by itself only if something is badly wrong; then the process has to end, not to idle.
        if stop.is_cancelled() { Ok(()) } else { Err(RunError::Ended) }
    }
}

/// Takes the changes in, and passes on the objects to reconcile.
fn news<R: Reconciler>(
    changes: impl Stream<Item = Change<R::Kind>> + Send + 'static,
    mut event_handler: EventHandler<R>,
    ready: impl FnOnce() + Send + 'static,
) -> impl Stream<Item = watcher::Result<R::Kind>> + Send + 'static {
    let mut ready = Some(ready);
    changes.filter_map(move |change| {
        let listed = matches!(change, Change::InitDone);
        let news = event_handler.take(change);
        // Not through the store's own signal: it wakes only one of several that wait for it.
        if listed && let Some(ready) = ready.take() {
            ready();
        }
        futures::future::ready(news.map(Ok))
    })
}

/// All that is there once the store is `filled`, not in one go: the queue would keep the room for as many for good, some 900 bytes each.
fn all_of<K: Kind>(
    store: Store<K>,
    mut filled: watch::Receiver<bool>,
) -> impl Stream<Item = ObjectRef<K>> + Send + 'static {
    let all = async move {
        // An error means that the controller is gone, which is who asks.
        let is_filled = filled.wait_for(|filled| *filled).await.is_ok();
        futures::stream::iter(if is_filled { store.state() } else { Vec::new() })
    };
    futures::stream::once(all).flatten().enumerate().then(|(number, object)| async move {
        if number % BATCH == 0 {
            tokio::time::sleep(BATCH_EVERY).await;
        }
        ObjectRef::from_obj(&*object)
    })
}

/// A reconcile that failed, and when to try again.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Failure<E: std::error::Error + 'static> {
    source: FailureKind<E>,
    /// When to try again.
    pub retry: Duration,
}

#[derive(Debug, thiserror::Error)]
enum FailureKind<E: std::error::Error + 'static> {
    #[error(transparent)]
    Own(E),
    #[error("the reconcile of this object panicked; this is a bug of the operator")]
    Panic,
}

/// One reconcile of one object, with its log lines and metrics. A panic of one object must not end the queue, and with it all the others (R13).
pub async fn reconcile<R: Reconciler>(object: Arc<R::Kind>, reconciler: Arc<R>) -> Result<Action, Failure<R::Error>> {
    let span = reconciler.span(&object);
    let begun = Instant::now();
    // Boxed on the first poll: at the start there is one of these for each object of the cluster, and a reconcile takes some 6 kB.
    let work = async { Box::pin(Arc::clone(&reconciler).reconcile(Arc::clone(&object))).await };
    let result = AssertUnwindSafe(work).catch_unwind().instrument(span.clone()).await;
    let metrics = &reconciler.runtime().metrics;
    let (end, source) = match result {
        Ok(Ok(action)) => {
            metrics.reconciled(ReconcileResult::Ok, begun.elapsed());
            return Ok(action);
        }
        Ok(Err(error)) => (ReconcileResult::Error, FailureKind::Own(error)),
        Err(_) => (ReconcileResult::Panic, FailureKind::Panic),
    };
    metrics.reconciled(end, begun.elapsed());
    let retry = reconciler.failed(&object);
    span.in_scope(|| tracing::error!(error = %source, retry_ms = millis(retry), "the reconcile failed; retrying"));
    Err(Failure { source, retry })
}

fn report<R: Reconciler>(error: &kube::runtime::controller::Error<Failure<R::Error>, watcher::Error>) {
    use kube::runtime::controller::Error;
    match error {
        // Logged where it happened, with its object.
        Error::ReconcilerFailed(..) => {}
        // Asked for, and gone meanwhile.
        Error::ObjectNotFound(object) => tracing::debug!(%object, "gone before its turn"),
        // Told where it is watched: none comes so far.
        Error::QueueError(error) => tracing::error!(error = %trouble::<R::Kind>(error), "the watch failed; retrying"),
        Error::RunnerError(error) => tracing::error!(%error, "the queue failed; retrying"),
    }
}
