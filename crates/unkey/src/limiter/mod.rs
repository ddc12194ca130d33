//! How many requests may be sent to Unkey with one root key, and when. A state machine: no clock, no IO, no queue; who asks waits
//! elsewhere, and time comes in as an argument (since any one moment).
//!
//! | part | bounds |
//! |---|---|
//! | `gcra` | the rate that the flags allow |
//! | `quota_pacer` | our part of the workspace's limit, as the answers tell it |
//! | `adaptive_concurrency` | calls at a time, fewer while Unkey fails or slows down |
//! | `circuit_breaker` | what is refused for a reason that only a person removes |
//!
//! A 429 stops everything for as long as it asks; after that calls go out one by one before they are many again.

mod adaptive_concurrency;
mod circuit_breaker;
mod gcra;
mod quota_pacer;

use std::sync::Arc;
use std::time::Duration;

use self::adaptive_concurrency::{AdaptiveConcurrency, Signal};
use self::circuit_breaker::CircuitBreaker;
use self::gcra::Gcra;
use self::quota_pacer::QuotaPacer;
pub use self::quota_pacer::{QuotaReport, RateLimit};
use super::class::Class;
use super::error::{Error, Fault};
use super::reply::MIN_RETRY_AFTER;
use super::wire::Operation;

/// Permissions can be given for single identities: one refusal does not speak for all.
const REFUSALS_OF_AN_OPERATION: u32 = 3;

/// What the flags allow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Calls at a time.
    pub concurrent: u16,
    /// Calls per second, with a burst of twice as many; 0: as many as Unkey bears.
    pub per_second: u32,
    /// Our part of the workspace's limit: above 0, at most 1.
    pub share: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { concurrent: 16, per_second: 50, share: 0.5 }
    }
}

/// The budget of one root key.
#[derive(Clone, Debug)]
pub struct Budget {
    bounds: Bounds,
    rate: Gcra,
    pace: QuotaPacer,
    flow: AdaptiveConcurrency,
    paused_until: Duration,
    key: CircuitBreaker<Arc<Error>>,
    operations: [CircuitBreaker<Arc<Error>>; Operation::ALL.len()],
}

/// When a call may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Now.
    Now,
    /// Not before that moment.
    At(Duration),
    /// When another one is over.
    AfterAnother,
}

/// A call that is not sent, as Unkey has just refused the like for a reason that only a person removes.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What it answered.
    pub why: Arc<Error>,
    /// Until one call may try again.
    pub wait: Duration,
}

/// A call that was sent.
#[derive(Debug)]
pub struct Sent {
    operation: Operation,
    begun: Duration,
    probes_key: bool,
    probes_operation: bool,
}

/// How things stand, for metrics and readiness.
#[derive(Clone, Debug)]
pub struct LimiterSnapshot {
    /// Calls that may be sent at once by the rates; `None`: any number.
    pub tokens: Option<f64>,
    /// Calls that may wait for an answer at a time.
    pub concurrency: u32,
    /// Calls that do.
    pub in_flight: u32,
    /// What the last answer told of the workspace's limit.
    pub limit: Option<RateLimit>,
    /// A 429 stops everything.
    pub paused: bool,
    /// The last calls were not answered, or by errors of the server.
    pub failing: bool,
    /// Unkey refuses the root key: why.
    pub key: Option<Arc<Error>>,
    /// The operations that it refuses for want of a permission.
    pub operations: Vec<Operation>,
}

impl Budget {
    /// A budget of which nothing is used.
    pub fn new(bounds: Bounds) -> Self {
        let rate = match bounds.per_second {
            0 => Gcra::new(Duration::ZERO, 1),
            rate => Gcra::new(Duration::from_secs(1) / rate, rate.saturating_mul(2)),
        };
        Self {
            bounds,
            rate,
            pace: QuotaPacer::new(bounds.share),
            flow: AdaptiveConcurrency::new(bounds.concurrent),
            paused_until: Duration::ZERO,
            key: CircuitBreaker::new(1),
            operations: std::array::from_fn(|_| CircuitBreaker::new(REFUSALS_OF_AN_OPERATION)),
        }
    }

    /// Another root key comes into use: what was told of the old one says nothing of it. What is under way stays counted.
    pub fn key_changed(&mut self) {
        *self = Self { flow: self.flow.anew(), ..Self::new(self.bounds) };
    }

    /// When the next call may be sent.
    pub fn ready(&self, now: Duration) -> Ready {
        let at = self.paused_until.max(self.pace.ready_at()).max(self.rate.ready_at());
        match at > now {
            true => Ready::At(at),
            false if self.flow.is_full() => Ready::AfterAnother,
            false => Ready::Now,
        }
    }

