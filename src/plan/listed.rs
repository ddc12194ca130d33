//! An object as the plan is handed it: as it was listed, or as it would be once a manifest is applied.

use std::sync::Arc;

use crate::controller::{Approvals, RawIdentity, ReconcileRequests};
use crate::domain::plan::Listed;
use crate::domain::{ExternalId, Mono, Object};

/// See the module.
#[derive(Debug)]
pub struct ListedObject {
    raw: Box<RawIdentity>,
    approvals: Arc<Approvals>,
}

impl ListedObject {
    /// `approvals`: who may be deleted without being counted, and what time it is.
    pub fn new(raw: Box<RawIdentity>, approvals: Arc<Approvals>) -> Self {
        Self { raw, approvals }
    }

    /// The object itself.
    pub fn raw(&self) -> &RawIdentity {
        &self.raw
    }
}

impl Listed for ListedObject {
    fn object(&self, now: Mono) -> Object {
        self.raw.read(now, &self.approvals, &mut ReconcileRequests::default())
    }

    fn external_id(&self) -> &ExternalId {
        self.raw.external_id()
    }

    fn born(&self) -> i64 {
        self.raw.born()
    }
}
