//! What a workspace was asked: a log of requests and counts. It must not decide anything.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::fault::Faults;
use crate::state::Operation;

/// The log keeps the newest that many, so that a long bench does not fill the memory.
const LOG_ENTRIES: usize = 100_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counts up by one per request of the workspace, from 1.
    pub number: u64,
    /// When it came in, in Unix milliseconds.
    pub at_ms: u64,
    /// What was asked.
    pub operation: Operation,
    /// The identity as the request named it: an id or an externalId; none for a list.
    pub identity: Option<String>,
    /// The externalId that this meant when the request came in, or the name itself when nothing is known by it.
    pub external_id: Option<String>,
    /// The status the API gave, if the operation was handled. A mutation with 200 here is committed.
    pub handled: Option<u16>,
    /// The status on the wire; none while it is pending and when the connection was cut.
    pub answered: Option<u16>,
    /// The fault it met.
    pub fault: Option<String>,
    /// Whether the emulator is through with it.
    pub done: bool,
}

/// How many requests came in, faulted ones too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All.
    pub total: u64,
    /// Per operation.
    pub by_operation: BTreeMap<Operation, u64>,
    /// Per externalId (see [`Entry::external_id`]) and operation.
    pub by_identity: BTreeMap<String, BTreeMap<Operation, u64>>,
    /// Per status on the wire; 0 counts cut connections.
    pub by_status: BTreeMap<u16, u64>,
}

impl Counts {
    /// Requests of that operation.
    pub fn of(&self, operation: Operation) -> u64 {
        self.by_operation.get(&operation).copied().unwrap_or(0)
    }

    /// Requests of that operation on that externalId.
    pub fn on(&self, operation: Operation, external_id: &str) -> u64 {
        self.by_identity.get(external_id).and_then(|counts| counts.get(&operation)).copied().unwrap_or(0)
    }

    /// create, update and delete.
    pub fn writes(&self) -> u64 {
        [Operation::Create, Operation::Update, Operation::Delete].into_iter().map(|operation| self.of(operation)).sum()
    }
}

/// The books of one workspace.
#[derive(Default)]
pub(super) struct Book {
    pub faults: Faults,
    pub log: VecDeque<Entry>,
    pub counts: Counts,
    next: u64,
}

impl Book {
    /// Notes a request that came in; returns its number.
    pub fn open(&mut self, entry: Entry) -> u64 {
        self.next += 1;
        self.counts.total += 1;
        *self.counts.by_operation.entry(entry.operation).or_default() += 1;
        if let Some(external_id) = &entry.external_id {
            let counts = self.counts.by_identity.entry(external_id.clone()).or_default();
            *counts.entry(entry.operation).or_default() += 1;
        }
        if self.log.len() == LOG_ENTRIES {
            self.log.pop_front();
        }
        self.log.push_back(Entry { number: self.next, ..entry });
        self.next
    }

    /// Notes what became of it.
    pub fn update(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        // Pending requests are near the end.
        if let Some(entry) = self.log.iter_mut().rev().find(|entry| entry.number == number) {
            change(entry);
        }
    }

    /// Notes that it is over.
    pub fn close(&mut self, number: u64, answered: Option<u16>) {
        *self.counts.by_status.entry(answered.unwrap_or(0)).or_default() += 1;
        self.update(number, |entry| {
            entry.answered = answered;
            entry.done = true;
        });
    }

    /// Forgets log and counts; the numbers go on.
    pub fn clear(&mut self) {
        self.log.clear();
        self.counts = Counts::default();
    }
}
