//! A session takes in what is seen, and decides.

use super::super::crd::Crd;
use super::super::decide::waits_for_brake_alone;
use super::super::deletions::{Approval, DeletionGate};
use super::super::ids::Mono;
use super::super::object::{Object, Phase};
use super::super::policy::Policy;
use super::super::situation::Situation;
use super::super::step::Step;
use super::super::sync_object::sync_object;
use super::environment::Environment;
use super::protocol::Records;

/// Takes in what is seen, and decides.
pub(super) fn think(
    object: &Object,
    memory: &mut Records<'_>,
    env: &mut impl Environment,
    policy: &Policy,
    crd: Crd,
    now: Mono,
) -> Step {
    let witness = env.witness();
    memory.known.hear_witness(&witness, policy.window, object.is_leaving());
    sync_object(object, memory.known, memory.object_state, policy, now);
    let gate = env.gate(object.held().map(|held| &held.credential));
    let situation = Situation {
        object,
        role: env.role(),
        known: memory.known,
        object_state: memory.object_state,
        gate: &gate,
        witness: &witness,
        crd,
        ownership_gate: env.ownership_gate(),
        deletion_gate: &DeletionGate::Open,
        policy,
        now,
    };
    if object.phase != Phase::Deleting {
        return env.decide(&situation);
    }
    let counts = waits_for_brake_alone(&situation);
    let deletion_gate = &counted(object, counts, env, now);
    env.decide(&Situation { deletion_gate, ..situation })
}

/// Counts the deletion of `object` if nothing but hold and brake stops it, and returns what they say (R20).
fn counted(object: &Object, counts: Option<bool>, env: &mut impl Environment, now: Mono) -> DeletionGate {
    let (namespace, uid) = (&object.key.namespace, &object.guard.uid);
    match counts {
        Some(true) => env.deletions_mut().waits(&object.key, uid, now),
        Some(false) => env.deletions_mut().withdraws(namespace, uid, object.approval == Approval::Given, now),
        // Each pass begins so: what was counted stays counted.
        None => {}
    }
    env.deletions().gate(namespace, uid, now, || env.an_hour_ahead())
}
