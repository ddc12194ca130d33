//! Performs the steps of the shipped session for the simulated process, with what goes wrong by script.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::slice::Iter;
use std::sync::Arc;

use unkey_operator_core::session::{
    self, Environment, Event, KubeReply, Learned, Moment, Need, Next, ObjectView, Records, Session, waiting,
};
use unkey_operator_core::{
    Call, ClaimState, Crd, DeletionGate, Deletions, Gate, Guard, KeyMark, KubeStep, Mono, OwnedIdentity, OwnershipGate,
    Refused, Role, Situation, StatusUpdate, Step, Uid, Wake, Witness, decide, ended,
};

use super::words::name;
use super::{BEHIND, End, MANY, MassFault, Script, Sim, Thing};
use crate::world::{DEADLINE, Fate};

/// The world around a session of the simulated process: it leads, has every permit, and works with one root key.
struct SimEnvironment<'a> {
    now: Mono,
    role: Role,
    gate: Gate,
    witness: Witness,
    ownership_gate: OwnershipGate,
    credential: KeyMark,
    fault: Option<MassFault>,
    deletions: RefMut<'a, Deletions>,
}

impl Environment for SimEnvironment<'_> {
    fn now(&self) -> Mono {
        self.now
    }

    fn role(&self) -> Role {
        self.role
    }

    fn gate(&self, _: Option<&KeyMark>) -> Gate {
        self.gate.clone()
    }

    fn witness(&self) -> Witness {
        self.witness.clone()
    }

    fn ownership_gate(&self) -> OwnershipGate {
        self.ownership_gate
    }

    fn deletions(&self) -> &Deletions {
        &self.deletions
    }

    fn deletions_mut(&mut self) -> &mut Deletions {
        &mut self.deletions
    }

    fn an_hour_ahead(&self) -> String {
        "2026-11-28T18:00:00Z".to_owned()
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

    fn decide(&self, situation: &Situation<'_>) -> Step {
        let open = DeletionGate::Open;
        let until_twice = |at: Mono| self.now >= at.after(2 * self.deletions.limits().window);
        let ignored = match (self.fault, situation.deletion_gate) {
            (Some(MassFault::NoHold), DeletionGate::Hold { .. })
            | (Some(MassFault::NoBrake), DeletionGate::Held { .. }) => true,
            (Some(MassFault::FreedByTime), DeletionGate::Held { .. }) => until_twice(Mono::ZERO),
            _ => false,
        };
        let situation =
            &Situation { deletion_gate: if ignored { &open } else { situation.deletion_gate }, ..*situation };
        let step = decide(situation);
        assert_eq!(step, decide(situation), "decide is a function");
        step
    }
}

impl ObjectView for Thing {
    fn is(&self, uid: &Uid) -> bool {
        self.uid == *uid
    }

    fn guard(&self) -> Guard {
        Guard { uid: self.uid.clone(), resource_version: self.version.to_string() }
    }

    fn has_finalizer(&self) -> bool {
        self.finalizer
    }

    fn is_claimed(&self) -> bool {
        self.finalizer && ClaimState::parse(self.claim.as_deref(), &self.uid).own().is_some()
    }

    fn lacks(&self, _: &StatusUpdate) -> Option<Vec<String>> {
        None
    }
}

/// One session under way, and the object as it was last seen.
struct Run {
    session: Session,
    thing: Thing,
}

