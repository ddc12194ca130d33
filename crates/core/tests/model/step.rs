//! Performs the steps of the shipped session, as `controller::reconcile` does. Each request is one transition, and what happens
//! to it (its answer lost, the process dead) is another choice of the checker.

use std::sync::Arc;

use unkey_operator_core::session::{KubeReply, Moment, Next, Records, Ticket};
use unkey_operator_core::{
    Call, Cause, CrdMemory, CrdSight, DeletionLimits, Deletions, Effect, KubeStep, Look, Object, Operation, Refused,
    Reply,
};

use crate::configs::Config;
use crate::environment::ModelEnvironment;
use crate::kube::{Patched, Thing};
use crate::operator::{Operator, Target, Waiting};
use crate::properties::Broken;
use crate::seeded::Seeded;
use crate::state::State;
use crate::unkey::{ATTEMPT, Pending, Unkey, Wire, failed};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Fine,
    /// No answer. A write may take effect until its deadline, or never.
    Lost,
    /// An error of Unkey's own; nothing happened.
    EndedBefore,
    /// An error of Unkey's own, after it took effect.
    EndedAfter,
    /// The root key is refused.
    Unauthorized,
    /// The content is refused.
    Rejected,
    /// It takes effect at once; the answer takes its time.
    Slow,
    /// It is delivered twice; the answer is that to the second.
    Twice,
    /// The reconcile ends here, in the middle of the request: the future is dropped, or Kubernetes' answer is lost.
    Cut,
    /// Kubernetes does not do it, and the reconcile ends.
    CutBefore,
    /// The API server answers 404 without proof, for what exists; nothing happens.
    Denied,
    /// The API server says, in so many words, that the object does not exist; nothing happens.
    Lied,
    /// Kubernetes refuses to do it (R25).
    Refused,
}

/// Why the API server does not take a write.
fn no(code: u16) -> Refused {
    Refused { code, words: "no".to_owned(), retry_after: None }
}

impl State {
    /// What the session under way wants next. A look for the end of an object and the events are performed at once.
    pub fn next(&self, config: &Config, op: &mut Operator) -> Next {
        loop {
            match self.asks(config, op) {
                Next::LookForEnd => self.look_for_end(config, op),
                Next::Publish(_) => op.working(|reconcile, memory| {
                    let before = config.seeded.map(|_| reconcile.session.clone());
                    reconcile.session.published(true, memory).expect("it was asked for");
                    reconcile.saw &= reconcile.session.gone().is_some();
                    if let Some(before) = before.filter(|_| config.seeded == Some(Seeded::EventKeepsLook)) {
                        reconcile.session.keeps_look(&before);
                    }
                }),
                next => return next,
            }
        }
    }

    fn asks(&self, config: &Config, op: &mut Operator) -> Next {
        let mut reconcile = op.reconcile.take().expect("a reconcile");
        let (now, uid) = (op.mono(self.now), reconcile.thing.uid);
        let (role, ownership_gate) = (op.role(uid), self.ownership_gate(op));
        let mut object_state = std::mem::take(op.memory(uid));
        let Operator { known, workspace, cache, key, draining, .. } = op;
        let mut object = reconcile.thing.view(now, self.now);
        if let Some(seeded) = config.seeded {
            seeded.before_witness(known, workspace.witness(), Operator::policy(reconcile.key), now);
            seeded.before_observing(&mut object);
        }
        let key = if config.seeded == Some(Seeded::KeyIgnored) { reconcile.key } else { *key };
        let mut environment = ModelEnvironment {
            now,
            role,
            ownership_gate,
            workspace,
            cache,
            thing: &reconcile.thing,
            key_in_use: &Operator::policy(key).credential,
            drains: *draining,
            permitted: reconcile.permitted || !config.permits,
            seeded: config.seeded,
            deletions: Deletions::new(DeletionLimits::NONE),
        };
        let memory = &mut Records { known, object_state: &mut object_state };
        let next = reconcile.session.next(object, memory, &mut environment).expect("nothing is on its way");
        *op.memory(uid) = object_state;
        op.reconcile = Some(reconcile);
        next
    }

