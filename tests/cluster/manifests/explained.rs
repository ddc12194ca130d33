//! `kubectl explain`: the reference that users have at hand.

use std::collections::BTreeSet;

use super::super::harness::{World, eventually, succeeded};

/// The document of a path, once the API server publishes it: it does so some seconds after the CRD is there.
async fn explain(world: &World, path: &str) -> String {
    let args = ["explain", "--api-version=unkey.com/v1alpha1", path];
    let what = format!("kubectl explain {path}");
    eventually(&what, async || {
        let output = world.kubectl(&args, None);
        output.status.success().then(|| succeeded(&output))
    })
    .await
}

/// The fields listed in a document of `kubectl explain`, and those of them without a description.
fn fields(document: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let (mut all, mut bare) = (BTreeSet::new(), BTreeSet::new());
    let list = document.split_once("FIELDS:\n").map_or("", |(_, list)| list);
    let mut current = None;
    for line in list.lines() {
        if let Some(field) =
            line.strip_prefix("  ").filter(|rest| rest.starts_with(char::is_alphabetic) && !rest.starts_with("enum: "))
        {
            let name = field.split('\t').next().unwrap_or(field).trim();
            all.insert(name);
            bare.insert(name);
            current = Some(name);
        } else if let Some(text) = line.strip_prefix("    ") {
            let described = !text.trim().is_empty() && text.trim() != "<no description>";
            if let Some(name) = current.filter(|_| described) {
                bare.remove(name);
            }
        }
    }
    (all, bare)
}

#[tokio::test]
async fn every_field_has_a_description() {
    let world = World::new("explain").await;
    let rows: &[(&str, &[&str])] = &[
        ("identity", &["apiVersion", "kind", "metadata", "spec", "status"]),
        (
            "identity.spec",
            &["adoptionPolicy", "deletionPolicy", "externalId", "managementPolicy", "meta", "ratelimits", "suspend"],
        ),
        ("identity.spec.ratelimits", &["autoApply", "duration", "limit", "name"]),
        (
            "identity.status",
            &[
                "applied",
                "cause",
                "conditions",
                "credential",
                "deletionPolicy",
                "identityId",
                "lastHandledReconcileAt",
                "managed",
                "observed",
                "observedGeneration",
                "origin",
                "pending",
                "uid",
            ],
        ),
        ("identity.status.applied", &["meta", "ratelimits"]),
        ("identity.status.pending", &["meta", "ratelimits"]),
        ("identity.status.observed", &["differs", "identityId", "others"]),
        (
            "identity.status.conditions",
            &["lastTransitionTime", "message", "observedGeneration", "reason", "status", "type"],
        ),
    ];
    for (path, expected) in rows {
        let document = explain(&world, path).await;
        let (all, bare) = fields(&document);
        assert_eq!(all, expected.iter().copied().collect(), "{path}:\n{document}");
        assert_eq!(bare, BTreeSet::new(), "{path}:\n{document}");
        assert!(document.contains("DESCRIPTION:\n    ") && !document.contains("<empty>"), "{document}");
    }
}

/// What must be found where a user looks for it.
#[tokio::test]
async fn the_words_that_matter() {
    let world = World::new("explain-words").await;
    let rows: &[(&str, &[&str])] = &[
        ("identity.spec.externalId", &["Immutable", "1 to 255"]),
        (
            "identity.spec.deletionPolicy",
            &["WARNING", "unlinks", "Orphan", "--default-deletion-policy", "ENUM: Delete Orphan"],
        ),
        ("identity.spec.adoptionPolicy", &["--default-adoption-policy", "ENUM: Never IfLossless Always"]),
        (
            "identity.spec.meta",
            &["100 top-level", "1,048,576 bytes", "Do not store secrets", "--server-side", "clears", "rounds"],
        ),
        ("identity.spec.ratelimits", &["at most 50", "clears"]),
        ("identity.spec.ratelimits.duration", &["milliseconds", "At least 1000"]),
        ("identity.spec.ratelimits.name", &["3 to 128 printable ASCII"]),
        ("identity.spec.suspend", &["a deletion waits"]),
        ("identity.spec.managementPolicy", &["--default-management-policy", "only reads", "ENUM: Enforce Observe"]),
        ("identity.status.observed.differs", &["Never a value"]),
    ];
    for (path, words) in rows {
        let document = explain(&world, path).await.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in *words {
            assert!(document.contains(word), "{path} does not say '{word}': {document}");
        }
    }
}
