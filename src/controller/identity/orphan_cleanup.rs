//! Clears up after an object that went in the middle of its first create (R2): nothing but this process's memory knows
//! of the identity that may be left. Apart from the queue, which knows only objects that exist.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::Instrument;

use super::context::Context;
use super::raw::RawIdentity;
use super::reconcile;
use crate::controller::runtime::clock::millis;
use crate::domain::{Mono, Uid};

/// How soon to try again while a reconcile still holds the lock.
const BUSY: Duration = Duration::from_millis(200);

/// When the next reconcile over an object that is gone is due.
pub enum Again {
    /// After that time.
    After(Duration),
    /// When there is news of a witness for a read that was answered then (R19).
    WithWitness(Mono),
}

/// Those that are being cleared up after.
#[derive(Debug)]
pub struct PendingCleanups(watch::Sender<HashSet<Uid>>);

impl Default for PendingCleanups {
    fn default() -> Self {
        Self(watch::Sender::new(HashSet::new()))
    }
}

impl PendingCleanups {
    /// Resolves when there are none (any more).
    pub async fn none_left(&self) {
        // It fails only without a sender, which is here.
        let _ = self.0.subscribe().wait_for(HashSet::is_empty).await;
    }
}

/// The object is gone: clears up after it if it may have left something, in a task of its own.
pub fn look(object: &RawIdentity, context: &Arc<Context>) {
    let uid = object.uid().clone();
    if !context.index.owes(object.external_id(), &uid) {
        return;
    }
    if !context.cleanups.0.send_if_modified(|cleanups| cleanups.insert(uid.clone())) {
        return;
    }
    let (context, object) = (Arc::clone(context), Arc::new(object.clone()));
    let span = tracing::info_span!(
        "stray",
        namespace = object.namespace(),
        identity = object.name(),
        external_id = object.external_id().as_str(),
    );
    // Held, so that the sweep leaves it until all is cleared up.
    let memory = context.index.hold_memory(&uid);
    let clearing = async move {
        let _memory = memory;
        tracing::warn!("an Identity was deleted while its identity was being created; cleaning up in Unkey");
        clear_up(&object, &context).await;
        context.cleanups.0.send_modify(|cleanups| {
            cleanups.remove(&uid);
        });
    };
    tokio::spawn(clearing.instrument(span));
}

async fn clear_up(object: &Arc<RawIdentity>, context: &Arc<Context>) {
    let mut failures = 0;
    loop {
        let mut news = pin!(context.index.witness_news());
        news.as_mut().enable();
        let wait = match reconcile::clear_up(Arc::clone(object), context).await {
            None => BUSY,
            Some(Ok(None)) => return,
            Some(Ok(Some(Again::WithWitness(ended)))) => {
                context.index.wants_witness(None, ended, true);
                news.await;
                continue;
            }
            Some(Ok(Some(Again::After(wait)))) => wait,
            Some(Err(error)) => {
                failures += 1;
                let wait = context.kube_backoff(failures);
                tracing::warn!(%error, retry_ms = millis(wait), "the cleanup in Unkey failed; retrying");
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}
