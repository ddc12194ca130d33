//! Says in the status that work waits, before anyone has waited for 15 s (R24): beside the queue, at a pace of its own, with no permit of those
//! that work. What is said is decided in `domain`.
//!
//! An object whose reconcile is in the middle of a call is told of by that reconcile, which holds the lock; all others by [`run`], which takes it. Either
//! way a status is written once, under the same tests as any other (R11).

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::Store;
use tracing::Instrument;

use super::context::Context;
use super::environment::{Process, ReconcileEnvironment};
use super::index::{KeyLock, Overdue, Parts, Remembered};
use super::raw::RawIdentity;
use super::{patch, status};
use crate::controller::runtime::api_server::{self, KubeError, Outcome};
use crate::controller::workspace::upstream;
use crate::domain::session;
use crate::domain::{self, Cause, StatusUpdate};
use crate::telemetry::LogOnce;
use crate::unkey::Operation;

/// After so long a status has to say that it waits, so that it is there within 15 s. What is done sooner is not told of. The more there are,
/// the earlier the first ones have their turn, so that the last ones are not late.
const PATIENCE: Duration = Duration::from_secs(11);
const LEAST_PATIENCE: Duration = Duration::from_secs(7);
const EACH: Duration = Duration::from_millis(10);
/// The pace: so many in each round, so often, and so many at a time. 500 that begin to wait at once are told of within 15 s.
const ROUND: Duration = Duration::from_millis(500);
const IN_A_ROUND: usize = 100;
/// So many are looked at in a round: of some there is nothing to say.
const LOOKED_AT: usize = 1_000;
const AT_A_TIME: usize = 32;
/// A call that has just begun is likely to end sooner than a status is written.
const LINGERS: Duration = Duration::from_secs(1);
/// When to look again at one whose reconcile is under way, or whose status has changed.
const SOON: Duration = Duration::from_secs(1);
/// When to look again at one of which there is nothing to say.
const LATER: Duration = Duration::from_secs(15);
/// When to try again to write what was refused.
const REFUSED: Duration = Duration::from_secs(60);

/// What came of telling of one object.
enum Came {
    /// The status says so.
    Of,
    /// There is nothing to say yet; look again after that.
    Nothing(Duration),
}

/// Runs for as long as it is polled, while this process leads.
pub async fn run(context: Arc<Context>, store: Store<RawIdentity>) {
    let mut told = LogOnce::default();
    loop {
        tokio::time::sleep(ROUND).await;
        if context.runtime.is_draining() || !context.runtime.leads() {
            continue;
        }
        let due = context.index.overdue(patience(&context), acts_since(&context), LOOKED_AT);
        let told_of = AtomicUsize::new(0);
        let telling = due.into_iter().map(|one| {
            let namespace = one.at.namespace.as_deref().unwrap_or_default();
            let span = tracing::info_span!("waits", namespace, identity = one.at.name);
            tell(one, &told_of, &store, &context).instrument(span)
        });
        let failures: Vec<KubeError> =
            stream::iter(telling).buffer_unordered(AT_A_TIME).filter_map(std::future::ready).collect().await;
        match failures.first() {
            // The reconciles over these objects tell each of its own; once is enough here.
            Some(error) if told.is_news(&error.to_string()) => {
                tracing::warn!(%error, objects = failures.len(), "statuses cannot be updated to report queued work; retrying every minute");
            }
            Some(_) => {}
            None => drop(told.ends()),
        }
    }
}

/// How long an object may wait before its status says so.
fn patience(context: &Context) -> Duration {
    let others = u32::try_from(context.index.count_untold()).unwrap_or(u32::MAX);
    PATIENCE.saturating_sub(EACH.saturating_mul(others)).max(LEAST_PATIENCE)
}

/// Since when this process acts: nothing waits for it longer than that.
fn acts_since(context: &Context) -> Instant {
    let now = Instant::now();
    now.checked_sub(context.runtime.clock.elapsed()).unwrap_or(now)
}

/// Tells of one object, if its lock is free and there is something to say. Returns why it could not be said.
async fn tell(one: Overdue, told_of: &AtomicUsize, store: &Store<RawIdentity>, context: &Context) -> Option<KubeError> {
    if told_of.load(Ordering::Relaxed) >= IN_A_ROUND {
        return None;
    }
    let came = match store.get(&one.at).filter(|object| *object.uid() == one.uid) {
        Some(object) => under_lock(&one, object, context).await,
        None => Ok(Came::Nothing(SOON)),
    };
    let (wait, failed) = match came {
        Ok(Came::Of) => {
            told_of.fetch_add(1, Ordering::Relaxed);
            (SOON, None)
        }
        Ok(Came::Nothing(wait)) => (wait, None),
        Err(error) => (REFUSED, Some(error)),
    };
    context.index.puts_off(&one.uid, wait);
    failed
}

