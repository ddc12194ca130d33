//! How a command ends: with exit code 0, or with a sentence and another code.

use std::fmt::Display;
use std::process::ExitCode;

use super::words::say;

/// Why a command came to nothing.
pub(super) trait Failed: Display {
    /// What the user gave is wrong, and not the world.
    fn is_usage(&self) -> bool;
}

/// Tells why a command failed; `is_usage`: what the user gave is wrong, and not the world.
pub(super) fn failed(error: &dyn Display, is_usage: bool) -> ExitCode {
    say(format_args!("{error}"));
    ExitCode::from(if is_usage { 2 } else { 1 })
}

/// Works to the end, and tells how that was.
pub(super) fn finish<E: Failed>(work: impl Future<Output = Result<(), E>>) -> ExitCode {
    finish_with(async { work.await.map(|()| ExitCode::SUCCESS) })
}

/// Like [`finish`], for a command whose result has an exit code of its own.
pub(super) fn finish_with<E: Failed>(work: impl Future<Output = Result<ExitCode, E>>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => match runtime.block_on(work) {
            Ok(code) => code,
            Err(error) => failed(&error, error.is_usage()),
        },
        Err(error) => failed(&format!("the runtime cannot start: {error}"), false),
    }
}
