//! Performs one reconcile of one object: what its [`Session`] asks for is sent, and the answer handed back. It decides nothing.

mod change_log;
mod end;
mod events;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;

use self::end::ReconcileEnd;
pub use self::end::{Again, Reconciled};
use super::context::Context;
use super::environment::{Process, ReconcileEnvironment, priority};
use super::index::{IdentityRef, KeyLock, ObjectMemory, Parts, Plan, Remembered};
use super::overdue;
use super::raw::{LastRead, RawIdentity};
use crate::controller::runtime::api_server::{self, KubeError, Outcome};
use crate::controller::runtime::clock::millis;
use crate::controller::runtime::dispatcher::Permit;
use crate::controller::workspace::pinned_client::PinnedClient;
use crate::domain::session::{self, Moment, Need, Next, Session, Ticket};
use crate::domain::{self, ExternalId, KubeWrite, Uid, Wake};

/// When an object that changes all the time is looked at again.
const RESTLESS: Duration = Duration::from_secs(1);

/// One reconcile in progress.
pub struct Reconcile<'a> {
    context: &'a Arc<Context>,
    key_lock: KeyLock<'a>,
    memory: Remembered<'a>,
    pinned: Arc<PinnedClient>,
    external_id: ExternalId,
    uid: Uid,
    /// The object as it was last seen.
    snapshot: Arc<RawIdentity>,
    last: LastRead,
    /// The object before it was released.
    before: Option<Arc<RawIdentity>>,
    session: Session,
    /// What it may do beside looking at what is in memory.
    permit: Permit,
    /// What Kubernetes refused when it began.
    refused: Vec<KubeWrite>,
    /// It ends only to wait for a permit: what a scan has handed over keeps its place.
    keeps_place: bool,
}

/// Reconciles what the cache holds of an object.
pub async fn run(cached: Arc<RawIdentity>, context: &Arc<Context>) -> Reconciled {
    let (uid, external_id) = (cached.uid().clone(), cached.external_id().clone());
    let Some(mut reconcile) = Reconcile::begin(cached, context, Session::start) else {
        // It comes back when the lock is free; others can go on meanwhile. That a status is being written takes moments.
        if !context.index.is_telling(&external_id) {
            context.runtime.dispatcher.forget(&uid);
        }
        context.index.waits_for_lock(&external_id, &uid);
        return Reconciled { result: Ok(Action::await_change()), ended: None };
    };
    context.index.runs(&external_id, &uid);
    let result = reconcile.steps().await;
    reconcile.tell_what_is_taken_again();
    reconcile.keeps_place = matches!(result, Ok(ReconcileEnd::Queued));
    if !reconcile.keeps_place {
        context.runtime.dispatcher.forget(&uid);
    }
    let is_watched = context.index.knows(&external_id, &uid);
    let ended = (!is_watched).then(|| reconcile.leaves());
    Reconciled { result: result.map(|end| reconcile.plans(end, is_watched)), ended }
}

/// Runs one reconcile over an object that is gone. `None`: another reconcile holds the lock; else how long to wait for the next one, if
/// there has to be one.
pub async fn clear_up(gone: Arc<RawIdentity>, context: &Arc<Context>) -> Option<Result<Option<Again>, KubeError>> {
    let mut reconcile = Reconcile::begin(gone, context, Session::clear_up)?;
    let end = reconcile.steps().await;
    Some(end.map(|end| match end {
        ReconcileEnd::After(wait) => Some(Again::After(wait)),
        ReconcileEnd::Witness(ended) => Some(Again::WithWitness(ended)),
        // It waits for its permits where it is.
        ReconcileEnd::Queued => Some(Again::After(Duration::ZERO)),
        ReconcileEnd::Lives | ReconcileEnd::Done | ReconcileEnd::Rests | ReconcileEnd::Gone => None,
    }))
}

impl Drop for Reconcile<'_> {
    /// However it ended: what a scan found has had its look.
    fn drop(&mut self) {
        let keeps_place = self.keeps_place;
        self.memory.with(|memory| {
            if !(keeps_place && memory.object_state.sight.is_some()) {
                memory.finding = None;
            }
        });
        self.context.index.drops(&self.external_id, &self.uid);
    }
}

