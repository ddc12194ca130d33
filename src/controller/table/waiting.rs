//! The witness's part of the table (R19): who waits for one, and what is known of it.

use std::collections::{HashMap, HashSet};

use tokio::sync::futures::Notified;

use super::{Entry, Ref, Table, lock};
use crate::domain::{CANARIES, Cause, ExternalId, KeyMark, Mono, Testimony, Witness};

/// Who cannot go on without a witness, each with when its read was answered.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    objects: HashMap<Ref, Mono>,
    /// Those that listen by themselves: the latest of them.
    listeners: Option<Mono>,
}

impl Table {
    /// Whether the root key in use shows anything at all.
    pub fn witness(&self) -> Witness {
        lock(&self.workspace).witness().clone()
    }

    /// `object` cannot go on without a witness for a read that was answered at `ended`; it is woken when there is news. `None`: the
    /// caller listens by itself. `leaving`: it is being deleted, or gone.
    pub fn wants_witness(&self, object: Option<Ref>, ended: Mono, leaving: bool) {
        let come_already = lock(&self.workspace).witness().of(leaving).testimony(ended) != Testimony::None;
        match object {
            Some(object) if come_already => self.wake(object),
            Some(object) => drop(lock(&self.waiting).objects.insert(object, ended)),
            None => {
                let mut waiting = lock(&self.waiting);
                waiting.listeners = waiting.listeners.max(Some(ended));
            }
        }
        self.witness_wanted.notify_one();
    }

    /// When the last of the reads was answered that wait for a witness; `None`: none does.
    pub fn awaits_witness(&self) -> Option<Mono> {
        let waiting = lock(&self.waiting);
        waiting.objects.values().copied().chain(waiting.listeners).max()
    }

    /// Resolves when somebody begins to wait.
    pub async fn witness_is_wanted(&self) {
        self.witness_wanted.notified().await;
    }

    /// Resolves at the next news of a witness, if it was enabled before.
    pub fn witness_news(&self) -> Notified<'_> {
        self.witness_news.notified()
    }

    /// A read with the key `current` that began then has shown an identity: those that it serves go on.
    pub fn showed(&self, current: &KeyMark, begun: Mono) {
        lock(&self.workspace).showed(current, begun);
        let mut served = Vec::new();
        {
            let mut waiting = lock(&self.waiting);
            waiting.objects.retain(|object, ended| {
                let stays = *ended >= begun;
                if !stays {
                    served.push(object.clone());
                }
                stays
            });
            waiting.listeners = None;
        }
        self.tell(served);
    }

    /// True if an identity is recorded under the key `current` whose object stays: it should show.
    pub fn expects_identities(&self, current: &KeyMark) -> bool {
        let stays = |entry: &Entry| {
            let claimant = &entry.claimant;
            claimant.recorded.is_some() && !claimant.leaving && claimant.credential.as_deref() == current.as_deref()
        };
        lock(&self.slots).values().flat_map(|slot| &slot.entries).any(stays)
    }

    /// A look with the key `current` has shown nothing, and the permission to create stood in though identities should have shown: who stays
    /// goes on, and who is leaving says so.
    pub fn stood_in(&self, current: &KeyMark, begun: Mono, ended: Mono) {
        lock(&self.workspace).stood_in(current, begun, ended);
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        self.tell(waiting.objects.into_keys().collect());
    }

    /// A look with the key `current` that ended then was in vain: all that wait say so.
    pub fn showed_nothing(&self, current: &KeyMark, ended: Mono, cause: Cause) {
        lock(&self.workspace).showed_nothing(current, ended, cause);
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        self.tell(waiting.objects.into_keys().collect());
    }

    fn tell(&self, objects: Vec<Ref>) {
        for object in objects {
            self.wake(object);
        }
        self.witness_news.notify_waiters();
    }

    /// The externalIds of identities that are recorded under the key `current` and should be there, likeliest first: those whose objects stay
    /// come first, of these the oldest. None that waits for a witness itself, nor one of `missing`.
    pub fn likely_witnesses(&self, current: &KeyMark, missing: &HashSet<&ExternalId>) -> Vec<ExternalId> {
        let slots = lock(&self.slots);
        let waiting = lock(&self.waiting);
        let likely = |entry: &Entry| {
            let claimant = &entry.claimant;
            claimant.recorded.is_some()
                && claimant.credential.as_deref() == current.as_deref()
                && !waiting.objects.contains_key(&entry.at.to_ref())
        };
        let entries = slots.iter().flat_map(|(external_id, slot)| slot.entries.iter().map(move |it| (external_id, it)));
        let rank = |entry: &Entry| (entry.claimant.leaving, entry.claimant.born);
        let mut best: Vec<_> = Vec::with_capacity(CANARIES + 1);
        for (external_id, entry) in entries.filter(|(it, entry)| likely(entry) && !missing.contains(it)) {
            best.push((rank(entry), external_id));
            best.sort_unstable_by_key(|(rank, _)| *rank);
            best.truncate(CANARIES);
        }
        best.into_iter().map(|(_, external_id)| external_id.clone()).collect()
    }
}
