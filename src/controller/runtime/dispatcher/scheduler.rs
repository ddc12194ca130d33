//! Who may go on, and in which order: reconciles over objects, and calls to Unkey. A state machine: no clock, no IO.
//!
//! Reconciles that write to Kubernetes are bounded by the number of workers, calls by the [`Budget`] too. Whoever finds no place waits
//! in a queue that is fair between namespaces, and is granted one later; until it takes that up it is *reserved*. A reconcile that waits
//! holds nothing: it ends, and is woken.

use std::collections::HashMap;
use std::time::Duration;

use super::fair_queue::FairQueue;
use crate::domain::Uid;
use crate::unkey::{Budget, Ready};

/// A grant that nobody takes up for so long goes to another: its object is gone, or has no use for it any more.
const RESERVED: Duration = Duration::from_secs(10);
/// Of so many grants the scan gets one, if both wait.
const SCANS_PART: u32 = 10;

/// Who asks. An object's reconcile comes back when it is woken; a task waits where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The reconcile over the object of that uid.
    Object(Uid),
    /// A task of that number.
    Task(u64),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Requests to Kubernetes only.
    Writes,
    /// A call for an object, with the requests to Kubernetes before and after it.
    Call,
    /// A further call of a reconcile: it goes before all others. What the reconcile has read is known to it alone, so that a reconcile that had to
    /// end here would read again, and again.
    Further,
    /// A call of the scan.
    Scan,
}

impl Priority {
    /// Its name, a metric label.
    pub fn lane(self) -> &'static str {
        match self {
            Self::Writes => "writes",
            Self::Call | Self::Further => "changes",
            Self::Scan => "scan",
        }
    }

    fn calls(self) -> bool {
        self != Self::Writes
    }

    /// Takes one of the workers' places.
    fn works(self) -> bool {
        self != Self::Scan
    }
}

/// What was granted and not taken up yet.
#[derive(Debug)]
struct Reserved {
    priority: Priority,
    until: Duration,
}

/// The state of it all. `W` is how to tell a waiting one that its turn has come.
#[derive(Debug)]
pub struct Scheduler<W> {
    budget: Budget,
    workers: usize,
    /// Reconciles that hold a place or have one reserved.
    working: usize,
    writes: FairQueue<Key, W>,
    calls: FairQueue<Key, W>,
    further: FairQueue<Key, W>,
    scans: FairQueue<Key, W>,
    reserved: HashMap<Key, Reserved>,
    /// Calls granted since the scan last got one.
    since_scan: u32,
    /// Writes go before calls this time.
    writes_first: bool,
}

impl<W> Scheduler<W> {
    /// Nobody waits. So many `workers` reconcile at a time.
    pub fn new(budget: Budget, workers: usize) -> Self {
        Self {
            budget,
            workers: workers.max(1),
            working: 0,
            writes: FairQueue::new(),
            calls: FairQueue::new(),
            further: FairQueue::new(),
            scans: FairQueue::new(),
            reserved: HashMap::new(),
            since_scan: 0,
            writes_first: true,
        }
    }

