//! `make demo-helm`: installs the chart with helm on a real control plane whose one node runs Pods as processes (`tests/support/nodelet`), and
//! shows two replicas through a crash, an upgrade and the end. Leaves no process behind, however it ends.
//!
//! It is a show and no test: it asserts only that each step came about in time.

mod show;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use demo::StageError;

use crate::stage::Stage;

/// Shows the chart at work.
#[derive(Debug, Parser)]
struct Args {
    /// The repository's folder
    #[arg(long, default_value = ".")]
    repository: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    demo::play("demo-helm", run(&Args::parse())).await
}

async fn run(args: &Args) -> Result<(), StageError> {
    let stage = Stage::set(&args.repository).await?;
    if let Err(error) = show::everything(&stage).await {
        stage.print_logs();
        return Err(error);
    }
    stage.strike().await;
    Ok(())
}
