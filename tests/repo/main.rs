//! What the repository promises about itself: generated files are fresh, dependencies between files and folders point one way, nothing is
//! left undone, what makes a release is fit for it, every message is listed, and the program says in one sentence why it does not
//! start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

mod circles;
mod cli;
#[path = "../support/golden.rs"]
mod golden;
mod imports;
mod kubernetes;
mod links;
mod messages;
mod modules;
mod reference;
mod release;
mod scenarios;
mod tree;
mod workflows;
