//! A session takes in what is seen, and decides.

use super::super::crd::Crd;
use super::super::ids::Mono;
use super::super::object::Object;
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
        policy,
        now,
    };
    env.decide(&situation)
}