    /// Looks whether the object is gone, and for its successors.
    fn look_for_end(&self, config: &Config, op: &mut Operator) {
        let of = op.reconcile.as_ref().expect("a reconcile").thing.uid;
        let ticket = op.sent(config.seeded, self.now);
        // A seeded fault takes what is to be cleared up after for gone without a look.
        let lives = self.kube.find(of).is_some() && config.seeded != Some(Seeded::GoneOnDenial);
        let successors = self.kube.has_successors(of);
        op.replied(self.now, ticket, if lives { KubeReply::Lives } else { KubeReply::Ended { successors } });
        op.reconcile.as_mut().expect("a reconcile").saw = !lives;
    }

    /// Takes one step of a reconcile of process `at`. False: there is none to take.
    pub fn step(&mut self, config: &Config, at: usize, target: Target, fate: Fate, view: usize) -> bool {
        let mut op = Operator::clone(&self.ops[at]);
        if let Some(seeded) = config.seeded.filter(|_| target != Target::On) {
            seeded.before_reconcile(&mut op.known);
        }
        if !op.begin(target, config.crd()) {
            self.ops[at] = Arc::new(op);
            return target != Target::On;
        }
        match self.next(config, &mut op) {
            Next::End(_) | Next::LookForEnd | Next::Publish(_) => {}
            Next::Acquire(_) => self.acquire(config, &mut op, fate),
            Next::Call(call) if fate == Fate::Cut && Wire::of(&call).is_none() => op.end_reconcile(false, self.now),
            Next::Kube(step) => self.perform_kube(config, at, &mut op, &step, fate),
            Next::Call(call) => self.perform_call(config, at, &mut op, &call, fate, view),
        }
        self.settle(config, &mut op);
        self.ops[at] = Arc::new(op);
        true
    }

    /// A permit is there, after a wait; or the reconcile ends, and waits in the queue.
    fn acquire(&self, config: &Config, op: &mut Operator, fate: Fate) {
        if fate != Fate::Fine {
            return op.end_reconcile(false, self.now);
        }
        op.working(|reconcile, _| {
            reconcile.session.granted(config.seeded != Some(Seeded::LateKeepsLook));
            reconcile.permitted = true;
            reconcile.saw = false;
        });
    }

    /// Takes in what the step has shown, as the loop of a reconcile does at once, and ends the reconcile if nothing is left to do.
    fn settle(&self, config: &Config, op: &mut Operator) {
        if op.reconcile.as_ref().is_none_or(|reconcile| reconcile.waiting.is_some()) {
            return;
        }
        if let Next::End(end) = self.next(config, op) {
            return op.ends(end, self.now);
        }
        op.working(|reconcile, _| reconcile.session.reconsiders());
    }

