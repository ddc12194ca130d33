//! Permits: who may go on, handed out by a [`Scheduler`] under a lock that is held for moments.
//!
//! A reconcile that finds no place ends; it is woken as if its object had changed, and finds the place reserved. So waiting costs no
//! worker, holds no lock on an externalId, and whatever happens to the object meanwhile is seen first.
//!
//! | module | does |
//! |---|---|
//! | `fair_queue` | a queue in which namespaces take turns |
//! | `scheduler` | workers, lanes and the budget of calls: who is next, and when |

mod fair_queue;
mod scheduler;

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

pub use self::scheduler::Priority;
use self::scheduler::{Key, Scheduler};
use super::clock::{Clock, millis};
use crate::domain::Uid;
use crate::telemetry::Metrics;
use crate::unkey::{self, Bounds, Budget, Heard, LimiterSnapshot, Operation, Refusal, Sent};

/// The timer goes off at least so often; nothing depends on it.
const LONGEST: Duration = Duration::from_secs(60);

/// Has the object of a namespace and name reconciled.
pub type Wake = Box<dyn Fn(&str, &str) + Send + Sync>;

/// Hands out permits. One for the process.
pub struct Dispatcher {
    scheduler: Mutex<Scheduler<Waiter>>,
    clock: Clock,
    /// When the timer goes off, in ms, and that it has to be set anew.
    alarm: AtomicU64,
    alarm_changes: Notify,
    wake: Wake,
    tasks: AtomicU64,
    draining: AtomicBool,
    metrics: Metrics,
}

/// How to tell a waiting one, and since when it waits.
#[derive(Debug)]
struct Waiter {
    since: Duration,
    priority: Priority,
    tell: Tell,
}

#[derive(Debug)]
enum Tell {
    Object(Box<str>, Box<str>),
    /// True: its turn has come; false: it is not to wait here.
    Task(oneshot::Sender<bool>),
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// `wake` is told of objects whose turn has come.
    pub fn new(bounds: Bounds, workers: u16, wake: Wake, metrics: Metrics) -> Arc<Self> {
        let scheduler = Scheduler::new(Budget::new(bounds), usize::from(workers));
        Arc::new(Self {
            scheduler: Mutex::new(scheduler),
            clock: Clock::start(),
            alarm: AtomicU64::new(u64::MAX),
            alarm_changes: Notify::new(),
            wake,
            tasks: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            metrics,
        })
    }

    /// Grants what becomes free with time. Runs for as long as it is polled.
    pub async fn run(&self) {
        loop {
            // Whatever is due earlier than this from now on sets it anew.
            self.alarm.store(u64::MAX, Ordering::SeqCst);
            let due = self.hand_out();
            let at = self.alarm.fetch_min(due, Ordering::SeqCst).min(due);
            let changes = self.alarm_changes.notified();
            let timer = tokio::time::sleep(Duration::from_millis(at).saturating_sub(self.clock.elapsed()).min(LONGEST));
            tokio::select! { () = timer => {}, () = changes => {} }
        }
    }

    /// Grants what is free; sees to it that this is done again when there may be more.
    fn grant(&self) {
        let due = self.hand_out();
        if self.alarm.fetch_min(due, Ordering::SeqCst) > due {
            self.alarm_changes.notify_one();
        }
    }

    /// Grants what is free and tells who has it; returns when there may be more, in ms.
    fn hand_out(&self) -> u64 {
        let now = self.clock.elapsed();
        let (granted, dismissed, due) = {
            let mut scheduler = self.scheduler.lock();
            // A pause may be long, and a reconcile that waits in the middle sees nothing of what becomes of its object.
            let dismissed = if scheduler.budget().is_paused(now) { scheduler.dismiss() } else { Vec::new() };
            (scheduler.grant(now), dismissed, scheduler.due(now))
        };
        Self::send_away(dismissed);
        for Waiter { since, priority, tell } in granted {
            self.metrics.waited(priority.lane(), now.saturating_sub(since));
            match tell {
                Tell::Object(namespace, name) => (self.wake)(&namespace, &name),
                // It waits no more: then what it was granted is given back by its guard.
                Tell::Task(task) => drop(task.send(true)),
            }
        }
        // Rounded up, or it would be a moment too soon, again and again.
        due.map_or(u64::MAX, |due| millis(due) + 1)
    }

