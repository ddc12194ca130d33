//! What a scan leaves alone, however different Unkey's content is: the object is not at rest.

use super::*;

/// One thing at a time that makes an object not be at rest: then the plainest difference is no finding.
#[test]
fn whatever_is_under_way_or_nobodys_business_is_skipped() {
    type Change = fn(&mut Any);
    let record = |any: &mut Any, change: fn(&mut Record)| match &mut any.object.recorded {
        PriorStatus::Own(record) => change(record),
        other => panic!("{other:?}"),
    };
    let changes: Vec<(&str, Change)> = vec![
        ("being deleted", |any| any.object.phase = Phase::Deleting),
        ("suspended", |any| any.object.controls.suspend = true),
        ("invalid", |any| any.object.spec = Err(SpecError::Unreadable { field: "meta" })),
        ("a loser", |any| any.role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false }),
        ("edited", |any| any.object.generation += 1),
        ("poked", |any| {
            any.object.reconcile_request = Some(ReconcileRequest { value: "p".to_owned(), since: Mono::ZERO });
        }),
        ("not visited", |any| any.object_state.seen_before = false),
        ("suspicious", |any| any.object_state.suspicion = true),
        ("to be judged anew", |any| any.object_state.rejudge = Some(Reason::AlreadyExists)),
        ("in doubt", |any| any.known.doubt = Some(UnknownOutcome::new(Mono::ZERO, true, None))),
        ("restored", |any| any.object.recorded = PriorStatus::Restored),
        ("without a status", |any| any.object.recorded = PriorStatus::Nothing),
        ("written to since", |any| any.known.evidence_begins(any.known.settles_at(Duration::ZERO).after(ms(1)))),
        ("owing an id", |any| {
            let (uid, applied) = (any.object.guard.uid.clone(), Applied::default());
            any.known.last =
                LastWrite::Created { uid, identity: confirmed(1), applied, credential: None, noted: false };
        }),
    ];
    let there = |text: &str| {
        let content = Content { meta: meta(text), limits: Limits::default() };
        Saw::There { id: id(1), content }
    };
    for rest in Rest::ALL {
        let any = wanting(r#"{"a":1}"#, rest);
        let saw = if rest == Rest::Rejected { there(r#"{"a":1}"#) } else { Saw::Missing };
        let sight = Sight { begun: any.known.settles_at(WINDOW), saw };
        assert!(any.subject().finds(&sight).is_some(), "{rest:?}");
        for (what, change) in &changes {
            let mut any = any.clone();
            change(&mut any);
            assert_eq!(any.subject().finds(&sight), None, "{rest:?}, {what}");
        }
        let mut waits = any.clone();
        waits.object_state.trouble = Some(FailureState {
            cause: Cause::Unavailable,
            retry_at: Some(Mono(1)),
            lasting: true,
            generation: 1,
            write: false,
            reconcile_request: None,
            credential: None,
        });
        assert_eq!(waits.subject().finds(&sight), None, "{rest:?}, goes on by itself");
        waits.object_state.trouble.as_mut().expect("trouble").retry_at = None;
        assert_eq!(waits.subject().finds(&sight).is_some(), rest != Rest::Ready, "{rest:?}, waits for a change");
        // What else a status can say is no standing that Unkey's content could change.
        for reason in Reason::ALL {
            let mut any = any.clone();
            let stood = reason == rest.reason();
            match &mut any.object.recorded {
                PriorStatus::Own(record) => {
                    record.shown.reason = Some(reason);
                    record.shown.ready = false;
                    record.shown.stalled = stood && rest != Rest::Ready;
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(any.subject().finds(&sight).is_some(), stood && rest != Rest::Ready, "{rest:?} as {reason}");
        }
    }
    // Ready without an identity is a status that nobody wrote.
    let mut any = wanting(r#"{"a":1}"#, Rest::Ready);
    record(&mut any, |record| record.held = None);
    assert!(!any.subject().is_open());
    let mut any = wanting(r#"{"a":1}"#, Rest::Rejected);
    record(&mut any, |record| record.held = None);
    assert!(!any.subject().is_open(), "what was refused at its creation is not tried again");
}
