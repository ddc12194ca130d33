//! R13's waits.

use proptest::prelude::*;

use super::{Cause, Duration, Operation, ms};
use crate::backoff::{MAX, delay};

#[test]
fn bounds() {
    let ceilings =
        |cause: &Cause| (1..=12).map(|n| delay(cause, n, None, u16::MAX).expect("a wait")).collect::<Vec<_>>();
    let seconds = |waits: [u64; 12]| waits.map(Duration::from_secs);
    let usual = seconds([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(ceilings(&Cause::Unavailable), usual);
    let slow = seconds([30, 60, 120, 240, 300, 300, 300, 300, 300, 300, 300, 300]);
    for cause in [
        Cause::Unauthorized("x".to_owned()),
        Cause::PermissionDenied(Operation::Read),
        Cause::CredentialsMissing("x".to_owned()),
        Cause::Misconfigured("x".to_owned()),
        Cause::Untrusted("x".to_owned()),
    ] {
        assert_eq!(ceilings(&cause), slow, "{cause:?}");
    }
    assert_eq!(delay(&Cause::Rejected("x".to_owned()), 1, Some(ms(5_000)), 0), None, "only a change can help");
}

/// Full jitter: evenly from a tenth of the ceiling to the ceiling.
#[test]
fn the_dice_spread_a_wait_evenly() {
    let at = |jitter| delay(&Cause::Unavailable, 1, None, jitter);
    assert_eq!([at(0), at(u16::MAX / 3), at(u16::MAX / 3 * 2), at(u16::MAX)], [100, 400, 700, 1_000].map(ms).map(Some));
}

#[test]
fn the_servers_wish_is_a_floor_with_a_cap() {
    assert_eq!(delay(&Cause::RateLimited, 1, Some(ms(17_000)), 0), Some(ms(17_000)));
    assert_eq!(delay(&Cause::RateLimited, 1, Some(ms(86_400_000)), 0), Some(MAX));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_at_once_never_too_long(failures: u32, jitter: u16, asked: Option<Duration>) {
        let wait = delay(&Cause::Unavailable, failures, asked, jitter).expect("a wait");
        prop_assert!((ms(100)..=MAX).contains(&wait));
        prop_assert!(wait >= asked.unwrap_or_default().min(MAX));
    }
}
