//! `unkey-operator unmanage`. Asks before it lets go; the work is in [`crate::controller`]. Nothing of it can be set by the environment but
//! the way to the API server: who lets go of everything says so.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::consent::{self, ConsentError};
use super::failure::{Failed, finish};
use super::words::{AGENT, identities, program};
use crate::apiserver::{self, Access};
use crate::app::AppError;
use crate::controller::{Scope, StopError, SurveyError, UnmanagePlan};

/// Stop managing all Identities and keep everything in Unkey, before you uninstall the operator.
///
/// Removes the operator's finalizer and claim annotation from the Identities, so that the Identities, their namespaces and the CRD can be
/// deleted without the operator. Changes nothing in Unkey and needs no root key: every identity stays in Unkey with its keys, and a later
/// deletion of its resource keeps it there. Identities that are already being deleted disappear at once; their identities stay in Unkey too.
///
/// Scale the Deployment to 0 first: a running operator adds both again. This command checks one Identity before the others and all of
/// them afterwards. It exits with code 1 if it finds a running operator.
#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
pub(super) struct UnmanageArgs {
    /// Select all Identities of the cluster, or of the given namespaces
    #[arg(long, required = true)]
    #[allow(dead_code)] // that it was said is all
    all: bool,

    /// Namespace to select Identities from; repeatable
    #[arg(long, short, value_delimiter = ',', value_parser = super::run::namespace)]
    namespace: Vec<String>,

    /// Label selector of the Identities to select
    #[arg(long, short = 'l', value_parser = clap::builder::NonEmptyStringValueParser::new())]
    selector: Option<String>,

    /// Skip the confirmation
    #[arg(long)]
    yes: bool,

    /// List only
    #[arg(long)]
    dry_run: bool,

    /// Kubeconfig file; defaults to KUBECONFIG, then to ~/.kube/config, then to the cluster that this command runs in
    #[arg(long, env = "UNKEY_OPERATOR_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, env = "UNKEY_OPERATOR_CONTEXT")]
    context: Option<String>,
}

const SCALE: &str = ". Scale the Deployment to 0, wait until its Pods are gone, then run this command again";

/// Why it came to nothing, or not to all.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}, or --dry-run to list only")]
    NobodyToAsk(ConsentError),
    #[error("{0}; nothing was released")]
    Unconfirmed(ConsentError),
    #[error("the result cannot be written: {0}")]
    Output(std::io::Error),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Survey(#[from] SurveyError),
    #[error("{0}{hint}", hint = if matches!(.0, StopError::AtWork(_)) { SCALE } else { "" })]
    Stopped(#[from] StopError),
    #[error("{} could not be released; run this command again", identities(*.0))]
    Partly(usize),
    #[error("an operator is running: finalizer or claim is on {} again{SCALE}", identities(*.0))]
    PutBack(usize),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::NobodyToAsk(_) | Self::Survey(SurveyError::Selector(_)) => true,
            Self::App(error) => error.is_usage(),
            _ => false,
        }
    }
}

pub(super) fn main(args: UnmanageArgs) -> ExitCode {
    finish(unmanage(args))
}

async fn unmanage(args: UnmanageArgs) -> Result<(), Failure> {
    if !args.dry_run {
        consent::possible(args.yes).map_err(Failure::NobodyToAsk)?;
    }
    let config = apiserver::config(args.kubeconfig.as_deref(), args.context, AGENT).await.map_err(AppError::from)?;
    let client = Access::new(config).await.and_then(|access| access.client()).map_err(AppError::from)?;
    let scope = Scope { namespaces: args.namespace, selector: args.selector };
    let found = UnmanagePlan::take(&client, &scope).await?;
    if args.dry_run || found.is_empty() {
        let each = found.keys().map(|key| format!("{}/{} would be released\n", key.namespace, key.name));
        return tell(&format!("{}the {}\n", each.collect::<Vec<_>>().concat(), what(&found)));
    }
    consent::asked(args.yes, &question(&found)).map_err(Failure::Unconfirmed)?;
    let released = found.release(&client, &scope).await?;
    for (key, error) in &released.failed {
        eprintln!("{}: {}/{} could not be released: {error}", program(), key.namespace, key.name);
    }
    tell(&format!("released {}\n", identities(released.freed)))?;
    match (released.put_back, released.failed.len()) {
        (0, 0) => Ok(()),
        (0, failed) => Err(Failure::Partly(failed)),
        (put_back, _) => Err(Failure::PutBack(put_back)),
    }
}

/// To standard output, which may have nobody left that reads it.
fn tell(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::Output)
}

fn what(found: &UnmanagePlan) -> String {
    let (namespaces, leaving) = (found.namespaces(), found.leaving());
    let places = if namespaces == 1 { "namespace" } else { "namespaces" };
    let leaving = if leaving == 0 { String::new() } else { format!(", {leaving} of them being deleted") };
    format!("finalizer or claim is on {} in {namespaces} {places}{leaving}", identities(found.len()))
}

/// Says what it means.
fn question(found: &UnmanagePlan) -> String {
    format!(
        "The {}.\nReleasing them changes nothing in Unkey. Afterwards the operator no longer syncs their identities, and deleting the resources \
         keeps the identities in Unkey. Resources that are being deleted disappear at once.\nScale the Deployment to 0 first: a running \
         operator adds both again.\nRelease them?",
        what(found)
    )
}
