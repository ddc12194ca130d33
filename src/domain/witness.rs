//! Whether what Unkey does not show may be taken for absent (R19). Pure: the controller asks.
//!
//! Unkey may answer a root key that lacks a permission as if the identity did not exist, and leave out of its lists what the key may
//! not read. Such a key makes every workspace look empty. So a read that finds nothing counts only with a *witness*: a later read
//! with the same root key that shows any identity of the workspace, whoever made it.

use super::ids::Mono;
use super::report::Cause;

/// What is known of the root key in use: when it last showed an identity, and when it was last asked in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// When the latest read began that showed an identity.
    shown: Option<Mono>,
    /// When the latest look ended that showed none, and why.
    missed: Option<(Mono, Cause)>,
}

/// What a witness says of a read that found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Testimony {
    /// Nothing yet.
    None,
    /// It counts.
    Counts,
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

    /// What it says of a read that found nothing and was answered at `ended`.
    pub fn testimony(&self, ended: Mono) -> Testimony {
        if self.shown.is_none_or(|begun| begun <= ended) {
            Testimony::None
        } else if self.was_vain_since(ended) {
            Testimony::Void
        } else {
            Testimony::Counts
        }
    }

    /// True if a look ended in vain at `ended` or later.
    pub fn was_vain_since(&self, ended: Mono) -> bool {
        self.missed.as_ref().is_some_and(|(missed, _)| *missed >= ended)
    }

    /// Why the latest look was in vain, if nothing has been shown since.
    pub fn blind(&self) -> Option<&Cause> {
        let (missed, cause) = self.missed.as_ref()?;
        self.shown.is_none_or(|begun| begun <= *missed).then_some(cause)
    }

    /// True if the latest look was answered and showed nothing, and nothing has been shown since. A look that failed tells of Unkey or of
    /// the way there, and not of what the root key may see.
    pub fn shows_nothing(&self) -> bool {
        matches!(self.blind(), Some(Cause::Unwitnessed | Cause::PermissionDenied(_)))
    }
}
