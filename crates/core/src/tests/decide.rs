//! What `decide` may never answer, whatever the situation.

use proptest::prelude::*;

use super::any::{Any, anything};
use super::*;
use unkey_operator_api::DeletionPolicy;

fn write(step: &Step) -> Option<&Call> {
    match step {
        Step::Call(call @ (Call::Create(_) | Call::Update { .. } | Call::Delete(_))) => Some(call),
        _ => None,
    }
}

/// The identity this object may speak of as its own: recorded, or created a moment ago.
fn own(any: &Any) -> Vec<Confirmed> {
    let created = match &any.known.last {
        LastWrite::Created { uid, identity, noted: false, .. } if *uid == any.object.guard.uid => {
            Some(identity.clone())
        }
        _ => None,
    };
    created.into_iter().chain(any.object.held().map(|held| held.identity.clone())).collect()
}

fn checked(any: &Any) -> Result<(), TestCaseError> {
    let (object, known, object_state) = (&any.object, &any.known, &any.object_state);
    let step = decide(&any.situation());
    prop_assert_eq!(&step, &decide(&any.situation()));
    if write(&step).is_some() {
        prop_assert!(object.fresh, "R11");
        prop_assert!(!object.controls.suspend || matches!(object.phase, Phase::Gone { .. }), "R14");
        prop_assert!(object.controls.observed_by(&any.policy).is_none(), "R21: what is observed is not written to");
        let gone = matches!(object.phase, Phase::Gone { .. });
        let loser = any.role != Role::Owner;
        prop_assert!(!loser || gone || object.phase == Phase::Deleting, "R8: a live loser makes no call");
        let held_back = object_state.trouble.as_ref().is_some_and(|t| t.retry_at.is_none_or(|at| any.now < at));
        prop_assert!(!held_back, "R13");
        prop_assert!(any.gate != Gate::Wrong || gone, "R15: a write into another workspace");
    }
    let held_back = matches!(any.ownership_gate, OwnershipGate::Unseen | OwnershipGate::Outdated);
    if held_back && !matches!(object.phase, Phase::Gone { .. }) {
        held_at_entry(any, &step)?;
    }
    let refused = |write| object_state.refusals.of(write).is_some_and(|refusal| any.now < refusal.retry_at);
    if let Step::Kube(request) = &step
        && let Some(write) = request.write()
    {
        prop_assert!(!refused(write), "R25: {:?} is left alone for now", write);
    }
    match &step {
        Step::Call(Call::Create(desired)) => {
            prop_assert_eq!(object.phase, Phase::Live);
            prop_assert_eq!(&any.gate, &Gate::Open, "R15");
            prop_assert!(object.finalizer && own(any).is_empty());
            let hash = object.claim.own().map(|claim| &claim.hash);
            prop_assert_eq!(hash, Some(desired.content_hash()), "R1");
        }
        Step::Call(Call::Update { to, patch, .. }) => {
            prop_assert!(own(any).contains(to), "never to an identity that is not ours");
            prop_assert!(object.finalizer && object.claim.own().is_some());
            prop_assert!(patch.meta.is_some() || patch.limits.is_some());
            let desired = object.spec.as_ref().expect("readable");
            prop_assert!(patch.meta.is_none() || patch.meta == desired.meta);
            prop_assert!(patch.limits.is_none() || patch.limits == desired.limits);
        }
        Step::Call(Call::Delete(identity)) => {
            prop_assert_ne!(object.phase, Phase::Live);
            let policy = object.controls.deletion.unwrap_or(any.policy.deletion);
            let gone = matches!(object.phase, Phase::Gone { .. });
            prop_assert!(gone || policy == DeletionPolicy::Delete, "R7");
            // An identity that a lost create made beside the one deleted goes with it, whatever has become of the type.
            let removed = matches!(&known.last, LastWrite::Deleted { uid, .. } if *uid == object.guard.uid);
            prop_assert!(gone || removed || matches!(any.crd, Crd::Stays | Crd::Unguarded), "R10");
            // What is neither recorded nor created is deleted only as a settled read found it under a claim of our own.
            let found =
                matches!(known.settled(any.policy.window), Some(Seen::Ours { identity: seen, .. }) if seen == identity);
            // What is given up is recorded still: it may only have been hidden (R19).
            let recorded = object.recorded.own().and_then(|record| record.held.as_ref());
            let recorded = recorded.is_some_and(|held| held.identity == *identity);
            let found = found && (object.claim.own().is_some() || object_state.sent);
            prop_assert!(own(any).contains(identity) || recorded || found);
            let repeated = object_state.met_deleting;
            let seen = matches!(&known.seen, Seen::Ours { identity: seen, .. } if seen == identity);
            prop_assert!(!repeated || seen, "R6: repeated without a look");
        }
        Step::Kube(KubeStep::LookAtCrd) => {
            prop_assert!(object.phase == Phase::Deleting && any.crd == Crd::Unseen, "R10");
        }
        Step::Kube(KubeStep::Release(because)) => released(any, because)?,
        Step::Kube(KubeStep::Claim(claim)) => {
            prop_assert_eq!(object.phase, Phase::Live);
            prop_assert!(object.controls.observed_by(&any.policy).is_none(), "R21: claimed while observed");
            prop_assert!(any.role == Role::Owner && !object.controls.suspend);
            prop_assert!(object.claim.own() != Some(claim) || !object.finalizer, "a patch that changes nothing");
        }
        Step::Kube(KubeStep::Status { report, .. }) => {
            let gone = matches!(object.phase, Phase::Gone { .. });
            prop_assert!(!gone);
            prop_assert_eq!(report.generation, object.generation);
            let shown = object.recorded.own().is_some_and(|record| record.shows(report, &object.key));
            prop_assert!(!shown, "a status that changes nothing");
            tells_what_is_observed(any, &report.verdict)?;
            let shown = |seen: &Seen| match (&report.held, seen) {
                (Some(held), Seen::Ours { identity, .. }) => held.identity == *identity,
                (held, _) => held.is_none(),
            };
            let taken = shown(&known.seen) || object_state.sight.as_deref().is_some_and(shown);
            let owned = report.held.as_ref().is_some_and(|held| own(any).contains(&held.identity));
            // What is given up stays recorded until something takes its place (R9).
            let recorded = object.recorded.own().and_then(|record| record.held.as_ref());
            let kept =
                matches!((&report.held, recorded), (Some(held), Some(before)) if held.identity == before.identity);
            prop_assert!(taken || owned || kept, "records an identity of someone else");
            if report.verdict == Verdict::Synced {
                prop_assert!(object.spec.is_ok() && report.held.is_some());
                prop_assert!(object.finalizer && object.claim.own().is_some());
                prop_assert!(known.doubt().is_none(), "R5: Ready with a write in doubt");
                prop_assert!(!object_state.suspicion || known.seen != Seen::Nothing || known.last != LastWrite::None);
            }
        }
        Step::Kube(KubeStep::Refresh) => prop_assert!(!object.fresh),
        Step::Kube(KubeStep::LookAtManagers) => prop_assert!(object_state.stripped.is_some()),
        Step::Wait(Wake::At(at)) if object.phase == Phase::Live => {
            prop_assert!(*at > any.now || known.settled(any.policy.window).is_none(), "a wait for the past");
        }
        Step::Call(Call::Read(_)) | Step::Wait(_) | Step::Done => {}
    }
    Ok(())
}

