//! `get`: all that is known of one Identity or externalId. It writes nothing, and what it cannot learn it leaves open and says so.

mod next;

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use self::next::{Outlook, outlook};
use super::connect::{Cluster, ClusterArgs, KeyError, UnkeyArgs};
use super::failure::{Failed, finish};
use super::names::{Named, NamespaceArgs, named};
use super::output::{OutputArgs, OutputError};
use super::setup::{self, Setup, SetupError};
use super::words::say;
use crate::app::AppError;
use crate::controller::RawIdentity;
use crate::domain::{ExternalId, ObjectKey};
use crate::gather::{GatherError, ListedIdentity, get_identity, list_identities, parse_identity};
use crate::inspect::{Facts, Gathered, facts_text, owner_of, read};

/// Show all that is known of one Identity: what is wanted, what Unkey holds, what differs, who owns it, and what happens next.
///
/// The next step is that of an operator that has just begun, made by the code that the operator runs, over its whole scope: the whole workspace
/// is listed for it. Without a root key Unkey is not asked. Without the operator's settings, by its Pod or after '--', no next step is shown.
#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
pub(super) struct GetArgs {
    /// Name of an Identity, NAMESPACE/NAME, or an externalId of any namespace
    #[arg(id = "name", value_name = "EXTERNAL-ID|NAME")]
    meant: String,

    /// What is given is an externalId, even if an Identity has that name
    #[arg(long)]
    external_id: bool,

    /// Print values of meta too
    #[arg(long)]
    show_meta: bool,

    /// Namespace or release of the operator, if there are several
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,

    #[command(flatten)]
    namespace: NamespaceArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    unkey: UnkeyArgs,

    /// Settings of the operator, if its Pod cannot be read: 'run' and its flags, as in: -- run --default-adoption-policy=Never
    #[arg(last = true, value_name = "RUN")]
    run: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("there is no Identity '{1}' in namespace '{0}'")]
    NoSuch(String, String),
    #[error(
        "there is no Identity '{name}' in namespace '{namespace}', none of any namespace has the externalId '{name}'{and}"
    )]
    Nothing { namespace: String, name: String, and: &'static str },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::Key(_) => true,
            Self::App(error) => error.is_usage(),
            Self::Setup(error) => error.is_usage(),
            Self::Gather(error) => error.is_usage(),
            Self::NoSuch(..) | Self::Nothing { .. } | Self::Output(_) => false,
        }
    }
}

pub(super) fn main(args: &GetArgs) -> ExitCode {
    finish(got(args))
}

fn note(text: &str) {
    say(format_args!("{text}"));
}

async fn got(args: &GetArgs) -> Result<(), Failure> {
    let upstream = args.unkey.connect()?;
    if upstream.is_none() {
        note("there is no root key, so Unkey is not asked, and what would happen next is not known");
    }
    let cluster = args.cluster.connect().await?;
    let setup = setup(args, &cluster).await?;
    let scope = setup.as_ref().map(|setup| setup.options.scope()).unwrap_or_default();
    let listed = list_identities(&cluster.client, &scope, |_| false).await?;
    let (external_id, meant) = meant(args, &cluster, &listed).await?;
    let of_name = listed.iter().map(|it| &*it.raw).filter(|raw| *raw.external_id() == external_id);
    // What goes into the plan is gone from here.
    let namesakes: Vec<RawIdentity> = of_name.cloned().collect();
    if let Some(meant) = meant.as_ref().filter(|it| namesakes.iter().all(|other| other.uid() != it.uid())) {
        note(&format!("no operator that is known here watches {}/{}", meant.namespace(), meant.name()));
    }
    let asked = upstream.is_some();
    let Outlook { found, next } = match upstream {
        Some(upstream) => outlook(&cluster, upstream, setup.as_ref(), listed, (&external_id, meant.as_ref())).await?,
        None => Outlook::default(),
    };
    if meant.is_none() && found.is_none() {
        let and =
            if asked { ", and Unkey holds no such identity" } else { "; without a root key Unkey cannot be asked" };
        let namespace = args.namespace.or(&cluster.namespace);
        return Err(Failure::Nothing { namespace, name: args.meant.clone(), and });
    }
    let annotations = annotations(&cluster, meant.as_ref()).await?;
    let policy = setup.as_ref().map(|setup| (setup.options.policy(), setup.from.as_str()));
    let gathered = Gathered {
        external_id: external_id.as_str(),
        meant: meant.as_ref(),
        namesakes: namesakes.iter().collect(),
        found: found.as_ref(),
        asked,
        setup: policy.as_ref().map(|(policy, from)| (policy, *from)),
        next,
        annotations: &annotations,
    };
    let facts = Facts::of(gathered, args.show_meta);
    Ok(args.output.document(&facts, || facts_text(&facts))?)
}

