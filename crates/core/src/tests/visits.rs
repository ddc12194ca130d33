//! What many objects have in common, and what is one object's own.

use super::*;
use unkey_operator_api::Reason;

#[test]
fn facts_are_common_and_all_that_has_a_value_is_ones_own() {
    let plain = Visits {
        seen_before: true,
        met_deleting: true,
        claimed_here: true,
        claim_met: true,
        undone_met: true,
        settling_met: true,
        drifted: true,
        sent: true,
        met_exists: true,
        keeping: true,
        suspicion: true,
        credential: Some(Some("key".to_owned())),
        ..Visits::default()
    };
    assert!(Visits::default().is_plain() && plain.is_plain());
    let own: [fn(&mut Visits); 11] = [
        |visits| visits.maybe_own = Confirmed::from_create(&ExternalId::new("e"), "id_1"),
        |visits| visits.rejudge = Some(Reason::Rejected),
        |visits| visits.judged = Some(String::new()),
        |visits| visits.fight = Some(Fight { generation: 1, found: None, corrections: 1, last: Mono::ZERO }),
        |visits| visits.failures = 1,
        |visits| visits.failing_since = Mono(1),
        |visits| visits.broken = 1,
        |visits| visits.stale = 1,
        |visits| {
            visits.stripped = Some(Stripped {
                claim: Claim { hash: ContentHash::parse("v1:ab"), given_up: None },
                generation: 1,
                poke: None,
                times: 1,
                last: Mono::ZERO,
                by: Stripper::Unasked,
            });
        },
        |visits| {
            let refusal = Refusal {
                write: KubeWrite::Claim,
                code: 403,
                words: String::new(),
                latest: String::new(),
                failures: 1,
                tried_at: Mono::ZERO,
                retry_at: Mono::ZERO,
                version: String::new(),
                generation: 1,
                poke: None,
                told: false,
            };
            visits.refusals = [refusal].into_iter().collect();
        },
        |visits| {
            visits.trouble = Some(Trouble {
                cause: Cause::Lag,
                retry_at: None,
                lasting: false,
                generation: 1,
                write: false,
                poke: None,
                credential: None,
            });
        },
    ];
    for (number, change) in own.into_iter().enumerate() {
        let mut visits = plain.clone();
        change(&mut visits);
        assert!(!visits.is_plain(), "{number}");
    }
}
