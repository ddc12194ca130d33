//! What was asked: one entry for each request, in the order in which they came. It must not decide anything.

use std::time::Instant;

use super::request::Asked;

/// One request.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Counts up by one per request, from 1.
    pub number: u64,
    /// When its last byte came in.
    pub at: Instant,
    /// What was asked.
    pub asked: Asked,
    /// Path and query as they came.
    pub uri: String,
    /// The body as it came.
    pub body: Vec<u8>,
    /// The status that the API server gave, if it was asked. A write with 2xx here is committed.
    pub handled: Option<u16>,
    /// The status on the wire; none while it is pending and when the connection was cut.
    pub answered: Option<u16>,
    /// The fault it met.
    pub fault: Option<u64>,
    /// Events passed on, of a watch.
    pub events: u64,
    /// Whether the proxy is through with it. A watch is when it has ended.
    pub done: bool,
}

impl Entry {
    /// Whether it has changed what the API server holds.
    pub fn is_committed(&self) -> bool {
        self.asked.is_write() && self.handled.is_some_and(|status| (200..300).contains(&status))
    }
}
