//! How long to wait after a failure (R13). Randomness comes in as an argument.

use std::time::Duration;

use super::cause::Cause;

/// First step of the usual backoff.
const FIRST: Duration = Duration::from_secs(1);
/// First step where a person has to fix a key or a setting. Unkey caches a refused key for 10 s and more.
const FIRST_CREDENTIAL: Duration = Duration::from_secs(30);
/// Between tries of what does not converge (R16).
pub const HOUR: Duration = Duration::from_secs(3_600);
/// So many times a difference is set right before it is left alone.
pub(super) const CORRECTIONS: u32 = 3;
/// No other wait is longer.
pub const MAX: Duration = Duration::from_secs(300);

/// The wait before try `failures + 1`: doubling, with full jitter. `jitter` is uniform over all of `u16`.
///
/// `None` if only a change can help. A server's `Retry-After` (`not_before`) is a lower bound, itself capped.
pub fn delay(cause: &Cause, failures: u32, not_before: Option<Duration>, jitter: u16) -> Option<Duration> {
    let first = match cause {
        Cause::Rejected(_) => return None,
        Cause::Contested | Cause::Broken => return Some(HOUR),
        Cause::Unauthorized(_)
        | Cause::PermissionDenied(_)
        | Cause::Unwitnessed
        | Cause::CredentialsMissing(_)
        | Cause::Misconfigured(_)
        | Cause::Untrusted(_) => FIRST_CREDENTIAL,
        _ => FIRST,
    };
    let ceiling = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX);
    // Full jitter, but never at once: a tenth of the ceiling at least.
    let floor = ceiling / 10;
    let jittered = floor + ceiling.saturating_sub(floor) * u32::from(jitter) / u32::from(u16::MAX);
    Some(jittered.max(not_before.unwrap_or_default().min(MAX)))
}