/// How a session begins.
type Begin = fn(Uid, Arc<domain::Policy>, domain::Crd, &mut domain::Knowledge) -> Session;

impl<'a> Reconcile<'a> {
    /// Takes the lock, if it is free.
    fn begin(cached: Arc<RawIdentity>, context: &'a Arc<Context>, begin: Begin) -> Option<Self> {
        let (external_id, uid) = (cached.external_id().clone(), cached.uid().clone());
        let key_lock = context.index.try_lock(&external_id, &IdentityRef::from_obj(&*cached))?;
        let memory = context.index.memory(&uid);
        let (pinned, crd) = (context.workspace.pinned(), context.crd);
        let (snapshot, session, refused) = key_lock.with(&memory, |Parts { known, memory, .. }| {
            let session = begin(uid.clone(), Arc::clone(&pinned.policy), crd, known);
            let refused = memory.object_state.refusals.iter().map(|refusal| refusal.write).collect();
            (memory.newest(cached), session, refused)
        });
        let permit = context.runtime.dispatcher.reserved(&uid);
        Some(Self {
            context,
            key_lock,
            memory,
            pinned,
            external_id,
            uid,
            snapshot,
            last: LastRead::default(),
            before: None,
            session,
            permit,
            refused,
            keeps_place: false,
        })
    }

