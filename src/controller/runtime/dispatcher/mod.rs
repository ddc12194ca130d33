//! Permits: who may go on, handed out by a [`Scheduler`] under a lock that is held for moments.
//!
//! A pass that finds no place ends; it is woken as if its object had changed, and finds the place reserved. So waiting costs no
//! worker, holds no turn on an externalId, and whatever happens to the object meanwhile is seen first.
//!
//! | module | does |
//! |---|---|
//! | `fair_queue` | a queue in which namespaces take turns |
//! | `scheduler` | workers, lanes and the budget of calls: who is next, and when |

mod fair_queue;
mod scheduler;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot};

pub use self::scheduler::Need;
use self::scheduler::{Key, Scheduler};
use super::clock::{Clock, millis};
use crate::controller::identity::index::{Ref, lock};
use crate::domain::Uid;
use crate::telemetry::Metrics;
use crate::unkey::{self, Bounds, Budget, Heard, LimiterSnapshot, Operation, Refusal, Sent};

/// The timer goes off at least so often; nothing depends on it.
const LONGEST: Duration = Duration::from_secs(60);

/// Hands out permits. One for the process.
#[derive(Debug)]
pub struct Dispatcher {
    desk: Mutex<Scheduler<Waiter>>,
    clock: Clock,
    /// When the timer goes off, in ms, and that it has to be set anew.
    alarm: AtomicU64,
    alarm_changes: Notify,
    wake: UnboundedSender<Ref>,
    tasks: AtomicU64,
    draining: AtomicBool,
    metrics: Metrics,
}

/// How to tell a waiting one, and since when it waits.
#[derive(Debug)]
struct Waiter {
    since: Duration,
    need: Need,
    tell: Tell,
}

#[derive(Debug)]
enum Tell {
    Object(Ref),
    /// True: its turn has come; false: it is not to wait here.
    Task(oneshot::Sender<bool>),
}

