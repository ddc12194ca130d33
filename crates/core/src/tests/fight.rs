//! R16: how long what comes back is left alone.

use super::steps::{A, B, confirmed, desired, ready};
use super::*;
use crate::CorrectionLimit;
use crate::backoff::HOUR;
use crate::fight::truce;

const LAST: Mono = Mono(5_000);

fn shows(text: &str) -> Seen {
    let content = Content { meta: meta(text), limits: Limits::default() };
    Seen::Ours { begun: LAST, identity: confirmed("id_1"), content }
}

#[test]
fn three_corrections_of_the_same_difference_earn_an_hour() {
    let object = ready().object;
    let found = desired(B).hashes().clone();
    let after = |corrections: u32, found: Option<Applied>, seen: &Seen, now: u64| {
        let fight = CorrectionLimit { generation: 1, found, corrections, last: LAST };
        truce(&object, seen, &ObjectState { fight: Some(fight), ..ObjectState::default() }, Mono(now))
    };
    let until = LAST.after(HOUR);
    let just_before = until.0 - 1;
    let same = || Some(found.clone());
    assert_eq!(after(3, same(), &shows(B), just_before), Some(until));
    assert_eq!(after(3, same(), &shows(B), until.0), None, "the hour is over");
    assert_eq!(after(2, same(), &shows(B), just_before), None);
    assert_eq!(after(3, same(), &shows(r#"{"plan":"c"}"#), just_before), None, "another difference");
    assert_eq!(after(3, same(), &shows(A), just_before), None, "no difference");
    // After a restart nobody knows what it was about.
    assert_eq!(after(3, None, &shows(B), just_before), Some(until));
    assert_eq!(after(3, None, &shows(A), just_before), None);
    let other = Seen::Ours { begun: LAST, identity: confirmed("id_2"), content: Content::default() };
    assert_eq!(after(3, None, &other, just_before), None, "another identity stands there");
}

fn purpose(any: &super::any::Any) -> Purpose {
    match decide(&any.situation()) {
        Step::Call(Call::Update { purpose, .. }) => purpose,
        other => panic!("{other:?}"),
    }
}

/// R16: what the spec asks for anew is no correction, and neither is what no settled look has shown.
#[test]
fn only_what_was_accepted_and_is_seen_to_be_gone_is_corrected() {
    let seen = |text: &str, any: &mut super::any::Any| {
        let content = Content { meta: meta(text), limits: Limits::default() };
        any.known.seen = Seen::Ours { begun: any.now, identity: confirmed("id_1"), content };
    };
    let mut drift = ready();
    drift.object_state.suspicion = true;
    seen(B, &mut drift);
    assert_eq!(purpose(&drift), Purpose::Drift);
    let mut edited = ready();
    (edited.object.generation, edited.object.spec) = (2, Ok(desired(B)));
    seen(A, &mut edited);
    assert_eq!(purpose(&edited), Purpose::Spec);
    edited.object_state.drifted = true;
    assert_eq!(purpose(&edited), Purpose::Drift, "the update that brought it was accepted, and no status shows it");
    edited.known.seen = Seen::Nothing;
    assert_eq!(purpose(&edited), Purpose::Spec);
}
