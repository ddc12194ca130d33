//! A claim that somebody takes off again and again (R16).

use super::backoff::{CORRECTIONS, HOUR};
use super::claim::Claim;
use super::ids::Mono;

/// Who takes a claim off again, as far as anybody can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stripper {
    /// Nobody has looked yet.
    #[default]
    Unasked,
    /// A mutating admission webhook: the patch was accepted without it.
    Admission,
    /// The manager of that name wrote last, as managedFields show.
    Manager(String),
    /// managedFields do not tell.
    Unknown,
}

/// A claim that was put on and is gone again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stripped {
    /// The claim.
    pub claim: Claim,
    /// The generation that it was put on for. A change of this or the next one ends the truce.
    pub generation: i64,
    /// The reconcile request that was pending.
    pub reconcile_request: Option<String>,
    /// How often it was put on and did not stay, or had to be put on again.
    pub times: u32,
    /// When it was last put on.
    pub last: Mono,
    /// Who takes it off.
    pub by: Stripper,
}

impl Stripped {
    /// Until when this claim is left off, since it does not stay on (R16).
    pub(super) fn truce(&self, claim: &Claim, now: Mono) -> Option<Mono> {
        let until = self.last.after(HOUR);
        (self.times >= CORRECTIONS && self.claim == *claim && now < until).then_some(until)
    }
}
