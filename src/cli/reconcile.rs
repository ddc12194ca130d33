//! `reconcile`: asks the operator to look at Identities now, and waits for what it says. It writes one annotation, and looks at nothing itself.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio::time::Instant;

use super::connect::ClusterArgs;
use super::failure::{Failed, finish};
use super::fetch::{FetchError, fetch};
use super::names::{NameError, Named, PlaceArgs, named};
use super::output::{OutputArgs, OutputError};
use super::values::duration;
use super::words::{identities, program};
use super::write::{Target, WriteError, annotate_each};
use crate::api::RECONCILE_ANNOTATION;
use crate::app::AppError;
use crate::controller::{RawIdentity, Scope};
use crate::domain::Uid;
use crate::gather::{GatherError, Progress, get_identity, list_identities, parse_identity};
use crate::inspect::{Verdict, named_few, read};

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Have Identities compared with Unkey now, and print what the operator found.
///
/// Sets the annotation unkey.com/reconcile-requested-at, and waits until the operator has answered it. A suspended Identity is refused: the
/// operator does not look at Unkey for it.
#[derive(Args, Debug)]
pub(super) struct ReconcileArgs {
    /// Identities, by name or as NAMESPACE/NAME
    #[arg(value_parser = named, required_unless_present = "selector", conflicts_with_all = ["selector", "all_namespaces"])]
    name: Vec<Named>,

    /// Longest time to wait for an answer (60s, 5m)
    #[arg(long, default_value = "60s", value_parser = duration)]
    timeout: Duration,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("no Identity has the labels '{0}' there, so there is nothing to look at")]
    NoneSelected(String),
    #[error(
        "spec.suspend is true for {0}, so the operator does not look at Unkey for that; nothing was asked. End the suspension, as with '{p} resume', or leave it out",
        p = program()
    )]
    Suspended(String),
    #[error(
        "no answer within {seconds} s for {count} of {all} ({which}). Does an operator run that watches this namespace? '{p} version' names those that run. The \
         request stays: an operator answers it as soon as it comes to it",
        seconds = time.as_secs_f32(), p = program()
    )]
    NoAnswer { time: Duration, count: usize, all: String, which: String },
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::Name(_) => true,
            Self::App(error) => error.is_usage(),
            Self::Gather(error) => error.is_usage(),
            _ => false,
        }
    }
}

pub(super) fn main(args: &ReconcileArgs) -> ExitCode {
    finish(reconciled(args))
}

async fn reconciled(args: &ReconcileArgs) -> Result<(), Failure> {
    let cluster = args.cluster.connect().await?;
    let scope = args.name.is_empty().then(|| args.place.scope(&cluster.namespace));
    let meant = match &scope {
        Some(scope) => selected(&cluster.client, scope).await?,
        None => given(args, &cluster.client, &cluster.namespace).await?,
    };
    let suspended: Vec<String> = meant.iter().filter(|it| read(it).controls.suspend).map(name).collect();
    if !suspended.is_empty() {
        return Err(Failure::Suspended(named_few(&suspended)));
    }
    let value = Timestamp::now().to_string();
    let targets: Vec<Target> = meant.iter().map(Target::from).collect();
    annotate_each(&cluster.client, &targets, (RECONCILE_ANNOTATION, &value)).await?;
    let verdicts = answers(args, &cluster.client, scope.as_ref(), &targets, &value).await?;
    Ok(args.output.items(&verdicts, || verdicts.iter().map(Verdict::line).collect())?)
}

fn name(raw: &RawIdentity) -> String {
    format!("{}/{}", raw.namespace(), raw.name())
}

async fn given(args: &ReconcileArgs, client: &Client, default: &str) -> Result<Vec<RawIdentity>, Failure> {
    let keys = args.place.namespace.keys(&args.name, default)?;
    let objects = fetch(client, &keys).await?;
    Ok(objects.into_iter().map(parse_identity).collect::<Result<_, _>>()?)
}

async fn selected(client: &Client, scope: &Scope) -> Result<Vec<RawIdentity>, Failure> {
    let found = list_identities(client, scope, |_| false).await?;
    if found.is_empty() {
        return Err(Failure::NoneSelected(scope.selector.clone().unwrap_or_default()));
    }
    Ok(found.into_iter().map(|it| *it.raw).collect())
}

/// Waits for all of them. What was answered when the time is over goes to standard error: it is not the whole result.
async fn answers(
    args: &ReconcileArgs,
    client: &Client,
    scope: Option<&Scope>,
    targets: &[Target],
    value: &str,
) -> Result<Vec<Verdict>, Failure> {
    let until = Instant::now() + args.timeout;
    let mut progress = Progress::of("waiting for the operator, answers");
    let mut open: Vec<&Target> = targets.iter().collect();
    let mut verdicts = Vec::new();
    loop {
        let shown = looked(client, scope, &open).await?;
        open.retain(|target| {
            let verdict = match shown.get(&target.uid) {
                Some(object) => Verdict::answer(object, value),
                None => Some(Verdict::gone(&target.key)),
            };
            let is_open = verdict.is_none();
            verdicts.extend(verdict);
            is_open
        });
        progress.at(verdicts.len());
        if open.is_empty() {
            verdicts.sort_by(|a, b| a.key().cmp(&b.key()));
            return Ok(verdicts);
        }
        if Instant::now() >= until {
            break;
        }
        tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
    }
    drop(progress);
    for verdict in &verdicts {
        eprint!("{}", verdict.line());
    }
    let names: Vec<String> = open.iter().map(|target| target.name()).collect();
    let (count, all) = (names.len(), identities(targets.len()));
    Err(Failure::NoAnswer { time: args.timeout, count, all, which: named_few(&names) })
}

/// The objects that are waited for, as they are now. What the labels no longer select is looked for by its name.
async fn looked(
    client: &Client,
    scope: Option<&Scope>,
    open: &[&Target],
) -> Result<HashMap<Uid, RawIdentity>, GatherError> {
    let mut shown: HashMap<Uid, RawIdentity> = match scope {
        Some(scope) => {
            let listed = list_identities(client, scope, |_| false).await?;
            listed.into_iter().map(|it| (it.raw.uid().clone(), *it.raw)).collect()
        }
        None => HashMap::new(),
    };
    for target in open {
        if !shown.contains_key(&target.uid)
            && let Some(object) = get_identity(client, &target.key).await?
        {
            let raw = parse_identity(object)?;
            shown.insert(raw.uid().clone(), raw);
        }
    }
    Ok(shown)
}
