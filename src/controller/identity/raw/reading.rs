//! An object as decisions see it, and what it says for its right. It judges nothing.

use std::sync::Arc;

use super::{LastRead, RawIdentity, ReconcileRequests};
use crate::api::{IdentityStatus, Reason};
use crate::controller::identity::approvals::Approvals;
use crate::domain::{ClaimState, Claimant, Mono, Object, Phase, PriorStatus, ReconcileRequest};

impl RawIdentity {
    /// What this object says for its right to its externalId (R8), if it is not only observed.
    pub fn claimant(&self, status: Option<&IdentityStatus>) -> Claimant {
        let uid = &self.uid;
        let mark = ClaimState::parse(self.claim(), uid);
        let own = status.filter(|status| status.uid.as_deref() == Some(uid.as_str()));
        let given_up = mark.own().and_then(|claim| claim.given_up.clone());
        let recorded = own
            .and_then(|status| status.identity_id.as_deref())
            .map(crate::domain::IdentityId::new)
            .filter(|id| Some(id) != given_up.as_ref());
        Claimant {
            credential: recorded.as_ref().and_then(|_| own?.credential.as_deref()).map(Arc::from),
            recorded,
            claimed: mark.own().is_some() && self.finalizers.ours().is_some(),
            created: own.is_some_and(|status| status.origin == Some(crate::api::Origin::Created)),
            born: self.born,
            leaving: self.is_leaving(),
            held: self.is_leaving() && own.is_some_and(is_held),
            observes: false,
            uid: uid.clone(),
        }
    }

    /// The object as a decision sees it. `reconcile_requests` remembers when a reconcile request was first seen; `approvals` tell how long it has been leaving, and
    /// whether its deletion is approved.
    /// How fresh that is, and whether the object is gone, its session knows.
    pub fn read(&self, now: Mono, approvals: &Approvals, reconcile_requests: &mut ReconcileRequests) -> Object {
        self.read_again(&mut LastRead::default(), now, approvals, reconcile_requests)
    }

    /// The same, for one that has been read before: reading its spec and hashing what that asks for is a third of all work.
    pub fn read_again(
        &self,
        last: &mut LastRead,
        now: Mono,
        approvals: &Approvals,
        reconcile_requests: &mut ReconcileRequests,
    ) -> Object {
        let uid = &self.uid;
        let spec = last.spec(self.spec.as_ref());
        let external_id = spec.external_id.as_ref();
        let recorded = last.status(self.status.as_ref(), (uid, external_id), || {
            PriorStatus::read(self.read_status().as_ref(), uid, external_id)
        });
        let handled = recorded.own().and_then(|record| record.handled_request.as_deref());
        let reconcile_request = self
            .reconcile_request
            .as_deref()
            .filter(|value| Some(*value) != handled)
            .map(|value| ReconcileRequest { value: value.to_owned(), since: reconcile_requests.since(value, now) });
        Object {
            key: self.key(),
            phase: if self.is_leaving() { Phase::Deleting } else { Phase::Live },
            leaving_for: self.deleted.and_then(|then| approvals.walls.since(then)),
            fresh: false,
            finalizer: self.finalizers.ours().is_some(),
            claim: ClaimState::parse(self.claim(), uid),
            approval: approvals.of(self.namespace(), self.deletion_approved()),
            crowd: self.crowd.as_deref().cloned(),
            generation: self.generation,
            reconcile_request,
            external_id: spec.external_id,
            controls: spec.controls,
            spec: spec.desired,
            recorded,
            guard: self.guard(),
        }
    }
}

/// A status that says that the deletion is held.
fn is_held(status: &IdentityStatus) -> bool {
    status.reason() == Some(Reason::DeletionHeld)
}
