//! What a scan makes of what it saw: nothing of what rests as it should, and never more than another look.

use proptest::prelude::*;

use super::any::{Any, WINDOW, anything, contents, customer, desireds, mono};
use super::*;
use crate::drift_scan::{Finding, Saw, Sight, Subject, Summary, note};
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, Reason};

impl Any {
    fn subject(&self) -> Subject<'_> {
        Subject {
            object: &self.object,
            role: self.role,
            known: &self.known,
            object_state: &self.object_state,
            policy: &self.policy,
        }
    }
}

fn id(n: u32) -> IdentityId {
    IdentityId::new(&format!("id_{n}"))
}

fn confirmed(n: u32) -> Confirmed {
    Confirmed::from_create(&customer(), id(n).as_str()).expect("an id")
}

fn sights() -> impl Strategy<Value = Sight> {
    let saw = prop_oneof![
        4 => (1..3_u32, contents()).prop_map(|(n, content)| Saw::There { id: id(n), content }),
        1 => Just(Saw::Foreign),
        2 => Just(Saw::Missing),
    ];
    (mono(), saw).prop_map(|(begun, saw)| Sight { begun, saw })
}

/// How an object at rest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Ready,
    Exists,
    Mismatch,
    MismatchHeld,
    Rejected,
    WouldLose,
}

impl Rest {
    const ALL: [Self; 6] =
        [Self::Ready, Self::Exists, Self::Mismatch, Self::MismatchHeld, Self::Rejected, Self::WouldLose];

    fn reason(self) -> Reason {
        match self {
            Self::Ready => Reason::Synced,
            Self::Exists => Reason::AlreadyExists,
            Self::Mismatch | Self::MismatchHeld => Reason::IdentityMismatch,
            Self::Rejected => Reason::Rejected,
            Self::WouldLose => Reason::WouldLose,
        }
    }
}

fn at_rest(rest: Rest, desired: Desired, controls: Controls, adoption: AdoptionPolicy) -> Any {
    let holds = matches!(rest, Rest::Ready | Rest::MismatchHeld | Rest::Rejected | Rest::WouldLose);
    let fields = match rest {
        Rest::Rejected => Fields::unknown(&desired),
        Rest::WouldLose => Fields::default(),
        Rest::Ready | Rest::Exists | Rest::Mismatch | Rest::MismatchHeld => Fields::accepted(desired.hashes().clone()),
    };
    let held = holds.then(|| OwnedIdentity { identity: confirmed(1), origin: None, fields, credential: None });
    let (ready, stalled) = (rest == Rest::Ready, rest != Rest::Ready);
    let shown = Shown { ready, stalled, reason: Some(rest.reason()), message: "m".to_owned(), ..Shown::default() };
    let deletion = Some(controls.deletion.unwrap_or(DeletionPolicy::Delete));
    let record = Record { generation: 1, held, deletion, handled_request: None, shown };
    let claim = Claim { hash: desired.content_hash().clone(), given_up: None };
    let object = Object {
        key: ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() },
        guard: Guard { uid: uid("u"), resource_version: "1".to_owned() },
        phase: Phase::Live,
        fresh: false,
        finalizer: holds,
        claim: if holds { ClaimState::Own(claim) } else { ClaimState::Absent },
        crowd: None,
        leaving_for: 0,
        generation: 1,
        reconcile_request: None,
        external_id: Some(customer()),
        controls: Controls { suspend: false, ..controls },
        spec: Ok(desired),
        recorded: PriorStatus::Own(Box::new(record)),
    };
    let policy = Policy {
        adoption,
        deletion: DeletionPolicy::Delete,
        window: WINDOW,
        attempt: WINDOW,
        stagger: 0,
        credential: None,
    };
    let object_state = ObjectState { seen_before: true, credential: Some(None), ..ObjectState::default() };
    let now = Mono(3 * WINDOW);
    Any {
        object,
        role: Role::Owner,
        known: Knowledge::default(),
        object_state,
        gate: Gate::Open,
        witness: Witness::default(),
        crd: Crd::Stays,
        ownership_gate: OwnershipGate::Open,
        policy,
        now,
    }
}

/// An object at rest, and a sight that is settled.
fn resting() -> impl Strategy<Value = (Rest, Any, Sight)> {
    let rest = prop::sample::select(Rest::ALL.to_vec());
    (rest, desireds(), anything(), sights()).prop_map(|(rest, desired, any, mut sight)| {
        let mut rested = at_rest(rest, desired, any.object.controls, any.policy.adoption);
        // No scan begins within a window of the start.
        rested.known.evidence_from = any.known.evidence_from.max(Evidence::default());
        // Of an earlier reconcile, as a row of absence is.
        rested.known.seen = any.known.seen.clone();
        begin_reconcile(&mut rested.known);
        sight.begun = rested.known.settles_at(WINDOW).after(sight.begun.0);
        rested.now = sight.begun.after(1);
        (rest, rested, sight)
    })
}

