//! A counterexample as a reader wants it: one line for each transition in words, then the state it ended in.

use std::fmt::Write as _;

use stateright::Path;
use unkey_operator_core::session::{End, Next};
use unkey_operator_core::{Call, KubeStep, ReleaseProof};

use crate::kube::Thing;
use crate::model::{Action, World};
use crate::operator::{Operator, Target};
use crate::state::State;
use crate::unkey::{Identity, Wire};
use crate::words::number_of;

pub fn tell(world: &World, path: Path<State, Action>) -> String {
    let mut text = String::new();
    let mut last = None;
    for (state, action) in path.into_vec() {
        if let Some(action) = action {
            line(&mut text, world, &state, action);
        }
        last = Some(state);
    }
    if let Some(state) = last {
        text.push_str(&picture(&state));
        if state.alone {
            text.push_str("left alone, it goes on:\n");
            world.show(&state, |state, action| match action {
                Some(action) => line(&mut text, world, state, action),
                None => text.push_str(&picture(state)),
            });
        }
    }
    text
}

fn line(text: &mut String, world: &World, state: &State, action: Action) {
    let words = words(world, state, action);
    if !words.contains("nothing to do") {
        let _ = writeln!(text, "  {:>2}  {words}", state.now - 100);
    }
}

fn words(world: &World, state: &State, action: Action) -> String {
    match action {
        Action::Step { op, target, fate, view } => {
            let about = match target {
                Target::On => "goes on",
                Target::Object(0) => "visits the first object",
                Target::Object(_) => "visits the second object",
                Target::Stray(_) => "clears up",
            };
            let mut process = Operator::clone(&state.ops[op]);
            let step = if process.begin(target, world.config.crd()) {
                name(&state.next(&world.config, &mut process))
            } else {
                "nothing".to_owned()
            };
            let view = if view > 0 {
                format!(", a replica shows state {view} of those not yet settled")
            } else {
                String::new()
            };
            format!("operator {op} {about}: {step}; {fate:?}{view}")
        }
        Action::Arrive(op) => format!("operator {op} has its answer"),
        Action::Tell { op, slot } => format!("operator {op} says of object {slot} that it waits"),
        Action::Deliver { op, slot } => format!("the watch of operator {op} shows object {slot}"),
        Action::Sweep(op) => format!("operator {op} forgets what no object names"),
        Action::Crash { op, stale } => {
            format!("operator {op} dies and starts anew{}", if stale.is_some() { ", its cache behind" } else { "" })
        }
        Action::Switch(op) => format!("operator {op} goes on with its other session"),
        Action::Drain(op) => format!("operator {op} is told to end"),
        Action::CrashBlind { op, slot } => {
            format!("operator {op} dies and starts anew without knowing object {slot}")
        }
        Action::NewKey(op) => format!("operator {op} uses another root key"),
        Action::Look { op, .. } => format!("operator {op} looks whether its root key leads to the same workspace"),
        Action::Land { at, .. } => format!("lands after all: {}", wire(state.unkey.pending[at].wire)),
        Action::Tick { landing } => {
            let due = state.unkey.pending.iter().filter(|pending| pending.deadline == state.now + 1);
            let landed =
                due.enumerate().filter(|(at, _)| landing & (1 << at) != 0).map(|(_, pending)| wire(pending.wire));
            let landed: Vec<_> = landed.collect();
            if landed.is_empty() {
                "a tick passes".to_owned()
            } else {
                format!("a tick passes; lands: {}", landed.join(", "))
            }
        }
        Action::User { slot, act } => format!("a user, object {slot}: {act:?}"),
        Action::Backup => "a backup of etcd is made".to_owned(),
        Action::Rewind => "etcd is restored from its backup".to_owned(),
        Action::Stranger(stranger) => format!("another client of Unkey {stranger:?}"),
        Action::Lose(right) => format!("the root key loses a permission: {right:?}"),
        Action::Regain => "the root key has all permissions again".to_owned(),
        Action::Upgrade => "the definition in the cluster is upgraded".to_owned(),
        Action::Witness(op) => format!("operator {op} looks for a witness"),
    }
}

