//! The vocabulary of a decision: what each step carries, proves and leaves behind.

use proptest::prelude::*;

use super::any::{WINDOW, anything, customer, windows};
use super::*;

fn identity() -> Confirmed {
    Confirmed::from_create(&customer(), "id_1").expect("an id")
}

fn update(patch: Patch) -> Call {
    Call::Update { to: identity(), patch, purpose: Purpose::Spec }
}

#[test]
fn a_call_carries_limits_if_it_sends_them() {
    let (some_meta, some_limits) = (Some(meta("{}")), Some(limits(&[])));
    for (meta, limits) in [(some_meta.clone(), None), (None, some_limits.clone()), (some_meta, some_limits)] {
        let carries = limits.is_some();
        assert_eq!(update(Patch { meta: meta.clone(), limits: limits.clone() }).carries_limits(), carries);
        assert_eq!(Call::Create(Desired::new(customer(), meta, limits)).carries_limits(), carries);
    }
    assert!(!Call::Read(customer()).carries_limits() && !Call::Delete(identity()).carries_limits());
}

#[test]
fn r4_absence_says_nothing_of_an_id_that_is_owned_since_then() {
    let owned = IdentityId::new("id_1");
    for (of, now, proven) in [
        (None, None, true),
        (Some(&owned), Some(&owned), true),
        (None, Some(&owned), false),
        (Some(&owned), None, false),
    ] {
        let seen = Seen::Absent { first: windows(1), last: windows(1), of: of.cloned() };
        let known = Knowledge { seen, ..Knowledge::default() };
        assert_eq!(Settled::absence(&known, WINDOW, now).is_some(), proven, "{of:?}, {now:?}");
    }
}

/// S37.
#[test]
fn absence_is_no_proof_while_a_create_is_in_doubt() {
    for (create, proven) in [(Some(uid("u")), false), (None, true)] {
        let doubt = Some(UnknownOutcome::new(Mono::ZERO, false, create));
        let seen = Seen::Absent { first: windows(1), last: windows(1), of: None };
        let known = Knowledge { doubt, seen, ..Knowledge::default() };
        assert_eq!(Settled::absence(&known, WINDOW, None).is_some(), proven);
    }
}

/// S42.
#[test]
fn a_process_that_is_to_end_only_records_what_unkey_has_done() {
    let nothing = Knowledge::default();
    let last = LastWrite::Deleted { uid: uid("u"), identity: identity() };
    let wrote = Knowledge { last, ..Knowledge::default() };
    let report = Box::new(super::message::report(Verdict::Synced));
    let claim = Claim { hash: Content::default().hash(), given_up: None };
    for (step, records) in [
        (Step::Kube(KubeStep::Status { report, notes: Vec::new() }), true),
        (Step::Kube(KubeStep::Release(ReleaseProof::Deleted(identity()))), true),
        (Step::Kube(KubeStep::Claim(claim)), false),
        (Step::Kube(KubeStep::LookAtCrd), false),
        (Step::Kube(KubeStep::LookAtManagers), false),
        (Step::Call(Call::Read(customer())), false),
        (Step::Call(update(Patch::default())), false),
        (Step::Wait(Wake::Change), false),
        (Step::Done, false),
    ] {
        assert_eq!((step.only_records(&nothing), step.only_records(&wrote)), (records, records), "{step:?}");
    }
    let refresh = Step::Kube(KubeStep::Refresh);
    assert!(refresh.only_records(&wrote), "the look before the status that records it");
    assert!(!refresh.only_records(&nothing), "the look before another write");
}

/// What waits for a call to be allowed, and what must not: a status, a release, the protection of what is owned (R1).
#[test]
fn what_leads_to_a_call_waits_for_one_and_nothing_else_does() {
    let owner = super::steps::ready().object;
    let mut new = owner.clone();
    new.recorded = PriorStatus::Nothing;
    let report = Box::new(super::message::report(Verdict::Synced));
    let claim = KubeStep::Claim(Claim { hash: Content::default().hash(), given_up: None });
    for (step, of_new, of_owner) in [
        (Step::Call(Call::Read(customer())), true, true),
        (Step::Kube(KubeStep::Refresh), true, true),
        (Step::Kube(KubeStep::LookAtCrd), true, true),
        (Step::Kube(KubeStep::LookAtManagers), false, false),
        (Step::Kube(claim), true, false),
        (Step::Kube(KubeStep::Status { report, notes: Vec::new() }), false, false),
        (Step::Kube(KubeStep::Release(ReleaseProof::Orphaned)), false, false),
        (Step::Wait(Wake::Change), false, false),
        (Step::Done, false, false),
    ] {
        assert_eq!((step.is_for_a_call(&new), step.is_for_a_call(&owner)), (of_new, of_owner), "{step:?}");
    }
}

fn proofs() -> Vec<ReleaseProof> {
    let seen = Seen::Absent { first: Mono::ZERO, last: Mono::ZERO, of: None };
    let settled = Settled::absence(&Knowledge { seen, ..Knowledge::default() }, Duration::ZERO, None).expect("settled");
    let (deleted, gone) = (ReleaseProof::Deleted(identity()), ReleaseProof::Gone(settled));
    vec![
        ReleaseProof::NeverClaimed,
        ReleaseProof::NeverSent,
        ReleaseProof::Orphaned,
        ReleaseProof::NotOurs,
        ReleaseProof::NeverAdopted,
        deleted,
        gone,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// R7: an event tells of an identity that stays though its object goes, and of nothing else.
    #[test]
    fn r7_an_event_tells_what_a_release_leaves(any in anything()) {
        for because in proofs() {
            let object = &any.object;
            let may_leave = match because {
                ReleaseProof::Orphaned | ReleaseProof::NeverAdopted => true,
                // A copy of another object's manifest: who made what is there is not known.
                ReleaseProof::NotOurs => object.claim == ClaimState::Foreign,
                _ => false,
            };
            let left = may_leave && object.phase == Phase::Deleting;
            prop_assert_eq!(because.leaves(object), left.then(|| EventNote::Orphaned(object.external_id.clone())));
        }
    }
}

#[test]
fn steps_and_proofs_have_a_name_each() {
    let report = Box::new(super::message::report(Verdict::Synced));
    let claim = Claim { hash: Content::default().hash(), given_up: None };
    let steps = [
        KubeStep::Refresh,
        KubeStep::LookAtCrd,
        KubeStep::Claim(claim),
        KubeStep::Status { report, notes: Vec::new() },
        KubeStep::Release(ReleaseProof::Orphaned),
        KubeStep::LookAtManagers,
    ];
    let names: Vec<_> = steps.iter().map(KubeStep::name).collect();
    assert_eq!(names, ["refresh", "look at the CRD", "claim", "status", "release", "look at the managers"]);
    let writes: Vec<_> = steps.iter().filter_map(KubeStep::write).map(KubeWrite::as_str).collect();
    assert_eq!(writes, ["claim", "status", "release"]);
    let names: Vec<_> = proofs().iter().map(ReleaseProof::name).collect();
    assert_eq!(names, ["never claimed", "never sent", "orphaned", "not ours", "never adopted", "deleted", "gone"]);
}
