//! Performs one reconcile of one object: what its [`Session`] asks for is sent, and the answer handed back. It decides nothing.

mod around;
mod events;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;

pub use self::around::Around;
use super::context::Context;
use super::index::{Memory, Plan, Ref, Remembered, Turn, lock};
use super::orphan_cleanup::{self, Again};
use super::overdue;
use super::raw::{LastSpec, RawIdentity};
use crate::controller::runtime::api_server::{KubeError, Outcome};
use crate::controller::runtime::clock::millis;
use crate::controller::runtime::dispatcher::Slot;
use crate::controller::workspace::pinned_client::PinnedClient;
use crate::domain::session::{self, Moment, Next, Permit, Session, Ticket};
use crate::domain::{self, ExternalId, KubeWrite, Mono, Uid, Wake};

/// When an object that changes all the time is looked at again.
const RESTLESS: Duration = Duration::from_secs(1);

/// One pass in progress.
pub struct Pass<'a> {
    context: &'a Arc<Context>,
    turn: Turn<'a>,
    memory: Remembered<'a>,
    access: Arc<PinnedClient>,
    external_id: ExternalId,
    uid: Uid,
    /// The object as it was last seen.
    snapshot: Arc<RawIdentity>,
    spec: LastSpec,
    /// The object before it was released.
    before: Option<Arc<RawIdentity>>,
    session: Session,
    /// What it may do beside looking at what is in memory.
    slot: Slot,
    /// What Kubernetes refused when it began.
    refused: Vec<KubeWrite>,
}

/// Runs one pass over what the cache holds of an object.
pub async fn run(cached: Arc<RawIdentity>, context: &Arc<Context>) -> Result<Action, KubeError> {
    let (uid, external_id) = (cached.uid().clone(), cached.external_id().clone());
    let Some(mut pass) = Pass::begin(cached, context, Session::start) else {
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
        End::Gone if is_watched => End::After(pass.contradicted()),
        end => {
            lock(&pass.memory).kube_failures = 0;
            end
        }
    };
    let (plan, action) = match end {
        End::Done | End::Gone | End::Lives => (Plan::Nothing, Action::await_change()),
        End::Rests | End::Witness(_) => (Plan::Change, Action::await_change()),
        End::Queued => (Plan::Permit, Action::await_change()),
        End::After(wait) => (context.table.at(wait), Action::requeue(wait)),
    };
    context.table.plans(&external_id, &uid, plan);
    Ok(action)
}

/// Runs one pass over an object that is gone. `None`: another pass has the turn; else how long to wait for the next one, if
/// there has to be one.
pub async fn clear_up(gone: Arc<RawIdentity>, context: &Arc<Context>) -> Option<Result<Option<Again>, KubeError>> {
    let mut pass = Pass::begin(gone, context, Session::clear_up)?;
    let end = pass.steps().await;
    Some(end.map(|end| match end {
        End::After(wait) => Some(Again::After(wait)),
        End::Witness(ended) => Some(Again::WithWitness(ended)),
        // It waits for its permits where it is.
        End::Queued => Some(Again::After(Duration::ZERO)),
        End::Lives | End::Done | End::Rests | End::Gone => None,
    }))
}

/// How a pass ended.
enum End {
    Done,
    /// Until something else changes.
    Rests,
    /// It comes again after that time, or when something changes.
    After(Duration),
    /// It waits for a witness for a read that was answered then (R19).
    Witness(Mono),
    /// A read proves that the object went meanwhile. Whether it did, the watch has to say too.
    Gone,
    /// What was taken for gone lives: it left the selection of `--selector`.
    Lives,
    /// It is woken when there is a permit for what it wants to do.
    Queued,
}

impl Drop for Pass<'_> {
    /// However it ended: what a scan found has had its look.
    fn drop(&mut self) {
        lock(&self.memory).finding = None;
        self.context.table.drops(&self.external_id, &self.uid);
    }
}

/// How a session begins.
type Begin = fn(Uid, Arc<domain::Policy>, domain::Crd, &mut domain::Knowledge) -> Session;

impl<'a> Pass<'a> {
    /// Takes the turn, if it is free.
    fn begin(cached: Arc<RawIdentity>, context: &'a Arc<Context>, begin: Begin) -> Option<Self> {
        let (external_id, uid) = (cached.external_id().clone(), cached.uid().clone());
        let turn = context.table.try_turn(&external_id, &Ref::from_obj(&*cached))?;
        let memory = context.table.memory(&uid);
        let snapshot = lock(&memory).newest(cached);
        let access = context.access();
        let session = begin(uid.clone(), Arc::clone(&access.policy), context.crd, &mut turn.known());
        let slot = context.permits.reserved(&uid);
        let refused = lock(&memory).object_state.refusals.iter().map(|refusal| refusal.write).collect();
        Some(Self {
            context,
            turn,
            memory,
            access,
            external_id,
            uid,
            snapshot,
            spec: LastSpec::default(),
            before: None,
            session,
            slot,
            refused,
        })
    }

    async fn steps(&mut self) -> Result<End, KubeError> {
        loop {
            match self.next()? {
                Next::End(end) => return self.ends(end),
                Next::Acquire(permit) => {
                    if !self.acquire(permit).await {
                        return Ok(End::Queued);
                    }
                }
                Next::Publish(event) => self.publish(&event).await?,
                Next::LookForEnd => self.look_for_end().await?,
                Next::Kube(step) => self.ask_kube(&step).await?,
                Next::Call(call) => self.call(&call).await?,
            }
        }
    }

