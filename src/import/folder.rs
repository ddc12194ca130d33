//! The files of an import: manifests by the hundred, and a `kustomization.yaml` that names them. Pure.

use super::collect::Manifest;
use super::unusual::Unusual;
use super::yaml::quoted;

/// By this line an earlier import is known.
pub(super) const MARKER: &str =
    "# Written by 'unkey-operator import'. The next import into this folder replaces all files in it.\n";
/// The file that names the others.
pub(super) const KUSTOMIZATION: &str = "kustomization.yaml";
/// Files that the kustomization names begin so.
const APPLIED: &str = "identities-";
/// Files whose manifests can be created and not applied begin so. The kustomization does not name them: one of them would break all others.
pub const CREATED: &str = "create-";
const END: &str = ".yaml";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// The files of these manifests, so many in one.
pub fn files(manifests: &[Manifest], split: usize) -> Vec<File> {
    let (created, applied): (Vec<&Manifest>, Vec<&Manifest>) =
        manifests.iter().partition(|it| it.unusual.is_some_and(Unusual::needs_create));
    let mut files = split_up(APPLIED, &applied, split);
    let mut text =
        format!("{MARKER}\"apiVersion\": \"kustomize.config.k8s.io/v1beta1\"\n\"kind\": \"Kustomization\"\n");
    text.push_str(if files.is_empty() { "\"resources\": []\n" } else { "\"resources\":\n" });
    for file in &files {
        text.push_str("  - ");
        quoted(&mut text, &file.name);
        text.push('\n');
    }
    files.extend(split_up(CREATED, &created, split));
    files.push(File { name: KUSTOMIZATION.to_owned(), text });
    files
}

fn split_up(begin: &str, manifests: &[&Manifest], split: usize) -> Vec<File> {
    let each = manifests.chunks(split.max(1)).enumerate();
    each.map(|(at, some)| File {
        name: format!("{begin}{:04}{END}", at + 1),
        text: some.iter().map(|it| it.text.as_str()).collect(),
    })
    .collect()
}

/// The same for standard output.
pub fn stream(manifests: &[Manifest]) -> String {
    manifests.iter().map(|it| it.text.as_str()).collect()
}

/// True for a file that an import writes.
pub(super) fn is_ours(name: &str) -> bool {
    let rest = name.strip_prefix(APPLIED).or_else(|| name.strip_prefix(CREATED));
    let number = rest.and_then(|rest| rest.strip_suffix(END));
    name == KUSTOMIZATION || number.is_some_and(|it| it.len() >= 4 && it.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests(all: &[Option<Unusual>]) -> Vec<Manifest> {
        let each = all.iter().enumerate();
        each.map(|(at, unusual)| Manifest {
            external_id: String::new(),
            text: format!("---\n{at}\n"),
            unusual: *unusual,
        })
        .collect()
    }

    #[test]
    fn manifests_stand_by_the_hundred_and_the_kustomization_names_what_can_be_applied() {
        let (null, long) = (Some(Unusual::Null), Some(Unusual::LongKey));
        let made = manifests(&[None, long, None, null, long, None, None, long]);
        let all = files(&made, 2);
        let names: Vec<&str> = all.iter().map(|file| file.name.as_str()).collect();
        let applied = ["identities-0001.yaml", "identities-0002.yaml", "identities-0003.yaml"];
        assert_eq!(names, [&applied[..], &["create-0001.yaml", "create-0002.yaml", KUSTOMIZATION]].concat());
        assert!(names.iter().all(|name| is_ours(name)));
        assert_eq!((all[1].text.as_str(), all[3].text.as_str()), ("---\n3\n---\n5\n", "---\n1\n---\n4\n"));
        let kustomization: serde_json::Value = serde_yaml::from_str(&all[5].text).unwrap();
        assert_eq!(kustomization["resources"], serde_json::json!(applied));
        assert!(all[5].text.starts_with(MARKER) && MARKER.starts_with("# "));
        assert!(stream(&made).starts_with("---\n0\n---\n1\n---\n2\n"));
        assert_eq!(files(&[], 2).len(), 1);
        for name in ["identities-1.yaml", "identities-00a1.yaml", "identities-0001.yml", "README.md", ".git"] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
