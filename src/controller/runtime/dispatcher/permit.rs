//! A permit, and a call that is sent with it. What is not used is given back.

use std::sync::Arc;

use super::grants::Grants;
use super::scheduler::Priority;
use crate::unkey::{self, Operation, QuotaReport, Refusal, Sent};

/// A permit in use. What of it is not used when it is dropped is given back.
#[derive(Debug)]
pub struct Permit {
    grants: Arc<Grants>,
    works: bool,
    call: bool,
    /// A call was sent with it.
    sent: bool,
}

impl Permit {
    /// One for this.
    pub fn of(grants: &Arc<Grants>, priority: Priority) -> Self {
        Self {
            grants: Arc::clone(grants),
            works: priority != Priority::Scan,
            call: priority != Priority::Writes,
            sent: priority == Priority::Further,
        }
    }

    /// One that allows nothing.
    pub fn empty(grants: &Arc<Grants>) -> Self {
        Self { grants: Arc::clone(grants), works: false, call: false, sent: false }
    }

    /// Becomes a permit for `priority` if there is one at once. What it allowed before is given back.
    pub fn enters(&mut self, priority: Priority) -> bool {
        self.give_back();
        let now = self.grants.clock.elapsed();
        let entered = self.grants.scheduler.lock().try_take(now, priority);
        if entered {
            *self = Self::of(&self.grants, priority);
        }
        entered
    }

    /// Takes all that it allows; nothing is left.
    pub fn take(&mut self) -> Self {
        let empty = Self::empty(&self.grants);
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
        let now = self.grants.clock.elapsed();
        let priority = if self.sent { Priority::Further } else { Priority::Call };
        self.call = self.grants.scheduler.lock().try_add_call(now, priority);
        self.call
    }

    /// Uses up the call for one of `operation`. An error says why Unkey would refuse it: then nothing is to be sent, and the call
    /// stays unused.
    pub fn sends(&mut self, operation: Operation) -> Result<Sending, Refusal> {
        let now = self.grants.clock.elapsed();
        let mut scheduler = self.grants.scheduler.lock();
        let sent = scheduler.budget().sends(now, operation)?;
        // One that was not asked for counts all the same.
        if !std::mem::take(&mut self.call) {
            scheduler.budget().reserve(now);
        }
        drop(scheduler);
        self.sent = true;
        Ok(Sending { grants: Arc::clone(&self.grants), sent: Some(sent) })
    }

    /// It allows nothing any more.
    pub fn give_back(&mut self) {
        let (works, call) = (std::mem::take(&mut self.works), std::mem::take(&mut self.call));
        if !works && !call {
            return;
        }
        {
            let mut scheduler = self.grants.scheduler.lock();
            if call {
                scheduler.budget().refund();
            }
            if works {
                scheduler.leaves();
            }
        }
        self.grants.grant();
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
    grants: Arc<Grants>,
    sent: Option<Sent>,
}

impl Sending {
    /// It was answered, or failed with `error`.
    pub fn ends(mut self, error: Option<&Arc<unkey::Error>>, quota: QuotaReport) {
        let now = self.grants.clock.elapsed();
        if let Some(sent) = self.sent.take() {
            self.grants.scheduler.lock().budget().on_response(now, &sent, error, quota);
        }
        self.grants.grant();
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(sent) = self.sent.take() {
            self.grants.scheduler.lock().budget().cancel(&sent);
            self.grants.grant();
        }
    }
}
