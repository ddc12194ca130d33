//! What the index keeps of each object beside its claim, and of each externalId. Plain data.

use std::time::{Duration, Instant};

use super::super::approvals;
use super::super::raw::RawIdentity;
use super::object_name::{IdentityRef, ObjectName};
use super::untold;
use crate::api::{ConditionType, IdentityStatus, ManagementPolicy, Reason};
use crate::domain::{ClaimEntry, Claimant, Claims, Evidence, Knowledge, Mono, Uid, Workspace};

/// So long after its time a plan that has not come about is lost. The queue is never so late, unless the whole process stood still: then
/// all is late at once, and has that time from then on.
const LATE: Duration = Duration::from_secs(30);

/// What is known of one externalId.
#[derive(Debug, Default)]
pub(super) struct IndexEntry {
    pub claims: Claims<Facts>,
    pub parked: Vec<IdentityRef>,
    /// `None`: what is known of one that nothing was done to, as of nearly all.
    pub known: Option<Box<Knowledge>>,
}

/// What is known when nothing is: a read counts if it began when this root key was in use.
fn nothing_known(workspace: &Workspace) -> Knowledge {
    Knowledge { evidence_from: Evidence::Since(workspace.since()), ..Knowledge::default() }
}

impl IndexEntry {
    pub fn known(&mut self, workspace: &Workspace) -> &mut Knowledge {
        self.known.get_or_insert_with(|| Box::new(nothing_known(workspace)))
    }

    /// What was looked at and not touched takes no room.
    pub fn forget_nothing(&mut self, workspace: &Workspace) {
        if self.known.as_deref() == Some(&nothing_known(workspace)) {
            self.known = None;
        }
    }
}

/// An object that claims an externalId.
pub(super) type Entry = ClaimEntry<Facts>;

/// What the index keeps of an object beside its claim.
#[derive(Debug)]
pub(super) struct Facts {
    pub at: ObjectName,
    pub reason: Option<Reason>,
    /// Whether it is only observed (R21), whatever is still on it.
    pub management: ManagementPolicy,
    /// Since when this process knows it to be out of step: changed, new, leaving or failing, and not waiting for a person.
    pub unsynced: Option<Instant>,
    /// There is something left to do for it, and what is planned.
    pub behind: bool,
    pub plan: Plan,
    /// A reconcile over it is under way, whatever is planned for after it.
    pub running: bool,
    /// It has a status of ours that does not speak of what it asks for now.
    pub untold: bool,
    /// Until when an annotation approves its deletion, in seconds since 1970; 0: there is none.
    pub approved_until: u32,
}

/// `default`: whether specs that do not say are enforced.
pub(super) fn entry_of(object: &RawIdentity, default: ManagementPolicy) -> Entry {
    let status = object.read_status();
    let ready = status.as_ref().and_then(|status| status.condition(ConditionType::Ready));
    let reason = status.as_ref().and_then(IdentityStatus::reason);
    let claimant = Claimant { observes: object.owns_nothing(default), ..object.claimant(status.as_ref()) };
    let is_told = status.as_ref().is_some_and(|status| status.observed_generation == Some(object.generation()));
    let is_retried = reason.is_none_or(Reason::is_retried);
    let unsynced = claimant.leaving || !is_told || is_retried;
    // A word of another version says nothing of a retry; what rests under it is left so (R12).
    let is_pending = ready.is_none() || reason.is_some_and(Reason::is_retried);
    let behind = is_behind(object, is_told, is_pending);
    let untold = untold::is_untold(object, status.as_ref(), &claimant) && (!claimant.leaving || behind);
    let extra = Facts {
        at: ObjectName::of(object),
        reason,
        management: object.management(default),
        unsynced: unsynced.then(Instant::now),
        behind,
        plan: Plan::Nothing,
        running: false,
        untold,
        approved_until: object.deletion_approved().and_then(approvals::until).unwrap_or(0),
    };
    Entry { claimant, version: object.version(), extra }
}

impl Facts {
    /// Takes the place of what was known of the object. Returns how long it was out of step, if that ended.
    pub fn follow(mut self, known: &mut Self) -> Option<Duration> {
        (self.plan, self.running) = (self.plan.or(known.plan), known.running);
        let before = known.unsynced;
        if self.unsynced.is_some() && before.is_some() {
            self.unsynced = before;
        }
        let ended = before.filter(|_| self.unsynced.is_none()).map(|since| since.elapsed());
        *known = self;
        ended
    }
}

/// What is planned for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It was handed to the queue at that moment.
    Queued(Mono),
    /// The queue comes back to it at that moment.
    At(Mono),
    /// It waits for the lock on its externalId, and is woken when that is free.
    KeyLock,
    /// It waits for a permit, and is woken when one is granted.
    Permit,
    /// It waits for a change of something else, and is woken by that: the owner of its externalId, the root key, a proof.
    Change,
    /// The last reconcile found nothing to do.
    Nothing,
}

/// True if there is something left to do for the object: its status does not speak of its spec, or says that it is retried; or it is being deleted
/// and waits for our finalizer.
fn is_behind(object: &RawIdentity, is_told: bool, is_retried: bool) -> bool {
    if object.is_leaving() { object.finalizers().ours().is_some() } else { !is_told || is_retried }
}

impl Plan {
    /// This plan, or `before` if this is none.
    pub(super) fn or(self, before: Self) -> Self {
        if self == Self::Nothing { before } else { self }
    }

    /// `awake`: when the process last stood still.
    pub(super) fn is_lost(
        self,
        indexed: &IndexEntry,
        uid: &Uid,
        now: Mono,
        awake: Mono,
        waits_for_permit: &impl Fn(&Uid) -> bool,
    ) -> bool {
        let is_late = |at: Mono| now >= at.max(awake).after(LATE);
        match self {
            Self::Change => false,
            Self::Queued(at) | Self::At(at) => is_late(at),
            Self::KeyLock => indexed.claims.is_free(),
            // What was reserved for it may have gone to another meanwhile; the queue comes to it all the same.
            Self::Permit => !waits_for_permit(uid) && (awake == Mono::ZERO || is_late(awake)),
            Self::Nothing => true,
        }
    }
}
