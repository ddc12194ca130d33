//! `unkey-operator release`. Asks before it lets go; the work is in [`crate::controller`]. Nothing of it can be set by the environment but
//! the way to the API server: who lets go of everything says so.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::apiserver::{self, Access};
use crate::app::AppError;
use crate::controller::{Scope, StopError, SurveyError, UnmanagePlan};

/// Let go of all Identities without touching Unkey, to leave the product.
///
/// Takes the operator's finalizer and claim off, so that the Identities, their namespaces and the CRD can be deleted without it.
/// Nothing is changed in Unkey, and no root key is needed: every identity stays there as it is, keys and all, and a later deletion of the
/// resource leaves it there. Objects that are being deleted already are gone at once, and their identities stay too.
///
/// Scale the operator to 0 first: one that runs puts back what is taken off. That is looked for, by one object before the others and by all of
/// them afterwards, and ends this with exit code 1.
#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
pub(super) struct ReleaseArgs {
    /// All Identities, of the cluster or of the namespaces named
    #[arg(long, required = true)]
    #[allow(dead_code)] // that it was said is all
    all: bool,

    /// Only those of this namespace; repeatable
    #[arg(long, value_delimiter = ',', value_parser = super::run::namespace)]
    namespace: Vec<String>,

    /// Only those that this label selector matches
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    selector: Option<String>,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Only name them
    #[arg(long)]
    dry_run: bool,

    /// Kubeconfig file; without it the cluster that this runs in, or KUBECONFIG
    #[arg(long, env = "UNKEY_OPERATOR_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, env = "UNKEY_OPERATOR_CONTEXT")]
    context: Option<String>,
}

const SCALE: &str = ". Scale it to 0, wait until its pods are gone, and run this again";

/// Why it came to nothing, or not to all.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("standard input is no terminal to ask on; say --yes, or --dry-run to see what would be released")]
    NobodyToAsk,
    #[error("nothing was released")]
    Declined,
    #[error("the terminal cannot be read: {0}")]
    Terminal(std::io::Error),
    #[error("the result cannot be written: {0}")]
    Output(std::io::Error),
    #[error("the runtime cannot start: {0}")]
    Runtime(std::io::Error),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Survey(#[from] SurveyError),
    #[error("{0}{hint}", hint = if matches!(.0, StopError::AtWork(_)) { SCALE } else { "" })]
    Stopped(#[from] StopError),
    #[error("{0} of them could not be released; run this again")]
    Partly(usize),
    #[error("an operator has come to work: {0} carry finalizer or claim again{SCALE}")]
    PutBack(usize),
}

impl Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::NobodyToAsk | Self::Survey(SurveyError::Selector(_)) => true,
            Self::App(error) => error.is_usage(),
            _ => false,
        }
    }
}

pub(super) fn main(args: ReleaseArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime);
    match runtime.and_then(|runtime| runtime.block_on(release(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failure::failed(&error, error.is_usage()),
    }
}

async fn release(args: ReleaseArgs) -> Result<(), Failure> {
    if !args.yes && !args.dry_run && !std::io::stdin().is_terminal() {
        return Err(Failure::NobodyToAsk);
    }
    let config = apiserver::config(args.kubeconfig.as_deref(), args.context).await.map_err(AppError::from)?;
    let client = Access::new(config).await.and_then(|access| access.client()).map_err(AppError::from)?;
    let scope = Scope { namespaces: args.namespace, selector: args.selector };
    let found = UnmanagePlan::take(&client, &scope).await?;
    if args.dry_run || found.is_empty() {
        let each = found.keys().map(|key| format!("{}/{} would be released\n", key.namespace, key.name));
        return tell(&format!("{}the {}\n", each.collect::<Vec<_>>().concat(), what(&found)));
    }
    if !args.yes && !confirmed(&found).map_err(Failure::Terminal)? {
        return Err(Failure::Declined);
    }
    let released = found.release(&client, &scope).await?;
    for (key, error) in &released.failed {
        eprintln!("unkey-operator: {}/{} could not be released: {error}", key.namespace, key.name);
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

fn identities(count: usize) -> String {
    format!("{count} {}", if count == 1 { "Identity" } else { "Identities" })
}

fn what(found: &UnmanagePlan) -> String {
    let (namespaces, leaving) = (found.namespaces(), found.leaving());
    let places = if namespaces == 1 { "namespace" } else { "namespaces" };
    let leaving = if leaving == 0 { String::new() } else { format!(", {leaving} of them being deleted") };
    format!("finalizer or claim is on {} in {namespaces} {places}{leaving}", identities(found.len()))
}

/// Says what it means, and asks. Only a whole "yes" is one.
fn confirmed(found: &UnmanagePlan) -> std::io::Result<bool> {
    eprint!(
        "The {}.\nTo release them changes nothing in Unkey. Afterwards nobody keeps their identities in step, and deleting the resources leaves the \
         identities in Unkey; those that are being deleted are gone at once.\nThe operator must be scaled to 0, or it puts both back.\n\
         Release them? Type 'yes': ",
        what(found)
    );
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
