//! One pass over one object: gather, decide, perform, learn, until nothing is left to do now. `writing` does its writes to the object.

mod looks;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use ::kube::runtime::controller::Action;

use super::access::Access;
use super::clock::millis;
use super::context::Context;
use super::kube::{KubeError, Outcome};
use super::permits::{Need, Slot};
use super::snapshot::{LastSpec, Snapshot};
use super::stray::Again;
use super::table::{Memory, Plan, Ref, Remembered, Turn, lock};
use super::upstream::Answer;
use super::{overdue, upstream};
use crate::domain::{
    self, Call, Crd, ExternalId, KubeStep, KubeWrite, Look, Mono, Note, Object, Phase, Situation, Step, Telling, Uid,
    Wake,
};
use crate::unkey;

/// A pass has a handful of steps; more than this means that somebody edits the object all the time.
const MAX_STEPS: usize = 64;

/// One pass in progress.
pub struct Pass<'a> {
    context: &'a Arc<Context>,
    turn: Turn<'a>,
    memory: Remembered<'a>,
    access: Arc<Access>,
    external_id: ExternalId,
    uid: Uid,
    snapshot: Arc<Snapshot>,
    spec: LastSpec,
    /// When the request to Kubernetes began that is under way, or was the last.
    asked: Mono,
    /// When the look began that allows a write to Unkey; `None`: a new one is needed (R11).
    looked: Option<Mono>,
    crd: Crd,
    gone: Option<bool>,
    /// It has put on a claim.
    claimed: bool,
    /// What it may do beside looking at what is in memory.
    slot: Slot,
    /// What Kubernetes refused when it began.
    refused: Vec<KubeWrite>,
}

/// Runs one pass over what the cache holds of an object.
pub async fn run(cached: Arc<Snapshot>, context: &Arc<Context>) -> Result<Action, KubeError> {
    let (uid, external_id) = (cached.uid().clone(), cached.external_id().clone());
    let Some(mut pass) = Pass::begin(cached, context) else {
        // It comes back when the turn is free; others can go on meanwhile. That a status is being written takes moments.
        if !context.table.is_telling(&external_id) {
            context.permits.forget(&uid);
        }
        context.table.waits_for_turn(&external_id, &uid);
        return Ok(Action::await_change());
    };
    context.table.runs(&external_id, &uid);
    let result = pass.steps().await;
    pass.tell_what_is_taken_again();
    if !matches!(result, Ok(End::Queued)) {
        context.permits.forget(&uid);
    }
    // Its end may have come while a create was under way: the queue, which knows only what exists, will not come back to it.
    let is_watched = context.table.knows(&pass.external_id, &pass.uid);
    if !is_watched {
        pass.leaves();
    }
    let end = match result? {
        End::Gone if is_watched => End::Wait(pass.contradicted()),
        end => {
            lock(&pass.memory).kube_failures = 0;
            end
        }
    };
    let (plan, action) = match end {
        End::Done | End::Gone | End::Lives => (Plan::Nothing, Action::await_change()),
        End::Rests | End::Witness(_) => (Plan::Change, Action::await_change()),
        End::Queued => (Plan::Permit, Action::await_change()),
        End::Wait(wait) => (context.table.at(wait), Action::requeue(wait)),
    };
    context.table.plans(&external_id, &uid, plan);
    Ok(action)
}

/// Runs one pass over an object that is gone. `None`: another pass has the turn; else how long to wait for the next one, if
/// there has to be one.
pub async fn clear_up(gone: Arc<Snapshot>, context: &Arc<Context>) -> Option<Result<Option<Again>, KubeError>> {
    let mut pass = Pass::begin(gone, context)?;
    Some(match pass.is_gone().await {
        Err(error) => Err(error),
        // It left the selection of `--selector`, and lives.
        Ok(false) => Ok(None),
        Ok(true) => pass.steps().await.map(|end| match end {
            End::Wait(wait) => Some(Again::After(wait)),
            End::Witness(ended) => Some(Again::WithWitness(ended)),
            // It waits for its permits where it is.
            End::Queued => Some(Again::After(Duration::ZERO)),
            End::Lives => None,
            End::Done | End::Rests | End::Gone => {
                pass.turn.known().cleared_up();
                None
            }
        }),
    })
}

