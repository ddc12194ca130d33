//! What hold and brake say of deletions. Plain data.

use std::time::Duration;

use crate::ids::Mono;

/// What hold and brake say of a deletion that nothing else stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeletionGate {
    /// It may go.
    #[default]
    Open,
    /// Not before then: a mass is to be seen before its first goes.
    Hold {
        /// The end of the hold.
        until: Mono,
        /// It is so long that the status tells of it.
        is_long: bool,
    },
    /// It is one of too many.
    Held {
        /// Of those.
        episode: Episode,
        /// An hour ahead, RFC 3339: until then an approval may hold.
        approve_until: String,
    },
}

/// Too many deletions: the numbers as they were when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// It spans namespaces; else it is of the object's own.
    pub everywhere: bool,
    /// Deletions that waited or had been sent within the window.
    pub deletions: usize,
    /// Those of them that had been sent.
    pub sent: usize,
    /// So many may be sent within the window.
    pub limit: usize,
    /// Identities that were recorded at most within the window.
    pub recorded: usize,
    /// The window.
    pub window: Duration,
}

/// How many deletions wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deletions that nothing but hold and brake stops.
    pub waiting: usize,
    /// Those of them that an episode holds.
    pub held: usize,
    /// Namespaces with an episode of their own, and one for that of all others.
    pub episodes: usize,
}
