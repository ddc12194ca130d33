//! What a read of Unkey says: whether it is settled, what it proves, and what it contradicts (R4, R5, R9).

use super::super::cause::Cause;
use super::super::content::{Applied, Content, FieldHash};
use super::super::desired::Desired;
use super::super::fields::Field;
use super::super::fight;
use super::super::ids::{Confirmed, IdentityId};
use super::super::knowledge::{Knowledge, Seen};
use super::super::object::{Object, Phase};
use super::super::object_state::ObjectState;
use super::super::permission::Operation;
use super::super::policy::Policy;
use super::super::reply::ReplyContext;
use super::super::takeover;
use super::super::writes::LastWrite;
use super::answered::Answered;

impl Answered<'_> {
    /// A read found an identity: `identity`, if it is of exactly our externalId.
    pub(super) fn found(&mut self, identity: Option<Confirmed>, content: &Content) {
        let (object, telling) = (self.object, self.telling);
        if self.object_state.suspicion {
            // Whether that is over only the write that follows can tell.
            self.object_state.failures = self.failures;
        }
        // It was not gone: whose it is, the doubt tells.
        self.known.take_back_tentative();
        self.known.shown_at = Some(telling.begun);
        let settled = telling.begun >= self.known.settles_at(self.policy.window);
        self.known.unwitnessed = None;
        self.object_state.exists_since = None;
        let doubt = if settled { self.known.settle() } else { None };
        if settled {
            self.known.unsure = None;
            self.object_state.drifted |= outdated(&mut self.known.last, content, object);
        }
        self.known.seen = match identity {
            Some(identity) => {
                if doubt.is_some_and(|doubt| doubt.creates.contains(&object.guard.uid)) {
                    self.object_state.maybe_own = Some(identity.clone());
                }
                Seen::Ours { begun: telling.begun, identity, content: content.clone() }
            }
            None => Seen::Foreign { begun: telling.begun },
        };
        self.object_state.rejudge = None;
        if settled {
            self.found_for_sure();
        }
    }

    /// What it found stands as it was found.
    fn found_for_sure(&mut self) {
        let (object, telling) = (self.object, self.telling);
        // Until what was found is set right, it stays known that the status tells too much: this reconcile may be cut.
        self.object_state.suspicion = contradicts(&self.known.seen, object, self.policy);
        keep_what_is_shown(object, self.known, self.object_state.suspicion);
        judged(object, self.object_state, telling);
        if let Some(until) = fight::truce(object, &self.known.seen, self.object_state, telling.now) {
            self.object_state.trouble = Some(self.trouble(Cause::Contested, Some(until), true));
        }
        // It is there, and a write to it was answered as if it were not.
        let unfound = self.object_state.unfound.take();
        let hidden = unfound.filter(|unfound| unfound.settled && shows(&self.known.seen, &unfound.id));
        if let Some(unfound) = hidden {
            self.denied(unfound.operation);
        }
    }

    /// A read found nothing.
    pub(super) fn absent(&mut self) {
        let (object, telling) = (self.object, self.telling);
        self.known.is_denied(telling.begun, self.policy.window);
        let settles_at = self.known.settles_at(self.policy.window);
        let settled = telling.begun >= settles_at;
        if settled {
            // What is in doubt stays so until a witness shows that the read counts (R19).
            self.object_state.unfound = None;
            // Only of an identity that is recorded can it be a surprise.
            self.object_state.suspicion |= object.held().is_some();
            judged(object, self.object_state, telling);
        }
        let of = owned_id(object, self.known);
        let counts = !self.known.lacks_witness();
        let absent = match std::mem::take(&mut self.known.seen) {
            Seen::Absent { first, of: before, .. } if counts && first >= settles_at && before == of => {
                Seen::Absent { first, last: telling.begun, of }
            }
            _ => Seen::Absent { first: telling.begun, last: telling.begun, of },
        };
        self.known.saw_nothing(absent, telling.now);
        // The primary says that it exists, the replica does not show it yet: ask the primary again, in a while.
        let exists = matches!(&self.known.last, LastWrite::Exists { uid } if *uid == object.guard.uid);
        if exists {
            self.known.last = LastWrite::None;
        }
        // An "exists" from before the recorded id is out of date.
        if exists && object.held().is_none() {
            // Said so for longer than a replica is behind, it exists and is hidden (R19).
            let window = self.policy.window;
            if self.object_state.exists_since.is_some_and(|since| telling.begun >= since.after(window)) {
                return self.denied(Operation::Read);
            }
            self.object_state.failures = self.failures + 1;
            self.object_state.trouble = Some(self.lag());
        }
    }
}

