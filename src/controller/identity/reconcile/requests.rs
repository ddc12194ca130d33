//! The requests of a reconcile: one function sends one of them, and hands the answer to the session.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::super::context::Context;
use super::super::raw::RawIdentity;
use super::super::{patch, status};
use super::{Reconcile, change_log};
use crate::api::dropped_from;
use crate::controller::runtime::api_server::{self, KubeError, Outcome};
use crate::controller::runtime::dispatcher::Permit;
use crate::controller::runtime::patch::if_not_deleted;
use crate::controller::workspace::upstream::{self, CallAnswer};
use crate::domain::session::{self, KubeReply, Learned, Moment, ObjectView, Ticket};
use crate::domain::{self, Call, Claim, Guard, KubeStep, Look, Object, ReleaseProof, Reply, StatusUpdate, Uid};
use crate::text::printable;
use crate::unkey;

/// Characters that are kept of why the definition cannot be read.
const MAX_WORDS: usize = 300;

/// An object as an answer shows it.
struct View<'a> {
    snapshot: &'a RawIdentity,
    /// What it lacks of the status that was written; `None`: nothing.
    lacks: Option<Vec<String>>,
}

impl ObjectView for View<'_> {
    fn is(&self, uid: &Uid) -> bool {
        self.snapshot.uid() == uid
    }

    fn guard(&self) -> Guard {
        self.snapshot.guard()
    }

    fn has_finalizer(&self) -> bool {
        self.snapshot.finalizers().ours().is_some()
    }

    fn is_claimed(&self) -> bool {
        self.snapshot.is_claimed()
    }

    fn lacks(&self, _: &StatusUpdate) -> Option<Vec<String>> {
        self.lacks.clone()
    }
}

