//! Clears up after an object that went in the middle of its first create (R2): nothing but this process's memory knows
//! of the identity that may be left. Apart from the queue, which knows only objects that exist.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tracing::Instrument;

use super::context::Context;
use super::raw::RawIdentity;
use super::reconcile::{self, Again};
use crate::controller::runtime::api_server;
use crate::controller::runtime::clock::millis;

/// How soon to try again while a reconcile still holds the lock.
const BUSY: Duration = Duration::from_millis(200);

/// The object is gone: clears up after it if it may have left something, in a task of its own.
pub fn look(object: &RawIdentity, context: &Arc<Context>) {
    let uid = object.uid().clone();
    if !context.index.owes(object.external_id(), &uid) {
        return;
    }
    // Held, so that the sweep leaves it until all is cleared up.
    let hold = context.index.hold_memory(&uid);
    if context.index.with_memory(&uid, |memory| std::mem::replace(&mut memory.clears_up, true)) {
        return;
    }
    let cleanups = context.cleanups.clone();
    let (context, object) = (Arc::clone(context), Arc::new(object.clone()));
    let span = tracing::info_span!(
        "cleanup",
        namespace = object.namespace(),
        identity = object.name(),
        external_id = object.external_id().as_str(),
    );
    let clearing = async move {
        tracing::warn!("an Identity was deleted while its identity was being created; cleaning up in Unkey");
        let mut panics = 0;
        while AssertUnwindSafe(clear_up(&object, &context)).catch_unwind().await.is_err() {
            panics += 1;
            let wait = api_server::wait_after(panics);
            tracing::error!(retry_ms = millis(wait), "the cleanup panicked; this is a bug of the operator; retrying");
            tokio::time::sleep(wait).await;
        }
        context.index.with_memory(&uid, |memory| memory.clears_up = false);
        drop(hold);
    };
    cleanups.spawn(clearing.instrument(span));
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
                let wait = api_server::wait_after(failures);
                tracing::warn!(%error, retry_ms = millis(wait), "the cleanup in Unkey failed; retrying");
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}
