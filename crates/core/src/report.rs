//! What a status says: the report to write, and the record that was found.

use unkey_operator_api::{ConditionType, DeletionPolicy, IdentityStatus, Origin, Reason, StatusCause};

use super::fields::Fields;
use super::frozen;
use super::ids::{Confirmed, ExternalId, ObjectKey, Uid};
use super::message;
use super::verdict::Verdict;

/// The identity that an object owns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnedIdentity {
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
pub struct StatusUpdate {
    /// The generation it speaks of.
    pub generation: i64,
    /// The identity owned.
    pub held: Option<OwnedIdentity>,
    /// The deletion policy in force.
    pub deletion: DeletionPolicy,
    /// Echo of the last reconcile request judged.
    pub handled_request: Option<String>,
    /// How it stands.
    pub verdict: Verdict,
    /// The externalId, for the message.
    pub external_id: Option<ExternalId>,
}

impl StatusUpdate {
    /// True if a person must act from now on: worth a warning, once.
    pub fn begins_stall(&self, before: &PriorStatus) -> bool {
        self.verdict.is_stalled() && !before.own().is_some_and(|record| record.shown.stalled)
    }

    /// The message of the conditions: a function of reason, cause and object, so that a retry never changes it.
    pub fn message(&self, key: &ObjectKey) -> String {
        let external_id = self.external_id.as_ref().map_or("?", ExternalId::as_str);
        message::of(&self.verdict, key, external_id)
    }

    /// What a status shows that says this.
    pub fn shown(&self, key: &ObjectKey) -> Shown {
        let cause = self.verdict.cause();
        Shown {
            ready: self.verdict.is_ready(),
            stalled: self.verdict.is_stalled(),
            suspended: self.verdict == Verdict::Suspended,
            reason: Some(self.verdict.reason()),
            cause,
            names_cause: cause.is_some(),
            message: self.message(key),
        }
    }

    /// The text of an event in place of the status, which Kubernetes refuses with these words.
    pub fn unwritten(&self, key: &ObjectKey, words: &str) -> String {
        message::of_unwritten(words, self.verdict.reason().as_str(), &self.message(key))
    }
}

/// What the status of an object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PriorStatus {
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
    pub held: Option<OwnedIdentity>,
    /// `status.deletionPolicy`
    pub deletion: Option<DeletionPolicy>,
    /// `status.lastHandledReconcileAt`
    pub handled_request: Option<String>,
    /// The conditions.
    pub shown: Shown,
}

/// What the conditions show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools)] // each is a fact that a status tells
pub struct Shown {
    /// `Ready` is True.
    pub ready: bool,
    /// `Stalled` is True.
    pub stalled: bool,
    /// `Suspended` is True.
    pub suspended: bool,
    /// Reason of `Ready`; `None`: not one of ours.
    pub reason: Option<Reason>,
    /// The cause, if the reason stands for several.
    pub cause: Option<StatusCause>,
    /// The status names the cause itself. One of 0.1 does not; then it is taken from its message.
    pub names_cause: bool,
    /// Message of `Ready`: for people. Nothing is decided by it.
    pub message: String,
}

impl Shown {
    /// True if no work was under way when it was written.
    fn rests(&self) -> bool {
        rests(self.ready, self.stalled, self.suspended, self.reason)
    }
}

/// What does not converge is tried again, so that an update of it may have gone out.
pub(crate) fn rests(ready: bool, stalled: bool, suspended: bool, reason: Option<Reason>) -> bool {
    ready || suspended || (stalled && reason != Some(Reason::NotConverging))
}

impl PriorStatus {
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
            cause: None,
            names_cause: status.cause.is_some(),
            message: ready.map(|c| c.message.clone()).unwrap_or_default(),
        };
        let shown = Shown { cause: status.cause.or_else(|| frozen::cause(&shown)), ..shown };
        let fields = || {
            let [hashes, pending] = [&status.applied, &status.pending].map(|it| it.clone().unwrap_or_default());
            Fields::read(&hashes, &pending, status.managed.as_deref(), shown.rests())
        };
        let held = identity.map(|identity| OwnedIdentity {
            identity,
            origin: status.origin,
            fields: fields(),
            credential: status.credential.clone(),
        });
        Self::Own(Box::new(Record {
            generation: status.observed_generation.unwrap_or(-1),
            held,
            deletion: status.deletion_policy,
            handled_request: status.last_handled_reconcile_at.clone(),
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
    pub fn shows(&self, report: &StatusUpdate, key: &ObjectKey) -> bool {
        self.generation == report.generation
            && self.held == report.held
            && self.deletion == Some(report.deletion)
            && self.handled_request == report.handled_request
            && self.shown == report.shown(key)
    }
}