/// How a pass ended.
enum End {
    Done,
    /// Until something else changes.
    Rests,
    Wait(Duration),
    /// It waits for a witness for a read that was answered then (R19).
    Witness(Mono),
    /// A read proves that the object went meanwhile. Whether it did, the watch has to say too.
    Gone,
    /// What was taken for gone lives: it left the selection of `--selector`.
    Lives,
    /// It is woken when there is a permit for what it wants to do.
    Queued,
}

/// Whether a pass may go on.
enum Admission {
    Granted,
    /// Granted after a while: what was decided may be out of date.
    Late,
    Queued,
}

impl Drop for Pass<'_> {
    /// However it ended: what a scan found has had its look.
    fn drop(&mut self) {
        lock(&self.memory).finding = None;
        self.context.table.drops(&self.external_id, &self.uid);
    }
}

impl<'a> Pass<'a> {
    /// Takes the turn, if it is free.
    fn begin(cached: Arc<Snapshot>, context: &'a Arc<Context>) -> Option<Self> {
        let (external_id, uid) = (cached.external_id().clone(), cached.uid().clone());
        let turn = context.table.try_turn(&external_id, &Ref::from_obj(&*cached))?;
        let memory = context.table.memory(&uid);
        let snapshot = lock(&memory).newest(cached);
        domain::begin_pass(&mut turn.known());
        let (access, crd) = (context.access(), context.crd);
        let slot = context.permits.reserved(&uid);
        let refused = lock(&memory).visits.refusals.iter().map(|refusal| refusal.write).collect();
        Some(Self {
            context,
            turn,
            memory,
            access,
            external_id,
            uid,
            snapshot,
            spec: LastSpec::default(),
            asked: context.clock.now(),
            looked: None,
            crd,
            gone: None,
            claimed: false,
            slot,
            refused,
        })
    }

    async fn steps(&mut self) -> Result<End, KubeError> {
        let clearing_up = self.gone.is_some();
        for _ in 0..MAX_STEPS {
            if !self.context.leads() {
                // Another one may act already. This process is about to end.
                return Ok(End::Done);
            }
            if clearing_up && !self.is_fresh() {
                // An heir may have come since.
                return Ok(End::Wait(Duration::ZERO));
            }
            let (object, step) = self.decide();
            if !clearing_up && self.gone.is_some() {
                return Ok(End::Gone);
            }
            if self.context.is_draining() && !clearing_up && !self.is_worth_ending(&step) {
                return Ok(End::Done);
            }
            // Asked under a key that is no longer in use, Unkey says nothing of the workspace that counts by now, and what it
            // says would be remembered as if it did (R15).
            if matches!(step, Step::Call(_)) && self.is_outdated() {
                return Ok(End::Wait(Duration::ZERO));
            }
            match self.admit(&object, &step).await {
                Admission::Granted => {}
                Admission::Late => {
                    // What was seen before the wait allows no write any more (R11); an heir may have come (R2).
                    if clearing_up && !self.is_gone().await? {
                        return Ok(End::Lives);
                    }
                    self.look_again();
                    continue;
                }
                Admission::Queued => return Ok(End::Queued),
            }
            domain::concluded(&step, &mut lock(&self.memory).visits);
            match step {
                Step::Done => return Ok(End::Done),
                Step::Wait(Wake::Change) => return Ok(End::Rests),
                Step::Wait(Wake::Proof) => {
                    self.context.table.wants_proof();
                    return Ok(End::Rests);
                }
                Step::Wait(Wake::Witness) => {
                    let ended = self.turn.known().unwitnessed.unwrap_or_default();
                    if !clearing_up {
                        let at = Some(Ref::from_obj(&*self.snapshot));
                        self.context.table.wants_witness(at, ended, object.is_leaving());
                    }
                    return Ok(End::Witness(ended));
                }
                Step::Wait(Wake::At(at)) => {
                    return Ok(End::Wait(Duration::from_millis(self.context.clock.now().until(at))));
                }
                Step::Kube(step) => self.perform_kube(&object, step).await?,
                Step::Call(call) => self.perform_call(&object, &call).await,
            }
        }
        tracing::warn!("the object changes faster than it can be worked on; trying again");
        Ok(End::Wait(Duration::from_secs(1)))
    }

