//! From any state, run on without faults under one fair schedule: every cache is shown what is, every object gets a reconcile, what is
//! on its way lands, a tick passes. It has to come to rest, tell the truth there, and leave nothing behind.
//!
//! A state whose round ends in the same state (times relative to now) is at rest for ever: that is how the quiet at the end is
//! proven rather than sampled. What has led there once is remembered by its fingerprint, so most states cost one look-up.

use std::sync::Arc;

use dashmap::DashSet;
use unkey_operator_api::Reason;

use crate::configs::Config;
use crate::kube::Thing;
use crate::model::{Action, World};
use crate::operator::{Operator, Target};
use crate::properties::Broken;
use crate::state::{Budget, State};
use crate::step::Fate;
use crate::user::Act;

/// Rounds after which it is taken never to rest. The longest way: a deletion of an identity that was re-created under doubt.
const ROUNDS: usize = 60;
/// Steps after which a reconcile runs in circles: fewer than those after which its session ends by itself.
const STEPS: usize = 60;

/// Fingerprints of states that are known to come to a good end.
pub type Memo = DashSet<u64>;

/// What the schedule does with what is not the operator's to choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// What is on its way lands as late as it can; replicas are up to date.
    Late,
    /// What is on its way is lost; replicas lag as much as they can.
    Never,
}

impl World {
    /// What goes wrong if the world is left alone from here.
    pub fn rests(&self, from: &State) -> Option<Broken> {
        let choices = !from.unkey.pending.is_empty() || !from.unkey.past.is_empty();
        let ways: &[Way] = if choices { &[Way::Late, Way::Never] } else { &[Way::Late] };
        let mut start = from.clone();
        start.left = Budget::default();
        start.regain(&self.config);
        ways.iter().find_map(|way| self.run_on(start.clone(), *way, false))
    }

    /// The first way on which it goes wrong, step by step, for a trace.
    pub fn show(&self, from: &State, mut show: impl FnMut(&State, Option<Action>)) {
        let mut from = from.clone();
        from.left = Budget::default();
        from.broken = None;
        from.regain(&self.config);
        let fresh = Self::new(self.config.clone());
        let wrong = |way: &&Way| fresh.run_on(from.clone(), **way, false).is_some();
        let Some(way) = [Way::Late, Way::Never].iter().find(wrong) else { return };
        for asked in [false, true] {
            for _ in 0..ROUNDS {
                let before = from.print();
                round(&self.config, &mut from, *way, &mut |state, action| show(state, Some(action)));
                from.check_state();
                if from.broken.is_some() || from.print() == before {
                    break;
                }
            }
            show(&from, None);
            if asked || from.broken.is_some() || at_rest(&self.config, &from, false).is_some() {
                return;
            }
            ask(&self.config, &mut from);
        }
    }

    fn run_on(&self, mut state: State, way: Way, asked: bool) -> Option<Broken> {
        let mut visited = Vec::new();
        let salt = u64::from(way == Way::Never) + 2 * u64::from(asked);
        for _ in 0..ROUNDS {
            let before = state.print();
            let print = before.rotate_left(7) ^ salt;
            if self.memo.contains(&print) {
                break;
            }
            visited.push(print);
            let made = (state.calls, state.sent, state.writes);
            if !round(&self.config, &mut state, way, &mut |_, _| {}) {
                return Some(Broken::Rests);
            }
            state.check_state();
            if state.broken.is_some() {
                return state.broken;
            }
            if state.print() != before {
                continue;
            }
            // A deletion that is blocked waits for a change, and each reconcile may look; here every round is a reconcile.
            // So may one over what is contested, once an hour (R16).
            let contested =
                |thing: &Thing| thing.record().is_some_and(|record| record.shown.reason == Some(Reason::NotConverging));
            let blocked = state.kube.things().any(|thing| thing.is_deleting() || contested(thing));
            let looks = if blocked { made.0 } else { state.calls };
            if (looks, state.sent, state.writes) != made {
                return Some(Broken::Quiet);
            }
            let wrong = at_rest(&self.config, &state, asked).or_else(|| self.asked(&state, asked));
            if wrong.is_some() {
                return wrong;
            }
            for print in visited {
                self.memo.insert(print);
            }
            return None;
        }
        if visited.len() == ROUNDS {
            return Some(Broken::Rests);
        }
        for print in visited {
            self.memo.insert(print);
        }
        None
    }

