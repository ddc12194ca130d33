//! R24: what the status says while work waits, and when it says nothing.

use proptest::prelude::*;

use super::any::{Any, anything, customer};
use super::steps::{A, B, desired, ready};
use super::*;
use unkey_operator_api::{DeletionPolicy, Reason};

fn record(any: &mut Any) -> &mut Record {
    let PriorStatus::Own(record) = &mut any.object.recorded else { panic!("nothing recorded") };
    record
}

/// Ready, and then edited: an update waits.
fn edited() -> Any {
    let mut any = ready();
    any.object.generation = 2;
    any.object.spec = Ok(desired(B));
    any
}

/// Ready, and then deleted.
fn deleted() -> Any {
    let mut any = ready();
    any.object.generation = 2;
    any.object.phase = Phase::Deleting;
    any
}

fn verdict(any: &Any, holds_up: Option<&Cause>) -> Option<Verdict> {
    overdue(&any.situation(), holds_up).map(|report| report.verdict)
}

fn failed(cause: Cause) -> FailureState {
    let (generation, credential) = (2, Some("key".to_owned()));
    FailureState { cause, retry_at: None, lasting: false, generation, write: true, reconcile_request: None, credential }
}

#[test]
fn it_says_what_holds_the_work_up() {
    assert_eq!(verdict(&edited(), None), Some(Verdict::Waiting(Cause::Queued)));
    assert_eq!(verdict(&deleted(), None), Some(Verdict::Waiting(Cause::Queued)));
    for cause in [Cause::Unavailable, Cause::RateLimited, Cause::CredentialsMissing("no key".to_owned())] {
        assert_eq!(verdict(&edited(), Some(&cause)), Some(Verdict::Waiting(cause.clone())));
        assert_eq!(verdict(&deleted(), Some(&cause)), Some(Verdict::Blocked(cause.clone())));
        // What the object has met itself says more.
        let mut any = deleted();
        any.object_state.trouble = Some(failed(Cause::Lag));
        assert_eq!(verdict(&any, Some(&cause)), Some(Verdict::Blocked(Cause::Lag)));
    }
    let reasons = [edited(), deleted()].map(|any| verdict(&any, None).map(|verdict| verdict.reason()));
    assert_eq!(reasons, [Some(Reason::Progressing); 2]);
}

#[test]
fn it_changes_nothing_but_what_is_said() {
    for mut any in [edited(), deleted()] {
        record(&mut any).handled_request = Some("earlier".to_owned());
        any.object.reconcile_request = Some(ReconcileRequest { value: "now".to_owned(), since: Mono::ZERO });
        // A field that has left the spec is told of when the spec is carried out (R17).
        any.object.spec = Ok(Desired::new(customer(), None, Some(Limits::default())));
        let report = overdue(&any.situation(), None).expect("it waits");
        assert_eq!(report.held, record(&mut any).held);
        assert_eq!((report.generation, report.handled_request.as_deref()), (2, Some("earlier")));
        assert_eq!(report.deletion, DeletionPolicy::Delete);
    }
}

#[test]
fn it_says_nothing_where_nothing_waits() {
    type Change = fn(&mut Any);
    let silent: Vec<(&str, Any, Change)> = vec![
        ("at rest", ready(), |_| {}),
        ("a check was asked for", ready(), |any| {
            any.object.reconcile_request = Some(ReconcileRequest { value: "p".to_owned(), since: Mono::ZERO });
        }),
        ("the scan has found something", ready(), |any| any.object_state.suspicion = true),
        ("an edit from which no call follows", edited(), |any| any.object.spec = Ok(desired(A))),
        ("another policy", edited(), |any| {
            any.object.spec = Ok(desired(A));
            any.object.controls.deletion = Some(DeletionPolicy::Orphan);
        }),
        ("suspended", edited(), |any| any.object.controls.suspend = true),
        ("another one owns", edited(), |any| {
            any.role = Role::Loser { owner_leaving: false, owner_recorded: false, owner_held: false };
        }),
        ("no status of ours", edited(), |any| any.object.recorded = PriorStatus::Nothing),
        ("a status of another object", deleted(), |any| any.object.recorded = PriorStatus::Restored),
        ("it says so already", edited(), |any| {
            let record = record(any);
            record.generation = 2;
            record.shown = Shown { reason: Some(Reason::UpstreamUnavailable), ..Shown::default() };
        }),
        ("its finalizer is off", deleted(), |any| any.object.finalizer = false),
        ("gone", deleted(), |any| any.object.phase = Phase::Gone { successors: false }),
    ];
    for (name, mut any, change) in silent {
        change(&mut any);
        assert_eq!(overdue(&any.situation(), Some(&Cause::Unavailable)), None, "{name}");
    }
    // What was refused is looked at first, so that has to stay readable.
    for reason in [Reason::AlreadyExists, Reason::IdentityMismatch] {
        let mut any = edited();
        let record = record(&mut any);
        (record.held, record.shown) = (None, Shown { stalled: true, reason: Some(reason), ..Shown::default() });
        assert_eq!(verdict(&any, None), None);
    }
}

/// Ready of this generation, and what it stood for is not there any more.
#[test]
fn a_ready_that_is_not_true_any_more_is_taken_back() {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    assert_eq!(verdict(&any, None), Some(Verdict::Waiting(Cause::Queued)));
    let mut any = ready();
    let id = any.object.held().expect("an identity").identity.id().clone();
    let claim = Claim { hash: desired(A).content_hash().clone(), given_up: Some(id) };
    any.object.claim = ClaimState::Own(claim);
    assert_eq!(verdict(&any, None), Some(Verdict::Waiting(Cause::Queued)), "given up, and not created again yet");
}

fn causes() -> impl Strategy<Value = Option<Cause>> {
    prop::option::of(prop::sample::select(message::causes()))
}

proptest! {
    /// Of any situation: it is never ready, never waits for a person, keeps what is recorded, and is said once.
    #[test]
    fn it_is_said_once_and_promises_nothing(any in anything(), holds_up in causes()) {
        let Some(report) = overdue(&any.situation(), holds_up.as_ref()) else { return Ok(()) };
        let before = any.object.recorded.own().expect("a status of ours").clone();
        prop_assert!(!report.verdict.is_ready() && !report.verdict.is_stalled());
        prop_assert!(report.verdict != Verdict::Suspended);
        prop_assert_eq!(&report.held, &before.held);
        prop_assert_eq!(&report.handled_request, &before.handled_request);
        prop_assert_eq!(report.generation, any.object.generation);
        let works = !matches!(decide(&any.situation()), Step::Done | Step::Kube(KubeStep::Status { .. }));
        prop_assert!(works, "there is nothing to wait for");
        let mut told = any;
        let shown = report.shown(&told.object.key);
        let (generation, deletion) = (report.generation, Some(report.deletion));
        told.object.recorded = PriorStatus::Own(Box::new(Record { generation, deletion, shown, ..before }));
        prop_assert_eq!(overdue(&told.situation(), holds_up.as_ref()), None);
    }
}