    /// Whether a process that is about to end does this yet: it records what Unkey has done, and creates what it has just claimed.
    /// Whoever comes upon that claim has to take the create for sent, and can call the object Ready only a window later.
    fn is_worth_ending(&mut self, step: &Step) -> bool {
        let creates = self.claimed && matches!(step, Step::Call(Call::Create(_)));
        // It begins now or never.
        creates && self.slot.allows(Need::Call) || step.only_records(&self.turn.known())
    }

    /// Asks for what the step needs: a place among the workers, and a call where it leads to one. Who waits holds nothing.
    async fn admit(&mut self, object: &Object, step: &Step) -> Admission {
        let permits = &self.context.permits;
        let need = match step {
            Step::Done | Step::Wait(_) => return Admission::Granted,
            // Whether a call follows is not known yet, and a long pause must not hold back an orphan (R10).
            Step::Kube(KubeStep::LookAtCrd) if permits.is_paused() => Need::Writes,
            step if step.is_for_a_call(object) => Need::Call,
            _ => Need::Writes,
        };
        if self.slot.allows(need) {
            return Admission::Granted;
        }
        self.slot.give_back();
        let at = Ref::from_obj(&*self.snapshot);
        let namespace = at.namespace.as_deref().unwrap_or_default();
        if self.slot.has_sent() {
            let (slot, said) = self.beside(permits.go_on(namespace)).await;
            self.said(said);
            if let Some(slot) = slot {
                self.slot = slot;
                return Admission::Late;
            }
        }
        if self.gone.is_some() {
            // The queue does not know it, so it cannot be woken.
            self.slot = permits.acquire(namespace, need).await;
            return Admission::Late;
        }
        match permits.enter(&at, &self.uid, need) {
            Some(slot) => {
                self.slot = slot;
                Admission::Granted
            }
            None => Admission::Queued,
        }
    }

    /// Another root key has come into use since this pass began.
    fn is_outdated(&self) -> bool {
        self.context.present_key() != self.access.policy.credential
    }

    fn decide(&mut self) -> (Object, Step) {
        let (now, fresh) = (self.context.clock.now(), self.is_fresh());
        let role = self.context.table.role(&self.external_id, &self.uid);
        let mut memory = lock(&self.memory);
        let Memory { visits, pokes, .. } = &mut *memory;
        let mut object = self.snapshot.read_again(&mut self.spec, fresh, now, &self.context.walls, pokes);
        if let Some(heirs) = self.gone {
            object.phase = Phase::Gone { heirs };
        }
        let mut known = self.turn.known();
        let policy = &self.access.policy;
        let witness = &self.context.table.witness();
        known.hear_witness(witness, policy.window, object.is_leaving());
        domain::observe(&object, &mut known, visits, policy, now);
        let gate = &self.context.table.gate(&object);
        let (crd, entry) = (self.crd, self.context.entry());
        let situation =
            Situation { object: &object, role, known: &known, visits, gate, witness, crd, entry, policy, now };
        let step = domain::decide(&situation);
        drop(known);
        (object, step)
    }

    async fn perform_kube(&mut self, object: &Object, step: KubeStep) -> Result<(), KubeError> {
        tracing::debug!(step = step.name(), "to Kubernetes");
        self.asked = self.context.clock.now();
        match step {
            KubeStep::Refresh => self.refresh().await,
            KubeStep::LookAtCrd => self.look_at_crd().await,
            KubeStep::LookAtManagers => {
                let (manager, said) = self.beside(Box::pin(self.last_manager(object))).await;
                self.said(said);
                domain::managers_seen(manager.as_deref(), &mut lock(&self.memory).visits);
                Ok(())
            }
            KubeStep::Claim(claim) => self.claim(object, &claim).await,
            KubeStep::Release(because) => self.release(object, &because).await,
            KubeStep::Status { report, notes } => self.write_status(object, &report, &notes).await,
        }
    }

