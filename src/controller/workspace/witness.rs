//! Looks whether the root key shows anything at all (R19), so that what it does not show may be taken for absent. Only when something rests
//! on that; [`Witness`](crate::domain::Witness) judges it. It asks recorded identities first, then a page of the list; in a workspace
//! that shows nothing the permission to create stands in.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::pinned_client::PinnedClient;
use super::upstream;
use crate::controller::identity::context::Context;
use crate::controller::runtime::dispatcher::Priority;
use crate::domain::{Cause, ExternalId, Mono, Operation, Reply, backoff};
use crate::telemetry::LogOnce;
use crate::unkey::{self, Class, PROBE};

/// Runs for as long as it is polled.
pub async fn run(context: Arc<Context>) {
    let (mut failures, mut told) = (0, LogOnce::default());
    // When the last look was in vain, and when the next one is due.
    let mut vain: Option<(Mono, Instant)> = None;
    loop {
        let Some(wanted) = context.index.awaits_witness() else {
            context.index.witness_is_wanted().await;
            continue;
        };
        // Who read before the last look was in vain gets another one after a while; who read since gets it at once.
        if let Some((_, due)) = vain.filter(|(asked, due)| wanted <= *asked && Instant::now() < *due) {
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = context.index.witness_is_wanted() => {}
                () = context.index.key_changes() => (failures, vain) = (0, None),
            }
            continue;
        }
        while context.runtime.clock.now() <= wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let pinned = context.workspace.pinned();
        let current = &pinned.policy.credential;
        match look(&context, &pinned, &HashSet::new()).await {
            Ok(Found::StandsIn(begun)) if context.index.expects_identities() => {
                // Nothing that is leaving rests on that, and a look is made again as after one in vain.
                failures += 1;
                if told.is_news("stands in") {
                    tracing::error!(
                        "the root key may create identities but shows none, although some are recorded: it probably lacks the permission to \
                         read; no deletion is completed on that evidence"
                    );
                }
                let now = context.runtime.clock.now();
                // Who read while the look was under way gets another one at once.
                vain = Some((begun, next_look(&Cause::Unwitnessed, failures)));
                context.index.stood_in(current, begun, now);
            }
            Ok(Found::Shown(begun) | Found::StandsIn(begun)) => {
                (failures, vain) = (0, None);
                told.ends();
                context.index.showed(current, begun);
            }
            Err(cause) => {
                failures += 1;
                if told.is_news(&format!("{cause:?}")) {
                    tracing::error!(
                        ?cause,
                        "the root key shows no identity of the workspace: it probably lacks a permission; no identity counts as deleted"
                    );
                }
                let now = context.runtime.clock.now();
                vain = Some((now, next_look(&cause, failures)));
                context.index.showed_nothing(current, now, cause);
            }
        }
    }
}

/// When to look again after so many looks in vain in a row (R13).
fn next_look(cause: &Cause, failures: u32) -> Instant {
    Instant::now() + backoff::delay(cause, failures, None, fastrand::u16(..)).unwrap_or(backoff::MAX)
}

/// What a look found, and when the request began that shows it.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// An identity.
    Shown(Mono),
    /// None, but the permission to create.
    StandsIn(Mono),
}

/// One look; why there is none, if it was in vain. `missing`: what is not there, it seems.
pub async fn look(context: &Context, pinned: &PinnedClient, missing: &HashSet<&ExternalId>) -> Result<Found, Cause> {
    let client = pinned.unkey.as_ref().map_err(|missing| Cause::CredentialsMissing(missing.clone()))?;
    for external_id in context.index.likely_witnesses(missing) {
        match shows(context, client, external_id.as_str()).await {
            Ok(Some(begun)) => {
                context.index.was_seen(&external_id);
                return Ok(Found::Shown(begun));
            }
            // One may be gone for good, and nobody has noticed yet.
            Ok(None) => {}
            Err(error) if error.may_be_its_own() => {}
            // The next would be answered the same. What a list says of it counts.
            Err(_) => break,
        }
        context.index.asked_in_vain(external_id);
    }
    match first_listed(context, client).await? {
        // What may be listed may be read; a list alone would hide a get that is refused.
        Some((_, id)) => match shows(context, client, &id).await {
            Ok(Some(begun)) => Ok(Found::Shown(begun)),
            Ok(None) => Err(Cause::PermissionDenied(Operation::Read)),
            Err(error) => Err(cause_of(upstream::refusal(&error))),
        },
        None => may_create(context, client).await.map(Found::StandsIn),
    }
}

/// A look at the list alone, for what a list did not show.
pub async fn look_at_list(context: &Context, client: &unkey::Client) -> Result<Found, Cause> {
    match first_listed(context, client).await? {
        Some((begun, _)) => Ok(Found::Shown(begun)),
        None => may_create(context, client).await.map(Found::StandsIn),
    }
}

/// When a get began that shows this identity; `None`: it does not.
async fn shows(context: &Context, client: &unkey::Client, identity: &str) -> Result<Option<Mono>, Arc<unkey::Error>> {
    let get = async |client: &unkey::Client| client.get(identity).await;
    let (begun, answer) = ask(context, client, unkey::Operation::Get, get).await;
    match answer {
        Ok(_) => Ok(Some(begun)),
        Err(error) if error.class() == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The id of the first identity of the workspace, and when the page was asked for; `None`: the list shows none.
async fn first_listed(context: &Context, client: &unkey::Client) -> Result<Option<(Mono, String)>, Cause> {
    let list = async |client: &unkey::Client| client.list(1, None).await;
    let (begun, answer) = ask(context, client, unkey::Operation::List, list).await;
    let page = answer.map_err(|error| cause_of(upstream::refusal(&error)))?;
    Ok(page.identities.into_iter().next().map(|first| (begun, first.id)))
}

/// Whether the root key may create, unless nothing is ever written (R21), by a create that is refused for its size once that is known.
async fn may_create(context: &Context, client: &unkey::Client) -> Result<Mono, Cause> {
    if !context.may_write() {
        return Err(Cause::Unwitnessed);
    }
    let request = unkey::refused_create();
    let create = async |client: &unkey::Client| client.create(&request).await;
    let (begun, answer) = ask(context, client, unkey::Operation::Create, create).await;
    let Err(error) = answer else {
        tracing::error!(
            external_id = PROBE,
            "Unkey stored an identity that it should have refused; delete that identity"
        );
        return Err(Cause::Unwitnessed);
    };
    match error.class() {
        _ if unkey::was_too_large(&error) => Ok(begun),
        Class::Permission { .. } => Err(Cause::Unwitnessed),
        _ => Err(cause_of(upstream::refusal(&error))),
    }
}

async fn ask<T>(
    context: &Context,
    client: &unkey::Client,
    operation: unkey::Operation,
    request: impl AsyncFnOnce(&unkey::Client) -> Result<T, unkey::Error>,
) -> (Mono, Result<T, Arc<unkey::Error>>) {
    let mut permit = context.runtime.dispatcher.acquire("", Priority::Call).await;
    let begun = context.runtime.clock.now();
    let sent = upstream::send(&mut permit, &context.runtime.metrics, client, operation, request).await;
    (begun, sent.unwrap_or_else(|refusal| Err(refusal.why)))
}

fn cause_of(reply: Reply) -> Cause {
    match reply {
        Reply::Failed(fault) => fault.cause,
        _ => Cause::Unwitnessed,
    }
}
