//! The way into the controller's queue.

use tokio::sync::mpsc::UnboundedSender;

use super::facts::{Facts, IndexEntry, Plan};
use super::object_name::IdentityRef;
use crate::controller::runtime::clock::Clock;
use crate::domain::Uid;

/// Hands objects to the queue, and notes on each that it is planned.
#[derive(Debug)]
pub(super) struct Queue {
    wake: UnboundedSender<IdentityRef>,
    clock: Clock,
}

impl Queue {
    pub fn new(wake: UnboundedSender<IdentityRef>, clock: Clock) -> Self {
        Self { wake, clock }
    }

    pub fn wake(&self, at: IdentityRef) {
        // The receiver lives as long as the controller; after that nothing needs waking.
        let _ = self.wake.send(at);
    }

    pub fn hand_over(&self, entry: &mut Facts) {
        entry.plan = Plan::Queued(self.clock.now());
        self.wake(entry.at.to_ref());
    }

    /// Hands over all that claim the externalId but `uid`.
    pub fn wake_others(&self, indexed: &mut IndexEntry, uid: &Uid) {
        for entry in indexed.claims.entries_mut().iter_mut().filter(|entry| entry.claimant.uid != *uid) {
            self.hand_over(&mut entry.extra);
        }
    }

    /// The lock on the externalId is free: who waits for it is woken.
    pub fn unlocked(&self, indexed: &mut IndexEntry) {
        for entry in indexed.claims.entries_mut().iter_mut().filter(|entry| entry.extra.plan == Plan::KeyLock) {
            entry.extra.plan = Plan::Queued(self.clock.now());
        }
        for parked in std::mem::take(&mut indexed.parked) {
            self.wake(parked);
        }
    }
}
