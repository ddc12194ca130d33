//! One step of a pass, as `controller::pass` performs it: decide, ONE request, learn. Each is one transition, and what happens
//! to that request (its answer lost, the process dead) is another choice of the checker.

use std::sync::Arc;

use unkey_operator_core::{
    Call, Cause, Claim, CrdMemory, CrdSight, Effect, Freed, KubeStep, Look, Object, Operation, Refused, Reply,
    Situation, Step, Telling, Visits, Wake, accepted, begin, claimed, claiming, concluded, decide, learn,
    managers_seen, not_claimed, not_released, observe, proven_by, put_on, refused, released, releasing,
};

use crate::configs::Config;
use crate::kube::{Patched, Thing};
use crate::operator::{Operator, Pass, Target, Waiting};
use crate::properties::Broken;
use crate::seeded::Seeded;
use crate::state::State;
use crate::unkey::{ATTEMPT, Pending, TICK_MS, Unkey, Wire, failed};
use crate::words::uid;

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
    /// The pass ends here, in the middle of the request: the future is dropped, or Kubernetes' answer is lost.
    Cut,
    /// Kubernetes does not do it, and the pass ends.
    CutBefore,
    /// The API server answers 404 without proof, for what exists; nothing happens.
    Denied,
    /// The API server says, in so many words, that the object does not exist; nothing happens.
    Lied,
    /// Kubernetes refuses to do it (R25).
    Refused,
}

/// What a pass would do next.
pub struct Next {
    pub object: Object,
    pub step: Step,
}

impl State {
    /// Decides. Takes in what is seen, so it changes the memory of the process.
    pub fn ponder(&self, config: &Config, op: &mut Operator, visits: &mut Visits) -> Next {
        let pass = op.pass.as_ref().expect("a pass");
        let now = op.mono(self.now);
        let policy = Operator::policy(pass.key);
        let mut object = pass.thing.view(pass.fresh, pass.gone, now, self.now);
        let mut role = op.role(pass.thing.uid);
        let (crd, entry) = (pass.crd, self.entry(op));
        if let Some(seeded) = config.seeded {
            seeded.before_witness(&mut op.known, op.workspace.witness(), policy, now);
            seeded.before_observing(&mut object);
        }
        op.known.hear_witness(op.workspace.witness(), policy.window, object.is_leaving());
        observe(&object, &mut op.known, visits, policy, now);
        let gate = op.workspace.gate(object.held().map(|held| &held.credential));
        let step = match config.seeded {
            None => {
                let known = &op.known;
                let (gate, witness) = (&gate, op.workspace.witness());
                decide(&Situation { object: &object, role, known, visits, gate, witness, crd, entry, policy, now })
            }
            Some(seeded) => seeded.decide(&mut object, &mut role, (&gate, entry), op, visits, now),
        };
        Next { object, step }
    }

    /// Takes one step of a pass of process `at`. False: there is none to take.
    pub fn step(&mut self, config: &Config, at: usize, target: Target, fate: Fate, view: usize) -> bool {
        let mut op = Operator::clone(&self.ops[at]);
        if let Some(seeded) = config.seeded.filter(|_| target != Target::On) {
            seeded.before_pass(&mut op.known);
        }
        let believes = config.seeded == Some(Seeded::GoneOnDenial);
        if !op.begin(target, &self.kube, config.crd(), believes) {
            self.ops[at] = Arc::new(op);
            return target != Target::On;
        }
        let mut visits = op.take_memory();
        let next = self.ponder(config, &mut op, &mut visits);
        concluded(&next.step, &mut visits);
        op.put_memory(visits);
        match next.step {
            Step::Done | Step::Wait(_) => {}
            // Another root key has come into use: the pass ends, and the next one begins with it.
            Step::Call(_) if op.pass.as_ref().is_some_and(|pass| pass.key != op.key) => op.end_pass(false, self.now),
            Step::Call(call) if fate == Fate::Cut && Wire::of(&call).is_none() => op.end_pass(false, self.now),
            Step::Kube(_) if fate == Fate::CutBefore => op.end_pass(false, self.now),
            Step::Kube(_) if fate == Fate::Denied => self.denied(config, &mut op),
            Step::Kube(step) if fate == Fate::Refused => self.refused(&mut op, &next.object, &step),
            Step::Kube(step) => self.perform_kube(config, at, &mut op, &next.object, &step, fate),
            Step::Call(call) => self.perform_call(config, at, &mut op, &next.object, &call, fate, view),
        }
        self.settle(config, &mut op);
        self.ops[at] = Arc::new(op);
        true
    }

