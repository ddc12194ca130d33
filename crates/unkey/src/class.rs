//! What a failed call means to whoever made it: what to do about it, and what a write may have done.

use std::time::Duration;

use super::wire::Operation;

/// What to do about a failure. Closed: every failure of every operation is exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Try again with backoff.
    Transient,
    /// Stop all calls of this root key for a while.
    RateLimited {
        /// What the server asked for, from 1 s to 5 min; `None` if it did not say.
        retry_after: Option<Duration>,
    },
    /// The root key is missing, unknown, expired, disabled or its workspace is gone: a person must act; try again slowly.
    Credential,
    /// The root key lacks one permission: a person must act; try again slowly.
    Permission {
        /// The one it lacks.
        which: Permission,
    },
    /// Unkey says that the identity does not exist. Its lookup may lag behind its writes.
    NotFound,
    /// A create met a live identity with this external id.
    Conflict,
    /// The same request will always fail.
    Terminal {
        /// Why, in the server's words: root key removed, control characters escaped, at most about 500 characters.
        why: String,
    },
    /// A write may or may not have happened, and may still happen.
    UnknownOutcome,
    /// Something other than Unkey answers at the API URL, or its certificate is not trusted: a person must act; try again slowly.
    Misconfigured,
}

/// What a failed WRITE may have done. For reads it has no meaning beyond whether the server was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing was sent: it was not an attempt.
    NotSent,
    /// It was refused, so nothing was changed: it was not an attempt.
    Refused,
    /// The attempt is over; it may or may not have been applied.
    Ended,
    /// It may have been applied, and may still be running: until its deadline, nothing later proves anything.
    Unknown,
}

/// A permission of a root key on identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `identity.*.create_identity`
    Create,
    /// `identity.*.read_identity`
    Read,
    /// `identity.*.update_identity`
    Update,
    /// `identity.*.delete_identity`
    Delete,
}

impl Permission {
    /// Its name, as it is given to a root key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "identity.*.create_identity",
            Self::Read => "identity.*.read_identity",
            Self::Update => "identity.*.update_identity",
            Self::Delete => "identity.*.delete_identity",
        }
    }

    /// The one an operation needs.
    pub const fn of(operation: Operation) -> Self {
        match operation {
            Operation::Create => Self::Create,
            Operation::Get | Operation::List => Self::Read,
            Operation::Update => Self::Update,
            Operation::Delete => Self::Delete,
        }
    }
}
