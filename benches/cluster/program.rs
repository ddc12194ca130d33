//! The program that is measured, and what it says of itself.

use std::process::Command;

use crate::process;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_unkey-operator");
/// Its own limit, by the flag.
pub const UNBOUNDED: (&str, &str) = ("--max-requests-per-second", "0");

/// Whether this operator can be told to go as fast as it can.
pub fn can_be_unbounded() -> bool {
    let help = Command::new(PROGRAM).args(["run", "--help"]).output().expect("the operator's help");
    String::from_utf8_lossy(&help.stdout).contains(UNBOUNDED.0)
}

/// What it calls itself.
pub fn version() -> String {
    process::says(Command::new(PROGRAM).arg("version"))
}