    /// Takes in what the step has shown, as the loop of a pass does at once, and ends the pass if nothing is left to do.
    fn settle(&self, config: &Config, op: &mut Operator) {
        let Some(pass) = op.pass.as_ref().filter(|pass| pass.waiting.is_none()) else { return };
        let (gone, stray) = (pass.gone.is_some(), pass.stray);
        let mut visits = op.take_memory();
        let next = self.ponder(config, op, &mut visits);
        concluded(&next.step, &mut visits);
        op.put_memory(visits);
        if gone && !stray {
            // Its end is the stray's task.
            op.end_pass(false, self.now);
        } else if matches!(next.step, Step::Done | Step::Wait(_)) {
            op.end_pass(matches!(next.step, Step::Done | Step::Wait(Wake::Change)), self.now);
        }
    }

    /// The API server answered 404 without proof: the pass ends with an error, and comes again.
    fn denied(&self, config: &Config, op: &mut Operator) {
        if config.seeded == Some(Seeded::GoneOnDenial) {
            op.takes_for_gone(self.now);
        }
        op.end_pass(false, self.now);
    }

    fn perform_kube(
        &mut self,
        config: &Config,
        at: usize,
        op: &mut Operator,
        object: &Object,
        step: &KubeStep,
        fate: Fate,
    ) {
        let pass = op.pass.as_ref().expect("a pass").clone();
        let before = self.kube.slots[pass.slot].clone();
        let mut silent = true;
        let done = match step {
            KubeStep::LookAtCrd => {
                let (now, window) = (op.mono(self.now), Operator::policy(pass.key).window);
                let sight = self.crd_sight(fate == Fate::Lied);
                self.denied_type = if fate == Fate::Lied { self.denied_type + 1 } else { 0 };
                let forgets = config.seeded == Some(Seeded::KeepsMissing) && sight != CrdSight::Missing;
                let crd = if forgets {
                    CrdMemory::default().sees(sight, now, window)
                } else {
                    op.crd.sees(sight, now, window)
                };
                op.pass.as_mut().expect("a pass").crd = crd;
                return;
            }
            _ if fate == Fate::Lied => {
                // A read says so too: the pass ends, and the watch has the last word.
                op.pass.as_mut().expect("a pass").gone = Some(true);
                return;
            }
            KubeStep::LookAtManagers => {
                let mut visits = op.take_memory();
                managers_seen(None, &mut visits);
                op.put_memory(visits);
                return;
            }
            KubeStep::Refresh => Patched::Refused,
            KubeStep::Claim(claim) => self.put_on_claim(op, &pass, object, claim, before.as_deref()),
            KubeStep::Release(because) => {
                silent = because.leaves(object).is_none();
                let done = self.take_off(op, &pass, object, because);
                if let (Patched::Done(_), Some(before)) = (&done, &before) {
                    self.check_release(at, before, because);
                }
                done
            }
            KubeStep::Status { report, notes } => {
                silent = notes.is_empty();
                let fenced = !config.seeded.is_some_and(crate::seeded::Seeded::drops_fences);
                let done = self.kube.status(pass.slot, &pass.thing, report, fenced);
                if let (Patched::Done(_), Some(before)) = (&done, &before) {
                    self.check_status(&pass, before, report);
                }
                done
            }
        };
        if let (Patched::Done(_), Some(before)) = (&done, before) {
            self.writes += 1;
            self.supersede(config, pass.slot, &before);
        }
        if fate == Fate::Cut {
            // Who finds a claim of unknown origin has to reckon with a create.
            self.unanswered |= self.asked;
            op.end_pass(false, self.now);
            return;
        }
        let shown = match done {
            Patched::Done(thing) => {
                let mut visits = op.take_memory();
                if let Some(write) = step.write() {
                    accepted(write, &mut visits);
                }
                if let KubeStep::Claim(claim) = step {
                    put_on(object, claim, true, &mut visits, op.mono(self.now));
                    claimed(object, &mut visits);
                }
                if matches!(step, KubeStep::Release(_)) {
                    released(&uid(pass.thing.uid), &mut op.known, &mut visits);
                }
                op.put_memory(visits);
                // The answer that takes the last finalizer off is taken for its end, and not for how it stands.
                Some(thing).filter(|thing| self.kube.find(thing.uid).is_some())
            }
            // A read, or a read after a test that failed.
            Patched::Refused => {
                silent = true;
                self.kube.slots[pass.slot].clone()
            }
        };
        let same = shown.filter(|thing| thing.uid == pass.thing.uid);
        // A reply undoes what was seen before: etcd was restored, and the watch has not shown it yet.
        if let Some(thing) = same.as_ref().filter(|thing| pass.thing.progress().is_undone(&thing.progress())) {
            op.rewind(thing, self.now);
        }
        if let Some(thing) = &same {
            op.shown(pass.slot, thing);
        }
        let pass = op.pass.as_mut().expect("a pass");
        match same {
            Some(thing) => {
                pass.thing = thing;
                pass.fresh = true;
            }
            None => pass.gone = Some(true),
        }
        if !silent {
            // An event is published in between.
            pass.fresh = pass.gone.is_some();
        }
    }

