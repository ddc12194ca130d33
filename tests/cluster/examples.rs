//! Every manifest in `examples/`, applied as a user would.

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

use super::harness::{World, condition, succeeded};

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(manifests(&path));
        } else if path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What is applied by other tests: those of `gitops`, and the Pod by the chart's.
const ELSEWHERE: [&str; 14] = [
    "admission/externalid-prefix.yaml",
    "admission/keep-identities.yaml",
    "admission/limit-ceiling.yaml",
    "argocd/applications.yaml",
    "argocd/argocd-cm.yaml",
    "flux/kustomizations.yaml",
    "flux/operator.yaml",
    "kustomize/base/kustomization.yaml",
    "kustomize/overlays/production/kustomization.yaml",
    "kustomize/overlays/staging/kustomization.yaml",
    "plan/job.yaml",
    "plan/pull-request.yaml",
    "plan/rbac.yaml",
    "unmanage/pod.yaml",
];

/// The Identities of a file. Their namespace is the reader's to choose, so it is left out.
fn identities(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    let mut found: Vec<Value> =
        documents.filter(|it| it["kind"] == "Identity" && it["apiVersion"] == "unkey.com/v1alpha1").collect();
    for identity in &mut found {
        identity["metadata"].as_object_mut().unwrap().remove("namespace");
    }
    found
}

/// Each becomes Ready, or Suspended if it asks for that; afterwards `kubectl diff` has nothing to say, and deletion ends.
#[tokio::test]
async fn each_does_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for file in manifests(&folder) {
        let identities = identities(&std::fs::read_to_string(&file).unwrap());
        if identities.is_empty() {
            let name = file.strip_prefix(&folder).unwrap().to_str().unwrap();
            assert!(ELSEWHERE.contains(&name), "no test applies {name}");
            continue;
        }
        let world = World::new("example").await;
        let _operator = world.start().await;
        for object in identities {
            let (manifest, name) = (object.to_string(), object["metadata"]["name"].as_str().unwrap());
            succeeded(&world.run_kubectl(&["apply", "-f", "-"], &manifest).await);
            let what = format!("as {} promises", file.display());
            world
                .until(name, &what, |it| {
                    condition(it, "Ready")["status"] == "True" || condition(it, "Suspended")["status"] == "True"
                })
                .await;
            assert_eq!(succeeded(&world.run_kubectl(&["diff", "-f", "-"], &manifest).await), "", "{}", file.display());
        }
    }
}
