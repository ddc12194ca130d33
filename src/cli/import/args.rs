//! The flags of `import`, and why there is none.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::super::connect::{ClusterArgs, KeyError, UnkeyArgs};
use super::super::failure::Failed;
use crate::api::{DeletionPolicy, ManagementPolicy};
use crate::app::AppError;
use crate::gather::GatherError;
use crate::import::{Form, InCluster, MetaForm, Selection, WriteError, external_ids, label};

/// Write what Unkey holds as manifests of Identities.
///
/// Applied, the manifests change nothing in Unkey: the operator adopts each identity as it is. The command needs a root key that may read
/// identities, and no cluster; only --unmanaged needs a cluster and the right to list Identities. An identity has to pass all filters.
///
/// What no manifest can express is listed; then nothing is written, and the exit code is 1. What a client-side apply does not keep is listed too, with
/// the command to use. What no apply keeps is in files of its own: create-0001.yaml and so on.
#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
#[command(group = ArgGroup::new("destination").args(["output_dir", "stdout"]).required(true))]
pub(in crate::cli) struct ImportArgs {
    /// Namespace of the manifests
    #[arg(short, long, value_parser = crate::cli::run::namespace)]
    namespace: String,

    /// Folder for the manifests and a kustomization.yaml, or - for standard output. It must be absent, empty, or an earlier import, which is
    /// replaced as a whole
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,

    /// Print the manifests to standard output
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true)]
    stdout: Option<String>,

    /// Only identities that have this text in their id or externalId, in upper or lower case
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    search: Option<String>,

    /// Only identities whose externalId begins so; repeatable
    #[arg(long, value_name = "PREFIX", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    external_id_prefix: Vec<String>,

    /// Only identities whose externalId is in this file, one a line. Each of them has to be in Unkey
    #[arg(long, value_name = "FILE")]
    external_ids: Option<PathBuf>,

    /// Only identities that no Identity of the cluster names, in any namespace
    #[arg(long)]
    pub(super) unmanaged: bool,

    /// What becomes of meta: 'keep' writes all of it; 'omit' writes none, so that the operator does not manage meta; 'only=KEY,KEY' writes
    /// these top-level keys
    #[arg(long, value_name = "keep|omit|only=KEY,…", default_value = "keep", value_parser = meta)]
    meta: MetaForm,

    /// What becomes of rate limits: 'keep' writes them; 'omit' writes none, so that the operator does not manage them
    #[arg(long, value_enum, default_value = "keep")]
    ratelimits: Part,

    /// Manifests in one file
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    split: u32,

    /// Label of each manifest; repeatable
    #[arg(short = 'l', long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,

    /// deletionPolicy of each manifest
    #[arg(long, default_value = "Orphan")]
    deletion_policy: DeletionPolicy,

    /// managementPolicy of each manifest; without it the operator's default holds
    #[arg(long)]
    management_policy: Option<ManagementPolicy>,

    /// Write the others, and exit with code 0, if some identities cannot be expressed
    #[arg(long)]
    pub(super) allow_partial: bool,

    #[command(flatten)]
    pub(super) cluster: ClusterArgs,

    #[command(flatten)]
    pub(super) unkey: UnkeyArgs,
}

/// What becomes of a part of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Keep,
    Omit,
}

/// Where the manifests go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination<'a> {
    Stdout,
    Folder(&'a PathBuf),
}

impl ImportArgs {
    pub(super) fn destination(&self) -> Destination<'_> {
        self.output_dir.as_ref().filter(|it| it.as_os_str() != "-").map_or(Destination::Stdout, Destination::Folder)
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn split(&self) -> usize {
        usize::try_from(self.split).unwrap_or(usize::MAX)
    }

    pub(super) fn form(&self) -> Form {
        Form {
            namespace: self.namespace.clone(),
            labels: self.label.iter().cloned().collect(),
            meta: self.meta.clone(),
            ratelimits: self.ratelimits == Part::Keep,
            deletion: self.deletion_policy,
            management: self.management_policy,
        }
    }

    /// The externalIds of the file, if there is one.
    pub(super) fn named(&self) -> Result<Option<BTreeSet<String>>, Failure> {
        let Some(path) = &self.external_ids else { return Ok(None) };
        let text = std::fs::read_to_string(path);
        let named = external_ids(&text.map_err(|source| Failure::ExternalIds { path: path.clone(), source })?);
        if named.is_empty() { Err(Failure::NoExternalIds(path.clone())) } else { Ok(Some(named)) }
    }

