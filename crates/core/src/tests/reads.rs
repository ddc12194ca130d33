//! What a read changes in what is known.

use super::any::{Any, WINDOW, customer, windows};
use super::steps::{A, B, confirmed, desired, ready};
use super::*;

/// A read that begins and ends at `any.now`, and is settled unless `known` says otherwise.
fn read(any: &mut Any, reply: &Reply) {
    let telling = ReplyContext { begun: any.now, now: any.now, jitter: 0, thrives: None };
    let call = Call::Read(customer());
    apply_reply(&any.object, &call, reply, &mut any.known, &mut any.object_state, &any.policy, telling);
}

fn found(id: &str, text: &str) -> Reply {
    let content = Content { meta: meta(text), limits: Limits::default() };
    Reply::Found { external_id: "customer-1".to_owned(), id: id.to_owned(), content }
}

#[test]
fn an_update_that_no_status_shows_gives_way_to_what_a_settled_read_shows() {
    let after = |of: &str, sent: &str, holds: &str| {
        let mut any = ready();
        let applied = desired(sent).hashes().clone();
        any.known.last =
            LastWrite::Updated { uid: uid(of), identity: confirmed("id_1"), applied, told: 1, noted: false };
        read(&mut any, &found("id_1", holds));
        let LastWrite::Updated { applied, .. } = any.known.last else { panic!("{:?}", any.known.last) };
        (applied, any.object_state.drifted)
    };
    let (a, b) = (desired(A).hashes().clone(), desired(B).hashes().clone());
    // It had brought what the spec asks for, so that somebody has changed it.
    assert_eq!(after("u", A, B), (b.clone(), true));
    assert_eq!(after("u", A, A), (a.clone(), false), "as it was sent");
    assert_eq!(after("u", B, A), (a.clone(), false), "it had brought something else");
    assert_eq!(after("v", A, B), (a, false), "of another life");
}

/// R5: what a settled look shows, and the status records otherwise, is known until a status shows it: the one of this reconcile may be cut, and the
/// spec may go back to what is recorded.
#[test]
fn r5_what_a_look_shows_outlives_a_status_that_is_cut() {
    type Change<'a> = &'a dyn Fn(&mut Any);
    let after = |changes: &[Change<'_>], holds: &str| {
        let mut any = ready();
        for change in changes {
            change(&mut any);
        }
        read(&mut any, &found("id_1", holds));
        any.known.last
    };
    let known = |text: &str| LastWrite::Updated {
        uid: uid("u"),
        identity: confirmed("id_1"),
        applied: Applied { meta: desired(text).hashes().meta.clone(), limits: None },
        told: 1,
        noted: false,
    };
    let wants_b: Change<'_> = &|any| any.object.spec = Ok(desired(B));
    let names_nothing: Change<'_> = &|any| any.object.spec = Ok(Desired::new(customer(), None, None));
    let sent_a: Change<'_> = &|any| any.known.last = known(A);
    let (other, leaves): (Change<'_>, Change<'_>) =
        (&|any| held(any).identity = confirmed("id_2"), &|any| any.object.phase = Phase::Deleting);
    let unmanaged: Change<'_> = &|any| held(any).fields.meta = Field::Unmanaged;
    assert_eq!(after(&[wants_b], B), known(B), "a write of which nothing was known has brought it");
    assert_eq!(after(&[names_nothing], B), known(B), "it is not named any more, and may be again");
    assert_eq!(after(&[names_nothing, sent_a], B), known(B), "an accepted update was written over");
    for (what, changes, holds) in [
        ("as it is recorded", &[names_nothing][..], A),
        ("suspected: it is looked at again before anything else", &[], B),
        ("another identity", &[names_nothing, other], B),
        ("not managed: it may be anybody's (R18)", &[names_nothing, unmanaged], B),
        ("it is being deleted", &[names_nothing, leaves], B),
    ] {
        assert_eq!(after(changes, holds), LastWrite::None, "{what}");
    }
}

fn held(any: &mut Any) -> &mut OwnedIdentity {
    let PriorStatus::Own(record) = &mut any.object.recorded else { panic!("nothing recorded") };
    record.held.as_mut().expect("an identity")
}

#[test]
fn what_does_not_fit_the_status_is_a_suspicion_until_it_is_set_right() {
    let suspicion = |reply: &Reply| {
        let mut any = ready();
        read(&mut any, reply);
        any.object_state.suspicion
    };
    assert!(!suspicion(&found("id_1", A)));
    assert!(suspicion(&found("id_1", B)), "another content");
    assert!(suspicion(&found("id_2", A)), "another identity");
    assert!(suspicion(&Reply::Absent), "none");
    let mut nothing_recorded = ready();
    nothing_recorded.object.recorded = PriorStatus::Nothing;
    read(&mut nothing_recorded, &Reply::Absent);
    assert!(!nothing_recorded.object_state.suspicion);
}

/// R9: absence counts from the first settled look at this very id.
#[test]
fn a_row_of_absences_goes_on_only_if_its_first_is_settled_and_of_the_same_id() {
    let id = Some(confirmed("id_1").id().clone());
    let first = |before: Mono, of: Option<&IdentityId>| {
        let mut any = ready();
        any.known.evidence_from = Evidence::Since(windows(2));
        any.known.seen = Seen::Absent { first: before, last: before, of: of.cloned() };
        read(&mut any, &Reply::Absent);
        let Seen::Absent { first, last, of } = any.known.seen else { panic!("{:?}", any.known.seen) };
        assert_eq!((last, of), (any.now, id.clone()));
        first
    };
    let (settled, now) = (windows(3), ready().now);
    assert_eq!(first(settled, id.as_ref()), settled);
    assert_eq!(first(Mono(settled.0 - 1), id.as_ref()), now, "not settled");
    assert_eq!(first(settled, None), now, "before the id was owned");
}

/// R4: what was shown a moment ago may have been made a moment before that, by whomever. A replica that does not show it proves nothing yet.
#[test]
fn what_was_just_shown_is_not_gone_for_a_read_that_finds_nothing() {
    let after = |wait: Duration| {
        let mut any = ready();
        read(&mut any, &found("id_1", A));
        any.now = any.now.after(wait);
        read(&mut any, &Reply::Absent);
        any.known.settled(WINDOW).is_some()
    };
    assert_eq!([ms(0), WINDOW.saturating_sub(ms(1)), WINDOW].map(after), [false, false, true]);
}
