//! R16: a claim that somebody takes off again and again is left off for an hour.

use super::super::any::WINDOW;
use super::*;
use crate::backoff::HOUR;

/// Puts the claim on that is wanted, and has it taken off again.
fn round(any: &mut Any, stays: bool) {
    let Step::Kube(KubeStep::Claim(claim)) = step(any) else { panic!("no claim: {:?}", step(any)) };
    put_on(&any.object, &claim, stays, &mut any.object_state, any.now);
    claimed(&any.object, &mut any.object_state);
    if stays {
        let bare = any.object.clone();
        any.object.finalizer = true;
        any.object.claim = ClaimState::Own(claim);
        sync_object(&any.object, &mut any.known, &mut any.object_state, &any.policy, any.now);
        any.object = bare;
    }
    sync_object(&any.object, &mut any.known, &mut any.object_state, &any.policy, any.now);
}

#[test]
fn a_claim_that_does_not_stay_on_is_left_off_for_an_hour() {
    let mut any = new();
    for _ in 0..3 {
        round(&mut any, false);
    }
    let (reason, message) = says(&any).expect("a status");
    assert_eq!(reason, Reason::NotConverging);
    assert!(message.contains("a mutating admission webhook removes them in the same request"), "{message}");
    told(&mut any);
    let until = any.now.after(HOUR);
    assert_eq!(step(&any), Step::Wait(Wake::At(until)));
    any.now = until;
    round(&mut any, false);
    assert_eq!(step(&any), Step::Wait(Wake::At(until.after(HOUR))), "one try an hour");
    // An edit, and a reconcile request, are tried at once.
    for change in [(|object: &mut Object| object.generation = 2) as fn(&mut Object), |object| {
        object.reconcile_request = Some(ReconcileRequest { value: "p".to_owned(), since: Mono::ZERO });
    }] {
        let mut any = any.clone();
        change(&mut any.object);
        sync_object(&any.object, &mut any.known, &mut any.object_state, &any.policy, any.now);
        assert!(matches!(step(&any), Step::Kube(KubeStep::Claim(_))));
    }
}

#[test]
fn who_takes_a_claim_off_later_is_looked_for_once() {
    let mut any = new();
    round(&mut any, true);
    assert!(any.object_state.is_plain(), "most claims are put on once, and nothing is kept of that");
    for _ in 0..3 {
        round(&mut any, true);
    }
    assert_eq!(step(&any), Step::Kube(KubeStep::LookAtManagers));
    let mut unknown = any.clone();
    managers_seen(None, &mut unknown.object_state);
    assert!(says(&unknown).expect("a status").1.contains("another client removes them"));
    managers_seen(Some("prun\u{7}er"), &mut any.object_state);
    let (reason, message) = says(&any).expect("a status");
    assert_eq!(reason, Reason::NotConverging);
    assert!(message.contains("the field manager 'prun\\u{7}er'"), "{message}");
}

/// A hand that takes it off now and then is no fight, and a claim of something else is none of that one.
#[test]
fn what_is_no_stripping() {
    let mut seldom = new();
    for _ in 0..9 {
        round(&mut seldom, true);
        seldom.now = seldom.now.after(HOUR);
    }
    assert!(matches!(step(&seldom), Step::Kube(KubeStep::Claim(_))));
    let mut released_by_us = new();
    for _ in 0..9 {
        round(&mut released_by_us, true);
        released(&uid("u"), &mut released_by_us.known, &mut released_by_us.object_state);
    }
    assert!(matches!(step(&released_by_us), Step::Kube(KubeStep::Claim(_))));
    let mut edited = new();
    for generation in 1..9 {
        edited.object.generation = generation;
        sync_object(&edited.object, &mut edited.known, &mut edited.object_state, &edited.policy, edited.now);
        round(&mut edited, true);
    }
    assert!(matches!(step(&edited), Step::Kube(KubeStep::Claim(_))));
    // It stays on by now, and has for an hour.
    let mut kept = new();
    for _ in 0..3 {
        round(&mut kept, false);
    }
    kept.object.finalizer = true;
    kept.object.claim = ClaimState::Own(Claim { hash: desired(A).content_hash().clone(), given_up: None });
    kept.now = kept.now.after(HOUR.max(WINDOW));
    sync_object(&kept.object, &mut kept.known, &mut kept.object_state, &kept.policy, kept.now);
    assert_eq!(kept.object_state.stripped, None);
}
