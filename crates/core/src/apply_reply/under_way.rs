//! Writes that are under way: noted before they are sent, in doubt if nothing is learned of them.

use super::super::call::Call;
use super::super::ids::Mono;
use super::super::knowledge::{Knowledge, Seen};
use super::super::object::Object;
use super::super::object_state::ObjectState;
use super::super::writes::{InFlight, UncertainFields, UnknownOutcome, Write};

/// Begins a reconcile: what an earlier one saw to be there may be gone by now. Absence is kept, as a row of it is evidence.
pub fn begin_reconcile(known: &mut Knowledge) {
    if let Some(sent) = known.in_flight.take() {
        unknown(known, &sent);
    }
    if matches!(known.seen, Seen::Ours { .. } | Seen::Foreign { .. }) {
        known.seen = Seen::Nothing;
    }
}

pub(super) fn unknown(known: &mut Knowledge, sent: &InFlight) {
    in_doubt(known, sent, sent.deadline, false);
}

pub(super) fn in_doubt(known: &mut Knowledge, sent: &InFlight, over: Mono, ended: bool) {
    let create = (sent.what == Write::Create).then(|| sent.uid.clone());
    known.add_doubt(UnknownOutcome::new(over, ended, create));
    if sent.what == Write::Delete && matches!(known.seen, Seen::Ours { .. }) {
        // R6: what was seen before a delete that may have taken effect allows no other one.
        known.seen = Seen::Nothing;
    }
    if let Some(fields) = &sent.fields {
        known.unsure = Some(match known.unsure.take().filter(|before| before.uid == fields.uid) {
            Some(before) => {
                UncertainFields { meta: before.meta || fields.meta, limits: before.limits || fields.limits, ..before }
            }
            None => fields.clone(),
        });
    }
}

/// What an accepted update sent is known again.
pub(super) fn sure_again(known: &mut Knowledge, sent: &UncertainFields) {
    if let Some(unsure) = known.unsure.as_mut().filter(|unsure| unsure.uid == sent.uid) {
        unsure.meta &= !sent.meta;
        unsure.limits &= !sent.limits;
    }
}

/// Notes a call before it is sent; it is over by `deadline` at the latest.
pub fn begin(object: &Object, call: &Call, known: &mut Knowledge, object_state: &mut ObjectState, deadline: Mono) {
    let what = match call {
        Call::Read(_) => return,
        Call::Create(_) => Write::Create,
        Call::Update { .. } => Write::Update,
        Call::Delete(_) => Write::Delete,
    };
    let uid = object.guard.uid.clone();
    let fields = match call {
        Call::Update { patch, .. } => {
            Some(UncertainFields { uid: uid.clone(), meta: patch.meta.is_some(), limits: patch.limits.is_some() })
        }
        _ => None,
    };
    known.in_flight = Some(InFlight { uid, what, deadline, fields, sent_before: object_state.sent });
    object_state.sent |= what == Write::Create;
    object_state.met_deleting |= what == Write::Delete;
}