    async fn steps(&mut self) -> Result<ReconcileEnd, KubeError> {
        loop {
            match self.next()? {
                Next::End(end) => return self.ends(end),
                Next::Acquire(need) => {
                    if !self.acquire(need).await {
                        return Ok(ReconcileEnd::Queued);
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
        let Self { context, key_lock, memory, session, snapshot, last, permit, .. } = self;
        let (process, approvals, now) = (Process::of(context), &context.approvals, context.runtime.clock.now());
        let queued = !session.clears_up();
        Ok(key_lock.with(memory, |Parts { known, memory, role, workspace, deletions }| {
            let object = snapshot.read_again(last, now, approvals, &mut memory.reconcile_requests);
            let environment = ReconcileEnvironment::looking(process, role, workspace, deletions);
            let mut records = session::Records { known, object_state: &mut memory.object_state };
            session.next(object, &mut records, &mut environment.working(permit, queued))
        })?)
    }

    fn ends(&self, end: session::End) -> Result<ReconcileEnd, KubeError> {
        Ok(match end {
            session::End::Done => ReconcileEnd::Done,
            session::End::Gone => ReconcileEnd::Gone,
            session::End::Lives => ReconcileEnd::Lives,
            session::End::Slow => return Err(KubeError::Slow),
            session::End::Again => ReconcileEnd::After(Duration::ZERO),
            session::End::Restless => {
                tracing::warn!("the object changes faster than it can be reconciled; retrying");
                ReconcileEnd::After(RESTLESS)
            }
            session::End::Wait(Wake::At(at)) => ReconcileEnd::After(self.context.runtime.clock.now().until(at)),
            session::End::Wait(Wake::Change) => ReconcileEnd::Rests,
            session::End::Wait(Wake::Proof) => {
                self.context.index.wants_proof();
                ReconcileEnd::Rests
            }
            session::End::Wait(Wake::Witness) => {
                let ended = self.key_lock.known(|known| known.unwitnessed).unwrap_or_default();
                if !self.session.clears_up() {
                    let at = Some(IdentityRef::from_obj(&*self.snapshot));
                    self.context.index.wants_witness(at, ended, self.snapshot.is_leaving());
                }
                ReconcileEnd::Witness(ended)
            }
        })
    }

    /// Waits for a permit. False: the reconcile has to end, and is woken when there is one. Who waits holds nothing.
    async fn acquire(&mut self, need: Need) -> bool {
        let dispatcher = &self.context.runtime.dispatcher;
        self.permit.give_back();
        let snapshot = Arc::clone(&self.snapshot);
        let (namespace, name) = (snapshot.namespace(), snapshot.name());
        if self.permit.has_sent() {
            let (permit, said) = self.beside(dispatcher.go_on(namespace)).await;
            self.said(said);
            if let Some(permit) = permit {
                self.permit = permit;
                self.session.granted(true);
                return true;
            }
        }
        if self.session.clears_up() {
            // The queue does not know it, so it cannot be woken.
            self.permit = dispatcher.acquire(namespace, priority(need)).await;
            self.session.granted(true);
            return true;
        }
        match self.context.runtime.enter((namespace, name), &self.uid, priority(need)) {
            Some(permit) => {
                self.permit = permit;
                self.session.granted(false);
                true
            }
            None => false,
        }
    }

    /// What the session asked for is about to be sent.
    fn sent(&mut self) -> Result<Ticket, KubeError> {
        let now = self.context.runtime.clock.now();
        let deadline = now.after(self.context.workspace.request_timeout());
        Ok(self.remembering(|session, memory| session.sent(memory, now, deadline))?)
    }

    /// Runs `work` on the session, with what outlives it.
    fn remembering<T>(&mut self, work: impl FnOnce(&mut Session, &mut session::Records<'_>) -> T) -> T {
        let session = &mut self.session;
        self.key_lock.with(&self.memory, |mut parts| work(session, &mut parts.records()))
    }

    fn moment(&self) -> Moment {
        Moment { now: self.context.runtime.clock.now(), jitter: fastrand::u16(..), thrives: None }
    }

    /// Waits for `work`, and has the status say so if that takes long (R24).
    async fn beside<T>(&self, work: impl Future<Output = T>) -> (T, Option<Outcome<RawIdentity>>) {
        if self.session.gone().is_some() || self.session.clears_up() {
            return (work.await, None);
        }
        overdue::beside(work, self.context, &self.key_lock, &self.memory, &self.snapshot).await
    }

    /// Takes in what the status that was written beside the work has shown. It is no look: the work went on meanwhile (R11).
    fn said(&mut self, outcome: Option<Outcome<RawIdentity>>) {
        if let Some(Outcome::Now(now)) = outcome
            && *now.uid() == self.uid
        {
            self.is_shown(Arc::from(now));
            self.session.look_again();
        }
    }

    /// The object was seen anew.
    fn is_shown(&mut self, now: Arc<RawIdentity>) {
        self.context.runtime.metrics.synced(self.context.index.update(&now));
        self.memory.with(|memory| memory.newest = Some(Arc::clone(&now)));
        self.snapshot = now;
    }

    /// A read shows no such object and the watch still does. Nearly always the watch is about to follow. Returns when to look again.
    fn contradicted(&self) -> Duration {
        let failures = self.memory.with(ObjectMemory::count_failure);
        let wait = api_server::wait_after(failures);
        let retry_ms = millis(wait);
        if failures > 1 {
            tracing::warn!(
                retry_ms,
                "the API server reports that this Identity does not exist, but the watch still shows it; retrying"
            );
        }
        wait
    }

    /// Notes what is planned for the object after this end.
    fn plans(&self, end: ReconcileEnd, is_watched: bool) -> Action {
        let index = &self.context.index;
        let end = match end {
            ReconcileEnd::Gone if is_watched => ReconcileEnd::After(self.contradicted()),
            end => {
                self.memory.with(|memory| memory.kube_failures = 0);
                end
            }
        };
        let (plan, action) = match end {
            ReconcileEnd::Done | ReconcileEnd::Gone | ReconcileEnd::Lives => (Plan::Nothing, Action::await_change()),
            ReconcileEnd::Rests | ReconcileEnd::Witness(_) => (Plan::Change, Action::await_change()),
            ReconcileEnd::Queued => (Plan::Permit, Action::await_change()),
            ReconcileEnd::After(wait) => (index.at(wait), Action::requeue(wait)),
        };
        index.plans(&self.external_id, &self.uid, plan);
        action
    }

    /// Notes that the object is gone. Returns it as it was last seen.
    fn leaves(&self) -> Arc<RawIdentity> {
        let recorded = self.snapshot.claimant(self.snapshot.read_status().as_ref()).recorded;
        let now = self.context.runtime.clock.now();
        self.key_lock.with(&self.memory, |Parts { known, memory, .. }| {
            domain::ended(&self.uid, recorded.as_ref(), known, &memory.object_state, now);
        });
        Arc::clone(&self.snapshot)
    }
}
