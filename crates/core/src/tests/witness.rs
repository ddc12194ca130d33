//! R19: what Unkey does not show is absent only with a witness, and a write that finds nothing proves nothing.

use super::any::{WINDOW, customer};
use super::steps::{A, confirmed, desired, ready, step};
use super::*;
use unkey_operator_api::AdoptionPolicy;

const READ: Mono = Mono(100);

fn witness(shown: Option<u64>, missed: Option<u64>) -> Witness {
    let mut witness = Witness::default();
    if let Some(at) = shown {
        witness.shown(Mono(at));
    }
    if let Some(at) = missed {
        witness.missed(Mono(at), Cause::Unwitnessed);
    }
    witness
}

#[test]
fn a_witness_speaks_for_reads_that_were_answered_before_it_began() {
    for (shown, missed, says) in [
        (None, None, Testimony::None),
        (Some(100), None, Testimony::None),
        (Some(101), None, Testimony::Counts),
        (Some(101), Some(99), Testimony::Counts),
        (Some(150), Some(100), Testimony::Void),
        (Some(150), Some(120), Testimony::Void),
        (None, Some(120), Testimony::None),
        (Some(99), Some(120), Testimony::None),
    ] {
        assert_eq!(witness(shown, missed).testimony(READ), says, "{shown:?} {missed:?}");
    }
    let mut late = witness(Some(101), None);
    late.shown(Mono(50));
    assert_eq!(late.testimony(READ), Testimony::Counts, "an earlier one takes nothing back");
}

#[test]
fn it_is_blind_until_something_is_shown_again() {
    assert_eq!(witness(Some(50), None).blind(), None);
    assert_eq!(witness(Some(50), Some(60)).blind(), Some(&Cause::Unwitnessed));
    assert_eq!(witness(Some(60), Some(60)).blind(), Some(&Cause::Unwitnessed));
    assert_eq!(witness(Some(61), Some(60)).blind(), None);
}

#[test]
fn it_shows_nothing_only_if_a_look_was_answered_so() {
    for (cause, shows_nothing) in [
        (Cause::Unwitnessed, true),
        (Cause::PermissionDenied(Operation::Read), true),
        (Cause::Unavailable, false),
        (Cause::RateLimited, false),
    ] {
        let mut witness = witness(Some(50), None);
        assert!(!witness.shows_nothing(), "nobody has looked");
        witness.missed(Mono(60), cause.clone());
        assert_eq!(witness.shows_nothing(), shows_nothing, "{cause:?}");
        witness.shown(Mono(60));
        assert_eq!(witness.shows_nothing(), shows_nothing, "{cause:?}: the read began before the look was over");
        witness.shown(Mono(61));
        assert!(!witness.shows_nothing(), "{cause:?}: an identity was shown since");
    }
}

/// Knowledge of a read that found nothing under the id that the object owns, answered at `any.now`, with a create in doubt before it.
fn nothing_found(any: &super::any::Any) -> Knowledge {
    let of = Some(confirmed("id_1").id().clone());
    let doubt = Some(UnknownOutcome::new(Mono::ZERO, false, Some(uid("u"))));
    let mut known = Knowledge { doubt, ..Knowledge::default() };
    known.saw_nothing(Seen::Absent { first: any.now, last: any.now, of }, any.now);
    known
}

#[test]
fn a_doubt_lasts_until_the_witness_and_a_void_read_is_forgotten() {
    let any = ready();
    let at = any.now.0;
    for (witness, lacks, doubts, absent) in [
        (witness(None, None), true, true, true),
        (witness(None, Some(at)), true, true, true),
        (witness(Some(at + 1), None), false, false, true),
        (witness(Some(at + 2), Some(at + 1)), false, true, false),
    ] {
        let mut known = nothing_found(&any);
        known.hear_witness(&witness, WINDOW, false);
        let found = (known.lacks_witness(), known.doubt.is_some(), matches!(known.seen, Seen::Absent { .. }));
        assert_eq!(found, (lacks, doubts, absent), "{witness:?}");
    }
}

