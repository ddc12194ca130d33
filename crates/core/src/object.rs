//! An `Identity` object as a decision sees it: read, but not judged.

use std::time::Duration;

use super::claim::ClaimState;
use super::deletions::Approval;
use super::desired::{Desired, SpecError};
use super::ids::{ExternalId, Mono, ObjectKey, Uid};
use super::prior_status::{OwnedIdentity, PriorStatus};
use super::spec::Controls;

/// One object at one moment.
#[derive(Clone, Debug)]
pub struct Object {
    /// Namespace and name.
    pub key: ObjectKey,
    /// What a write to it has to test (R11).
    pub guard: Guard,
    /// Where it is in its life.
    pub phase: Phase,
    /// It has been leaving for so long at least, by all clocks; `None`: it is not, or they do not say.
    pub leaving_for: Option<Duration>,
    /// True if this comes from an uncached read, or the reply to a write, with no upstream call since. A write upstream
    /// needs it (R11).
    pub fresh: bool,
    /// Our finalizer is on.
    pub finalizer: bool,
    /// Our annotation.
    pub claim: ClaimState,
    /// Whether its deletion may go without being counted (R20).
    pub approval: Approval,
    /// The annotations of others, if they leave little room for ours.
    pub crowd: Option<Crowd>,
    /// `metadata.generation`.
    pub generation: i64,
    /// An unanswered request for a check, by annotation.
    pub reconcile_request: Option<ReconcileRequest>,
    /// The identity's key; `None` only if the schema was tampered with.
    pub external_id: Option<ExternalId>,
    /// Policies and suspension.
    pub controls: Controls,
    /// The content asked for.
    pub spec: Result<Desired, SpecError>,
    /// The status.
    pub recorded: PriorStatus,
}

/// The life an object is in and the version of it that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Guard {
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
}

/// Annotations that come close to what the API server allows all of them together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Crowd {
    /// Bytes of all keys and values but those of the claim.
    pub bytes: usize,
    /// The key of the largest.
    pub largest: String,
    /// Bytes of its value.
    pub largest_bytes: usize,
}

/// Where an object is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It exists and is wanted.
    Live,
    /// It has a deletionTimestamp.
    Deleting,
    /// It is gone, or another object took its name, though this process was in the middle of a reconcile.
    Gone {
        /// A fresh list found another `Identity` of its externalId.
        successors: bool,
    },
}

/// A value of the annotation `unkey.com/reconcile-requested-at` that the status does not echo.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReconcileRequest {
    /// The annotation's value.
    pub value: String,
    /// When this process first saw that value.
    pub since: Mono,
}

impl Object {
    /// It is being deleted, or gone.
    pub fn is_leaving(&self) -> bool {
        self.phase != Phase::Live
    }

    /// It is being deleted, and nobody has approved that: its deletion counts for the brake if nothing else stops it (R20).
    pub fn needs_approval(&self) -> bool {
        self.phase == Phase::Deleting && self.approval != Approval::Given
    }

    /// Finalizer or claim are on it.
    pub fn is_marked(&self) -> bool {
        self.finalizer || self.claim != ClaimState::Absent
    }

    /// The identity recorded under this very uid, unless the claim gives it up (R9).
    pub fn held(&self) -> Option<&OwnedIdentity> {
        let held = self.recorded.own()?.held.as_ref()?;
        let given_up = self.claim.own().and_then(|claim| claim.given_up.as_ref());
        (given_up != Some(held.identity.id())).then_some(held)
    }

    /// True if nothing was left undone: Unkey accepted this generation. A stall or a suspension does not say so; an
    /// update may have gone out before it.
    pub fn at_rest(&self) -> bool {
        self.recorded.own().is_some_and(|record| record.generation == self.generation && record.shown.ready)
    }
}
