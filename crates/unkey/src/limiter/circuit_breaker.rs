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
    row: u32,
    open: Option<Open<R>>,
}

#[derive(Clone, Debug)]
struct Open<R> {
    why: R,
    wait: Duration,
    next: Duration,
    probing: bool,
}

impl<R: Clone> CircuitBreaker<R> {
    pub(super) fn new(opens_at: u32) -> Self {
        Self { opens_at, row: 0, open: None }
    }

    /// Why nothing is asked, and when it is time for a probe; `None`: now.
    pub(super) fn refuses(&self, now: Duration) -> Option<(&R, Duration)> {
        self.open.as_ref().filter(|open| open.probing || now < open.next).map(|open| (&open.why, open.next))
    }

    /// Why it is open, if it is.
    pub(super) fn why(&self) -> Option<&R> {
        self.open.as_ref().map(|open| &open.why)
    }

    /// One is sent. True if it is the probe.
    pub(super) fn begins(&mut self) -> bool {
        self.open.as_mut().is_some_and(|open| !std::mem::replace(&mut open.probing, true))
    }

    /// The probe was not answered: the next call is one.
    pub(super) fn probe_is_lost(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }

    /// One was answered, and not refused.
    pub(super) fn passes(&mut self) {
        (self.row, self.open) = (0, None);
    }

    /// One was refused; `probe`: it was the probe.
    pub(super) fn is_refused(&mut self, now: Duration, why: R, probe: bool) {
        match &mut self.open {
            Some(open) if probe => {
                let wait = (open.wait * 2).min(LONGEST);
                *open = Open { why, wait, next: now + wait, probing: false };
            }
            // Sent before it opened.
            Some(_) => {}
            None => {
                self.row += 1;
                if self.row >= self.opens_at {
                    self.open = Some(Open { why, wait: FIRST, next: now + FIRST, probing: false });
                }
            }
        }
    }
}
