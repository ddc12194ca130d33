//! What a session takes from the answer to its request.

use super::super::apply_reply::apply_reply;
use super::super::own_patches::{claimed, not_claimed, not_released, released};
use super::super::refusal::Refused;
use super::super::refusal::{accepted, is_refusal, managers_seen, put_on, refused, told};
use super::super::reply::{Reply, ReplyContext};
use super::super::step::KubeStep;
use super::super::workspace::proven_by;
use super::protocol::{End, Event, Flight, Misuse, Records, Request, Ticket, What};
use super::replies::{KubeReply, Learned, Moment, ObjectView};
use super::{Session, is_recent};

impl Session {
    /// Kubernetes has answered.
    ///
    /// # Errors
    /// `ticket` is not of the request under way, or that one is no request to Kubernetes of which this can be an answer.
    #[allow(clippy::needless_pass_by_value)] // an answer uses its ticket up
    pub fn replied(
        &mut self,
        ticket: Ticket,
        reply: KubeReply<'_>,
        memory: &mut Records<'_>,
        moment: Moment,
    ) -> Result<Learned, Misuse> {
        let (request, noted) = self.lands(&ticket, |what| answers(what, &reply))?;
        Ok(match (&request.what, reply) {
            (What::Kube(KubeStep::Refresh), reply) => self.refreshed(&reply, memory, moment),
            (What::Kube(_), KubeReply::Shown(view)) => {
                self.show(view);
                self.written(&request, view, memory, moment)
            }
            (What::Kube(step), KubeReply::Stale(answer)) => {
                taken_back(step, noted, memory);
                self.look_again();
                self.doubted = Some(Box::new((*request, answer)));
                Learned::default()
            }
            (What::Kube(step), KubeReply::Refused(answer)) => {
                if answer.had_no_effect() {
                    taken_back(step, noted, memory);
                }
                self.refuses(&request, &answer, memory, moment)
            }
            (_, reply) => {
                self.told_of_others(&reply, memory);
                Learned::default()
            }
        })
    }

    /// Takes in what is no answer about the object as it stands.
    fn told_of_others(&mut self, reply: &KubeReply<'_>, memory: &mut Records<'_>) {
        match reply {
            KubeReply::Ended { successors } => {
                self.gone = Some(*successors);
                self.looked = Some(self.asked_at);
            }
            KubeReply::Lives => self.ends = Some(End::Lives),
            KubeReply::Definition(crd) => self.crd = *crd,
            KubeReply::Manager(manager) => managers_seen(*manager, memory.object_state),
            KubeReply::Shown(_) | KubeReply::Gone | KubeReply::Stale(_) | KubeReply::Refused(_) => {}
        }
    }

    /// Unkey has answered.
    ///
    /// # Errors
    /// `ticket` is not of the request under way, or that one is no call.
    #[allow(clippy::needless_pass_by_value)] // an answer uses its ticket up
    pub fn answered(
        &mut self,
        ticket: Ticket,
        reply: &Reply,
        memory: &mut Records<'_>,
        moment: Moment,
    ) -> Result<Learned, Misuse> {
        let (request, _) = self.lands(&ticket, |what| matches!(what, What::Call(_)))?;
        let Request { object, what: What::Call(call) } = &*request else { return Err(Misuse::NotSent) };
        self.look_again();
        let telling =
            ReplyContext { begun: self.asked_at, now: moment.now, jitter: moment.jitter, thrives: moment.thrives };
        let note = apply_reply(object, call, reply, memory.known, memory.object_state, &self.policy, telling);
        self.events.extend(note.map(Event::Note));
        Ok(Learned {
            proven: proven_by(object, call, reply).cloned(),
            shown: matches!(reply, Reply::Found { .. }).then_some(self.asked_at),
            ..Learned::default()
        })
    }

    /// The event that was asked for is published, or cannot be; `accepted`: Kubernetes has taken it.
    ///
    /// # Errors
    /// None was asked for.
    pub fn published(&mut self, accepted: bool, memory: &mut Records<'_>) -> Result<(), Misuse> {
        if self.events.is_empty() {
            return Err(Misuse::NotAsked);
        }
        if let Event::Unwritten(_, refusal) = self.events.remove(0)
            && accepted
        {
            told(refusal.write, memory.object_state);
        }
        self.look_again();
        Ok(())
    }

    /// Takes the request that is under way, if `ticket` is its own and `fits` says that the answer can be.
    fn lands(&mut self, ticket: &Ticket, fits: impl FnOnce(&What) -> bool) -> Result<(Box<Request>, bool), Misuse> {
        match std::mem::replace(&mut self.flight, Flight::None) {
            Flight::Sent { request, noted } if ticket.0 == self.requests && fits(&request.what) => Ok((request, noted)),
            other => {
                self.flight = other;
                Err(Misuse::NotSent)
            }
        }
    }

    /// Takes in how the object stands.
    fn show(&mut self, view: &dyn ObjectView) {
        if view.is(&self.uid) {
            self.looked = Some(self.asked_at);
        } else {
            // Another object has taken the name.
            self.gone = Some(true);
        }
    }