    /// Asks for a look at everything, as the scan does, and runs on.
    fn asked(&self, rest: &State, asked: bool) -> Option<Broken> {
        if asked {
            return None;
        }
        let mut state = rest.clone();
        ask(&self.config, &mut state);
        self.run_on(state, Way::Late, true)
    }
}

fn ask(config: &Config, state: &mut State) {
    for slot in 0..2 {
        if state.kube.slots[slot].as_ref().is_some_and(|thing| !thing.is_deleting()) {
            state.act(config, slot, Act::RequestReconcile);
        }
    }
}

/// One round. False: a reconcile ran in circles.
fn round(config: &Config, state: &mut State, way: Way, log: &mut impl FnMut(&State, Action)) -> bool {
    if state.outdated {
        log(state, Action::Upgrade);
        state.outdated = false;
    }
    for op in 0..state.ops.len() {
        for slot in 0..2 {
            state.deliver(config, op, slot);
        }
        if state.ops[op].reconcile.as_ref().is_some_and(|reconcile| reconcile.waiting.is_some()) {
            log(state, Action::Arrive(op));
            state.arrive(config, op);
        }
        let mut sound = finish(config, state, op, Target::On, way, log);
        if state.ops[op].draining {
            log(state, Action::Crash { op, stale: None });
            state.crash(op, None);
        }
        for slot in 0..2 {
            if state.ops[op].cache[slot].is_some() {
                sound &= finish(config, state, op, Target::Object(slot), way, log);
            }
        }
        for stray in (0..state.ops[op].strays.len()).rev() {
            sound &= finish(config, state, op, Target::Stray(stray), way, log);
        }
        // Only when somebody waits for the answer does the operator look; here that changes nothing but a call.
        if !state.ops[op].workspace.unproven().is_empty() {
            log(state, Action::Look { op, view: 0 });
            let calls = state.calls;
            state.look(config, op, 0);
            state.calls = calls;
        }
        if state.may_look_for_witness(op) {
            log(state, Action::Witness(op));
            let calls = state.calls;
            state.look_for_witness(config, op);
            state.calls = calls;
        }
        if state.ops[op].can_forget(state.now) {
            Arc::make_mut(&mut state.ops[op]).known = unkey_operator_core::Knowledge::default();
        }
        if !sound {
            return false;
        }
    }
    let landing = if way == Way::Late { u8::MAX } else { 0 };
    log(state, Action::Tick { landing });
    state.tick(config, landing);
    true
}

/// Takes a reconcile to its end.
fn finish(
    config: &Config,
    state: &mut State,
    op: usize,
    target: Target,
    way: Way,
    log: &mut impl FnMut(&State, Action),
) -> bool {
    let mut target = target;
    for _ in 0..STEPS {
        if target == Target::On && state.ops[op].reconcile.is_none() {
            return true;
        }
        let view = if way == Way::Never { state.unkey.visible(state.now).len() - 1 } else { 0 };
        log(state, Action::Step { op, target, fate: Fate::Fine, view });
        state.step(config, op, target, Fate::Fine, view);
        target = Target::On;
    }
    state.ops[op].reconcile.is_none()
}

/// What is wrong with a state at rest. `asked`: everything has been looked at since others were at it.
fn at_rest(config: &Config, state: &State, asked: bool) -> Option<Broken> {
    let things: Vec<&Thing> = state.kube.things().map(Arc::as_ref).collect();
    for thing in &things {
        if !tells(config, state, thing, things.len() > 1, asked) {
            return Some(if asked { Broken::Equal } else { Broken::Truth });
        }
    }
    let live = state.unkey.live?;
    let maker = live.maker?;
    let owned = things.iter().any(|thing| thing.uid == maker || thing.held_id() == Some(live.id));
    (!owned && !live.touched && !state.is_excused(maker)).then_some(Broken::NothingLeft)
}

