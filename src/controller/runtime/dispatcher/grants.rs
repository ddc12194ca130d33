//! Permits that become free, and who is told of them: as soon as one is given back, and when time brings one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::super::clock::{Clock, millis};
use super::scheduler::{Priority, Scheduler};
use crate::telemetry::Metrics;

/// The timer goes off at least so often; nothing depends on it.
const LONGEST: Duration = Duration::from_secs(60);

/// Has the object of a namespace and name reconciled, of whatever kind it is.
pub type Wake = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// Who waits, and what there is.
pub struct Grants {
    pub scheduler: Mutex<Scheduler<Waiter>>,
    pub clock: Clock,
    /// When the timer goes off, in ms, and that it has to be set anew.
    alarm: AtomicU64,
    alarm_changes: Notify,
    metrics: Metrics,
}

/// How to tell a waiting one, and since when it waits.
pub struct Waiter {
    pub since: Duration,
    pub priority: Priority,
    pub tell: Tell,
}

/// Whom to tell.
pub enum Tell {
    /// An object, by namespace and name: it is woken.
    Object(Wake, Box<str>, Box<str>),
    /// True: its turn has come; false: it is not to wait here.
    Task(oneshot::Sender<bool>),
}

impl Grants {
    /// Nobody waits yet.
    pub fn new(scheduler: Scheduler<Waiter>, metrics: Metrics) -> Self {
        Self {
            scheduler: Mutex::new(scheduler),
            clock: Clock::start(),
            alarm: AtomicU64::new(u64::MAX),
            alarm_changes: Notify::new(),
            metrics,
        }
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
    pub fn grant(&self) {
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
        for waiter in dismissed {
            if let Tell::Task(task) = waiter.tell {
                let _ = task.send(false);
            }
        }
        for Waiter { since, priority, tell } in granted {
            self.metrics.waited(priority.lane(), now.saturating_sub(since));
            match tell {
                Tell::Object(wake, namespace, name) => wake(&namespace, &name),
                // It waits no more: then what it was granted is given back by its guard.
                Tell::Task(task) => drop(task.send(true)),
            }
        }
        // Rounded up, or it would be a moment too soon, again and again.
        due.map_or(u64::MAX, |due| millis(due) + 1)
    }
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grants").finish_non_exhaustive()
    }
}