    fn perform_kube(&mut self, config: &Config, at: usize, op: &mut Operator, step: &KubeStep, fate: Fate) {
        let object = op
            .reconcile
            .as_ref()
            .and_then(|reconcile| reconcile.session.object())
            .expect("a step was asked for")
            .clone();
        let before = self.kube.slots[op.reconcile.as_ref().expect("a reconcile").slot].clone();
        let ticket = op.sent(config.seeded, self.now);
        match (step, fate) {
            (_, Fate::CutBefore) => return op.end_reconcile(false, self.now),
            (_, Fate::Denied) => return self.denied(config, op),
            (_, Fate::Refused) => return self.refused(op, ticket),
            (KubeStep::LookAtCrd, _) => return self.look_at_crd(config, op, ticket, fate == Fate::Lied),
            (KubeStep::LookAtManagers, _) => return op.replied(self.now, ticket, KubeReply::Manager(None)),
            (KubeStep::Refresh, Fate::Lied) => return op.replied(self.now, ticket, KubeReply::Gone),
            (_, Fate::Lied) => {
                // The read after it says so too: the reconcile ends, and the watch has the last word.
                op.replied(self.now, ticket, KubeReply::Stale(no(404)));
                let ticket = self.looks_after(config, op);
                return op.replied(self.now, ticket, KubeReply::Gone);
            }
            _ => {}
        }
        let done = self.write(config, at, op, &object, step, before.as_deref());
        if let (Patched::Done(_), Some(before)) = (&done, before) {
            self.writes += 1;
            let slot = op.reconcile.as_ref().expect("a reconcile").slot;
            self.supersede(config, slot, &before);
        }
        if fate == Fate::Cut {
            // Who finds a claim of unknown origin has to reckon with a create.
            self.unanswered |= self.asked;
            return op.end_reconcile(false, self.now);
        }
        match done {
            Patched::Done(thing) => self.shows(op, ticket, Some(&thing)),
            Patched::Refused if *step == KubeStep::Refresh => self.shows_what_is(op, ticket),
            Patched::Refused => {
                op.replied(self.now, ticket, KubeReply::Stale(no(409)));
                let ticket = self.looks_after(config, op);
                self.shows_what_is(op, ticket);
            }
        }
    }

    /// A write to an object, or a read.
    fn write(
        &mut self,
        config: &Config,
        at: usize,
        op: &Operator,
        object: &Object,
        step: &KubeStep,
        before: Option<&Thing>,
    ) -> Patched {
        let reconcile = op.reconcile.as_ref().expect("a reconcile").clone();
        match step {
            KubeStep::Refresh | KubeStep::LookAtCrd | KubeStep::LookAtManagers => Patched::Refused,
            KubeStep::Claim(claim) => {
                let done = self.kube.claim(reconcile.slot, &object.guard, claim);
                if let (Patched::Done(_), Some(before)) = (&done, before) {
                    self.check_claim(op, before, claim);
                }
                done
            }
            KubeStep::Release(because) => {
                let done = self.kube.release(reconcile.slot, &object.guard);
                if let (Patched::Done(_), Some(before)) = (&done, before) {
                    self.check_release(at, before, because);
                }
                done
            }
            KubeStep::Status { report, .. } => {
                let fenced = !config.seeded.is_some_and(Seeded::drops_fences);
                let done = self.kube.status(reconcile.slot, &reconcile.thing, report, fenced);
                if let (Patched::Done(_), Some(before)) = (&done, before) {
                    self.check_status(&reconcile, before, report);
                }
                done
            }
        }
    }

    fn look_at_crd(&mut self, config: &Config, op: &mut Operator, ticket: Ticket, lies: bool) {
        let (now, window) = (op.mono(self.now), Operator::policy(0).window);
        let sight = self.crd_sight(lies);
        self.denied_type = if lies { self.denied_type + 1 } else { 0 };
        let forgets = config.seeded == Some(Seeded::KeepsMissing) && sight != CrdSight::Missing;
        let crd = if forgets { CrdMemory::default().sees(sight, now, window) } else { op.crd.sees(sight, now, window) };
        op.replied(self.now, ticket, KubeReply::Definition(crd));
    }

    /// The look that tells a failed test from a refusal.
    fn looks_after(&self, config: &Config, op: &mut Operator) -> Ticket {
        assert_eq!(self.asks(config, op), Next::Kube(KubeStep::Refresh), "a look after a test that failed");
        op.sent(config.seeded, self.now)
    }

    fn shows_what_is(&self, op: &mut Operator, ticket: Ticket) {
        let slot = op.reconcile.as_ref().expect("a reconcile").slot;
        self.shows(op, ticket, self.kube.slots[slot].as_ref());
    }

