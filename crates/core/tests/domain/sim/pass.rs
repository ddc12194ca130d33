//! One pass of the simulated process, with what goes wrong in it by script.

use unkey_operator_core::{
    Crd, Guard, Held, KubeStep, Object, Refused, Reply, Situation, Step, Telling, Wake, accepted, begin, begin_pass,
    claimed, claiming, concluded, decide, is_refusal, learn, managers_seen, not_claimed, observe, overdue, put_on,
    refused,
};

use super::words::name;
use super::{BEHIND, End, MANY, Script, Sim, Thing};
use crate::world::{DEADLINE, Fate};

impl Sim {
    /// Takes in an answer that is no success. False: it looks like a test that failed, and a look shows that one may have.
    fn is_refused(&mut self, step: &KubeStep, object: &Object, code: u16) -> bool {
        let (now, dice) = (self.mono(), self.dice);
        let after = self
            .thing
            .as_ref()
            .map(|thing| Guard { uid: thing.uid.clone(), resource_version: thing.version.to_string() });
        let visits = self.process.visits.entry(object.guard.uid.clone()).or_default();
        if code == 409 && !is_refusal(&object.guard, after.as_ref(), visits) {
            return false;
        }
        let answer = Refused { code, words: "no".to_owned(), retry_after: 0 };
        refused(object, step.write().expect("a write"), &answer, visits, now, dice);
        true
    }

    /// What is decided on what was last seen.
    fn decided(&mut self, thing: &Thing, fresh: bool, gone: bool, crd: Crd) -> (Object, Step) {
        let object = self.view(thing, fresh, gone);
        let mono = self.mono();
        let visits = self.process.visits.entry(thing.uid.clone()).or_default();
        self.process.known.hear_witness(&self.process.witness, self.policy.window, object.is_leaving());
        observe(&object, &mut self.process.known, visits, &self.policy, mono);
        let situation = Situation {
            object: &object,
            role: self.role,
            known: &self.process.known,
            visits,
            gate: &self.gate,
            witness: &self.process.witness,
            crd,
            entry: self.entry,
            policy: &self.policy,
            now: mono,
        };
        let step = decide(&situation);
        assert_eq!(step, decide(&situation), "decide is a function");
        let visits = self.process.visits.entry(thing.uid.clone()).or_default();
        concluded(&step, visits);
        (object, step)
    }

    /// Says that work waits, between two passes, as whoever has the turn does (R24).
    pub fn tell(&mut self) {
        let Some(thing) = self.thing.clone() else { return };
        let (object, now) = (self.view(&thing, false, false), self.mono());
        let (mut known, witness) = (self.process.known.clone(), &self.process.witness);
        let mut visits = self.process.visits.get(&thing.uid).cloned().unwrap_or_default();
        begin_pass(&mut known);
        known.hear_witness(witness, self.policy.window, object.is_leaving());
        observe(&object, &mut known, &mut visits, &self.policy, now);
        let (known, visits, gate, policy) = (&known, &visits, &self.gate, &self.policy);
        let (role, crd, entry) = (self.role, self.crd, self.entry);
        let situation = Situation { object: &object, role, known, visits, gate, witness, crd, entry, policy, now };
        let Some(report) = overdue(&situation, None) else { return };
        let at = || format!("{report:?}\n{}", self.trace.join("\n"));
        assert!(!report.verdict.is_ready() && !report.verdict.is_stalled(), "R24: it ends nothing: {}", at());
        let id = |held: Option<&Held>| held.map(|held| held.identity.clone());
        let recorded = object.recorded.own().and_then(|record| record.held.as_ref());
        assert!(id(recorded).is_none_or(|it| Some(it) == id(report.held.as_ref())), "R24: the id stays: {}", at());
        self.kube(&KubeStep::Status { report: Box::new(report), notes: Vec::new() }, &object, &thing);
    }

    pub fn pass_with(&mut self, script: &Script) -> End {
        let (mut done, mut fates) = (0, script.fates.iter());
        loop {
            let end = self.one_pass(script, &mut done, &mut fates);
            if end != End::Wait(Wake::Witness) || self.process.witness.blind().is_some() {
                return end;
            }
            // Whoever waits is woken by the look, in vain or not.
            self.look();
        }
    }

