//! What this process remembers about one life of one object. Keyed by uid, so that a successor of the name inherits nothing.

use std::sync::Arc;

use super::cause::Cause;
use super::claim::Claim;
use super::correction_limit::CorrectionLimit;
use super::ids::{Confirmed, IdentityId, Mono};
use super::knowledge::Seen;
use super::permission::Operation;
use super::refusal::Refusals;
use super::stripped::Stripped;
use unkey_operator_api::Reason;

/// The memory of one uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent facts, not a state in disguise
pub struct ObjectState {
    /// False until the first reconcile.
    pub seen_before: bool,
    /// It was already being deleted when this process first saw it, so an earlier process may have sent a delete (R6).
    pub met_deleting: bool,
    /// This process put the claim on; no other can have sent a create.
    pub claimed_here: bool,
    /// Claims that this process sent for an object that had none, until it is seen what became of them: none, one, or two if the spec was
    /// edited in between.
    pub claiming: Vec<Claim>,
    /// It was seen with a claim, so one that this process did not put on has been taken into account.
    pub claim_met: bool,
    /// Work that an earlier process left undone has been taken into account.
    pub undone_met: bool,
    /// The status holds Ready back for a write in doubt, and that has been taken into account.
    pub settling_met: bool,
    /// A settled read contradicted an update that was accepted and that no status shows: what it finds is drift (R5).
    pub drifted: bool,
    /// A create was sent that was not definitely refused.
    pub sent: bool,
    /// A create was answered "exists" under the claim that is on. Unkey repeats a transaction that it thinks has failed, so that what
    /// exists may come from that very request.
    pub met_exists: bool,
    /// A release that keeps the identity was sent, and no look has shown since that the object is still held: its end, whoever tells of it,
    /// leaves nothing to be cleared up (R7, R10).
    pub keeping: bool,
    /// Something suggested that the identity is not as recorded; a settled read has to judge it.
    pub suspicion: bool,
    /// A write by id was answered with a 404. That proves nothing: a settled read tells whether the identity is gone or a permission
    /// is missing (R19).
    pub unfound: Option<Unfound>,
    /// When the first of a row of creates was answered "exists" while no read shows what exists.
    pub exists_since: Option<Mono>,
    /// The identity that a settled read found while a create of this object was in doubt: it may be our own. Kept
    /// until an id is recorded or the claim is off, since the reconcile that found it may end before it acts on it.
    pub maybe_own: Option<Confirmed>,
    /// The reason of a stall whose ground has changed (the root key): to be judged anew while the status shows it.
    pub rejudge: Option<Reason>,
    /// The fingerprint of the root key at the last reconcile; `None`: not reconciled yet.
    pub credential: Option<Option<String>>,
    /// The reconcile request that a settled read has answered.
    pub judged: Option<String>,
    /// A difference that comes back after it was set right (R16).
    pub fight: Option<CorrectionLimit>,
    /// Failures in a row.
    pub failures: u32,
    /// When that row began.
    pub failing_since: Mono,
    /// Writes in a row that Unkey answered with a 5xx of its own (R16).
    pub broken: u32,
    /// The last failure, if it still holds work back.
    pub trouble: Option<FailureState>,
    /// Writes that Kubernetes refuses (R25).
    pub refusals: Refusals,
    /// Tests in patches that failed in a row, each on another version of the object.
    pub stale: u32,
    /// A claim that does not stay on (R16).
    pub stripped: Option<Stripped>,
    /// What a scan saw of an object that is only observed (R21), or new, until the reconcile over it has ended.
    pub sight: Option<Box<Seen>>,
}

impl ObjectState {
    /// True if there is nothing in it but facts that many objects have in common.
    pub fn is_plain(&self) -> bool {
        let like_many = Self {
            seen_before: self.seen_before,
            met_deleting: self.met_deleting,
            claimed_here: self.claimed_here,
            claim_met: self.claim_met,
            undone_met: self.undone_met,
            settling_met: self.settling_met,
            drifted: self.drifted,
            sent: self.sent,
            met_exists: self.met_exists,
            keeping: self.keeping,
            suspicion: self.suspicion,
            credential: self.credential.clone(),
            ..Self::default()
        };
        *self == like_many
    }
}

impl ObjectState {
    /// There is still no root key, and now for this reason. It is no reason to try anything sooner.
    pub fn missing_key_changes(&mut self, why: &str) {
        if let Some(FailureState { cause: Cause::CredentialsMissing(shown), .. }) = &mut self.trouble {
            why.clone_into(shown);
        }
    }
}

/// States of objects that rest. Nearly all rest alike, and those share one.
#[derive(Debug, Default)]
pub struct StatesAtRest(Vec<Arc<ObjectState>>);

impl StatesAtRest {
    /// The one that is equal, `state` itself if there is none. For those that are [plain](ObjectState::is_plain): of others there would be as many
    /// as objects.
    pub fn shared(&mut self, state: ObjectState) -> Arc<ObjectState> {
        if let Some(known) = self.0.iter().find(|known| ***known == state) {
            return Arc::clone(known);
        }
        let state = Arc::new(state);
        self.0.push(Arc::clone(&state));
        state
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those that no object has any more.
    pub fn forget_unused(&mut self) {
        self.0.retain(|state| Arc::strong_count(state) > 1);
    }
}

/// A write by id that was answered with a 404.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unfound {
    /// The id that it named.
    pub id: IdentityId,
    /// What it was.
    pub operation: Operation,
    /// It began when every replica showed what there is (R4): if a read then shows that id, a permission is missing.
    pub settled: bool,
}

/// A failure that holds work back until a time or a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureState {
    /// What went wrong.
    pub cause: Cause,
    /// When to try again; `None`: only after a change.
    pub retry_at: Option<Mono>,
    /// It lasts, so the status should show it.
    pub lasting: bool,
    /// The generation it happened to. A change of any of these three ends it.
    pub generation: i64,
    /// It was a write that failed. A read that succeeds on the way to the next try is no success of that write.
    pub write: bool,
    /// The reconcile request that was pending.
    pub reconcile_request: Option<String>,
    /// The fingerprint of the root key in use.
    pub credential: Option<String>,
}
