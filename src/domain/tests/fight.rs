//! R16: how long what comes back is left alone.

use super::steps::{A, B, confirmed, desired, ready};
use super::*;
use crate::domain::backoff::HOUR_MS;
use crate::domain::fight::{Fight, truce};

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
        let fight = Fight { generation: 1, found, corrections, last: LAST };
        truce(&object, seen, &Visits { fight: Some(fight), ..Visits::default() }, Mono(now))
    };
    let until = LAST.after(HOUR_MS);
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
