//! R13's waits.

use proptest::prelude::*;

use super::{Cause, Operation};
use crate::backoff::{MAX_MS, delay};

#[test]
fn bounds() {
    let ceilings = |cause: &Cause| (1..=12).map(|n| delay(cause, n, 0, u16::MAX).expect("a wait")).collect::<Vec<_>>();
    let usual = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, MAX_MS, MAX_MS, MAX_MS];
    assert_eq!(ceilings(&Cause::Unavailable), usual);
    let slow = [30_000, 60_000, 120_000, 240_000, MAX_MS, MAX_MS, MAX_MS, MAX_MS, MAX_MS, MAX_MS, MAX_MS, MAX_MS];
    for cause in [
        Cause::Unauthorized("x".to_owned()),
        Cause::PermissionDenied(Operation::Read),
        Cause::CredentialsMissing("x".to_owned()),
        Cause::Misconfigured("x".to_owned()),
        Cause::Untrusted("x".to_owned()),
    ] {
        assert_eq!(ceilings(&cause), slow, "{cause:?}");
    }
    assert_eq!(delay(&Cause::Rejected("x".to_owned()), 1, 5_000, 0), None, "only a change can help");
}

/// Full jitter: evenly from a tenth of the ceiling to the ceiling.
#[test]
fn the_dice_spread_a_wait_evenly() {
    let at = |jitter| delay(&Cause::Unavailable, 1, 0, jitter);
    assert_eq!([at(0), at(u16::MAX / 3), at(u16::MAX / 3 * 2), at(u16::MAX)], [100, 400, 700, 1_000].map(Some));
}

#[test]
fn the_servers_wish_is_a_floor_with_a_cap() {
    assert_eq!(delay(&Cause::RateLimited, 1, 17_000, 0), Some(17_000));
    assert_eq!(delay(&Cause::RateLimited, 1, 86_400_000, 0), Some(MAX_MS));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_at_once_never_too_long(failures: u32, jitter: u16, asked: u64) {
        let wait = delay(&Cause::Unavailable, failures, asked, jitter).expect("a wait");
        prop_assert!((100..=MAX_MS).contains(&wait));
        prop_assert!(wait >= asked.min(MAX_MS));
    }
}
