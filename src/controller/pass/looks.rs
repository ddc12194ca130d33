//! What a pass asks Kubernetes: whether its object is still there, how it stands, and how fresh the last look at it is.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::Pass;
use crate::controller::clock::millis;
use crate::controller::kube::{self, KubeError, Outcome};
use crate::controller::snapshot::Snapshot;
use crate::controller::stray;
use crate::controller::table::lock;
use crate::domain::{self, Mono};
use crate::text::printable;

/// Characters that are kept of why the definition cannot be read.
const MAX_WORDS: usize = 300;

impl Pass<'_> {
    /// Waits for what Kubernetes answers about the object, and has the status say so if that takes long (R24): a webhook or a connection may hang
    /// for half a minute, and the pass has the turn. What the status that was written meanwhile shows may be newer than the answer.
    pub(super) async fn ask(
        &mut self,
        request: BoxFuture<'_, Result<Outcome, KubeError>>,
    ) -> Result<Outcome, KubeError> {
        let (answer, said) = self.beside(request).await;
        let was_said = matches!(said, Some(Outcome::Now(_)));
        self.said(said);
        Ok(match answer? {
            Outcome::Now(now) if was_said && *now.uid() == self.uid && now.version() < self.snapshot.version() => {
                Outcome::Now(Box::new(Snapshot::clone(&self.snapshot)))
            }
            answer => answer,
        })
    }

    /// Looks how the object stands.
    pub(super) async fn refresh(&mut self) -> Result<(), KubeError> {
        let (context, key) = (self.context, self.snapshot.key());
        let found = self.ask(kube::get(&context.client, &key).boxed()).await?;
        self.take(found);
        // Asked again at once, it would be as slow.
        if self.gone.is_none() && self.looked.is_some_and(|at| !self.is_recent(at)) {
            Err(KubeError::Slow)
        } else {
            Ok(())
        }
    }

    /// Looks whether the whole type goes (R10).
    pub(super) async fn look_at_crd(&mut self) -> Result<(), KubeError> {
        let (sight, said) = self.beside(kube::crd(&self.context.client).boxed()).await;
        self.said(said);
        lock(&self.memory).crd_unread = sight.as_ref().err().map(|error| printable(&error.to_string(), MAX_WORDS));
        self.crd = lock(&self.context.crd_memory).sees(sight?, self.asked, self.access.policy.window);
        Ok(())
    }

    /// Looks whether the object is really gone, and whether another one names its externalId: what that heir may adopt must
    /// not be deleted under it (R2).
    pub(super) async fn is_gone(&mut self) -> Result<bool, KubeError> {
        self.asked = self.context.clock.now();
        let found = kube::get(&self.context.client, &self.snapshot.key()).await?;
        if matches!(found, Outcome::Now(now) if *now.uid() == self.uid) {
            return Ok(false);
        }
        self.gone = Some(kube::has_heirs(&self.context.apis, &self.external_id, &self.uid).await?);
        self.looked = Some(self.asked);
        Ok(true)
    }

    /// What was seen is as good as new: nothing was done since, this process has not stood still, and the answer took no time in which the
    /// user may have thought better of it. What is gone does not come back.
    pub(super) fn is_fresh(&self) -> bool {
        let counts = |at: Mono| self.gone.is_some() || self.is_recent(at);
        self.looked.is_some_and(|at| self.context.heart.beats_since(at) && counts(at))
    }

    fn is_recent(&self, asked: Mono) -> bool {
        self.context.clock.now() <= asked.after(domain::LOOK_MS)
    }

    /// The object may change from here on; what is gone stays gone.
    pub(super) fn look_again(&mut self) {
        if self.gone.is_none() {
            self.looked = None;
        }
    }

    /// A read shows no such object and the watch still does. Nearly always the watch is about to follow. Returns when to look again.
    pub(super) fn contradicted(&self) -> Duration {
        let failures = {
            let mut memory = lock(&self.memory);
            memory.kube_failures += 1;
            memory.kube_failures
        };
        let wait = self.context.kube_backoff(failures);
        let retry_ms = millis(wait);
        if failures > 1 {
            tracing::warn!(
                retry_ms,
                "the API server says that this Identity does not exist, but its watch still shows it"
            );
        }
        wait
    }

    /// The object is gone: what it may have left in Unkey is looked after.
    pub(super) fn leaves(&self) {
        let recorded = self.snapshot.claimant(self.snapshot.read_status().as_ref()).recorded;
        let visits = lock(&self.memory).visits.clone();
        domain::ended(&self.uid, recorded.as_ref(), &mut self.turn.known(), &visits, self.context.clock.now());
        stray::look(&self.snapshot, self.context);
    }
}
