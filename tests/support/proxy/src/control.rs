//! Everything a test may ask of or do to a running proxy. It must not serve requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Proxy;
use super::book::Entry;
use super::fault::{Fault, Faults, Ordered, Strike};
use super::line::{Lines, Mute};
use super::request::Asked;
use super::watches::{Ending, Orders};

/// Far longer than anything takes that comes about at all.
const PATIENCE: Duration = Duration::from_secs(40);

/// Called with each answer of the API server; see [`Proxy::on_answer`].
type Observer = Arc<dyn Fn(&Entry, &[u8]) + Send + Sync>;

/// What all tasks share.
#[derive(Default)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    /// Counts what happens, for those who wait for something to happen.
    changes: watch::Sender<u64>,
    /// What every watch is to do.
    pub orders: watch::Sender<Orders>,
}

#[derive(Default)]
struct Inner {
    faults: Faults,
    log: Vec<Entry>,
    next: u64,
    held_events: u64,
    lines: Lines,
    observers: Vec<Observer>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves data that is good enough for a test double.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let result = work(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Notes a connection that has come about.
    pub fn enter(&self) -> Mute {
        self.write(|inner| inner.lines.enter())
    }

    /// Notes a request that came in; its number, and what it has to suffer.
    pub fn open(&self, asked: Asked, uri: String, body: Vec<u8>) -> (u64, Option<Strike>) {
        self.write(|inner| {
            let strike = inner.faults.strike(&asked);
            inner.next += 1;
            let (number, fault) = (inner.next, strike.as_ref().map(|strike| strike.id));
            let (handled, answered, at) = (None, None, Instant::now());
            inner.log.push(Entry { number, at, asked, uri, body, handled, answered, fault, events: 0, done: false });
            (number, strike)
        })
    }

    /// Notes what became of it.
    pub fn update(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        self.write(|inner| {
            // Pending requests are near the end. One that was forgotten meanwhile is nobody's affair any more.
            if let Some(entry) = inner.log.iter_mut().rev().find(|entry| entry.number == number) {
                change(entry);
            }
        });
    }

    /// Notes the API server's answer, and shows it to those who look.
    pub fn handled(&self, number: u64, status: u16, body: &[u8]) {
        self.update(number, |entry| entry.handled = Some(status));
        let inner = self.lock();
        let (observers, entry) =
            (inner.observers.clone(), inner.log.iter().rev().find(|it| it.number == number).cloned());
        drop(inner);
        if let Some(entry) = entry {
            for observer in observers {
                observer(&entry, body);
            }
        }
    }

    /// An event is held back by a watch, or let go.
    pub fn held(&self, more: u64, fewer: u64) {
        self.write(|inner| inner.held_events = (inner.held_events + more).saturating_sub(fewer));
    }
}

impl Proxy {
    /// Orders a fault; returns its id.
    pub fn order(&self, fault: Fault) -> u64 {
        self.shared.write(|inner| inner.faults.order(fault))
    }

    /// Lets go what a `Hold` or `HoldAnswer` holds, now and later. False if the fault is unknown.
    pub fn release(&self, fault: u64) -> bool {
        self.shared.write(|inner| inner.faults.release(fault))
    }

    /// Forgets a fault; what it holds goes on. False if it is unknown.
    pub fn clear_fault(&self, fault: u64) -> bool {
        self.shared.write(|inner| inner.faults.clear(fault))
    }

    /// Forgets all faults; what they hold goes on.
    pub fn clear_faults(&self) {
        self.shared.write(|inner| inner.faults.clear_all());
    }

    /// The faults ordered so far.
    pub fn faults(&self) -> Vec<Ordered> {
        self.shared.lock().faults.all()
    }

    /// How many requests a fault has met; 0 if it is unknown.
    pub fn hits(&self, fault: u64) -> u64 {
        self.faults().iter().find(|ordered| ordered.id == fault).map_or(0, |ordered| ordered.hits)
    }

    /// All requests, oldest first.
    pub fn requests(&self) -> Vec<Entry> {
        self.shared.lock().log.clone()
    }

    /// The number of the latest request; 0 before the first.
    pub fn last(&self) -> u64 {
        self.shared.lock().next
    }

    /// The requests after the one of that number, oldest first, that are not watches.
    pub fn since(&self, number: u64) -> Vec<Entry> {
        let later = |entry: &&Entry| entry.number > number && !entry.asked.is_watch();
        self.shared.lock().log.iter().filter(later).cloned().collect()
    }

    /// Watches that run now.
    pub fn open_watches(&self) -> usize {
        let runs = |entry: &&Entry| entry.asked.is_watch() && entry.answered == Some(200) && !entry.done;
        self.shared.lock().log.iter().filter(runs).count()
    }

    /// Ends every watch that runs now.
    pub fn end_watches(&self, ending: Ending) {
        self.shared.orders.send_modify(|orders| orders.end(ending));
    }

    /// Holds back the events of all watches from now on, or lets go what was held back, in order.
    pub fn hold_events(&self, hold: bool) {
        self.shared.orders.send_modify(|orders| orders.hold = hold);
    }

    /// How many events are held back now.
    pub fn held_events(&self) -> u64 {
        self.shared.lock().held_events
    }

    /// Every connection that is open falls silent, for ever: what comes by it is not heard, nothing is sent, and neither FIN nor RST ends it. New
    /// ones work. Requests under way at the API server are carried out; a watch on a silent connection counts as open. Returns how many
    /// connections it met.
    pub fn silence(&self) -> usize {
        self.shared.write(|inner| inner.lines.silence())
    }

    /// From now on everything is swallowed, on new connections too, as by a network that is cut; or new ones work again. Those that were silent
    /// stay so.
    pub fn swallow(&self, swallow: bool) {
        self.shared.write(|inner| {
            inner.lines.swallow(swallow);
            if swallow {
                inner.lines.silence();
            }
        });
    }

    /// How many connections have been silenced so far.
    pub fn silent_connections(&self) -> usize {
        self.shared.lock().lines.silent()
    }

    /// Calls `observer` with every answer of the API server that is not a watch's, before it is passed on or lost: the request, and the
    /// answer's body. The client waits for it.
    pub fn on_answer(&self, observer: impl Fn(&Entry, &[u8]) + Send + Sync + 'static) {
        self.shared.write(|inner| inner.observers.push(Arc::new(observer)));
    }

    /// Waits until `holds` says yes; it is asked again whenever something happens.
    ///
    /// # Panics
    ///
    /// After 40 s in vain: the test that waits has failed.
    #[allow(clippy::panic)] // a failed step of a test ends the test
    pub async fn wait_until(&self, holds: impl FnMut(&Self) -> bool) {
        self.wait_for(PATIENCE, holds).await;
    }

    /// The same, for as long as `patience`.
    ///
    /// # Panics
    ///
    /// After that time in vain.
    #[allow(clippy::panic)] // a failed step of a test ends the test
    pub async fn wait_for(&self, patience: Duration, mut holds: impl FnMut(&Self) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let wait = async {
            loop {
                changes.mark_unchanged();
                if holds(self) {
                    return;
                }
                // The sender lives in `self`, so it does not end.
                let _ = changes.changed().await;
            }
        };
        let waited = tokio::time::timeout(patience, wait).await;
        let last = || self.requests().pop();
        waited.unwrap_or_else(|_| {
            panic!("in vain: waited {} s at the proxy, which was last asked {:?}", patience.as_secs(), last())
        });
    }
}
