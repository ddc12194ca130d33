//! Notices which rate limits an edit takes away, for the event that tells of it once Unkey has accepted the edit. It compares two specs, and decides nothing.

use super::context::Context;
use super::raw::RawIdentity;
use crate::domain::VanishedLimits;

/// The watch shows another version of an object.
pub fn notice(before: &RawIdentity, now: &RawIdentity, context: &Context) {
    if before.uid() != now.uid() || before.generation() == now.generation() || now.is_leaving() {
        return;
    }
    // Reading a spec costs more than all else that an event does: most edits leave the limits as they are.
    if before.limits_text() == now.limits_text() {
        return;
    }
    let (before, after) = (before.limits(), now.limits());
    let vanished = VanishedLimits::between(before.as_ref(), after.as_ref());
    // An earlier edit may have taken some that were not told of yet.
    context.index.with_memory(now.uid(), |memory| {
        let all = std::mem::take(&mut memory.vanished).map_or_else(VanishedLimits::default, |known| *known);
        let all = all.and(vanished, after.as_ref());
        memory.vanished = (!all.is_empty()).then(|| Box::new(all));
    });
}
