//! How long to wait after a failure (R13). Times in milliseconds; randomness comes in as an argument.

use super::cause::Cause;

/// First step of the usual backoff.
const FIRST_MS: u64 = 1_000;
/// First step where a person has to fix a key or a setting. Unkey caches a refused key for 10 s and more.
const FIRST_CREDENTIAL_MS: u64 = 30_000;
/// Between tries of what does not converge (R16).
pub const HOUR_MS: u64 = 3_600_000;
/// So many times a difference is set right before it is left alone.
pub(super) const CORRECTIONS: u32 = 3;
/// No other wait is longer.
pub const MAX_MS: u64 = 300_000;

/// The wait before try `failures + 1`: doubling, with full jitter. `jitter` is uniform over all of `u16`.
///
/// `None` if only a change can help. A server's `Retry-After` (`not_before_ms`) is a lower bound, itself capped.
pub fn delay(cause: &Cause, failures: u32, not_before_ms: u64, jitter: u16) -> Option<u64> {
    let first = match cause {
        Cause::Rejected(_) => return None,
        Cause::Contested | Cause::Broken => return Some(HOUR_MS),
        Cause::Unauthorized(_)
        | Cause::PermissionDenied(_)
        | Cause::Unwitnessed
        | Cause::CredentialsMissing(_)
        | Cause::Misconfigured(_)
        | Cause::Untrusted(_) => FIRST_CREDENTIAL_MS,
        _ => FIRST_MS,
    };
    let ceiling = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_MS);
    // Full jitter, but never at once: a tenth of the ceiling at least.
    let floor = ceiling / 10;
    let jittered = floor + (ceiling - floor) * u64::from(jitter) / u64::from(u16::MAX);
    Some(jittered.max(not_before_ms.min(MAX_MS)))
}
