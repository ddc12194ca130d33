//! Whether what Unkey does not show may be taken for absent (R19). Pure: the controller asks.
//!
//! Unkey may answer a root key that lacks a permission as if the identity did not exist, and leave out of its lists what the key may
//! not read. Such a key makes every workspace look empty. So a read that finds nothing counts only with a *witness*: a later read
//! with the same root key that shows any identity of the workspace, whoever made it.

use super::cause::Cause;
use super::ids::Mono;

/// What is known of the root key in use: when it last showed an identity, and when it was last asked in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// When the latest read began that showed an identity.
    shown: Option<Mono>,
    /// When the latest look ended that showed none, and why.
    missed: Option<(Mono, Cause)>,
    /// When the latest look began and ended that showed none, so that the permission to create stood in, though identities are recorded
    /// whose objects stay: they should have shown.
    stood_in: Option<(Mono, Mono)>,
}

/// What a witness says of a read that found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Testimony {
    /// Nothing yet.
    None,
    /// It counts.
    Counts,
    /// It counts for an object that stays: if what is missing was only hidden, a create says so, and it is taken back (R9).
    CountsForStaying,
    /// It never will: a look after it was in vain. The permission may be back since; the read has to be made again.
    Void,
}

impl Witness {
    /// A read that began then has shown an identity.
    pub fn shown(&mut self, begun: Mono) {
        self.shown = self.shown.max(Some(begun));
    }

    /// A look that ended then has shown none.
    pub fn missed(&mut self, ended: Mono, cause: Cause) {
        self.missed = Some((ended, cause));
    }

    /// A look that began and ended then has shown none. The permission to create stood in, though recorded identities should have shown.
    pub fn stands_in(&mut self, begun: Mono, ended: Mono) {
        self.stood_in = Some((begun, ended));
    }

    /// What it is to an object that stays, or to one that is leaving: nothing stands in for the proof that lets that one go.
    pub fn of(&self, leaving: bool) -> Self {
        let Some((_, ended)) = self.stood_in.filter(|_| leaving) else { return self.clone() };
        let mut witness = Self { stood_in: None, ..self.clone() };
        if !witness.was_vain_since(ended) {
            witness.missed(ended, Cause::Unwitnessed);
        }
        witness
    }

    /// What it says of a read that found nothing and was answered at `ended`.
    pub fn testimony(&self, ended: Mono) -> Testimony {
        let shown = self.shown.is_some_and(|begun| begun > ended);
        let stood_in = self.stood_in.is_some_and(|(begun, _)| begun > ended);
        if !shown && !stood_in {
            Testimony::None
        } else if self.was_vain_since(ended) {
            Testimony::Void
        } else if shown {
            Testimony::Counts
        } else {
            Testimony::CountsForStaying
        }
    }

    /// True if a look ended in vain at `ended` or later.
    pub fn was_vain_since(&self, ended: Mono) -> bool {
        self.missed.as_ref().is_some_and(|(missed, _)| *missed >= ended)
    }

    /// Why the latest look was in vain, if nothing has been shown since.
    pub fn blind(&self) -> Option<&Cause> {
        let (missed, cause) = self.missed.as_ref()?;
        let latest = self.shown.max(self.stood_in.map(|(begun, _)| begun));
        latest.is_none_or(|begun| begun <= *missed).then_some(cause)
    }

    /// True if the latest look was answered and showed nothing, and nothing has been shown since. A look that failed tells of Unkey or of
    /// the way there, and not of what the root key may see.
    pub fn shows_nothing(&self) -> bool {
        matches!(self.blind(), Some(Cause::Unwitnessed | Cause::PermissionDenied(_)))
    }
}