/// R21: only what is observed is said to be, and nothing of that is ever stalled.
fn tells_what_is_observed(any: &Any, verdict: &Verdict) -> Result<(), TestCaseError> {
    let object = &any.object;
    let live = object.phase == Phase::Live && !object.controls.suspend;
    let observed = live && object.controls.observed_by(&any.policy).is_some();
    prop_assert!(!matches!(verdict, Verdict::Observing(_)) || observed, "R21: it observes what is enforced");
    prop_assert!(!(verdict.is_stalled() && observed), "R21: stalled");
    Ok(())
}

/// R8: while not every object is known, nobody comes to own anything, and nobody deletes what it does not own.
fn held_at_entry(any: &Any, step: &Step) -> Result<(), TestCaseError> {
    let removed = matches!(&any.known.last, LastWrite::Deleted { uid, .. } if *uid == any.object.guard.uid);
    match step {
        Step::Call(Call::Create(_)) => prop_assert!(false, "a create"),
        Step::Call(Call::Delete(identity)) => prop_assert!(own(any).contains(identity) || removed, "not its own"),
        Step::Kube(KubeStep::Claim(claim)) => {
            let before = any.object.claim.own().and_then(|claim| claim.given_up.as_ref());
            prop_assert!(!own(any).is_empty() && claim.given_up.as_ref() == before, "a claim for something new");
        }
        Step::Kube(KubeStep::Status { report, .. }) => {
            let recorded = any.object.recorded.own().and_then(|record| record.held.as_ref());
            let kept = |held: &OwnedIdentity| recorded.is_some_and(|before| before.identity == held.identity);
            let owned = report.held.as_ref().is_none_or(|held| own(any).contains(&held.identity) || kept(held));
            prop_assert!(owned, "an adoption");
        }
        _ => {}
    }
    Ok(())
}

