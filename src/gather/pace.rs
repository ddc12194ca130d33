//! Asks Unkey no faster than the user allows, and again where that may help: what failed for a moment, and what came too soon.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{Cause, backoff};
use crate::unkey::{self, Class};

/// So often one request is tried.
const TRIES: u32 = 4;
/// No answer makes a command wait for longer than that.
const LONGEST: Duration = Duration::from_secs(60);

/// When the next request may go.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    next: Instant,
    /// How long the last one took.
    took: Duration,
    /// Requests that were sent so far.
    sent: usize,
}

impl Pace {
    /// `per_second`: requests; 0 for no maximum.
    pub fn new(per_second: u32) -> Self {
        let every = if per_second == 0 { Duration::ZERO } else { Duration::from_secs(1) / per_second };
        Self { every, next: Instant::now(), took: Duration::ZERO, sent: 0 }
    }

    /// Requests that were sent so far.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// How long the last request took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Sends one request, in its time; again after a failure that may pass.
    pub async fn ask<T>(
        &mut self,
        mut request: impl AsyncFnMut() -> Result<T, unkey::Error>,
    ) -> Result<T, unkey::Error> {
        let mut failures = 0;
        loop {
            tokio::time::sleep_until(self.next).await;
            self.next = self.next.max(Instant::now()) + self.every;
            self.sent += 1;
            let begun = Instant::now();
            let answer = request().await;
            self.took = begun.elapsed();
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            let wait = match error.class() {
                Class::RateLimited { retry_after } => {
                    backoff::delay(&Cause::RateLimited, failures, retry_after, fastrand::u16(..))
                }
                Class::Transient | Class::UnknownOutcome if !error.may_be_too_much() => {
                    backoff::delay(&Cause::Unavailable, failures, None, fastrand::u16(..))
                }
                _ => None,
            };
            match wait {
                Some(wait) if failures < TRIES => tokio::time::sleep(wait.min(LONGEST)).await,
                _ => return Err(error),
            }
        }
    }
}
