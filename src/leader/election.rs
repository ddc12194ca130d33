//! Who leads, by one `Lease` that all candidates can see. Pure: no clock, no request.
//!
//! Times are of this process's own monotonic clock. Nothing that another process wrote as a time is looked at: clocks differ. A lease runs
//! out when it has not changed for as long as it says, as seen from here; and its holder stops well before that, counted from the moment at
//! which it *sent* what was its last renewal. So nobody can take it while its holder still acts, whatever the clocks say.

use std::time::Duration;

/// How long things take. `renew` < `lease`, or a leader would act on what is no longer its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A lease that does not change for so long can be taken.
    pub lease: Duration,
    /// Its holder acts no longer than this after it sent its last renewal.
    pub renew: Duration,
    /// From one renewal to the next.
    pub retry: Duration,
    /// From one look at another's lease to the next: how long one that was given back may lie unnoticed.
    pub look: Duration,
}

impl Timing {
    /// The proportions of client-go, of 15 s, 10 s and 2 s; and a look each second.
    pub fn of(lease: Duration) -> Self {
        Self { lease, renew: lease * 2 / 3, retry: lease * 2 / 15, look: lease / 15 }
    }
}

/// What a `Lease` object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `metadata.resourceVersion`
    pub version: String,
    /// `spec.holderIdentity`; `None`: it was released.
    pub holder: Option<String>,
    /// `spec.leaseDurationSeconds`: its holder's word on how long to wait.
    pub lease: Duration,
}

/// The next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Read it.
    Get,
    /// Make it, held by us.
    Create,
    /// Put our name (again) in place of what this version says.
    Hold(String),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It reads so; after a write: as we wrote it.
    Is(Record),
    /// There is none.
    Absent,
    /// Somebody wrote in between.
    Conflict,
    /// No answer, or another error: it may have been carried out.
    Unknown,
}

/// One candidate's view.
#[derive(Debug)]
pub struct Election {
    me: String,
    timing: Timing,
    seen: Seen,
    /// When our last renewal was sent that was answered.
    held: Option<Duration>,
}

#[derive(Debug)]
enum Seen {
    /// Nothing yet.
    Nothing,
    /// Nothing that holds any more: a write of somebody, or of ours, came in between.
    Unsure,
    /// It reads so, since then.
    Is(Record, Duration),
    /// There is none. `held_from`: somebody may act on the one that is gone, for a lease from then on.
    Absent { held_from: Option<Duration> },
}

impl Election {
    /// Of the candidate `me`, a name that no other process has or had.
    pub fn new(me: String, timing: Timing) -> Self {
        Self { me, timing, seen: Seen::Nothing, held: None }
    }

    /// Until when this process may act; `None`: it does not lead.
    pub fn until(&self) -> Option<Duration> {
        Some(self.held? + self.timing.renew)
    }

    /// What to ask now. Anything but a look is worth asking at once.
    pub fn next(&self, now: Duration) -> Ask {
        if self.free_from().is_none_or(|from| now < from) {
            return Ask::Get;
        }
        match &self.seen {
            Seen::Absent { .. } => Ask::Create,
            Seen::Is(record, _) => Ask::Hold(record.version.clone()),
            Seen::Nothing | Seen::Unsure => Ask::Get,
        }
    }

    /// When what was seen can be taken, if nothing else is seen until then; `None`: it has to be looked at first.
    pub fn free_from(&self) -> Option<Duration> {
        match &self.seen {
            Seen::Nothing | Seen::Unsure => None,
            Seen::Absent { held_from } => Some(held_from.map_or(Duration::ZERO, |from| from + self.timing.lease)),
            Seen::Is(record, since) => match &record.holder {
                None => Some(Duration::ZERO),
                Some(holder) if *holder == self.me && self.held.is_some() => Some(Duration::ZERO),
                // The longer of both words: who holds it may be set up otherwise. With our name and not known to be ours, a write went through
                // long after it was given up: whom it took the lease from may not know yet.
                Some(_) => Some(*since + record.lease.max(self.timing.lease)),
            },
        }
    }

    /// Takes in an answer. `sent`: when the request was; `now`: when the answer came.
    pub fn answered(&mut self, ask: &Ask, answer: Answer, sent: Duration, now: Duration) {
        match answer {
            Answer::Is(record) => {
                if record.holder.as_ref() != Some(&self.me) {
                    self.held = None;
                } else if *ask != Ask::Get {
                    self.held = Some(sent);
                }
                let since = match &self.seen {
                    Seen::Is(seen, since) if *seen == record => *since,
                    _ => now,
                };
                self.seen = Seen::Is(record, since);
            }
            // Deleted under its holder, which may not know it yet; who finds none from the start has nobody to wait for.
            Answer::Absent => {
                let held_from = match &self.seen {
                    Seen::Nothing => None,
                    Seen::Absent { held_from } => *held_from,
                    Seen::Is(..) | Seen::Unsure => Some(now),
                };
                self.held = None;
                self.seen = Seen::Absent { held_from };
            }
            // What was seen may be outdated; how long it has been so is not: it is compared with what is read next.
            Answer::Conflict | Answer::Unknown => {
                if *ask != Ask::Get {
                    self.seen = Seen::Unsure;
                }
            }
        }
    }
}