    /// Takes in what a request to Kubernetes showed of the object.
    fn take(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Now(now) if *now.uid() == self.uid => {
                // Replies come in order, so what undoes an earlier one is a restore of etcd that the watch has not shown yet.
                if self.snapshot.progress().is_undone(&now.progress()) {
                    self.context.table.rewind(&now);
                }
                self.context.metrics.synced(self.context.table.update(&now));
                self.snapshot = Arc::from(now);
                lock(&self.memory).newest = Some(Arc::clone(&self.snapshot));
                self.looked = Some(self.asked);
            }
            // Gone, or another object has taken the name.
            Outcome::Now(_) | Outcome::Gone => self.gone = Some(true),
            // Nothing of it was shown.
            Outcome::Stale(_) | Outcome::Refused(_) => self.look_again(),
        }
    }

    async fn perform_call(&mut self, object: &Object, call: &Call) {
        let context = self.context;
        let begun = context.clock.now();
        {
            let deadline = begun.after(millis(context.request_timeout()));
            let mut memory = lock(&self.memory);
            domain::begin(object, call, &mut self.turn.known(), &mut memory.visits, deadline);
        }
        let operation = upstream::operation(call);
        tracing::debug!(operation = operation.as_str(), "to Unkey");
        let access = Arc::clone(&self.access);
        let answer = match &access.unkey {
            Ok(client) => {
                let mut slot = self.slot.take();
                let (answer, said) = self.beside(send(&mut slot, context, client, operation, call)).await;
                self.slot = slot;
                self.said(said);
                answer
            }
            Err(missing) => upstream::without_key(missing),
        };
        match &answer.error {
            None if !answer.is_failure() => tracing::info!(operation = operation.as_str(), "done in Unkey"),
            None => tracing::warn!(operation = operation.as_str(), "there is no root key to ask Unkey with"),
            Some(error) => tracing::warn!(
                operation = operation.as_str(),
                request_id = error.request_id(),
                %error,
                "refused or failed in Unkey"
            ),
        }
        self.look_again();
        let note = {
            let now = context.clock.now();
            let thrives = context.thrives(answer.is_failure(), now);
            let telling = Telling { begun, now, dice: context.dice(), thrives };
            let mut memory = lock(&self.memory);
            let mut known = self.turn.known();
            domain::learn(object, call, &answer.reply, &mut known, &mut memory.visits, &self.access.policy, telling)
        };
        let current = &self.access.policy.credential;
        if let Some(mark) = domain::proven_by(object, call, &answer.reply).filter(|mark| *mark != current) {
            context.table.looked(current, mark, &Look::Hit);
        }
        if matches!(answer.reply, domain::Reply::Found { .. }) {
            context.table.showed(current, begun);
        }
        if let Some(note) = note {
            let about = Arc::clone(&self.snapshot);
            self.tell(&about, &note).await;
        }
    }

    /// Waits for `work`, and has the status say so if that takes long (R24).
    async fn beside<T>(&self, work: impl Future<Output = T>) -> (T, Option<Outcome>) {
        if self.gone.is_some() {
            return (work.await, None);
        }
        overdue::beside(work, self.context, &self.turn, &self.memory, &self.snapshot).await
    }

    /// Takes in what the status that was written beside the work has shown. It is no look: the work went on meanwhile (R11).
    fn said(&mut self, outcome: Option<Outcome>) {
        if let Some(Outcome::Now(now)) = outcome
            && *now.uid() == self.uid
        {
            self.context.metrics.synced(self.context.table.update(&now));
            self.snapshot = Arc::from(now);
            lock(&self.memory).newest = Some(Arc::clone(&self.snapshot));
            self.look_again();
        }
    }

    /// Publishes an event. That may take seconds, in which the object may change: a write upstream needs a new look (R11).
    async fn tell(&mut self, about: &Snapshot, note: &Note) {
        self.context.metrics.told(note.reason());
        self.context.events.note(about, note).await;
        self.look_again();
    }
}

/// One request on the wire, unless it would be refused.
async fn send(
    slot: &mut Slot,
    context: &Context,
    client: &unkey::Client,
    operation: unkey::Operation,
    call: &Call,
) -> Answer {
    let request = async |client: &unkey::Client| upstream::perform(client, call).await;
    let sent = upstream::send(slot, &context.metrics, client, operation, request).await;
    sent.map_or_else(upstream::not_sent, upstream::answered)
}
