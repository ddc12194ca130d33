//! What a scan makes of what it saw: nothing of what rests as it should, and never more than another look.

mod properties;
mod skipped;

use super::any::{Any, WINDOW, customer, windows};
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
    let record = Record { generation: 1, held, observed: None, deletion, handled_request: None, shown };
    let claim = Claim { hash: desired.content_hash().clone(), given_up: None };
    let object = Object {
        key: ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() },
        guard: Guard { uid: uid("u"), resource_version: "1".to_owned() },
        phase: Phase::Live,
        fresh: false,
        finalizer: holds,
        claim: if holds { ClaimState::Own(claim) } else { ClaimState::Absent },
        approval: Approval::None,
        crowd: None,
        leaving_for: None,
        generation: 1,
        reconcile_request: None,
        external_id: Some(customer()),
        controls: Controls { suspend: false, management: None, ..controls },
        spec: Ok(desired),
        recorded: PriorStatus::Own(Box::new(record)),
    };
    let policy = Policy {
        adoption,
        deletion: DeletionPolicy::Delete,
        window: WINDOW,
        attempt: WINDOW,
        credential: None,
        ..Policy::default()
    };
    let object_state = ObjectState { seen_before: true, credential: Some(None), ..ObjectState::default() };
    let now = windows(3);
    Any {
        object,
        role: Role::Owner,
        known: Knowledge::default(),
        object_state,
        gate: Gate::Open,
        witness: Witness::default(),
        crd: Crd::Stays,
        ownership_gate: OwnershipGate::Open,
        deletion_gate: DeletionGate::Open,
        policy,
        now,
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

#[test]
fn findings_have_a_word_each() {
    let words = [Finding::Drift, Finding::Replaced, Finding::Missing, Finding::Verdict].map(Finding::as_str);
    assert_eq!(words, ["drift", "replaced", "missing", "verdict"]);
}
