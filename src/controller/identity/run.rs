//! Runs reconciles: the queue, its bounds, and what it does with a failure or a panic.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, Stream, StreamExt};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::context::{Context, Settings};
use super::event_handler::EventHandler;
use super::index::{IdentityRef, lock};
use super::raw::RawIdentity;
use super::{definition, overdue, reconcile};
use crate::controller::runtime::api_server::KubeError;
use crate::controller::runtime::clock::{PAUSE_CHECK, millis};
use crate::controller::runtime::merge::Change;
use crate::controller::runtime::watch::{changes, streams_lists, trouble};
use crate::controller::workspace::probe;
use crate::controller::workspace::{drift_scan, witness};
use crate::telemetry::ReconcileResult;

/// How often what is no longer needed is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// Objects that nothing is planned for are looked for once in a consistency window, within these bounds.
const RESCUE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// At the start the queue gets so many objects at a time, and so often: 100,000 within five seconds.
const BATCH: usize = 50;
const BATCH_EVERY: Duration = Duration::from_millis(2);

/// Why the controller ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// `--selector` is not one.
    #[error("the API server refuses --selector: {0}")]
    Selector(String),
    /// The queue ended although nobody asked it to.
    #[error("the controller ended unexpectedly")]
    Ended,
}

/// Runs until `stop` resolves and the reconciles under way have ended. `ready` is called once, when the cache is filled.
pub async fn run(
    context: Arc<Context>,
    woken: UnboundedReceiver<IdentityRef>,
    settings: &Settings,
    ready: impl FnOnce() + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) -> Result<(), RunError> {
    let streaming = tokio::select! {
        streams = streams_lists(&context, &settings.scope) => streams.map_err(RunError::Selector)?,
        () = stop.clone() => return Ok(()),
    };
    // Before the first reconcile: where it is not published yet, or not to us, that is no reason to wait.
    let _ = definition::look(&context).await;
    let (event_handler, store) = EventHandler::new(&context);
    let changes = changes(&context, &settings.scope, streaming, store.clone());
    let (listed, filled) = watch::channel(false);
    let ready = move || {
        // An error means that nobody waits for it.
        let _ = listed.send(true);
        ready();
    };
    let mut trigger = triggers(changes, event_handler, ready, Arc::clone(&context)).boxed();
    let mut woken = woken;
    let sweeper = Arc::clone(&context);
    // They end with it.
    let mut beside = JoinSet::new();
    beside.spawn(async move {
        loop {
            tokio::time::sleep(SWEEP).await;
            sweeper.index.sweep(sweeper.clock.now());
        }
    });
    let following = Arc::clone(&context);
    beside.spawn(async move { definition::follow(&following).await });
    let rescuer = Arc::clone(&context);
    let every = Duration::from_millis(settings.policy.window).clamp(RESCUE.0, RESCUE.1);
    beside.spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let _ = rescuer.rescue();
        }
    });
    let follows = stands_by(&context, &mut trigger, &mut woken);
    tokio::select! {
        result = follows => result?,
        () = stop.clone() => return Ok(()),
    }
    // Time begins with the lead, and so does whatever waits for its time.
    context.clock.begin();
    context.stagger_restart();
    let woken = futures::stream::unfold(woken, |mut woken| async move { woken.recv().await.map(|it| (it, woken)) });
    let woken = futures::stream::select(woken, all_of(store.clone(), filled.clone()));
    beside.spawn(probe::run(Arc::clone(&context)));
    beside.spawn(witness::run(Arc::clone(&context)));
    let beating = Arc::clone(&context);
    beside.spawn(async move {
        loop {
            tokio::time::sleep(PAUSE_CHECK).await;
            let _ = beating.pause_detector.check();
        }
    });
    beside.spawn(overdue::run(Arc::clone(&context), store.clone()));
    let dispatcher = Arc::clone(&context.dispatcher);
    beside.spawn(async move { dispatcher.run().await });
    let leading = context.lead().subscribe();
    let schedule = drift_scan::Schedule {
        every: settings.resync,
        window: Duration::from_millis(settings.policy.window),
        workers: settings.workers,
    };
    let scans = drift_scan::run(Arc::clone(&context), store.clone(), schedule, filled, leading);
    let stopped = stop.clone();
    beside.spawn(async move {
        tokio::select! {
            () = scans => {}
            // It only reads, so there is nothing to finish.
            () = stopped => {}
        }
    });
    let stopping = stop.clone();
    Controller::for_stream(trigger, store)
        .reconcile_on(woken)
        // Not bounded here: a reconcile that is not permitted to go on ends at once.
        .with_config(Config::default())
        .graceful_shutdown_on(stop)
        .run(reconcile, |_, error, _| Action::requeue(error.retry), context)
        .for_each(|result| async move {
            if let Err(error) = result {
                report(&error);
            }
        })
        .await;
    // The queue ends by itself only if something is badly wrong; then the process has to end, not to idle.
    stopping.now_or_never().ok_or(RunError::Ended)
}

