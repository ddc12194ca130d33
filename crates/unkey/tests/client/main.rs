//! The Unkey client against servers that answer badly, slowly, or not at all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking, and its name is its documentation"
)]

mod answers;
mod credentials;
mod secrecy;
mod server;
mod support;
mod transport;
