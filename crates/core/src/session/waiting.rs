//! What a status says while work waits (R24), as a session would find it now. It leaves no trace.

use super::super::apply_reply::begin_reconcile;
use super::super::cause::Cause;
use super::super::crd::Crd;
use super::super::decide::overdue;
use super::super::object::Object;
use super::super::policy::Policy;
use super::super::situation::Situation;
use super::super::status_update::StatusUpdate;
use super::super::sync_object::sync_object;
use super::environment::Environment;
use super::protocol::Records;

/// The status of `object` if its work has waited for long; `None`: it has nothing to say. `memory` is that of the object, copied: what is taken in
/// from the object is taken in by a session. `holds_up`: why no call is answered under the root key, if none is.
pub fn waiting(
    object: &Object,
    memory: Records<'_>,
    env: &impl Environment,
    (policy, crd): (&Policy, Crd),
    holds_up: Option<&Cause>,
) -> Option<StatusUpdate> {
    let Records { known, object_state } = memory;
    let (now, witness) = (env.now(), env.witness());
    begin_reconcile(known);
    sync_object(object, known, object_state, policy, now);
    known.hear_witness(&witness, policy.window, object.is_leaving());
    let gate = env.gate(object.held().map(|held| &held.credential));
    let (namespace, uid) = (&object.key.namespace, &object.guard.uid);
    let deletion_gate = env.deletions().gate(namespace, uid, now, || env.an_hour_ahead());
    let situation = Situation {
        object,
        role: env.role(),
        known,
        object_state,
        gate: &gate,
        witness: &witness,
        crd,
        ownership_gate: env.ownership_gate(),
        deletion_gate: &deletion_gate,
        policy,
        now,
    };
    overdue(&situation, holds_up)
}
