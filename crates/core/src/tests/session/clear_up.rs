//! A session that clears up after an object that is gone: it looks for heirs, and owes nothing afterwards.

use super::super::steps::created;
use super::*;

/// Over an object that went in the middle of its create.
fn clearing_up(change: fn(&mut Any)) -> Driven {
    let mut any = ready();
    any.object.recorded = PriorStatus::Nothing;
    any.known.last = created("id_1");
    change(&mut any);
    let mut driven = Driven::over(any.clone());
    driven.session = Session::clear_up(uid("u"), Arc::new(any.policy.clone()), any.crd, &mut any.known);
    driven
}

/// One that clears up looks for the object and for others of its externalId first, and again after a wait.
#[test]
fn who_clears_up_looks_for_heirs() {
    let mut driven = clearing_up(|_| {});
    assert_eq!(driven.next(), Ok(Next::LookForEnd));
    let ticket = driven.sent().unwrap();
    driven.replied(ticket, KubeReply::Ended { successors: false }).unwrap();
    assert_eq!(driven.next(), Ok(delete()));
    driven.session.granted(true);
    assert_eq!(driven.next(), Ok(Next::LookForEnd));
    let ticket = driven.sent().unwrap();
    driven.replied(ticket, KubeReply::Lives).unwrap();
    assert_eq!(driven.next(), Ok(Next::End(End::Lives)));
}

/// What is left to its successors is owed no more, and nobody looks after it again.
#[test]
fn what_is_cleared_up_is_owed_no_more() {
    let mut driven = clearing_up(|any| any.object_state.claimed_here = true);
    driven.next().unwrap();
    let ticket = driven.sent().unwrap();
    assert!(driven.around.any.known.owes(&uid("u")));
    driven.replied(ticket, KubeReply::Ended { successors: true }).unwrap();
    assert_eq!(driven.next(), Ok(Next::End(End::Done)));
    assert!(!driven.around.any.known.owes(&uid("u")));
}
