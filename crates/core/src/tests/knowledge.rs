//! What this process knows of one externalId: what is in doubt, when a read is settled, what would be missed.

use proptest::prelude::*;

use super::any::{Any, WINDOW, anything, contents, customer, windows};
use super::*;

fn doubt(over: u64, ended: bool, create: Option<&str>) -> UnknownOutcome {
    UnknownOutcome::new(Mono(over), ended, create.map(uid))
}

fn in_flight(what: Write, fields: Option<UncertainFields>) -> Knowledge {
    let sent = InFlight { uid: uid("u"), what, deadline: Mono(500), fields, sent_before: false };
    Knowledge { in_flight: Some(sent), ..Knowledge::default() }
}

fn identity() -> Confirmed {
    Confirmed::from_create(&customer(), "id_1").expect("an id")
}

fn created(noted: bool) -> Knowledge {
    let (identity, applied) = (identity(), Applied::default());
    let last = LastWrite::Created { uid: uid("u"), identity, applied, credential: None, noted };
    Knowledge { last, ..Knowledge::default() }
}

#[test]
fn a_write_under_way_is_in_doubt_until_its_deadline() {
    for (what, create) in [(Write::Create, Some("u")), (Write::Update, None), (Write::Delete, None)] {
        assert_eq!(in_flight(what, None).doubt(), Some(doubt(500, false, create)), "{what:?}");
    }
    assert_eq!(Knowledge::default().doubt(), None);
}

/// All that is in doubt counts together: until the last of it is over, and as answered only if all of it was.
#[test]
fn doubts_add_up() {
    let (ended, open) = (doubt(900, true, None), doubt(100, false, Some("u")));
    for (one, other, both) in [
        (ended.clone(), open.clone(), doubt(900, false, Some("u"))),
        (open, ended.clone(), doubt(900, false, Some("u"))),
        (ended.clone(), doubt(100, true, None), doubt(900, true, None)),
    ] {
        let mut known = Knowledge::default();
        known.add_doubt(one.clone());
        known.add_doubt(other.clone());
        assert_eq!((known.doubt(), &known.assumed), (Some(both.clone()), &None));
        let mut known = Knowledge::default();
        known.assume(one.clone());
        known.assume(other.clone());
        assert_eq!((known.doubt(), &known.doubt), (Some(both.clone()), &None));
        let mut known = Knowledge::default();
        known.assume(one);
        known.add_doubt(other);
        assert_eq!(known.doubt(), Some(both.clone()));
        assert_eq!(known.evidence_from, Evidence::Since(Mono(900)), "R4");
        assert_eq!(known.settle(), Some(both));
        assert_eq!((known.doubt(), known.settle()), (None, None), "a settled read answers all of it");
    }
}

#[test]
fn what_is_in_doubt_is_others_if_nothing_of_ours_is() {
    let assumed = Knowledge { assumed: Some(doubt(1, false, None)), ..Knowledge::default() };
    let ours = Knowledge { doubt: Some(doubt(1, false, None)), ..Knowledge::default() };
    assert!(assumed.doubts_only_others());
    assert!(!Knowledge::default().doubts_only_others() && !ours.doubts_only_others());
    assert!(!Knowledge { doubt: ours.doubt, ..assumed.clone() }.doubts_only_others());
    let sent = in_flight(Write::Update, None);
    assert!(!sent.doubts_only_others());
    assert!(!Knowledge { in_flight: sent.in_flight, ..assumed }.doubts_only_others());
}

