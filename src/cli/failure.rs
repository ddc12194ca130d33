//! How a command that failed ends: a sentence, and an exit code.

use std::process::ExitCode;

/// Tells why a command failed; `is_usage`: what the user gave is wrong, and not the world.
pub(super) fn failed(error: &dyn std::fmt::Display, is_usage: bool) -> ExitCode {
    eprintln!("{}: {error}", super::words::program());
    ExitCode::from(if is_usage { 2 } else { 1 })
}