async fn under_lock(one: &Overdue, object: Arc<RawIdentity>, context: &Context) -> Result<Came, KubeError> {
    let Some(key_lock) = context.index.lock_to_tell(&one.external_id) else { return Ok(Came::Nothing(SOON)) };
    let memory = context.index.memory(&one.uid);
    let newest = memory.with(|memory| memory.newest(object));
    Ok(match say(context, &key_lock, &memory, &newest).await? {
        Some(Outcome::Now(now)) if *now.uid() == one.uid => {
            context.runtime.metrics.synced(context.index.update(&now));
            memory.with(|memory| memory.newest = Some(Arc::from(now)));
            Came::Of
        }
        // The reconcile that has something to write tells of it (R25).
        Some(Outcome::Refused(_)) => Came::Nothing(REFUSED),
        Some(_) => Came::Nothing(SOON),
        None => Came::Nothing(LATER),
    })
}

/// Writes that the work on `object` waits. `None`: there is nothing to say. Whoever asks holds the lock.
async fn say(
    context: &Context,
    key_lock: &KeyLock<'_>,
    memory: &Remembered<'_>,
    object: &RawIdentity,
) -> Result<Option<Outcome<RawIdentity>>, KubeError> {
    let Some(report) = report(context, key_lock, memory, object) else { return Ok(None) };
    if !context.runtime.leads() {
        return Ok(None);
    }
    let (before, raw) = (object.read_status(), object.raw_status());
    let after = status::render(&report, &object.key(), object.uid(), before.as_ref(), Timestamp::now());
    let after = serde_json::to_value(&after).map_err(|error| KubeError::Bug(kube::Error::SerdeError(error)))?;
    let patch = patch::status(&object.guard(), raw.as_ref(), &after);
    let outcome = api_server::patch_status(&context.runtime.client, &object.key(), patch).await?;
    if matches!(outcome, Outcome::Now(_)) {
        let reason = report.verdict.reason();
        tracing::info!(%reason, generation = report.generation, "status written: work is queued");
    }
    Ok(Some(outcome))
}

/// What the status has to say, by what a reconcile would find now. It leaves no trace: what is taken in from the object is taken in by a reconcile.
fn report(
    context: &Context,
    key_lock: &KeyLock<'_>,
    memory: &Remembered<'_>,
    object: &RawIdentity,
) -> Option<StatusUpdate> {
    let (now, approvals, pinned) = (context.runtime.clock.now(), &context.approvals, context.workspace.pinned());
    let (object, crd_unread) = memory.with(|memory| {
        let object = object.read(now, approvals, &mut memory.reconcile_requests);
        (object, memory.crd_unread.clone())
    });
    object.external_id.as_ref()?;
    let holds_up = match &pinned.unkey {
        // It comes first: without it nothing is asked in Unkey.
        _ if crd_unread.is_some() => crd_unread.map(Cause::CrdUnread),
        Ok(_) => upstream::held_up_by(&context.standing().0, next_call(&object)),
        Err(missing) => Some(Cause::CredentialsMissing(missing.clone())),
    };
    let (process, crd) = (Process::of(context), context.crd);
    key_lock.with(memory, |Parts { known, memory, role, workspace, deletions }| {
        let (mut known, mut object_state) = (known.clone(), memory.object_state.clone());
        let records = session::Records { known: &mut known, object_state: &mut object_state };
        let environment = ReconcileEnvironment::looking(process, role, workspace, deletions);
        session::waiting(&object, records, &environment, (&pinned.policy, crd), holds_up.as_ref())
    })
}

/// The call that the object is most likely to wait for.
fn next_call(object: &domain::Object) -> Operation {
    match (object.phase, object.held()) {
        (domain::Phase::Deleting | domain::Phase::Gone { .. }, _) => Operation::Delete,
        (domain::Phase::Live, Some(_)) => Operation::Update,
        (domain::Phase::Live, None) => Operation::Create,
    }
}

/// Runs `work`, a wait in the middle of a reconcile over `object`. If that lasts too long, the status says so meanwhile; then how the object
/// stands comes back too.
pub async fn beside<T>(
    work: impl Future<Output = T>,
    context: &Context,
    key_lock: &KeyLock<'_>,
    memory: &Remembered<'_>,
    object: &RawIdentity,
) -> (T, Option<Outcome<RawIdentity>>) {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return (done, None),
        () = until_overdue(context, object) => {}
    }
    // A status that is being written is waited for: its answer shows how the object stands.
    let (done, said) = futures::future::join(work, Box::pin(say(context, key_lock, memory, object))).await;
    match said {
        Ok(outcome) => (done, outcome),
        Err(error) => {
            tracing::warn!(%error, "the status cannot be updated to report queued work");
            (done, None)
        }
    }
}

/// Resolves when the status of an object has been out of date for too long.
async fn until_overdue(context: &Context, object: &RawIdentity) {
    let begun = Instant::now();
    loop {
        let due = context.index.untold_since(object.uid()).map(|since| {
            let due = (since.max(acts_since(context)) + patience(context)).max(begun + LINGERS);
            due.saturating_duration_since(Instant::now())
        });
        match due {
            Some(Duration::ZERO) => return,
            // More may come to wait meanwhile.
            Some(wait) => tokio::time::sleep(wait.min(LINGERS)).await,
            // It may be asked for something else meanwhile.
            None => tokio::time::sleep(LINGERS).await,
        }
    }
}
