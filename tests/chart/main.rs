//! The Helm chart: what it renders, what its schema refuses, what the real API server makes of it, and its life from install to
//! uninstall, with the two helms that people use. Pods run in `running` only; elsewhere there is no node.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

mod accepted;
mod arguments;
mod definition;
mod described;
mod examples;
#[path = "../support/golden.rs"]
mod generated;
mod golden;
mod harness;
mod life;
mod permissions;
mod policies;
mod refused;
mod rendered;
#[path = "../support/restored.rs"]
mod restored;
mod running;
