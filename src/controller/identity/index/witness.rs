//! The witness's part of the index (R19): who waits for one, and what is known of it.

use std::collections::HashSet;

use tokio::sync::futures::Notified;

use super::Index;
use super::facts::Entry;
use super::object_name::IdentityRef;
use super::state::{State, claims};
use super::waiting::Waiting;
use crate::api::Reason;
use crate::domain::{Cause, ExternalId, KeyMark, Mono, PROBES, Testimony, Witness, Workspace};

impl Index {
    /// Whether the root key in use shows anything at all.
    pub fn witness(&self) -> Witness {
        self.state.lock().workspace.witness().clone()
    }

    /// `object` cannot go on without a witness for a read that was answered at `ended`; it is woken when there is news. `None`: the
    /// caller listens by itself. `leaving`: it is being deleted, or gone.
    pub fn wants_witness(&self, object: Option<IdentityRef>, ended: Mono, leaving: bool) {
        let State { workspace, waiting, queue, .. } = &mut *self.state.lock();
        let come_already = workspace.witness().of(leaving).testimony(ended) != Testimony::None;
        match object {
            Some(object) if come_already => queue.wake(object),
            Some(object) => drop(waiting.objects.insert(object, ended)),
            None => waiting.listeners = waiting.listeners.max(Some(ended)),
        }
        self.witness_wanted.notify_one();
    }

    /// When the last of the reads was answered that wait for a witness; `None`: none does.
    pub fn awaits_witness(&self) -> Option<Mono> {
        let Waiting { objects, listeners, .. } = &self.state.lock().waiting;
        objects.values().copied().chain(*listeners).max()
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
        {
            let State { workspace, waiting, queue, .. } = &mut *self.state.lock();
            workspace.showed(current, begun);
            for (object, _) in waiting.objects.extract_if(|_, ended| *ended < begun) {
                queue.wake(object);
            }
            waiting.listeners = None;
        }
        self.witness_news.notify_waiters();
    }

    /// True if an identity is recorded that the root key has to show, and whose object stays. One that is suspended, observed or invalid is not made
    /// again if it is gone, so it says nothing.
    pub fn expects_identities(&self) -> bool {
        let state = self.state.lock();
        let marks = state.workspace.marks_to_show();
        let still = |reason: Reason| matches!(reason, Reason::Suspended | Reason::InvalidSpec) || reason.is_observing();
        let rests = |entry: &Entry| entry.extra.reason.is_some_and(still);
        let counts = |entry: &Entry| !entry.claimant.leaving && !entry.claimant.observes;
        state.claims().any(|(_, entry)| counts(entry) && !rests(entry) && has_to_show(entry, &marks))
    }

    /// A look with the key `current` has shown nothing, and the permission to create stood in though identities should have shown: who stays
    /// goes on, and who is leaving says so.
    pub fn stood_in(&self, current: &KeyMark, begun: Mono, ended: Mono) {
        self.tell_all_who_wait(|workspace| workspace.stood_in(current, begun, ended));
    }

    /// A look with the key `current` that ended then was in vain: all that wait say so.
    pub fn showed_nothing(&self, current: &KeyMark, ended: Mono, cause: Cause) {
        self.tell_all_who_wait(|workspace| workspace.showed_nothing(current, ended, cause));
    }

    fn tell_all_who_wait(&self, news: impl FnOnce(&mut Workspace)) {
        {
            let State { workspace, waiting, queue, .. } = &mut *self.state.lock();
            news(workspace);
            waiting.listeners = None;
            for (object, _) in std::mem::take(&mut waiting.objects) {
                queue.wake(object);
            }
        }
        self.witness_news.notify_waiters();
    }

    /// The identity of `external_id` was asked for as a witness, and was not there or could not be read.
    pub fn asked_in_vain(&self, external_id: ExternalId) {
        self.state.lock().waiting.vain.insert(external_id);
    }

    /// It has shown.
    pub fn was_seen(&self, external_id: &ExternalId) {
        self.state.lock().waiting.vain.remove(external_id);
    }