fn wire(wire: Wire) -> String {
    match wire {
        Wire::Create(made) => format!("create of {:?}", made.stored),
        Wire::Update { id, .. } => format!("update of id{id}"),
        Wire::Delete(id) => format!("delete of id{id}"),
    }
}

fn name(next: &Next) -> String {
    match next {
        Next::End(End::Done) => "nothing to do".to_owned(),
        Next::End(end) => format!("ends, {end:?}"),
        Next::Acquire(permit) => format!("waits for a permit, {permit:?}"),
        Next::LookForEnd | Next::Publish(_) => unreachable!("performed at once"),
        Next::Kube(KubeStep::LookAtCrd) => "looks at the CustomResourceDefinition".to_owned(),
        Next::Kube(KubeStep::Refresh) => "looks at the object".to_owned(),
        Next::Kube(KubeStep::LookAtManagers) => "looks who wrote the object last".to_owned(),
        Next::Kube(KubeStep::Claim(claim)) => {
            let given_up = claim.given_up.as_ref().map(|id| format!(", giving up {id}")).unwrap_or_default();
            format!("claims{given_up}")
        }
        Next::Kube(KubeStep::Status { report, .. }) => {
            let held = report.held.as_ref().map(|held| held.identity.id().to_string()).unwrap_or_default();
            format!("status {} of generation {} {held}", report.verdict.reason(), report.generation)
        }
        Next::Kube(KubeStep::Release(because)) => format!("lets go: {}", ReleaseProof::name(because)),
        Next::Call(Call::Read(_)) => "get".to_owned(),
        Next::Call(Call::Create(_)) => "create".to_owned(),
        Next::Call(Call::Update { to, .. }) => format!("update of id{}", number_of(to.id())),
        Next::Call(Call::Delete(to)) => format!("delete of id{}", number_of(to.id())),
    }
}

fn identity(identity: Option<Identity>) -> String {
    identity.map_or("nothing".to_owned(), |i| {
        let maker = i.maker.map_or("somebody else".to_owned(), |uid| format!("u{uid}"));
        format!("id{} {:?} made by {maker}{}", i.id, i.stored, if i.touched { ", rewritten since" } else { "" })
    })
}

fn object(thing: &Thing) -> String {
    let status = thing.record().map_or("no status".to_owned(), |record| {
        let reason = record.shown.reason.map_or("?".to_owned(), |reason| reason.to_string());
        format!("status {reason} of generation {}", record.generation)
    });
    format!(
        "u{} generation {} wants {:?} {:?}{}{}{}, {status}, holds {:?}",
        thing.uid,
        thing.generation,
        thing.wish.fill,
        thing.wish.controls,
        if thing.wish.invalid { " invalid" } else { "" },
        if thing.is_deleting() { ", leaving" } else { "" },
        if thing.finalizer { ", finalizer" } else { "" },
        thing.held_id().map(|id| format!("id{id}"))
    )
}

/// The state, as far as a reader needs it.
fn picture(state: &State) -> String {
    let mut text = format!("= tick {}: Unkey holds {}", state.now - 100, identity(state.unkey.live));
    for pending in &state.unkey.pending {
        let _ = write!(text, "; on its way: {} until tick {}", wire(pending.wire), pending.deadline - 100);
    }
    text.push('\n');
    for thing in state.kube.things() {
        let _ = writeln!(text, "    {}", object(thing));
    }
    for (at, op) in state.ops.iter().enumerate() {
        let _ = writeln!(text, "    operator {at}: {:?}", op.known);
        for (uid, object_state) in &op.object_state {
            let _ = writeln!(text, "      of u{uid}: {object_state:?}");
        }
    }
    text
}
