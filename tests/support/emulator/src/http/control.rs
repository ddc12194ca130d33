//! Everything a test may ask of or do to a running emulator, as Rust methods; the control endpoints call the same ones.
//! It must not serve requests of the API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::book::{Book, Counts, Entry};
use super::fault::{Fault, Ordered};
use super::{Inner, Shared};
use crate::state::{IdentityView, KeyStatus, Permissions, RootKey, Seed, Settings, Snapshot};

/// Root keys and workspaces of an emulator.
#[derive(Clone)]
pub struct Control {
    pub(super) shared: Arc<Shared>,
    address: SocketAddr,
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>, address: SocketAddr) -> Self {
        Self { shared, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client is given as base URL, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The workspace of that name, made if need be.
    pub fn workspace(&self, name: &str) -> Workspace {
        self.shared.lock().state.add_workspace(name, self.shared.settings.clone());
        self.find_workspace(name)
    }

    /// The workspace of that name, be it there or not.
    pub(super) fn find_workspace(&self, name: &str) -> Workspace {
        Workspace { shared: Arc::clone(&self.shared), name: name.to_owned() }
    }

    /// The names of all workspaces.
    pub fn workspaces(&self) -> Vec<String> {
        self.shared.lock().state.workspaces()
    }

    /// Adds a root key, or replaces what it may do; makes the workspace if need be.
    pub fn add_root_key(&self, key: &str, workspace: &str, permissions: Permissions) {
        let workspace = self.workspace(workspace).name;
        self.shared.lock().state.add_key(key, RootKey { workspace, permissions, status: KeyStatus::Active });
    }

    /// Deletes a root key: 401 from now on. False if it is unknown, here and below.
    pub fn revoke(&self, key: &str) -> bool {
        self.shared.lock().state.remove_key(key)
    }

    /// Disables a root key: 403 `key_disabled`.
    pub fn disable(&self, key: &str) -> bool {
        self.set_key_status(key, KeyStatus::Disabled)
    }

    /// Lets a root key expire: 403 `forbidden`.
    pub fn expire(&self, key: &str) -> bool {
        self.set_key_status(key, KeyStatus::Expired)
    }

    /// Makes a root key good again.
    pub fn enable(&self, key: &str) -> bool {
        self.set_key_status(key, KeyStatus::Active)
    }

    pub(super) fn set_key_status(&self, key: &str, status: KeyStatus) -> bool {
        self.shared.lock().state.set_key_status(key, status)
    }

    /// The log of requests with a root key that is unknown, or none.
    pub fn strangers(&self) -> Vec<Entry> {
        self.find_workspace("").requests()
    }
}

/// One workspace of an emulator. Whoever acts through it acts as another client, on the primary and without validation.
#[derive(Clone)]
pub struct Workspace {
    shared: Arc<Shared>,
    name: String,
}

impl Workspace {
    /// Tells nobody: those who wait for a change look through it.
    fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.shared.lock())
    }

    fn write<T>(&self, work: impl FnOnce(&mut Inner, u64) -> T) -> T {
        let mut inner = self.shared.lock();
        let now = self.shared.now_ms();
        let result = work(&mut inner, now);
        drop(inner);
        self.shared.changed();
        result
    }

    fn write_book<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        self.write(|inner, _| work(inner.books.entry(self.name.clone()).or_default()))
    }

    fn read_book<T: Default>(&self, look: impl FnOnce(&Book) -> T) -> T {
        self.read(|inner| inner.books.get(&self.name).map(look)).unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a root key of this workspace.
    pub fn add_root_key(&self, key: &str, permissions: Permissions) {
        let root_key = RootKey { workspace: self.name.clone(), permissions, status: KeyStatus::Active };
        self.write(|inner, _| inner.state.add_key(key, root_key));
    }

    /// What is set; `None` once it is removed.
    pub fn settings(&self) -> Option<Settings> {
        self.read(|inner| inner.state.settings(&self.name).cloned())
    }

    /// Changes settings; nothing happens once it is removed.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.write(|inner, _| inner.state.settings_mut(&self.name).map(change));
    }

    /// Sets how far the read replica is behind.
    pub fn set_replica_lag(&self, lag: Duration) {
        self.set(|settings| settings.replica_lag_ms = millis(lag));
    }

    /// Sets how long an operation takes between its reads and its commit.
    pub fn set_latency(&self, latency: Duration) {
        self.set(|settings| settings.latency_ms = millis(latency));
    }

    /// Sets the workspace limit; 0 blocks all.
    pub fn set_limit_per_minute(&self, limit: Option<u64>) {
        self.set(|settings| settings.limit_per_minute = limit);
    }

    /// Whether a missing permission looks like a missing identity.
    pub fn set_mask_permissions(&self, masks: bool) {
        self.set(|settings| settings.mask_permissions = masks);
    }

    /// Disables the workspace: 403 `workspace_disabled`.
    pub fn set_disabled(&self, disabled: bool) {
        self.set(|settings| settings.disabled = disabled);
    }

    /// Removes it with all identities; its root keys answer 404 `workspace_not_found`. False if it was gone.
    pub fn remove(&self) -> bool {
        self.write(|inner, _| inner.state.remove_workspace(&self.name))
    }

    /// Removes identities, faults, log, counts and the limiter's window; root keys and settings stay.
    pub fn reset(&self) {
        self.write(|inner, _| {
            inner.state.clear_workspace(&self.name);
            if let Some(book) = inner.books.get_mut(&self.name) {
                book.clear();
                book.faults.clear_all();
            }
        });
    }

    /// Creates an identity; its id, or `None` if the externalId is taken.
    pub fn seed(&self, seed: Seed) -> Option<String> {
        self.write(|inner, now| inner.state.seed(now, &self.name, seed))
    }

    /// Changes meta or rate limits of a live identity, by id or externalId; false if there is none.
    pub fn mutate(&self, identity: &str, seed: Seed) -> bool {
        self.write(|inner, now| inner.state.mutate(now, &self.name, identity, seed))
    }

    /// Deletes a live identity, by id or externalId; false if there is none.
    pub fn delete(&self, identity: &str) -> bool {
        self.write(|inner, now| inner.state.delete(now, &self.name, identity))
    }

    /// Everything that is stored.
    pub fn snapshot(&self) -> Snapshot {
        self.read(|inner| inner.state.snapshot(&self.name))
    }

    /// The live identity of exactly that externalId.
    pub fn live(&self, external_id: &str) -> Option<IdentityView> {
        self.read(|inner| inner.state.live(&self.name, external_id))
    }

    /// Orders a fault; returns its id.
    pub fn order(&self, fault: Fault) -> u64 {
        self.write_book(|book| book.faults.order(fault))
    }

    /// Lets go what a `Hold` or `HoldAnswer` holds, now and later. False if the fault is unknown.
    pub fn release(&self, fault: u64) -> bool {
        self.write_book(|book| book.faults.release(fault))
    }

    /// Forgets a fault; what it holds goes on. False if it is unknown.
    pub fn clear_fault(&self, fault: u64) -> bool {
        self.write_book(|book| book.faults.clear(fault))
    }

    /// Forgets all faults; what they hold goes on.
    pub fn clear_faults(&self) {
        self.write_book(|book| book.faults.clear_all());
    }

    /// The faults ordered so far.
    pub fn faults(&self) -> Vec<Ordered> {
        self.read_book(|book| book.faults.all())
    }

    /// The log, oldest first.
    pub fn requests(&self) -> Vec<Entry> {
        self.read_book(|book| book.log.iter().cloned().collect())
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        self.read_book(|book| book.counts.clone())
    }

    /// Forgets log and counts.
    pub fn clear_requests(&self) {
        self.write_book(Book::clear);
    }

    /// Waits until `holds` says yes; it is asked again whenever a request comes in, is handled or is answered, and when another client
    /// acts. Use with a timeout.
    pub async fn wait_until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if holds(self) {
                return;
            }
            // The sender lives in `self`, so it does not end.
            let _ = changes.changed().await;
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
