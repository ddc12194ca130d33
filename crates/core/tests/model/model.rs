//! All that can happen next, for stateright to explore.

use std::sync::Arc;

use stateright::{Model, Property};
use unkey_operator_core::Call;
use unkey_operator_core::session::Next;

use crate::configs::Config;
use crate::liveness::Memo;
use crate::operator::{Operator, Target};
use crate::properties;
use crate::seeded::Seeded;
use crate::state::State;
use crate::step::Fate;
use crate::unkey::{Right, Wire};
use crate::user::{Act, Stranger};

/// One transition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Step {
        op: usize,
        target: Target,
        fate: Fate,
        view: usize,
    },
    Arrive(usize),
    /// A status says that work waits.
    Tell {
        op: usize,
        slot: usize,
    },
    Deliver {
        op: usize,
        slot: usize,
    },
    Sweep(usize),
    Crash {
        op: usize,
        stale: Option<usize>,
    },
    /// The process dies, and the one that begins does not know the objects of this slot's namespace.
    CrashBlind {
        op: usize,
        slot: usize,
    },
    /// The second session of a process goes on: only where a seeded fault ignores locks.
    Switch(usize),
    /// The process is told to end, and ends when its reconcile has.
    Drain(usize),
    NewKey(usize),
    /// A look for an identity recorded under an earlier key.
    Look {
        op: usize,
        view: usize,
    },
    Land {
        at: usize,
        view: usize,
    },
    /// What is due at the next tick lands then, by these bits, or never.
    Tick {
        landing: u8,
    },
    User {
        slot: usize,
        act: Act,
    },
    Stranger(Stranger),
    /// A backup of etcd is made.
    Backup,
    /// Etcd is restored from it.
    Rewind,
    /// The root key loses a permission, or gets it back.
    Lose(Right),
    Regain,
    /// The definition in the cluster becomes that of the operators.
    Upgrade,
    /// A look for a witness (R19).
    Witness(usize),
}

/// A configuration, and what is known to come to rest in it.
pub struct World {
    pub config: Config,
    pub memo: Memo,
    /// Do without liveness: for seeded faults that safety catches.
    pub safety_only: bool,
}

impl World {
    pub fn new(config: Config) -> Self {
        Self { config, memo: Memo::default(), safety_only: false }
    }

    fn process(&self, state: &State, op: usize, actions: &mut Vec<Action>) {
        let process = &state.ops[op];
        if state.left.crashes > 0 {
            actions.push(Action::Crash { op, stale: None });
            let past = (0..state.past.len()).filter(|at| {
                let (_, slot, thing) = &state.past[*at];
                state.kube.slots[*slot].as_ref().is_none_or(|now| now.version != thing.version)
            });
            actions.extend(past.map(|at| Action::Crash { op, stale: Some(at) }));
            let blind = if self.config.blind_start { self.config.slots } else { 0 };
            actions.extend((0..blind).map(|slot| Action::CrashBlind { op, slot }));
        }
        if process.draining && process.reconcile.is_none() {
            actions.push(Action::Crash { op, stale: None });
            return;
        }
        if self.config.drains && state.left.crashes > 0 && !process.draining {
            actions.push(Action::Drain(op));
        }
        if state.left.keys > 0 {
            actions.push(Action::NewKey(op));
        }
        if !process.workspace.unproven().is_empty() {
            let views = state.unkey.visible(state.now).len();
            actions.extend((0..views).map(|view| Action::Look { op, view }));
        }
        for slot in 0..2 {
            if state.is_behind(op, slot) {
                actions.push(Action::Deliver { op, slot });
            }
        }
        if process.can_forget(state.now) {
            actions.push(Action::Sweep(op));
        }
        if state.may_look_for_witness(op) {
            actions.push(Action::Witness(op));
        }
        if self.config.tells {
            let tells = (0..self.config.slots).filter(|slot| state.overdue(&self.config, process, *slot).is_some());
            actions.extend(tells.map(|slot| Action::Tell { op, slot }));
        }
        match &process.reconcile {
            Some(reconcile) if reconcile.waiting.is_some() => actions.push(Action::Arrive(op)),
            Some(_) => self.next_of(state, op, Target::On, actions),
            None => {}
        }
        if process.other.is_some() {
            actions.push(Action::Switch(op));
        } else if process.claims.is_free() || self.config.seeded == Some(Seeded::LockIgnored) {
            for slot in 0..2 {
                if process.cache[slot].is_some() {
                    self.next_of(state, op, Target::Object(slot), actions);
                }
            }
            for stray in 0..process.strays.len() {
                self.next_of(state, op, Target::Stray(stray), actions);
            }
        }
    }

