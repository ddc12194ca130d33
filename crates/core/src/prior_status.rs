//! The status that an object was found with: what it records and shows.

use super::fields::Fields;
use super::frozen;
use super::ids::{Confirmed, ExternalId, Uid};
use super::shown::Shown;
use unkey_operator_api::{ConditionType, DeletionPolicy, IdentityStatus, Observed, Origin, Reason};

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
    /// `status.observed`
    pub observed: Option<Observed>,
    /// `status.deletionPolicy`
    pub deletion: Option<DeletionPolicy>,
    /// `status.lastHandledReconcileAt`
    pub handled_request: Option<String>,
    /// The conditions.
    pub shown: Shown,
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
        let ready = status.condition(ConditionType::Ready);
        let shown = Shown {
            ready: status.is_true(ConditionType::Ready),
            stalled: status.is_true(ConditionType::Stalled),
            suspended: status.is_true(ConditionType::Suspended),
            reason: status.reason(),
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
            observed: status.observed.clone(),
            deletion: status.deletion_policy,
            handled_request: status.last_handled_reconcile_at.clone(),
            shown,
        }))
    }

    /// It tells what the object comes upon in Unkey while it is observed (R21).
    pub fn observes(&self) -> bool {
        self.own().is_some_and(|record| record.shown.reason.is_some_and(Reason::is_observing))
    }

    /// It tells of nothing that was written to Unkey: there is none, or the object was only observed.
    pub fn tells_of_no_write(&self) -> bool {
        self.own().is_none_or(|record| record.held.is_none() && self.observes())
    }

    /// The record, if it is this object's own.
    pub fn own(&self) -> Option<&Record> {
        match self {
            Self::Own(record) => Some(record),
            Self::Nothing | Self::Restored => None,
        }
    }
}