#[test]
fn r5_a_field_whose_update_went_unanswered_is_not_known_to_be_accepted() {
    let both = Fields::accepted(Desired::new(customer(), Some(meta("{}")), Some(limits(&[]))).hashes().clone());
    for (of, meta, limits) in
        [("u", true, false), ("u", false, true), ("u", true, true), ("u", false, false), ("v", true, true)]
    {
        let unsure = UncertainFields { uid: uid(of), meta, limits };
        let known = Knowledge { unsure: Some(unsure.clone()), ..Knowledge::default() };
        for known in [known, in_flight(Write::Update, Some(unsure))] {
            let sure = known.sure_of(&uid("u"), both.clone());
            let (meta, limits) = (of == "u" && meta, of == "u" && limits);
            assert_eq!((sure.meta.applied().is_none(), sure.limits.applied().is_none()), (meta, limits), "{known:?}");
            assert!(sure.meta.is_managed() && sure.limits.is_managed(), "R18: not known is not unmanaged");
        }
    }
    let one = Some(UncertainFields { uid: uid("u"), meta: true, limits: false });
    let other = Some(UncertainFields { uid: uid("u"), meta: false, limits: true });
    let known = Knowledge { unsure: one, ..in_flight(Write::Update, other) };
    assert_eq!(known.sure_of(&uid("u"), both.clone()).applied(), Applied::default());
    assert_eq!(Knowledge::default().sure_of(&uid("u"), both.clone()), both);
}

#[test]
fn r4_a_read_is_settled_if_it_began_a_window_after_the_last_evidence() {
    let doubtful = Knowledge { doubt: Some(doubt(500, true, None)), ..Knowledge::default() };
    for (known, evidence) in [
        (Knowledge::default(), 0),
        (Knowledge { evidence_from: Evidence::Since(Mono(700)), ..Knowledge::default() }, 700),
        (doubtful.clone(), 500),
        (Knowledge { evidence_from: Evidence::Since(Mono(700)), ..doubtful }, 700),
        (in_flight(Write::Update, None), 500),
    ] {
        let settled = Mono(evidence).after(WINDOW);
        assert_eq!(known.settles_at(WINDOW), settled);
        for (begun, is_settled) in [(Mono(settled.0 - 1), false), (settled, true)] {
            let (identity, content) = (identity(), Content::default());
            for seen in [
                Seen::Absent { first: Mono::ZERO, last: begun, of: None },
                Seen::Ours { begun, identity, content },
                Seen::Foreign { begun },
            ] {
                let known = Knowledge { seen: seen.clone(), ..known.clone() };
                assert_eq!(known.settled(WINDOW), is_settled.then_some(&seen), "{known:?}");
            }
        }
    }
    assert_eq!(Knowledge::default().settled(Duration::ZERO), None, "nothing was read");
}

#[test]
fn r4_what_was_read_under_one_key_proves_nothing_under_another() {
    let read = Knowledge {
        seen: Seen::Foreign { begun: Mono(9) },
        evidence_from: Evidence::Since(Mono(5)),
        ..Knowledge::default()
    };
    for (now, evidence) in [(Mono(7), Mono(7)), (Mono(3), Mono(5))] {
        let mut known = read.clone();
        known.forget_reads(now);
        assert_eq!(known, Knowledge { evidence_from: Evidence::Since(evidence), ..Knowledge::default() });
    }
}

#[test]
fn what_is_cleared_up_is_owed_no_more() {
    let mut known = created(false);
    known.cleared_up();
    assert_eq!(known, Knowledge::default());
}

#[test]
fn a_create_is_owed_until_it_is_recorded() {
    let doubtful = |create| Knowledge { doubt: Some(doubt(1, false, create)), ..Knowledge::default() };
    let assumed = Knowledge { assumed: Some(doubt(1, false, Some("u"))), ..Knowledge::default() };
    for (what, known, owed) in [
        ("nothing", Knowledge::default(), false),
        ("accepted", created(false), true),
        ("accepted and recorded", created(true), false),
        ("under way", in_flight(Write::Create, None), true),
        ("an update under way", in_flight(Write::Update, None), false),
        ("lost", doubtful(Some("u")), true),
        ("another write lost", doubtful(None), false),
        ("sent by another process", assumed, true),
    ] {
        assert_eq!(known.owes(&uid("u")), owed, "{what}");
        assert!(!known.owes(&uid("v")), "{what}, for another object");
    }
}

