//! Permits: who may go on, handed out by a `Scheduler` under a lock that is held for moments.
//!
//! A reconcile that finds no place ends; it is woken as if its object had changed, and finds the place reserved. So waiting costs no
//! worker, holds no lock on an externalId, and whatever happens to the object meanwhile is seen first.
//!
//! | module | does |
//! |---|---|
//! | `fair_queue` | a queue in which namespaces take turns |
//! | `scheduler` | workers, lanes and the budget of calls: who is next, and when |
//! | `grants` | what becomes free, and who is told |
//! | `permit` | one permit, and the call that is sent with it |

mod fair_queue;
mod grants;
mod permit;
mod scheduler;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use self::grants::Wake;
use self::grants::{Grants, Tell, Waiter};
pub use self::permit::Permit;
pub use self::scheduler::Priority;
use self::scheduler::{Key, Scheduler};
use crate::domain::Uid;
use crate::telemetry::Metrics;
use crate::unkey::{Bounds, Budget, LimiterSnapshot};

/// Hands out permits. One for each root key, whatever kinds of objects work with it.
#[derive(Debug)]
pub struct Dispatcher {
    grants: Arc<Grants>,
    tasks: AtomicU64,
    /// Cancelled when the process is to end.
    pub stop: CancellationToken,
}

impl Dispatcher {
    /// So many workers, and calls within these bounds. `stop` is cancelled when the process is to end.
    pub fn new(bounds: Bounds, workers: u16, stop: CancellationToken, metrics: Metrics) -> Arc<Self> {
        let scheduler = Scheduler::new(Budget::new(bounds), usize::from(workers));
        let grants = Arc::new(Grants::new(scheduler, metrics));
        Arc::new(Self { grants, tasks: AtomicU64::new(0), stop })
    }

    /// Grants what becomes free with time. Runs for as long as it is polled.
    pub async fn run(&self) {
        self.grants.run().await;
    }

    /// What was reserved for the object of `uid`, if anything was.
    pub fn reserved(self: &Arc<Self>, uid: &Uid) -> Permit {
        let priority = self.grants.scheduler.lock().take(&Key::Object(uid.clone()));
        priority.map_or_else(|| Permit::empty(&self.grants), |priority| Permit::of(&self.grants, priority))
    }

    /// A permit for the reconcile of the object of that namespace and name, or `None`: then `wake` is told of the object when there is one.
    pub fn enter(&self, wake: &Wake, (namespace, name): (&str, &str), uid: &Uid, priority: Priority) -> Option<Permit> {
        let now = self.grants.clock.elapsed();
        {
            let mut scheduler = self.grants.scheduler.lock();
            if scheduler.try_take(now, priority) {
                return Some(Permit::of(&self.grants, priority));
            }
            let waiter =
                Waiter { since: now, priority, tell: Tell::Object(Arc::clone(wake), namespace.into(), name.into()) };
            scheduler.wait(namespace, Key::Object(uid.clone()), priority, waiter);
        }
        self.grants.grant();
        None
    }

    /// The object of `uid` needs nothing any more.
    pub fn forget(&self, uid: &Uid) {
        if self.grants.scheduler.lock().forget(&Key::Object(uid.clone())) {
            self.grants.grant();
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
        if self.is_paused() {
            return None;
        }
        // When the process is to end, no reconcile waits in its middle.
        self.stop.run_until_cancelled(self.wait(group, Priority::Further)).await?
    }

    /// `None`: it was sent away, or came too late.
    async fn wait(self: &Arc<Self>, group: &str, priority: Priority) -> Option<Permit> {
        let (key, told) = {
            let now = self.grants.clock.elapsed();
            let mut scheduler = self.grants.scheduler.lock();
            if scheduler.try_take(now, priority) {
                return Some(Permit::of(&self.grants, priority));
            }
            let key = Key::Task(self.tasks.fetch_add(1, Ordering::Relaxed));
            let (tell, told) = oneshot::channel();
            scheduler.wait(group, key.clone(), priority, Waiter { since: now, priority, tell: Tell::Task(tell) });
            (key, told)
        };
        self.grants.grant();
        let place = QueuePlace { grants: &self.grants, key };
        // An error means that it was taken back for having come too late.
        let granted = told.await == Ok(true) && self.grants.scheduler.lock().take(&place.key).is_some();
        granted.then(|| Permit::of(&self.grants, priority))
    }

    /// Another root key comes into use.
    pub fn key_changed(&self) {
        self.grants.scheduler.lock().budget().key_changed();
        self.grants.grant();
    }

    /// True if the object waits for a permit, or has one reserved.
    pub fn waits(&self, uid: &Uid) -> bool {
        self.grants.scheduler.lock().knows(&Key::Object(uid.clone()))
    }

    /// True if a 429 stops all calls.
    pub fn is_paused(&self) -> bool {
        let now = self.grants.clock.elapsed();
        self.grants.scheduler.lock().budget().is_paused(now)
    }

    /// How things stand, and how many wait in each lane.
    pub fn standing(&self) -> (LimiterSnapshot, [(&'static str, usize); 3]) {
        let mut scheduler = self.grants.scheduler.lock();
        (scheduler.budget().standing(self.grants.clock.elapsed()), scheduler.waiting())
    }
}

/// A place in line; given up if nobody waits in it any more.
struct QueuePlace<'a> {
    grants: &'a Grants,
    key: Key,
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        self.grants.scheduler.lock().forget(&self.key);
        self.grants.grant();
    }
}

#[cfg(test)]
mod tests;
