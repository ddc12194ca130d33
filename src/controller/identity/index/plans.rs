//! What is planned for each object, so that none is forgotten. Level, not edge: an object that is behind and that nothing is planned for is handed to
//! the queue again, whatever the reason is that it was forgotten. Each such rescue is a bug elsewhere, and is counted.

use std::time::Duration;

use super::Index;
use super::facts::{Entry, Plan};
use super::object_name::IdentityRef;
use crate::domain::{ExternalId, Mono, Uid};

/// An object that was forgotten.
#[derive(Debug)]
pub struct Rescued {
    /// The object.
    pub at: IdentityRef,
    /// What had been planned for it.
    pub plan: Plan,
}

impl Index {
    /// Has everything looked at again.
    pub fn wake_all(&self) {
        self.state.lock().wake_all();
    }

    /// Has an object looked at again.
    pub fn wake(&self, at: IdentityRef) {
        self.state.lock().queue.wake(at);
    }

    /// A reconcile over the object begins.
    pub fn runs(&self, external_id: &ExternalId, uid: &Uid) {
        self.with_entry(external_id, uid, |entry| (entry.extra.plan, entry.extra.running) = (Plan::Nothing, true));
    }

    /// A reconcile over the object has ended like that. What was handed to the queue meanwhile stays there.
    pub fn plans(&self, external_id: &ExternalId, uid: &Uid, plan: Plan) {
        self.with_entry(external_id, uid, |entry| {
            if !matches!(entry.extra.plan, Plan::Queued(_)) {
                entry.extra.plan = plan;
            }
        });
    }

    /// The queue has come to the object, and another reconcile holds the lock: for as long as that takes, which may be longer than the queue ever is late.
    pub fn waits_for_lock(&self, external_id: &ExternalId, uid: &Uid) {
        self.with_entry(external_id, uid, |entry| entry.extra.plan = Plan::KeyLock);
    }

    /// The reconcile is over. If it was dropped in the middle, nothing is planned any more.
    pub fn drops(&self, external_id: &ExternalId, uid: &Uid) {
        let now = self.clock.now();
        self.with_entry(external_id, uid, |entry| {
            entry.extra.running = false;
            // The queue runs one reconcile at a time over an object: only now can it come to this one.
            if let Plan::Queued(at) = &mut entry.extra.plan {
                *at = now;
            }
        });
    }

    /// The plan to come back after `wait`.
    pub fn at(&self, wait: Duration) -> Plan {
        Plan::At(self.clock.now().after(wait))
    }

    pub(super) fn with_entry(&self, external_id: &ExternalId, uid: &Uid, change: impl FnOnce(&mut Entry)) {
        self.state.lock().with_entry(external_id, uid, change);
    }

    /// Hands all to the queue that are behind and that nothing is planned for. `awake`: when the process last stood still, zero if never.
    /// `waits_for_permit`: whether a uid waits for a permit or has one reserved. Looks at each object once; at rest it does nothing else.
    pub fn rescue(&self, now: Mono, awake: Mono, waits_for_permit: impl Fn(&Uid) -> bool) -> Vec<Rescued> {
        let (mut rescued, mut state) = (Vec::new(), self.state.lock());
        for indexed in state.entries.values_mut() {
            for at in 0..indexed.claims.entries().len() {
                let entry = &indexed.claims.entries()[at];
                if !entry.extra.behind
                    || entry.extra.running
                    || !entry.extra.plan.is_lost(indexed, &entry.claimant.uid, now, awake, &waits_for_permit)
                {
                    continue;
                }
                let plan = entry.extra.plan;
                let entry = &mut indexed.claims.entries_mut()[at].extra;
                entry.plan = Plan::Queued(now);
                rescued.push(Rescued { at: entry.at.to_ref(), plan });
            }
        }
        for one in &rescued {
            state.queue.wake(one.at.clone());
        }
        rescued
    }
}
