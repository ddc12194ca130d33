//! The world around a session of the model, as `controller::reconcile` shows it to one.

use std::sync::Arc;

use unkey_operator_core::session::{Environment, Need};
use unkey_operator_core::{
    Deletions, Gate, KeyMark, Mono, OwnershipGate, Role, Situation, Step, Witness, Workspace, decide,
};

use crate::kube::Thing;
use crate::seeded::Seeded;

pub struct ModelEnvironment<'a> {
    pub now: Mono,
    pub role: Role,
    pub ownership_gate: OwnershipGate,
    pub workspace: &'a Workspace,
    pub cache: &'a [Option<Arc<Thing>>; 2],
    pub thing: &'a Arc<Thing>,
    pub key_in_use: &'a KeyMark,
    pub drains: bool,
    /// It has a permit for a call.
    pub permitted: bool,
    pub seeded: Option<Seeded>,
    /// Neither hold nor brake: all objects of the model share an externalId, of which one object at a time deletes. `simulation::masses` is about them.
    pub deletions: Deletions,
}

impl Environment for ModelEnvironment<'_> {
    fn now(&self) -> Mono {
        self.now
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
        self.ownership_gate
    }

    fn deletions(&self) -> &Deletions {
        &self.deletions
    }

    fn deletions_mut(&mut self) -> &mut Deletions {
        &mut self.deletions
    }

    fn an_hour_ahead(&self) -> String {
        String::new()
    }

    fn leads(&self) -> bool {
        true
    }

    fn drains(&self) -> bool {
        self.drains && self.seeded != Some(Seeded::DrainIgnored)
    }

    fn key_in_use(&self) -> KeyMark {
        self.key_in_use.clone()
    }

    /// A tick is longer than the five seconds after which a look of before counts no more (`controller::clock`).
    fn awake_since(&self) -> Mono {
        if self.seeded == Some(Seeded::StandstillKeepsLook) { Mono::ZERO } else { self.now }
    }

    fn is_paused(&self) -> bool {
        false
    }

    fn has_permit(&mut self, need: Need) -> bool {
        need == Need::Writes || self.permitted
    }

    fn decide(&self, situation: &Situation<'_>) -> Step {
        match self.seeded {
            None => decide(situation),
            Some(seeded) => seeded.decide(situation, self.thing, self.cache),
        }
    }
}
