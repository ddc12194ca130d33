//! Whether the whole resource type is being removed (R10). Pure: the controller makes the reads.
//!
//! Identities stay in Unkey when the type goes, so a wrong "it goes" leaves an identity behind for ever. A definition that exists says so itself, by
//! its deletionTimestamp. One that is not there is not believed at first sight: a second read, a consistency window later, has to agree.

use std::hash::{Hash, Hasher};

use super::ids::Mono;

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

/// What is known of our CustomResourceDefinition in this pass.
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
    /// When the first read began that found none; no read has found one since.
    missing_since: Option<Mono>,
}

impl CrdMemory {
    /// Takes in a read that began at `begun`. `window`: the consistency window in milliseconds.
    pub fn sees(&mut self, sight: CrdSight, begun: Mono, window: u64) -> Crd {
        let before = self.missing_since.take();
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

    /// All of it, for a model checker that tells states apart: `time` says what matters of a moment.
    pub fn fingerprint<H: Hasher>(&self, time: impl Fn(Mono) -> i64, hasher: &mut H) {
        let Self { missing_since } = self;
        missing_since.map(time).hash(hasher);
    }
}
