//! What Kubernetes refuses (R25), and what does not stay on there (R16).

mod retries;
mod stripped;

use super::any::Any;
use super::steps::{A, confirmed, created, desired, ready};
use super::*;
use unkey_operator_api::{CLAIM_ANNOTATION, Reason};

fn answer(code: u16, words: &str) -> Refused {
    Refused { code, words: words.to_owned(), retry_after: None }
}

/// A new object, looked at, that is to be claimed.
fn new() -> Any {
    let mut any = ready();
    any.object.recorded = PriorStatus::Nothing;
    (any.object.finalizer, any.object.claim) = (false, ClaimState::Absent);
    any
}

/// One whose identity is deleted, to be let go.
fn leaving() -> Any {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    any.known.last = LastWrite::Deleted { uid: uid("u"), identity: confirmed("id_1") };
    any
}

/// The same, after the API server has refused that write.
fn after(mut any: Any, write: KubeWrite, code: u16) -> Any {
    refused(&any.object, write, &answer(code, "no."), &mut any.object_state, any.now, u16::MAX);
    any
}

fn step(any: &Any) -> Step {
    decide(&any.situation())
}

fn says(any: &Any) -> Option<(Reason, String)> {
    match step(any) {
        Step::Kube(KubeStep::Status { report, .. }) => Some((report.verdict.reason(), report.message(&any.object.key))),
        _ => None,
    }
}

/// The status now says what `step` wanted it to.
fn told(any: &mut Any) {
    let Step::Kube(KubeStep::Status { report, .. }) = step(any) else { panic!("{:?}", step(any)) };
    let shown = report.shown(&any.object.key);
    any.object.recorded = PriorStatus::Own(Box::new(Record {
        generation: report.generation,
        observed: report.observed(),
        held: report.held,
        deletion: Some(report.deletion),
        handled_request: report.handled_request,
        shown,
    }));
}

#[test]
fn a_release_that_is_refused_says_what_is_left_in_unkey() {
    let mut any = after(leaving(), KubeWrite::Release, 422);
    let (reason, message) = says(&any).expect("a status");
    assert_eq!(reason, Reason::WriteRefused, "the identity does not hold it up");
    assert!(message.contains("The identity is already gone from Unkey."), "{message}");
    told(&mut any);
    assert_eq!(step(&any), Step::Wait(Wake::At(any.now.after(ms(1_000)))));
    any.object.controls.deletion = Some(unkey_operator_api::DeletionPolicy::Orphan);
    assert!(says(&any).expect("another status").1.contains("The identity stays in Unkey"));
    let left =
        [ReleaseProof::NotOurs, ReleaseProof::NeverSent, ReleaseProof::NeverClaimed].map(|because| because.left());
    assert_eq!(left, [Left::Others, Left::Nothing, Left::Nothing]);
}

/// One failure that passes by itself is not worth a write; what lasts is (R13).
#[test]
fn what_usually_passes_is_told_when_it_lasts() {
    for code in [404, 408, 409, 429, 500, 503, 504] {
        let once = after(new(), KubeWrite::Claim, code);
        assert_eq!(step(&once), Step::Wait(Wake::At(once.now.after(ms(1_000)))), "{code}");
        assert!(says(&after(once, KubeWrite::Claim, code)).is_some(), "{code}");
    }
    for code in [200, 400, 401, 403, 413, 422] {
        assert!(says(&after(new(), KubeWrite::Claim, code)).is_some(), "{code}");
    }
}

/// Nothing that rests on the status goes on, and what does not is not held up by it.
#[test]
fn a_status_that_is_refused_holds_up_only_what_rests_on_it() {
    // An id to be recorded: before anything else.
    let mut owing = new();
    (owing.object.finalizer, owing.object.claim) = (ready().object.finalizer, ready().object.claim);
    owing.known.last = created("id_1");
    owing.object.generation = 2;
    assert!(says(&owing).is_some());
    let mut owing = after(owing, KubeWrite::Status, 403);
    assert_eq!(step(&owing), Step::Wait(Wake::At(owing.now.after(ms(1_000)))));
    owing.now = owing.now.after(ms(1_000));
    assert!(says(&owing).is_some(), "tried again");
    // A deletion that waits for Unkey is tried as soon as ever, told or not.
    let mut failing = leaving();
    failing.known.last = LastWrite::None;
    let cause = Cause::Unavailable;
    let credential = failing.policy.credential.clone();
    let soon = failing.now.after(ms(300));
    failing.object_state.trouble = Some(FailureState {
        cause,
        retry_at: Some(soon),
        lasting: true,
        generation: 1,
        write: true,
        reconcile_request: None,
        credential,
    });
    assert!(says(&failing).is_some());
    assert_eq!(step(&after(failing, KubeWrite::Status, 403)), Step::Wait(Wake::At(soon)));
    // And so is a release that needs no status.
    assert!(matches!(step(&after(leaving(), KubeWrite::Status, 403)), Step::Kube(KubeStep::Release(_))));
    // Both refused: whichever is due first.
    let both = after(after(new(), KubeWrite::Status, 403), KubeWrite::Claim, 403);
    assert_eq!(step(&both), Step::Wait(Wake::At(both.now.after(ms(1_000)))));
}