/// Follows what happens and does nothing, until this process leads.
async fn stands_by(
    context: &Context,
    trigger: &mut (impl Stream<Item = watcher::Result<RawIdentity>> + Unpin),
    woken: &mut UnboundedReceiver<IdentityRef>,
) -> Result<(), RunError> {
    let mut won = pin!(context.lead().won());
    loop {
        tokio::select! {
            biased;
            () = &mut won => return Ok(()),
            // It is looked at with all the others then.
            Some(_) = woken.recv() => {}
            change = trigger.next() => if change.is_none() {
                return Err(RunError::Ended);
            },
        }
    }
}

/// Takes the changes in, and passes on the objects to look at.
fn triggers(
    changes: impl Stream<Item = Change> + Send + 'static,
    mut event_handler: EventHandler,
    ready: impl FnOnce() + Send + 'static,
    context: Arc<Context>,
) -> impl Stream<Item = watcher::Result<RawIdentity>> + Send + 'static {
    let mut ready = Some(ready);
    changes.filter_map(move |change| {
        let listed = matches!(change, Change::InitDone);
        let news = event_handler.take(change);
        // Not through the store's own signal: it wakes only one of several that wait for it.
        if listed && let Some(ready) = ready.take() {
            context.stagger_restart();
            ready();
        }
        futures::future::ready(news.map(Ok))
    })
}

/// All that is there once the store is `filled`, not in one go: the queue would keep the room for as many for good, some 900 bytes each.
fn all_of(
    store: Store<RawIdentity>,
    mut filled: watch::Receiver<bool>,
) -> impl Stream<Item = IdentityRef> + Send + 'static {
    let all = async move {
        // An error means that the controller is gone, which is who asks.
        let is_filled = filled.wait_for(|filled| *filled).await.is_ok();
        futures::stream::iter(if is_filled { store.state() } else { Vec::new() })
    };
    futures::stream::once(all).flatten().enumerate().then(|(number, object)| async move {
        if number % BATCH == 0 {
            tokio::time::sleep(BATCH_EVERY).await;
        }
        IdentityRef::from_obj(&*object)
    })
}

/// A reconcile that failed, and when to try again.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
struct Failure {
    source: FailureKind,
    retry: Duration,
}

#[derive(Debug, thiserror::Error)]
enum FailureKind {
    #[error(transparent)]
    Kube(#[from] KubeError),
    #[error("the reconcile of this object panicked; this is a bug of the operator")]
    Panic,
}

/// One reconcile over one object, as the queue runs it, and when to look again: for tests that drop it at every await.
pub async fn reconcile_once(object: Arc<RawIdentity>, context: Arc<Context>) -> Action {
    reconcile(object, context).await.unwrap_or_else(|failure| Action::requeue(failure.retry))
}

async fn reconcile(object: Arc<RawIdentity>, context: Arc<Context>) -> Result<Action, Failure> {
    let span = tracing::info_span!(
        "reconcile",
        namespace = object.namespace(),
        identity = object.name(),
        generation = object.generation(),
    );
    let (uid, external_id) = (object.uid().clone(), object.external_id().clone());
    // Boxed on the first poll: at the start there is one of these for each object of the cluster, and a reconcile takes some 6 kB.
    let reconcile = async { Box::pin(reconcile::run(object, &context)).await };
    // One object's panic must not end the queue, and with it all the others (R13).
    let begun = Instant::now();
    let reconcile = AssertUnwindSafe(reconcile).catch_unwind().instrument(span.clone()).await;
    let failed = match reconcile {
        Ok(Ok(action)) => {
            context.metrics.reconciled(ReconcileResult::Ok, begun.elapsed());
            return Ok(action);
        }
        Ok(Err(error)) => FailureKind::Kube(error),
        Err(_) => FailureKind::Panic,
    };
    let end = if matches!(failed, FailureKind::Panic) { ReconcileResult::Panic } else { ReconcileResult::Error };
    context.metrics.reconciled(end, begun.elapsed());
    let memory = context.index.memory(&uid);
    let failures = {
        let mut memory = lock(&memory);
        memory.kube_failures += 1;
        memory.kube_failures
    };
    let retry = context.kube_backoff(failures);
    context.index.plans(&external_id, &uid, context.index.at(retry));
    span.in_scope(|| tracing::error!(error = %failed, retry_ms = millis(retry), "the reconcile failed; retrying"));
    Err(Failure { source: failed, retry })
}

fn report(error: &kube::runtime::controller::Error<Failure, watcher::Error>) {
    use kube::runtime::controller::Error;
    match error {
        // Logged where it happened, with its object.
        Error::ReconcilerFailed(..) => {}
        // Asked for, and gone meanwhile.
        Error::ObjectNotFound(object) => tracing::debug!(%object, "gone before its turn"),
        // Told where it is watched: none comes so far.
        Error::QueueError(error) => tracing::error!(error = %trouble(error), "the watch failed; retrying"),
        Error::RunnerError(error) => tracing::error!(%error, "the queue failed; retrying"),
    }
}
