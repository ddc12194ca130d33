//! What is known after a call, answered or not.

use super::steps::{A, confirmed, ready};
use super::*;

fn update(with_meta: bool, with_limits: bool) -> Call {
    let patch =
        Patch { meta: with_meta.then(|| meta(A)), limits: with_limits.then(|| limits(&[("req", 1, 1000, false)])) };
    Call::Update { to: confirmed("id_1"), patch, purpose: Purpose::Spec }
}

fn unsure(of: &str, meta: bool, limits: bool) -> UncertainFields {
    UncertainFields { uid: uid(of), meta, limits }
}

/// Its answer never comes.
fn lost(known: &mut Knowledge, call: &Call) {
    let any = ready();
    begin(&any.object, call, known, &mut ObjectState::default(), any.now);
    begin_reconcile(known);
}

#[test]
fn fields_stay_unsure_whatever_is_lost_after_them() {
    for order in [[(true, false), (false, true)], [(false, true), (true, false)]] {
        let mut known = Knowledge::default();
        for (n, (meta, limits)) in order.into_iter().enumerate() {
            lost(&mut known, &update(meta, limits));
            let expected = if n == 0 { unsure("u", meta, limits) } else { unsure("u", true, true) };
            assert_eq!(known.unsure, Some(expected));
        }
    }
    let mut known = Knowledge { unsure: Some(unsure("v", true, false)), ..Knowledge::default() };
    lost(&mut known, &update(false, true));
    assert_eq!(known.unsure, Some(unsure("u", false, true)), "of another life, it is not about this one");
}

#[test]
fn what_an_accepted_update_sent_is_sure_again_and_nothing_else() {
    let answered = |of: &str, call: &Call| {
        let any = ready();
        let mut known = Knowledge { unsure: Some(unsure(of, true, true)), ..Knowledge::default() };
        let mut object_state = ObjectState::default();
        begin(&any.object, call, &mut known, &mut object_state, any.now);
        let reply = Reply::Updated { external_id: "customer-1".to_owned(), id: "id_1".to_owned() };
        let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
        apply_reply(&any.object, call, &reply, &mut known, &mut object_state, &any.policy, telling);
        known.unsure.expect("a lost update")
    };
    assert_eq!(answered("u", &update(true, false)), unsure("u", false, true));
    assert_eq!(answered("u", &update(false, true)), unsure("u", true, false));
    assert_eq!(answered("v", &update(true, true)), unsure("v", true, true));
}

/// A read shows it and an update does not find it: the second time in a row is a matter of waiting.
#[test]
fn an_update_that_finds_nothing_is_not_repeated_at_once_for_ever() {
    let any = ready();
    // A replica may be behind.
    let mut known = Knowledge { evidence_from: Evidence::Since(any.now), ..Knowledge::default() };
    let mut object_state = ObjectState::default();
    let mut absent = || {
        begin(&any.object, &update(true, false), &mut known, &mut object_state, any.now);
        let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
        apply_reply(
            &any.object,
            &update(true, false),
            &Reply::Absent,
            &mut known,
            &mut object_state,
            &any.policy,
            telling,
        );
        (
            object_state.suspicion,
            object_state.failures,
            object_state.trouble.as_ref().map(|trouble| trouble.cause.clone()),
        )
    };
    assert_eq!(absent(), (true, 1, None));
    assert_eq!(absent(), (true, 2, Some(Cause::Lag)));
    assert_eq!(absent(), (true, 3, Some(Cause::Lag)));
}

/// R6: after a delete that may have taken effect, what was seen before it allows no other one.
#[test]
fn a_lost_delete_needs_another_look() {
    let any = ready();
    let content = Content { meta: meta(A), limits: Limits::default() };
    let seen = Seen::Ours { begun: any.now, identity: confirmed("id_1"), content };
    let after = |call: &Call| {
        let mut known = Knowledge { seen: seen.clone(), ..Knowledge::default() };
        let mut object_state = ObjectState::default();
        begin(&any.object, call, &mut known, &mut object_state, any.now);
        let fault = Fault { effect: Effect::Unknown, cause: Cause::Unavailable, retry_after: None };
        let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
        apply_reply(&any.object, call, &Reply::Failed(fault), &mut known, &mut object_state, &any.policy, telling);
        known.seen
    };
    assert_eq!(after(&Call::Delete(confirmed("id_1"))), Seen::Nothing);
    assert_eq!(after(&update(true, false)), seen);
}

