//! One reconcile of one object, without IO: which request comes next, what its answer means, and when what was seen is too old to act on.
//!
//! A performer (the controller, the simulation, the model checker) asks [`Session::next`] for a step, performs it, and hands the answer
//! back. The session reads no clock and makes no request. It is plain data: whoever drops it in the middle of a write leaves an unknown outcome,
//! because [`Session::sent`] notes a call in [`Knowledge`], and a claim or a release in [`ObjectState`](super::ObjectState), before it is on the wire.
//!
//! | step | the performer then calls |
//! |---|---|
//! | [`Next::Acquire`] | [`Session::granted`], or ends |
//! | [`Next::Kube`], [`Next::LookForEnd`] | [`Session::sent`], then [`Session::replied`], or drops the session |
//! | [`Next::Call`] | [`Session::sent`], then [`Session::answered`], or drops the session |
//! | [`Next::Publish`] | [`Session::published`] |
//! | [`Next::End`] | nothing |
//!
//! Whoever learns otherwise that the object may have changed calls [`Session::look_again`].

mod answers;
mod environment;
mod protocol;
mod replies;
#[cfg(feature = "testing")]
mod testing;
mod think;
mod waiting;

use std::sync::Arc;

use super::apply_reply::{begin, begin_reconcile};
use super::call::Call;
use super::crd::Crd;
use super::ids::{KeyMark, Mono, Uid};
use super::knowledge::Knowledge;
use super::note::EventNote;
use super::object::{Object, Phase};
use super::own_patches::{claiming, releasing};
use super::policy::{LOOK, Policy};
use super::refusal::{Refused, concluded};
use super::step::{KubeStep, Step};

pub use self::environment::Environment;
use self::environment::permit_for;
pub use self::protocol::{End, Event, Misuse, Need, Next, Records, Ticket};
use self::protocol::{Flight, Request, What};
pub use self::replies::{KubeReply, Learned, Moment, ObjectView};
use self::think::think;
pub use self::waiting::waiting;

/// A session makes a handful of requests; more than this mean that somebody edits the object all the time.
const MAX_REQUESTS: u32 = 64;

/// One reconcile of one object. See the module.
#[derive(Clone, Debug)]
pub struct Session {
    uid: Uid,
    policy: Arc<Policy>,
    crd: Crd,
    clears_up: bool,
    /// It is gone; `true`: another object may name its externalId.
    gone: Option<bool>,
    /// When the look began that allows a write to Unkey; `None`: a new one is needed (R11).
    looked: Option<Mono>,
    /// When the request began that is under way, or was the last.
    asked_at: Mono,
    /// It has put a claim on.
    claimed: bool,
    requests: u32,
    flight: Flight,
    /// A write that failed a test, or was refused in a way that looks like it: the look that follows tells which.
    doubted: Option<Box<(Request, Refused)>>,
    /// The last answer ends it so.
    ends: Option<End>,
    /// To be published.
    events: Vec<Event>,
}

impl Session {
    /// Begins. `crd`: what is known of the definition before a look (R10). What an earlier session saw to be there may be gone by now.
    pub fn start(uid: Uid, policy: Arc<Policy>, crd: Crd, known: &mut Knowledge) -> Self {
        begin_reconcile(known);
        Self {
            uid,
            policy,
            crd,
            clears_up: false,
            gone: None,
            looked: None,
            asked_at: Mono::ZERO,
            claimed: false,
            requests: 0,
            flight: Flight::None,
            doubted: None,
            ends: None,
            events: Vec::new(),
        }
    }

    /// The same for an object that is gone and may have left something in Unkey (R2). It looks first whether the object is.
    pub fn clear_up(uid: Uid, policy: Arc<Policy>, crd: Crd, known: &mut Knowledge) -> Self {
        Self { clears_up: true, ..Self::start(uid, policy, crd, known) }
    }

    /// The root key that it keeps to from its beginning to its end.
    pub fn credential(&self) -> &KeyMark {
        &self.policy.credential
    }

    /// It clears up after an object that is gone.
    pub fn clears_up(&self) -> bool {
        self.clears_up
    }

    /// The object is gone, as a look has shown; `true`: another one may name its externalId.
    pub fn gone(&self) -> Option<bool> {
        self.gone
    }

    /// The object as it was seen when the step was decided that is asked for, or under way.
    pub fn object(&self) -> Option<&Object> {
        match &self.flight {
            Flight::None => None,
            Flight::Asked(request) | Flight::Sent { request, .. } => Some(&request.object),
        }
    }

    /// When the request began that is under way, or was the last.
    pub fn asked_at(&self) -> Mono {
        self.asked_at
    }

    /// What is to be done next for `object`, as it was last seen. Asked again without having been sent, a step is decided anew.
    ///
    /// # Errors
    /// A request is under way.
    pub fn next(
        &mut self,
        object: Object,
        memory: &mut Records<'_>,
        env: &mut impl Environment,
    ) -> Result<Next, Misuse> {
        if matches!(self.flight, Flight::Sent { .. }) {
            return Err(Misuse::UnderWay);
        }
        self.flight = Flight::None;
        let next = self.advance(object, memory, env);
        if matches!(next, Next::End(_)) {
            memory.object_state.sight = None;
        }
        if self.clears_up && matches!(next, Next::End(end) if end.is_cleared()) {
            memory.known.cleared_up();
        }
        Ok(next)
    }