/// The permission to create stands in, though recorded identities should have shown: who stays goes on, and is taken back if that was wrong.
/// Nothing is let go on that.
#[test]
fn what_stands_in_for_a_witness_lets_nothing_go() {
    let any = ready();
    let mut witness = Witness::default();
    witness.stands_in(any.now.after(ms(1)), any.now.after(ms(2)));
    let mut known = nothing_found(&any);
    known.hear_witness(&witness, WINDOW, false);
    assert!(!known.lacks_witness() && known.doubt.is_none(), "it stays");
    known.hear_witness(&witness, WINDOW, true);
    assert!(known.lacks_witness(), "and then it is deleted");
    let mut leaving = nothing_found(&any);
    leaving.hear_witness(&witness, WINDOW, true);
    assert!(leaving.lacks_witness() && leaving.doubt.is_some());
    assert_eq!((witness.of(true).blind(), witness.of(false).blind()), (Some(&Cause::Unwitnessed), None));
    witness.shown(any.now.after(ms(3)));
    assert_eq!(witness.of(true).blind(), None);
    // What counts for it while it stays, though a look was in vain for those that leave, does not count any more when it leaves itself.
    let mut staying = nothing_found(&any);
    staying.hear_witness(&witness, WINDOW, false);
    assert!(!staying.lacks_witness());
    staying.hear_witness(&witness, WINDOW, true);
    assert_eq!(staying.seen, Seen::Nothing, "the read is made again");
    leaving.hear_witness(&witness, WINDOW, true);
    assert!(!leaving.lacks_witness() && leaving.seen == Seen::Nothing, "the read is made again");
}

#[test]
fn a_deletion_waits_for_the_witness_and_says_why_it_does_not_come() {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    any.crd = Crd::Stays;
    any.known = nothing_found(&any);
    assert_eq!(step(&any), Step::Wait(Wake::Witness));
    any.witness = witness(None, Some(any.now.0));
    let Step::Kube(KubeStep::Status { report, .. }) = step(&any) else { panic!("{:?}", step(&any)) };
    assert_eq!(report.verdict, Verdict::Blocked(Cause::Unwitnessed));
    any.known.unwitnessed = None;
    any.known.doubt = None;
    assert!(matches!(step(&any), Step::Kube(KubeStep::Release(ReleaseProof::Gone(_)))), "{:?}", step(&any));
}

#[test]
fn an_identity_is_not_given_up_without_a_witness() {
    let mut any = ready();
    any.object_state.suspicion = true;
    any.known = Knowledge { doubt: None, ..nothing_found(&any) };
    assert_eq!(step(&any), Step::Wait(Wake::Witness));
    any.witness = witness(None, Some(any.now.0));
    let Step::Kube(KubeStep::Status { report, .. }) = step(&any) else { panic!("{:?}", step(&any)) };
    assert_eq!(report.verdict, Verdict::Waiting(Cause::Unwitnessed));
    // A reconcile request asks for another read, and that for another look.
    any.object.reconcile_request = Some(ReconcileRequest { value: "p".to_owned(), since: any.now });
    assert_eq!(step(&any), Step::Call(Call::Read(customer())));
}

#[test]
fn a_row_of_absences_goes_on_only_after_a_witness() {
    for (witnessed, goes_on) in [(true, true), (false, false)] {
        let mut any = ready();
        let first = any.now;
        any.known = Knowledge { doubt: None, ..nothing_found(&any) };
        any.known.unwitnessed = any.known.unwitnessed.filter(|_| !witnessed);
        any.now = first.after(WINDOW);
        answer(&mut any, &Call::Read(customer()), &Reply::Absent);
        let Seen::Absent { first: begins, .. } = any.known.seen else { panic!("{:?}", any.known.seen) };
        assert_eq!(begins == first, goes_on);
    }
}

/// A call that begins and ends now.
fn answer(any: &mut super::any::Any, call: &Call, reply: &Reply) {
    let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
    begin(&any.object, call, &mut any.known, &mut any.object_state, any.now);
    apply_reply(&any.object, call, reply, &mut any.known, &mut any.object_state, &any.policy, telling);
}

fn shown() -> Reply {
    let content = Content { meta: meta(A), limits: Limits::default() };
    Reply::Found { external_id: "customer-1".to_owned(), id: "id_1".to_owned(), content }
}