    /// The budget of the calls.
    pub fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// How many wait in each lane.
    pub fn waiting(&self) -> [(&'static str, usize); 3] {
        [
            (Priority::Writes.lane(), self.writes.len()),
            (Priority::Call.lane(), self.calls.len() + self.further.len()),
            (Priority::Scan.lane(), self.scans.len()),
        ]
    }

    /// It waits, or has something reserved.
    pub fn knows(&self, key: &Key) -> bool {
        let queues = [&self.writes, &self.calls, &self.further, &self.scans];
        self.reserved.contains_key(key) || queues.iter().any(|queue| queue.holds(key))
    }

    /// Takes up what was granted to `key`. It holds it from now on.
    pub fn take(&mut self, key: &Key) -> Option<Priority> {
        self.reserved.remove(key).map(|reserved| reserved.priority)
    }

    /// Asks for what can be had at once. True: it is held.
    pub fn try_take(&mut self, now: Duration, priority: Priority) -> bool {
        self.expire(now);
        if self.is_ahead_of(priority) || !self.is_free(now, priority) {
            return false;
        }
        self.hold(now, priority);
        true
    }

    /// Somebody waits whose turn comes first.
    fn is_ahead_of(&self, priority: Priority) -> bool {
        match priority {
            Priority::Writes => !self.writes.is_empty(),
            Priority::Further => !self.further.is_empty(),
            Priority::Call => !self.further.is_empty() || !self.calls.is_empty() || self.is_scans_turn(),
            Priority::Scan => !self.further.is_empty() || !self.calls.is_empty() || !self.scans.is_empty(),
        }
    }

    /// One that holds a place as a worker asks for a call too, its first or a further one. True: it is held.
    pub fn try_add_call(&mut self, now: Duration, priority: Priority) -> bool {
        self.expire(now);
        if self.is_ahead_of(priority) || self.budget.ready(now) != Ready::Now {
            return false;
        }
        self.budget.reserve(now);
        self.since_scan = self.since_scan.saturating_add(1);
        true
    }

    /// Waits for it; whoever waits already keeps its place, unless it needs something else by now.
    pub fn wait(&mut self, group: &str, key: Key, priority: Priority, waiter: W) {
        if priority.calls() {
            self.writes.remove(&key);
        } else {
            self.calls.remove(&key);
        }
        self.queue(priority).push(group, key, waiter);
    }

    /// Sends away those that wait for a further call. They can come back as any other.
    pub fn dismiss(&mut self) -> Vec<W> {
        std::iter::from_fn(|| self.further.pop()).map(|(_, waiter)| waiter).collect()
    }

    /// It needs nothing any more: neither waits nor has anything reserved. True if something came free.
    pub fn forget(&mut self, key: &Key) -> bool {
        self.writes.remove(key);
        self.calls.remove(key);
        self.further.remove(key);
        self.scans.remove(key);
        let reserved = self.reserved.remove(key);
        if let Some(Reserved { priority, .. }) = reserved {
            self.give_back(priority);
        }
        reserved.is_some()
    }

    /// What was held was not used.
    pub fn give_back(&mut self, priority: Priority) {
        if priority.calls() {
            self.budget.refund();
        }
        if priority.works() {
            self.leaves();
        }
    }

    /// A worker's place is free again.
    pub fn leaves(&mut self) {
        self.working = self.working.saturating_sub(1);
    }

    /// Grants what can be granted now, and returns who is to be told.
    #[must_use]
    pub fn grant(&mut self, now: Duration) -> Vec<W> {
        self.expire(now);
        let mut granted = Vec::new();
        while let Some(priority) = self.next(now) {
            let Some((key, waiter)) = self.queue(priority).pop() else { break };
            self.hold(now, priority);
            self.reserved.insert(key, Reserved { priority, until: now + RESERVED });
            granted.push(waiter);
        }
        granted
    }

    /// When [`grant`](Self::grant) may find something to grant or to take back although nothing else happens.
    pub fn due(&self, now: Duration) -> Option<Duration> {
        let waits = !self.calls.is_empty() || !self.further.is_empty() || !self.scans.is_empty();
        let at = match self.budget.ready(now) {
            Ready::At(at) if waits => Some(at),
            _ => None,
        };
        at.into_iter().chain(self.reserved.values().map(|reserved| reserved.until)).min()
    }

    fn queue(&mut self, priority: Priority) -> &mut FairQueue<Key, W> {
        match priority {
            Priority::Writes => &mut self.writes,
            Priority::Call => &mut self.calls,
            Priority::Further => &mut self.further,
            Priority::Scan => &mut self.scans,
        }
    }

    fn is_free(&self, now: Duration, priority: Priority) -> bool {
        // A reconcile that goes on had a place, and gave it up only to wait.
        let place = !priority.works() || priority == Priority::Further || self.working < self.workers;
        place && (!priority.calls() || self.budget.ready(now) == Ready::Now)
    }

    fn hold(&mut self, now: Duration, priority: Priority) {
        if priority.calls() {
            self.budget.reserve(now);
        }
        if priority.works() {
            self.working += 1;
        }
        match priority {
            Priority::Writes => self.writes_first = false,
            Priority::Call | Priority::Further => {
                (self.since_scan, self.writes_first) = (self.since_scan.saturating_add(1), true);
            }
            Priority::Scan => self.since_scan = 0,
        }
    }

    /// What is granted next: changes before the scan, which keeps its part; writes and calls take turns for the workers.
    fn next(&self, now: Duration) -> Option<Priority> {
        let can = |priority, waits: bool| waits && self.is_free(now, priority);
        if can(Priority::Further, !self.further.is_empty()) {
            return Some(Priority::Further);
        }
        let writes = can(Priority::Writes, !self.writes.is_empty());
        let calls = can(Priority::Call, !self.calls.is_empty());
        let scans = can(Priority::Scan, !self.scans.is_empty());
        if scans && (!calls || self.is_scans_turn()) {
            return Some(Priority::Scan);
        }
        match (writes, calls) {
            (true, false) => Some(Priority::Writes),
            (true, true) if self.writes_first => Some(Priority::Writes),
            (_, true) => Some(Priority::Call),
            (false, false) => None,
        }
    }

    /// It waits, and the calls have had their part.
    fn is_scans_turn(&self) -> bool {
        !self.scans.is_empty() && self.since_scan + 1 >= SCANS_PART
    }

    fn expire(&mut self, now: Duration) {
        let late: Vec<Key> =
            self.reserved.iter().filter(|(_, it)| it.until <= now).map(|(key, _)| key.clone()).collect();
        for key in late {
            self.forget(&key);
        }
    }
}
