//! What both shows share: how they are printed, how they wait and fail, and how they end. May not start anything.

pub mod print;

use std::io;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::Command;
use unkey_operator::unkey;

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a show could not go on.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The control plane.
    #[error(transparent)]
    Plane(#[from] controlplane::Error),
    /// The node.
    #[error(transparent)]
    Node(#[from] nodelet::Error),
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The Unkey client.
    #[error(transparent)]
    Client(#[from] unkey::ConfigError),
    /// Unkey does not answer the show's own questions.
    #[error("Unkey does not say what it holds: {0}")]
    Unkey(#[from] unkey::Error),
    /// A command failed.
    #[error("`{command}` failed with {status}")]
    Command {
        /// As it was shown.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// Something did not come about.
    #[error("waited {seconds} s in vain for {0}", seconds = PATIENCE.as_secs())]
    InVain(String),
}

/// Says which file or process an error is about.
pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> StageError {
    let what = what.into();
    move |source| StageError::Io { what, source }
}

/// Plays the show of this name to its end, or until Ctrl-C.
pub async fn play(name: &str, show: impl Future<Output = Result<(), StageError>>) -> ExitCode {
    let result = tokio::select! {
        result = show => result,
        _ = tokio::signal::ctrl_c() => {
            println!("\nStopping.");
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command in this folder, shown as the user would type it.
///
/// # Errors
///
/// If it cannot be run, or fails.
pub async fn run(program: &str, mut command: Command, folder: &Path, args: &[&str]) -> Result<(), StageError> {
    let shown = print::command(program, args);
    command.current_dir(folder).args(args).stdin(Stdio::null()).kill_on_drop(true);
    let status = command.status().await.map_err(io(program))?;
    if status.success() { Ok(()) } else { Err(StageError::Command { command: shown, status }) }
}

/// Asks until `wanted` likes the answer.
///
/// # Errors
///
/// If it cannot be asked, or there is no such answer in time.
pub async fn until(
    what: &str,
    ask: impl AsyncFn() -> Result<String, StageError>,
    wanted: impl Fn(&str) -> bool,
) -> Result<String, StageError> {
    let deadline = Instant::now() + PATIENCE;
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    loop {
        ticks.tick().await;
        let answer = ask().await?;
        if wanted(&answer) {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(StageError::InVain(what.to_owned()));
        }
    }
}