/// The status says what an observed object comes upon (R21).
fn observes(thing: &Thing, reason: Option<Reason>, several: bool, state: &State) -> bool {
    let live = state.unkey.live;
    let holds = live.is_some_and(|live| thing.wish.holds(live.stored));
    match reason {
        Some(Reason::Observed) => holds,
        Some(Reason::Differs) => live.is_some() && !holds,
        Some(Reason::NotInUnkey) => live.is_none(),
        Some(Reason::WouldRefuse) => several || thing.wish.invalid || live.is_some(),
        _ => false,
    }
}

/// The status says how it stands.
fn tells(config: &Config, state: &State, thing: &Thing, several: bool, asked: bool) -> bool {
    let Some(record) = thing.record().filter(|record| record.generation == thing.generation) else { return false };
    let (shown, wish, live) = (&record.shown, &thing.wish, state.unkey.live);
    // Nothing that was recorded under an earlier key is there to prove that the key in use leads to the same workspace (R15).
    let earlier = |op: &Arc<Operator>| {
        thing.held().is_some_and(|held| held.credential != Operator::policy(op.key).credential)
            && live.map(|live| live.id) != thing.held_id()
    };
    let elsewhere = state.ops.iter().any(|op| !config.leads_here(op.key) || earlier(op));
    if thing.is_deleting() {
        return shown.reason == Some(Reason::DeletionBlocked)
            && (wish.controls.suspend || wish.observes() || several || elsewhere);
    }
    if wish.controls.suspend {
        return shown.suspended && !shown.ready;
    }
    if wish.observes() {
        let let_go = !thing.finalizer && thing.claim.is_none();
        // What others do to the identity, another object's deletion included, the next scan tells.
        let observing = shown.reason.is_some_and(Reason::is_observing);
        let true_now = observes(thing, shown.reason, several, state);
        return let_go && (elsewhere || observing && (!asked || true_now));
    }
    let holds = live.is_some_and(|live| thing.held_id() == Some(live.id) && wish.holds(live.stored));
    match shown.reason {
        Some(Reason::Synced) => shown.ready && !wish.invalid && (holds || (!asked && state.disturbed)),
        Some(Reason::InvalidSpec) => wish.invalid,
        Some(Reason::Rejected) => shown.stalled,
        Some(Reason::ExternalIdConflict) => several,
        Some(Reason::WorkspaceMismatch) => elsewhere,
        Some(Reason::WouldLose) => {
            // Of what others have rewritten since, no status may have come to show that it was the object's own.
            let own = |live: crate::unkey::Identity| if live.touched { 0 } else { state.unkey.taken_by(thing.uid) };
            let loses = |live: crate::unkey::Identity| {
                thing.held_id() == Some(live.id) && !wish.may_write(wish.named() & !own(live), live.stored)
            };
            shown.stalled && !wish.invalid && ((!asked && state.disturbed) || live.is_some_and(loses))
        }
        // Finalizer and claim were taken off three times (R16).
        Some(Reason::NotConverging) => thing.tampered,
        Some(Reason::AlreadyExists) => {
            let told = |live: crate::unkey::Identity| {
                live.maker == Some(thing.uid) && state.can_be_told(thing, live) && !state.is_excused(thing.uid)
            };
            (!asked && state.disturbed) || live.is_some_and(|live| !told(live) && !wish.may_take(live.stored))
        }
        _ => false,
    }
}

/// Brings a world to its first rest, as a start.
pub fn settled(config: &Config, mut state: State) -> State {
    for _ in 0..ROUNDS {
        round(config, &mut state, Way::Late, &mut |_, _| {});
    }
    for op in &mut state.ops {
        *op = Arc::new(Operator { ..Operator::clone(op) });
    }
    state
}
