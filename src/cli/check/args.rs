//! The flags of `check`, and why there are no findings.

use clap::Args;

use super::super::connect::{ClusterArgs, KeyError, UnkeyArgs};
use super::super::failure::Failed;
use super::super::output::OutputArgs;
use super::super::setup::SetupError;
use crate::app::AppError;

/// Look whether the operator can work, and say what is in its way.
///
/// Looks at the API server, the CustomResourceDefinition, the caller's rights, the operator's Pods and lease, the Identities, the root key and the
/// workspace. Without a root key it looks at the cluster alone, without a cluster at Unkey alone. Exits with 1 if a check failed. Run in the
/// operator's Pod (kubectl exec) it uses the operator's own account, root key and settings. It changes nothing.
#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
pub(in crate::cli) struct CheckArgs {
    /// Before an installation: that the CustomResourceDefinition, the Pods and the lease are not there is no fault
    #[arg(long)]
    pub(super) pre: bool,

    /// Look at each permission of the root key too, by requests that Unkey refuses or that name an identity that does not exist
    #[arg(long)]
    pub(super) permissions: bool,

    /// Namespace or release of the operator, if there are several; all of them are looked at otherwise
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

    /// Settings of the operator in place of those of its Pod: 'run' and its flags, as in: -- run --namespace=shop
    #[arg(last = true, value_name = "RUN")]
    pub(super) run: Vec<String>,
}

/// Why there are no findings.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(
        "there is nothing to check: {0}, and there is no root key; name a file with one with --root-key-file, or set UNKEY_ROOT_KEY"
    )]
    Nothing(AppError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("the findings cannot be written: {0}")]
    Output(std::io::Error),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::Nothing(_) | Self::Key(_) => true,
            Self::App(error) => error.is_usage(),
            Self::Setup(error) => error.is_usage(),
            Self::Output(_) => false,
        }
    }
}
