//! One session over one object: each request has its effect at once, on the object or on the identity.

use std::sync::Arc;
use std::time::Duration;

use super::run::{Run, Written};
use super::world::Listed;
use crate::apply_reply::begin_reconcile;
use crate::call::Call;
use crate::claim::ClaimState;
use crate::claims::Source;
use crate::crd::Crd;
use crate::deletions::Deletions;
use crate::ids::{KeyMark, Mono, Uid};
use crate::object::{Guard, Object, Phase};
use crate::object_state::ObjectState;
use crate::ownership::Role;
use crate::prior_status::PriorStatus;
use crate::session::{End, Environment, Event, KubeReply, Misuse, Moment, Need, Next, ObjectView, Records, Session};
use crate::situation::OwnershipGate;
use crate::status_update::StatusUpdate;
use crate::step::{KubeStep, Wake};
use crate::witness::Witness;
use crate::workspace::{Gate, Workspace};

/// How long a retry waits does not matter to a plan.
const JITTER: u16 = 0;
/// From one look to the next that does not wait: a read counts for what ended before it.
const MOMENT: Duration = Duration::from_millis(1);

/// The world around a session of a plan: it leads, has every permit, and works with one root key.
struct PlanEnvironment<'a> {
    now: Mono,
    role: Role,
    workspace: &'a Workspace,
    deletions: &'a mut Deletions,
    credential: &'a KeyMark,
    an_hour_ahead: &'a str,
}

impl Environment for PlanEnvironment<'_> {
    fn now(&self) -> Mono {
        self.now
    }

    fn role(&self) -> Role {
        self.role
    }

    fn gate(&self, mark: Option<&KeyMark>) -> Gate {
        self.workspace.gate(mark)
    }

    fn witness(&self) -> Witness {
        self.workspace.witness().clone()
    }

    fn ownership_gate(&self) -> OwnershipGate {
        OwnershipGate::Open
    }

    fn deletions(&self) -> &Deletions {
        self.deletions
    }

    fn deletions_mut(&mut self) -> &mut Deletions {
        self.deletions
    }

    fn an_hour_ahead(&self) -> String {
        self.an_hour_ahead.to_owned()
    }

    fn leads(&self) -> bool {
        true
    }

    fn drains(&self) -> bool {
        false
    }

    fn key_in_use(&self) -> KeyMark {
        self.credential.clone()
    }

    fn awake_since(&self) -> Mono {
        Mono::ZERO
    }

    fn is_paused(&self) -> bool {
        false
    }

    fn has_permit(&mut self, _: Need) -> bool {
        true
    }
}

/// The object, as an answer shows it.
struct View<'a>(&'a Object);

impl ObjectView for View<'_> {
    fn is(&self, uid: &Uid) -> bool {
        self.0.guard.uid == *uid
    }

    fn guard(&self) -> Guard {
        self.0.guard.clone()
    }

    fn has_finalizer(&self) -> bool {
        self.0.finalizer
    }

    fn is_claimed(&self) -> bool {
        self.0.finalizer && self.0.claim.own().is_some()
    }

    fn lacks(&self, _: &StatusUpdate) -> Option<Vec<String>> {
        None
    }
}

impl<L: Listed> Run<L> {
    /// Runs one session over an object to its end, and plans the next.
    pub(super) fn reconcile(&mut self, at: usize) {
        let mut object = self.object(at);
        let Some(mut session) = self.starts(at, &object) else { return };
        loop {
            let Some(next) = self.next(at, &object, &mut session) else { return self.misused(at) };
            let went_on = match next {
                Next::End(end) => return self.ends(at, end),
                Next::Acquire(_) => {
                    session.granted(false);
                    Some(())
                }
                Next::Publish(event) => self.publishes(at, &event, &mut session),
                Next::Call(call) => self.calls(at, &call, &mut session),
                Next::Kube(step) => self.asks_kube(at, &step, &mut object, &mut session),
                // Only a session that clears up asks for that.
                Next::LookForEnd => None,
            };
            if went_on.is_none() {
                return self.misused(at);
            }
        }
    }

    /// The session was not driven as it has to be: a bug of this module, which must not pass for "nothing to do".
    fn misused(&mut self, at: usize) {
        self.objects[at].trail.restless = true;
    }

    fn starts(&mut self, at: usize, object: &Object) -> Option<Session> {
        let known = &mut self.named.get_mut(self.objects[at].listed.external_id())?.known;
        Some(Session::start(object.guard.uid.clone(), Arc::clone(&self.policy), Crd::Stays, known))
    }

    fn next(&mut self, at: usize, object: &Object, session: &mut Session) -> Option<Next> {
        let planned = &mut self.objects[at];
        let named = self.named.get_mut(planned.listed.external_id())?;
        let mut environment = PlanEnvironment {
            now: self.now,
            role: named.claims.role(&object.guard.uid),
            workspace: &self.workspace,
            deletions: &mut self.deletions,
            credential: &self.policy.credential,
            an_hour_ahead: &self.an_hour_ahead,
        };
        let mut records = Records { known: &mut named.known, object_state: Arc::make_mut(&mut planned.state) };
        session.next(object.clone(), &mut records, &mut environment).ok()
    }

