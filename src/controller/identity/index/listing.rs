//! The part of the index that adoption from the list needs: whether many objects are new, and what they wait for.

use super::Index;
use super::newcomers::is_new;
use crate::domain::{Mono, OwnershipGate};

impl Index {
    /// Resolves when so many objects are new that a listing pays.
    pub async fn many_are_new(&self) {
        while self.state.lock().newcomers.wait_until.is_none() {
            self.newcomers_wait.notified().await;
        }
    }

    /// What new objects wait for.
    pub fn listing_gate(&self) -> OwnershipGate {
        self.state.lock().newcomers.wait_until.map_or(OwnershipGate::Open, |until| OwnershipGate::Listing { until })
    }

    /// The workspace has so many pages at least.
    pub fn workspace_has(&self, pages: usize) {
        self.state.lock().newcomers.pages = pages;
    }

    /// They wait until then at the latest: a listing goes on.
    pub fn newcomers_wait_until(&self, until: Mono) {
        self.state.lock().newcomers.wait_until = Some(until);
    }

    /// A listing is over, and has come so far. Who was not shown by it goes on.
    pub fn newcomers_go_on(&self, pages: usize) {
        let mut state = self.state.lock();
        state.newcomers.go_on();
        state.newcomers.pages = state.newcomers.pages.max(pages);
        state.wake_if(is_new);
    }
}