    pub(super) fn selection(&self, named: Option<BTreeSet<String>>, cluster: Option<InCluster>) -> Selection {
        let (search, prefixes) = (self.search.clone(), self.external_id_prefix.clone());
        Selection { search, prefixes, external_ids: named, cluster }
    }
}

fn meta(text: &str) -> Result<MetaForm, String> {
    match text {
        "keep" => Ok(MetaForm::Keep),
        "omit" => Ok(MetaForm::Omit),
        text => {
            let keys = text.strip_prefix("only=").map(|keys| keys.split(',').map(str::to_owned));
            let keys: BTreeSet<String> = keys.into_iter().flatten().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                return Err("must be keep, omit, or only= and keys, as in only=plan,seats".to_owned());
            }
            Ok(MetaForm::Only(keys))
        }
    }
}

/// Why there is no import.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(
        "there is no root key to read Unkey with; name a file with --root-key-file, or set UNKEY_ROOT_KEY. A root key that may only read identities will do"
    )]
    NoKey,
    #[error("the file '{}' of --external-ids cannot be read: {source}", path.display())]
    ExternalIds { path: PathBuf, source: std::io::Error },
    #[error("the file '{}' of --external-ids names no externalId; write one in each line", .0.display())]
    NoExternalIds(PathBuf),
    #[error(transparent)]
    App(#[from] AppError),
    #[error("{0}; nothing is written")]
    Gather(#[from] GatherError),
    #[error(
        "Unkey shows no identity at all: the workspace is empty, or the root key may not read identities; nothing is written. The root key is from {0}, \
         and needs identity.*.read_identity"
    )]
    Empty(String),
    #[error("no identity in Unkey passes the filters, or none can be expressed; nothing is written")]
    NothingLeft,
    #[error(
        "the workspace cannot be listed to its end: Unkey answers no page after {0} identities. An identity with more than about 256 kB of meta does \
         that; nothing is written. Name the identities to import in a file, and pass the file with --external-ids: each is then read by itself"
    )]
    NotWhole(usize),
    #[error(
        "{0}; nothing is written. Correct them in Unkey, use --meta, --ratelimits or the filters so that they are not needed, or pass \
         --allow-partial to write the others"
    )]
    Partial(String),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the manifests cannot be written to standard output: {0}")]
    Output(std::io::Error),
}

impl Failed for Failure {
    fn is_usage(&self) -> bool {
        match self {
            Self::NoKey | Self::Key(_) | Self::ExternalIds { .. } | Self::NoExternalIds(_) => true,
            Self::App(error) => error.is_usage(),
            Self::Gather(error) => error.is_usage(),
            Self::Write(error) => error.is_usage(),
            Self::Empty(_) | Self::NothingLeft | Self::NotWhole(_) | Self::Partial(_) | Self::Output(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        args: ImportArgs,
    }

    fn of(args: &[&str]) -> Result<ImportArgs, clap::Error> {
        Alone::try_parse_from([&["import", "-n", "shop"], args].concat()).map(|alone| alone.args)
    }

    #[test]
    fn it_goes_to_one_place() {
        for stdout in [&["-"][..], &["--output-dir", "-"]] {
            assert!(matches!(of(stdout).unwrap().destination(), Destination::Stdout));
        }
        let args = of(&["--output-dir", "out"]).unwrap();
        assert!(matches!(args.destination(), Destination::Folder(path) if path.as_os_str() == "out"));
        for wrong in [&[][..], &["out"], &["-", "--output-dir", "out"]] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_not_said_keeps_all() {
        let args = of(&["-"]).unwrap();
        let form = args.form();
        assert_eq!((form.meta, form.ratelimits, args.split()), (MetaForm::Keep, true, 500));
        assert_eq!((form.deletion, form.management), (DeletionPolicy::Orphan, None));
        let args = of(&["-", "--meta", "only=b,a,", "--ratelimits=omit", "-l", "a=b", "-l", "c="]).unwrap();
        let form = args.form();
        assert_eq!(form.meta, MetaForm::Only(["a", "b"].map(str::to_owned).into()));
        assert_eq!((form.ratelimits, form.labels.len()), (false, 2));
        for wrong in ["only=", "only", "all", ""] {
            assert!(of(&["-", "--meta", wrong]).is_err(), "{wrong}");
        }
    }
}