/// A read rests on nothing; a release that has to follow a status does.
#[test]
fn what_may_be_done_in_place_of_a_status() {
    let (at, sooner, later) = (Mono(50), Mono(40), Mono(60));
    let read = Step::Call(Call::Read(ExternalId::new("e")));
    let release = Step::Kube(KubeStep::Release(ReleaseProof::NotOurs));
    let create = Step::Call(Call::Create(desired(A)));
    for (then, wanted) in [
        (Step::Done, Step::Wait(Wake::At(at))),
        (Step::Wait(Wake::Change), Step::Wait(Wake::At(at))),
        (Step::Wait(Wake::Proof), Step::Wait(Wake::At(at))),
        (Step::Wait(Wake::At(sooner)), Step::Wait(Wake::At(sooner))),
        (Step::Wait(Wake::At(later)), Step::Wait(Wake::At(at))),
        (release, Step::Wait(Wake::At(at))),
        (create, Step::Wait(Wake::At(at))),
        (read.clone(), read),
    ] {
        assert_eq!(super::super::decide::meanwhile(then.clone(), at), wanted, "{then:?}");
    }
}

/// A time, a port, a request id in the words is no news; other words that stay are.
#[test]
fn the_words_stay_while_each_answer_brings_others() {
    let mut any = new();
    let mut hear = |code: u16, words: &str| {
        let begins = refused(&any.object, KubeWrite::Status, &answer(code, words), &mut any.object_state, any.now, 0);
        let refusal = any.object_state.refusals.of(KubeWrite::Status).expect("a refusal");
        let shown = (begins, refusal.words.clone(), any.object_state.refusals.untold().is_some());
        super::told(KubeWrite::Status, &mut any.object_state);
        shown
    };
    let is = |begins: bool, words: &str, untold: bool| (begins, words.to_owned(), untold);
    assert_eq!(hear(403, "at 12:00"), is(true, "at 12:00", true));
    assert_eq!(hear(403, "at 12:01"), is(false, "at 12:00", false));
    assert_eq!(hear(403, "at 12:02"), is(false, "at 12:00", false));
    assert_eq!(hear(403, "because"), is(false, "at 12:00", false));
    assert_eq!(hear(403, "because"), is(false, "because", true));
    assert_eq!(hear(500, "a time-out"), is(false, "because", false), "once in between");
    assert_eq!(hear(403, "because"), is(false, "because", false));
    assert_eq!(hear(422, "invalid"), is(false, "because", false));
    assert_eq!(hear(422, "invalid"), is(false, "invalid", true));
    hear(422, &"\u{7}é".repeat(2_000));
    let long = hear(422, &"\u{7}é".repeat(2_000)).1;
    assert!(long.starts_with("\\u{7}é") && long.ends_with('…') && long.chars().count() < 4_000, "{long}");
}

/// A test of a patch can only have failed if something has changed; what changes each time is no coincidence.
#[test]
fn what_looks_like_a_patch_that_is_out_of_date() {
    let guard = |of: &str, version: u32| Guard { uid: uid(of), resource_version: version.to_string() };
    let mut object_state = ObjectState::default();
    assert!(is_refusal(&guard("u", 1), Some(&guard("u", 1)), &mut object_state));
    let mut object_state = ObjectState::default();
    for version in 1..8 {
        assert!(!is_refusal(&guard("u", version), Some(&guard("u", version + 1)), &mut object_state), "{version}");
    }
    assert!(is_refusal(&guard("u", 8), Some(&guard("u", 9)), &mut object_state));
    accepted(KubeWrite::Claim, &mut object_state);
    assert!(!is_refusal(&guard("u", 9), Some(&guard("u", 10)), &mut object_state));
    assert!(!is_refusal(&guard("u", 1), None, &mut ObjectState::default()), "it is gone");
    assert!(!is_refusal(&guard("u", 1), Some(&guard("v", 1)), &mut ObjectState::default()), "another one has its name");
}

#[test]
fn a_claim_that_does_not_fit_is_not_tried() {
    let mut any = new();
    let claim = desired(A).content_hash().clone();
    let needs = CLAIM_ANNOTATION.len() + Claim { hash: claim, given_up: None }.render(&uid("u")).len();
    let crowd = |bytes: usize| Some(Crowd { bytes, largest: "tests/large".to_owned(), largest_bytes: 200_000 });
    any.object.crowd = crowd(MAX_ANNOTATION_BYTES - needs);
    assert!(matches!(step(&any), Step::Kube(KubeStep::Claim(_))), "it just fits");
    any.object.crowd = crowd(MAX_ANNOTATION_BYTES - needs + 1);
    let (reason, message) = says(&any).expect("a status");
    assert_eq!(reason, Reason::WriteRefused);
    for words in ["262145 bytes", "'tests/large' with 200000 bytes"] {
        assert!(message.contains(words), "{message}");
    }
    told(&mut any);
    assert_eq!(step(&any), Step::Wait(Wake::Change), "no time makes room");
    // Kubernetes would refuse the status too: then that is tried in time.
    any.object.recorded = PriorStatus::Nothing;
    any = after(any, KubeWrite::Status, 403);
    assert_eq!(step(&any), Step::Wait(Wake::At(any.now.after(ms(1_000)))));
}
