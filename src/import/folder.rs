//! The files of an import: manifests by the hundred, and a `kustomization.yaml` that names them. Pure.

use std::fmt::Write as _;

use super::yaml::quoted;

/// By this line an earlier import is known.
pub(super) const MARKER: &str =
    "# Written by 'unkey-operator import'. The next import into this folder replaces all files in it.\n";
/// The file that names the others.
pub(super) const KUSTOMIZATION: &str = "kustomization.yaml";
const BEGIN: &str = "identities-";
const END: &str = ".yaml";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// The files of these documents, so many in one.
pub fn files(documents: &[String], split: usize) -> Vec<File> {
    let each = documents.chunks(split.max(1)).enumerate();
    let mut files: Vec<File> =
        each.map(|(at, some)| File { name: format!("{BEGIN}{:04}{END}", at + 1), text: some.concat() }).collect();
    let mut text = format!("{MARKER}\"apiVersion\": \"kustomize.config.k8s.io/v1beta1\"\n\"kind\": \"Kustomization\"\n");
    text.push_str(if files.is_empty() { "\"resources\": []\n" } else { "\"resources\":\n" });
    for file in &files {
        text.push_str("  - ");
        quoted(&mut text, &file.name);
        text.push('\n');
    }
    files.push(File { name: KUSTOMIZATION.to_owned(), text });
    files
}

/// The same for standard output.
pub fn stream(documents: &[String]) -> String {
    documents.iter().fold(String::new(), |mut text, document| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{document}");
        text
    })
}

/// True for a file that an import writes.
pub(super) fn is_ours(name: &str) -> bool {
    let number = name.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    name == KUSTOMIZATION || number.is_some_and(|it| it.len() >= 4 && it.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_stand_by_the_hundred_and_the_kustomization_names_all() {
        let documents: Vec<String> = (0..5).map(|at| format!("---\n{at}\n")).collect();
        let all = files(&documents, 2);
        let names: Vec<&str> = all.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["identities-0001.yaml", "identities-0002.yaml", "identities-0003.yaml", KUSTOMIZATION]);
        assert!(names.iter().all(|name| is_ours(name)));
        assert_eq!(all[1].text, "---\n2\n---\n3\n");
        let kustomization: serde_json::Value = serde_yaml::from_str(&all[3].text).unwrap();
        assert_eq!(kustomization["resources"], serde_json::json!(names[..3]));
        assert!(all[3].text.starts_with(MARKER) && MARKER.starts_with("# "));
        assert_eq!(stream(&documents), documents.concat());
        assert_eq!(files(&[], 2).len(), 1);
        for name in ["identities-1.yaml", "identities-00a1.yaml", "identities-0001.yml", "README.md", ".git"] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
