//! The status to write.

use super::ids::{ExternalId, ObjectKey};
use super::message;
use super::prior_status::{OwnedIdentity, PriorStatus, Record};
use super::shown::Shown;
use super::verdict::Verdict;
use unkey_operator_api::DeletionPolicy;

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
