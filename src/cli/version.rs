//! `version`: what this program is, and what runs in the cluster. A cluster that cannot be reached is said on standard error, and is no failure.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::connect::ClusterArgs;
use super::failure::{Failed, finish};
use super::output::{OutputArgs, OutputError};
use super::setup;
use super::words::{program, say};
use crate::apiserver::ConfigError;
use crate::app::AppError;
use crate::gather::{GatherError, find_operator};
use crate::inspect::Versions;

/// So long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Print the version of this program, and those of the operators in the cluster.
///
/// The operators are found by the labels of their Pods. If program and operator are more than a patch apart, that is said on standard error.
#[derive(Args, Debug)]
pub(super) struct VersionArgs {
    /// Print the version of this program only
    #[arg(long)]
    client: bool,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        false
    }
}

/// Why nothing is said of the cluster.
#[derive(Debug, thiserror::Error)]
enum Unseen {
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error("the API server did not answer within {} s", PATIENCE.as_secs())]
    Deadline,
}

pub(super) fn main(args: &VersionArgs) -> ExitCode {
    finish(printed(args))
}

async fn printed(args: &VersionArgs) -> Result<(), Failure> {
    let mut versions = Versions::of(env!("CARGO_PKG_VERSION"));
    if !args.client {
        match tokio::time::timeout(PATIENCE, seen(args, &mut versions)).await.unwrap_or(Err(Unseen::Deadline)) {
            // Without a cluster there is no operator to speak of.
            Ok(()) | Err(Unseen::App(AppError::ApiServer(ConfigError::NoKubeconfig(_)))) => {}
            Err(error) => eprintln!("{}: the operator's version is not known: {error}", program()),
        }
    }
    for warning in versions.warnings() {
        say(format_args!("{warning}"));
    }
    Ok(args.output.document(&versions, || versions.text())?)
}

async fn seen(args: &VersionArgs, versions: &mut Versions) -> Result<(), Unseen> {
    let cluster = args.cluster.connect().await?;
    versions.add(&find_operator(&cluster.client, None, setup::lease_of).await?);
    Ok(())
}
