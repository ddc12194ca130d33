//! What a situation says, in the words that decisions ask in.

use crate::claim::ClaimState;
use crate::desired::Desired;
use crate::fields::Fields;
use crate::ids::{Confirmed, Mono};
use crate::knowledge::Seen;
use crate::prior_status::OwnedIdentity;
use crate::situation::{OwnershipGate, Situation};
use crate::spec::ObservedBy;
use crate::takeover;
use crate::writes::LastWrite;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, Reason};

impl Situation<'_> {
    /// The deletion policy in force.
    pub(super) fn deletion(&self) -> DeletionPolicy {
        self.object.controls.deletion.unwrap_or(self.policy.deletion)
    }

    /// The adoption policy in force.
    pub(super) fn adoption(&self) -> AdoptionPolicy {
        self.object.controls.adoption(self.policy)
    }

    /// Who says that the object is only observed (R21).
    pub(super) fn observed_by(&self) -> Option<ObservedBy> {
        self.object.controls.observed_by(self.policy)
    }

    /// R21: the definition in the cluster may have dropped the word that says that the object is only observed. Nothing of ours is on it, and nothing counts
    /// as managed. Any write would store the object without that word for good, a status too; /readyz says what it waits for.
    pub(super) fn may_have_lost_its_word(&self) -> bool {
        let Some(record) = self.object.recorded.own() else { return false };
        let manages_nothing = record.held.as_ref().is_none_or(|held| held.fields == Fields::default());
        // A deletion that waited may have waited for that word.
        let waits = self.object.is_leaving() && record.shown.reason == Some(Reason::DeletionBlocked);
        self.ownership_gate == OwnershipGate::Outdated && (waits || !self.object.is_marked() && manages_nothing)
    }

    /// The moment from which on a read is settled (R4).
    pub(super) fn settles_at(&self) -> Mono {
        self.known.settles_at(self.policy.window)
    }

    /// The last read, if it is settled.
    pub(super) fn settled(&self) -> Option<&Seen> {
        self.known.settled(self.policy.window)
    }

    /// The identity this object owns: as recorded, or as this process knows better.
    pub(super) fn held(&self) -> Option<OwnedIdentity> {
        let recorded = self.object.held();
        let ours = &self.object.guard.uid;
        let held = match &self.known.last {
            LastWrite::Created { uid, identity, applied, credential, noted: false } if uid == ours => {
                Some(OwnedIdentity {
                    identity: identity.clone(),
                    origin: Some(unkey_operator_api::Origin::Created),
                    fields: Fields::accepted(applied.clone()),
                    credential: credential.clone(),
                })
            }
            // An update of an identity that was given up since says nothing of the one recorded now.
            LastWrite::Updated { uid, identity, applied, noted: false, .. } if uid == ours => recorded.map(|held| {
                let fields =
                    if held.identity == *identity { held.fields.overlaid(applied) } else { held.fields.clone() };
                OwnedIdentity { fields, ..held.clone() }
            }),
            _ => recorded.cloned(),
        };
        held.map(|held| OwnedIdentity { fields: self.known.sure_of(ours, held.fields), ..held })
    }

    /// The identity that the status records and the claim gives up (R9).
    pub(super) fn given_up(&self) -> Option<&Confirmed> {
        let recorded = self.object.recorded.own()?.held.as_ref()?;
        let given_up = self.object.claim.own()?.given_up.as_ref()?;
        (recorded.identity.id() == given_up).then_some(&recorded.identity)
    }

    /// Nothing was ever sent for it, nor recorded of it, as far as anybody knows.
    pub(super) fn is_new(&self) -> bool {
        let unclaimed = self.object.claim == ClaimState::Absent && self.object.recorded.tells_of_no_write();
        unclaimed && !self.object_state.sent && self.known.doubt().is_none()
    }

    /// A create was accepted and no status shows its id yet: that comes before anything else.
    pub(super) fn owes_id(&self) -> bool {
        matches!(&self.known.last, LastWrite::Created { uid, noted: false, .. } if *uid == self.object.guard.uid)
    }

    /// An update of ours was accepted that the status does not show: another process's came first, and Unkey holds ours (S41).
    pub(super) fn overwrote(&self) -> bool {
        let held = self.object.held().map(|held| &held.identity);
        matches!(&self.known.last, LastWrite::Updated { uid, identity, noted: false, .. }
            if *uid == self.object.guard.uid && held == Some(identity))
    }

    /// A reconcile request is pending that no settled read has answered.
    pub(super) fn poked(&self) -> bool {
        self.object
            .reconcile_request
            .as_ref()
            .is_some_and(|reconcile_request| self.object_state.judged.as_ref() != Some(&reconcile_request.value))
    }

    /// R12: nothing to do, nothing to ask.
    pub(super) fn is_quiet(&self) -> bool {
        let object = self.object;
        let Some(record) = object.recorded.own() else { return false };
        let current = record.generation == object.generation
            && object.reconcile_request.is_none()
            && record.deletion == Some(self.deletion())
            && !self.owes_id()
            && !self.overwrote()
            && !self.object_state.suspicion
            // What was only observed is enforced now (R21).
            && !object.recorded.observes();
        let at_rest = if record.shown.ready {
            object.held().is_some() && self.known.doubt().is_none()
        } else {
            // A doubt can wait until a person has acted: whatever comes next, a deletion too, settles it first (S29).
            // A stall whose ground is gone (the owner of the externalId, the root key) is not at rest.
            let conflict = record.shown.reason == Some(Reason::ExternalIdConflict);
            // Tried again once an hour, and never by chance (R16).
            let truce = record.shown.reason == Some(Reason::NotConverging);
            // What this reconcile has read is judged, whatever the status says.
            let looked = matches!(self.known.seen, Seen::Ours { .. } | Seen::Foreign { .. });
            record.shown.stalled && !conflict && !truce && !looked && self.object_state.rejudge.is_none()
        };
        // Whoever owns is protected, stalled or not (R1, S15).
        let protected = object.held().is_none() || (object.finalizer && object.claim.own().is_some());
        current && at_rest && protected
    }

    /// This reconcile has read the identity and recorded what it was then allowed to write for the first time: the update follows (R18). A
    /// take-over comes here with a read that need not be settled (R3).
    pub(super) fn has_looked(&self, desired: &Desired, held: &OwnedIdentity) -> bool {
        let read = matches!(&self.known.seen, Seen::Ours { identity, .. } if *identity == held.identity);
        read && takeover::is_recorded(desired, &held.fields)
    }
}
