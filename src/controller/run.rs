//! Runs passes: the queue, its bounds, and what it does with a failure or a panic.

use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::kube::runtime::controller::{Action, Config, Controller};
use ::kube::runtime::reflector::Store;
use ::kube::runtime::watcher;
use ::kube::{Api, Client};
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tracing::Instrument;

use super::access::Access;
use super::canary;
use super::clock::{BEAT, Clock, Heart};
use super::events::Events;
use super::intake::Intake;
use super::kube::KubeError;
use super::permits::Permits;
use super::snapshot::Snapshot;
use super::stray::Strays;
use super::table::{Ref, Table, lock};
use super::watch::{Scope, changes, streams_lists};
use super::{pass, scan};
use crate::domain::{Cause, Crd, Mono, Policy, Workspace, backoff};
use crate::telemetry::Metrics;
use crate::unkey;

/// How often what is no longer needed is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// How many objects a second are tried again after a restart that were failing before.
const RESTART_RATE: u64 = 50;

/// At the start the queue gets so many objects at a time, and so often: 100,000 within five seconds.
const BATCH: usize = 50;
const BATCH_EVERY: Duration = Duration::from_millis(2);

/// How the controller is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to watch.
    pub scope: Scope,
    /// Passes at a time that do more than look at what is in memory.
    pub workers: u16,
    /// Calls to Unkey.
    pub bounds: unkey::Bounds,
    /// Policies for specs that name none, and the consistency window.
    pub policy: Policy,
    /// From one scan of the workspace to the next; zero: none.
    pub resync: Duration,
    /// R15: ids recorded under another key need no proof that they are of this workspace.
    pub accept_workspace_change: bool,
}

/// What every pass shares.
pub struct Context {
    pub(super) client: Client,
    pub(super) apis: Vec<Api<Snapshot>>,
    unkey: unkey::Client,
    /// What a pass knows of our CustomResourceDefinition before it looks.
    pub(super) crd: Crd,
    pub(super) table: Table,
    pub(super) clock: Clock,
    pub(super) heart: Heart,
    pub(super) events: Events,
    pub(super) metrics: Metrics,
    pub(super) strays: Strays,
    pub(super) permits: Arc<Permits>,
    access: RwLock<Arc<Access>>,
    /// When a call last succeeded, in ms plus one; 0: never.
    thrived: AtomicU64,
    draining: AtomicBool,
    dice: RandomState,
    rolls: AtomicU64,
}

/// Why the controller ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// `--selector` is not one.
    #[error("--selector is refused by the API server: {0}")]
    Selector(String),
    /// The queue ended although nobody asked it to.
    #[error("the controller ended by itself")]
    Ended,
}

impl Context {
    /// The shared part. The receiver is for [`run`].
    pub fn new(
        client: Client,
        unkey: unkey::Client,
        settings: &Settings,
        metrics: Metrics,
    ) -> (Arc<Self>, UnboundedReceiver<Ref>) {
        let (wake, woken) = tokio::sync::mpsc::unbounded_channel();
        let access = Access::with(&settings.policy, &unkey);
        let workspace = Workspace::new(access.policy.credential.clone(), settings.accept_workspace_change);
        let clock = Clock::start();
        let permits = Permits::new(settings.bounds, settings.workers, clock, wake.clone(), metrics.clone());
        let context = Self {
            apis: settings.scope.apis(&client),
            events: Events::new(client.clone()),
            client,
            unkey,
            table: Table::new(wake, settings.policy.window, workspace),
            crd: if settings.scope.namespaces.is_empty() { Crd::Unseen } else { Crd::Unguarded },
            clock,
            heart: Heart::new(clock),
            metrics,
            strays: Strays::default(),
            permits,
            access: RwLock::new(Arc::new(access)),
            thrived: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            dice: RandomState::new(),
            rolls: AtomicU64::new(0),
        };
        (Arc::new(context), woken)
    }

    /// The fingerprint of the root key that is there right now; a change found here is followed at once.
    pub(super) fn present_key(&self) -> Option<String> {
        self.unkey.credential_mark().ok()
    }

    /// An attempt without answer is over so long after it began.
    pub(super) fn request_timeout(&self) -> Duration {
        self.unkey.request_timeout()
    }

