//! The change log: one line for each mutation of Unkey, with the target `unkey_operator::mutation`. "Who cut Acme's limit on Tuesday" is answered from it
//! alone. It holds names, hashes and limits, and no value of a meta.

use std::fmt::Write as _;

use super::super::raw::RawIdentity;
use crate::controller::workspace::upstream::{self, CallAnswer};
use crate::domain::{Call, Effect, FieldHash, Limits, Meta, Object, Reply};
use crate::text::printable;

/// Characters that are kept of the limits.
const MAX_LIMITS: usize = 2_000;

/// Notes what `call` has done, or may have done, to the identity of `object`. `seen`: the object as it was seen before.
pub fn note(object: &Object, seen: &RawIdentity, call: &Call, answer: &CallAnswer) {
    let (Some((meta, limits)), Some(outcome)) = (changes(call), outcome(&answer.reply)) else { return };
    let held = object.held();
    let identity = match (call, &answer.reply) {
        (_, Reply::Created { id }) => Some(id.as_str()),
        (Call::Update { to, .. } | Call::Delete(to), _) => Some(to.id().as_str()),
        _ => None,
    };
    let known = |hash: Option<FieldHash>| hash.map(|hash| hash.as_str().to_owned());
    let before = held.map(|held| held.fields.applied());
    tracing::info!(
        target: "unkey_operator::mutation",
        operation = upstream::operation(call).as_str(),
        outcome,
        namespace = %object.key.namespace,
        identity = %object.key.name,
        uid = %object.guard.uid,
        generation = object.generation,
        external_id = object.external_id.as_ref().map(tracing::field::display),
        identity_id = identity,
        meta_before = known(before.as_ref().and_then(|it| it.meta.clone()).filter(|_| meta.is_some())),
        meta_after = meta.map(|meta| meta.hash().as_str().to_owned()),
        ratelimits_before = known(before.as_ref().and_then(|it| it.limits.clone()).filter(|_| limits.is_some())),
        ratelimits_after = limits.map(|limits| limits.hash().as_str().to_owned()),
        ratelimits = limits.map(|limits| printable(&shown(limits), MAX_LIMITS)),
        request_id = answer.request_id.as_deref(),
        managers = %seen.spec_managers().join(","),
        "changed Unkey"
    );
}

/// The meta and the limits that a call sends; `None`: it only reads.
fn changes(call: &Call) -> Option<(Option<&Meta>, Option<&Limits>)> {
    match call {
        Call::Read(_) => None,
        Call::Create(desired) => Some((desired.meta.as_ref(), desired.limits.as_ref())),
        Call::Update { patch, .. } => Some((patch.meta.as_ref(), patch.limits.as_ref())),
        Call::Delete(_) => Some((None, None)),
    }
}

/// `None`: nothing was changed.
fn outcome(reply: &Reply) -> Option<&'static str> {
    match reply {
        Reply::Created { .. } | Reply::Updated { .. } | Reply::Deleted => Some("accepted"),
        Reply::Failed(fault) if fault.effect != Effect::None => Some("unknown"),
        Reply::Failed(_) | Reply::Found { .. } | Reply::Absent | Reply::Exists => None,
    }
}

/// `requests 1000 per 60000 ms, tokens 5 per 1000 ms where named`
fn shown(limits: &Limits) -> String {
    let mut text = String::new();
    for (name, limit) in limits.as_map() {
        let (separator, named) =
            (if text.is_empty() { "" } else { ", " }, if limit.auto_apply { "" } else { " where named" });
        // Writing to a text does not fail.
        let _ = write!(text, "{separator}{name} {} per {} ms{named}", limit.limit, limit.duration);
    }
    text
}
