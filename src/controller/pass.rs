//! One pass over one object: gather, decide, perform, learn, until there is nothing left to do now.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::kube::runtime::controller::Action;
use k8s_openapi::jiff::Timestamp;

use super::clock::millis;
use super::kube::{self, KubeError, Outcome};
use super::run::Context;
use super::snapshot::Snapshot;
use super::table::{Memory, Ref, Turn, lock};
use super::{patch, status, upstream};
use crate::domain::{
    self, Call, ExternalId, Freed, KubeStep, Mark, Note, Object, Phase, Policy, Report, Situation, Step, Telling, Uid,
    Wake,
};

/// A pass has a handful of steps; more than this means that somebody edits the object all the time.
const MAX_STEPS: usize = 64;
/// How long the identity of an object that vanished in mid-pass is tried to be deleted: nothing else remembers it.
const MAX_STRAY_WAIT: Duration = Duration::from_secs(600);

/// One pass in progress.
pub struct Pass<'a> {
    context: &'a Context,
    turn: Turn<'a>,
    memory: Arc<Mutex<Memory>>,
    policy: Arc<Policy>,
    external_id: ExternalId,
    uid: Uid,
    snapshot: Arc<Snapshot>,
    fresh: bool,
    gone: Option<bool>,
}

/// Runs one pass over what the cache holds of an object.
pub async fn run(cached: Arc<Snapshot>, context: &Context) -> Result<Action, KubeError> {
    let external_id = cached.external_id();
    let uid = cached.uid();
    let Some(turn) = context.table.try_turn(&external_id, &Ref::from_obj(&*cached)) else {
        return Ok(Action::await_change());
    };
    let memory = context.table.memory(&uid);
    let snapshot = newest(&memory, cached);
    domain::begin_pass(&mut turn.known());
    let policy = context.policy();
    let mut pass = Pass { context, turn, memory, policy, external_id, uid, snapshot, fresh: false, gone: None };
    let result = pass.steps().await;
    if result.is_ok() {
        lock(&pass.memory).kube_failures = 0;
    }
    result
}

/// The cache may be older than what a reply has shown.
fn newest(memory: &Mutex<Memory>, cached: Arc<Snapshot>) -> Arc<Snapshot> {
    let mut memory = lock(memory);
    match &memory.newest {
        Some(newest) if newest.version() > cached.version() => Arc::clone(newest),
        _ => {
            memory.newest = None;
            cached
        }
    }
}

