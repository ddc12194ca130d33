//! What released versions left in clusters is read by this build, exactly, and what it leaves is still of the same form (README.md here). An
//! upgrade or a rollback must cost no call and no write for what did not change, and lose nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

mod causes;
mod fixtures;
#[allow(dead_code, unused_imports)] // it serves more tests than these
#[path = "../cluster/harness/mod.rs"]
mod harness;
mod hashes;
mod reads;
mod restore;
mod rollback;
mod unknown;
mod upgrade;
mod writes;