    /// What is shared between passes.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// How things stand with the calls to Unkey, and how many wait in each lane.
    pub fn standing(&self) -> (unkey::Standing, [(&'static str, usize); 3]) {
        self.permits.standing()
    }

    /// Resolves when nothing is left to clear up after objects that are gone.
    pub async fn cleared_up(&self) {
        self.strays.none_left().await;
    }

    /// From now on a pass only records what Unkey has already done.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.permits.drain();
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(super) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_access(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
    }

    /// A call has ended. Returns when one last succeeded.
    pub(super) fn thrives(&self, failed: bool, now: Mono) -> Option<Mono> {
        if !failed {
            self.thrived.fetch_max(now.0 + 1, Ordering::Relaxed);
        }
        self.thrived.load(Ordering::Relaxed).checked_sub(1).map(Mono)
    }

    /// R13: what was failing when this process began is tried again over a while, by the rate that Unkey can bear.
    fn spread_failing(&self) {
        let failing = u64::try_from(self.table.count_failing()).unwrap_or(u64::MAX);
        let access = self.access();
        let spread = failing.saturating_mul(1_000) / RESTART_RATE;
        let policy = Policy { spread: spread.min(backoff::MAX_MS), ..access.policy.clone() };
        self.set_access(Access { policy, unkey: access.unkey.clone() });
    }

    /// Uniform over all of `u16`. Jitter needs no better source than the hasher's random keys.
    pub(super) fn dice(&self) -> u16 {
        let roll = self.rolls.fetch_add(1, Ordering::Relaxed);
        u16::try_from(self.dice.hash_one(roll) & 0xffff).unwrap_or(0)
    }

    /// Takes in a root key that has appeared, changed or gone, and has everything looked at again that waits for it.
    pub async fn follow_credentials(&self, mut changes: tokio::sync::watch::Receiver<u64>) {
        while changes.changed().await.is_ok() {
            let before = self.access();
            let after = Access::with(&before.policy, &self.unkey);
            if before.policy.credential == after.policy.credential {
                continue;
            }
            if let Some(mark) = &after.policy.credential {
                tracing::info!(credential = %mark, "using another root key");
            } else {
                tracing::warn!("there is no usable root key any more");
            }
            // Forgotten before the new key is used, so that nothing read with the old one counts under it.
            self.table.credential_changes(after.policy.credential.clone(), self.clock.now());
            self.set_access(after);
            self.permits.key_changed();
            self.table.credential_changed();
        }
    }
}

/// Runs until `stop` resolves and the passes under way have ended. `ready` is called once, when the cache is filled.
pub async fn run(
    context: Arc<Context>,
    woken: UnboundedReceiver<Ref>,
    settings: &Settings,
    ready: impl FnOnce() + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) -> Result<(), RunError> {
    let streaming = match context.apis.first() {
        Some(api) => tokio::select! {
            streams = streams_lists(api, &settings.scope) => streams.map_err(RunError::Selector)?,
            () = stop.clone() => return Ok(()),
        },
        None => false,
    };
    let (intake, store) = Intake::new(&context);
    let changes = changes(context.apis.clone(), &settings.scope, streaming, store.clone());
    let (listed, filled) = watch::channel(false);
    let ready = move || {
        // An error means that nobody waits for it.
        let _ = listed.send(true);
        ready();
    };
    let trigger = triggers(changes, intake, ready, Arc::clone(&context));
    let woken = futures::stream::unfold(woken, |mut woken| async move { woken.recv().await.map(|it| (it, woken)) });
    let woken = futures::stream::select(woken, all_of(store.clone(), filled.clone()));
    let sweeper = Arc::clone(&context);
    let guard = tokio::spawn(canary::run(Arc::clone(&context)));
    let sweep = tokio::spawn(async move {
        loop {
            tokio::time::sleep(SWEEP).await;
            sweeper.table.sweep(sweeper.clock.now());
        }
    });
    let beating = Arc::clone(&context);
    let beat = tokio::spawn(async move {
        loop {
            tokio::time::sleep(BEAT).await;
            let _ = beating.heart.beat();
        }
    });
    let permits = Arc::clone(&context.permits);
    let permitting = tokio::spawn(async move { permits.run().await });
    // Without leader election every process leads, from its start on.
    let (_lead, leading) = watch::channel(true);
    let schedule = scan::Schedule {
        every: settings.resync,
        window: Duration::from_millis(settings.policy.window),
        workers: settings.workers,
    };
    let scans = scan::run(Arc::clone(&context), store.clone(), schedule, filled, leading);
    let stopped = stop.clone();
    let scanner = tokio::spawn(async move {
        tokio::select! {
            () = scans => {}
            // It only reads, so there is nothing to finish.
            () = stopped => {}
        }
    });
    let stopping = stop.clone();
    Controller::for_stream(trigger, store)
        .reconcile_on(woken)
        // Not bounded here: a pass that is not permitted to go on ends at once.
        .with_config(Config::default())
        .graceful_shutdown_on(stop)
        .run(reconcile, |_, error, _| Action::requeue(error.retry), context)
        .for_each(|result| async move {
            if let Err(error) = result {
                report(&error);
            }
        })
        .await;
    sweep.abort();
    beat.abort();
    guard.abort();
    scanner.abort();
    permitting.abort();
    // The queue ends by itself only if something is badly wrong; then the process has to end, not to idle.
    stopping.now_or_never().ok_or(RunError::Ended)
}

/// Takes the changes in, and passes on the objects to look at.
fn triggers(
    changes: impl Stream<Item = watcher::Result<watcher::Event<Snapshot>>> + Send + 'static,
    mut intake: Intake,
    ready: impl FnOnce() + Send + 'static,
    context: Arc<Context>,
) -> impl Stream<Item = watcher::Result<Snapshot>> + Send + 'static {
    let mut ready = Some(ready);
    changes.filter_map(move |event| {
        let passed = event.map(|event| {
            let listed = matches!(event, watcher::Event::InitDone);
            let news = intake.take(event);
            // Not through the store's own signal: it wakes only one of several that wait for it.
            if listed && let Some(ready) = ready.take() {
                context.spread_failing();
                ready();
            }
            news
        });
        futures::future::ready(passed.transpose())
    })
}

/// All that is there once the store is `filled`, not in one go: the queue would keep the room for as many for good, some 900 bytes each.
fn all_of(store: Store<Snapshot>, mut filled: watch::Receiver<bool>) -> impl Stream<Item = Ref> + Send + 'static {
    let all = async move {
        // An error means that the controller is gone, which is who asks.
        let is_filled = filled.wait_for(|filled| *filled).await.is_ok();
        futures::stream::iter(if is_filled { store.state() } else { Vec::new() })
    };
    futures::stream::once(all).flatten().enumerate().then(|(number, object)| async move {
        if number % BATCH == 0 {
            tokio::time::sleep(BATCH_EVERY).await;
        }
        Ref::from_obj(&*object)
    })
}