    /// `done`: steps before this pass; `fates`: of the calls from here on.
    #[allow(clippy::too_many_lines)] // the loop of a pass, as the controller has it
    fn one_pass(&mut self, script: &Script, done: &mut usize, fates: &mut std::slice::Iter<'_, Fate>) -> End {
        begin_pass(&mut self.process.known);
        let stray = self.process.stray.take().filter(|_| self.thing.is_none());
        let mut gone = stray.is_some();
        let Some(mut thing) = self.thing.clone().or(stray) else { return End::NoObject };
        for older in self.past.iter().rev().take(if *done == 0 { script.stale } else { 0 }) {
            if self.now - thing.at >= BEHIND {
                break;
            }
            thing = older.clone();
        }
        let mut fresh = false;
        let mut crd = if self.crd == Crd::Unguarded { Crd::Unguarded } else { Crd::Unseen };
        while *done < MANY {
            let n = *done;
            let mono = self.mono();
            let (object, step) = self.decided(&thing, fresh, gone, crd);
            if !matches!(step, Step::Wait(_) | Step::Done) {
                *done += 1;
            }
            let (crash, drop) = (script.crash_after == Some(n), script.drop_after == Some(n));
            if let Some((_, act)) = script.meanwhile.as_ref().filter(|(at, _)| *at == n) {
                self.act(act);
            }
            match step {
                Step::Wait(wake) => {
                    self.process.stray = gone.then_some(thing);
                    return End::Wait(wake);
                }
                Step::Done => return End::Done,
                Step::Kube(KubeStep::LookAtCrd) => {
                    self.trace.push("LookAtCrd".to_owned());
                    crd = self.crd;
                }
                Step::Kube(KubeStep::LookAtManagers) => {
                    self.trace.push("LookAtManagers".to_owned());
                    managers_seen(None, self.process.visits.entry(thing.uid.clone()).or_default());
                }
                Step::Kube(step) => {
                    match &mut self.kube_fails_after {
                        Some(0) => {
                            self.kube_fails_after = None;
                            return End::Cut;
                        }
                        Some(left) => *left -= 1,
                        None => {}
                    }
                    let noted = match &step {
                        KubeStep::Claim(claim) => {
                            let visits = self.process.visits.entry(thing.uid.clone()).or_default();
                            claiming(&object, claim, visits, &self.policy, mono)
                        }
                        _ => false,
                    };
                    let ordered =
                        script.refused.iter().chain(&self.refuses).find(|(write, _)| Some(*write) == step.write());
                    let code = ordered.map(|(_, code)| *code);
                    let done = if code.is_some() { None } else { self.kube(&step, &object, &thing) };
                    if crash {
                        self.restart();
                    }
                    if crash || drop {
                        return End::Cut;
                    }
                    if let Some(code) = code {
                        self.trace.push(format!("Refused {}", step.write().expect("a write").as_str()));
                        if self.is_refused(&step, &object, code) {
                            fresh = false;
                            continue;
                        }
                    }
                    let visits = self.process.visits.entry(thing.uid.clone()).or_default();
                    if let (Some(write), Some(_)) = (step.write(), &done) {
                        accepted(write, visits);
                    }
                    if let (KubeStep::Claim(claim), Some(Some(after))) = (&step, &done) {
                        put_on(&object, claim, after.claim.is_some(), visits, mono);
                        claimed(&object, visits);
                    }
                    if let (KubeStep::Claim(claim), None) = (&step, &done) {
                        not_claimed(claim, noted, visits);
                    }
                    match (&step, done) {
                        (KubeStep::Release(_), Some(None)) => return End::Done,
                        (_, Some(Some(after))) => thing = after,
                        // Refused by a test in the patch, or a refresh: look again.
                        _ => match self.thing.clone().filter(|newest| newest.uid == thing.uid) {
                            Some(newest) => thing = newest,
                            None => gone = true,
                        },
                    }
                    fresh = true;
                }
                Step::Call(call) => {
                    fresh = false;
                    self.sends(&call, &object);
                    let begun = self.mono();
                    let visits = self.process.visits.entry(thing.uid.clone()).or_default();
                    begin(&object, &call, &mut self.process.known, visits, begun.after(DEADLINE));
                    let fate = fates.next().cloned().unwrap_or(Fate::Fine);
                    let (reply, took) = self.unkey.call(self.now, &thing.uid, &call, &fate);
                    self.trace.push(name(&call).to_owned());
                    if crash {
                        self.restart();
                    }
                    if crash || drop {
                        return End::Cut;
                    }
                    self.sleep(took);
                    let telling = Telling { begun, now: self.mono(), dice: self.dice, thrives: self.thrives };
                    let visits = self.process.visits.entry(thing.uid.clone()).or_default();
                    let note = learn(&object, &call, &reply, &mut self.process.known, visits, &self.policy, telling);
                    self.notes.extend(note);
                    if matches!(reply, Reply::Found { .. }) {
                        self.process.witness.shown(begun);
                    }
                }
            }
        }
        End::Circles
    }
}
