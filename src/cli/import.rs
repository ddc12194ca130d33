//! `import`: reads, has manifests made, writes them. What it has to say goes to standard error; only manifests go to standard output.

mod args;
mod told;

use std::process::ExitCode;

pub(super) use self::args::ImportArgs;
use self::args::{Destination, Failure};
use self::told::{Place, cannot, notes, summary};
use super::failure::finish;
use super::output::print;
use super::words::say;
use crate::controller::Scope;
use crate::gather::{list_identities, list_workspace};
use crate::import::{InCluster, check, files, import, stream, write};

pub(super) fn main(args: &ImportArgs) -> ExitCode {
    finish(imported(args))
}

async fn imported(args: &ImportArgs) -> Result<(), Failure> {
    // First what costs nothing: a listing may take minutes.
    if let Destination::Folder(folder) = args.destination() {
        check(folder)?;
    }
    let named = args.named()?;
    let mut upstream = args.unkey.connect()?.ok_or(Failure::NoKey)?;
    let cluster = if args.unmanaged { Some(in_cluster(args).await?) } else { None };
    let asked = named.clone().unwrap_or_default();
    let listing = list_workspace(&upstream.client, &mut upstream.pace, || asked, std::convert::identity).await?;
    if !listing.is_whole && named.is_none() {
        return Err(Failure::NotWhole(listing.identities.len()));
    }
    // It must not pass for a result: it could take the place of an earlier import.
    if listing.is_whole && listing.identities.is_empty() {
        return Err(Failure::Empty(upstream.from));
    }
    let made = import(listing.identities, &args.selection(named, cluster), &args.form());
    for note in notes(&made) {
        say(format_args!("{note}"));
    }
    if !made.left_out.is_empty() && !args.allow_partial {
        return Err(Failure::Partial(cannot(made.left_out.len())));
    }
    // It must not take the place of an earlier import: a filter may be misspelt.
    if made.manifests.is_empty() {
        return Err(Failure::NothingLeft);
    }
    let place = match args.destination() {
        Destination::Stdout => {
            print(&stream(&made.manifests)).map_err(Failure::Output)?;
            Place::Stdout
        }
        Destination::Folder(folder) => {
            let files = files(&made.manifests, args.split());
            write(folder, &files)?;
            // One of them is the kustomization.
            Place::Folder(folder, files.len().saturating_sub(1))
        }
    };
    say(format_args!("{}", summary(&made, place)));
    Ok(())
}

/// What the Identities of the whole cluster name.
async fn in_cluster(args: &ImportArgs) -> Result<InCluster, Failure> {
    let cluster = args.cluster.connect().await?;
    let mut found = InCluster::default();
    for listed in list_identities(&cluster.client, &Scope::default(), |_| false).await? {
        let (key, external_id) = (listed.raw.key(), listed.raw.external_id().as_str().to_owned());
        if key.namespace == args.namespace() {
            found.names.insert(key.name, external_id.clone());
        }
        found.external_ids.insert(external_id);
    }
    Ok(found)
}