/// A pass that failed, and when to try again.
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
    #[error("a panic in the pass over this object; this is a bug of the operator")]
    Panic,
}

/// One pass over one object, as the queue runs it, and when to look again: for tests that drop it at every await.
pub async fn visit(object: Arc<Snapshot>, context: Arc<Context>) -> Action {
    reconcile(object, context).await.unwrap_or_else(|failure| Action::requeue(failure.retry))
}

async fn reconcile(object: Arc<Snapshot>, context: Arc<Context>) -> Result<Action, Failure> {
    let span = tracing::info_span!(
        "reconcile",
        namespace = object.namespace(),
        name = object.name(),
        generation = object.generation(),
    );
    let uid = object.uid().clone();
    // Boxed on the first poll: at the start there is one of these for each object of the cluster, and a pass takes some 6 kB.
    let pass = async { Box::pin(pass::run(object, &context)).await };
    // One object's panic must not end the queue, and with it all the others (R13).
    let pass = AssertUnwindSafe(pass).catch_unwind().instrument(span.clone()).await;
    let failed = match pass {
        Ok(Ok(action)) => {
            context.metrics.reconciled("ok");
            return Ok(action);
        }
        Ok(Err(error)) => FailureKind::Kube(error),
        Err(_) => FailureKind::Panic,
    };
    let result = if matches!(failed, FailureKind::Panic) { "panic" } else { "error" };
    context.metrics.reconciled(result);
    let memory = context.table.memory(&uid);
    let failures = {
        let mut memory = lock(&memory);
        memory.kube_failures += 1;
        memory.kube_failures
    };
    let ms = backoff::delay(&Cause::Unavailable, failures, 0, context.dice()).unwrap_or(backoff::MAX_MS);
    span.in_scope(|| tracing::error!(error = %failed, retry_ms = ms, "the pass failed"));
    Err(Failure { source: failed, retry: Duration::from_millis(ms) })
}

fn report(error: &::kube::runtime::controller::Error<Failure, watcher::Error>) {
    use ::kube::runtime::controller::Error;
    match error {
        // Logged where it happened, with its object.
        Error::ReconcilerFailed(..) => {}
        // Asked for, and gone meanwhile.
        Error::ObjectNotFound(object) => tracing::debug!(%object, "gone before its turn"),
        other => tracing::error!(error = %other, "the watch failed; trying again"),
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