/// No release without its proof (R7).
fn released(any: &Any, because: &ReleaseProof) -> Result<(), TestCaseError> {
    let (object, known, object_state) = (&any.object, &any.known, &any.object_state);
    match because {
        ReleaseProof::Deleted(identity) => {
            let last = LastWrite::Deleted { uid: object.guard.uid.clone(), identity: identity.clone() };
            prop_assert_eq!(&known.last, &last);
            let doubt = known.doubt().is_some_and(|doubt| !doubt.creates.is_empty());
            prop_assert!(!doubt || known.settled(any.policy.window).is_some(), "S37");
            prop_assert!(!doubt || !known.lacks_witness(), "R19");
        }
        ReleaseProof::Gone(_) => {
            let absent = matches!(known.settled(any.policy.window), Some(Seen::Absent { .. }));
            prop_assert!(absent, "R4");
            prop_assert!(!known.lacks_witness(), "R19");
            prop_assert_eq!(&any.gate, &Gate::Open, "R15: a 404 of another workspace");
        }
        ReleaseProof::NeverAdopted => {
            let there = matches!(known.settled(any.policy.window), Some(Seen::Ours { .. }));
            prop_assert!(there && own(any).is_empty() && object.phase == Phase::Deleting, "R7");
        }
        ReleaseProof::NeverSent => {
            prop_assert!(
                object_state.claimed_here && !object_state.sent && !object_state.met_exists && own(any).is_empty()
            );
        }
        ReleaseProof::NeverClaimed => {
            prop_assert!(object.claim == ClaimState::Absent && !object_state.sent && own(any).is_empty());
        }
        ReleaseProof::Orphaned => {
            let policy = object.controls.deletion.unwrap_or(any.policy.deletion);
            let going = any.crd == Crd::Going && object.phase == Phase::Deleting;
            prop_assert!(policy == DeletionPolicy::Orphan || going);
        }
        ReleaseProof::Observed => {
            prop_assert_eq!(object.controls.observed_by(&any.policy), Some(ObservedBy::Spec), "R21");
            // What the owner records is not the object's (R8).
            let void = matches!(any.role, Role::Loser { owner_recorded: true, .. });
            let in_doubt = known.doubt().is_some_and(|doubt| doubt.creates.contains(&object.guard.uid));
            let recorded = object.recorded.own().and_then(|record| record.held.as_ref()).map(|held| &held.identity);
            let is_recorded = own(any).iter().all(|identity| Some(identity) == recorded);
            prop_assert!(object.phase == Phase::Live && (void || !in_doubt && is_recorded), "R21: an id is lost");
            let held = object.held().map(|held| &held.fields);
            prop_assert!(
                held.is_none_or(|fields| *fields == Fields::default()),
                "R21: what was accepted is forgotten first"
            );
        }
        ReleaseProof::NotOurs => {
            let settled = known.settled(any.policy.window).is_some();
            let loser = matches!(any.role, Role::Loser { owner_recorded: true, .. });
            let foreign = object.claim == ClaimState::Foreign && own(any).is_empty();
            let refused = object.phase == Phase::Live && known.seen != Seen::Nothing;
            // A definite 409 under `Never` needs no look: it is surely not ours.
            let exists = known.last == LastWrite::Exists { uid: object.guard.uid.clone() };
            let surely_foreign = exists && object_state.claimed_here && !object_state.sent && known.doubt().is_none();
            prop_assert!(settled || loser || foreign || refused || surely_foreign);
        }
    }
    Ok(())
}

