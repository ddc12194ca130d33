//! What a status says: the report to write, and the record that was found.

use super::ids::{Confirmed, ExternalId, IdentityId, ObjectKey, Uid};
pub use super::permission::Operation;
use super::refusal::Stripper;
use super::{desired::SpecError, fields::Fields};
use super::{losses::Losses, message};
use unkey_operator_api::{ConditionType, DeletionPolicy, EventReason, IdentityStatus, Origin, Reason};

/// The identity that an object owns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// Its id, confirmed.
    pub identity: Confirmed,
    /// Created or adopted; `None`: an older status does not say.
    pub origin: Option<Origin>,
    /// What is known of its fields: which are managed, and what Unkey last accepted.
    pub fields: Fields,
    /// Fingerprint of the root key under which it was recorded.
    pub credential: Option<String>,
}

/// The content of a status, but for transition times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The generation it speaks of.
    pub generation: i64,
    /// The identity owned.
    pub held: Option<Held>,
    /// The deletion policy in force.
    pub deletion: DeletionPolicy,
    /// Echo of the last poke judged.
    pub handled_poke: Option<String>,
    /// How it stands.
    pub verdict: Verdict,
    /// The externalId, for the message.
    pub external_id: Option<ExternalId>,
}

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Unkey accepted this generation.
    Synced,
    /// Not yet; the operator goes on by itself.
    Waiting(Cause),
    /// Being deleted, and the identity cannot be.
    Blocked(Cause),
    /// `spec.suspend`.
    Suspended,
    /// Another `Identity` owns the externalId.
    Conflict {
        /// It is being deleted.
        owner_leaving: bool,
    },
    /// A person must act.
    Stalled(Stall),
}

/// Why something has to wait. Where a text is carried, it is the same for every retry of the same cause.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// An update is about to be sent.
    Updating,
    /// A write may still take effect; a settled read will tell.
    Settling,
    /// Unkey says that the identity exists and does not show it yet.
    Lag,
    /// Unkey shows no such identity; to be confirmed before it is made again.
    Vanished,
    /// Unkey cannot be reached or fails.
    Unavailable,
    /// What answers is not Unkey's API.
    Misconfigured(String),
    /// No TLS session with Unkey for a reason that only a person removes: why, and the remedy.
    Untrusted(String),
    /// Asked to slow down.
    RateLimited,
    /// The root key is refused.
    Unauthorized(String),
    /// The root key lacks this permission.
    PermissionDenied(Operation),
    /// Unkey shows no identity of the workspace at all, so what it does not show may be hidden (R19).
    Unwitnessed,
    /// There is no usable root key.
    CredentialsMissing(String),
    /// Unkey refuses the content.
    Rejected(String),
    /// An answer named another identity than the one written to.
    Mismatch,
    /// The root key shows none of the identities that were recorded under another key.
    WorkspaceMismatch,
    /// What was set right is found changed again and again.
    Contested,
    /// Unkey answers this with a 5xx each time, and other calls well.
    Broken,
    /// The operator cannot tell whether the whole resource type is being removed.
    CrdHidden,
    /// The same, for another reason than a missing right: why the definition cannot be read, escaped.
    CrdUnread(String),
    /// `spec.suspend` holds a deletion back.
    Suspended,
    /// The owner of the externalId has to settle first.
    OwnerPending,
    /// Not every object that could own the externalId is known.
    Unseen,
    /// The definition in the cluster is older than this version.
    Outdated,
    /// Kubernetes refuses finalizer and claim; its words, escaped.
    ClaimRefused(String),
    /// Kubernetes refuses to take them off.
    ReleaseRefused {
        /// Its words, escaped.
        words: String,
        /// What is left in Unkey.
        left: Left,
    },
    /// The annotations leave no room for the claim.
    AnnotationsTooLarge {
        /// Bytes of all annotations, the claim included.
        is: usize,
        /// The key of the largest.
        largest: String,
        /// Bytes of its value.
        bytes: usize,
    },
    /// What is to be done waits for its turn (R24).
    Queued,
}

/// What is left in Unkey of an object that could go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// Its identity was there and is gone.
    Gone,
    /// Its identity, as asked.
    Kept,
    /// What belongs to somebody else.
    Others,
    /// Nothing was ever there.
    Nothing,
}

/// Why a person must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The spec cannot be sent.
    InvalidSpec(SpecError),
    /// Unkey refused the content; its words, escaped.
    Rejected(String),
    /// An identity exists and the policy is `Never`.
    ExistsNever,
    /// An identity exists, the policy is `Never`, and it may be our own: an empty one cannot be told apart.
    ExistsNeverMaybeOurs,
    /// An identity exists and taking it over would lose something.
    ExistsWouldLose,
    /// A field becomes managed, and writing it would lose this (R18).
    WouldLose(Losses),
    /// Unkey answered with another externalId.
    IdentityMismatch,
    /// What was set right is found changed again and again.
    Contested,
    /// Unkey answers this with a 5xx each time, and other calls well.
    Broken,
    /// Finalizer and claim do not stay on.
    Stripped(Stripper),
}

