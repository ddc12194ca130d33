//! The version of this program beside those of the operators in the cluster, as the tags of their images tell. It finds no Pod itself.

use std::fmt::Write as _;

use serde::Serialize;

use crate::gather::OperatorPod;

/// This program, and the operators.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// Of this program.
    version: String,
    /// The Pods of operators that were found, those that lead first.
    operators: Vec<OperatorVersion>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OperatorVersion {
    namespace: String,
    pod: String,
    image: String,
    /// Null: the image's tag is no version.
    version: Option<String>,
    leads: bool,
    ready: bool,
}

impl Versions {
    /// Of this program alone.
    pub fn of(version: &str) -> Self {
        Self { version: version.to_owned(), operators: Vec::new() }
    }

    /// Takes in what runs in the cluster.
    pub fn add(&mut self, pods: &[OperatorPod]) {
        let each = pods.iter().map(|pod| OperatorVersion {
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            image: pod.image.clone(),
            version: tag(&pod.image)
                .filter(|tag| minor(tag).is_some())
                .map(|tag| tag.trim_start_matches('v').to_owned()),
            leads: pod.leads,
            ready: pod.is_ready,
        });
        self.operators.extend(each);
    }

    /// What a user has to know: a sentence for each operator that is more than a patch apart.
    pub fn warnings(&self) -> Vec<String> {
        let is_apart =
            |it: &&OperatorVersion| it.version.as_deref().is_some_and(|version| minor(version) != minor(&self.version));
        let told = |it: &OperatorVersion| {
            format!(
                "the operator {}/{} is {}, and this program {}; what they decide may differ. Use the program of the operator's version",
                it.namespace,
                it.pod,
                it.version.as_deref().unwrap_or_default(),
                self.version
            )
        };
        self.operators.iter().filter(is_apart).map(told).collect()
    }

    /// As people read it. The first line is this program's, and scripts rely on it.
    pub fn text(&self) -> String {
        let mut text = format!("unkey-operator {}\n", self.version);
        for it in &self.operators {
            let version = it.version.as_deref().unwrap_or("of unknown version");
            let leads = if it.leads { ", leads" } else { "" };
            let ready = if it.ready { "" } else { ", not ready" };
            let _ = writeln!(text, "operator {version} in {}/{} ({}{leads}{ready})", it.namespace, it.pod, it.image);
        }
        text
    }
}

/// The tag of an image; `None`: it has none.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    name.split_once(':').map(|(_, tag)| tag)
}

/// Major and minor; `None`: that is no version.
fn minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(image: &str) -> OperatorPod {
        OperatorPod {
            namespace: "ops".to_owned(),
            name: "o-1".to_owned(),
            image: image.to_owned(),
            leads: true,
            is_ready: true,
            ..OperatorPod::default()
        }
    }

    #[test]
    fn a_tag_is_read_from_an_image() {
        let rows = [
            ("unkey-operator:0.1.0", Some("0.1.0")),
            ("ghcr.io:443/a/unkey-operator:v0.2.3-rc.1@sha256:ab", Some("v0.2.3-rc.1")),
            ("registry:5000/unkey-operator", None),
            ("unkey-operator@sha256:ab", None),
        ];
        for (image, expected) in rows {
            assert_eq!(tag(image), expected, "{image}");
        }
    }

    #[test]
    fn a_minor_apart_is_warned_of_and_a_patch_is_not() {
        let warns = |image: &str| {
            let mut versions = Versions::of("0.1.4");
            versions.add(&[pod(image)]);
            versions.warnings()
        };
        for fine in ["o:0.1.0", "o:v0.1.9", "o:dev", "o"] {
            assert!(warns(fine).is_empty(), "{fine}");
        }
        for apart in ["o:0.2.0", "o:v1.1.4"] {
            assert_eq!(warns(apart).len(), 1, "{apart}");
        }
    }

    #[test]
    fn the_first_line_is_the_programs() {
        let mut versions = Versions::of("0.1.0");
        versions.add(&[pod("o:v0.1.1"), OperatorPod { leads: false, is_ready: false, ..pod("o") }]);
        assert_eq!(
            versions.text(),
            "unkey-operator 0.1.0\noperator 0.1.1 in ops/o-1 (o:v0.1.1, leads)\noperator of unknown version in ops/o-1 (o, not ready)\n"
        );
    }
}
