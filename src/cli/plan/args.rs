//! The flags of `plan`, and why there is no plan.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::connect::{ClusterArgs, KeyError, UnkeyArgs};
use super::super::failure::Failed;
use super::super::output::OutputArgs;
use super::super::setup::SetupError;
use crate::app::AppError;
use crate::gather::GatherError;
use crate::plan::{FailOn, ManifestError};

/// Print what the operator would do, and change nothing.
///
/// Without -f: what it would do now. With -f: what it would do once these manifests were applied. The plan is made by the code that the
/// operator runs. It needs the right to get and list Identities, to list Pods and get Leases where the operator runs, and a root key that may
/// read identities.
#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
#[allow(clippy::struct_excessive_bools)] // as many switches
pub(in crate::cli) struct PlanArgs {
    /// Manifest, folder of manifests, or - for standard input; repeatable
    #[arg(short, long = "filename", value_name = "FILE")]
    pub(super) file: Vec<PathBuf>,

    /// Read folders with their folders
    #[arg(short = 'R', long, requires = "file")]
    pub(super) recursive: bool,

    /// Compare with these manifests instead of a cluster and Unkey: no key, no cluster. What only they have would be deleted
    #[arg(long, value_name = "FILE", requires = "file", conflicts_with_all = ["selector", "prune", "operator"])]
    pub(super) base: Vec<PathBuf>,

    /// Compare with Unkey alone: each manifest counts as the owner of what Unkey holds. The plan then never says adopt, delete or refuse
    #[arg(long, requires = "file", conflicts_with_all = ["base", "selector", "prune", "operator"])]
    pub(super) no_cluster: bool,

    /// Print only what concerns this namespace; also that of manifests without one
    #[arg(short, long, value_parser = crate::cli::run::namespace)]
    pub(super) namespace: Option<String>,

    /// Print only resources with these labels; with --prune: what counts as deleted
    #[arg(short = 'l', long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) selector: Option<String>,

    /// Resources that --selector selects and that are not in the manifests count as deleted
    #[arg(long, requires_all = ["file", "selector"])]
    pub(super) prune: bool,

    /// Also name identities in Unkey that no resource names
    #[arg(long)]
    pub(super) unmanaged: bool,

    /// Who merges manifests into the objects: 'local': this command, by the schema; 'server': the API server, with its admission policies,
    /// by a dry run
    #[arg(long, value_enum, default_value = "local")]
    pub(super) dry_run: DryRun,

    /// Print values of meta too
    #[arg(long)]
    pub(super) show_meta: bool,

    /// Exit with code 3 if the plan holds such a change; repeatable
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) fail_on: Vec<FailOn>,

    /// Namespace or release of the operator, if there are several
    #[arg(long, value_name = "NAME")]
    pub(super) operator: Option<String>,

    /// Print the JSON schema of --output json, and nothing else
    #[arg(long)]
    pub(super) schema: bool,

    #[command(flatten)]
    pub(super) output: OutputArgs,

    #[command(flatten)]
    pub(super) cluster: ClusterArgs,

    #[command(flatten)]
    pub(super) unkey: UnkeyArgs,

    /// Settings of the operator, if its Pod cannot be read: 'run' and its flags, as in: -- run --default-adoption-policy=Never
    #[arg(last = true, value_name = "RUN")]
    pub(super) run: Vec<String>,
}

/// Who merges manifests into the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DryRun {
    Local,
    Server,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(
        "there is no root key to read Unkey with; name a file with --root-key-file, or set UNKEY_ROOT_KEY. To compare manifests without Unkey, use --base"
    )]
    NoKey,
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(
        "the root key leads to another workspace, or all identities were deleted: Unkey shows none of the {0} that are recorded in the cluster; the root key is from {1}"
    )]
    OtherWorkspace(usize, String),
    #[error(
        "--fail-on unmanaged cannot be answered: which identities no resource names is not known, because not all of the workspace or of the cluster was read"
    )]
    Unanswered,
    #[error("an object cannot be read: {0}")]
    Object(#[from] serde_json::Error),
    #[error("the dry run of {0} failed: {1}")]
    DryRun(String, String),
    #[error("the plan cannot be written: {0}")]
    Output(std::io::Error),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::NoKey | Self::Key(_) | Self::Manifests(_) => true,
            Self::App(error) => error.is_usage(),
            Self::Gather(error) => error.is_usage(),
            Self::Setup(error) => error.is_usage(),
            Self::OtherWorkspace(..) | Self::Unanswered | Self::DryRun(..) | Self::Object(_) | Self::Output(_) => false,
        }
    }
}
