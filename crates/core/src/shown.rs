//! What the conditions of a status show.

use unkey_operator_api::{Reason, StatusCause};

/// What the conditions show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools)] // each is a fact that a status tells
pub struct Shown {
    /// `Ready` is True.
    pub ready: bool,
    /// `Stalled` is True.
    pub stalled: bool,
    /// `Suspended` is True.
    pub suspended: bool,
    /// Reason of `Ready`; `None`: not one of ours.
    pub reason: Option<Reason>,
    /// The cause, if the reason stands for several.
    pub cause: Option<StatusCause>,
    /// The status names the cause itself. One of 0.1 does not; then it is taken from its message.
    pub names_cause: bool,
    /// Message of `Ready`: for people. Nothing is decided by it.
    pub message: String,
}

impl Shown {
    /// True if no work was under way when it was written.
    pub(super) fn rests(&self) -> bool {
        rests(self.ready, self.stalled, self.suspended, self.reason)
    }
}

/// What does not converge is tried again, so that an update of it may have gone out.
pub(crate) fn rests(ready: bool, stalled: bool, suspended: bool, reason: Option<Reason>) -> bool {
    let observes = reason.is_some_and(Reason::is_observing);
    ready || suspended || observes || (stalled && reason != Some(Reason::NotConverging))
}