/// R13: the look before a repeated delete ends neither the row of failures nor what the status says of it, and the wait is over.
#[test]
fn a_look_between_two_failing_deletes_does_not_end_the_row() {
    let any = ready();
    let before = FailureState {
        cause: Cause::Unavailable,
        retry_at: Some(Mono(7)),
        lasting: true,
        write: true,
        generation: 1,
        reconcile_request: None,
        credential: Some("key".to_owned()),
    };
    let mut object_state = ObjectState { failures: 4, trouble: Some(before.clone()), ..ObjectState::default() };
    let (call, mut known) = (Call::Read(super::any::customer()), Knowledge::default());
    let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
    let content = Content { meta: meta(A), limits: Limits::default() };
    let reply = Reply::Found { external_id: "customer-1".to_owned(), id: "id_1".to_owned(), content };
    apply_reply(&any.object, &call, &reply, &mut known, &mut object_state, &any.policy, telling);
    assert_eq!(
        (object_state.failures, object_state.trouble),
        (4, Some(FailureState { retry_at: Some(any.now), ..before }))
    );
}

fn answered(call: &Call, id: &str, known: &mut Knowledge, object_state: &mut ObjectState) {
    let any = ready();
    begin(&any.object, call, known, object_state, any.now);
    let reply = Reply::Updated { external_id: "customer-1".to_owned(), id: id.to_owned() };
    let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
    apply_reply(&any.object, call, &reply, known, object_state, &any.policy, telling);
}

/// What an earlier update put there, and no status shows yet, stays known: of this object and this identity.
#[test]
fn an_update_is_laid_over_the_one_before_it() {
    let wanted = limits(&[("req", 1, 1000, false)]).hash();
    for (of, id, noted, kept) in [
        ("u", "id_1", false, true),
        ("v", "id_1", false, false),
        ("u", "id_2", false, false),
        ("u", "id_1", true, false),
    ] {
        let before = Applied { meta: None, limits: Some(wanted.clone()) };
        let last = LastWrite::Updated { uid: uid(of), identity: confirmed(id), applied: before, told: 0, noted };
        let mut known = Knowledge { last, ..Knowledge::default() };
        answered(&update(true, false), "id_1", &mut known, &mut ObjectState::default());
        let applied = Applied { meta: Some(meta(A).hash()), limits: kept.then(|| wanted.clone()) };
        let told = i64::from(!kept);
        let expected = LastWrite::Updated { uid: uid("u"), identity: confirmed("id_1"), applied, told, noted: false };
        assert_eq!(known.last, expected, "{of} {id} {noted}");
    }
}

/// It was written to, whatever it is: everything is held, and each time counts.
#[test]
fn an_update_that_hit_another_identity_holds_everything() {
    let mut object_state = ObjectState { failures: 3, ..ObjectState::default() };
    answered(&update(true, false), "id_2", &mut Knowledge::default(), &mut object_state);
    assert_eq!(object_state.failures, 4);
    let trouble = object_state.trouble.expect("a trouble");
    assert_eq!((trouble.cause, trouble.retry_at, trouble.lasting), (Cause::Mismatch, None, true));
}

/// Unkey has taken it, or not: what was sent stays in doubt, as after no answer at all.
#[test]
fn an_answer_that_says_nothing_leaves_the_write_in_doubt() {
    let any = ready();
    let desired = any.object.spec.clone().expect("a spec");
    let cases = [
        (update(true, false), Reply::Deleted),
        (Call::Create(desired.clone()), Reply::Deleted),
        (Call::Create(desired), Reply::Created { id: String::new() }),
    ];
    for (call, reply) in cases {
        let after = |reply: &Reply| {
            let (mut known, mut object_state) = (Knowledge::default(), ObjectState::default());
            begin(&any.object, &call, &mut known, &mut object_state, any.now);
            let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
            apply_reply(&any.object, &call, reply, &mut known, &mut object_state, &any.policy, telling);
            (known.doubt, known.unsure)
        };
        let fault = Fault { effect: Effect::Unknown, cause: Cause::Unavailable, retry_after: None };
        let lost = after(&Reply::Failed(fault));
        assert!(lost.0.is_some(), "{call:?}");
        assert_eq!(after(&reply), lost, "{call:?} {reply:?}");
    }
}