fn shows(seen: &Seen, id: &IdentityId) -> bool {
    matches!(seen, Seen::Ours { identity, .. } if identity.id() == id)
}

/// What a settled read shows takes the place of an accepted update that no status shows and that it contradicts: laid over what
/// is recorded by then, that update would pass for accepted once more. Returns true if it had brought what the spec asks for.
fn outdated(last: &mut LastWrite, content: &Content, object: &Object) -> bool {
    let (LastWrite::Updated { uid, applied, noted: false, .. }, Ok(desired)) = (last, &object.spec) else {
        return false;
    };
    let found = desired.managed_of(content);
    let then = found.overlaid(&applied.shared_with(&found));
    if *uid != object.guard.uid || then == found {
        return false;
    }
    // Of a field that it did not send, this says nothing: whether that is managed, the status tells (R18).
    *applied = applied.overlaid(&found.shared_with(applied));
    desired.missing_from(&then).is_none()
}

/// A settled read has shown that Unkey holds something else than the status records as accepted. Until the status shows that too, it is laid
/// over it as an accepted update is: the status of this reconcile may be cut, and the spec may go back to what is recorded. What is suspected is
/// looked at again anyway. A field that is only pending is looked at before it is written, and may hold anybody's (R18).
fn keep_what_is_shown(object: &Object, known: &mut Knowledge, suspected: bool) {
    let (Seen::Ours { identity, content, .. }, Some(held)) = (&known.seen, object.held()) else { return };
    let recorded = match &known.last {
        LastWrite::Updated { uid, identity, applied, noted: false, .. }
            if *uid == object.guard.uid && *identity == held.identity =>
        {
            held.fields.overlaid(applied)
        }
        LastWrite::Created { noted: false, .. } | LastWrite::Deleted { .. } => return,
        _ => held.fields.clone(),
    };
    if held.identity != *identity || object.phase != Phase::Live {
        return;
    }
    let wanted = object.spec.as_ref().map(Desired::hashes).cloned().unwrap_or_default();
    let kept = |field: &Field, found: FieldHash, wanted: &Option<FieldHash>| {
        let judged = suspected && wanted.as_ref().is_some_and(|wanted| *wanted != found);
        (field.is_managed() && !judged).then_some(found)
    };
    let found = Applied {
        meta: kept(&recorded.meta, content.meta.hash(), &wanted.meta),
        limits: kept(&recorded.limits, content.limits.hash(), &wanted.limits),
    };
    if recorded.overlaid(&found) != recorded {
        known.last = known.updated(object, identity, &found);
    }
}

/// True if what was found is not the identity that is recorded, or not what the spec asks for and may write.
fn contradicts(seen: &Seen, object: &Object, policy: &Policy) -> bool {
    match (seen, object.held(), &object.spec) {
        (Seen::Ours { identity, .. }, Some(held), _) if *identity != held.identity => true,
        (Seen::Ours { content, .. }, Some(held), Ok(desired)) => {
            let adoption = object.controls.adoption(policy);
            desired.missing_from(&desired.managed_of(content)).is_some()
                && takeover::would_lose(desired, &held.fields, content, adoption).is_none()
        }
        _ => false,
    }
}

/// A reconcile request asks for one settled read that began after it was seen.
fn judged(object: &Object, object_state: &mut ObjectState, telling: ReplyContext) {
    if let Some(reconcile_request) =
        object.reconcile_request.as_ref().filter(|reconcile_request| telling.begun >= reconcile_request.since)
    {
        object_state.judged = Some(reconcile_request.value.clone());
    }
}

/// The id that the object owns, as its status shows it or, until it does, as this process knows better.
fn owned_id(object: &Object, known: &Knowledge) -> Option<IdentityId> {
    match &known.last {
        LastWrite::Created { uid, identity, noted: false, .. } if *uid == object.guard.uid => {
            Some(identity.id().clone())
        }
        _ => object.held().map(|held| held.identity.id().clone()),
    }
}
