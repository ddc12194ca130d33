//! What is planned for each object, so that none is forgotten. Level, not edge: an object that is behind and that nothing is planned for is handed to
//! the queue again, whatever the reason is that it was forgotten. Each such rescue is a bug elsewhere, and is counted.

use std::time::Duration;

use super::super::raw::RawIdentity;
use super::{Entry, Facts, IdentityRef, Index, IndexEntry};
use crate::controller::runtime::clock::millis;
use crate::domain::{ExternalId, Mono, Uid};

/// So many milliseconds after its time a plan that has not come about is lost. The queue is never so late, unless the whole process stood still: then
/// all is late at once, and has that time from then on.
const LATE_MS: u64 = 30_000;

/// What is planned for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It was handed to the queue at that moment.
    Queued(Mono),
    /// The queue comes back to it at that moment.
    At(Mono),
    /// It waits for the lock on its externalId, and is woken when that is free.
    KeyLock,
    /// It waits for a permit, and is woken when one is granted.
    Permit,
    /// It waits for a change of something else, and is woken by that: the owner of its externalId, the root key, a proof.
    Change,
    /// The last reconcile found nothing to do.
    Nothing,
}

/// An object that was forgotten.
#[derive(Debug)]
pub struct Rescued {
    /// The object.
    pub at: IdentityRef,
    /// What had been planned for it.
    pub plan: Plan,
}

/// True if there is something left to do for the object: its status does not speak of its spec, or says that it is retried; or it is being deleted
/// and waits for our finalizer.
pub(super) fn is_behind(object: &RawIdentity, is_told: bool, is_retried: bool) -> bool {
    if object.is_leaving() { object.finalizers().ours().is_some() } else { !is_told || is_retried }
}

impl Plan {
    /// This plan, or `before` if this is none.
    pub(super) fn or(self, before: Self) -> Self {
        if self == Self::Nothing { before } else { self }
    }

    /// `awake`: when the process last stood still.
    fn is_lost(
        self,
        indexed: &IndexEntry,
        uid: &Uid,
        now: Mono,
        awake: Mono,
        waits_for_permit: &impl Fn(&Uid) -> bool,
    ) -> bool {
        let is_late = |at: Mono| now >= at.max(awake).after(LATE_MS);
        match self {
            Self::Change => false,
            Self::Queued(at) | Self::At(at) => is_late(at),
            Self::KeyLock => indexed.claims.is_free(),
            // What was reserved for it may have gone to another meanwhile; the queue comes to it all the same.
            Self::Permit => !waits_for_permit(uid) && (awake == Mono::ZERO || is_late(awake)),
            Self::Nothing => true,
        }
    }
}

impl Index {
    /// Has everything looked at again.
    pub fn wake_all(&self) {
        for entry in self.entries.lock().values_mut().flat_map(|indexed| indexed.claims.entries_mut()) {
            self.hand_over(&mut entry.extra);
        }
    }

    /// Has an object looked at again.
    pub fn wake(&self, at: IdentityRef) {
        // The receiver lives as long as the controller; after that nothing needs waking.
        let _ = self.wake.send(at);
    }

    pub(super) fn hand_over(&self, entry: &mut Facts) {
        entry.plan = Plan::Queued(self.clock.now());
        self.wake(entry.at.to_ref());
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
        Plan::At(self.clock.now().after(millis(wait)))
    }

    pub(super) fn with_entry(&self, external_id: &ExternalId, uid: &Uid, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get_mut(external_id).and_then(|indexed| indexed.claims.get_mut(uid)) {
            change(entry);
        }
    }

    /// Hands all to the queue that are behind and that nothing is planned for. `awake`: when the process last stood still, zero if never.
    /// `waits_for_permit`: whether a uid waits for a permit or has one reserved. Looks at each object once; at rest it does nothing else.
    pub fn rescue(&self, now: Mono, awake: Mono, waits_for_permit: impl Fn(&Uid) -> bool) -> Vec<Rescued> {
        let mut rescued = Vec::new();
        for indexed in self.entries.lock().values_mut() {
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
            self.wake(one.at.clone());
        }
        rescued
    }
}
