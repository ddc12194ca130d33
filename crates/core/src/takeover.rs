//! A field of an owned identity that becomes managed is looked at first (R18): what a settled look means for it.

use super::content::{Content, FieldHash};
use super::desired::Desired;
use super::fields::{Field, Fields};
use super::losses::Losses;
use unkey_operator_api::AdoptionPolicy;

/// A field that the spec names and that is not managed yet is not written before a look.
pub fn needs_look(desired: &Desired, fields: &Fields) -> bool {
    (desired.meta.is_some() && !fields.meta.is_managed()) || (desired.limits.is_some() && !fields.limits.is_managed())
}

/// What the spec would take from `stored` in the fields that become managed, if the policy forbids that. What an update of ours whose
/// answer was lost has put there is no loss.
pub fn would_lose(desired: &Desired, fields: &Fields, stored: &Content, policy: AdoptionPolicy) -> Option<Losses> {
    if policy == AdoptionPolicy::Always {
        return None;
    }
    let meta = match (&desired.meta, &fields.meta) {
        (Some(_), Field::Pending(hash)) if *hash == stored.meta.hash() => Losses::default(),
        (Some(wanted), Field::Unmanaged | Field::Pending(_)) => Losses::of_meta(wanted, &stored.meta),
        (_, Field::Managed(_)) | (None, _) => Losses::default(),
    };
    let limits = match (&desired.limits, &fields.limits) {
        (Some(_), Field::Pending(hash)) if *hash == stored.limits.hash() => Losses::default(),
        (Some(wanted), Field::Unmanaged | Field::Pending(_)) => Losses::of_limits(wanted, &stored.limits),
        (_, Field::Managed(_)) | (None, _) => Losses::default(),
    };
    Some(meta.and(limits)).filter(|losses| !losses.is_empty())
}

/// The fields as a look that allows the update leaves them: managed is what was managed before, as it was found, what is there already as
/// the spec wants it, and what an update has put there whose answer was lost; all else is pending, which has to be recorded before it is sent.
pub fn allowed(desired: &Desired, fields: &Fields, stored: &Content) -> Fields {
    let found = desired.managed_of(stored);
    let wanted = desired.hashes();
    let field = |before: &Field, found: Option<FieldHash>, wanted: &Option<FieldHash>| match (wanted, found) {
        (Some(wanted), Some(found))
            if *wanted == found || before.is_managed() || *before == Field::Pending(found.clone()) =>
        {
            Field::Managed(Some(found))
        }
        (Some(wanted), _) => Field::Pending(wanted.clone()),
        (None, _) => Field::Unmanaged,
    };
    Fields {
        meta: field(&fields.meta, found.meta, &wanted.meta),
        limits: field(&fields.limits, found.limits, &wanted.limits),
    }
}

/// The fields as a look leaves them that allows nothing: managed is what was, and what is there already as the spec wants it.
pub fn seen(desired: &Desired, fields: &Fields, stored: &Content) -> Fields {
    let allowed = allowed(desired, fields, stored);
    let field = |before: &Field, after| if matches!(after, Field::Pending(_)) { before.clone() } else { after };
    Fields { meta: field(&fields.meta, allowed.meta), limits: field(&fields.limits, allowed.limits) }
}

/// The fields of what an unsettled look allows to take over (R3): all that the spec names is pending.
pub fn pending(desired: &Desired) -> Fields {
    let field = |wanted: &Option<_>| wanted.clone().map_or(Field::Unmanaged, Field::Pending);
    Fields { meta: field(&desired.hashes().meta), limits: field(&desired.hashes().limits) }
}

/// The status allows the update: what becomes managed is recorded as pending, with this very content.
pub fn is_recorded(desired: &Desired, recorded: &Fields) -> bool {
    let field = |wanted: &Option<_>, recorded: &Field| match (wanted, recorded) {
        (None, _) | (Some(_), Field::Managed(_)) => true,
        (Some(wanted), Field::Pending(hash)) => hash == wanted,
        (Some(_), Field::Unmanaged) => false,
    };
    field(&desired.hashes().meta, &recorded.meta) && field(&desired.hashes().limits, &recorded.limits)
}
