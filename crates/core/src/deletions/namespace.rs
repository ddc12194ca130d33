//! The account of the deletions of one namespace. Plain data.

use std::collections::{HashMap, HashSet};

use super::gate::Episode;
use super::recorded::Recorded;
use crate::ids::{Mono, ObjectKey, Uid};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) waiting: usize,
    pub(super) sent: usize,
    pub(super) kept: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Namespace {
    pub(super) recorded: Recorded,
    pub(super) waiting: HashMap<Uid, Waiting>,
    pub(super) sent: HashMap<Uid, Mono>,
    /// What left the episode that holds its deletions without an approval.
    pub(super) kept: HashSet<Uid>,
    pub(super) episode: Option<Episode>,
    /// The episode that holds its deletions was told of.
    pub(super) told: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) name: String,
    pub(super) since: Mono,
}

impl Namespace {
    /// No episode holds its deletions any more. They are held anew for a while: whoever ended it may still be at work.
    pub(super) fn ends(&mut self, namespace: &str, now: Mono, woken: &mut Vec<ObjectKey>) {
        self.told = false;
        self.kept.clear();
        for waiting in self.waiting.values_mut() {
            waiting.since = now;
            woken.push(ObjectKey { namespace: namespace.to_owned(), name: waiting.name.clone() });
        }
    }

    pub(super) fn tally(&self) -> Tally {
        Tally { waiting: self.waiting.len(), sent: self.sent.len(), kept: self.kept.len() }
    }
}

impl Tally {
    /// Those that count for the beginning of an episode.
    pub(super) fn all(self) -> usize {
        self.waiting + self.sent
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.waiting += other.waiting;
        self.sent += other.sent;
        self.kept += other.kept;
    }
}

impl std::ops::SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.waiting -= other.waiting;
        self.sent -= other.sent;
        self.kept -= other.kept;
    }
}
