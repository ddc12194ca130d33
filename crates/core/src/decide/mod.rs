//! What to do next: one request, or none. Total and pure.
//!
//! This file holds the order of the questions; [`questions`] and [`answers`] have what several decisions share; [`establish`] makes an object own
//! an identity, [`listed`] does so by what a listing has shown, [`maintain`] keeps that identity equal to the spec, [`observe`] tells what that would change, [`deleting`] lets it go, [`braked`] holds that back, and
//! [`unwritten`] stands in for what Kubernetes refuses; [`overdue()`] says what the status tells while work waits.

mod answers;
mod braked;
mod deleting;
mod establish;
mod listed;
mod maintain;
mod observe;
mod overdue;
mod questions;
mod unwritten;
#[cfg(test)]
pub(super) use self::unwritten::meanwhile;

pub use self::braked::waits_for_brake_alone;
pub use self::overdue::overdue;
use crate::desired::SpecError;
use crate::object::Phase;
use crate::ownership::Role;
use crate::release_proof::ReleaseProof;
use crate::situation::Situation;
use crate::step::{KubeStep, Step, Wake};
use crate::verdict::{Stall, Verdict};

/// The next step for this object.
pub fn decide(s: &Situation<'_>) -> Step {
    let step = match s.object.phase {
        Phase::Live => live(s),
        Phase::Deleting => braked::deleting(s),
        Phase::Gone { successors } => deleting::gone(s, successors),
    };
    unwritten::held_back(s, step)
}

fn live(s: &Situation<'_>) -> Step {
    if s.object.controls.suspend {
        // R14. An unreadable deletionPolicy suspends too; the spec's error is then what the user has to read.
        let verdict = match &s.object.spec {
            Err(error @ SpecError::Unreadable { .. }) => Verdict::Stalled(Stall::InvalidSpec(error.clone())),
            _ => Verdict::Suspended,
        };
        return s.report(verdict, Step::Done);
    }
    if let Some(by) = s.observed_by() {
        return observe::observe(s, by);
    }
    if s.may_have_lost_its_word() {
        return Step::Wait(Wake::Change);
    }
    if let Role::Loser { owner_leaving, owner_recorded, owner_held } = s.role {
        return loser(s, Verdict::Conflict { owner_leaving, owner_held }, owner_recorded);
    }
    if s.is_quiet() {
        return Step::Done;
    }
    let held = s.held();
    let marked = s.object.finalizer && s.object.claim.own().is_some();
    if held.is_some() && !marked {
        // R1: whoever owns gets them back at once (S15).
        return Step::Kube(KubeStep::Claim(s.claim_for_holder()));
    }
    let desired = match &s.object.spec {
        Ok(desired) => desired,
        Err(error) => return s.report(Verdict::Stalled(Stall::InvalidSpec(error.clone())), Step::Done),
    };
    match held {
        Some(held) => maintain::maintain(s, desired, &held),
        None => establish::establish(s, desired),
    }
}

/// R8: a loser makes no call. Its claim is void once the owner's identity is recorded.
fn loser(s: &Situation<'_>, verdict: Verdict, owner_recorded: bool) -> Step {
    if s.object.is_marked() && owner_recorded {
        return Step::Kube(KubeStep::Release(ReleaseProof::NotOurs));
    }
    // What it may have recorded is the owner's now.
    let held = if owner_recorded { None } else { s.held() };
    s.say_holding(held, verdict, Step::Done)
}