    fn send_away(dismissed: Vec<Waiter>) {
        for waiter in dismissed {
            if let Tell::Task(task) = waiter.tell {
                let _ = task.send(false);
            }
        }
    }

    /// The process is to end: no reconcile waits in its middle any more.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        let dismissed = self.scheduler.lock().dismiss();
        Self::send_away(dismissed);
    }

    /// What was reserved for the object of `uid`, if anything was.
    pub fn reserved(self: &Arc<Self>, uid: &Uid) -> Permit {
        let priority = self.scheduler.lock().take(&Key::Object(uid.clone()));
        priority.map_or_else(|| Permit::empty(self), |priority| Permit::of(self, priority))
    }

    /// A permit for the reconcile of the object of that namespace and name, or `None`: then the object is woken when there is one.
    pub fn enter(self: &Arc<Self>, (namespace, name): (&str, &str), uid: &Uid, priority: Priority) -> Option<Permit> {
        let now = self.clock.elapsed();
        {
            let mut scheduler = self.scheduler.lock();
            if scheduler.try_take(now, priority) {
                return Some(Permit::of(self, priority));
            }
            let waiter = Waiter { since: now, priority, tell: Tell::Object(namespace.into(), name.into()) };
            scheduler.wait(namespace, Key::Object(uid.clone()), priority, waiter);
        }
        self.grant();
        None
    }

    /// The object of `uid` needs nothing any more.
    pub fn forget(&self, uid: &Uid) {
        if self.scheduler.lock().forget(&Key::Object(uid.clone())) {
            self.grant();
        }
    }

    /// Waits for a permit, in line with the others of `group`.
    pub async fn acquire(self: &Arc<Self>, group: &str, priority: Priority) -> Permit {
        loop {
            if let Some(permit) = self.wait(group, priority).await {
                return permit;
            }
        }
    }

    /// Waits for a further call in the middle of a reconcile; `None`: not now, the reconcile has to end and come again.
    pub async fn go_on(self: &Arc<Self>, group: &str) -> Option<Permit> {
        if self.is_paused() || self.draining.load(Ordering::SeqCst) {
            return None;
        }
        self.wait(group, Priority::Further).await
    }

    /// `None`: it was sent away, or came too late.
    async fn wait(self: &Arc<Self>, group: &str, priority: Priority) -> Option<Permit> {
        let (key, told) = {
            let now = self.clock.elapsed();
            let mut scheduler = self.scheduler.lock();
            if scheduler.try_take(now, priority) {
                return Some(Permit::of(self, priority));
            }
            let key = Key::Task(self.tasks.fetch_add(1, Ordering::Relaxed));
            let (tell, told) = oneshot::channel();
            scheduler.wait(group, key.clone(), priority, Waiter { since: now, priority, tell: Tell::Task(tell) });
            (key, told)
        };
        self.grant();
        let place = QueuePlace { dispatcher: self, key };
        // An error means that it was taken back for having come too late.
        let granted = told.await == Ok(true) && self.scheduler.lock().take(&place.key).is_some();
        granted.then(|| Permit::of(self, priority))
    }

    /// Another root key comes into use.
    pub fn key_changed(&self) {
        self.scheduler.lock().budget().key_changed();
        self.grant();
    }

    /// True if the object waits for a permit, or has one reserved.
    pub fn waits(&self, uid: &Uid) -> bool {
        self.scheduler.lock().knows(&Key::Object(uid.clone()))
    }

    /// True if a 429 stops all calls.
    pub fn is_paused(&self) -> bool {
        let now = self.clock.elapsed();
        self.scheduler.lock().budget().is_paused(now)
    }

    /// How things stand, and how many wait in each lane.
    pub fn standing(&self) -> (LimiterSnapshot, [(&'static str, usize); 3]) {
        let mut scheduler = self.scheduler.lock();
        (scheduler.budget().standing(self.clock.elapsed()), scheduler.waiting())
    }
}

/// A place in line; given up if nobody waits in it any more.
struct QueuePlace<'a> {
    dispatcher: &'a Dispatcher,
    key: Key,
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        self.dispatcher.scheduler.lock().forget(&self.key);
        self.dispatcher.grant();
    }
}

