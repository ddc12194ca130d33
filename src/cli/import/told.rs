//! What `import` says to people.

use std::path::Path;

use super::super::words::program;
use crate::import::{CREATED, Import, Unusual};
use crate::text::printable;

/// Characters of an externalId that are shown: all that one can have.
const SHOWN: usize = 255;

/// Where the manifests are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    Stdout,
    /// So many files of manifests in this folder.
    Folder(&'a Path, usize),
}

/// What a user has to know of single identities, and of them all.
pub(super) fn notes(made: &Import) -> Vec<String> {
    let shown = |external_id: &str| printable(external_id, SHOWN);
    let left_out = made.left_out.iter().map(|it| {
        let why = it.why.join("; ");
        format!("identity '{}' is left out: {why}", shown(&it.external_id))
    });
    let unusual = made.manifests.iter().filter_map(|it| {
        let unusual = it.unusual?;
        let remedy = if unusual.needs_create() {
            "use kubectl create, and kubectl replace later"
        } else {
            "apply with --server-side"
        };
        Some(format!("identity '{}': {}; {remedy}", shown(&it.external_id), unusual.why()))
    });
    let mut notes: Vec<String> = left_out.chain(unusual).collect();
    if made.losing > 0 {
        notes.push(format!(
            "--meta leaves keys out of {}; the operator removes those keys from Unkey, and does so only under adoptionPolicy Always",
            counted(made.losing, "manifest")
        ));
    }
    notes
}

/// What cannot be expressed.
pub(super) fn cannot(count: usize) -> String {
    let identities = if count == 1 { "identity cannot" } else { "identities cannot" };
    format!("{count} {identities} be expressed as a manifest")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What was written, and what to do next.
pub(super) fn summary(made: &Import, place: Place<'_>) -> String {
    let left_out = match made.left_out.len() {
        0 => String::new(),
        count => format!(", and {count} left out"),
    };
    let manifests = counted(made.manifests.len(), "manifest");
    let written = match place {
        Place::Stdout => manifests,
        Place::Folder(folder, files) => format!("{manifests} in {} of '{}'", counted(files, "file"), folder.display()),
    };
    if made.manifests.is_empty() {
        return format!("{written}{left_out}: no other identity in Unkey passes the filters");
    }
    format!("{written}{left_out}. Next: {}, then {} plan", commands(made, place), program())
}

/// The commands that put all manifests into the cluster.
fn commands(made: &Import, place: Place<'_>) -> String {
    let created = made.manifests.iter().filter(|it| it.unusual.is_some_and(Unusual::needs_create)).count();
    match place {
        // What cannot be applied can be created, and so can the others.
        Place::Stdout if created > 0 => "kubectl create -f -".to_owned(),
        Place::Stdout => "kubectl apply --server-side -f -".to_owned(),
        Place::Folder(folder, _) => {
            let apply = format!("kubectl apply --server-side -k {}", quoted(&folder.display().to_string()));
            let files = folder.join(format!("{CREATED}*.yaml")).display().to_string();
            let create = format!("kubectl create -f {}", quoted(&files));
            match created {
                0 => apply,
                all if all == made.manifests.len() => create,
                _ => format!("{apply} && {create}"),
            }
        }
    }
}

/// For a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{LeftOut, Manifest};

    fn made(all: &[Option<Unusual>]) -> Import {
        let manifest = |unusual: &Option<Unusual>| Manifest {
            external_id: "a".to_owned(),
            text: String::new(),
            unusual: *unusual,
        };
        Import { manifests: all.iter().map(manifest).collect(), ..Import::default() }
    }

    #[test]
    fn the_summary_says_what_comes_next() {
        let mut plain = made(&[None, Some(Unusual::Null)]);
        let folder = Place::Folder(Path::new("it's mine"), 1);
        assert_eq!(
            summary(&plain, folder),
            "2 manifests in 1 file of 'it's mine'. Next: kubectl apply --server-side -k 'it'\\''s mine', then unkey-operator plan"
        );
        plain.left_out = vec![LeftOut { external_id: "a".to_owned(), why: Vec::new() }];
        let said = summary(&plain, Place::Stdout);
        assert!(said.starts_with("2 manifests, and 1 left out. Next: kubectl apply --server-side -f -, "), "{said}");
        plain.manifests.clear();
        assert!(!summary(&plain, folder).contains("Next"));

        let (some, all) = (made(&[None, Some(Unusual::MergeKey)]), made(&[Some(Unusual::Character)]));
        let next = |made: &Import, place| summary(made, place).split_once("Next: ").unwrap().1.to_owned();
        let out = Place::Folder(Path::new("out"), 2);
        assert_eq!(
            next(&some, out),
            "kubectl apply --server-side -k out && kubectl create -f 'out/create-*.yaml', then unkey-operator plan"
        );
        assert!(next(&all, out).starts_with("kubectl create -f 'out/create-*.yaml', then"));
        assert!(next(&some, Place::Stdout).starts_with("kubectl create -f -, then"));
    }

    #[test]
    fn what_is_unusual_is_told_with_its_remedy() {
        let mut made = made(&[None, Some(Unusual::Null), Some(Unusual::Character)]);
        made.losing = 1;
        made.left_out =
            vec![LeftOut { external_id: "a\u{202e}".to_owned(), why: vec!["x".to_owned(), "y".to_owned()] }];
        let notes = notes(&made);
        assert_eq!(notes[0], "identity 'a\\u{202e}' is left out: x; y");
        assert!(
            notes[1].ends_with("; apply with --server-side") && notes[2].contains("; use kubectl create"),
            "{notes:?}"
        );
        assert!(notes[3].starts_with("--meta leaves keys out of 1 manifest; ") && notes.len() == 4, "{notes:?}");
    }
}