    /// True if nothing may be sent for longer than the rates account for: a 429 said so.
    pub fn is_paused(&self, now: Duration) -> bool {
        now < self.paused_until
    }

    /// Takes what one call needs.
    pub fn reserve(&mut self, now: Duration) {
        self.rate.take(now);
        self.pace.bucket().take(now);
        self.flow.begins();
    }

    /// It was not used: nothing was sent.
    pub fn refund(&mut self) {
        self.rate.give_back();
        self.pace.bucket().give_back();
        self.flow.over();
    }

    /// Sends a call with what was taken for it, unless it would be refused: then why. Give back what was taken in that case.
    pub fn sends(&mut self, now: Duration, operation: Operation) -> Result<Sent, Refusal> {
        let own = &mut self.operations[index(operation)];
        if let Some((why, next)) = self.key.rejects(now).or_else(|| own.rejects(now)) {
            return Err(Refusal { why: Arc::clone(why), wait: next.saturating_sub(now) });
        }
        let (probes_key, probes_operation) = (self.key.on_send(), own.on_send());
        Ok(Sent { operation, begun: now, probes_key, probes_operation })
    }

    /// It was dropped without an answer.
    pub fn cancel(&mut self, sent: &Sent) {
        self.flow.over();
        self.probe_is_lost(sent);
    }

    fn probe_is_lost(&mut self, sent: &Sent) {
        if sent.probes_key {
            self.key.on_lost_probe();
        }
        if sent.probes_operation {
            self.operations[index(sent.operation)].on_lost_probe();
        }
    }

    /// It was answered, or failed.
    pub fn on_response(&mut self, now: Duration, sent: &Sent, error: Option<&Arc<Error>>, quota: QuotaReport) {
        self.flow.over();
        self.pace.on_response(now, sent.begun, quota);
        let own = &mut self.operations[index(sent.operation)];
        let Some(error) = error else {
            self.key.on_success();
            own.on_success();
            self.flow.on_response(now, sent.begun, Signal::Fine);
            return;
        };
        match error.class() {
            Class::Credential if error.status().is_some() => {
                self.key.on_refusal(now, Arc::clone(error), sent.probes_key);
                // What was a probe of the operation too has learned nothing of it.
                if sent.probes_operation {
                    own.on_lost_probe();
                }
            }
            Class::Permission { .. } => {
                self.key.on_success();
                own.on_refusal(now, Arc::clone(error), sent.probes_operation);
            }
            Class::RateLimited { retry_after } => {
                let pause = retry_after.unwrap_or(MIN_RETRY_AFTER);
                self.paused_until = self.paused_until.max(now + pause);
                self.rate.empty(self.paused_until);
                self.pace.bucket().empty(self.paused_until);
                self.flow.on_response(now, sent.begun, Signal::TooOften);
                self.probe_is_lost(sent);
            }
            Class::Transient | Class::UnknownOutcome | Class::Credential | Class::Misconfigured => {
                // Of a page that is too large the size is to blame, not the load.
                let too_large = matches!(error.fault(), Fault::TooLarge { .. } | Fault::Unreadable { .. });
                if !too_large && sent.operation != Operation::List {
                    self.flow.on_response(now, sent.begun, Signal::Failed);
                }
                self.probe_is_lost(sent);
            }
            Class::NotFound | Class::Conflict | Class::Terminal { .. } => {
                self.key.on_success();
                own.on_success();
                self.flow.on_response(now, sent.begun, Signal::Fine);
            }
        }
    }

    /// How things stand.
    pub fn standing(&self, now: Duration) -> LimiterSnapshot {
        let tokens = [self.rate.tokens(now), self.pace.tokens(now)].into_iter().flatten().reduce(f64::min);
        let refused = |operation: &Operation| self.operations[index(*operation)].why().is_some();
        LimiterSnapshot {
            tokens: if self.is_paused(now) { Some(0.0) } else { tokens },
            concurrency: self.flow.allowed(),
            in_flight: self.flow.in_flight(),
            limit: self.pace.told(),
            paused: self.is_paused(now),
            failing: self.flow.is_failing(),
            key: self.key.why().cloned(),
            operations: Operation::ALL.into_iter().filter(refused).collect(),
        }
    }
}

/// The place of an operation in [`Operation::ALL`].
const fn index(operation: Operation) -> usize {
    match operation {
        Operation::Create => 0,
        Operation::Get => 1,
        Operation::Update => 2,
        Operation::Delete => 3,
        Operation::List => 4,
    }
}

#[cfg(test)]
mod tests;
