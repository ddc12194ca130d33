//! The protocol of a session: what its performer may do, and what is refused.

mod clear_up;

use std::sync::Arc;

use super::any::Any;
use super::steps::{confirmed, ready};
use super::*;
use crate::session::{End, Environment, KubeReply, Misuse, Moment, Need, Next, ObjectView, Records, Session, Ticket};

/// The world around: all that an [`Any`] says, and what is not its business.
struct TestEnvironment {
    any: Any,
    leads: bool,
    drains: bool,
    key: KeyMark,
    awake_since: Mono,
    permitted: bool,
    deletions: Deletions,
}

impl Environment for TestEnvironment {
    fn now(&self) -> Mono {
        self.any.now
    }

    fn role(&self) -> Role {
        self.any.role
    }

    fn gate(&self, _: Option<&KeyMark>) -> Gate {
        self.any.gate.clone()
    }

    fn witness(&self) -> Witness {
        self.any.witness.clone()
    }

    fn ownership_gate(&self) -> OwnershipGate {
        self.any.ownership_gate
    }

    fn deletions(&self) -> &Deletions {
        &self.deletions
    }

    fn deletions_mut(&mut self) -> &mut Deletions {
        &mut self.deletions
    }

    fn an_hour_ahead(&self) -> String {
        "2026-11-28T18:00:00Z".to_owned()
    }

    fn leads(&self) -> bool {
        self.leads
    }

    fn drains(&self) -> bool {
        self.drains
    }

    fn key_in_use(&self) -> KeyMark {
        self.key.clone()
    }

    fn awake_since(&self) -> Mono {
        self.awake_since
    }

    fn is_paused(&self) -> bool {
        false
    }

    fn has_permit(&mut self, _: Need) -> bool {
        self.permitted
    }
}

/// A session over an object that is as an [`Any`] says.
struct Driven {
    around: TestEnvironment,
    session: Session,
}

impl ObjectView for Object {
    fn is(&self, uid: &Uid) -> bool {
        self.guard.uid == *uid
    }

    fn guard(&self) -> Guard {
        self.guard.clone()
    }

    fn has_finalizer(&self) -> bool {
        self.finalizer
    }

    fn is_claimed(&self) -> bool {
        self.finalizer && self.claim.own().is_some()
    }

    fn lacks(&self, _: &StatusUpdate) -> Option<Vec<String>> {
        None
    }
}

impl Driven {
    fn over(mut any: Any) -> Self {
        let session =
            Session::start(any.object.guard.uid.clone(), Arc::new(any.policy.clone()), any.crd, &mut any.known);
        let key = any.policy.credential.clone();
        let deletions = Deletions::new(DeletionLimits::NONE);
        let around = TestEnvironment {
            any,
            leads: true,
            drains: false,
            key,
            awake_since: Mono::ZERO,
            permitted: true,
            deletions,
        };
        Self { around, session }
    }

