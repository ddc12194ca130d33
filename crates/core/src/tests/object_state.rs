//! What many objects have in common, and what is one object's own.

use super::*;
use unkey_operator_api::Reason;

#[test]
fn facts_are_common_and_all_that_has_a_value_is_ones_own() {
    let plain = ObjectState {
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
        ..ObjectState::default()
    };
    assert!(ObjectState::default().is_plain() && plain.is_plain());
    let own: [fn(&mut ObjectState); 11] = [
        |object_state| object_state.maybe_own = Confirmed::from_create(&ExternalId::new("e"), "id_1"),
        |object_state| object_state.rejudge = Some(Reason::Rejected),
        |object_state| object_state.judged = Some(String::new()),
        |object_state| {
            object_state.fight = Some(CorrectionLimit { generation: 1, found: None, corrections: 1, last: Mono::ZERO });
        },
        |object_state| object_state.failures = 1,
        |object_state| object_state.failing_since = Mono(1),
        |object_state| object_state.broken = 1,
        |object_state| object_state.stale = 1,
        |object_state| {
            object_state.stripped = Some(Stripped {
                claim: Claim { hash: ContentHash::parse("v1:ab"), given_up: None },
                generation: 1,
                reconcile_request: None,
                times: 1,
                last: Mono::ZERO,
                by: Stripper::Unasked,
            });
        },
        |object_state| {
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
                reconcile_request: None,
                told: false,
            };
            object_state.refusals = [refusal].into_iter().collect();
        },
        |object_state| {
            object_state.trouble = Some(FailureState {
                cause: Cause::Lag,
                retry_at: None,
                lasting: false,
                generation: 1,
                write: false,
                reconcile_request: None,
                credential: None,
            });
        },
    ];
    for (number, change) in own.into_iter().enumerate() {
        let mut object_state = plain.clone();
        change(&mut object_state);
        assert!(!object_state.is_plain(), "{number}");
    }
}
