//! The question and the answer of a decision.

use super::claim::{Claim, ClaimState};
use super::content::{Applied, Limits, Meta};
use super::crd::Crd;
use super::desired::Desired;
use super::ids::{Confirmed, ExternalId, IdentityId, Mono};
use super::knowledge::{Knowledge, LastWrite, Seen};
use super::note::EventNote;
use super::object::{Object, Phase};
use super::object_state::ObjectState;
use super::ownership::Role;
use super::refusal::KubeWrite;
use super::report::StatusUpdate;
use super::verdict::Left;
use super::witness::Witness;
use super::workspace::Gate;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy};

/// All that a decision may look at.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The object.
    pub object: &'a Object,
    /// Its standing among those of the same externalId.
    pub role: Role,
    /// What is known of that externalId in Unkey.
    pub known: &'a Knowledge,
    /// What is remembered of this object.
    pub object_state: &'a ObjectState,
    /// Whether the root key leads to the workspace of what is recorded (R15).
    pub gate: &'a Gate,
    /// Whether the root key shows anything at all (R19).
    pub witness: &'a Witness,
    /// Whether the whole resource type is being removed (R10).
    pub crd: Crd,
    /// Whether an object that owns no identity yet may come to own one.
    pub ownership_gate: OwnershipGate,
    /// How this operator is set up.
    pub policy: &'a Policy,
    /// Now.
    pub now: Mono,
}

/// How this operator is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For specs that name none.
    pub adoption: AdoptionPolicy,
    /// For specs that name none.
    pub deletion: DeletionPolicy,
    /// The consistency window in milliseconds (R4).
    pub window: u64,
    /// Milliseconds after which an attempt of any process is surely over: the request timeout (R4).
    pub attempt: u64,
    /// Milliseconds over which the objects that were failing before a restart are spread (R13).
    pub stagger: u64,
    /// Fingerprint of the root key in use; `None`: there is no usable key.
    pub credential: Option<String>,
}

/// So old may the answer be that shows an object, in milliseconds, if something is to be sent for it: what it shows may be that old.
pub const LOOK_MS: u64 = 10_000;

/// So much later than the deletion another process may have sent something, in milliseconds: after an answer of that age and a standstill
/// that nobody notices. Clocks of one cluster may differ by the rest.
const SLACK_MS: u64 = LOOK_MS + 10_000;

impl Policy {
    /// True if whatever any process but this one sent for an object is over, and every replica shows it. An object that is being deleted
    /// sends no create and no update, so what it sent is older than its deletion.
    pub fn is_long_over(&self, object: &Object) -> bool {
        let over = self.attempt.saturating_add(self.window).saturating_add(SLACK_MS);
        object.phase == Phase::Deleting && object.leaving_for >= over
    }
}

/// Whether an object that owns no identity yet may come to own one: claim, create, adopt, or delete what it would have adopted. What an
/// object owns already is kept in step in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OwnershipGate {
    /// It may.
    #[default]
    Open,
    /// Not yet: the objects of a watched namespace are unknown, and one of them may own the externalId (R8).
    Unseen,
    /// Not yet: the definition in the cluster is older than this version, so that the API server would drop part of what is recorded.
    Outdated,
}

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

/// A request to Unkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// getIdentity by externalId.
    Read(ExternalId),
    /// createIdentity.
    Create(Desired),
    /// updateIdentity by id.
    Update {
        /// The identity.
        to: Confirmed,
        /// The fields to send.
        patch: Patch,
        /// Why.
        purpose: Purpose,
    },
    /// deleteIdentity by id.
    Delete(Confirmed),
}

impl Call {
    /// It writes rate limits.
    pub(super) fn carries_limits(&self) -> bool {
        match self {
            Self::Create(desired) => desired.limits.is_some(),
            Self::Update { patch, .. } => patch.limits.is_some(),
            Self::Read(_) | Self::Delete(_) => false,
        }
    }
}

/// The fields that an update sends; those left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// Replaces the whole meta.
    pub meta: Option<Meta>,
    /// Replaces the whole list.
    pub limits: Option<Limits>,
}

impl Patch {
    /// The hashes of what it sends.
    pub fn hashes(&self) -> Applied {
        Applied { meta: self.meta.as_ref().map(Meta::hash), limits: self.limits.as_ref().map(Limits::hash) }
    }
}

/// Why an update is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The spec asks for something new.
    Spec,
    /// Unkey holds something else than it accepted.
    Drift,
}

/// Proof that no identity of ours is left behind: there is no release without one (R7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseProof {
    /// The object never claimed anything.
    NeverClaimed,
    /// This process put the claim on and every create was definitely refused.
    NeverSent,
    /// The user asked to keep the identity.
    Orphaned,
    /// What exists upstream belongs to someone else; or the claim is another object's.
    NotOurs,
    /// What exists upstream was never recorded and is not our own create: the policy would have adopted it, no more.
    NeverAdopted,
    /// The delete of this identity was accepted.
    Deleted(Confirmed),
    /// A settled read found none, and a witness shows that this counts (R19).
    Gone(Settled),
}

/// A settled read's absence, with its witness. Made only from [`Knowledge::settled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled(());

impl Settled {
    /// The proof, if the last read found nothing, is settled, and was made when the object recorded `id`.
    pub fn absence(known: &Knowledge, window: u64, id: Option<&IdentityId>) -> Option<Self> {
        let absent = matches!(known.settled(window), Some(Seen::Absent { of, .. }) if of.as_ref() == id);
        // A delete that is answered 404 says nothing of what a create of ours may have made meanwhile; a settled read of the
        // externalId does, and leaves no doubt.
        (absent && !known.lacks_witness() && !known.doubts_a_create()).then_some(Self(()))
    }
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

impl ReleaseProof {
    /// What a release leaves in Unkey although the object goes: worth an event.
    pub fn leaves(&self, object: &Object) -> Option<EventNote> {
        let left = match self {
            Self::Orphaned | Self::NeverAdopted => object.phase == Phase::Deleting,
            Self::NotOurs => object.phase == Phase::Deleting && object.claim == ClaimState::Foreign,
            Self::NeverClaimed | Self::NeverSent | Self::Deleted(_) | Self::Gone(_) => false,
        };
        left.then(|| EventNote::Orphaned(object.external_id.clone()))
    }

    /// What is left in Unkey.
    pub fn left(&self) -> Left {
        match self {
            Self::Deleted(_) | Self::Gone(_) => Left::Gone,
            Self::Orphaned => Left::Kept,
            Self::NotOurs | Self::NeverAdopted => Left::Others,
            Self::NeverClaimed | Self::NeverSent => Left::Nothing,
        }
    }

    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NeverClaimed => "never claimed",
            Self::NeverSent => "never sent",
            Self::Orphaned => "orphaned",
            Self::NotOurs => "not ours",
            Self::NeverAdopted => "never adopted",
            Self::Deleted(_) => "deleted",
            Self::Gone(_) => "gone",
        }
    }
}
