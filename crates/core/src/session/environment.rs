//! What a session asks of the world around it, each time that it decides.

use super::super::decide::decide;
use super::super::deletions::Deletions;
use super::super::ids::{KeyMark, Mono};
use super::super::object::Object;
use super::super::ownership::Role;
use super::super::situation::{OwnershipGate, Situation};
use super::super::step::{KubeStep, Step};
use super::super::witness::Witness;
use super::super::workspace::Gate;
use super::protocol::Need;

/// The world around a session at one moment.
pub trait Environment {
    /// Now.
    fn now(&self) -> Mono;
    /// The object's standing among those of its externalId (R8).
    fn role(&self) -> Role;
    /// What an object may do whose id was recorded under `mark`; `None`: it has none (R15).
    fn gate(&self, mark: Option<&KeyMark>) -> Gate;
    /// Whether the root key in use shows anything at all (R19).
    fn witness(&self) -> Witness;
    /// Whether an object that owns nothing may come to own an identity.
    fn ownership_gate(&self) -> OwnershipGate;
    /// The account of all deletions (R20).
    fn deletions(&self) -> &Deletions;
    /// The same.
    fn deletions_mut(&mut self) -> &mut Deletions;
    /// An hour from now by a clock on the wall, RFC 3339.
    fn an_hour_ahead(&self) -> String;
    /// This process may act.
    fn leads(&self) -> bool;
    /// This process is about to end.
    fn drains(&self) -> bool;
    /// The root key that is in use by now.
    fn key_in_use(&self) -> KeyMark;
    /// The moment before which nothing that was seen counts any more: this process stood still then, or learned that Kubernetes was restored from a
    /// backup.
    fn awake_since(&self) -> Mono;
    /// All calls wait for a pause that Unkey asked for.
    fn is_paused(&self) -> bool;
    /// The session has this permit, or gets it at once.
    fn has_permit(&mut self, need: Need) -> bool;
    /// [`decide()`]; tests of tests falsify it.
    fn decide(&self, situation: &Situation<'_>) -> Step {
        decide(situation)
    }
}

/// What a step needs.
pub(super) fn permit_for(step: &Step, object: &Object, env: &impl Environment) -> Option<Need> {
    match step {
        Step::Done | Step::Wait(_) => None,
        // Whether a call follows is not known yet, and a long pause must not hold back an orphan (R10).
        Step::Kube(KubeStep::LookAtCrd) if env.is_paused() => Some(Need::Writes),
        step if step.is_for_a_call(object) => Some(Need::Call),
        Step::Kube(_) | Step::Call(_) => Some(Need::Writes),
    }
}