    fn advance(&mut self, object: Object, memory: &mut Records<'_>, env: &mut impl Environment) -> Next {
        if let Some(event) = self.events.first() {
            return Next::Publish(event.clone());
        }
        if let Some(end) = self.ends {
            return Next::End(end);
        }
        if self.doubted.is_some() {
            return self.asks(object, What::Kube(KubeStep::Refresh));
        }
        if !env.leads() {
            // Another one may act already. This process is about to end.
            return Next::End(End::Done);
        }
        if self.requests >= MAX_REQUESTS {
            return Next::End(End::Restless);
        }
        if self.clears_up && self.gone.is_none() {
            return self.asks(object, What::LookForEnd);
        }
        self.decided(object, memory, env)
    }

    fn decided(&mut self, mut object: Object, memory: &mut Records<'_>, env: &mut impl Environment) -> Next {
        let now = env.now();
        let fresh = self.is_fresh(now, env.awake_since());
        if self.clears_up && !fresh {
            // Another object of the externalId may have come since.
            return Next::End(End::Again);
        }
        object.fresh = fresh;
        if let Some(successors) = self.gone {
            object.phase = Phase::Gone { successors };
        }
        let step = think(&object, memory, env, &self.policy, self.crd, now);
        if !self.clears_up && self.gone.is_some() {
            return Next::End(End::Gone);
        }
        if let Some(note) = mass_deletion(&object, env) {
            self.events.push(Event::Note(note.clone()));
            return Next::Publish(Event::Note(note));
        }
        if env.drains() && !self.clears_up && !self.is_worth_ending(&step, memory, env) {
            return Next::End(End::Done);
        }
        // Asked under a key that is no longer in use, Unkey says nothing of the workspace that counts by now, and what it says would be
        // remembered as if it did (R15).
        if matches!(step, Step::Call(_)) && env.key_in_use() != self.policy.credential {
            return Next::End(End::Again);
        }
        if let Some(need) = permit_for(&step, &object, env)
            && !env.has_permit(need)
        {
            return Next::Acquire(need);
        }
        concluded(&step, memory.object_state);
        if matches!(step, Step::Call(Call::Delete(_))) && object.needs_approval() {
            env.deletions_mut().sends(&object.key.namespace, &object.guard.uid, now);
        }
        match step {
            Step::Done => Next::End(End::Done),
            Step::Wait(wake) => Next::End(End::Wait(wake)),
            Step::Kube(step) => self.asks(object, What::Kube(step)),
            Step::Call(call) => self.asks(object, What::Call(call)),
        }
    }

    fn asks(&mut self, object: Object, what: What) -> Next {
        let next = match &what {
            What::LookForEnd => Next::LookForEnd,
            What::Kube(step) => Next::Kube(step.clone()),
            What::Call(call) => Next::Call(call.clone()),
        };
        self.flight = Flight::Asked(Box::new(Request { object, what }));
        next
    }

    /// Whether a process that is about to end does this yet: it records what Unkey has done, and creates what it has just claimed. Whoever comes
    /// upon that claim has to take the create for sent, and can call the object Ready only a window later.
    fn is_worth_ending(&self, step: &Step, memory: &Records<'_>, env: &mut impl Environment) -> bool {
        let creates = self.claimed && matches!(step, Step::Call(Call::Create(_)));
        // It begins now or never.
        creates && env.has_permit(Need::Call) || step.only_records(memory.known)
    }

    /// The permit is there. `waited`: it was not there at once, so what was seen before allows no write any more (R11), and another object of
    /// the externalId may have come (R2).
    pub fn granted(&mut self, waited: bool) {
        if waited {
            self.look_again();
            if self.clears_up {
                self.gone = None;
                self.looked = None;
            }
        }
    }

    /// The request that was asked for is about to be sent. A call is over at `deadline` at the latest. Returns what its answer has to name.
    ///
    /// # Errors
    /// None was asked for.
    pub fn sent(&mut self, memory: &mut Records<'_>, now: Mono, deadline: Mono) -> Result<Ticket, Misuse> {
        let request = match std::mem::replace(&mut self.flight, Flight::None) {
            Flight::Asked(request) => request,
            other => {
                self.flight = other;
                return Err(Misuse::NotAsked);
            }
        };
        let (object, object_state) = (&request.object, &mut *memory.object_state);
        let mut noted = false;
        match &request.what {
            What::Call(call) => begin(object, call, memory.known, object_state, deadline),
            What::Kube(KubeStep::Claim(claim)) => noted = claiming(object, claim, object_state, &self.policy, now),
            // The watch may show the end before the answer is here, and there may be none.
            What::Kube(KubeStep::Release(because)) => noted = releasing(because, object_state),
            What::Kube(_) | What::LookForEnd => {}
        }
        self.asked_at = now;
        self.requests += 1;
        self.flight = Flight::Sent { request, noted };
        Ok(Ticket(self.requests))
    }

    /// What was seen is as good as new: nothing was done since, this process has not stood still, and the answer took no time in which the user
    /// may have thought better of it. What is gone does not come back.
    fn is_fresh(&self, now: Mono, awake_since: Mono) -> bool {
        let counts = |at: Mono| self.gone.is_some() || is_recent(at, now);
        self.looked.is_some_and(|at| at >= awake_since && counts(at))
    }

    /// The object may have changed: a write to Unkey needs a new look (R11). What is gone stays gone.
    pub fn look_again(&mut self) {
        if self.gone.is_none() {
            self.looked = None;
        }
    }
}

/// The brake has begun to hold deletions of its namespace, and nobody was told.
fn mass_deletion(object: &Object, env: &mut impl Environment) -> Option<EventNote> {
    let namespace = &object.key.namespace;
    let episode = env.deletions_mut().tells(namespace, &object.guard.uid).filter(|_| object.needs_approval())?;
    Some(EventNote::MassDeletionHeld { namespace: namespace.clone(), episode })
}

fn is_recent(asked: Mono, now: Mono) -> bool {
    now <= asked.after(LOOK)
}
