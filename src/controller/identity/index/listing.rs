//! The part of the index that adoption from the list needs: whether many objects are new, and what they wait for.

use super::Index;
use super::facts::{Entry, Plan};
use super::newcomers::is_new;
use crate::domain::{Mono, OwnershipGate};

impl Index {
    /// Resolves when so many objects are new that a listing pays, and begins one. Returns how many they are.
    pub async fn many_are_new(&self) -> usize {
        loop {
            if let Some(waiting) = self.begins_listing() {
                return waiting;
            }
            self.newcomers_wait.notified().await;
        }
    }

    /// Begins a listing if new objects wait for one, and they are many still: this process may not have led when they were.
    fn begins_listing(&self) -> Option<usize> {
        let mut state = self.state.lock();
        state.newcomers.wait_until?;
        let waiting = state.claims().filter(|(_, entry)| is_new(entry)).count();
        state.newcomers.begins(waiting).then_some(waiting)
    }

    /// What new objects wait for.
    pub fn listing_gate(&self) -> OwnershipGate {
        self.state.lock().newcomers.wait_until.map_or(OwnershipGate::Open, |until| OwnershipGate::Listing { until })
    }

    /// A whole listing of the workspace had so many pages.
    pub fn workspace_has(&self, pages: usize) {
        self.state.lock().newcomers.pages = pages;
    }

    /// They wait until then at the latest: a listing goes on.
    pub fn newcomers_wait_until(&self, until: Mono) {
        self.state.lock().newcomers.wait_until = Some(until);
    }

    /// A listing is over, that came so far and has shown so many of them. Who was not shown goes on, unless many have come meanwhile.
    pub fn newcomers_listed(&self, pages: usize, shown: usize) {
        let mut state = self.state.lock();
        let waiting = state.claims().filter(|(_, entry)| is_new(entry)).count();
        if !state.newcomers.ends(pages, shown, waiting) {
            let waits = |entry: &Entry| is_new(entry) && matches!(entry.extra.plan, Plan::At(_));
            state.wake_if(waits);
        }
    }
}
