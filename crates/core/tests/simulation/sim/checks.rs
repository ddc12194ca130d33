//! What must always hold, checked as each step is about to take effect.

use unkey_operator_api::{AdoptionPolicy, DeletionPolicy};
use unkey_operator_core::{
    Call, Claim, Crd, Field, FieldHash, Limits, Meta, Object, OwnedIdentity, Patch, Phase, ReleaseProof, Role,
    StatusUpdate, Verdict, lossless,
};

use super::{Sim, Thing};
use crate::world::{Identity, Maker};

impl Sim {
    /// A call is about to be sent.
    pub(super) fn sends(&mut self, call: &Call, object: &Object) {
        self.check_call(call, object);
        if let Call::Update { patch, .. } = call {
            let hashes = [patch.meta.as_ref().map(Meta::hash), patch.limits.as_ref().map(Limits::hash)];
            self.sent.extend(hashes.into_iter().flatten());
        }
    }

    fn check_call(&self, call: &Call, object: &Object) {
        if matches!(call, Call::Read(_)) {
            return;
        }
        let at = || format!("{call:?}\n{}", self.trace.join("\n"));
        assert!(object.fresh, "R11: written upstream without a look: {}", at());
        assert!(!object.controls.suspend || matches!(object.phase, Phase::Gone { .. }), "R14: suspended: {}", at());
        assert!(object.controls.observed_by(&self.policy).is_none(), "R21: written to what is observed: {}", at());
        assert_eq!(self.role, Role::Owner, "R8: a loser calls: {}", at());
        match call {
            Call::Read(_) => {}
            Call::Create(wanted) => {
                assert_eq!(object.phase, Phase::Live, "created for a leaving object: {}", at());
                assert!(object.finalizer, "R1: created without finalizer: {}", at());
                let claim = object.claim.own().expect("R1: created without a claim");
                assert_eq!(claim.hash, *wanted.content_hash(), "R1: created what is not claimed: {}", at());
            }
            Call::Update { to, patch, .. } => {
                assert_eq!(object.phase, Phase::Live, "updated for a leaving object: {}", at());
                let held = object.held().expect("R3: updated while nothing is recorded");
                assert_eq!(held.identity, *to, "R3: updated what is not recorded: {}", at());
                self.check_first_writes(patch, held, object, &at);
            }
            Call::Delete(_) => assert_ne!(object.phase, Phase::Live, "deleted for a live object: {}", at()),
        }
    }

    /// R18: what is written for the first time is recorded as pending, and follows a look at what it takes nothing from.
    fn check_first_writes(&self, patch: &Patch, held: &OwnedIdentity, object: &Object, at: &impl Fn() -> String) {
        let meta = patch.meta.as_ref().filter(|_| !held.fields.meta.is_managed());
        let limits = patch.limits.as_ref().filter(|_| !held.fields.limits.is_managed());
        if meta.is_none() && limits.is_none() {
            return;
        }
        let recorded = |field: &Field, hash: FieldHash| *field == Field::Pending(hash);
        assert!(meta.is_none_or(|meta| recorded(&held.fields.meta, meta.hash())), "R18: not recorded: {}", at());
        assert!(limits.is_none_or(|it| recorded(&held.fields.limits, it.hash())), "R18: not recorded: {}", at());
        let shown = self.unkey.shown.as_ref().filter(|shown| shown.id == held.identity.id().as_str());
        let stored = &shown.unwrap_or_else(|| panic!("R18: written without a look: {}", at())).content;
        let overwrites = object.controls.adoption(&self.policy) == AdoptionPolicy::Always;
        // An unsettled look of a take-over is R3's, and so is what the claim names.
        let claimed = object.claim.own().is_some_and(|claim| claim.hash == stored.hash());
        let meta = meta.filter(|_| !self.sent.contains(&stored.meta.hash()));
        let limits = limits.filter(|_| !self.sent.contains(&stored.limits.hash()));
        assert!(overwrites || claimed || lossless(meta, limits, stored), "R18: {stored:?} is lost: {}", at());
    }

    pub(super) fn check_claim(&self, claim: &Claim, thing: &Thing) {
        assert_eq!(self.role, Role::Owner, "R8: a loser claims");
        assert!(!thing.wish.controls.suspend, "R14: claimed while suspended");
        assert!(thing.wish.controls.observed_by(&self.policy).is_none(), "R21: claimed while observed");
        assert!(!thing.is_deleting(), "claimed while leaving: {claim:?}");
    }

    pub(super) fn check_status(&self, report: &StatusUpdate, object: &Object) {
        let at = || format!("{report:?}\n{}", self.trace.join("\n"));
        assert!(!matches!(object.phase, Phase::Gone { .. }), "status of a gone object: {}", at());
        if report.verdict != Verdict::Synced {
            return;
        }
        assert!(report.held.is_some(), "ready without an identity: {}", at());
        assert!(object.finalizer && object.claim.own().is_some(), "ready unprotected: {}", at());
        let tampered = self.thing.as_ref().is_some_and(|thing| thing.tampered);
        let under_way = self.unkey.under_way(&object.guard.uid, false);
        assert!(tampered || !under_way, "ready with a write on its way: {}", at());
        let desired = object.spec.as_ref().expect("ready with an invalid spec");
        // Unless someone else was at it, Unkey holds it.
        if let Some(live) = self.unkey.live.as_ref().filter(|live| !self.unkey.touched && same(live, report)) {
            let holds = desired.managed_of(&live.content);
            assert!(desired.missing_from(&holds).is_none(), "ready, but Unkey holds {live:?}: {}", at());
        }
    }

    pub(super) fn check_release(&self, because: &ReleaseProof, thing: &Thing) {
        let at = || format!("{because:?}\n{}", self.trace.join("\n"));
        if *because == ReleaseProof::Orphaned {
            let policy = thing.wish.controls.deletion.unwrap_or(self.policy.deletion);
            let meant = policy == DeletionPolicy::Orphan || self.crd == Crd::Going;
            assert!(meant, "orphaned against the policy: {}", at());
            return;
        }
        assert!(
            !thing.is_deleting()
                || !thing.wish.controls.suspend
                || matches!(because, ReleaseProof::NeverSent | ReleaseProof::NeverClaimed | ReleaseProof::NotOurs),
            "R7: suspended: {}",
            at()
        );
        if thing.tampered {
            return;
        }
        assert!(!self.unkey.under_way(&thing.uid, true), "released with a create on its way: {}", at());
        let Some(live) = &self.unkey.live else { return };
        let own = live.maker == Maker::Object(thing.uid.clone());
        // An empty identity under `Never`, and one that a stranger has rewritten, cannot be told to be ours.
        // Nor can one that a create of ours has met, unless its id is recorded (R7).
        let met = self.process.object_state.get(&thing.uid).is_some_and(|object_state| object_state.met_exists);
        let recorded = thing.status.as_ref().and_then(|(_, record)| record.held.as_ref());
        let held = recorded.is_some_and(|held| held.identity.id().as_str() == live.id);
        let told = !live.content.is_empty() && !self.unkey.touched && (held || !met);
        // R21: its id stays in the status.
        let stays = *because == ReleaseProof::Observed && held;
        assert!(!own || !told || stays, "released while {live:?} lives: {}", at());
    }
}

fn same(live: &Identity, report: &StatusUpdate) -> bool {
    report.held.as_ref().is_some_and(|held| held.identity.id().as_str() == live.id)
}
