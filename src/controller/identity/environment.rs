//! The world around a session, as this process knows it.

use super::context::Context;
use super::raw::RawIdentity;
use crate::controller::runtime::Runtime;
use crate::controller::runtime::clock::WallClocks;
use crate::controller::runtime::dispatcher::{Permit, Priority};
use crate::controller::workspace;
use crate::domain::session::{Environment, Need};
use crate::domain::{Deletions, Gate, KeyMark, Mono, OwnershipGate, Role, Witness, Workspace};

/// What a session may ask of this process. It has no way to the index, which is locked while the session decides.
#[derive(Clone, Copy)]
pub struct Process<'a> {
    runtime: &'a Runtime<RawIdentity>,
    root_key: &'a workspace::Workspace,
    ownership_gate: OwnershipGate,
    walls: &'a WallClocks,
}

/// See [`Environment`].
pub struct ReconcileEnvironment<'a> {
    process: Process<'a>,
    role: Role,
    workspace: &'a Workspace,
    deletions: &'a mut Deletions,
    /// `None`: it is only looked at.
    permit: Option<&'a mut Permit>,
    /// The queue knows the object, so that a permit is either there at once or waited for in the queue.
    queued: bool,
}

impl<'a> Process<'a> {
    /// As it stands now.
    pub fn of(context: &'a Context) -> Self {
        Self {
            runtime: &context.runtime,
            root_key: &context.workspace,
            ownership_gate: context.ownership_gate(),
            walls: &context.approvals.walls,
        }
    }
}

impl<'a> ReconcileEnvironment<'a> {
    /// For a look that sends nothing.
    pub fn looking(process: Process<'a>, role: Role, workspace: &'a Workspace, deletions: &'a mut Deletions) -> Self {
        Self { process, role, workspace, deletions, permit: None, queued: false }
    }

    /// The same, for a session that works with `permit`.
    pub fn working(self, permit: &'a mut Permit, queued: bool) -> Self {
        Self { permit: Some(permit), queued, ..self }
    }
}

impl Environment for ReconcileEnvironment<'_> {
    fn now(&self) -> Mono {
        self.process.runtime.clock.now()
    }

    fn role(&self) -> Role {
        self.role
    }

    fn gate(&self, mark: Option<&KeyMark>) -> Gate {
        self.workspace.gate(mark)
    }

    fn witness(&self) -> Witness {
        self.workspace.witness().clone()
    }

    fn ownership_gate(&self) -> OwnershipGate {
        self.process.ownership_gate
    }

    fn deletions(&self) -> &Deletions {
        self.deletions
    }

    fn deletions_mut(&mut self) -> &mut Deletions {
        self.deletions
    }

    fn an_hour_ahead(&self) -> String {
        self.process.walls.an_hour_ahead()
    }

    fn leads(&self) -> bool {
        self.process.runtime.leads()
    }

    fn drains(&self) -> bool {
        self.process.runtime.is_draining()
    }

    fn key_in_use(&self) -> KeyMark {
        self.process.root_key.present_key()
    }

    fn awake_since(&self) -> Mono {
        self.process.runtime.pause_detector.check()
    }

    fn is_paused(&self) -> bool {
        self.process.runtime.dispatcher.is_paused()
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