    /// What the session wants next, by what is known now.
    fn next(&mut self) -> Result<Next, KubeError> {
        let queued = !self.session.clears_up();
        let around = &mut Around::working(self.context, (&self.external_id, &self.uid), &mut self.slot, queued);
        let mut memory = lock(&self.memory);
        let Memory { object_state, pokes, .. } = &mut *memory;
        let now = self.context.clock.now();
        let object = self.snapshot.read_again(&mut self.spec, now, &self.context.walls, pokes);
        let memory = &mut session::Memory { known: &mut self.turn.known(), object_state };
        Ok(self.session.next(object, memory, around)?)
    }

    fn ends(&self, end: session::End) -> Result<End, KubeError> {
        Ok(match end {
            session::End::Done => End::Done,
            session::End::Gone => End::Gone,
            session::End::Lives => End::Lives,
            session::End::Slow => return Err(KubeError::Slow),
            session::End::Again => End::After(Duration::ZERO),
            session::End::Restless => {
                tracing::warn!("the object changes faster than it can be worked on; trying again");
                End::After(RESTLESS)
            }
            session::End::Wait(Wake::At(at)) => End::After(Duration::from_millis(self.context.clock.now().until(at))),
            session::End::Wait(Wake::Change) => End::Rests,
            session::End::Wait(Wake::Proof) => {
                self.context.table.wants_proof();
                End::Rests
            }
            session::End::Wait(Wake::Witness) => {
                let ended = self.turn.known().unwitnessed.unwrap_or_default();
                if !self.session.clears_up() {
                    let at = Some(Ref::from_obj(&*self.snapshot));
                    self.context.table.wants_witness(at, ended, self.snapshot.is_leaving());
                }
                End::Witness(ended)
            }
        })
    }

    /// Waits for a permit. False: the pass has to end, and is woken when there is one. Who waits holds nothing.
    async fn acquire(&mut self, permit: Permit) -> bool {
        let permits = &self.context.permits;
        self.slot.give_back();
        let at = Ref::from_obj(&*self.snapshot);
        let namespace = at.namespace.as_deref().unwrap_or_default();
        if self.slot.has_sent() {
            let (slot, said) = self.beside(permits.go_on(namespace)).await;
            self.said(said);
            if let Some(slot) = slot {
                self.slot = slot;
                self.session.granted(true);
                return true;
            }
        }
        if self.session.clears_up() {
            // The queue does not know it, so it cannot be woken.
            self.slot = permits.acquire(namespace, around::need(permit)).await;
            self.session.granted(true);
            return true;
        }
        match permits.enter(&at, &self.uid, around::need(permit)) {
            Some(slot) => {
                self.slot = slot;
                self.session.granted(false);
                true
            }
            None => false,
        }
    }

    /// What the session asked for is about to be sent.
    fn sent(&mut self) -> Result<Ticket, KubeError> {
        let now = self.context.clock.now();
        let deadline = now.after(millis(self.context.request_timeout()));
        Ok(self.remembering(|session, memory| session.sent(memory, now, deadline))?)
    }

    /// Runs `work` on the session, with what outlives it.
    fn remembering<T>(&mut self, work: impl FnOnce(&mut Session, &mut session::Memory<'_>) -> T) -> T {
        let object_state = &mut lock(&self.memory).object_state;
        work(&mut self.session, &mut session::Memory { known: &mut self.turn.known(), object_state })
    }

    fn moment(&self) -> Moment {
        Moment { now: self.context.clock.now(), dice: self.context.dice(), thrives: None }
    }

    /// Waits for `work`, and has the status say so if that takes long (R24).
    async fn beside<T>(&self, work: impl Future<Output = T>) -> (T, Option<Outcome>) {
        if self.session.gone().is_some() || self.session.clears_up() {
            return (work.await, None);
        }
        overdue::beside(work, self.context, &self.turn, &self.memory, &self.snapshot).await
    }

    /// Takes in what the status that was written beside the work has shown. It is no look: the work went on meanwhile (R11).
    fn said(&mut self, outcome: Option<Outcome>) {
        if let Some(Outcome::Now(now)) = outcome
            && *now.uid() == self.uid
        {
            self.is_shown(Arc::from(now));
            self.session.look_again();
        }
    }

    /// The object was seen anew.
    fn is_shown(&mut self, now: Arc<RawIdentity>) {
        self.context.metrics.synced(self.context.table.update(&now));
        lock(&self.memory).newest = Some(Arc::clone(&now));
        self.snapshot = now;
    }

    /// A read shows no such object and the watch still does. Nearly always the watch is about to follow. Returns when to look again.
    fn contradicted(&self) -> Duration {
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
    fn leaves(&self) {
        let recorded = self.snapshot.claimant(self.snapshot.read_status().as_ref()).recorded;
        let object_state = lock(&self.memory).object_state.clone();
        domain::ended(&self.uid, recorded.as_ref(), &mut self.turn.known(), &object_state, self.context.clock.now());
        orphan_cleanup::look(&self.snapshot, self.context);
    }
}
