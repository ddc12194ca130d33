//! The writes of a pass to its object in Kubernetes, and what becomes of one that is refused (R25). It decides none of them.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;

use super::Pass;
use crate::api::dropped_from;
use crate::controller::kube::{self, KubeError, Outcome};
use crate::controller::table::lock;
use crate::controller::{patch, status};
use crate::domain::{self, Claim, Freed, KubeWrite, Note, Object, Phase, Refused, Report};

impl Pass<'_> {
    pub(super) async fn claim(&mut self, object: &Object, claim: &Claim) -> Result<(), KubeError> {
        let patch = patch::claim(&self.snapshot, &object.guard, claim);
        let (policy, now) = (&self.access.policy, self.context.clock.now());
        let noted = domain::claiming(object, claim, &mut lock(&self.memory).visits, policy, now);
        let outcome = kube::patch(&self.context.client, &object.key, patch).await?;
        if outcome.had_no_effect() {
            domain::not_claimed(claim, noted, &mut lock(&self.memory).visits);
        }
        if self.written(KubeWrite::Claim, object, outcome).await? {
            let stays = self.snapshot.is_claimed();
            let mut memory = lock(&self.memory);
            domain::put_on(object, claim, stays, &mut memory.visits, self.context.clock.now());
            domain::claimed(object, &mut memory.visits);
            memory.released = false;
            drop(memory);
            self.claimed = true;
        }
        Ok(())
    }

    pub(super) async fn release(&mut self, object: &Object, because: &Freed) -> Result<(), KubeError> {
        let patch = patch::release(&self.snapshot, &object.guard);
        let before = Arc::clone(&self.snapshot);
        // Before it is sent: the watch may show the end before the answer is here, and there may be none.
        let tried = {
            let mut memory = lock(&self.memory);
            domain::releasing(because, &mut memory.visits);
            std::mem::replace(&mut memory.released, true)
        };
        let context = self.context;
        let outcome = self.ask(kube::patch(&context.client, &object.key, patch).boxed()).await?;
        // Taken back only if it was surely not carried out: without an answer it may have been, or still be.
        let had_no_effect = outcome.had_no_effect();
        if had_no_effect {
            domain::not_released(&mut lock(&self.memory).visits);
        }
        if !self.written(KubeWrite::Release, object, outcome).await? {
            lock(&self.memory).released = tried || !had_no_effect;
            return Ok(());
        }
        if self.gone.is_none() && self.snapshot.finalizers().ours().is_some() {
            self.is_refused(KubeWrite::Release, object, &kube::without_effect("the finalizer is still there"));
            return Ok(());
        }
        domain::released(&self.uid, &mut self.turn.known(), &mut lock(&self.memory).visits);
        tracing::info!(because = because.name(), deleting = object.phase == Phase::Deleting, "released");
        if let Some(note) = because.leaves(object) {
            self.tell(&before, &note).await;
        }
        Ok(())
    }

    pub(super) async fn write_status(
        &mut self,
        object: &Object,
        report: &Report,
        notes: &[Note],
    ) -> Result<(), KubeError> {
        let before = self.snapshot.read_status();
        let raw = self.snapshot.raw_status();
        let after = status::render(report, &object.key, &self.uid, before.as_ref(), Timestamp::now());
        let after = serde_json::to_value(&after).map_err(|error| KubeError::Bug(::kube::Error::SerdeError(error)))?;
        let mut patch = patch::status(&object.guard, raw.as_ref(), &after);
        if domain::begins_takeover(report, &object.recorded) {
            patch = patch::if_not_deleted(patch);
        }
        // Not told of if it takes long: what would tell is what hangs.
        let outcome = kube::patch_status(&self.context.client, &object.key, patch).await?;
        if !self.written(KubeWrite::Status, object, outcome).await? {
            self.tell_unwritten(report).await;
            return Ok(());
        }
        if self.gone.is_none() && !self.snapshot.shows(report) {
            let dropped = dropped_from(&after, &self.snapshot.raw_status().unwrap_or_default(), "status");
            self.is_refused(KubeWrite::Status, object, &kube::without_effect(&without(&dropped)));
            if !dropped.is_empty() {
                self.context.definition.drops(dropped);
            }
            self.tell_unwritten(report).await;
            return Ok(());
        }
        if self.gone.is_none() && self.context.definition.keeps() {
            self.context.definition_changed();
        }
        let reason = report.verdict.reason();
        tracing::info!(%reason, generation = report.generation, "status written");
        let about = Arc::clone(&self.snapshot);
        for note in notes {
            self.tell(&about, note).await;
        }
        if report.begins_stall(&object.recorded) {
            self.context.events.stalled(&about, report).await;
        }
        Ok(())
    }

    /// Takes in the answer to a write. True: it was accepted, and the object is as the answer shows it.
    async fn written(&mut self, write: KubeWrite, object: &Object, outcome: Outcome) -> Result<bool, KubeError> {
        let answer = match outcome {
            Outcome::Refused(answer) => answer,
            Outcome::Stale(answer) => {
                self.asked = self.context.clock.now();
                self.refresh().await?;
                let after = self.gone.is_none().then(|| self.snapshot.guard());
                if !domain::is_refusal(&object.guard, after.as_ref(), &mut lock(&self.memory).visits) {
                    return Ok(false);
                }
                answer
            }
            outcome => {
                let accepted = matches!(outcome, Outcome::Now(_));
                self.take(outcome);
                if accepted {
                    domain::accepted(write, &mut lock(&self.memory).visits);
                }
                return Ok(accepted);
            }
        };
        self.is_refused(write, object, &answer);
        Ok(false)
    }

    /// Kubernetes refuses a write (R25). It is tried again in time; what it was for waits.
    fn is_refused(&mut self, write: KubeWrite, object: &Object, answer: &Refused) {
        let (now, dice) = (self.context.clock.now(), self.context.dice());
        let mut memory = lock(&self.memory);
        let begins = domain::refused(object, write, answer, &mut memory.visits, now, dice);
        if let Some(refusal) = memory.visits.refusals.of(write).filter(|_| begins) {
            tracing::warn!(write = write.as_str(), code = answer.code, error = %refusal.words, "Kubernetes refuses a write");
        }
        drop(memory);
        // The answer shows nothing of the object.
        self.look_again();
    }

    /// What the status cannot say, an event does, once.
    async fn tell_unwritten(&mut self, report: &Report) {
        let untold = lock(&self.memory).visits.refusals.untold().cloned();
        let Some(refusal) = untold else { return };
        let about = Arc::clone(&self.snapshot);
        if self.context.events.unwritten(&about, report, &refusal).await {
            domain::told(refusal.write, &mut lock(&self.memory).visits);
        }
        self.look_again();
    }

    /// However it came that a write is refused no more.
    pub(super) fn tell_what_is_taken_again(&self) {
        let memory = lock(&self.memory);
        for write in self.refused.iter().filter(|write| memory.visits.refusals.of(**write).is_none()) {
            tracing::info!(write = write.as_str(), "Kubernetes refuses this write no more");
        }
    }

    /// Who wrote the object since its claim was last put on, as its managedFields tell.
    pub(super) async fn last_manager(&self, object: &Object) -> Option<String> {
        let put_on = lock(&self.memory).visits.stripped.as_ref().map(|stripped| stripped.last)?;
        let ago = Duration::from_millis(put_on.until(self.context.clock.now()));
        match kube::last_manager(&self.context.client, &object.key, ago).await {
            Ok(manager) => manager,
            Err(error) => {
                tracing::debug!(%error, "who takes the claim off cannot be seen");
                None
            }
        }
    }
}

/// What became of a status that was accepted.
fn without(dropped: &[String]) -> String {
    if dropped.is_empty() {
        return "the status is not what was written".to_owned();
    }
    let fields = dropped.join(", ");
    format!(
        "the status is not what was written: it lacks {fields}. The CustomResourceDefinition may be older than the operator"
    )
}