#[test]
fn nothing_is_forgotten_while_a_create_is_unrecorded_or_a_write_may_mislead_a_read() {
    let settled = windows(1);
    assert!(Knowledge::default().is_spent(settled, WINDOW) && created(true).is_spent(settled, WINDOW));
    assert!(!created(false).is_spent(settled, WINDOW), "unrecorded");
    assert!(!Knowledge::default().is_spent(Mono::ZERO.after(WINDOW.saturating_sub(ms(1))), WINDOW), "within a window");
    assert!(!in_flight(Write::Update, None).is_spent(settled, WINDOW), "under way");
}

#[test]
fn what_is_recorded_and_past_its_window_makes_no_difference() {
    let later = windows(1);
    assert!(
        Knowledge::default().makes_no_difference(later, WINDOW) && created(true).makes_no_difference(later, WINDOW)
    );
    assert!(
        !Knowledge::default().makes_no_difference(Mono::ZERO.after(WINDOW.saturating_sub(ms(1))), WINDOW),
        "a read may not be settled yet"
    );
    let sent = Knowledge { limits_sent: Some(Mono(1)), ..Knowledge::default() };
    assert!(!sent.makes_no_difference(later, WINDOW) && sent.makes_no_difference(windows(1).after(ms(1)), WINDOW));
    let of = |last| Knowledge { last, ..Knowledge::default() };
    let fields = UncertainFields { uid: uid("u"), meta: true, limits: false };
    for (what, known) in [
        ("a create to record", created(false)),
        ("a delete", of(LastWrite::Deleted { uid: uid("u"), identity: identity() })),
        ("what stands in the way of a create", of(LastWrite::Exists { uid: uid("u") })),
        ("a doubt", Knowledge { doubt: Some(doubt(0, true, None)), ..Knowledge::default() }),
        ("an assumed doubt", Knowledge { assumed: Some(doubt(0, true, None)), ..Knowledge::default() }),
        ("a write under way", in_flight(Write::Update, None)),
        ("a field that is not known", Knowledge { unsure: Some(fields), ..Knowledge::default() }),
        (
            "a row of reads",
            Knowledge { seen: Seen::Absent { first: Mono::ZERO, last: Mono::ZERO, of: None }, ..Knowledge::default() },
        ),
    ] {
        assert!(!known.makes_no_difference(windows(9), WINDOW), "{what}");
    }
}

proptest! {
    /// Forgotten, it changes no decision: neither before the next read nor after it.
    #[test]
    fn to_forget_what_makes_no_difference_makes_none(mut any in anything(), content in contents(), there: bool) {
        // What a scan hands over is settled then, and soon judged.
        any.object_state.sight = None;
        let mut known = Knowledge { doubt: None, assumed: None, ..any.known.clone() };
        if matches!(known.seen, Seen::Absent { .. }) {
            known.seen = Seen::Nothing;
        }
        let now = any.now.after(9 * WINDOW);
        prop_assume!(known.makes_no_difference(now, WINDOW));
        let mut reconcile = [known, Knowledge::default()].map(|known| Any { known, now, ..any.clone() });
        for any in &mut reconcile {
            begin_reconcile(&mut any.known);
            sync_object(&any.object, &mut any.known, &mut any.object_state, &any.policy, any.now);
        }
        prop_assert_eq!(decide(&reconcile[0].situation()), decide(&reconcile[1].situation()));
        for any in &mut reconcile {
            any.known.seen = if there {
                Seen::Ours { begun: now, identity: identity(), content: content.clone() }
            } else {
                Seen::Absent { first: now, last: now, of: None }
            };
            any.known.unwitnessed = None;
        }
        prop_assert_eq!(decide(&reconcile[0].situation()), decide(&reconcile[1].situation()));
    }
}
