//! Any object and any sight: a scan finds what a reconcile would act on, and nothing else.

use proptest::prelude::*;

use super::super::any::{anything, contents, desireds, mono};
use super::*;

fn sights() -> impl Strategy<Value = Sight> {
    let saw = prop_oneof![
        4 => (1..3_u32, contents()).prop_map(|(n, content)| Saw::There { id: id(n), content }),
        1 => Just(Saw::Foreign),
        2 => Just(Saw::Missing),
    ];
    (mono(), saw).prop_map(|(begun, saw)| Sight { begun, saw })
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
        sight.begun = rested.known.settles_at(WINDOW).after(Mono::ZERO.until(sight.begun));
        rested.now = sight.begun.after(ms(1));
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
            prop_assert!(record.shown.ready || record.shown.stalled || any.object.recorded.observes());
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