impl Reconcile<'_> {
    pub(super) async fn ask_kube(&mut self, step: &KubeStep) -> Result<(), KubeError> {
        tracing::debug!(step = step.name(), "to Kubernetes");
        match step {
            KubeStep::Refresh => self.refresh().await,
            KubeStep::LookAtCrd => self.look_at_crd().await,
            KubeStep::LookAtManagers => self.look_at_managers().await,
            KubeStep::Claim(claim) => self.claim(claim).await,
            KubeStep::Release(because) => self.release(because).await,
            KubeStep::Status { report, .. } => self.write_status(report).await,
        }
    }

    /// The object on which the step was decided that is asked for.
    fn decided_on(&self) -> Result<&Object, KubeError> {
        Ok(self.session.object().ok_or(session::Misuse::NotAsked)?)
    }

    /// Looks whether the object is really gone, and whether another one names its externalId: what that successor may adopt must not be deleted under it
    /// (R2).
    pub(super) async fn look_for_end(&mut self) -> Result<(), KubeError> {
        let ticket = self.sent()?;
        let found = api_server::get::<RawIdentity>(&self.context.runtime.client, &self.snapshot.key()).await?;
        let reply = if matches!(found, Outcome::Now(now) if *now.uid() == self.uid) {
            KubeReply::Lives
        } else {
            KubeReply::Ended {
                successors: api_server::has_another(
                    &self.context.runtime.apis,
                    &format!("spec.externalId={}", self.external_id),
                    &self.uid,
                )
                .await?,
            }
        };
        self.replied(ticket, reply).map(drop)
    }

    /// Looks how the object stands.
    async fn refresh(&mut self) -> Result<(), KubeError> {
        let (context, key, ticket) = (self.context, self.snapshot.key(), self.sent()?);
        let found = self.ask(api_server::get(&context.runtime.client, &key).boxed()).await?;
        self.take(ticket, found, None).map(drop)
    }

    /// Looks whether the whole type goes (R10).
    async fn look_at_crd(&mut self) -> Result<(), KubeError> {
        let ticket = self.sent()?;
        let (sight, said) = self.beside(api_server::crd::<RawIdentity>(&self.context.runtime.client).boxed()).await;
        self.said(said);
        let unread = sight.as_ref().err().map(|error| printable(&error.to_string(), MAX_WORDS));
        self.memory.with(|memory| memory.crd_unread = unread);
        let (asked_at, window) = (self.session.asked_at(), self.pinned.policy.window);
        let crd = self.context.crd_memory.lock().sees(sight?, asked_at, window);
        self.replied(ticket, KubeReply::Definition(crd)).map(drop)
    }

    /// Looks who wrote the object since its claim was last put on, as its managedFields tell.
    async fn look_at_managers(&mut self) -> Result<(), KubeError> {
        let (context, key, ticket) = (self.context, self.snapshot.key(), self.sent()?);
        let put_on = self.memory.with(|memory| memory.object_state.stripped.as_ref().map(|stripped| stripped.last));
        let manager = match put_on {
            None => None,
            Some(put_on) => {
                let ago = put_on.until(context.runtime.clock.now());
                let (manager, said) = self
                    .beside(Box::pin(api_server::last_manager::<RawIdentity>(&context.runtime.client, &key, ago)))
                    .await;
                self.said(said);
                manager.unwrap_or_else(|error| {
                    tracing::debug!(%error, "who takes the claim off cannot be seen");
                    None
                })
            }
        };
        self.replied(ticket, KubeReply::Manager(manager.as_deref())).map(drop)
    }

    async fn claim(&mut self, claim: &Claim) -> Result<(), KubeError> {
        let object = self.decided_on()?;
        let (key, patch) = (object.key.clone(), patch::claim(&self.snapshot, &object.guard, claim));
        let ticket = self.sent()?;
        let outcome = api_server::patch(&self.context.runtime.client, &key, patch).await?;
        if self.take(ticket, outcome, None)?.written {
            self.memory.with(|memory| memory.released = false);
        }
        Ok(())
    }

    async fn release(&mut self, because: &ReleaseProof) -> Result<(), KubeError> {
        let object = self.decided_on()?;
        let (key, patch) = (object.key.clone(), patch::release(&self.snapshot, &object.guard));
        let deleting = object.phase == domain::Phase::Deleting;
        self.before = Some(Arc::clone(&self.snapshot));
        // Before it is sent: the watch may show the end before the answer is here, and there may be none.
        let tried = self.memory.with(|memory| std::mem::replace(&mut memory.released, true));
        let (context, ticket) = (self.context, self.sent()?);
        let outcome = self.ask(api_server::patch(&context.runtime.client, &key, patch).boxed()).await?;
        if !matches!(outcome, Outcome::Now(_)) {
            // Taken back only if it was surely not carried out: without an answer it may have been, or still be.
            self.memory.with(|memory| memory.released = tried || !outcome.had_no_effect());
        }
        if self.take(ticket, outcome, None)?.written {
            if !deleting {
                // It lives on, and whatever it comes to own will have to be looked after.
                self.memory.with(|memory| memory.released = false);
            }
            tracing::info!(because = because.name(), deleting, "released the resource");
        }
        Ok(())
    }

    async fn write_status(&mut self, report: &StatusUpdate) -> Result<(), KubeError> {
        let before = self.snapshot.read_status();
        let raw = self.snapshot.raw_status();
        let object = self.decided_on()?;
        let key = object.key.clone();
        let after = status::render(report, &key, &self.uid, before.as_ref(), Timestamp::now());
        let after = serde_json::to_value(&after).map_err(|error| KubeError::Bug(kube::Error::SerdeError(error)))?;
        let mut patch = patch::status(&object.guard, raw.as_ref(), &after);
        if report.begins_takeover(&object.recorded) {
            patch = if_not_deleted(patch);
        }
        let ticket = self.sent()?;
        // Not told of if it takes long: what would tell is what hangs.
        let outcome = api_server::patch_status(&self.context.runtime.client, &key, patch).await?;
        if self.take(ticket, outcome, Some((report, &after)))?.written {
            if self.session.gone().is_none() && self.context.definition.keeps() {
                self.context.definition_changed();
            }
            let reason = report.verdict.reason();
            tracing::info!(%reason, generation = report.generation, "status written");
        }
        Ok(())
    }

    /// Waits for what Kubernetes answers about the object, and has the status say so if that takes long (R24): a webhook or a connection may hang
    /// for half a minute, and the reconcile holds the lock. What the status that was written meanwhile shows may be newer than the answer.
    async fn ask(
        &mut self,
        request: BoxFuture<'_, Result<Outcome<RawIdentity>, KubeError>>,
    ) -> Result<Outcome<RawIdentity>, KubeError> {
        let (answer, said) = self.beside(request).await;
        let was_said = matches!(said, Some(Outcome::Now(_)));
        self.said(said);
        Ok(match answer? {
            Outcome::Now(now) if was_said && *now.uid() == self.uid && now.version() < self.snapshot.version() => {
                Outcome::Now(Box::new(RawIdentity::clone(&self.snapshot)))
            }
            answer => answer,
        })
    }

    /// Takes in what a request to Kubernetes showed of the object. `sent`: the status that it wrote.
    fn take(
        &mut self,
        ticket: Ticket,
        outcome: Outcome<RawIdentity>,
        sent: Option<(&StatusUpdate, &Value)>,
    ) -> Result<Learned, KubeError> {
        let now: Arc<RawIdentity> = match outcome {
            Outcome::Now(now) => Arc::from(now),
            Outcome::Gone => return self.replied(ticket, KubeReply::Gone),
            Outcome::Stale(answer) => return self.replied(ticket, KubeReply::Stale(answer)),
            Outcome::Refused(answer) => return self.replied(ticket, KubeReply::Refused(answer)),
        };
        let mut lacks = None;
        if *now.uid() == self.uid {
            // Replies come in order, so what undoes an earlier one is a restore of etcd that the watch has not shown yet.
            if self.snapshot.progress().is_undone(&now.progress()) {
                self.context.index.rewind(&now);
            }
            self.is_shown(Arc::clone(&now));
            lacks = sent
                .filter(|(report, _)| !now.shows(report))
                .map(|(_, sent)| dropped_from(sent, &now.raw_status().unwrap_or_default(), "status"));
        }
        let dropped = lacks.clone().filter(|dropped| !dropped.is_empty());
        let learned = self.replied(ticket, KubeReply::Shown(&View { snapshot: &now, lacks }))?;
        if let Some(dropped) = dropped {
            self.context.definition.drops(dropped);
        }
        Ok(learned)
    }

    fn replied(&mut self, ticket: Ticket, reply: KubeReply<'_>) -> Result<Learned, KubeError> {
        let moment = self.moment();
        let learned = self.remembering(|session, memory| session.replied(ticket, reply, memory, moment))?;
        if let Some(refusal) = &learned.refusal {
            let write = refusal.write.as_str();
            tracing::warn!(write, code = refusal.code, error = %refusal.words, "Kubernetes refuses a write");
        }
        Ok(learned)
    }

    pub(super) async fn call(&mut self, call: &Call) -> Result<(), KubeError> {
        let (context, ticket) = (self.context, self.sent()?);
        let operation = upstream::operation(call);
        tracing::debug!(operation = operation.as_str(), "to Unkey");
        let pinned = Arc::clone(&self.pinned);
        let answer = match &pinned.unkey {
            Ok(client) => {
                let mut permit = self.permit.take();
                let (answer, said) = self.beside(send(&mut permit, context, client, operation, call)).await;
                self.permit = permit;
                self.said(said);
                answer
            }
            Err(missing) => upstream::without_key(missing),
        };
        log(operation, &answer);
        if let Some(object) = self.session.object() {
            change_log::note(object, &self.snapshot, call, &answer);
        }
        let now = context.runtime.clock.now();
        let moment = Moment { now, thrives: context.workspace.thrives(answer.is_failure(), now), ..self.moment() };
        let learned = self.remembering(|session, memory| session.answered(ticket, &answer.reply, memory, moment))?;
        let current = self.session.credential();
        if let Some(mark) = learned.proven.filter(|mark| mark != current) {
            context.index.looked(current, &mark, &Look::Hit);
        }
        if let Some(begun) = learned.shown {
            context.index.showed(current, begun);
        }
        if matches!((call, &answer.reply), (Call::Update { patch, .. }, Reply::Updated { .. }) if patch.limits.is_some())
        {
            self.tell_of_vanished_limits().await;
        }
        Ok(())
    }
}

/// One request on the wire, unless it would be refused.
async fn send(
    permit: &mut Permit,
    context: &Context,
    client: &unkey::Client,
    operation: unkey::Operation,
    call: &Call,
) -> CallAnswer {
    let request = async |client: &unkey::Client| upstream::perform(client, call).await;
    let sent = upstream::send(permit, &context.runtime.metrics, client, operation, request).await;
    sent.map_or_else(upstream::not_sent, upstream::answered)
}

fn log(operation: unkey::Operation, answer: &CallAnswer) {
    let operation = operation.as_str();
    match &answer.error {
        None if !answer.is_failure() => tracing::info!(operation, "request to Unkey succeeded"),
        None => tracing::warn!(operation, "no root key for a request to Unkey"),
        Some(error) => {
            tracing::warn!(operation, request_id = error.request_id(), %error, "request to Unkey refused or failed");
        }
    }
}
