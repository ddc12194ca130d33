//! Looks whether another root key leads to the workspace that was worked in so far (R15): reads a few identities that were
//! recorded under an earlier key. Only when somebody waits for the answer; [`Workspace`](crate::domain::Workspace) judges it.

use std::sync::Arc;
use std::time::Duration;

use super::pinned_client::PinnedClient;
use super::upstream;
use crate::controller::identity::context::Context;
use crate::controller::runtime::dispatcher::Priority;
use crate::domain::{Cause, KeyMark, Look, Reply, backoff};
use crate::unkey;

/// Runs for as long as it is polled.
pub async fn run(context: Arc<Context>) {
    loop {
        context.index.is_doubted().await;
        let mut failures = 0;
        while let Some(wait) = look_for_all(&context, &mut failures).await {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = context.index.key_changes() => failures = 0,
            }
        }
    }
}

/// One look for each mark. `None`: all is known; else how long to wait for the next.
async fn look_for_all(context: &Context, failures: &mut u32) -> Option<Duration> {
    let pinned = context.workspace.pinned();
    let Ok(client) = &pinned.unkey else { return None };
    let mut failed = None;
    for mark in context.index.unproven() {
        let look = look_for(context, client, &mark).await;
        tell(context, &pinned, &mark, &look);
        if let Look::Failed(cause) = look {
            failed = Some(cause);
        }
    }
    if context.index.unproven().is_empty() {
        return None;
    }
    let wait = match failed {
        Some(cause) => {
            *failures += 1;
            backoff::delay(&cause, *failures, None, fastrand::u16(..)).unwrap_or(backoff::MAX)
        }
        // A miss does not count yet.
        None => context.runtime.clock.now().until(context.index.misses_count_from()).max(Duration::from_millis(1)),
    };
    Some(wait)
}

fn tell(context: &Context, pinned: &PinnedClient, mark: &KeyMark, look: &Look) {
    if !context.index.looked(&pinned.policy.credential, mark, look) {
        return;
    }
    let recorded_under = mark.as_deref().unwrap_or("unknown");
    match look {
        Look::Hit => tracing::info!(recorded_under, "the root key belongs to the same workspace as the earlier one"),
        Look::Missed { .. } => tracing::error!(
            recorded_under,
            "the root key shows none of the identities recorded under an earlier one: it probably belongs to another workspace. \
             Nothing is created, and no identity counts as deleted. Put the right key in place. To migrate to another \
             workspace intentionally, start with --accept-workspace-change"
        ),
        Look::Failed(cause) => {
            tracing::warn!(recorded_under, ?cause, "cannot check whether the workspace is the same; retrying");
        }
    }
}

/// Reads identities of `mark` until one shows its recorded id. One that cannot be read proves nothing, and the next may.
async fn look_for(context: &Context, client: &unkey::Client, mark: &KeyMark) -> Look {
    let begun = context.runtime.clock.now();
    let mut failed = None;
    for (external_id, id) in context.index.probes(mark) {
        let operation = unkey::Operation::Get;
        let mut permit = context.runtime.dispatcher.acquire("", Priority::Call).await;
        let request = async |client: &unkey::Client| client.get(external_id.as_str()).await;
        let sent = upstream::send(&mut permit, &context.runtime.metrics, client, operation, request).await;
        drop(permit);
        match sent.unwrap_or_else(|refusal| Err(refusal.why)) {
            Ok(found) => {
                if found.external_id == external_id.as_str() && found.id == id.as_str() {
                    return Look::Hit;
                }
            }
            Err(error) => {
                let look = match upstream::refusal(&error) {
                    Reply::Absent => continue,
                    Reply::Failed(fault) => Look::Failed(fault.cause),
                    _ => Look::Failed(Cause::Misconfigured(error.fault().to_string())),
                };
                if !error.may_be_its_own() {
                    return look;
                }
                failed = Some(look);
            }
        }
    }
    failed.unwrap_or(Look::Missed { begun })
}