    fn take_off(&mut self, op: &mut Operator, pass: &Pass, object: &Object, because: &Freed) -> Patched {
        let mut visits = op.take_memory();
        releasing(because, &mut visits);
        let done = self.kube.release(pass.slot, &object.guard);
        if matches!(done, Patched::Refused) {
            not_released(&mut visits);
        }
        op.put_memory(visits);
        done
    }

    fn put_on_claim(
        &mut self,
        op: &mut Operator,
        pass: &Pass,
        object: &Object,
        claim: &Claim,
        before: Option<&Thing>,
    ) -> Patched {
        let mut visits = op.take_memory();
        let noted = claiming(object, claim, &mut visits, Operator::policy(pass.key), op.mono(self.now));
        let done = self.kube.claim(pass.slot, &object.guard, claim);
        if matches!(done, Patched::Refused) {
            not_claimed(claim, noted, &mut visits);
        }
        op.put_memory(visits);
        if let (Patched::Done(_), Some(before)) = (&done, before) {
            self.check_claim(op, before, claim);
        }
        done
    }

    /// The API server refuses a write, whatever it says: nothing happens, and nothing is seen of the object.
    fn refused(&self, op: &mut Operator, object: &Object, step: &KubeStep) {
        let Some(write) = step.write() else { return };
        let answer = Refused { code: 403, words: "no".to_owned(), retry_after: 0 };
        let now = op.mono(self.now);
        let mut visits = op.take_memory();
        not_released(&mut visits);
        refused(object, write, &answer, &mut visits, now, 0);
        op.put_memory(visits);
        let pass = op.pass.as_mut().expect("a pass");
        pass.fresh = pass.gone.is_some();
    }

    /// Keeps what a cache that starts now may still show.
    pub fn supersede(&mut self, config: &Config, slot: usize, before: &Arc<Thing>) {
        if config.stale_start {
            self.past.push((self.now, slot, Arc::clone(before)));
        }
    }