    fn refreshed(&mut self, reply: &KubeReply<'_>, memory: &mut Records<'_>, moment: Moment) -> Learned {
        match reply {
            KubeReply::Shown(view) => self.show(*view),
            KubeReply::Gone => self.gone = Some(true),
            _ => self.look_again(),
        }
        let doubted = self.doubted.take();
        // Asked again at once, it would be as slow.
        if self.gone.is_none() && self.looked.is_some_and(|at| !is_recent(at, moment.now)) {
            self.ends = Some(End::Slow);
            return Learned::default();
        }
        let Some((request, answer)) = doubted.map(|it| *it) else { return Learned::default() };
        let after = match reply {
            KubeReply::Shown(view) if self.gone.is_none() => Some(view.guard()),
            _ => None,
        };
        if is_refusal(&request.object.guard, after.as_ref(), memory.object_state) {
            return self.refuses(&request, &answer, memory, moment);
        }
        self.tells_unwritten(&request, memory);
        Learned::default()
    }

    /// A write was accepted.
    fn written(
        &mut self,
        request: &Request,
        view: &dyn ObjectView,
        memory: &mut Records<'_>,
        moment: Moment,
    ) -> Learned {
        let Request { object, what: What::Kube(step) } = request else { return Learned::default() };
        if let Some(write) = step.write() {
            accepted(write, memory.object_state);
        }
        let same = self.gone.is_none();
        match step {
            KubeStep::Claim(claim) => {
                let stays = if same { view.is_claimed() } else { object.finalizer && object.claim.own().is_some() };
                put_on(object, claim, stays, memory.object_state, moment.now);
                claimed(object, memory.object_state);
                self.claimed = true;
            }
            KubeStep::Release(because) => {
                if same && view.has_finalizer() {
                    let answer = Refused::without_effect("the finalizer is still there");
                    return self.refuses(request, &answer, memory, moment);
                }
                released(&self.uid, memory.known, memory.object_state);
                self.events.extend(because.leaves(object).map(Event::Released));
            }
            KubeStep::Status { report, notes } => {
                if same && let Some(dropped) = view.lacks(report) {
                    let answer = Refused::without_effect(&without(&dropped));
                    return self.refuses(request, &answer, memory, moment);
                }
                self.events.extend(notes.iter().cloned().map(Event::Note));
                if report.begins_stall(&object.recorded) {
                    self.events.push(Event::Stalled(report.clone()));
                }
            }
            KubeStep::Refresh | KubeStep::LookAtCrd | KubeStep::LookAtManagers => {}
        }
        Learned { written: true, ..Learned::default() }
    }

    /// Kubernetes refuses a write (R25). It is tried again in time; what it was for waits.
    fn refuses(&mut self, request: &Request, answer: &Refused, memory: &mut Records<'_>, moment: Moment) -> Learned {
        let What::Kube(step) = &request.what else { return Learned::default() };
        let Some(write) = step.write() else { return Learned::default() };
        let begins = refused(&request.object, write, answer, memory.object_state, moment.now, moment.jitter);
        // The answer shows nothing of the object.
        self.look_again();
        self.tells_unwritten(request, memory);
        let refusal = memory.object_state.refusals.of(write).filter(|_| begins).cloned();
        Learned { refusal, ..Learned::default() }
    }

    /// What the status cannot say, an event does, once.
    fn tells_unwritten(&mut self, request: &Request, memory: &Records<'_>) {
        let What::Kube(KubeStep::Status { report, .. }) = &request.what else { return };
        let refusal = memory.object_state.refusals.untold().cloned();
        self.events.extend(refusal.map(|refusal| Event::Unwritten(report.clone(), refusal)));
    }
}

/// Whether this can be the answer to that request.
fn answers(what: &What, reply: &KubeReply<'_>) -> bool {
    match (what, reply) {
        (What::LookForEnd, KubeReply::Ended { .. } | KubeReply::Lives)
        | (What::Kube(KubeStep::LookAtCrd), KubeReply::Definition(_))
        | (What::Kube(KubeStep::LookAtManagers), KubeReply::Manager(_))
        | (What::Kube(KubeStep::Refresh), KubeReply::Shown(_) | KubeReply::Gone) => true,
        (What::Kube(step), KubeReply::Shown(_) | KubeReply::Stale(_) | KubeReply::Refused(_)) => step.write().is_some(),
        _ => false,
    }
}

/// A write was surely not carried out.
fn taken_back(step: &KubeStep, noted: bool, memory: &mut Records<'_>) {
    match step {
        KubeStep::Claim(claim) => not_claimed(claim, noted, memory.object_state),
        KubeStep::Release(_) => not_released(noted, memory.object_state),
        _ => {}
    }
}

/// What became of a status that was accepted.
fn without(dropped: &[String]) -> String {
    if dropped.is_empty() {
        return "the stored status differs from the written one".to_owned();
    }
    let fields = dropped.join(", ");
    format!(
        "the stored status lacks the written fields {fields}: the CustomResourceDefinition may be older than the operator"
    )
}
