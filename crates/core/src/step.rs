//! The answer of a decision: one request, or none.

use super::call::Call;
use super::claim::Claim;
use super::ids::Mono;
use super::knowledge::Knowledge;
use super::note::EventNote;
use super::object::Object;
use super::refusal::KubeWrite;
use super::release_proof::ReleaseProof;
use super::status_update::StatusUpdate;
use super::writes::LastWrite;

/// One request, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To Kubernetes.
    Kube(KubeStep),
    /// To Unkey.
    Call(Call),
    /// Nothing until then.
    Wait(Wake),
    /// Nothing: all is as it should be.
    Done,
}

/// A request to Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeStep {
    /// An uncached read of the object.
    Refresh,
    /// An uncached read of our CustomResourceDefinition.
    LookAtCrd,
    /// Finalizer and claim, in one patch.
    Claim(Claim),
    /// The status, whole.
    Status {
        /// What it says.
        report: Box<StatusUpdate>,
        /// Events that go with it.
        notes: Vec<EventNote>,
    },
    /// Finalizer and claim off, in one patch.
    Release(ReleaseProof),
    /// An uncached read of who wrote the object last: somebody takes the claim off again and again.
    LookAtManagers,
}

/// What ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// That moment, or a change.
    At(Mono),
    /// A change only.
    Change,
    /// The proof that the workspace is the same, or a change (R15).
    Proof,
    /// The witness that what Unkey does not show is not there, or a change (R19).
    Witness,
}

impl KubeStep {
    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::LookAtCrd => "look at the CRD",
            Self::Claim(_) => "claim",
            Self::Status { .. } => "status",
            Self::Release(_) => "release",
            Self::LookAtManagers => "look at the managers",
        }
    }

    /// Which write it is, if it is one.
    pub fn write(&self) -> Option<KubeWrite> {
        match self {
            Self::Claim(_) => Some(KubeWrite::Claim),
            Self::Status { .. } => Some(KubeWrite::Status),
            Self::Release(_) => Some(KubeWrite::Release),
            Self::Refresh | Self::LookAtCrd | Self::LookAtManagers => None,
        }
    }
}

impl Step {
    /// True if this is a call, or a request to Kubernetes that is made for the call after it. What an object owns is protected
    /// without one (R1).
    pub fn is_for_a_call(&self, object: &Object) -> bool {
        match self {
            Self::Call(_) | Self::Kube(KubeStep::Refresh | KubeStep::LookAtCrd) => true,
            Self::Kube(KubeStep::Claim(_)) => object.held().is_none(),
            Self::Kube(KubeStep::Status { .. } | KubeStep::Release(_) | KubeStep::LookAtManagers)
            | Self::Wait(_)
            | Self::Done => false,
        }
    }

    /// True if this only records what Unkey has done already: all that a reconcile still does when the process is to end (S42).
    pub fn only_records(&self, known: &Knowledge) -> bool {
        match self {
            Self::Kube(KubeStep::Status { .. } | KubeStep::Release(_)) => true,
            Self::Kube(KubeStep::Refresh) => !matches!(known.last, LastWrite::None),
            Self::Kube(KubeStep::Claim(_) | KubeStep::LookAtCrd | KubeStep::LookAtManagers)
            | Self::Call(_)
            | Self::Wait(_)
            | Self::Done => false,
        }
    }
}
