//! Stops asking what is refused for a reason that only a person can remove; asks again with one probe at a time. Pure.

use std::time::Duration;

/// Unkey holds on to a refusal of a key for 10 s and more.
const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(60);

/// `R` says why it is refused.
#[derive(Clone, Debug)]
pub(super) struct CircuitBreaker<R> {
    /// So many refusals in a row open it.
    opens_at: u32,
    state: State<R>,
}

#[derive(Clone, Debug)]
enum State<R> {
    /// All calls pass. So many in a row were refused.
    Closed { refusals: u32 },
    /// No call passes before its time; then one does, as a probe.
    Open(Refused<R>),
    /// The probe is on its way; no other call passes.
    HalfOpen(Refused<R>),
}

#[derive(Clone, Debug)]
struct Refused<R> {
    why: R,
    wait: Duration,
    /// When it is time for a probe.
    next: Duration,
}

impl<R: Clone> CircuitBreaker<R> {
    pub(super) fn new(opens_at: u32) -> Self {
        Self { opens_at, state: State::Closed { refusals: 0 } }
    }

    /// Why no call passes now, and when it is time for a probe; `None`: one may be sent.
    pub(super) fn rejects(&self, now: Duration) -> Option<(&R, Duration)> {
        match &self.state {
            State::Open(refused) if now < refused.next => Some((&refused.why, refused.next)),
            State::HalfOpen(refused) => Some((&refused.why, refused.next)),
            State::Open(_) | State::Closed { .. } => None,
        }
    }

    /// Why calls are refused; `None`: it is closed.
    pub(super) fn why(&self) -> Option<&R> {
        match &self.state {
            State::Open(refused) | State::HalfOpen(refused) => Some(&refused.why),
            State::Closed { .. } => None,
        }
    }

    /// A call is sent. True if it is the probe.
    pub(super) fn on_send(&mut self) -> bool {
        let State::Open(refused) = &self.state else { return false };
        self.state = State::HalfOpen(refused.clone());
        true
    }

    /// The probe was not answered: the next call is one.
    pub(super) fn on_lost_probe(&mut self) {
        if let State::HalfOpen(refused) = &self.state {
            self.state = State::Open(refused.clone());
        }
    }

    /// A call was answered, and not refused.
    pub(super) fn on_success(&mut self) {
        self.state = State::Closed { refusals: 0 };
    }

    /// A call was refused; `probe`: it was the probe.
    pub(super) fn on_refusal(&mut self, now: Duration, why: R, probe: bool) {
        let wait = match &self.state {
            State::Open(refused) | State::HalfOpen(refused) if probe => (refused.wait * 2).min(LONGEST),
            // Sent before it opened.
            State::Open(_) | State::HalfOpen(_) => return,
            State::Closed { refusals } if refusals + 1 < self.opens_at => {
                self.state = State::Closed { refusals: refusals + 1 };
                return;
            }
            State::Closed { .. } => FIRST,
        };
        self.state = State::Open(Refused { why, wait, next: now + wait });
    }
}
