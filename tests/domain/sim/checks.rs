//! What must always hold, checked as each step is about to take effect.

use unkey_operator::api::DeletionPolicy;
use unkey_operator::domain::{Call, Claim, Crd, Freed, Object, Phase, Report, Role, Verdict};

use super::{Sim, Thing};
use crate::world::{Identity, Maker};

impl Sim {
    pub(super) fn check_call(&self, call: &Call, object: &Object) {
        if matches!(call, Call::Read(_)) {
            return;
        }
        let at = || format!("{call:?}\n{}", self.trace.join("\n"));
        assert!(object.fresh, "R11: written upstream without a look: {}", at());
        assert!(!object.controls.suspend || matches!(object.phase, Phase::Gone { .. }), "R14: suspended: {}", at());
        assert_eq!(self.role, Role::Owner, "R8: a loser calls: {}", at());
        match call {
            Call::Read(_) => {}
            Call::Create(wanted) => {
                assert_eq!(object.phase, Phase::Live, "created for a leaving object: {}", at());
                assert!(object.finalizer, "R1: created without finalizer: {}", at());
                let claim = object.mark.own().expect("R1: created without a claim");
                assert_eq!(claim.hash, *wanted.content_hash(), "R1: created what is not claimed: {}", at());
            }
            Call::Update { to, .. } => {
                assert_eq!(object.phase, Phase::Live, "updated for a leaving object: {}", at());
                let recorded = object.held().map(|held| &held.identity);
                assert_eq!(recorded, Some(to), "R3: updated what is not recorded: {}", at());
            }
            Call::Delete(_) => assert_ne!(object.phase, Phase::Live, "deleted for a live object: {}", at()),
        }
    }

    pub(super) fn check_claim(&self, claim: &Claim, thing: &Thing) {
        assert_eq!(self.role, Role::Owner, "R8: a loser claims");
        assert!(!thing.wish.controls.suspend, "R14: claimed while suspended");
        assert!(!thing.deleting, "claimed while leaving: {claim:?}");
    }

    pub(super) fn check_status(&self, report: &Report, object: &Object) {
        let at = || format!("{report:?}\n{}", self.trace.join("\n"));
        assert!(!matches!(object.phase, Phase::Gone { .. }), "status of a gone object: {}", at());
        if report.verdict != Verdict::Synced {
            return;
        }
        assert!(report.held.is_some(), "ready without an identity: {}", at());
        assert!(object.finalizer && object.mark.own().is_some(), "ready unprotected: {}", at());
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

    pub(super) fn check_release(&self, because: &Freed, thing: &Thing) {
        let at = || format!("{because:?}\n{}", self.trace.join("\n"));
        if *because == Freed::Orphaned {
            let policy = thing.wish.controls.deletion.unwrap_or(self.policy.deletion);
            let meant = policy == DeletionPolicy::Orphan || self.crd == Crd::Going;
            assert!(meant, "orphaned against the policy: {}", at());
            return;
        }
        assert!(
            !thing.deleting
                || !thing.wish.controls.suspend
                || matches!(because, Freed::NeverSent | Freed::NeverClaimed | Freed::NotOurs),
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
        let told = !live.content.is_empty() && !self.unkey.touched;
        assert!(!own || !told, "released while {live:?} lives: {}", at());
    }
}

fn same(live: &Identity, report: &Report) -> bool {
    report.held.as_ref().is_some_and(|held| held.identity.id().as_str() == live.id)
}