    fn next_of(&self, state: &State, op: usize, target: Target, actions: &mut Vec<Action>) {
        let mut process = Operator::clone(&state.ops[op]);
        let go = |fate, view| Action::Step { op, target, fate, view };
        if let Some(seeded) = self.config.seeded.filter(|_| target != Target::On) {
            seeded.before_reconcile(&mut process.known);
        }
        if !process.begin(target, self.config.crd()) {
            actions.push(go(Fate::Fine, 0));
            return;
        }
        match state.next(&self.config, &mut process) {
            Next::End(_) | Next::LookForEnd | Next::Publish(_) => actions.push(go(Fate::Fine, 0)),
            Next::Acquire(_) => {
                actions.push(go(Fate::Fine, 0));
                if state.left.cuts > 0 {
                    actions.push(go(Fate::CutBefore, 0));
                }
            }
            Next::Kube(kube) => {
                actions.push(go(Fate::Fine, 0));
                if state.left.cuts > 0 {
                    actions.extend([go(Fate::Cut, 0), go(Fate::CutBefore, 0)]);
                }
                if state.left.lies > 0 {
                    actions.extend([go(Fate::Denied, 0), go(Fate::Lied, 0)]);
                }
                if state.left.refusals > 0 && kube.write().is_some() {
                    actions.push(go(Fate::Refused, 0));
                }
            }
            Next::Call(call) if state.lost.is_some_and(|lost| lost.denies(&call).is_some()) => {
                if state.left.denials > 0 {
                    actions.push(go(Fate::Fine, 0));
                }
            }
            Next::Call(call) => {
                let views = if matches!(call, Call::Create(_)) { 1 } else { state.unkey.visible(state.now).len() };
                actions.extend((0..views).map(|view| go(Fate::Fine, view)));
                if state.left.cuts > 0 {
                    actions.push(go(Fate::Cut, 0));
                }
                if state.left.faults > 0 {
                    let can = |fate: &&Fate| match fate {
                        Fate::Lost => true,
                        Fate::Rejected => matches!(call, Call::Create(_) | Call::Update { .. }),
                        _ => Wire::of(&call).is_some(),
                    };
                    actions.extend(self.config.fates.iter().filter(can).map(|fate| go(*fate, 0)));
                }
            }
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.config.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        for op in 0..state.ops.len() {
            self.process(state, op, actions);
        }
        for (at, pending) in state.unkey.pending.iter().enumerate() {
            let creates = matches!(pending.wire, Wire::Create(_));
            let views = if creates { 1 } else { state.unkey.visible(state.now).len() };
            actions.extend((0..views).map(|view| Action::Land { at, view }));
        }
        // A process with a cache that is behind is not paused in a reconcile until it has caught up.
        if !state.ops.iter().any(|op| op.stale && op.reconcile.is_some()) {
            let due = state.unkey.pending.iter().filter(|pending| pending.deadline == state.now + 1).count();
            actions.extend((0..1_u8 << due).map(|landing| Action::Tick { landing }));
        }
        if state.left.user > 0 {
            for slot in 0..self.config.slots {
                actions.extend(state.acts(&self.config, slot).into_iter().map(|act| Action::User { slot, act }));
            }
        }
        if state.left.rewinds > 0 {
            actions.push(if state.backup.is_none() { Action::Backup } else { Action::Rewind });
        }
        if state.left.strangers > 0 {
            actions.extend(state.strangers(&self.config).into_iter().map(Action::Stranger));
        }
        if state.left.rights > 0 && state.lost.is_none() {
            actions.extend(self.config.rights.iter().map(|right| Action::Lose(*right)));
        }
        if state.outdated {
            actions.push(Action::Upgrade);
        }
        if state.may_regain() {
            actions.push(Action::Regain);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.perform(&mut state, action);
        state.check_state();
        if state.broken.is_none() && !self.safety_only {
            state.broken = self.rests(&state);
            state.alone = state.broken.is_some();
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl World {
    pub fn perform(&self, state: &mut State, action: Action) {
        let config = &self.config;
        match action {
            Action::Step { op, target, fate, view } => {
                match fate {
                    Fate::Fine => {}
                    Fate::Cut | Fate::CutBefore => state.left.cuts -= 1,
                    Fate::Denied | Fate::Lied => state.left.lies -= 1,
                    Fate::Refused => state.left.refusals -= 1,
                    _ => state.left.faults -= 1,
                }
                state.step(config, op, target, fate, view);
            }
            Action::Arrive(op) => {
                state.arrive(config, op);
            }
            Action::Tell { op, slot } => state.tell(config, op, slot),
            Action::Deliver { op, slot } => state.deliver(config, op, slot),
            Action::Backup => state.backup = Some(state.kube.slots.clone()),
            Action::Rewind => {
                state.left.rewinds -= 1;
                state.rewind();
            }
            Action::Sweep(op) => Arc::make_mut(&mut state.ops[op]).known = unkey_operator_core::Knowledge::default(),
            Action::Crash { op, stale } => {
                // What was told to end is counted already.
                state.left.crashes -= u8::from(!state.ops[op].draining);
                state.crash(op, stale);
            }
            Action::Switch(op) => Arc::make_mut(&mut state.ops[op]).switch(),
            Action::Drain(op) => {
                state.left.crashes -= 1;
                Arc::make_mut(&mut state.ops[op]).draining = true;
            }
            Action::CrashBlind { op, slot } => {
                state.left.crashes -= 1;
                state.crash_blind(op, slot);
            }
            Action::NewKey(op) => {
                state.left.keys -= 1;
                let now = state.now;
                Arc::make_mut(&mut state.ops[op]).new_key(now);
            }
            Action::Look { op, view } => state.look(config, op, view),
            Action::Land { at, view } => state.land(config, at, view),
            Action::Tick { landing } => state.tick(config, landing),
            Action::User { slot, act } => {
                state.left.user -= 1;
                state.act(config, slot, act);
            }
            Action::Stranger(stranger) => {
                state.left.strangers -= 1;
                state.intrude(config, stranger);
            }
            Action::Lose(right) => {
                state.left.rights -= 1;
                state.lost = Some(right);
                state.was_blind |= right == Right::Blind;
            }
            Action::Regain => state.lost = None,
            Action::Upgrade => state.outdated = false,
            Action::Witness(op) => state.look_for_witness(config, op),
        }
    }
}
