//! The status to write.

use super::ids::{ExternalId, ObjectKey};
use super::message;
use super::prior_status::{OwnedIdentity, PriorStatus, Record};
use super::shown::Shown;
use super::verdict::Verdict;
use unkey_operator_api::{DeletionPolicy, Observed, Origin};

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

    /// True if it would be the first to say that the object owns what somebody else has made. That is not recorded of an object that is being
    /// deleted: what was only adoptable is let go, not deleted (R7).
    pub fn begins_takeover(&self, before: &PriorStatus) -> bool {
        let before = before.own().and_then(|record| record.held.as_ref());
        self.held.as_ref().is_some_and(|held| {
            held.origin == Some(Origin::Adopted) && before.is_none_or(|before| before.identity != held.identity)
        })
    }

    /// What it tells of Unkey while the object is only observed (R21).
    pub fn observed(&self) -> Option<Observed> {
        match &self.verdict {
            Verdict::Observing(observation) => Some(observation.shown()),
            _ => None,
        }
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

    /// What a status records that says this.
    pub fn record(&self, key: &ObjectKey) -> Record {
        Record {
            generation: self.generation,
            held: self.held.clone(),
            observed: self.observed(),
            deletion: Some(self.deletion),
            handled_request: self.handled_request.clone(),
            shown: self.shown(key),
        }
    }

    /// The text of an event in place of the status, which Kubernetes refuses with these words.
    pub fn unwritten(&self, key: &ObjectKey, words: &str) -> String {
        message::of_unwritten(words, self.verdict.reason().as_str(), &self.message(key))
    }
}

impl Record {
    /// True if writing `report` would change nothing that a reader could see.
    pub fn shows(&self, report: &StatusUpdate, key: &ObjectKey) -> bool {
        let observed = match &report.verdict {
            Verdict::Observing(observation) => observation.looks_like(self.observed.as_ref()),
            _ => self.observed.is_none(),
        };
        self.generation == report.generation
            && self.held == report.held
            && observed
            && self.deletion == Some(report.deletion)
            && self.handled_request == report.handled_request
            && self.shown == report.shown(key)
    }
}
