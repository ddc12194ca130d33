//! Tells of identities that stay in Unkey because somebody took the finalizer off (S15): the log names them, a metric counts them. It changes
//! nothing, and what the operator lets go itself never counts.
//!
//! The last that a watch shows of such an object may still have the finalizer: the API server deletes it instead of storing the version
//! without. So what counts is what this process has done, not what it has seen.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::context::Context;
use super::index::IdentityRef;
use super::raw::RawIdentity;
use crate::controller::runtime::api_server::{self, Outcome};
use crate::controller::runtime::clock::millis;
use crate::domain::{IdentityId, LeftBehind, left_behind};

/// How soon to try again while a reconcile still holds the lock.
const BUSY: Duration = Duration::from_millis(200);

/// An object is shown anew. Notices that somebody else has taken off finalizer and claim while it waits for another tool's finalizer: its end
/// will look as if this operator had let it go.
pub fn notice(before: &RawIdentity, object: &RawIdentity, context: &Context) {
    let marked = |it: &RawIdentity| it.finalizers().ours().is_some() || it.claim().is_some();
    if object.is_leaving()
        && before.uid() == object.uid()
        && marked(before)
        && !marked(object)
        && context.runtime.leads()
    {
        context.index.with_memory(object.uid(), |memory| memory.stripped |= !memory.released);
    }
}

/// An object is gone, or no longer selected. Tells what it leaves, in a task of its own if there is something to tell.
pub fn look(object: &RawIdentity, context: &Arc<Context>) {
    if object.owns_nothing(context.workspace.pinned().policy.management) {
        // What it observed is meant to stay (R21).
        return;
    }
    let claimant = object.claimant(object.read_status().as_ref());
    let hold = context.index.hold_memory(object.uid());
    let (released, stripped) = context.index.with_memory(object.uid(), |memory| (memory.released, memory.stripped));
    let Some(id) = claimant.recorded.filter(|_| !released && context.runtime.leads()) else { return };
    let span = tracing::info_span!(
        "left behind",
        namespace = object.namespace(),
        identity = object.name(),
        identity_id = id.as_str(),
        external_id = object.external_id().as_str(),
    );
    // A release takes both off in one patch. This one may have been the work of an earlier process.
    let is_known = object.finalizers().ours().is_some() || object.claim().is_some() || !claimant.leaving || stripped;
    if !is_known {
        let _entered = span.enter();
        tracing::warn!(
            "an Identity is gone that had neither finalizer nor claim when this process first saw it; whether its identity stays in Unkey is not \
             known"
        );
        return;
    }
    let (context, object) = (Arc::clone(context), object.clone());
    let telling = async move {
        if is_gone(&object, &context).await && context.runtime.leads() {
            tell(&object, &id, &context).await;
        }
        // Kept by the sweep until here.
        drop(hold);
    };
    tokio::spawn(telling.instrument(span));
}

/// Looks whether the object is gone, and not only out of the selection of `--selector`.
async fn is_gone(object: &RawIdentity, context: &Context) -> bool {
    // Closed only with the context.
    let Ok(_permit) = context.looks.acquire().await else { return false };
    let mut failures = 0;
    loop {
        match api_server::get::<RawIdentity>(&context.runtime.client, &object.key()).await {
            Ok(Outcome::Now(now)) => return now.uid() != object.uid(),
            Ok(Outcome::Gone) => return true,
            // No read is answered so.
            Ok(Outcome::Stale(_) | Outcome::Refused(_)) => return false,
            Err(_) if !context.runtime.leads() => return false,
            Err(error) => {
                failures += 1;
                let wait = api_server::wait_after(failures);
                tracing::warn!(%error, retry_ms = millis(wait), "cannot check whether an Identity is gone; retrying");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Tells of it, unless the reconcile that was under way has dealt with it.
async fn tell(object: &RawIdentity, id: &IdentityId, context: &Context) {
    let (uid, external_id) = (object.uid(), object.external_id());
    let key_lock = loop {
        match context.index.try_lock(external_id, &IdentityRef::from_obj(object)) {
            Some(key_lock) => break key_lock,
            None => tokio::time::sleep(BUSY).await,
        }
    };
    let window = context.workspace.pinned().policy.window;
    let left = key_lock.known(|known| left_behind(uid, id, known, window));
    drop(key_lock);
    let released = context.index.with_memory(uid, |memory| memory.released);
    if released || left == LeftBehind::Nothing || context.index.is_recorded(external_id, id) {
        tracing::info!("someone removed the finalizer of an Identity; nothing of the Identity is left in Unkey");
        return;
    }
    context.runtime.metrics.left_behind();
    if left == LeftBehind::Perhaps {
        tracing::warn!(
            "an Identity is gone without its finalizer; its identity stays in Unkey, unless an unanswered request has deleted the identity"
        );
    } else {
        tracing::warn!("an Identity is gone without its finalizer; its identity stays in Unkey");
    }
}
