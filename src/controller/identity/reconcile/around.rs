//! The world around a session, as this process knows it.

use super::super::context::Context;
use crate::controller::runtime::dispatcher::{Need, Slot};
use crate::domain::session::{Environment, Permit};
use crate::domain::{Entry, ExternalId, Gate, KeyMark, Mono, Role, Uid, Witness};

/// See [`Environment`].
pub struct Around<'a> {
    context: &'a Context,
    role: Role,
    /// `None`: it is only looked at.
    slot: Option<&'a mut Slot>,
    /// The queue knows the object, so that a permit is either there at once or waited for in the queue.
    queued: bool,
}

impl<'a> Around<'a> {
    /// For a look that sends nothing.
    pub fn looking(context: &'a Context, external_id: &ExternalId, uid: &Uid) -> Self {
        Self { context, role: context.table.role(external_id, uid), slot: None, queued: false }
    }

    /// For a session that works with `slot`.
    pub fn working(
        context: &'a Context,
        (external_id, uid): (&ExternalId, &Uid),
        slot: &'a mut Slot,
        queued: bool,
    ) -> Self {
        Self { context, role: context.table.role(external_id, uid), slot: Some(slot), queued }
    }
}

impl Environment for Around<'_> {
    fn now(&self) -> Mono {
        self.context.clock.now()
    }

    fn role(&self) -> Role {
        self.role
    }

    fn gate(&self, mark: Option<&KeyMark>) -> Gate {
        self.context.table.gate(mark)
    }

    fn witness(&self) -> Witness {
        self.context.table.witness()
    }

    fn entry(&self) -> Entry {
        self.context.entry()
    }

    fn leads(&self) -> bool {
        self.context.leads()
    }

    fn drains(&self) -> bool {
        self.context.is_draining()
    }

    fn key_in_use(&self) -> KeyMark {
        self.context.present_key()
    }

    fn awake_since(&self) -> Mono {
        self.context.heart.beat()
    }

    fn is_paused(&self) -> bool {
        self.context.permits.is_paused()
    }

    fn permits(&mut self, permit: Permit) -> bool {
        let Some(slot) = &mut self.slot else { return true };
        let need = need(permit);
        slot.allows(need) || self.queued && !slot.has_sent() && slot.enters(need)
    }
}

/// What a permit is in the queue's words.
pub fn need(permit: Permit) -> Need {
    match permit {
        Permit::Writes => Need::Writes,
        Permit::Call => Need::Call,
    }
}
