//! The scan's part of the table: who acts for an externalId, and a look at what nobody is working on.

use super::{Entry, Index, Ref, Slot, Turn, lock};
use crate::api::Reason;
use crate::domain::{ExternalId, IdentityId, KeyMark, Uid};

/// The object that acts for an externalId (R8).
#[derive(Debug)]
pub struct ClaimHolder {
    /// The externalId.
    pub external_id: ExternalId,
    /// The object.
    pub at: Ref,
    /// Its uid.
    pub uid: Uid,
    /// The identity that it records, and under which key it does.
    pub recorded: Option<(IdentityId, KeyMark)>,
    /// The reason that it shows.
    pub reason: Option<Reason>,
    /// It is being deleted.
    pub leaving: bool,
}

impl ClaimHolder {
    fn of(external_id: &ExternalId, slot: &Slot) -> Option<Self> {
        let Entry { claimant, extra, .. } = slot.claims.owner()?;
        Some(Self {
            external_id: external_id.clone(),
            at: extra.at.to_ref(),
            uid: claimant.uid.clone(),
            recorded: claimant.recorded.clone().zip(claimant.mark()),
            reason: extra.reason,
            leaving: claimant.leaving,
        })
    }
}

impl Index {
    /// The object that acts for `external_id`.
    pub fn owner(&self, external_id: &ExternalId) -> Option<ClaimHolder> {
        lock(&self.slots).get_key_value(external_id).and_then(|(external_id, slot)| ClaimHolder::of(external_id, slot))
    }

    /// True if an object records `id`.
    pub fn is_recorded(&self, external_id: &ExternalId, id: &IdentityId) -> bool {
        lock(&self.slots).get(external_id).is_some_and(|slot| slot.claims.records(id))
    }

    /// The objects that act for the externalIds that `wanted` takes.
    pub fn owners(&self, mut wanted: impl FnMut(&ClaimHolder) -> bool) -> Vec<ClaimHolder> {
        let slots = lock(&self.slots);
        slots
            .iter()
            .filter_map(|(external_id, slot)| ClaimHolder::of(external_id, slot))
            .filter(|owner| wanted(owner))
            .collect()
    }

    /// The turn on `external_id` if nobody has it, for a look of moments; who does not get it is not woken for it.
    pub fn idle_turn(&self, external_id: &ExternalId) -> Option<Turn<'_>> {
        let mut slots = lock(&self.slots);
        let slot = slots.get_mut(external_id)?;
        if !slot.claims.try_turn() {
            return None;
        }
        Some(self.turn(external_id, slot))
    }

    /// How many objects were failing when last seen: not ready, and not waiting for a person.
    pub fn count_failing(&self) -> usize {
        let slots = lock(&self.slots);
        slots
            .values()
            .flat_map(|slot| slot.claims.entries())
            .filter(|entry| {
                entry.extra.reason.is_some_and(|reason| reason.is_retried() && reason != Reason::Progressing)
            })
            .count()
    }
}
