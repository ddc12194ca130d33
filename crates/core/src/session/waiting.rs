//! What a status says while work waits (R24), as a session would find it now. It leaves no trace.

use super::super::crd::Crd;
use super::super::decide::overdue;
use super::super::learn::begin_pass;
use super::super::object::Object;
use super::super::observe::observe;
use super::super::report::StatusUpdate;
use super::super::situation::{Policy, Situation};
use super::super::verdict::Cause;
use super::{Environment, Memory};

/// The status of `object` if its work has waited for long; `None`: it has nothing to say. `memory` is that of the object, copied: what is taken in
/// from the object is taken in by a session. `holds_up`: why no call is answered under the root key, if none is.
pub fn waiting(
    object: &Object,
    memory: Memory<'_>,
    env: &impl Environment,
    (policy, crd): (&Policy, Crd),
    holds_up: Option<&Cause>,
) -> Option<StatusUpdate> {
    let Memory { known, object_state } = memory;
    let (now, witness) = (env.now(), env.witness());
    begin_pass(known);
    observe(object, known, object_state, policy, now);
    known.hear_witness(&witness, policy.window, object.is_leaving());
    let gate = env.gate(object.held().map(|held| &held.credential));
    let situation = Situation {
        object,
        role: env.role(),
        known,
        object_state,
        gate: &gate,
        witness: &witness,
        crd,
        entry: env.entry(),
        policy,
        now,
    };
    overdue(&situation, holds_up)
}