#[test]
fn a_write_that_finds_nothing_while_a_read_shows_the_identity_lacks_its_permission() {
    let update = Call::Update {
        to: confirmed("id_1"),
        patch: Patch { meta: Some(meta(A)), limits: None },
        purpose: Purpose::Spec,
    };
    for (call, operation) in [(Call::Delete(confirmed("id_1")), Operation::Delete), (update, Operation::Update)] {
        for (settled, denied) in [(true, true), (false, false)] {
            let mut any = ready();
            any.known.evidence_from = if settled { Evidence::default() } else { Evidence::Since(any.now) };
            answer(&mut any, &call, &Reply::Absent);
            assert_eq!(any.known.seen, Seen::Nothing, "it proves nothing");
            any.now = any.now.after(2 * WINDOW);
            answer(&mut any, &Call::Read(customer()), &shown());
            let cause = any.object_state.trouble.map(|trouble| trouble.cause);
            assert_eq!(cause == Some(Cause::PermissionDenied(operation)), denied, "{operation:?} {cause:?}");
        }
    }
}

#[test]
fn a_refusal_that_no_answer_names_is_retried_as_slowly_as_a_403() {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    any.crd = Crd::Stays;
    let mut waits = Vec::new();
    for _ in 0..5 {
        any.object.fresh = true;
        begin_reconcile(&mut any.known);
        // The first delete needs no look; each one that is repeated does (R6).
        if step(&any) == Step::Call(Call::Read(customer())) {
            answer(&mut any, &Call::Read(customer()), &shown());
            any.object.fresh = true;
        }
        assert_eq!(step(&any), Step::Call(Call::Delete(confirmed("id_1"))));
        answer(&mut any, &Call::Delete(confirmed("id_1")), &Reply::Absent);
        assert_eq!(step(&any), Step::Call(Call::Read(customer())));
        answer(&mut any, &Call::Read(customer()), &shown());
        let retry_at = any.object_state.trouble.as_ref().and_then(|trouble| trouble.retry_at).expect("a time");
        waits.push(any.now.until(retry_at));
        any.now = retry_at;
    }
    assert_eq!(waits, [3_000, 6_000, 12_000, 24_000, 30_000].map(ms), "a tenth of the ceiling, with these dice");
}

#[test]
fn what_exists_and_is_not_shown_for_longer_than_a_replica_is_behind_is_hidden() {
    let mut any = ready();
    any.object.recorded = PriorStatus::Nothing;
    let create = Call::Create(desired(A));
    let mut round = |after: Duration| {
        any.now = any.now.after(after);
        answer(&mut any, &create, &Reply::Exists);
        answer(&mut any, &Call::Read(customer()), &Reply::Absent);
        any.object_state.trouble.as_ref().map(|trouble| trouble.cause.clone())
    };
    assert_eq!(round(ms(0)), Some(Cause::Lag));
    assert_eq!(round(WINDOW.saturating_sub(ms(1))), Some(Cause::Lag));
    assert_eq!(round(ms(1)), Some(Cause::PermissionDenied(Operation::Read)));
}

/// R9: a status that says what it waits for keeps the id that the claim gives up, or nothing would tell that it is ours when it shows again.
#[test]
fn what_is_given_up_unseen_stays_recorded_and_is_taken_back() {
    for adoption in [AdoptionPolicy::Never, AdoptionPolicy::IfLossless, AdoptionPolicy::Always] {
        let mut any = ready();
        any.policy.adoption = adoption;
        let PriorStatus::Own(record) = &any.object.recorded else { panic!("{:?}", any.object.recorded) };
        let held = record.held.clone().unwrap();
        let claim = Claim { hash: desired(A).content_hash().clone(), given_up: Some(held.identity.id().clone()) };
        any.object.claim = ClaimState::Own(claim.clone());
        any.object_state.trouble = Some(FailureState {
            cause: Cause::PermissionDenied(Operation::Read),
            retry_at: Some(any.now.after(ms(1))),
            lasting: true,
            generation: any.object.generation,
            write: false,
            reconcile_request: None,
            credential: any.policy.credential.clone(),
        });
        let Step::Kube(KubeStep::Status { report, .. }) = step(&any) else { panic!("{:?}", step(&any)) };
        assert_eq!(report.held.as_ref(), Some(&held), "{adoption:?}");
        any.object_state.trouble = None;
        let content = Content { meta: meta(A), limits: Limits::default() };
        any.known.seen = Seen::Ours { begun: any.now, identity: held.identity, content };
        assert_eq!(step(&any), Step::Kube(KubeStep::Claim(Claim { given_up: None, ..claim })), "{adoption:?}");
    }
}