    /// An answer shows the object; `None`: there is none.
    fn shows(&self, op: &mut Operator, ticket: Ticket, shown: Option<&Arc<Thing>>) {
        let reconcile = op.reconcile.as_ref().expect("a reconcile");
        let (slot, seen) = (reconcile.slot, Arc::clone(&reconcile.thing));
        let same = shown.filter(|thing| thing.uid == seen.uid).cloned();
        // A reply undoes what was seen before: etcd was restored, and the watch has not shown it yet.
        if let Some(thing) = same.as_ref().filter(|thing| seen.progress().is_undone(&thing.progress())) {
            op.rewind(thing, self.now);
        }
        // The watch shows the end of an object with the version before: the one without the last finalizer is never stored.
        if let Some(thing) = same.as_ref().filter(|thing| self.kube.find(thing.uid).is_some()) {
            op.shown(slot, thing);
        }
        let reply = shown.map_or(KubeReply::Gone, |thing| KubeReply::Shown(&**thing));
        op.replied(self.now, ticket, reply);
        let reconcile = op.reconcile.as_mut().expect("a reconcile");
        reconcile.thing = same.unwrap_or(seen);
        reconcile.saw = true;
    }

    /// The API server answered 404 without proof: the reconcile ends with an error, and comes again.
    fn denied(&self, config: &Config, op: &mut Operator) {
        if config.seeded == Some(Seeded::GoneOnDenial) {
            op.takes_for_gone(self.now);
        }
        op.end_reconcile(false, self.now);
    }

    /// The API server refuses a write, whatever it says: nothing happens, and nothing is seen of the object.
    fn refused(&self, op: &mut Operator, ticket: Ticket) {
        op.replied(self.now, ticket, KubeReply::Refused(no(403)));
        let reconcile = op.reconcile.as_mut().expect("a reconcile");
        reconcile.saw &= reconcile.session.gone().is_some();
    }

    /// Keeps what a cache that starts now may still show.
    pub fn supersede(&mut self, config: &Config, slot: usize, before: &Arc<Thing>) {
        if config.stale_start {
            self.past.push((self.now, slot, Arc::clone(before)));
        }
    }

    fn perform_call(&mut self, config: &Config, at: usize, op: &mut Operator, call: &Call, fate: Fate, view: usize) {
        let reconcile = op.reconcile.as_ref().expect("a reconcile").clone();
        let deleted = self.deleted[at];
        self.check_call(at, op, &reconcile, call);
        let denied = !config.masks && self.lost.is_some_and(|lost| lost.denies(call).is_some());
        if denied || matches!(fate, Fate::Unauthorized | Fate::Rejected) {
            // Refused for sure, so it may be sent again as if it never had been.
            self.deleted[at] = deleted;
        }
        self.calls += 1;
        self.sent += u32::from(Wire::of(call).is_some());
        let ticket = op.sent(config.seeded, self.now);
        op.reconcile.as_mut().expect("a reconcile").permitted = false;
        let uid = reconcile.thing.uid;
        if matches!(call, Call::Create(_)) && (fate != Fate::Fine || self.ops.len() > 1) {
            self.unanswered |= 1 << uid;
        }
        let here = config.leads_here(reconcile.key);
        let send = |unkey: &mut Unkey, now: u32| {
            if let Some(wire) = Wire::of(call).filter(|_| here) {
                unkey.send(Pending { op: u8::try_from(at).expect("two"), uid, wire, deadline: now + ATTEMPT });
            }
        };
        let reply = match fate {
            Fate::Fine | Fate::Slow => self.answer(config, op, uid, call, view),
            Fate::Twice => {
                self.answer(config, op, uid, call, 0);
                self.answer(config, op, uid, call, 0)
            }
            Fate::Lost => {
                send(&mut self.unkey, self.now);
                failed(Effect::Unknown, Cause::Unavailable)
            }
            Fate::EndedBefore => failed(Effect::Ended, Cause::Unavailable),
            Fate::EndedAfter => {
                self.answer(config, op, uid, call, 0);
                failed(Effect::Ended, Cause::Unavailable)
            }
            Fate::Unauthorized => failed(Effect::None, Cause::Unauthorized("no".to_owned())),
            Fate::Rejected => failed(Effect::None, Cause::Rejected("no".to_owned())),
            Fate::Cut | Fate::CutBefore | Fate::Denied | Fate::Lied | Fate::Refused => {
                send(&mut self.unkey, self.now);
                op.end_reconcile(false, self.now);
                return;
            }
        };
        self.met |= u32::from(reply == Reply::Exists) << uid;
        if let (Call::Read(_), Some(shown)) = (call, op.reconcile.as_ref().and_then(|reconcile| reconcile.read)) {
            self.deleted[at] &= !(1 << shown.id);
        }
        let reconcile = op.reconcile.as_mut().expect("a reconcile");
        if fate == Fate::Slow {
            reconcile.waiting = Some(Box::new(Waiting { ticket, call: call.clone(), reply, begun: self.now }));
            return;
        }
        let reply = op.confuses(config.seeded, call, fate, reply);
        self.apply_reply(config, op, ticket, call, &reply);
    }