impl Sim {
    fn around<'a>(&self, deletions: &'a RefCell<Deletions>) -> SimEnvironment<'a> {
        SimEnvironment {
            deletions: deletions.borrow_mut(),
            fault: self.fault,
            now: self.mono(),
            role: self.role,
            gate: self.gate.clone(),
            witness: self.process.witness.clone(),
            ownership_gate: self.ownership_gate,
            credential: self.policy.credential.clone(),
        }
    }

    /// Runs `work` with what outlives a session over the object `uid`.
    fn remembering<T>(&mut self, uid: &Uid, work: impl FnOnce(&mut Records<'_>) -> T) -> T {
        let object_state = self.process.object_state.entry(uid.clone()).or_default();
        work(&mut Records { known: &mut self.process.known, object_state })
    }

    /// Says that work waits, between two reconciles, as whoever holds the lock does (R24).
    pub fn tell(&mut self) {
        let Some(thing) = self.thing.clone() else { return };
        let object = self.view(&thing);
        let mut known = self.process.known.clone();
        let mut object_state = self.process.object_state.get(&thing.uid).cloned().unwrap_or_default();
        let memory = Records { known: &mut known, object_state: &mut object_state };
        let Some(report) =
            waiting(&object, memory, &self.around(&Rc::clone(&self.deletions)), (&self.policy, self.crd), None)
        else {
            return;
        };
        let at = || format!("{report:?}\n{}", self.trace.join("\n"));
        assert!(!report.verdict.is_ready() && !report.verdict.is_stalled(), "R24: it ends nothing: {}", at());
        let id = |held: Option<&OwnedIdentity>| held.map(|held| held.identity.clone());
        let recorded = object.recorded.own().and_then(|record| record.held.as_ref());
        assert!(id(recorded).is_none_or(|it| Some(it) == id(report.held.as_ref())), "R24: the id stays: {}", at());
        self.kube(&KubeStep::Status { report: Box::new(report), notes: Vec::new() }, &object, &thing);
    }

    pub fn reconcile_with(&mut self, script: &Script) -> End {
        let (mut done, mut fates) = (0, script.fates.iter());
        loop {
            let end = self.one_reconcile(script, &mut done, &mut fates);
            if end != End::Wait(Wake::Witness) || self.process.witness.blind().is_some() {
                return end;
            }
            // Whoever waits is woken by the look, in vain or not.
            self.look();
        }
    }

    /// `done`: steps before this reconcile; `fates`: of the calls from here on.
    fn one_reconcile(&mut self, script: &Script, done: &mut usize, fates: &mut Iter<'_, Fate>) -> End {
        let stray = self.process.stray.take().filter(|_| self.thing.is_none());
        let clears_up = stray.is_some();
        let Some(thing) = self.thing.clone().or(stray) else { return End::NoObject };
        let thing = if *done == 0 { self.cached(thing, script.stale) } else { thing };
        let mut run = self.begin(thing, clears_up);
        loop {
            if *done >= MANY {
                return End::Circles;
            }
            let next = self.next(&mut run);
            let n = *done;
            *done += usize::from(matches!(next, Next::Kube(_) | Next::Call(_)));
            if let Some((_, act)) = script.meanwhile.as_ref().filter(|(at, _)| *at == n) {
                self.act(act);
            }
            let cut = match next {
                Next::End(session::End::Gone) => {
                    // The watch says so too.
                    if !self.leaves(&run.thing) {
                        return End::Done;
                    }
                    run = self.begin(run.thing, true);
                    false
                }
                Next::End(end) => return self.ends(run, end),
                Next::Acquire(_) => unreachable!("there is a permit for everything"),
                Next::Publish(event) => {
                    self.publishes(&mut run, event);
                    false
                }
                Next::LookForEnd => self.looks_for_end(&mut run),
                Next::Kube(step) => self.asks_kube(&mut run, &step, script, n),
                Next::Call(call) => self.calls(&mut run, &call, script, n, fates.next().unwrap_or(&Fate::Fine)),
            };
            if cut {
                return End::Cut;
            }
        }
    }

    fn begin(&mut self, thing: Thing, clears_up: bool) -> Run {
        let crd = if self.crd == Crd::Unguarded { Crd::Unguarded } else { Crd::Unseen };
        let begin = if clears_up { Session::clear_up } else { Session::start };
        let session = begin(thing.uid.clone(), Arc::new(self.policy.clone()), crd, &mut self.process.known);
        Run { session, thing }
    }

    /// The object as a cache shows it that is `behind` by so many versions, if it can be.
    fn cached(&self, newest: Thing, behind: usize) -> Thing {
        let can_be = |older: &&Thing| self.now.saturating_sub(older.at) < BEHIND;
        self.past.iter().rev().take(behind).take_while(can_be).last().cloned().unwrap_or(newest)
    }

    /// What is decided on what was last seen.
    fn next(&mut self, run: &mut Run) -> Next {
        let deletions = Rc::clone(&self.deletions);
        let (object, mut around) = (self.view(&run.thing), self.around(&deletions));
        self.remembering(&run.thing.uid, |memory| run.session.next(object, memory, &mut around))
            .expect("nothing is on its way")
    }

    /// The object went: true if it may have left something in Unkey.
    fn leaves(&mut self, thing: &Thing) -> bool {
        let (uid, now) = (&thing.uid, self.mono());
        let recorded = thing.status.as_ref().filter(|(of, _)| of == uid).and_then(|(_, record)| record.held.as_ref());
        let recorded = recorded.map(|held| held.identity.id());
        let object_state = self.process.object_state.get(uid).cloned().unwrap_or_default();
        ended(uid, recorded, &mut self.process.known, &object_state, now);
        self.process.known.owes(uid)
    }

    fn ends(&mut self, run: Run, end: session::End) -> End {
        let clears_up = run.session.clears_up();
        match end {
            session::End::Done => End::Done,
            session::End::Wait(wake) => {
                self.process.stray = clears_up.then_some(run.thing);
                End::Wait(wake)
            }
            other => panic!("{other:?} in a world where it cannot be:\n{}", self.trace.join("\n")),
        }
    }

    fn publishes(&mut self, run: &mut Run, event: Event) {
        if let Event::Note(note) = event {
            self.notes.push(note);
        }
        self.remembering(&run.thing.uid, |memory| run.session.published(true, memory)).expect("it was asked for");
    }

    fn looks_for_end(&mut self, run: &mut Run) -> bool {
        let reply = if self.thing.as_ref().is_some_and(|thing| thing.uid == run.thing.uid) {
            KubeReply::Lives
        } else {
            KubeReply::Ended { successors: self.successors }
        };
        self.replies(run, reply);
        false
    }

    /// One request to Kubernetes; true if the reconcile ends in the middle of it.
    fn asks_kube(&mut self, run: &mut Run, step: &KubeStep, script: &Script, n: usize) -> bool {
        match step {
            KubeStep::LookAtCrd => {
                self.trace.push("LookAtCrd".to_owned());
                self.replies(run, KubeReply::Definition(self.crd));
                return false;
            }
            KubeStep::LookAtManagers => {
                self.trace.push("LookAtManagers".to_owned());
                self.replies(run, KubeReply::Manager(None));
                return false;
            }
            KubeStep::Refresh | KubeStep::Claim(_) | KubeStep::Status { .. } | KubeStep::Release(_) => {}
        }
        match &mut self.kube_fails_after {
            Some(0) => {
                self.kube_fails_after = None;
                return true;
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let object = run.session.object().expect("a step was asked for").clone();
        let ticket = self.sends_to_kube(run);
        let ordered = script.refused.iter().chain(&self.refuses).find(|(write, _)| Some(*write) == step.write());
        let code = ordered.map(|(_, code)| *code);
        let done = if code.is_some() { None } else { self.kube(step, &object, &run.thing) };
        if self.is_cut(script, n) {
            return true;
        }
        let answer = |code| Refused { code, words: "no".to_owned(), retry_after: None };
        let newest = self.thing.clone().filter(|newest| newest.uid == run.thing.uid);
        let reply = match (code, step, &done) {
            (Some(code), ..) => {
                self.trace.push(format!("Refused {}", step.write().expect("a write").as_str()));
                if code == 409 { KubeReply::Stale(answer(code)) } else { KubeReply::Refused(answer(code)) }
            }
            (None, KubeStep::Refresh, _) => newest.as_ref().map_or(KubeReply::Gone, |thing| KubeReply::Shown(thing)),
            (None, _, Some(after)) => KubeReply::Shown(after),
            (None, _, None) => KubeReply::Stale(answer(409)),
        };
        let moment = Moment { now: self.mono(), jitter: self.jitter, thrives: self.thrives };
        let uid = run.thing.uid.clone();
        self.remembering(&uid, |memory| run.session.replied(ticket, reply, memory, moment)).expect("its own answer");
        run.thing = done.or(newest).unwrap_or_else(|| run.thing.clone());
        false
    }

    fn sends_to_kube(&mut self, run: &mut Run) -> session::Ticket {
        let now = self.mono();
        self.remembering(&run.thing.uid, |memory| run.session.sent(memory, now, now)).expect("it was asked for")
    }

    /// A request to Kubernetes that is answered so.
    fn replies(&mut self, run: &mut Run, reply: KubeReply<'_>) {
        let ticket = self.sends_to_kube(run);
        let moment = Moment { now: self.mono(), jitter: self.jitter, thrives: self.thrives };
        self.remembering(&run.thing.uid, |memory| run.session.replied(ticket, reply, memory, moment))
            .expect("its own answer");
    }

    /// The process dies or the future is dropped, by script.
    fn is_cut(&mut self, script: &Script, n: usize) -> bool {
        if script.crash_after == Some(n) {
            self.restart();
        }
        script.crash_after == Some(n) || script.drop_after == Some(n)
    }

    /// One call to Unkey; true if the reconcile ends in the middle of it.
    fn calls(&mut self, run: &mut Run, call: &Call, script: &Script, n: usize, fate: &Fate) -> bool {
        let object = run.session.object().expect("a step was asked for").clone();
        self.sends(call, &object);
        let (begun, uid) = (self.mono(), run.thing.uid.clone());
        let ticket = self
            .remembering(&uid, |memory| run.session.sent(memory, begun, begun.after(DEADLINE)))
            .expect("it was asked for");
        let (reply, took) = self.unkey.call(self.now, &uid, call, fate);
        self.trace.push(name(call).to_owned());
        if self.is_cut(script, n) {
            return true;
        }
        self.sleep(took);
        let moment = Moment { now: self.mono(), jitter: self.jitter, thrives: self.thrives };
        let Learned { shown, .. } = self
            .remembering(&uid, |memory| run.session.answered(ticket, &reply, memory, moment))
            .expect("its own answer");
        if let Some(begun) = shown {
            self.process.witness.shown(begun);
        }
        false
    }
}