impl Dispatcher {
    /// Objects whose turn has come are sent to `wake`.
    pub fn new(bounds: Bounds, workers: u16, wake: UnboundedSender<Ref>, metrics: Metrics) -> Arc<Self> {
        let desk = Scheduler::new(Budget::new(bounds), usize::from(workers));
        Arc::new(Self {
            desk: Mutex::new(desk),
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
            let mut desk = lock(&self.desk);
            // A pause may be long, and a pass that waits in the middle sees nothing of what becomes of its object.
            let dismissed = if desk.budget().is_paused(now) { desk.dismiss() } else { Vec::new() };
            (desk.grant(now), dismissed, desk.due(now))
        };
        Self::send_away(dismissed);
        for Waiter { since, need, tell } in granted {
            self.metrics.waited(need.lane(), now.saturating_sub(since));
            match tell {
                // The receiver lives as long as the controller; after that nothing needs waking.
                Tell::Object(object) => drop(self.wake.send(object)),
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

    /// The process is to end: no pass waits in its middle any more.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        let dismissed = lock(&self.desk).dismiss();
        Self::send_away(dismissed);
    }

    /// What was reserved for the object of `uid`, if anything was.
    pub fn reserved(self: &Arc<Self>, uid: &Uid) -> Slot {
        let need = lock(&self.desk).take(&Key::Object(uid.clone()));
        need.map_or_else(|| Slot::empty(self), |need| Slot::of(self, need))
    }

    /// A permit for the pass over `object`, or `None`: then the object is woken when there is one.
    pub fn enter(self: &Arc<Self>, object: &Ref, uid: &Uid, need: Need) -> Option<Slot> {
        let now = self.clock.elapsed();
        {
            let mut desk = lock(&self.desk);
            if desk.try_take(now, need) {
                return Some(Slot::of(self, need));
            }
            let group = object.namespace.as_deref().unwrap_or_default();
            let waiter = Waiter { since: now, need, tell: Tell::Object(object.clone()) };
            desk.wait(group, Key::Object(uid.clone()), need, waiter);
        }
        self.grant();
        None
    }

    /// The object of `uid` needs nothing any more.
    pub fn forget(&self, uid: &Uid) {
        if lock(&self.desk).forget(&Key::Object(uid.clone())) {
            self.grant();
        }
    }

    /// Waits for a permit, in line with the others of `group`.
    pub async fn acquire(self: &Arc<Self>, group: &str, need: Need) -> Slot {
        loop {
            if let Some(slot) = self.wait(group, need).await {
                return slot;
            }
        }
    }

    /// Waits for a further call in the middle of a pass; `None`: not now, the pass has to end and come again.
    pub async fn go_on(self: &Arc<Self>, group: &str) -> Option<Slot> {
        if self.is_paused() || self.draining.load(Ordering::SeqCst) {
            return None;
        }
        self.wait(group, Need::Further).await
    }

    /// `None`: it was sent away, or came too late.
    async fn wait(self: &Arc<Self>, group: &str, need: Need) -> Option<Slot> {
        let (key, told) = {
            let now = self.clock.elapsed();
            let mut desk = lock(&self.desk);
            if desk.try_take(now, need) {
                return Some(Slot::of(self, need));
            }
            let key = Key::Task(self.tasks.fetch_add(1, Ordering::Relaxed));
            let (tell, told) = oneshot::channel();
            desk.wait(group, key.clone(), need, Waiter { since: now, need, tell: Tell::Task(tell) });
            (key, told)
        };
        self.grant();
        let place = Place { permits: self, key };
        // An error means that it was taken back for having come too late.
        let granted = told.await == Ok(true) && lock(&self.desk).take(&place.key).is_some();
        granted.then(|| Slot::of(self, need))
    }

    /// Another root key comes into use.
    pub fn key_changed(&self) {
        lock(&self.desk).budget().key_changed();
        self.grant();
    }

    /// True if the object waits for a permit, or has one reserved.
    pub fn waits(&self, uid: &Uid) -> bool {
        lock(&self.desk).knows(&Key::Object(uid.clone()))
    }

    /// True if a 429 stops all calls.
    pub fn is_paused(&self) -> bool {
        let now = self.clock.elapsed();
        lock(&self.desk).budget().is_paused(now)
    }

    /// How things stand, and how many wait in each lane.
    pub fn standing(&self) -> (LimiterSnapshot, [(&'static str, usize); 3]) {
        let mut desk = lock(&self.desk);
        (desk.budget().standing(self.clock.elapsed()), desk.waiting())
    }
}

/// A place in line; given up if nobody waits in it any more.
struct Place<'a> {
    permits: &'a Dispatcher,
    key: Key,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.permits.desk).forget(&self.key);
        self.permits.grant();
    }
}

/// A permit in use. What of it is not used when it is dropped is given back.
#[derive(Debug)]
pub struct Slot {
    permits: Arc<Dispatcher>,
    works: bool,
    call: bool,
    /// A call was sent with it.
    sent: bool,
}

impl Slot {
    fn of(permits: &Arc<Dispatcher>, need: Need) -> Self {
        Self {
            permits: Arc::clone(permits),
            works: need != Need::Scan,
            call: need != Need::Writes,
            sent: need == Need::Further,
        }
    }

    fn empty(permits: &Arc<Dispatcher>) -> Self {
        Self { permits: Arc::clone(permits), works: false, call: false, sent: false }
    }

    /// Becomes a permit for `need` if there is one at once. What it allowed before is given back.
    pub fn enters(&mut self, need: Need) -> bool {
        self.give_back();
        let now = self.permits.clock.elapsed();
        let entered = lock(&self.permits.desk).try_take(now, need);
        if entered {
            *self = Self::of(&self.permits, need);
        }
        entered
    }

    /// Takes all that it allows; nothing is left.
    pub fn take(&mut self) -> Self {
        let empty = Self::empty(&self.permits);
        std::mem::replace(self, empty)
    }

    /// A call was sent with it: the next one goes before those of others.
    pub fn has_sent(&self) -> bool {
        self.sent
    }

    /// True if it allows this; to a place among the workers a call is added if it can be had at once.
    pub fn allows(&mut self, need: Need) -> bool {
        if need == Need::Writes || self.call || !self.works {
            return self.works;
        }
        let now = self.permits.clock.elapsed();
        let need = if self.sent { Need::Further } else { Need::Call };
        self.call = lock(&self.permits.desk).try_add_call(now, need);
        self.call
    }

    /// Uses up the call for one of `operation`. An error says why Unkey would refuse it: then nothing is to be sent, and the call
    /// stays unused.
    pub fn sends(&mut self, operation: Operation) -> Result<Sending, Refusal> {
        let now = self.permits.clock.elapsed();
        let mut desk = lock(&self.permits.desk);
        let sent = desk.budget().sends(now, operation)?;
        // One that was not asked for counts all the same.
        if !std::mem::take(&mut self.call) {
            desk.budget().takes(now);
        }
        drop(desk);
        self.sent = true;
        Ok(Sending { permits: Arc::clone(&self.permits), sent: Some(sent) })
    }

    /// It allows nothing any more.
    pub fn give_back(&mut self) {
        let (works, call) = (std::mem::take(&mut self.works), std::mem::take(&mut self.call));
        if !works && !call {
            return;
        }
        {
            let mut desk = lock(&self.permits.desk);
            if call {
                desk.budget().gives_back();
            }
            if works {
                desk.leaves();
            }
        }
        self.permits.grant();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A call on its way. Dropped without an answer, it counts as sent all the same.
#[derive(Debug)]
pub struct Sending {
    permits: Arc<Dispatcher>,
    sent: Option<Sent>,
}

impl Sending {
    /// It was answered, or failed with `error`.
    pub fn ends(mut self, error: Option<&Arc<unkey::Error>>, heard: Heard) {
        let now = self.permits.clock.elapsed();
        if let Some(sent) = self.sent.take() {
            lock(&self.permits.desk).budget().learns(now, &sent, error, heard);
        }
        self.permits.grant();
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(sent) = self.sent.take() {
            lock(&self.permits.desk).budget().loses(&sent);
            self.permits.grant();
        }
    }
}

#[cfg(test)]
mod tests;