impl Verdict {
    /// The reason of the `Ready` condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Synced => Reason::Synced,
            // The identity does not hold up a release that is refused.
            Self::Waiting(cause) | Self::Blocked(cause @ Cause::ReleaseRefused { .. }) => cause.reason(),
            Self::Blocked(_) => Reason::DeletionBlocked,
            Self::Suspended => Reason::Suspended,
            Self::Conflict { .. } => Reason::ExternalIdConflict,
            Self::Stalled(stall) => stall.reason(),
        }
    }

    /// True only for `Synced`.
    pub fn is_ready(&self) -> bool {
        *self == Self::Synced
    }

    /// True if nothing will change until a person acts.
    pub fn is_stalled(&self) -> bool {
        matches!(self, Self::Stalled(_) | Self::Conflict { owner_leaving: false })
    }

    /// True if no work is under way: ready, or waiting for a person alone.
    pub fn rests(&self) -> bool {
        rests(self.is_ready(), self.is_stalled(), *self == Self::Suspended, Some(self.reason()))
    }
}

impl Cause {
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Updating
            | Self::Settling
            | Self::Lag
            | Self::Vanished
            | Self::OwnerPending
            | Self::Unseen
            | Self::Outdated
            | Self::CrdUnread(_)
            | Self::Queued => Reason::Progressing,
            Self::Unavailable | Self::Misconfigured(_) | Self::Untrusted(_) => Reason::UpstreamUnavailable,
            Self::RateLimited => Reason::RateLimited,
            Self::Unauthorized(_) => Reason::Unauthorized,
            Self::PermissionDenied(_) | Self::Unwitnessed | Self::CrdHidden => Reason::PermissionDenied,
            Self::CredentialsMissing(_) => Reason::CredentialsMissing,
            Self::Rejected(_) => Reason::Rejected,
            Self::Mismatch => Reason::IdentityMismatch,
            Self::WorkspaceMismatch => Reason::WorkspaceMismatch,
            Self::Contested | Self::Broken => Reason::NotConverging,
            Self::Suspended => Reason::Suspended,
            Self::ClaimRefused(_) | Self::ReleaseRefused { .. } | Self::AnnotationsTooLarge { .. } => {
                Reason::WriteRefused
            }
        }
    }

    /// True for what usually passes within seconds, so that one failure is not worth a status write.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Updating | Self::Settling | Self::Lag | Self::Unavailable | Self::RateLimited)
    }
}

impl Stall {
    fn reason(&self) -> Reason {
        match self {
            Self::InvalidSpec(_) => Reason::InvalidSpec,
            Self::Rejected(_) => Reason::Rejected,
            Self::ExistsNever | Self::ExistsNeverMaybeOurs | Self::ExistsWouldLose => Reason::AlreadyExists,
            Self::WouldLose(_) => Reason::WouldLose,
            Self::IdentityMismatch => Reason::IdentityMismatch,
            Self::Contested | Self::Broken | Self::Stripped(_) => Reason::NotConverging,
        }
    }
}

impl Report {
    /// True if a person must act from now on: worth a warning, once.
    pub fn begins_stall(&self, before: &Recorded) -> bool {
        self.verdict.is_stalled() && !before.own().is_some_and(|record| record.shown.stalled)
    }

    /// The message of the conditions: a function of reason, cause and object, so that a retry never changes it.
    pub fn message(&self, key: &ObjectKey) -> String {
        let external_id = self.external_id.as_ref().map_or("?", ExternalId::as_str);
        message::of(&self.verdict, key, external_id)
    }

    /// The text of an event in place of the status, which Kubernetes refuses with these words.
    pub fn unwritten(&self, key: &ObjectKey, words: &str) -> String {
        message::of_unwritten(words, self.verdict.reason().as_str(), &self.message(key))
    }
}

/// What the status of an object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing yet.
    #[default]
    Nothing,
    /// It was written for another uid (a restore, a copy): a hint at best.
    Restored,
    /// It was written for this very object.
    Own(Box<Record>),
}

/// A status that was written for this very object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// `status.observedGeneration`
    pub generation: i64,
    /// The identity recorded.
    pub held: Option<Held>,
    /// `status.deletionPolicy`
    pub deletion: Option<DeletionPolicy>,
    /// `status.lastHandledReconcileAt`
    pub handled_poke: Option<String>,
    /// The conditions.
    pub shown: Shown,
}