/// After an accepted answer the same write is not sent again, fresh look or not.
fn accepted_once(any: &Any) -> Result<(), TestCaseError> {
    let mut after = any.clone();
    let Step::Call(call) = decide(&any.situation()) else { return Ok(()) };
    let reply = match &call {
        Call::Read(_) => return Ok(()),
        Call::Create(_) => Reply::Created { id: "id_9".to_owned() },
        Call::Update { to, .. } => {
            Reply::Updated { external_id: to.external_id().as_str().to_owned(), id: to.id().as_str().to_owned() }
        }
        Call::Delete(_) => Reply::Deleted,
    };
    let now = any.now.after(ms(20));
    begin(&any.object, &call, &mut after.known, &mut after.object_state, now.after(any.policy.attempt));
    prop_assert!(after.known.doubt().is_some(), "in flight is in doubt");
    let telling = ReplyContext { begun: any.now, now, jitter: 0, thrives: None };
    apply_reply(&any.object, &call, &reply, &mut after.known, &mut after.object_state, &any.policy, telling);
    after.now = now;
    for fresh in [false, true] {
        after.object.fresh = fresh;
        sync_object(&after.object, &mut after.known, &mut after.object_state, &after.policy, now);
        prop_assert_ne!(decide(&after.situation()), Step::Call(call.clone()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(4_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never(any in anything()) {
        checked(&any)?;
    }

    #[test]
    fn accepted_is_not_sent_again(mut any in anything()) {
        any.object.fresh = true;
        any.object_state.trouble = None;
        accepted_once(&any)?;
    }

    #[test]
    fn equal_content_is_no_update(mut any in anything()) {
        if let (Ok(desired), PriorStatus::Own(record)) = (&any.object.spec, &mut any.object.recorded)
            && let Some(held) = &mut record.held
        {
            held.fields = Fields::accepted(desired.hashes().clone());
            any.known.last = LastWrite::None;
            any.known.seen = Seen::Nothing;
            let updates = matches!(decide(&any.situation()), Step::Call(Call::Update { .. }));
            prop_assert!(!updates);
        }
    }
}

#[test]
fn the_proof_of_absence_is_made_only_from_a_settled_read() {
    let seen = |last| Seen::Absent { first: Mono(0), last, of: None };
    let known =
        |last| Knowledge { evidence_from: Evidence::Since(Mono(1_000)), seen: seen(last), ..Knowledge::default() };
    assert!(Settled::absence(&known(Mono(30_999)), ms(30_000), None).is_none());
    assert!(Settled::absence(&known(Mono(31_000)), ms(30_000), None).is_some());
    let doubtful = UnknownOutcome::new(Mono(2_000), true, None);
    let mut in_doubt = known(Mono(31_000));
    in_doubt.add_doubt(doubtful);
    assert!(Settled::absence(&in_doubt, ms(30_000), None).is_none());
    let foreign = Knowledge { seen: Seen::Foreign { begun: Mono(90_000) }, ..Knowledge::default() };
    assert!(Settled::absence(&foreign, ms(30_000), None).is_none());
}