    fn remembering<T>(&mut self, work: impl FnOnce(&mut Session, &mut Records<'_>, Mono) -> T) -> T {
        let Any { known, object_state, now, .. } = &mut self.around.any;
        work(&mut self.session, &mut Records { known, object_state }, *now)
    }

    fn next(&mut self) -> Result<Next, Misuse> {
        let object = self.around.any.object.clone();
        let (mut known, mut object_state) = (self.around.any.known.clone(), self.around.any.object_state.clone());
        let memory = &mut Records { known: &mut known, object_state: &mut object_state };
        let next = self.session.next(object, memory, &mut self.around);
        (self.around.any.known, self.around.any.object_state) = (known, object_state);
        next
    }

    fn sent(&mut self) -> Result<Ticket, Misuse> {
        self.remembering(|session, memory, now| session.sent(memory, now, now.after(ms(10_000))))
    }

    fn replied(&mut self, ticket: Ticket, reply: KubeReply<'_>) -> Result<(), Misuse> {
        self.remembering(|session, memory, now| {
            session.replied(ticket, reply, memory, Moment { now, jitter: 0, thrives: None }).map(drop)
        })
    }

    fn answered(&mut self, ticket: Ticket, reply: &Reply) -> Result<(), Misuse> {
        self.remembering(|session, memory, now| {
            session.answered(ticket, reply, memory, Moment { now, jitter: 0, thrives: None }).map(drop)
        })
    }

    /// A read shows the object as it is.
    fn looks(&mut self) {
        assert_eq!(self.next(), Ok(Next::Kube(KubeStep::Refresh)));
        let (ticket, object) = (self.sent().unwrap(), self.around.any.object.clone());
        self.replied(ticket, KubeReply::Shown(&object)).unwrap();
    }
}

/// An object that is being deleted, so that the next call is a delete.
fn leaving() -> Driven {
    let mut any = ready();
    any.object.phase = Phase::Deleting;
    any.object.generation = 2;
    any.object_state.claimed_here = true;
    Driven::over(any)
}

fn delete() -> Next {
    Next::Call(Call::Delete(confirmed("id_1")))
}

#[test]
fn a_write_to_unkey_follows_a_look() {
    let mut driven = leaving();
    driven.looks();
    assert_eq!(driven.next(), Ok(delete()));
}

#[test]
fn a_look_counts_no_more_after_whatever_may_have_changed_the_object() {
    let stands_still: fn(&mut Driven) = |driven| driven.around.awake_since = driven.around.any.now.after(ms(1));
    let grows_old: fn(&mut Driven) = |driven| driven.around.any.now = driven.around.any.now.after(LOOK + ms(1));
    let waits: fn(&mut Driven) = |driven| driven.session.granted(true);
    let is_told: fn(&mut Driven) = |driven| driven.session.look_again();
    for (what, change) in [("stands still", stands_still), ("old", grows_old), ("waits", waits), ("told", is_told)] {
        let mut driven = leaving();
        driven.looks();
        change(&mut driven);
        assert_eq!(driven.next(), Ok(Next::Kube(KubeStep::Refresh)), "{what}");
    }
    let mut driven = leaving();
    driven.looks();
    driven.session.granted(false);
    assert_eq!(driven.next(), Ok(delete()), "a permit that was there at once");
}

#[test]
fn a_step_that_was_not_sent_is_decided_anew() {
    let mut driven = leaving();
    driven.looks();
    assert_eq!(driven.next(), Ok(delete()));
    driven.around.any.object.controls.deletion = Some(unkey_operator_api::DeletionPolicy::Orphan);
    assert_eq!(driven.next(), Ok(Next::Kube(KubeStep::Release(ReleaseProof::Orphaned))));
}

#[test]
fn what_is_no_answer_to_the_request_under_way_is_refused_and_changes_nothing() {
    let mut driven = leaving();
    assert_eq!(driven.sent(), Err(Misuse::NotAsked), "nothing was asked for");
    driven.next().unwrap();
    let first = driven.sent().unwrap();
    assert_eq!(driven.next(), Err(Misuse::UnderWay), "two requests at once");
    assert_eq!(driven.sent(), Err(Misuse::NotAsked), "sent twice");
    let object = driven.around.any.object.clone();
    let known = driven.around.any.known.clone();
    assert_eq!(driven.answered(first.clone(), &Reply::Deleted), Err(Misuse::NotSent), "Unkey was not asked");
    assert_eq!(driven.replied(first.clone(), KubeReply::Lives), Err(Misuse::NotSent), "the answer to another question");
    driven.replied(first.clone(), KubeReply::Shown(&object)).unwrap();
    assert_eq!(driven.replied(first.clone(), KubeReply::Shown(&object)), Err(Misuse::NotSent), "answered twice");
    assert_eq!(driven.next(), Ok(delete()));
    let second = driven.sent().unwrap();
    assert_eq!(driven.answered(first, &Reply::Deleted), Err(Misuse::NotSent), "the answer to an earlier request");
    assert_eq!(driven.around.any.known.last, known.last);
    driven.answered(second, &Reply::Deleted).unwrap();
    assert!(matches!(driven.around.any.known.last, LastWrite::Deleted { .. }));
}

#[test]
fn a_session_that_is_dropped_in_the_middle_of_a_write_leaves_a_doubt() {
    let mut driven = leaving();
    driven.looks();
    driven.next().unwrap();
    driven.sent().unwrap();
    assert!(driven.around.any.known.in_flight.is_some());
    let again = Driven::over(driven.around.any);
    assert!(again.around.any.known.doubt.is_some() && again.around.any.known.in_flight.is_none());
}

#[test]
fn under_another_root_key_nothing_is_asked() {
    let mut driven = leaving();
    driven.looks();
    driven.around.key = Some("another".to_owned());
    assert_eq!(driven.next(), Ok(Next::End(End::Again)));
}

#[test]
fn who_does_not_lead_or_is_about_to_end_begins_nothing() {
    let mut driven = leaving();
    driven.around.leads = false;
    assert_eq!(driven.next(), Ok(Next::End(End::Done)));
    let mut driven = leaving();
    driven.around.drains = true;
    assert_eq!(driven.next(), Ok(Next::End(End::Done)));
}

#[test]
fn what_needs_a_permit_asks_for_it() {
    let mut driven = leaving();
    driven.around.permitted = false;
    assert_eq!(driven.next(), Ok(Next::Acquire(Need::Call)));
    driven.around.permitted = true;
    driven.looks();
}

/// A failed test and a refusal look alike: the look that follows tells which.
#[test]
fn an_answer_that_may_be_a_refusal_is_followed_by_a_look() {
    let answer = || Refused { code: 409, words: "no".to_owned(), retry_after: None };
    for changed in [false, true] {
        let mut driven = leaving();
        driven.around.any.object.controls.deletion = Some(unkey_operator_api::DeletionPolicy::Orphan);
        assert_eq!(driven.next(), Ok(Next::Kube(KubeStep::Release(ReleaseProof::Orphaned))));
        let ticket = driven.sent().unwrap();
        driven.replied(ticket, KubeReply::Stale(answer())).unwrap();
        if changed {
            driven.around.any.object.guard.resource_version = "2".to_owned();
        }
        driven.looks();
        assert_eq!(driven.around.any.object_state.refusals.of(KubeWrite::Release).is_some(), !changed);
    }
}