/// A permit in use. What of it is not used when it is dropped is given back.
#[derive(Debug)]
pub struct Permit {
    dispatcher: Arc<Dispatcher>,
    works: bool,
    call: bool,
    /// A call was sent with it.
    sent: bool,
}

impl Permit {
    fn of(dispatcher: &Arc<Dispatcher>, priority: Priority) -> Self {
        Self {
            dispatcher: Arc::clone(dispatcher),
            works: priority != Priority::Scan,
            call: priority != Priority::Writes,
            sent: priority == Priority::Further,
        }
    }

    fn empty(dispatcher: &Arc<Dispatcher>) -> Self {
        Self { dispatcher: Arc::clone(dispatcher), works: false, call: false, sent: false }
    }

    /// Becomes a permit for `priority` if there is one at once. What it allowed before is given back.
    pub fn enters(&mut self, priority: Priority) -> bool {
        self.give_back();
        let now = self.dispatcher.clock.elapsed();
        let entered = self.dispatcher.scheduler.lock().try_take(now, priority);
        if entered {
            *self = Self::of(&self.dispatcher, priority);
        }
        entered
    }

    /// Takes all that it allows; nothing is left.
    pub fn take(&mut self) -> Self {
        let empty = Self::empty(&self.dispatcher);
        std::mem::replace(self, empty)
    }

    /// A call was sent with it: the next one goes before those of others.
    pub fn has_sent(&self) -> bool {
        self.sent
    }

    /// True if it allows this; to a place among the workers a call is added if it can be had at once.
    pub fn allows(&mut self, priority: Priority) -> bool {
        if priority == Priority::Writes || self.call || !self.works {
            return self.works;
        }
        let now = self.dispatcher.clock.elapsed();
        let priority = if self.sent { Priority::Further } else { Priority::Call };
        self.call = self.dispatcher.scheduler.lock().try_add_call(now, priority);
        self.call
    }

    /// Uses up the call for one of `operation`. An error says why Unkey would refuse it: then nothing is to be sent, and the call
    /// stays unused.
    pub fn sends(&mut self, operation: Operation) -> Result<Sending, Refusal> {
        let now = self.dispatcher.clock.elapsed();
        let mut scheduler = self.dispatcher.scheduler.lock();
        let sent = scheduler.budget().sends(now, operation)?;
        // One that was not asked for counts all the same.
        if !std::mem::take(&mut self.call) {
            scheduler.budget().reserve(now);
        }
        drop(scheduler);
        self.sent = true;
        Ok(Sending { dispatcher: Arc::clone(&self.dispatcher), sent: Some(sent) })
    }

    /// It allows nothing any more.
    pub fn give_back(&mut self) {
        let (works, call) = (std::mem::take(&mut self.works), std::mem::take(&mut self.call));
        if !works && !call {
            return;
        }
        {
            let mut scheduler = self.dispatcher.scheduler.lock();
            if call {
                scheduler.budget().refund();
            }
            if works {
                scheduler.leaves();
            }
        }
        self.dispatcher.grant();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A call on its way. Dropped without an answer, it counts as sent all the same.
#[derive(Debug)]
pub struct Sending {
    dispatcher: Arc<Dispatcher>,
    sent: Option<Sent>,
}

impl Sending {
    /// It was answered, or failed with `error`.
    pub fn ends(mut self, error: Option<&Arc<unkey::Error>>, heard: Heard) {
        let now = self.dispatcher.clock.elapsed();
        if let Some(sent) = self.sent.take() {
            self.dispatcher.scheduler.lock().budget().on_response(now, &sent, error, heard);
        }
        self.dispatcher.grant();
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(sent) = self.sent.take() {
            self.dispatcher.scheduler.lock().budget().cancel(&sent);
            self.dispatcher.grant();
        }
    }
}

#[cfg(test)]
mod tests;