/// What the conditions show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shown {
    /// `Ready` is True.
    pub ready: bool,
    /// `Stalled` is True.
    pub stalled: bool,
    /// `Suspended` is True.
    pub suspended: bool,
    /// Reason of `Ready`; `None`: not one of ours.
    pub reason: Option<Reason>,
    /// Message of `Ready`.
    pub message: String,
}

impl Shown {
    /// True if no work was under way when it was written.
    fn rests(&self) -> bool {
        rests(self.ready, self.stalled, self.suspended, self.reason)
    }
}

/// What does not converge is tried again, so that an update of it may have gone out.
fn rests(ready: bool, stalled: bool, suspended: bool, reason: Option<Reason>) -> bool {
    ready || suspended || (stalled && reason != Some(Reason::NotConverging))
}

impl Recorded {
    /// Reads the status of the object `uid`.
    pub fn read(status: Option<&IdentityStatus>, uid: &Uid, external_id: Option<&ExternalId>) -> Self {
        let Some(status) = status else { return Self::Nothing };
        match status.uid.as_deref() {
            None => return Self::Nothing,
            Some(other) if other != uid.as_str() => return Self::Restored,
            Some(_) => {}
        }
        let identity = external_id
            .zip(status.identity_id.as_deref())
            .and_then(|(external_id, id)| Confirmed::from_status(status.uid.as_deref(), uid, external_id, id));
        let is_true =
            |kind: ConditionType| status.conditions.iter().any(|c| c.type_ == kind.as_str() && c.status == "True");
        let ready = status.conditions.iter().find(|c| c.type_ == ConditionType::Ready.as_str());
        let shown = Shown {
            ready: is_true(ConditionType::Ready),
            stalled: is_true(ConditionType::Stalled),
            suspended: is_true(ConditionType::Suspended),
            reason: ready.and_then(|c| Reason::parse(&c.reason)),
            message: ready.map(|c| c.message.clone()).unwrap_or_default(),
        };
        let fields = || {
            let [hashes, pending] = [&status.applied, &status.pending].map(|it| it.clone().unwrap_or_default());
            Fields::read(&hashes, &pending, status.managed.as_deref(), shown.rests())
        };
        let held = identity.map(|identity| Held {
            identity,
            origin: status.origin,
            fields: fields(),
            credential: status.credential.clone(),
        });
        Self::Own(Box::new(Record {
            generation: status.observed_generation.unwrap_or(-1),
            held,
            deletion: status.deletion_policy,
            handled_poke: status.last_handled_reconcile_at.clone(),
            shown,
        }))
    }

    /// The record, if it is this object's own.
    pub fn own(&self) -> Option<&Record> {
        match self {
            Self::Own(record) => Some(record),
            Self::Nothing | Self::Restored => None,
        }
    }
}

impl Record {
    /// True if writing `report` would change nothing that a reader could see.
    pub fn shows(&self, report: &Report, key: &ObjectKey) -> bool {
        self.generation == report.generation
            && self.held == report.held
            && self.deletion == Some(report.deletion)
            && self.handled_poke == report.handled_poke
            && self.shown.ready == report.verdict.is_ready()
            && self.shown.stalled == report.verdict.is_stalled()
            && self.shown.suspended == (report.verdict == Verdict::Suspended)
            && self.shown.reason == Some(report.verdict.reason())
            && self.shown.message == report.message(key)
    }
}

/// Something worth an event: what the status cannot show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An existing identity was taken over.
    Adopted(IdentityId),
    /// The identity had vanished and was created again.
    Recreated(IdentityId),
    /// Another identity stands under the externalId and was taken over.
    Replaced(IdentityId),
    /// Unkey held something else than the spec; it was set right.
    DriftCorrected(IdentityId),
    /// A field left the spec; Unkey keeps it.
    Released {
        /// `meta` or `ratelimits`.
        field: &'static str,
    },
    /// The object is let go and its identity stays.
    Orphaned(Option<ExternalId>),
}

impl Note {
    /// The event's reason.
    pub fn reason(&self) -> EventReason {
        match self {
            Self::Adopted(_) => EventReason::Adopted,
            Self::Recreated(_) => EventReason::Recreated,
            Self::Replaced(_) => EventReason::IdentityReplaced,
            Self::DriftCorrected(_) => EventReason::DriftCorrected,
            Self::Released { .. } => EventReason::FieldReleased,
            Self::Orphaned(_) => EventReason::Orphaned,
        }
    }

    /// The id, field or externalId that the text is about: two notes of one reason that differ in it are not the same.
    pub fn about(&self) -> &str {
        match self {
            Self::Adopted(id) | Self::Recreated(id) | Self::Replaced(id) | Self::DriftCorrected(id) => id.as_str(),
            Self::Released { field } => field,
            Self::Orphaned(external_id) => external_id.as_ref().map_or("", ExternalId::as_str),
        }
    }

    /// The event's text.
    pub fn text(&self) -> String {
        message::of_note(self)
    }
}
