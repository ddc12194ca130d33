//! Runs the controller: the queue, and what goes on beside it.

use std::sync::Arc;
use std::time::Duration;

use futures::future;
use kube::runtime::controller::Action;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::context::{Context, Settings};
use super::index::IdentityRef;
use super::raw::RawIdentity;
use super::{definition, overdue};
use crate::controller::runtime::clock::PAUSE_CHECK;
use crate::controller::runtime::queue::{self, Queue, RunError};
use crate::controller::workspace::{drift_scan, probe, witness};

/// How often what is no longer needed is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// Objects that nothing is planned for are looked for once in a consistency window, within these bounds.
const RESCUE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Runs until the process is to end, the reconciles under way have ended and nothing is left to clear up. `ready` is called once, when the cache is
/// filled.
pub async fn run(
    context: Arc<Context>,
    woken: UnboundedReceiver<IdentityRef>,
    settings: &Settings,
    ready: impl FnOnce() + Send + 'static,
) -> Result<(), RunError> {
    // They end with it.
    run_beside(context, woken, settings, ready, JoinSet::new()).await
}

/// The same, with tasks `beside` that run already.
async fn run_beside(
    context: Arc<Context>,
    woken: UnboundedReceiver<IdentityRef>,
    settings: &Settings,
    ready: impl FnOnce() + Send + 'static,
    mut beside: JoinSet<()>,
) -> Result<(), RunError> {
    let stop = context.runtime.stop();
    let queue = stop.run_until_cancelled(Queue::new(&context, woken, &settings.scope, ready)).await;
    let Some(mut queue) = queue.transpose()? else { return Ok(()) };
    // Before the first reconcile: where it is not published yet, or not to us, that is no reason to wait.
    let _ = definition::look(&context.runtime.client, &context.definition, &|| context.definition_changed()).await;
    keep_house(&context, settings, &mut beside);
    tokio::select! {
        result = queue.stand_by() => result?,
        () = stop.cancelled() => return Ok(()),
        () = panicked(&mut beside) => return Err(RunError::Panicked),
    }
    // Time begins with the lead, and so does whatever waits for its time.
    context.runtime.clock.begin();
    context.stagger_restart();
    work_beside(&context, settings, &queue, &mut beside);
    let working = async {
        queue.run().await?;
        // What clears up after objects that are gone needs permits and witnesses until its end.
        context.cleanups.close();
        context.cleanups.wait().await;
        Ok(())
    };
    tokio::select! {
        result = working => result,
        () = panicked(&mut beside) => Err(RunError::Panicked),
    }
}

/// Resolves when a task has panicked. The process has to end then, as nobody does that task's work any more.
async fn panicked(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// What goes on whether this process leads or not.
fn keep_house(context: &Arc<Context>, settings: &Settings, beside: &mut JoinSet<()>) {
    let sweeper = Arc::clone(context);
    beside.spawn(async move {
        loop {
            tokio::time::sleep(SWEEP).await;
            sweeper.index.sweep(sweeper.runtime.clock.now());
        }
    });
    let following = Arc::clone(context);
    beside.spawn(async move {
        let ended = || following.definition_changed();
        definition::follow(&following.runtime.client, &following.definition, ended).await;
    });
    let rescuer = Arc::clone(context);
    let every = settings.policy.window.clamp(RESCUE.0, RESCUE.1);
    beside.spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let _ = rescuer.rescue();
        }
    });
}

/// What goes on beside the queue while this process leads.
fn work_beside(context: &Arc<Context>, settings: &Settings, queue: &Queue<Context>, beside: &mut JoinSet<()>) {
    beside.spawn(probe::run(Arc::clone(context)));
    beside.spawn(witness::run(Arc::clone(context)));
    let runtime = Arc::clone(&context.runtime);
    beside.spawn(async move {
        loop {
            tokio::time::sleep(PAUSE_CHECK).await;
            let _ = runtime.pause_detector.check();
        }
    });
    beside.spawn(overdue::run(Arc::clone(context), queue.store.clone()));
    let dispatcher = Arc::clone(&context.runtime.dispatcher);
    beside.spawn(async move { dispatcher.run().await });
    let schedule =
        drift_scan::Schedule { every: settings.scan_every, window: settings.policy.window, workers: settings.workers };
    let scans = drift_scan::run(Arc::clone(context), queue.store.clone(), schedule, queue.filled.clone());
    let adoption = drift_scan::adoption::run(Arc::clone(context), queue.store.clone(), settings.workers);
    let stop = context.runtime.stop().clone();
    // They only read, so there is nothing to finish.
    beside.spawn(async move {
        let _ = stop.run_until_cancelled(future::join(scans, adoption)).await;
    });
}

/// One reconcile of one object, as the queue runs it, and when to look again: for tests that drop it at every await.
pub async fn reconcile_once(object: Arc<RawIdentity>, context: Arc<Context>) -> Action {
    queue::reconcile(object, context).await.unwrap_or_else(|failure| Action::requeue(failure.retry))
}

#[cfg(test)]
mod tests;