    #[allow(clippy::too_many_arguments)] // the request and its circumstances
    fn perform_call(
        &mut self,
        config: &Config,
        at: usize,
        op: &mut Operator,
        object: &Object,
        call: &Call,
        fate: Fate,
        view: usize,
    ) {
        let pass = op.pass.as_ref().expect("a pass").clone();
        let deleted = self.deleted[at];
        self.check_call(at, op, &pass, call);
        let denied = !config.masks && self.lost.is_some_and(|lost| lost.denies(call).is_some());
        if denied || matches!(fate, Fate::Unauthorized | Fate::Rejected) {
            // Refused for sure, so it may be sent again as if it never had been.
            self.deleted[at] = deleted;
        }
        self.calls += 1;
        self.sent += u32::from(Wire::of(call).is_some());
        let deadline = op.mono(self.now).after(u64::from(ATTEMPT) * TICK_MS);
        let mut visits = op.take_memory();
        begin(object, call, &mut op.known, &mut visits, deadline);
        op.put_memory(visits);
        let uid = pass.thing.uid;
        if matches!(call, Call::Create(_)) && (fate != Fate::Fine || self.ops.len() > 1) {
            self.unanswered |= 1 << uid;
        }
        let here = config.leads_here(pass.key);
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
                op.end_pass(false, self.now);
                return;
            }
        };
        self.met |= u32::from(reply == Reply::Exists) << uid;
        if let (Call::Read(_), Some(shown)) = (call, op.pass.as_ref().and_then(|pass| pass.read)) {
            self.deleted[at] &= !(1 << shown.id);
        }
        let pass = op.pass.as_mut().expect("a pass");
        if fate == Fate::Slow {
            pass.waiting = Some(Box::new(Waiting { call: call.clone(), reply, begun: self.now }));
            return;
        }
        self.learn(config, op, object, call, reply, self.now);
    }

    /// The answer to a call that took its time is there.
    pub fn arrive(&mut self, config: &Config, at: usize) -> bool {
        let mut op = Operator::clone(&self.ops[at]);
        let Some(waiting) = op.pass.as_mut().and_then(|pass| pass.waiting.take()) else { return false };
        let pass = op.pass.as_ref().expect("a pass");
        let object = pass.thing.view(pass.fresh, pass.gone, op.mono(self.now), self.now);
        self.learn(config, &mut op, &object, &waiting.call, waiting.reply, waiting.begun);
        self.settle(config, &mut op);
        self.ops[at] = Arc::new(op);
        true
    }

    fn learn(&self, config: &Config, op: &mut Operator, object: &Object, call: &Call, reply: Reply, begun: u32) {
        let reply = config.seeded.map_or(reply.clone(), |seeded| seeded.reply(reply));
        let telling = Telling { begun: op.mono(begun), now: op.mono(self.now), dice: 0, thrives: None };
        let mut visits = op.take_memory();
        let policy = Operator::policy(op.pass.as_ref().expect("a pass").key);
        learn(object, call, &reply, &mut op.known, &mut visits, policy, telling);
        if let Some(seeded) = config.seeded {
            seeded.after_learning(call, &reply, &mut op.known, &mut visits);
        }
        op.put_memory(visits);
        let pass = op.pass.as_mut().expect("a pass");
        pass.fresh = pass.gone.is_some();
        let used = pass.key;
        if matches!(reply, Reply::Found { .. }) {
            let begun = op.mono(begun);
            op.workspace.showed(&Operator::policy(used).credential, begun);
        }
        if let Some(mark) = proven_by(object, call, &reply).filter(|_| used == op.key) {
            op.looked(mark, &Look::Hit);
        }
    }

    /// Unkey performs a call; its look-ups go to the replica that shows the `view`th of what may be seen.
    fn answer(&mut self, config: &Config, op: &mut Operator, uid: u8, call: &Call, view: usize) -> Reply {
        let here = config.leads_here(op.pass.as_ref().expect("a pass").key);
        let seen = self.unkey.visible(self.now).get(view).copied().flatten().filter(|_| here);
        if let Some(operation) = self.lost.and_then(|lost| lost.denies(call)) {
            self.left.denials = self.left.denials.saturating_sub(1);
            op.pass.as_mut().expect("a pass").read = None;
            let masked = config.masks && operation != Operation::Create;
            return if masked { Reply::Absent } else { failed(Effect::None, Cause::PermissionDenied(operation)) };
        }
        match Wire::of(call) {
            Some(Wire::Create(_)) if !here => {
                self.fail(Broken::Elsewhere);
                Reply::Exists
            }
            None => {
                op.pass.as_mut().expect("a pass").read = seen;
                Unkey::read(seen)
            }
            Some(wire) => self.unkey.write(self.now, config.lag, uid, wire, seen),
        }
    }
}