impl Pass<'_> {
    async fn steps(&mut self) -> Result<Action, KubeError> {
        for _ in 0..MAX_STEPS {
            let (object, step) = self.decide();
            if self.context.is_draining() && !self.records(&step) {
                return Ok(Action::await_change());
            }
            match step {
                Step::Done | Step::Wait(Wake::Change) => return Ok(Action::await_change()),
                Step::Wait(Wake::At(at)) => {
                    let wait = Duration::from_millis(self.context.clock.now().until(at));
                    if self.gone.is_none() {
                        return Ok(Action::requeue(wait));
                    }
                    // The queue knows only objects that exist; this wait has to be sat out.
                    tokio::time::sleep(wait.min(MAX_STRAY_WAIT)).await;
                }
                Step::Kube(step) => self.perform_kube(&object, step).await?,
                Step::Call(call) => self.perform_call(&object, &call).await,
            }
        }
        tracing::warn!("the object changes faster than it can be worked on; trying again");
        Ok(Action::requeue(Duration::from_secs(1)))
    }

    fn decide(&self) -> (Object, Step) {
        let now = self.context.clock.now();
        let mut memory = lock(&self.memory);
        let Memory { visits, pokes, .. } = &mut *memory;
        let mut object = self.snapshot.read(self.fresh, now, pokes);
        if let Some(heirs) = self.gone {
            object.phase = Phase::Gone { heirs };
        }
        let role = self.context.table.role(&self.external_id, &self.uid);
        let mut known = self.turn.known();
        domain::observe(&object, &mut known, visits, &self.policy, now);
        let situation = Situation { object: &object, role, known: &known, visits, policy: &self.policy, now };
        let step = domain::decide(&situation);
        drop(known);
        (object, step)
    }

    /// Shutting down, a pass only records what Unkey has already done (S42).
    fn records(&self, step: &Step) -> bool {
        let answered = !matches!(self.turn.known().last, domain::LastWrite::None);
        match step {
            Step::Kube(KubeStep::Status { .. } | KubeStep::Release(_)) => true,
            Step::Kube(KubeStep::Refresh) => answered,
            _ => false,
        }
    }

    async fn perform_kube(&mut self, object: &Object, step: KubeStep) -> Result<(), KubeError> {
        let context = self.context;
        let client = &context.client;
        tracing::debug!(step = step.name(), "to Kubernetes");
        match step {
            KubeStep::Refresh => {
                let outcome = kube::get(client, &object.key).await?;
                self.take(outcome).await
            }
            KubeStep::Claim(claim) => {
                let patch = patch::claim(&self.snapshot, &object.guard, &claim);
                let outcome = kube::patch(client, &object.key, patch).await?;
                if matches!(outcome, Outcome::Now(_)) {
                    domain::claimed(object, &mut lock(&self.memory).visits);
                }
                self.take(outcome).await
            }
            KubeStep::Release(because) => {
                let patch = patch::release(&self.snapshot, &object.guard);
                lock(&self.memory).releasing = object.phase == Phase::Deleting;
                let before = Arc::clone(&self.snapshot);
                let outcome = kube::patch(client, &object.key, patch).await?;
                let done = !matches!(outcome, Outcome::Stale);
                self.take(outcome).await?;
                if done {
                    tracing::info!(because = because.name(), deleting = object.phase == Phase::Deleting, "released");
                    if let Some(note) = orphaned(object, &because) {
                        context.events.note(&before, &note).await;
                    }
                }
                Ok(())
            }
            KubeStep::Status { report, notes } => self.write_status(object, &report, &notes).await,
        }
    }

    async fn write_status(&mut self, object: &Object, report: &Report, notes: &[Note]) -> Result<(), KubeError> {
        let before = self.snapshot.read_status();
        let raw = self.snapshot.status.as_ref().filter(|_| before.is_some());
        let raw = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let after = status::render(report, &object.key, &self.uid, before.as_ref(), Timestamp::now());
        let after = serde_json::to_value(&after).map_err(|error| KubeError::Bug(::kube::Error::SerdeError(error)))?;
        let patch = patch::status(&object.guard, raw.as_ref(), &after);
        let outcome = kube::patch_status(&self.context.client, &object.key, patch).await?;
        let written = matches!(outcome, Outcome::Now(_));
        self.take(outcome).await?;
        if written {
            let reason = report.verdict.reason();
            tracing::info!(%reason, generation = report.generation, "status written");
            for note in notes {
                self.context.events.note(&self.snapshot, note).await;
            }
            let stalled_before = object.recorded.own().is_some_and(|record| record.shown.stalled);
            if report.verdict.is_stalled() && !stalled_before {
                self.context.events.stalled(&self.snapshot, report).await;
            }
        }
        Ok(())
    }

    /// Takes in what a request to Kubernetes showed of the object.
    async fn take(&mut self, mut outcome: Outcome) -> Result<(), KubeError> {
        if matches!(outcome, Outcome::Stale) {
            outcome = kube::get(&self.context.client, &self.snapshot.key()).await?;
        }
        match outcome {
            Outcome::Now(now) if now.uid() == self.uid => {
                self.context.table.update(&now);
                self.snapshot = Arc::from(now);
                lock(&self.memory).newest = Some(Arc::clone(&self.snapshot));
                self.fresh = true;
            }
            // Gone, or another object has taken the name. The last object released ends here too.
            Outcome::Now(_) | Outcome::Gone | Outcome::Stale => {
                let heirs = kube::has_heirs(&self.context.apis, &self.external_id, &self.uid).await?;
                self.gone = Some(heirs);
                self.fresh = true;
            }
        }
        Ok(())
    }

    async fn perform_call(&mut self, object: &Object, call: &Call) {
        let context = self.context;
        let begun = context.clock.now();
        {
            let deadline = begun.after(millis(context.unkey.request_timeout()));
            let mut memory = lock(&self.memory);
            domain::begin(object, call, &mut self.turn.known(), &mut memory.visits, deadline);
        }
        let operation = upstream::operation(call);
        let timer = context.metrics.upstream_begins();
        let answer = upstream::perform(&context.unkey, call).await;
        timer.ends(operation, upstream::outcome(&answer));
        match &answer.error {
            None => tracing::info!(operation = operation.as_str(), "done in Unkey"),
            Some(error) => tracing::warn!(
                operation = operation.as_str(),
                request_id = error.request_id(),
                %error,
                "refused or failed in Unkey"
            ),
        }
        self.fresh = self.gone.is_some();
        let note = {
            let telling = Telling { begun, now: context.clock.now(), dice: context.dice() };
            let mut memory = lock(&self.memory);
            let mut known = self.turn.known();
            domain::learn(object, call, &answer.reply, &mut known, &mut memory.visits, &self.policy, telling)
        };
        if let Some(note) = note {
            context.events.note(&self.snapshot, &note).await;
        }
    }
}

/// What is left in Unkey although the resource goes deserves an event.
fn orphaned(object: &Object, because: &Freed) -> Option<Note> {
    let left = match because {
        Freed::Orphaned | Freed::NeverClaimed => object.phase == Phase::Deleting,
        Freed::NotOurs => object.phase == Phase::Deleting && object.mark == Mark::Foreign,
        Freed::NeverSent | Freed::Deleted(_) | Freed::Gone(_) => false,
    };
    left.then(|| Note::Orphaned(object.external_id.clone()))
}
