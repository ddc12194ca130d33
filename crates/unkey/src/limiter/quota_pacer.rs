//! The workspace's limit as Unkey tells it with its answers, and the part of it that is ours. Pure.
//!
//! The server counts calls in a window that slides over wall-clock minutes: a call passes if those of this minute, with it, and
//! the share of the last minute's that is still in the window stay within the limit. Whoever waits for the end of the minute and
//! then bursts is refused again. So calls are spaced evenly, in bursts of a hundredth: with `r` calls a minute and a burst of
//! `b` the server never counts more than `r + 2b` of ours.

use std::time::Duration;

use super::gcra::Gcra;

const MINUTE: Duration = Duration::from_secs(60);
/// No hold is longer: a window later nothing of what was counted is left in it.
const MAX_HOLD: Duration = MINUTE;

/// What the `RateLimit-*` headers of an answer say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls a minute, of everybody in the workspace.
    pub limit: u64,
    /// How many are left now.
    pub remaining: u64,
    /// Until the end of the minute.
    pub reset: Duration,
}

/// What one call told of the workspace's limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuotaReport {
    /// Nothing: there was no answer, or not one of Unkey to a known key.
    #[default]
    Unknown,
    /// The workspace has no limit.
    Unlimited,
    /// The workspace's limit, and what is left of it.
    Limited(RateLimit),
}

#[derive(Clone, Debug)]
pub(super) struct QuotaPacer {
    share: f64,
    told: Option<RateLimit>,
    bucket: Gcra,
    /// Until then the rest is left to the others.
    held_until: Duration,
    /// How often in a row the rest was found to be too small.
    held: u32,
}

impl QuotaPacer {
    /// `share` of the limit is ours, above 0 and at most 1.
    pub(super) fn new(share: f64) -> Self {
        let bucket = Gcra::new(Duration::ZERO, 1);
        Self { share, told: None, bucket, held_until: Duration::ZERO, held: 0 }
    }

    pub(super) fn forget(&mut self) {
        *self = Self::new(self.share);
    }

    /// What the answer to a call that began at `begun` says of the limit.
    pub(super) fn on_response(&mut self, now: Duration, begun: Duration, quota: QuotaReport) {
        let told = match quota {
            QuotaReport::Unknown => return,
            QuotaReport::Limited(told) if told.limit > 0 => told,
            QuotaReport::Unlimited | QuotaReport::Limited(_) => return self.forget(),
        };
        let first = self.told.replace(told).is_none();
        // The last fifth is the others': our calls end where it begins.
        if told.remaining > told.limit / 5 {
            self.held = 0;
        } else if begun >= self.held_until {
            self.held_until = now + hold(told, self.held);
            self.held += 1;
        }
        let (interval, burst) = spacing(told.limit, self.share);
        self.bucket.set(interval, burst);
        if first {
            // What was sent while nobody knew of a limit counts.
            self.bucket.empty(now);
        }
    }

    pub(super) fn told(&self) -> Option<RateLimit> {
        self.told
    }

    pub(super) fn ready_at(&self) -> Duration {
        self.held_until.max(self.bucket.ready_at())
    }

    pub(super) fn bucket(&mut self) -> &mut Gcra {
        &mut self.bucket
    }

    pub(super) fn tokens(&self, now: Duration) -> Option<f64> {
        self.bucket.tokens(now)
    }
}

/// From one call to the next, and how many at once, so that the server never counts more than the share.
#[allow(clippy::cast_precision_loss)] // limits are far below 2^52
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and 10
fn spacing(limit: u64, share: f64) -> (Duration, u32) {
    let ours = limit as f64 * share;
    let burst = (ours / 100.0).clamp(1.0, 10.0) as u32;
    // Of a share of a few calls a minute the bursts would leave nothing.
    let per_minute = (ours - 2.0 * f64::from(burst)).max(ours / 4.0).max(f64::MIN_POSITIVE);
    (Duration::try_from_secs_f64(60.0 / per_minute).unwrap_or(MINUTE * 60).min(MINUTE * 60), burst)
}

/// The window slides by `limit / 60` calls a second: how long until it has slid past what is taken of the last fifth; half as long
/// again each time that it was not enough.
#[allow(clippy::cast_precision_loss)]
fn hold(told: RateLimit, before: u32) -> Duration {
    let taken = (told.limit / 5).saturating_sub(told.remaining) + 1;
    let slid = MINUTE.mul_f64(taken as f64 / told.limit as f64);
    slid.mul_f64(1.5_f64.powi(i32::try_from(before.min(32)).unwrap_or(32))).min(MAX_HOLD)
}
