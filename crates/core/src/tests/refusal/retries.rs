//! When a refused write is tried again: after a wait, sooner after a change of the object, at once after an edit.

use super::*;

#[test]
fn a_claim_that_is_refused_is_told_and_tried_again_in_time() {
    let mut any = new();
    let claim = step(&any);
    assert!(matches!(claim, Step::Kube(KubeStep::Claim(_))));
    any = after(any, KubeWrite::Claim, 403);
    let (reason, message) = says(&any).expect("a status");
    assert_eq!(reason, Reason::WriteRefused);
    assert!(message.contains("claim annotation on this resource: no. Without them nothing is created"), "{message}");
    told(&mut any);
    // A second at first, and two then.
    assert_eq!(step(&any), Step::Wait(Wake::At(any.now.after(ms(1_000)))));
    any.now = any.now.after(ms(1_000));
    assert_eq!(step(&any), claim);
    any = after(any, KubeWrite::Claim, 403);
    assert_eq!(step(&any), Step::Wait(Wake::At(any.now.after(ms(2_000)))), "nothing new to say");
    accepted(KubeWrite::Claim, &mut any.object_state);
    assert_eq!(step(&any), claim);
}

#[test]
fn a_server_that_asks_to_wait_is_heeded() {
    let mut any = new();
    let slowly = Refused { retry_after: Some(ms(7_000)), ..answer(429, "slowly") };
    refused(&any.object, KubeWrite::Claim, &slowly, &mut any.object_state, any.now, 0);
    assert_eq!(step(&any), Step::Wait(Wake::At(any.now.after(ms(7_000)))));
}

/// A policy may want a label, which is no new generation: that is tried soon, but not as often as somebody writes to the object.
#[test]
fn a_change_of_labels_brings_the_next_try_forward() {
    let mut any = new();
    for _ in 0..9 {
        any = after(any, KubeWrite::Claim, 403);
    }
    told(&mut any);
    let tried = any.now;
    let due = |any: &mut Any| {
        sync_object(&any.object, &mut any.known, &mut any.object_state, &any.policy, any.now);
        match step(any) {
            Step::Wait(Wake::At(at)) => tried.until(at),
            step => panic!("{step:?}"),
        }
    };
    assert_eq!(due(&mut any), ms(256_000));
    any.object.guard.resource_version = "2".to_owned();
    assert_eq!(due(&mut any), ms(25_600), "a tenth of the wait");
    any.object.guard.resource_version = "3".to_owned();
    assert_eq!(due(&mut any), ms(5_000));
    any.object.guard.resource_version = "4".to_owned();
    assert_eq!(due(&mut any), ms(5_000), "no sooner than that");
    let mut first = after(new(), KubeWrite::Claim, 403);
    told(&mut first);
    first.object.guard.resource_version = "2".to_owned();
    assert_eq!(due(&mut first), ms(1_000), "and never later than it was");
}

#[test]
fn what_ends_a_refusal() {
    let refusals = |any: &Any| any.object_state.refusals.iter().count();
    let before = after(after(new(), KubeWrite::Claim, 403), KubeWrite::Status, 403);
    let look = |change: fn(&mut Object)| {
        let mut any = before.clone();
        change(&mut any.object);
        sync_object(&any.object, &mut any.known, &mut any.object_state, &any.policy, any.now);
        refusals(&any)
    };
    assert_eq!(look(|object| object.guard.resource_version = "2".to_owned()), 2, "a label, say");
    assert_eq!(look(|object| object.generation = 2), 0);
    assert_eq!(
        look(|object| object.reconcile_request = Some(ReconcileRequest { value: "p".to_owned(), since: Mono::ZERO })),
        0
    );
    for (end, left) in [
        (Step::Done, 0),
        (Step::Wait(Wake::Change), 0),
        (Step::Wait(Wake::Proof), 0),
        (Step::Wait(Wake::At(Mono(1))), 2),
        (Step::Kube(KubeStep::Refresh), 2),
    ] {
        let mut any = before.clone();
        concluded(&end, &mut any.object_state);
        assert_eq!(refusals(&any), left, "{end:?}: nothing is left to be written, or something is");
    }
}