    /// The externalIds of a few identities that are recorded, that the root key has to show and that should be there, likeliest first: those that were not
    /// asked in vain come first, of these those whose objects stay, of these the oldest. None that waits for a witness itself, nor one of
    /// `missing`. Once all were asked in vain it begins anew.
    pub fn likely_witnesses(&self, missing: &HashSet<&ExternalId>) -> Vec<ExternalId> {
        let State { entries, workspace, waiting: Waiting { objects, vain, .. }, .. } = &mut *self.state.lock();
        let marks = workspace.marks_to_show();
        // As many as there are externalIds at most.
        vain.retain(|external_id| entries.contains_key(external_id));
        let likely = |entry: &Entry| has_to_show(entry, &marks) && !objects.contains_key(&entry.extra.at.to_ref());
        let rank = |it: &ExternalId, entry: &Entry| (vain.contains(it), entry.claimant.leaving, entry.claimant.born);
        let mut best: Vec<_> = Vec::with_capacity(PROBES + 1);
        for (external_id, entry) in claims(entries).filter(|(it, entry)| likely(entry) && !missing.contains(it)) {
            best.push((rank(external_id, entry), external_id));
            best.sort_unstable_by_key(|(rank, _)| *rank);
            best.truncate(PROBES);
        }
        if best.first().is_some_and(|((in_vain, ..), _)| *in_vain) {
            vain.clear();
        }
        best.into_iter().map(|(_, external_id)| external_id.clone()).collect()
    }
}

/// An identity is recorded of it under one of these marks.
fn has_to_show(entry: &Entry, marks: &[KeyMark]) -> bool {
    let claimant = &entry.claimant;
    claimant.recorded.is_some() && marks.iter().any(|mark| mark.as_deref() == claimant.credential.as_deref())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::sync::mpsc::unbounded_channel;

    use super::super::super::raw::tests::snapshot;
    use super::*;
    use crate::controller::runtime::clock::Clock;
    use crate::domain::{DeletionLimits, Deletions, Policy};

    fn index() -> Index {
        let (wake, _woken) = unbounded_channel();
        let guards = (Workspace::default(), Deletions::new(DeletionLimits::NONE));
        Index::new(wake, &Policy::default(), guards, Clock::default())
    }

    /// Only somebody who is enforced is worth a create as a probe (R21): no matter what is still on those that are observed.
    #[test]
    fn who_is_observed_is_not_enforced_while_its_finalizer_is_on() {
        let index = index();
        let put = |management: &str, version: &str| {
            index.upsert(&snapshot(&json!({
                "metadata": {"namespace": "n", "name": "e", "uid": "e", "resourceVersion": version,
                             "finalizers": ["unkey.com/identity"], "deletionTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"externalId": "e", "managementPolicy": management}, "status": {"uid": "e", "identityId": "id_1"},
            })));
            index.enforces()
        };
        assert!(put("Enforce", "1"));
        assert!(!put("Observe", "2"));
    }

    /// Whoever was asked in vain lets others go first, until all were; under another root key they begin anew.
    #[test]
    fn who_was_asked_in_vain_is_asked_last() {
        let index = index();
        for at in 0..5 {
            let name = format!("e{at}");
            index.upsert(&snapshot(&json!({
                "metadata": {"namespace": "n", "name": name, "uid": name, "resourceVersion": "1",
                             "creationTimestamp": format!("2026-01-01T00:00:0{at}Z")},
                "spec": {"externalId": name}, "status": {"uid": name, "identityId": "id_1"},
            })));
        }
        let likely = || -> Vec<String> {
            let likely = index.likely_witnesses(&HashSet::new());
            likely.iter().map(|external_id| external_id.as_str().to_owned()).collect()
        };
        let in_vain = |names: &[String]| names.iter().for_each(|name| index.asked_in_vain(ExternalId::new(name)));
        assert_eq!(likely(), ["e0", "e1", "e2"]);
        in_vain(&likely());
        index.showed_nothing(&None, Mono(1), Cause::Unwitnessed);
        assert_eq!(likely(), ["e3", "e4", "e0"], "a look in vain forgets nobody");
        index.was_seen(&ExternalId::new("e1"));
        assert_eq!(likely(), ["e1", "e3", "e4"]);
        in_vain(&likely());
        assert_eq!(likely(), ["e0", "e1", "e2"]);
        assert_eq!(likely(), ["e0", "e1", "e2"], "all were asked");
        in_vain(&likely());
        index.credential_changes(None, Mono(2));
        assert_eq!(likely(), ["e0", "e1", "e2"]);
    }
}
