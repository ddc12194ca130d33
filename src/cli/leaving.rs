//! `deletions`: which deletions wait, and the approval of those that are held. It deletes nothing itself.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::connect::{Cluster, ClusterArgs};
use super::consent::{self, ConsentError};
use super::failure::{Failed, finish};
use super::fetch::{FetchError, fetch};
use super::names::{NameError, Named, NamespaceArgs, PlaceArgs, named};
use super::output::{OutputArgs, OutputError, print_by};
use super::until::{Until, UntilError, until};
use super::words::{program, say};
use super::write::{Target, WriteError, annotate_each};
use crate::api::APPROVED_ANNOTATION;
use crate::app::AppError;
use crate::controller::{Approvals, Scope, WallClocks};
use crate::gather::{GatherError, list_identities, parse_identity};
use crate::inspect::{Departures, Leaving, named_few};

/// How long an approval holds if nobody says otherwise.
const AN_HOUR: Until = Until::In(Duration::from_secs(3600));

/// List deletions that wait or are held, or approve them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct DeletionsArgs {
    #[command(subcommand)]
    command: Option<DeletionsCommand>,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Subcommand)]
enum DeletionsCommand {
    Approve(Box<ApproveArgs>),
}

/// Approve deletions, so that they wait neither for the hold nor for the brake.
///
/// Sets the annotation unkey.com/deletion-approved to a time, until which the approval holds. Says how many identities will be deleted, and
/// asks first. A deleted identity leaves its keys valid, without meta and without limits. Only what is being deleted already can be approved
/// by this command.
#[derive(Args, Debug)]
struct ApproveArgs {
    /// Identities, by name or as NAMESPACE/NAME
    #[arg(value_parser = named, required_unless_present = "all")]
    name: Vec<Named>,

    /// All of the namespace that wait or are held
    #[arg(long, conflicts_with = "name")]
    all: bool,

    /// Until when: a time (2026-11-28T18:00:00Z), or how long from now (30m, 2h). An hour by default
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Until>,

    /// Skip the confirmation
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    namespace: NamespaceArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    NobodyToAsk(ConsentError),
    #[error("{0}; nothing was approved")]
    Unconfirmed(ConsentError),
    #[error(
        "{0}/{1} is not being deleted, so nothing was approved. To approve a deletion that is to come: kubectl annotate identities.unkey.com {1} --namespace {0} \
         {APPROVED_ANNOTATION}=TIME"
    )]
    Lives(String, String),
    #[error("no approval would let any of these deletions go, so nothing was approved")]
    NothingToApprove,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Until(#[from] UntilError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error("{0}; others may have been approved: see '{p} deletions'", p = program())]
    Write(#[from] WriteError),
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::NobodyToAsk(_) | Self::Name(_) | Self::Until(_) => true,
            Self::App(error) => error.is_usage(),
            Self::Gather(error) => error.is_usage(),
            _ => false,
        }
    }
}

/// What was approved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Approved {
    until: String,
    /// So many identities will be deleted.
    identities: usize,
    items: Vec<Leaving>,
}

pub(super) fn main(args: &DeletionsArgs) -> ExitCode {
    match &args.command {
        None => finish(listed(args)),
        Some(DeletionsCommand::Approve(approve)) => finish(approved(approve)),
    }
}

async fn listed(args: &DeletionsArgs) -> Result<(), Failure> {
    let cluster = args.cluster.connect().await?;
    let found = leaving(&cluster, &args.place.scope(&cluster.namespace)).await?;
    let departures = Departures::new(found.into_iter().map(|(_, it)| it).collect());
    let each = |it: &mut Departures| std::mem::take(&mut it.items);
    let written = print_by(|out| args.output.report(out, departures, ("items", each), Departures::text));
    written.map_err(|error| Failure::Output(error.into()))
}

fn approvals(cluster: &Cluster) -> Approvals {
    Approvals { walls: WallClocks(cluster.time.clone()), namespaces: Vec::new() }
}

async fn leaving(cluster: &Cluster, scope: &Scope) -> Result<Vec<(Target, Leaving)>, GatherError> {
    let found = list_identities(&cluster.client, scope, |_| false).await?;
    let approvals = approvals(cluster);
    Ok(found.iter().filter_map(|it| Some((Target::from(&*it.raw), Leaving::of(&it.raw, &approvals)?))).collect())
}

async fn approved(args: &ApproveArgs) -> Result<(), Failure> {
    consent::possible(args.yes).map_err(Failure::NobodyToAsk)?;
    let cluster = args.cluster.connect().await?;
    let meant = if args.all {
        let scope = Scope { namespaces: vec![args.namespace.or(&cluster.namespace)], selector: None };
        leaving(&cluster, &scope).await?.into_iter().filter(|(_, it)| it.wants_approval()).collect()
    } else {
        given(args, &cluster).await?
    };
    let now = cluster.time.seconds_or_local();
    let until = args.until.unwrap_or(AN_HOUR).time(now)?;
    let (targets, items): (Vec<Target>, Vec<Leaving>) = meant.into_iter().unzip();
    let approved = Approved { until, identities: items.len(), items };
    if targets.is_empty() {
        say(format_args!("no deletion there waits for an approval, so nothing was approved"));
    } else {
        consent::asked(args.yes, &approved.question()).map_err(Failure::Unconfirmed)?;
        annotate_each(&cluster.client, &targets, (APPROVED_ANNOTATION, &approved.until)).await?;
    }
    Ok(args.output.document(&approved, || approved.text())?)
}

async fn given(args: &ApproveArgs, cluster: &Cluster) -> Result<Vec<(Target, Leaving)>, Failure> {
    let keys = args.namespace.keys(&args.name, &cluster.namespace)?;
    let approvals = approvals(cluster);
    let mut all = Vec::new();
    for object in fetch(&cluster.client, &keys).await? {
        let raw = parse_identity(object)?;
        let leaving = Leaving::of(&raw, &approvals);
        let leaving = leaving.ok_or_else(|| Failure::Lives(raw.namespace().to_owned(), raw.name().to_owned()))?;
        if !leaving.wants_approval() {
            let reason = leaving.reason.as_deref().unwrap_or("Another cause");
            say(format_args!(
                "{reason} stops the deletion of {}/{}, or its identity stays in Unkey. An approval does not change that; nothing is approved for it",
                leaving.namespace, leaving.name
            ));
            continue;
        }
        all.push((Target::from(&raw), leaving));
    }
    if all.is_empty() { Err(Failure::NothingToApprove) } else { Ok(all) }
}

impl Approved {
    fn what(&self) -> String {
        format!("{} {}", self.identities, if self.identities == 1 { "identity" } else { "identities" })
    }

    fn question(&self) -> String {
        let mut namespaces: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for it in &self.items {
            namespaces.entry(&it.namespace).or_default().push(it.name.clone());
        }
        let each = namespaces.iter().map(|(namespace, names)| format!("  {namespace}: {}\n", named_few(names)));
        format!(
            "This approves the deletion of {} in Unkey, each of a customer, until {}:\n{}Their keys stay valid, without identity, meta and limits. \
             Nobody can undo that.\nApprove?",
            self.what(),
            self.until,
            each.collect::<String>()
        )
    }

    fn text(&self) -> String {
        if self.items.is_empty() {
            String::new()
        } else {
            format!("approved the deletion of {} until {}\n", self.what(), self.until)
        }
    }
}
