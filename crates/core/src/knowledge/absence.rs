//! A read that found nothing, and its witness (R19).

use std::time::Duration;

use super::{Knowledge, Seen};
use crate::ids::Mono;
use crate::witness::{Testimony, Witness};

impl Knowledge {
    /// A read that was answered now found nothing, and waits for its witness.
    pub fn saw_nothing(&mut self, absent: Seen, now: Mono) {
        self.seen = absent;
        (self.unwitnessed, self.tentative) = (Some(now), None);
    }

    /// Takes in what is known of the witness: a read that found nothing counts from now on, or has to be made again (R19). `leaving`: for an
    /// object that is being deleted, or gone.
    pub fn hear_witness(&mut self, witness: &Witness, window: Duration, leaving: bool) {
        if leaving && let Some(ended) = self.take_back_tentative() {
            self.unwitnessed.get_or_insert(ended);
        }
        let Some(ended) = self.unwitnessed else { return };
        let testimony = witness.of(leaving).testimony(ended);
        match testimony {
            Testimony::None => {}
            Testimony::Counts | Testimony::CountsForStaying => {
                self.unwitnessed = None;
                let settles = matches!(self.settled(window), Some(Seen::Absent { .. }));
                let doubt = if settles { self.settle() } else { None };
                let for_all = witness.of(true).testimony(ended) == Testimony::Counts;
                self.tentative = (!for_all).then_some((ended, doubt));
            }
            Testimony::Void => {
                self.unwitnessed = None;
                if matches!(self.seen, Seen::Absent { .. }) {
                    self.seen = Seen::Nothing;
                }
            }
        }
    }

    /// What was only settled for an object that stays is in doubt again. Returns when that read was answered.
    pub fn take_back_tentative(&mut self) -> Option<Mono> {
        let (ended, doubt) = self.tentative.take()?;
        if let Some(doubt) = doubt {
            self.add_doubt(doubt);
        }
        Some(ended)
    }

    /// True if the last read found nothing and no witness has shown that this counts.
    pub fn lacks_witness(&self) -> bool {
        self.unwitnessed.is_some() && matches!(self.seen, Seen::Absent { .. })
    }
}