    /// Works with what outlives the session.
    fn remembering<T>(&mut self, at: usize, work: impl FnOnce(&mut Records<'_>) -> Result<T, Misuse>) -> Option<T> {
        let planned = &mut self.objects[at];
        let known = &mut self.named.get_mut(planned.listed.external_id())?.known;
        work(&mut Records { known, object_state: Arc::make_mut(&mut planned.state) }).ok()
    }

    fn ends(&mut self, at: usize, end: End) {
        self.rests(at);
        match end {
            End::Done | End::Gone | End::Lives | End::Slow | End::Wait(Wake::Change | Wake::Proof) => {}
            End::Again | End::Restless => self.hand(at, self.now.after(MOMENT)),
            End::Wait(Wake::At(when)) => self.hand(at, when.max(self.now.after(MOMENT))),
            End::Wait(Wake::Witness) => {
                // The listing is one. Where it shows nothing, nothing is recorded that it should show.
                self.now = self.now.after(MOMENT);
                self.workspace.showed(&self.policy.credential, self.now);
                self.hand(at, self.now.after(MOMENT));
            }
        }
    }

    /// Keeps nothing of a session that the next one would not look at: a plan has room for a workspace, but not for all that was read of it.
    fn rests(&mut self, at: usize) {
        let planned = &mut self.objects[at];
        if let Some(named) = self.named.get_mut(planned.listed.external_id()) {
            begin_reconcile(&mut named.known);
        }
        if planned.state.is_plain() {
            planned.state = self.at_rest.shared(ObjectState::clone(&planned.state));
        }
    }

    fn publishes(&mut self, at: usize, event: &Event, session: &mut Session) -> Option<()> {
        if let Event::Note(note) = event {
            self.objects[at].trail.noted(note);
        }
        self.remembering(at, |memory| session.published(true, memory))
    }

    fn calls(&mut self, at: usize, call: &Call, session: &mut Session) -> Option<()> {
        let now = self.now;
        let ticket = self.remembering(at, |memory| session.sent(memory, now, now))?;
        let (reply, done) = self.unkey.answers(call);
        self.objects[at].trail.called(call, done);
        self.counts(at);
        let moment = self.moment();
        self.remembering(at, |memory| session.answered(ticket, &reply, memory, moment)).map(drop)
    }

    /// The order of first writes.
    fn counts(&mut self, at: usize) {
        let trail = &mut self.objects[at].trail;
        if trail.acts() && trail.order.is_none() {
            trail.order = Some(self.wrote);
            self.wrote += 1;
        }
    }

    fn asks_kube(&mut self, at: usize, step: &KubeStep, object: &mut Object, session: &mut Session) -> Option<()> {
        let (now, moment) = (self.now, self.moment());
        let ticket = self.remembering(at, |memory| session.sent(memory, now, now))?;
        let goes = self.writes(at, step, object);
        let view = View(object);
        let reply = match step {
            KubeStep::LookAtCrd => KubeReply::Definition(Crd::Stays),
            KubeStep::LookAtManagers => KubeReply::Manager(None),
            KubeStep::Refresh | KubeStep::Claim(_) | KubeStep::Status { .. } | KubeStep::Release(_) => {
                KubeReply::Shown(&view)
            }
        };
        self.remembering(at, |memory| session.replied(ticket, reply, memory, moment))?;
        self.counts(at);
        if goes {
            self.leaves(at, object);
        } else if step.write().is_some() {
            self.shown(at, object, Source::Reply);
        }
        Some(())
    }

    /// A write has its effect on the object. True if it goes with that.
    fn writes(&mut self, at: usize, step: &KubeStep, object: &mut Object) -> bool {
        let trail = &mut self.objects[at].trail;
        match step {
            KubeStep::Refresh | KubeStep::LookAtCrd | KubeStep::LookAtManagers => return false,
            KubeStep::Claim(claim) => {
                object.finalizer = true;
                object.claim = ClaimState::Own(claim.clone());
            }
            KubeStep::Status { report, notes } => {
                for note in notes {
                    trail.noted(note);
                }
                object.recorded = PriorStatus::Own(Box::new(report.record(&object.key)));
                object.reconcile_request.take_if(|request| report.handled_request.as_ref() == Some(&request.value));
            }
            KubeStep::Release(because) => {
                trail.freed = Some(because.clone());
                object.finalizer = false;
                object.claim = ClaimState::Absent;
            }
        }
        let goes = matches!(step, KubeStep::Release(_)) && object.phase == Phase::Deleting;
        self.objects[at].written = Some(Box::new(Written::of(object)));
        goes
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, jitter: JITTER, thrives: None }
    }
}
