//! The world around a session, as this process knows it.

use super::context::Context;
use crate::controller::runtime::dispatcher::{Permit, Priority};
use crate::domain::session::{Environment, Need};
use crate::domain::{ExternalId, Gate, KeyMark, Mono, OwnershipGate, Role, Uid, Witness};

/// See [`Environment`].
pub struct ReconcileEnvironment<'a> {
    context: &'a Context,
    role: Role,
    /// `None`: it is only looked at.
    permit: Option<&'a mut Permit>,
    /// The queue knows the object, so that a permit is either there at once or waited for in the queue.
    queued: bool,
}

impl<'a> ReconcileEnvironment<'a> {
    /// For a look that sends nothing.
    pub fn looking(context: &'a Context, external_id: &ExternalId, uid: &Uid) -> Self {
        Self { context, role: context.index.role(external_id, uid), permit: None, queued: false }
    }

    /// For a session that works with `permit`.
    pub fn working(
        context: &'a Context,
        (external_id, uid): (&ExternalId, &Uid),
        permit: &'a mut Permit,
        queued: bool,
    ) -> Self {
        Self { context, role: context.index.role(external_id, uid), permit: Some(permit), queued }
    }
}

impl Environment for ReconcileEnvironment<'_> {
    fn now(&self) -> Mono {
        self.context.runtime.clock.now()
    }

    fn role(&self) -> Role {
        self.role
    }

    fn gate(&self, mark: Option<&KeyMark>) -> Gate {
        self.context.index.gate(mark)
    }

    fn witness(&self) -> Witness {
        self.context.index.witness()
    }

    fn ownership_gate(&self) -> OwnershipGate {
        self.context.ownership_gate()
    }

    fn leads(&self) -> bool {
        self.context.runtime.leads()
    }

    fn drains(&self) -> bool {
        self.context.runtime.is_draining()
    }

    fn key_in_use(&self) -> KeyMark {
        self.context.workspace.present_key()
    }

    fn awake_since(&self) -> Mono {
        self.context.runtime.pause_detector.check()
    }

    fn is_paused(&self) -> bool {
        self.context.runtime.dispatcher.is_paused()
    }

    fn has_permit(&mut self, need: Need) -> bool {
        let Some(permit) = &mut self.permit else { return true };
        let priority = priority(need);
        permit.allows(priority) || self.queued && !permit.has_sent() && permit.enters(priority)
    }
}

/// What a permit is in the queue's words.
pub fn priority(need: Need) -> Priority {
    match need {
        Need::Writes => Priority::Writes,
        Need::Call => Priority::Call,
    }
}
