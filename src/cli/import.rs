//! `import`: reads, has manifests made, writes them. What it has to say goes to standard error; only manifests go to standard output.

mod args;

use std::path::Path;
use std::process::ExitCode;

use self::args::{Destination, Failure};
pub(super) use self::args::ImportArgs;
use super::output::print;
use super::words::program;
use crate::controller::Scope;
use crate::gather::{list_identities, list_workspace};
use crate::import::{Import, InCluster, ServerSide, check, files, import, stream, write};
use crate::text::printable;

/// Characters of an externalId that are shown: all that one can have.
const SHOWN: usize = 255;

pub(super) fn main(args: &ImportArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime);
    match runtime.and_then(|runtime| runtime.block_on(imported(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failure::failed(&error, error.is_usage()),
    }
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
    let listing = list_workspace(&upstream.client, &mut upstream.pace, || asked).await?;
    if !listing.is_whole && named.is_none() {
        return Err(Failure::NotWhole(listing.identities.len()));
    }
    let made = import(listing.identities, &args.selection(named, cluster), &args.form());
    tell(&made);
    if !made.left_out.is_empty() && !args.allow_partial {
        return Err(Failure::Partial(cannot(made.left_out.len())));
    }
    let place = match args.destination() {
        Destination::Stdout => {
            print(&stream(&made.documents)).map_err(Failure::Output)?;
            None
        }
        Destination::Folder(folder) => {
            let files = files(&made.documents, args.split());
            write(folder, &files)?;
            // One of them is the kustomization.
            Some((folder.as_path(), files.len().saturating_sub(1)))
        }
    };
    eprintln!("{}: {}", program(), summary(&made, place));
    Ok(())
}

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

/// What a user has to know of single identities.
fn tell(made: &Import) {
    let shown = |external_id: &str| printable(external_id, SHOWN);
    for left_out in &made.left_out {
        let why = left_out.why.join("; ");
        eprintln!("{}: identity '{}' is left out: {why}", program(), shown(&left_out.external_id));
    }
    for (external_id, why) in &made.server_side {
        let why = match why {
            ServerSide::Null => "meta has a null, which a later client-side apply would remove",
            ServerSide::Large => "the manifest is larger than 250 kB, which a client-side apply refuses",
        };
        eprintln!("{}: identity '{}': {why}; apply with --server-side", program(), shown(external_id));
    }
    if made.losing > 0 {
        eprintln!(
            "{}: --meta leaves keys out of {}; the operator removes those keys from Unkey, and does so only under adoptionPolicy Always",
            program(),
            counted(made.losing, "manifest")
        );
    }
}

fn cannot(count: usize) -> String {
    let identities = if count == 1 { "identity cannot" } else { "identities cannot" };
    format!("{count} {identities} be expressed as a manifest")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What was written, and what to do next. `place`: the folder, and how many files of manifests are in it; `None`: standard output.
fn summary(made: &Import, place: Option<(&Path, usize)>) -> String {
    let count = made.documents.len();
    let left_out = match made.left_out.len() {
        0 => String::new(),
        count => format!(", and {count} left out"),
    };
    let manifests = counted(count, "manifest");
    let (written, apply) = match place {
        None => (manifests, "kubectl apply --server-side -f -".to_owned()),
        Some((folder, files)) => {
            let folder = folder.display().to_string();
            let written = format!("{manifests} in {} of '{folder}'", counted(files, "file"));
            (written, format!("kubectl apply --server-side -k {}", quoted(&folder)))
        }
    };
    if count == 0 {
        return format!("{written}{left_out}: no other identity in Unkey passes the filters");
    }
    format!("{written}{left_out}. Next: {apply}, then {} plan", program())
}

/// For a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::LeftOut;

    #[test]
    fn the_summary_says_what_comes_next() {
        let mut made = Import { documents: vec![String::new(); 2], ..Import::default() };
        let folder = Path::new("it's mine");
        assert_eq!(
            summary(&made, Some((folder, 1))),
            "2 manifests in 1 file of 'it's mine'. Next: kubectl apply --server-side -k 'it'\\''s mine', then unkey-operator plan"
        );
        made.left_out = vec![LeftOut { external_id: "a".to_owned(), why: Vec::new() }];
        assert!(summary(&made, None).starts_with("2 manifests, and 1 left out. Next: kubectl apply --server-side -f -, "));
        made.documents.clear();
        assert!(!summary(&made, Some((folder, 0))).contains("Next"));
    }
}