    /// The answer to a call that took its time is there.
    pub fn arrive(&mut self, config: &Config, at: usize) -> bool {
        let mut op = Operator::clone(&self.ops[at]);
        let Some(waiting) = op.reconcile.as_mut().and_then(|reconcile| reconcile.waiting.take()) else { return false };
        let Waiting { ticket, call, reply, begun: _ } = *waiting;
        self.apply_reply(config, &mut op, ticket, &call, &reply);
        self.settle(config, &mut op);
        self.ops[at] = Arc::new(op);
        true
    }

    fn apply_reply(&self, config: &Config, op: &mut Operator, ticket: Ticket, call: &Call, reply: &Reply) {
        let reply = config.seeded.map_or(reply.clone(), |seeded| seeded.reply(reply.clone()));
        let moment = Moment { now: op.mono(self.now), jitter: 0, thrives: None };
        let learned = op.working(|reconcile, memory| {
            let before = config.seeded.map(|_| reconcile.session.clone());
            let learned = reconcile.session.answered(ticket, &reply, memory, moment).expect("its own answer");
            if let Some(seeded) = config.seeded {
                seeded.after_learning(call, &reply, memory.known, memory.object_state);
            }
            reconcile.saw &= reconcile.session.gone().is_some();
            if let Some(before) = before.filter(|_| config.seeded == Some(Seeded::CallKeepsLook)) {
                reconcile.session.keeps_look(&before);
            }
            learned
        });
        let used = op.reconcile.as_ref().expect("a reconcile").key;
        let credential = &Operator::policy(used).credential;
        if let Some(begun) = learned.shown {
            op.workspace.showed(credential, begun);
        }
        if let Some(mark) = learned.proven {
            op.workspace.looked(credential, &mark, &Look::Hit, Operator::policy(used).window);
        }
    }

    /// Unkey performs a call; its look-ups go to the replica that shows the `view`th of what may be seen.
    fn answer(&mut self, config: &Config, op: &mut Operator, uid: u8, call: &Call, view: usize) -> Reply {
        let here = config.leads_here(op.reconcile.as_ref().expect("a reconcile").key);
        let seen = self.unkey.visible(self.now).get(view).copied().flatten().filter(|_| here);
        if let Some(operation) = self.lost.and_then(|lost| lost.denies(call)) {
            self.left.denials = self.left.denials.saturating_sub(1);
            op.reconcile.as_mut().expect("a reconcile").read = None;
            let masked = config.masks && operation != Operation::Create;
            return if masked { Reply::Absent } else { failed(Effect::None, Cause::PermissionDenied(operation)) };
        }
        match Wire::of(call) {
            Some(Wire::Create(_)) if !here => {
                self.fail(Broken::Elsewhere);
                Reply::Exists
            }
            None => {
                op.reconcile.as_mut().expect("a reconcile").read = seen;
                Unkey::read(seen)
            }
            Some(wire) => self.unkey.write(self.now, config.lag, uid, wire, seen),
        }
    }
}
