//! `list`: which Identities there are, and what is the matter with each. It writes nothing.

use std::collections::{BTreeSet, HashSet};
use std::process::ExitCode;

use clap::Args;

use super::connect::{Cluster, ClusterArgs, KeyError, UnkeyArgs, Upstream as Way};
use super::failure::{Failed, finish};
use super::names::PlaceArgs;
use super::output::{OutputArgs, OutputError};
use super::words::say;
use crate::app::AppError;
use crate::controller::Scope;
use crate::domain::ExternalId;
use crate::domain::plan::Identity;
use crate::gather::{
    GatherError, ListedIdentity, WorkspaceListing, list_identities, list_workspace, planned_identity, read_identities,
};
use crate::inspect::{Row, State, Upstream, rows};

/// So many identities are asked for one by one; of more the workspace is listed.
const ONE_BY_ONE: usize = 50;

/// List Identities, and what is the matter with each.
///
/// Several states may fit: 'managed': the operator keeps an identity equal to the spec. 'missing': Unkey does not hold it. 'differs': Unkey
/// holds something else than the spec asks for. 'held': the deletion waits for an approval. 'suspended', 'observed': the operator writes
/// nothing. 'unmanaged': an identity in Unkey that no Identity of the cluster names; listed only if asked for. Without a root key the cluster
/// alone is asked, and nobody knows what is missing, differs or is unmanaged.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Only these; repeatable
    #[arg(long, value_enum, value_delimiter = ',')]
    state: Vec<State>,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    unkey: UnkeyArgs,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(
        "only Unkey tells what is '{0}', and there is no root key to read it with; name a file with --root-key-file, or set UNKEY_ROOT_KEY"
    )]
    NoKey(&'static str),
    #[error(
        "the workspace could not be listed to its end, so it is not known which identities no Identity names; run this command again"
    )]
    NotWhole,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::NoKey(_) | Self::Key(_) => true,
            Self::App(error) => error.is_usage(),
            Self::Gather(error) => error.is_usage(),
            Self::NotWhole | Self::Output(_) => false,
        }
    }
}

pub(super) fn main(args: &ListArgs) -> ExitCode {
    finish(listed(args))
}

async fn listed(args: &ListArgs) -> Result<(), Failure> {
    let way = way(args)?;
    let cluster = args.cluster.connect().await?;
    let scope = args.place.scope(&cluster.namespace);
    let found = list_identities(&cluster.client, &scope, |_| false).await?;
    let seen = match way {
        Some(mut way) => Some(seen(args, &mut way, &found).await?),
        None => None,
    };
    let mut all: Vec<Row> = found.iter().map(|it| Row::of(&it.raw, seen.as_ref())).collect();
    all.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    if seen.is_some() {
        doubt(&all);
    }
    if let Some(seen) = seen.filter(|_| args.state.contains(&State::Unmanaged)) {
        all.extend(unmanaged(&cluster, &found, &scope, seen).await?);
    }
    all.retain(|row| row.is_one_of(&args.state));
    if all.is_empty() {
        let place = scope.namespaces.first().map_or_else(String::new, |it| format!(" in namespace {it}"));
        say(format_args!("nothing of that kind was found{place}"));
    }
    let now = cluster.time.seconds_or_local();
    let with_namespace = args.place.all_namespaces || args.state.contains(&State::Unmanaged);
    Ok(args.output.items(&all, || if all.is_empty() { String::new() } else { rows(&all, with_namespace, now) })?)
}

/// The way to Unkey, if that has to be asked.
fn way(args: &ListArgs) -> Result<Option<Way>, Failure> {
    let needs = args.state.iter().copied().find(|state| state.needs_unkey());
    if needs.is_none() && !args.state.is_empty() {
        return Ok(None);
    }
    let way = args.unkey.connect()?;
    match (&way, needs) {
        (None, Some(state)) => Err(Failure::NoKey(state.as_str())),
        (None, None) => {
            say(format_args!(
                "there is no root key, so the cluster alone is asked: what is missing or differs is not known"
            ));
            Ok(None)
        }
        (Some(_), _) => Ok(way),
    }
}

/// What Unkey holds of these, or all that it holds if that is asked for.
async fn seen(args: &ListArgs, way: &mut Way, found: &[ListedIdentity]) -> Result<Upstream, Failure> {
    let names: BTreeSet<String> = found.iter().map(|it| it.raw.external_id().as_str().to_owned()).collect();
    let wants_all = args.state.contains(&State::Unmanaged);
    let listing = if wants_all || names.len() > ONE_BY_ONE {
        list_workspace(&way.client, &mut way.pace, || names, |it| planned_identity(&it)).await?
    } else {
        let identities = read_identities(&way.client, &mut way.pace, names).await?;
        let identities = identities.iter().map(planned_identity).collect();
        WorkspaceListing { identities, is_whole: false }
    };
    if wants_all && !listing.is_whole {
        return Err(Failure::NotWhole);
    }
    Ok(listing.identities.into_iter().map(|it| (it.external_id.clone(), it)).collect())
}

/// If nothing of what is recorded is there, the key may be one of another workspace.
fn doubt(all: &[Row]) {
    let recorded: Vec<&Row> = all.iter().filter(|row| row.states.contains(&State::Managed)).collect();
    if recorded.len() > 1 && recorded.iter().all(|row| row.states.contains(&State::Missing)) {
        say(format_args!(
            "Unkey shows none of the {} identities that are recorded; the root key may lead to another workspace",
            recorded.len()
        ));
    }
}

/// What no Identity names, wherever that may be.
async fn unmanaged(
    cluster: &Cluster,
    found: &[ListedIdentity],
    scope: &Scope,
    seen: Upstream,
) -> Result<Vec<Row>, Failure> {
    let everywhere = Scope::default();
    let is_all = scope.namespaces.is_empty() && scope.selector.is_none();
    let others = if is_all { Vec::new() } else { list_identities(&cluster.client, &everywhere, |_| false).await? };
    let named: HashSet<&ExternalId> = found.iter().chain(&others).map(|it| it.raw.external_id()).collect();
    let mut rest: Vec<&Identity> = seen.values().filter(|it| !named.contains(&it.external_id)).collect();
    rest.sort_by(|a, b| a.external_id.cmp(&b.external_id));
    Ok(rest.into_iter().map(Row::unmanaged).collect())
}
