//! The scan's part of the index: who acts for an externalId, who only observes it, and a look at what nobody is working on.

use super::Index;
use super::facts::{Entry, IndexEntry};
use super::handles::KeyLock;
use super::newcomers::is_new;
use super::object_name::IdentityRef;
use crate::api::{ManagementPolicy, Reason};
use crate::domain::{ExternalId, IdentityId, KeyMark, Uid};

/// The object that acts for an externalId (R8), or one that is only observed (R21).
#[derive(Debug)]
pub struct ClaimHolder {
    /// The externalId.
    pub external_id: ExternalId,
    /// The object.
    pub at: IdentityRef,
    /// Its uid.
    pub uid: Uid,
    /// The identity that it records, and under which key it does.
    pub recorded: Option<(IdentityId, KeyMark)>,
    /// The reason that it shows.
    pub reason: Option<Reason>,
    /// It is being deleted.
    pub leaving: bool,
    /// It is only observed: it stands beside whoever acts (R21).
    pub observes: bool,
    /// Nothing was sent for it yet.
    pub is_new: bool,
}

impl ClaimHolder {
    fn of(external_id: &ExternalId, entry: &Entry) -> Self {
        let Entry { claimant, extra, .. } = entry;
        Self {
            is_new: is_new(entry),
            external_id: external_id.clone(),
            at: extra.at.to_ref(),
            uid: claimant.uid.clone(),
            recorded: claimant.recorded.clone().zip(claimant.mark()),
            reason: extra.reason,
            leaving: claimant.leaving,
            observes: claimant.observes,
        }
    }

    /// The object that acts, and those that are only observed.
    fn all((external_id, indexed): (&ExternalId, &IndexEntry)) -> impl Iterator<Item = Self> {
        let observed = indexed.claims.entries().iter().filter(|entry| entry.claimant.observes);
        indexed.claims.owner().into_iter().chain(observed).map(|entry| Self::of(external_id, entry))
    }
}

impl Index {
    /// The object that acts for `external_id`, and those that are only observed.
    pub fn holders(&self, external_id: &ExternalId) -> Vec<ClaimHolder> {
        let state = self.state.lock();
        state.entries.get_key_value(external_id).into_iter().flat_map(ClaimHolder::all).collect()
    }

    /// True if an object records `id`.
    pub fn is_recorded(&self, external_id: &ExternalId, id: &IdentityId) -> bool {
        self.state.lock().entries.get(external_id).is_some_and(|indexed| indexed.claims.records(id))
    }

    /// The same of all externalIds, as far as `wanted` takes them.
    pub fn owners(&self, mut wanted: impl FnMut(&ClaimHolder) -> bool) -> Vec<ClaimHolder> {
        let state = self.state.lock();
        state.entries.iter().flat_map(ClaimHolder::all).filter(|owner| wanted(owner)).collect()
    }

    /// Some object is not only observed. One that is, and waits with its finalizer for its deletion, is never written for.
    pub fn enforces(&self) -> bool {
        self.state.lock().claims().any(|(_, entry)| entry.extra.management == ManagementPolicy::Enforce)
    }

    /// The lock on `external_id` if nobody has it, for a look of moments; who does not get it is not woken for it.
    pub fn idle_lock(&self, external_id: &ExternalId) -> Option<KeyLock<'_>> {
        let taken = self.state.lock().entries.get_mut(external_id)?.claims.try_lock();
        taken.then(|| KeyLock::taken(&self.state, external_id))
    }

    /// How many objects were failing when last seen: not ready, and not waiting for a person.
    pub fn count_failing(&self) -> usize {
        let fails = |entry: &Entry| {
            entry.extra.reason.is_some_and(|reason| reason.is_retried() && reason != Reason::Progressing)
        };
        self.state.lock().claims().filter(|(_, entry)| fails(entry)).count()
    }
}
