//! What Unkey answered, and what a failure means for a write.

use std::time::Duration;

use super::cause::Cause;
use super::content::Content;
use super::ids::Mono;

/// What Unkey answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A create was accepted.
    Created {
        /// The new id.
        id: String,
    },
    /// A create was refused: an identity of that externalId exists (409).
    Exists,
    /// A get found an identity.
    Found {
        /// The externalId that the answer names.
        external_id: String,
        /// The id that it names.
        id: String,
        /// What it holds.
        content: Content,
    },
    /// An update was accepted.
    Updated {
        /// The externalId that the answer names.
        external_id: String,
        /// The id that it names.
        id: String,
    },
    /// A delete was accepted.
    Deleted,
    /// There is no such identity: a 404 of Unkey's own.
    Absent,
    /// Something went wrong.
    Failed(Fault),
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it means for a write.
    pub effect: Effect,
    /// Why.
    pub cause: Cause,
    /// How long the server asked to wait; `None`: it did not say.
    pub retry_after: Option<Duration>,
}

/// What a failure means for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It was not sent, or was definitely refused: it had no effect and will have none.
    None,
    /// It was answered with an error of the server: it may have had an effect, and is over.
    Ended,
    /// It was not answered: it may have an effect now or later.
    Unknown,
}

/// The circumstances of an answer.
#[derive(Clone, Copy, Debug)]
pub struct ReplyContext {
    /// When the request began.
    pub begun: Mono,
    /// When the answer was there.
    pub now: Mono,
    /// Uniform over all of `u16`, for jitter.
    pub jitter: u16,
    /// When a call for whatever object last succeeded.
    pub thrives: Option<Mono>,
}
