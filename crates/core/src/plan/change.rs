//! What becomes of one object: told from what its sessions wrote, and from the status that they leave.

use super::difference::{FieldChange, difference};
use super::packed::Packed;
use super::unkey::Done;
use crate::call::{Call, Purpose};
use crate::ids::{ExternalId, IdentityId, ObjectKey, Uid};
use crate::message;
use crate::note::EventNote;
use crate::object::Object;
use crate::release_proof::ReleaseProof;
use unkey_operator_api::{Reason, StatusCause};

/// What the operator does for an object, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// It creates the identity.
    Create,
    /// It takes over an identity that exists, and changes what differs.
    Adopt,
    /// It updates the identity.
    Update,
    /// The identity is gone; if it is still absent after a consistency window, the operator creates another.
    Recreate,
    /// It deletes the identity.
    Delete,
    /// The object goes, and what Unkey holds stays.
    Release,
    /// The deletion waits for an approval.
    Hold,
    /// A person has to act first.
    Refuse,
    /// Another object owns the externalId.
    Conflict,
    /// The spec cannot be sent.
    Invalid,
    /// It is only observed: the status tells what Enforce would do.
    Observe,
    /// `spec.suspend`.
    Suspend,
    /// Work is under way, or what was seen is too young to judge.
    Settling,
    /// Nothing is to be done.
    Unchanged,
}

impl Action {
    /// Every action, for tables.
    pub const ALL: [Self; 14] = [
        Self::Create,
        Self::Adopt,
        Self::Update,
        Self::Recreate,
        Self::Delete,
        Self::Release,
        Self::Hold,
        Self::Refuse,
        Self::Conflict,
        Self::Invalid,
        Self::Observe,
        Self::Suspend,
        Self::Settling,
        Self::Unchanged,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Update => "update",
            Self::Recreate => "recreate",
            Self::Delete => "delete",
            Self::Release => "release",
            Self::Hold => "hold",
            Self::Refuse => "refuse",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Observe => "observe",
            Self::Suspend => "suspend",
            Self::Settling => "settling",
            Self::Unchanged => "unchanged",
        }
    }

    /// Of an object for which nothing is written, by the reason that its status gives.
    fn by(reason: Option<Reason>) -> Self {
        match reason {
            None => Self::Settling,
            Some(Reason::Synced) => Self::Unchanged,
            Some(Reason::InvalidSpec) => Self::Invalid,
            Some(Reason::ExternalIdConflict) => Self::Conflict,
            Some(Reason::DeletionHeld) => Self::Hold,
            Some(Reason::Suspended) => Self::Suspend,
            Some(reason) if reason.is_observing() => Self::Observe,
            Some(Reason::DeletionBlocked | Reason::WorkspaceMismatch) => Self::Refuse,
            Some(reason) if reason.is_retried() => Self::Settling,
            Some(_) => Self::Refuse,
        }
    }
}

/// What becomes of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.uid`
    pub uid: Uid,
    /// `spec.externalId`
    pub external_id: Option<ExternalId>,
    /// What is done.
    pub action: Action,
    /// The identity that it is about; `None`: there is none yet.
    pub identity: Option<IdentityId>,
    /// What Unkey holds afterwards that it does not hold now.
    pub fields: Vec<FieldChange>,
    /// The update sets right what others have changed.
    pub drift: bool,
    /// The reason that the status gives afterwards.
    pub reason: Option<Reason>,
    /// Its cause, where a reason has several.
    pub cause: Option<StatusCause>,
    /// The message that the status shows afterwards.
    pub message: String,
}

/// What the sessions over one object did.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // as many things that may have happened
pub(super) struct Trail {
    /// What the identity held before the first write.
    from: Option<Packed>,
    /// What it holds after the last.
    to: Option<Packed>,
    created: bool,
    updated: bool,
    drift: bool,
    deleted: Option<IdentityId>,
    adopted: Option<IdentityId>,
    recreated: bool,
    /// It was looked at too often, or a session was driven wrongly: what is told of it may not hold.
    pub(super) restless: bool,
    /// The object was let go, and why.
    pub(super) freed: Option<ReleaseProof>,
    /// When its first write came, counted over all objects; of one without, when it was first looked at.
    pub(super) order: Option<usize>,
}

impl Trail {
    /// A call was answered.
    pub fn called(&mut self, call: &Call, done: Done) {
        match done {
            Done::Nothing => {}
            Done::Created(content) => {
                self.created = true;
                self.from.get_or_insert_default();
                self.to = Some(content);
            }
            Done::Updated { from, to } => {
                self.updated = true;
                self.drift |= matches!(call, Call::Update { purpose: Purpose::Drift, .. });
                self.from.get_or_insert(from);
                self.to = Some(to);
            }
            Done::Deleted(id) => self.deleted = Some(id),
        }
    }

    /// A status or a call came with this event.
    pub fn noted(&mut self, note: &EventNote) {
        match note {
            EventNote::Adopted(id) | EventNote::Replaced(id) => self.adopted = Some(id.clone()),
            EventNote::Recreated(_) => self.recreated = true,
            EventNote::DriftCorrected(_)
            | EventNote::Released { .. }
            | EventNote::Orphaned(_)
            | EventNote::LimitRemoved(_)
            | EventNote::MassDeletionHeld { .. } => {}
        }
    }

    /// It wrote something to Unkey, or took something over.
    pub fn acts(&self) -> bool {
        self.created || self.updated || self.deleted.is_some() || self.adopted.is_some()
    }

    fn action(&self, object: &Object, held_before: bool) -> Action {
        let reason = object.recorded.own().and_then(|record| record.shown.reason);
        if self.restless {
            Action::Settling
        } else if self.deleted.is_some() {
            Action::Delete
        } else if self.created {
            if self.recreated || held_before { Action::Recreate } else { Action::Create }
        } else if self.adopted.is_some() {
            Action::Adopt
        } else if self.updated {
            Action::Update
        } else if self.freed.is_some() && object.is_leaving() {
            Action::Release
        } else {
            Action::by(reason)
        }
    }

    /// What became of `object`, as it stands at the end. `listed`: as it stood at the beginning.
    pub fn change(self, listed: &Object, object: &Object) -> Change {
        let held = |object: &Object| object.held().map(|held| held.identity.id().clone());
        let action = self.action(object, held(listed).is_some());
        let fields = match (&self.from, &self.to) {
            (Some(from), Some(to)) if !self.restless => difference(&from.unpacked(), &to.unpacked()),
            _ => Vec::new(),
        };
        let shown = object.recorded.own().map(|record| &record.shown);
        let message = match (&self.freed, action) {
            _ if self.restless => message::RESTLESS.to_owned(),
            (Some(proof), Action::Release) => message::of_release(proof.left()).to_owned(),
            _ => shown.map_or_else(String::new, |shown| shown.message.clone()),
        };
        let identity = match action {
            Action::Create | Action::Recreate => held(listed),
            _ => self.deleted.or(self.adopted).or_else(|| held(object)),
        };
        Change {
            key: object.key.clone(),
            uid: object.guard.uid.clone(),
            external_id: object.external_id.clone(),
            action,
            identity,
            fields,
            drift: self.drift,
            reason: shown.and_then(|shown| shown.reason),
            cause: shown.and_then(|shown| shown.cause),
            message,
        }
    }
}