/// The annotations of a suspended one: they say why.
async fn annotations(cluster: &Cluster, meant: Option<&RawIdentity>) -> Result<Value, GatherError> {
    let Some(meant) = meant.filter(|raw| read(raw).controls.suspend) else { return Ok(Value::Null) };
    let object = get_identity(&cluster.client, &meant.key()).await?;
    Ok(object.map_or(Value::Null, |object| object["metadata"]["annotations"].clone()))
}

/// How the operator is set up. What the user gives has to be right; what cannot be found out is left open.
async fn setup(args: &GetArgs, cluster: &Cluster) -> Result<Option<Setup>, Failure> {
    if !args.run.is_empty() {
        return Ok(Some(setup::given(&args.run)?));
    }
    match setup::found(&cluster.client, args.operator.as_deref()).await {
        Ok(setup) => Ok(Some(setup)),
        Err(error @ SetupError::Several(_)) => Err(error.into()),
        Err(error) => {
            note(&format!("{error}. Until then its defaults and its next step are left open"));
            Ok(None)
        }
    }
}

/// The externalId, and the Identity that is meant: by name in the namespace, else by externalId wherever it is.
async fn meant(
    args: &GetArgs,
    cluster: &Cluster,
    listed: &[ListedIdentity],
) -> Result<(ExternalId, Option<RawIdentity>), Failure> {
    let by_name = named(&args.meant).ok().filter(|_| !args.external_id);
    if let Some(Named { namespace, name }) = by_name {
        let is_whole = namespace.is_some();
        let key = ObjectKey { namespace: namespace.unwrap_or_else(|| args.namespace.or(&cluster.namespace)), name };
        if let Some(raw) = by_key(cluster, listed, &key).await? {
            let is_another =
                |it: &&ListedIdentity| it.raw.external_id().as_str() == args.meant && it.raw.uid() != raw.uid();
            if let Some(other) = listed.iter().find(is_another).filter(|_| raw.external_id().as_str() != args.meant) {
                note(&format!(
                    "{}/{} has the externalId '{}'; to see that one, add --external-id",
                    other.raw.namespace(),
                    other.raw.name(),
                    args.meant
                ));
            }
            return Ok((raw.external_id().clone(), Some(raw)));
        }
        if is_whole {
            return Err(Failure::NoSuch(key.namespace, key.name));
        }
    }
    let external_id = ExternalId::new(&args.meant);
    let namesakes: Vec<&RawIdentity> =
        listed.iter().map(|it| &*it.raw).filter(|raw| *raw.external_id() == external_id).collect();
    let meant = owner_of(&namesakes).or(namesakes.first().copied()).cloned();
    Ok((external_id, meant))
}

async fn by_key(
    cluster: &Cluster,
    listed: &[ListedIdentity],
    key: &ObjectKey,
) -> Result<Option<RawIdentity>, GatherError> {
    if let Some(found) = listed.iter().find(|it| it.raw.key() == *key) {
        return Ok(Some(RawIdentity::clone(&found.raw)));
    }
    // It may be outside of what the operator watches.
    let object = get_identity(&cluster.client, key).await?;
    object.map(parse_identity).transpose()
}
