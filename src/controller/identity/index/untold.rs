//! The objects whose status of ours does not speak of what they ask for now, and since when: what has to be said if their work waits (R24).
//! There are none at rest.

use std::collections::HashMap;
use std::time::Instant;

use super::super::raw::RawIdentity;
use super::object_name::ObjectName;
use crate::api::{ConditionType, IdentityStatus};
use crate::domain::{Claimant, ExternalId, Uid};

/// By uid.
#[derive(Debug, Default)]
pub struct Untold(pub(super) HashMap<Uid, One>);

#[derive(Debug)]
pub(super) struct One {
    pub since: Instant,
    /// Not to be looked at before.
    pub next: Option<Instant>,
    pub external_id: ExternalId,
    pub at: ObjectName,
}

/// True if there is a status of ours that does not speak of what the object asks for now: of another generation, or ready without an identity.
pub(super) fn is_untold(object: &RawIdentity, status: Option<&IdentityStatus>, claimant: &Claimant) -> bool {
    let Some(status) = status.filter(|status| status.uid.as_deref() == Some(object.uid().as_str())) else {
        return false;
    };
    let is_ready = status.is_true(ConditionType::Ready);
    // What is only observed owns none (R21).
    let owns_none = claimant.recorded.is_none() && status.observed.is_none();
    let is_untrue = is_ready && (claimant.leaving || owns_none);
    is_untrue || status.observed_generation != Some(object.generation())
}

impl Untold {
    /// The status of the object is, or is not, out of date.
    pub(super) fn follow(&mut self, object: &RawIdentity, is_untold: bool) {
        if !is_untold {
            self.0.remove(object.uid());
            return;
        }
        self.0.entry(object.uid().clone()).or_insert_with(|| One {
            since: Instant::now(),
            next: None,
            external_id: object.external_id().clone(),
            at: ObjectName::of(object),
        });
    }

    pub(super) fn remove(&mut self, uid: &Uid) {
        self.0.remove(uid);
    }
}
