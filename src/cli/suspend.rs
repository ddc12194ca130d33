//! `suspend` and `resume`: apply `spec.suspend` by the server under a field manager of their own, and give it up again.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::connect::{Cluster, ClusterArgs};
use super::failure::{Failed, finish};
use super::fetch::{FetchError, fetch};
use super::names::{NameError, Named, NamespaceArgs, named};
use super::output::{OutputArgs, OutputError};
use super::until::{Until, UntilError, until};
use super::words::say;
use super::write::{MANAGER, Target, WriteError, annotate, apply};
use crate::api::{SUSPEND_REASON_ANNOTATION, SUSPEND_UNTIL_ANNOTATION};
use crate::app::AppError;
use crate::inspect::owners;

/// Stop the operator's work on Identities: it does nothing in Unkey for them, and their deletion waits unless deletionPolicy is Orphan.
///
/// Sets spec.suspend by a server-side apply under the field manager kubectl-unkey. Reason and time are annotations for people. The operator does
/// not resume by itself when the time has come: run 'resume'. If another field manager owns spec.suspend, as a GitOps tool does whose manifest
/// names it, this command warns: that tool may undo it.
#[derive(Args, Debug)]
pub(super) struct SuspendArgs {
    /// Identities, by name or as NAMESPACE/NAME
    #[arg(value_parser = named, required = true)]
    name: Vec<Named>,

    /// Why, for people who come upon it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Until when it is meant to last: a time (2026-11-28T18:00:00Z), or how long from now (2h). Nothing happens then
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Until>,

    #[command(flatten)]
    target: TargetArgs,
}

/// End a suspension: the operator goes on with its work on Identities.
///
/// Gives up spec.suspend as 'suspend' has applied it, and removes the annotations of reason and time. Fails if spec.suspend stays true because
/// another field manager has set it, and names that manager.
#[derive(Args, Debug)]
pub(super) struct ResumeArgs {
    /// Identities, by name or as NAMESPACE/NAME
    #[arg(value_parser = named, required = true)]
    name: Vec<Named>,

    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args, Debug)]
struct TargetArgs {
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
    Name(#[from] NameError),
    #[error(transparent)]
    Until(#[from] UntilError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("{}", .0.join("; "))]
    Stays(Vec<String>),
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::Name(_) | Self::Until(_) => true,
            Self::App(error) => error.is_usage(),
            _ => false,
        }
    }
}

/// What became of one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    namespace: String,
    name: String,
    suspend: bool,
    #[serde(skip)]
    was: bool,
    reason: Option<String>,
    until: Option<String>,
    /// Field managers beside this command that own spec.suspend.
    other_managers: Vec<String>,
}

pub(super) fn suspend(args: &SuspendArgs) -> ExitCode {
    finish(suspended(args))
}

pub(super) fn resume(args: &ResumeArgs) -> ExitCode {
    finish(resumed(args))
}

async fn suspended(args: &SuspendArgs) -> Result<(), Failure> {
    let (cluster, objects) = found(&args.target, &args.name).await?;
    let now = cluster.time.seconds_or_local();
    let until = args.until.map(|until| until.time(now)).transpose()?;
    let notes = [(SUSPEND_REASON_ANNOTATION, &args.reason), (SUSPEND_UNTIL_ANNOTATION, &until)];
    let notes: Map<String, Value> =
        notes.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))).collect();
    let mut all = Vec::new();
    for object in &objects {
        let target = Target::of(object);
        let spec = Map::from_iter([("suspend".to_owned(), json!(true))]);
        apply(&cluster.client, &target, notes.clone(), spec).await?;
        let done = Done::of(&target, true, object, (args.reason.clone(), until.clone()));
        if !done.other_managers.is_empty() {
            say(format_args!(
                "spec.suspend of {}/{} is also set by {}, which may undo this. Change it there too",
                done.namespace,
                done.name,
                done.managers()
            ));
        }
        all.push(done);
    }
    Ok(args.target.output.items(&all, || all.iter().map(Done::line).collect())?)
}

async fn resumed(args: &ResumeArgs) -> Result<(), Failure> {
    let (cluster, objects) = found(&args.target, &args.name).await?;
    let (mut all, mut stays) = (Vec::new(), Vec::new());
    for object in &objects {
        let target = Target::of(object);
        let after = apply(&cluster.client, &target, Map::new(), Map::new()).await?;
        let mut done = Done::of(&target, after["spec"]["suspend"] == true, &after, (None, None));
        done.was = object["spec"]["suspend"] == true;
        if done.suspend {
            stays.push(done.stays());
            continue;
        }
        forget(&cluster, &target, &after).await?;
        all.push(done);
    }
    if stays.is_empty() {
        return Ok(args.target.output.items(&all, || all.iter().map(Done::line).collect())?);
    }
    // Not the whole result.
    for done in &all {
        eprint!("{}", done.line());
    }
    Err(Failure::Stays(stays))
}

async fn found(args: &TargetArgs, names: &[Named]) -> Result<(Cluster, Vec<Value>), Failure> {
    let cluster = args.cluster.connect().await?;
    let keys = args.namespace.keys(names, &cluster.namespace)?;
    let objects = fetch(&cluster.client, &keys).await?;
    Ok((cluster, objects))
}

/// Removes what is left of reason and time: somebody else has written it, and it is true no longer.
async fn forget(cluster: &Cluster, target: &Target, after: &Value) -> Result<(), WriteError> {
    let annotations = &after["metadata"]["annotations"];
    let left = [SUSPEND_REASON_ANNOTATION, SUSPEND_UNTIL_ANNOTATION].into_iter();
    let left: Map<String, Value> =
        left.filter(|name| annotations.get(name).is_some()).map(|name| (name.to_owned(), Value::Null)).collect();
    if !left.is_empty() {
        annotate(&cluster.client, target, left).await?;
    }
    Ok(())
}

impl Done {
    /// `object`: tells who else owns spec.suspend.
    fn of(target: &Target, suspend: bool, object: &Value, (reason, until): (Option<String>, Option<String>)) -> Self {
        let mut other_managers = owners(object, &["spec", "suspend"]);
        other_managers.retain(|manager| manager != MANAGER);
        let (namespace, name) = (target.key.namespace.clone(), target.key.name.clone());
        Self { namespace, name, suspend, was: false, reason, until, other_managers }
    }

    fn managers(&self) -> String {
        self.other_managers.iter().map(|manager| format!("'{manager}'")).collect::<Vec<_>>().join(" and ")
    }

    fn line(&self) -> String {
        let Self { namespace, name, suspend, .. } = self;
        let until = self.until.as_ref().map(|until| format!(", meant until {until}")).unwrap_or_default();
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let what = match (suspend, self.was) {
            (true, _) => "suspended",
            (false, true) => "resumed",
            (false, false) => "was not suspended",
        };
        format!("{namespace}/{name} {what}{until}{reason}\n")
    }

    /// Why it is still suspended, and what to do.
    fn stays(&self) -> String {
        let Self { namespace, name, .. } = self;
        let by = if self.other_managers.is_empty() { "another field manager".to_owned() } else { self.managers() };
        format!(
            "{namespace}/{name} stays suspended: {by} has set spec.suspend. Remove it there: from the manifest, or, if nobody applies one, by \
             kubectl patch identities.unkey.com {name} --namespace {namespace} --type=merge -p '{{\"spec\":{{\"suspend\":null}}}}'"
        )
    }
}
