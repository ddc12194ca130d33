//! `make demo`: starts a control plane, an Unkey and the operator, and shows an `Identity` through its life with the real
//! kubectl. Leaves no process behind, however it ends: everything it starts ends with it.
//!
//! It is a show and no test: it asserts only that each step came about in time.

mod show;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use demo::StageError;

use crate::stage::Stage;

/// Shows the operator at work.
#[derive(Debug, Parser)]
struct Args {
    /// Leave everything running until Ctrl-C, and print how to use it
    #[arg(long)]
    keep: bool,
    /// A real Unkey instead of the emulator
    #[arg(long, requires = "root_key_file")]
    api_url: Option<String>,
    /// The root key for it
    #[arg(long, requires = "api_url")]
    root_key_file: Option<PathBuf>,
    /// The repository's folder
    #[arg(long, default_value = ".")]
    repository: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    demo::play("demo", run(&Args::parse())).await
}

async fn run(args: &Args) -> Result<(), StageError> {
    let upstream = args.api_url.clone().zip(args.root_key_file.clone());
    let stage = Stage::set(&args.repository, upstream).await?;
    let shown = show::everything(&stage, args.keep).await;
    if let Err(error) = shown {
        stage.print_operator_log();
        return Err(error);
    }
    if args.keep {
        stage.print_how_to_use();
        // Until Ctrl-C, which ends the caller's select.
        std::future::pending::<()>().await;
    }
    stage.strike().await
}
