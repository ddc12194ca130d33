//! Whether the whole resource type is being removed (R10). Pure: the controller makes the reads.
//!
//! Identities stay in Unkey when the type goes, so a wrong "it goes" leaves an identity behind for ever. A definition that exists says so itself, by
//! its deletionTimestamp. One that is not there is not believed at first sight: a second read, a consistency window later, has to agree. A first read
//! that is long past agrees with none: whoever made it may never have come back, and two wrong answers hours apart prove nothing.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::ids::Mono;

/// A first look counts for so many windows, and for no less than this: the second one waits for its turn as any other request does.
const COUNTS_WINDOWS: u32 = 4;
const COUNTS: Duration = Duration::from_secs(60);

/// What one uncached read shows of our CustomResourceDefinition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrdSight {
    /// It exists and is not being deleted.
    Stays,
    /// It has a deletionTimestamp.
    Going,
    /// The API server says that there is none.
    Missing,
    /// The operator may not read it.
    Hidden,
}

/// What is known of our CustomResourceDefinition in this reconcile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Crd {
    /// It is not looked at: namespaced mode, where the operator has no right to.
    Unguarded,
    /// Not looked at yet.
    #[default]
    Unseen,
    /// It is there to stay.
    Stays,
    /// It is being deleted, and every object with it.
    Going,
    /// It seems to be gone. Another look is due at that moment.
    Doubtful(Mono),
    /// The operator may not read it.
    Hidden,
}

/// What this process has seen of the definition so far. One per process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrdMemory {
    /// When the first read began that found none; no read has found one since. It counts for a while.
    missing_since: Option<Mono>,
}

impl CrdMemory {
    /// Takes in a read that began at `begun`. `window`: the consistency window.
    pub fn sees(&mut self, sight: CrdSight, begun: Mono, window: Duration) -> Crd {
        let before = self.counts(begun, window);
        self.missing_since = None;
        match sight {
            CrdSight::Stays => Crd::Stays,
            CrdSight::Going => Crd::Going,
            CrdSight::Hidden => Crd::Hidden,
            CrdSight::Missing => {
                let first = before.unwrap_or(begun);
                self.missing_since = Some(first);
                let again = first.after(window);
                if begun >= again && before.is_some() { Crd::Going } else { Crd::Doubtful(again) }
            }
        }
    }

    /// The first look that found none, if it counts at that moment.
    fn counts(&self, now: Mono, window: Duration) -> Option<Mono> {
        let ends = COUNTS.max(window.saturating_mul(COUNTS_WINDOWS));
        self.missing_since.filter(|first| now <= first.after(ends))
    }

    /// All of it that matters from `now` on, for a model checker that tells states apart: how old a look is that counts.
    pub fn fingerprint<H: Hasher>(&self, now: Mono, window: Duration, hasher: &mut H) {
        // Taken apart, so that a further field does not compile until somebody has decided about it.
        let Self { missing_since: _ } = self;
        self.counts(now, window).map(|first| first.until(now)).hash(hasher);
    }
}