/// What a reconcile would make of it that has just read the same by itself.
fn changes_the_verdict(rest: Rest, any: &Any, sight: &Sight) -> bool {
    let mut any = any.clone();
    let begun = sight.begun;
    any.object_state.suspicion = any.object.held().is_some();
    any.object_state.rejudge = Some(Reason::AlreadyExists);
    any.known.seen = match &sight.saw {
        Saw::There { id, content } => {
            let identity = Confirmed::from_create(&customer(), id.as_str()).expect("an id");
            Seen::Ours { begun, identity, content: content.clone() }
        }
        Saw::Foreign => Seen::Foreign { begun },
        Saw::Missing => Seen::Absent { first: begun, last: begun, of: any.object.held().map(|_| id(1)) },
    };
    match decide(&any.situation()) {
        Step::Kube(KubeStep::Status { report, .. }) => report.verdict.reason() != rest.reason(),
        Step::Done => false,
        Step::Kube(_) | Step::Call(_) | Step::Wait(_) => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is not at rest, is not its owner's, or was written to since, is left alone.
    #[test]
    fn only_what_rests_is_looked_at(any in anything(), sight in sights()) {
        if any.subject().finds(&sight).is_some() {
            let record = any.object.recorded.own().expect("a record");
            prop_assert_eq!(record.generation, any.object.generation);
            prop_assert!(record.shown.ready || record.shown.stalled);
            prop_assert!(any.object.phase == Phase::Live && !any.object.controls.suspend && any.object.reconcile_request.is_none());
            prop_assert!(any.role == Role::Owner && any.object.spec.is_ok());
            prop_assert!(any.known.doubt().is_none() && !any.object_state.suspicion);
            prop_assert!(sight.begun >= any.known.settles_at(WINDOW), "R4");
        }
    }

    /// A finding, and only a finding, is what a reconcile would act on had it seen the same.
    #[test]
    fn a_finding_is_what_would_change_the_verdict((rest, any, sight) in resting()) {
        let found = any.subject().finds(&sight).is_some();
        let changes = changes_the_verdict(rest, &any, &sight);
        if rest == Rest::Rejected {
            // What was refused is not tried again for being different still, or for being gone.
            let desired = any.object.spec.as_ref().expect("a spec");
            let holds = |content| desired.missing_from(&desired.managed_of(content)).is_none();
            let right = matches!(&sight.saw, Saw::There { id, content } if *id == self::id(1) && holds(content));
            prop_assert_eq!(found, right);
        } else {
            prop_assert_eq!(found, changes);
        }
    }

    /// R4: whatever was found, the next thing sent to Unkey is a read; an absence needs one more, a window after the first.
    #[test]
    fn a_finding_leads_to_a_look((_, mut any, sight) in resting()) {
        if any.subject().finds(&sight).is_none() {
            return Ok(());
        }
        note(&any.object, &sight, &mut any.known, &mut any.object_state, any.now);
        prop_assert!(any.subject().finds(&sight).is_none(), "once is enough");
        begin_reconcile(&mut any.known);
        sync_object(&any.object, &mut any.known, &mut any.object_state, &any.policy, any.now);
        let held = any.object.held().is_some();
        for _ in 0..3 {
            match decide(&any.situation()) {
                Step::Call(Call::Read(_)) => {
                    let missing = held && sight.saw == Saw::Missing;
                    prop_assert!(!missing || any.now >= sight.begun.after(WINDOW), "R9: a window apart");
                    return Ok(());
                }
                Step::Wait(Wake::At(at)) if held && sight.saw == Saw::Missing => {
                    prop_assert_eq!(at, sight.begun.after(WINDOW));
                    any.now = at;
                }
                Step::Kube(KubeStep::Status { report, .. }) if held && sight.saw == Saw::Missing => {
                    prop_assert_eq!(report.verdict.reason(), Reason::Progressing);
                    any.now = sight.begun.after(WINDOW);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert!(false, "no read");
    }
}

fn wanting(text: &str, rest: Rest) -> Any {
    let desired = Desired::new(customer(), Some(meta(text)), None);
    at_rest(rest, desired, Controls::default(), AdoptionPolicy::IfLossless)
}

#[test]
fn each_kind_of_difference_has_its_name() {
    let any = wanting(r#"{"a":1}"#, Rest::Ready);
    let begun = any.known.settles_at(WINDOW);
    let there = |n: u32, text: &str, named: &[(&str, i64, i64, bool)]| {
        let content = Content { meta: meta(text), limits: limits(named) };
        any.subject().finds(&Sight { begun, saw: Saw::There { id: id(n), content } })
    };
    assert_eq!(there(1, r#"{"a":1}"#, &[]), None);
    assert_eq!(there(1, r#"{"a":1.0}"#, &[("theirs", 1, 1000, true)]), None, "not managed, so nobody's drift");
    assert_eq!(there(1, r#"{"a":2}"#, &[]), Some(Finding::Drift));
    assert_eq!(there(2, r#"{"a":1}"#, &[]), Some(Finding::Replaced));
    assert_eq!(any.subject().finds(&Sight { begun, saw: Saw::Missing }), Some(Finding::Missing));
    let early = Mono(begun.0 - 1);
    assert_eq!(any.subject().finds(&Sight { begun: early, saw: Saw::Missing }), None, "R4");
}

/// An update was answered for another identity: another update might hit that one again.
#[test]
fn after_an_update_that_hit_another_identity_none_is_provoked() {
    let mut any = wanting(r#"{"a":1}"#, Rest::MismatchHeld);
    any.object_state.trouble = Some(FailureState {
        cause: Cause::Mismatch,
        retry_at: None,
        lasting: true,
        generation: any.object.generation,
        write: false,
        reconcile_request: None,
        credential: None,
    });
    let begun = any.known.settles_at(WINDOW);
    let finds = |any: &Any, text: &str| {
        let content = Content { meta: meta(text), limits: Limits::default() };
        any.subject().finds(&Sight { begun, saw: Saw::There { id: id(1), content } })
    };
    assert_eq!(finds(&any, r#"{"a":2}"#), None);
    assert_eq!(finds(&any, r#"{"a":1}"#), Some(Finding::Verdict), "right already: no update follows");
    let another = Saw::There { id: id(2), content: Content::default() };
    assert_eq!(any.subject().finds(&Sight { begun, saw: another }), Some(Finding::Replaced));
    let mut noted = any.clone();
    let content = Content { meta: meta(r#"{"a":1}"#), limits: Limits::default() };
    let sight = Sight { begun, saw: Saw::There { id: id(1), content } };
    note(&noted.object, &sight, &mut noted.known, &mut noted.object_state, noted.now);
    assert_eq!(decide(&noted.situation()), Step::Call(Call::Read(customer())), "it waits for a change no longer");
    any.object_state.trouble = None;
    assert_eq!(finds(&any, r#"{"a":2}"#), Some(Finding::Verdict));
}

#[test]
fn a_refusal_goes_by_the_policy_of_today() {
    let mut any = wanting(r#"{"a":1}"#, Rest::Exists);
    let begun = any.known.settles_at(WINDOW);
    let theirs = Saw::There { id: id(7), content: Content { meta: meta(r#"{"b":1}"#), limits: Limits::default() } };
    for (policy, found) in
        [(AdoptionPolicy::Never, false), (AdoptionPolicy::IfLossless, false), (AdoptionPolicy::Always, true)]
    {
        any.policy.adoption = policy;
        assert_eq!(any.subject().finds(&Sight { begun, saw: theirs.clone() }).is_some(), found, "{policy:?}");
    }
}

#[test]
fn r18_a_stop_goes_by_the_policy_of_today() {
    let mut any = wanting(r#"{"a":1}"#, Rest::WouldLose);
    let begun = any.known.settles_at(WINDOW);
    let finds = |any: &Any, text: &str| {
        let content = Content { meta: meta(text), limits: limits(&[("theirs", 1, 1000, true)]) };
        any.subject().finds(&Sight { begun, saw: Saw::There { id: id(1), content } })
    };
    for (policy, found) in
        [(AdoptionPolicy::Never, false), (AdoptionPolicy::IfLossless, false), (AdoptionPolicy::Always, true)]
    {
        any.policy.adoption = policy;
        assert_eq!(finds(&any, r#"{"b":1}"#).is_some(), found, "{policy:?}");
        assert_eq!(finds(&any, "{}"), Some(Finding::Verdict), "nothing is lost any more: {policy:?}");
    }
}

#[test]
fn too_many_missing_are_not_believed() {
    for (recorded, missing, too_many) in [
        (3, 3, false),
        (4, 4, true),
        (30, 3, false),
        (45, 4, false),
        (45, 5, true),
        (1000, 100, false),
        (1000, 101, true),
    ] {
        let summary = Summary { recorded, missing, ..Summary::default() };
        assert_eq!(summary.misses_too_many(), too_many, "{missing} of {recorded}");
    }
}

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
        ("a loser", |any| any.role = Role::Loser { owner_leaving: false, owner_recorded: true }),
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
        ("written to since", |any| any.known.evidence_begins(Mono(any.known.settles_at(WINDOW).0 - WINDOW + 1))),
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

#[test]
fn findings_have_a_word_each() {
    let words = [Finding::Drift, Finding::Replaced, Finding::Missing, Finding::Verdict].map(Finding::as_str);
    assert_eq!(words, ["drift", "replaced", "missing", "verdict"]);
}