/// The server computes which limits to write from a replica: those of a second write within a window have to be looked at.
#[test]
fn limits_sent_twice_within_a_window_are_in_doubt() {
    let at = ready().now;
    let window = super::any::WINDOW;
    for (after, doubted) in [(window.saturating_sub(ms(1)), true), (window, false)] {
        let mut any = ready();
        let mut known = Knowledge { limits_sent: Some(at), ..Knowledge::default() };
        any.now = at.after(after);
        let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
        let (call, mut object_state) = (update(false, true), ObjectState::default());
        begin(&any.object, &call, &mut known, &mut object_state, any.now);
        let reply = Reply::Updated { external_id: "customer-1".to_owned(), id: "id_1".to_owned() };
        apply_reply(&any.object, &call, &reply, &mut known, &mut object_state, &any.policy, telling);
        assert_eq!(known.doubt, doubted.then(|| UnknownOutcome::new(any.now, false, None)), "{after:?}");
        assert_eq!(known.limits_sent, Some(any.now));
    }
}

/// The primary says that it exists, a replica does not show it yet: that is worth a word when it happens again.
#[test]
fn a_replica_that_is_late_once_is_not_worth_a_condition() {
    let mut any = ready();
    any.object.recorded = PriorStatus::Nothing;
    let (create, read) = (Call::Create(steps::desired(A)), Call::Read(super::any::customer()));
    let (mut known, mut object_state) = (Knowledge::default(), ObjectState::default());
    let mut round = || {
        let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
        begin(&any.object, &create, &mut known, &mut object_state, any.now);
        apply_reply(&any.object, &create, &Reply::Exists, &mut known, &mut object_state, &any.policy, telling);
        apply_reply(&any.object, &read, &Reply::Absent, &mut known, &mut object_state, &any.policy, telling);
        object_state.trouble.as_ref().map(|trouble| (trouble.cause.clone(), trouble.lasting))
    };
    assert_eq!(round(), Some((Cause::Lag, false)));
    assert_eq!(round(), Some((Cause::Lag, true)));
    assert_eq!(round(), Some((Cause::Lag, true)));
}

/// An identity made for an earlier life of the object is not this one's, though no status showed it.
#[test]
fn absence_is_of_the_id_that_this_object_owns() {
    for (of, owned) in [("u", "id_2"), ("v", "id_1")] {
        let any = ready();
        let (applied, credential) = (Applied { meta: None, limits: None }, None);
        let last = LastWrite::Created { uid: uid(of), identity: confirmed("id_2"), applied, credential, noted: false };
        let mut known = Knowledge { last, ..Knowledge::default() };
        let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
        let read = Call::Read(super::any::customer());
        apply_reply(&any.object, &read, &Reply::Absent, &mut known, &mut ObjectState::default(), &any.policy, telling);
        let expected = confirmed(owned).id().clone();
        assert_eq!(known.seen, Seen::Absent { first: any.now, last: any.now, of: Some(expected) });
    }
}

/// The condition tells at once what only a person or a long wait can end; else the second failure.
#[test]
fn a_first_failure_is_told_if_it_will_last() {
    let told = |cause: Cause, retry_after: Option<Duration>| {
        let any = ready();
        let (mut known, mut object_state) = (Knowledge::default(), ObjectState::default());
        let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
        let reply = Reply::Failed(Fault { effect: Effect::None, cause, retry_after });
        let read = Call::Read(super::any::customer());
        apply_reply(&any.object, &read, &reply, &mut known, &mut object_state, &any.policy, telling);
        object_state.trouble.expect("a trouble").lasting
    };
    assert!(!told(Cause::Unavailable, None) && !told(Cause::RateLimited, Some(ms(9_999))));
    assert!(told(Cause::RateLimited, Some(ms(10_000))), "a long wait");
    assert!(told(Cause::Unauthorized("no".to_owned()), None), "a person, however short the wait is");
}

/// R16: it is broken only if others were answered since it began to fail.
#[test]
fn what_fails_while_nothing_else_is_answered_is_not_broken() {
    let cause = |thrives: Option<Mono>| {
        let any = ready();
        let mut object_state =
            ObjectState { failures: 9, broken: 9, failing_since: Mono(50), ..ObjectState::default() };
        let mut known = Knowledge::default();
        begin(&any.object, &update(true, false), &mut known, &mut object_state, any.now);
        let fault = Fault { effect: Effect::Ended, cause: Cause::Unavailable, retry_after: None };
        let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives };
        let reply = Reply::Failed(fault);
        apply_reply(&any.object, &update(true, false), &reply, &mut known, &mut object_state, &any.policy, telling);
        object_state.trouble.expect("a trouble").cause
    };
    assert_eq!(cause(None), Cause::Unavailable);
    assert_eq!(cause(Some(Mono(50))), Cause::Unavailable);
    assert_eq!(cause(Some(Mono(51))), Cause::Broken);
}
