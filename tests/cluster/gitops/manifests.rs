//! The examples of GitOps tools, applied. Argo CD's and Flux's own kinds meet definitions of this test's (`kinds.yaml`): they know the fields
//! that the examples use and no others, so that a misspelt one is refused, but they are not the originals' schemas.

use std::path::PathBuf;

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::harness::{World, eventually, succeeded};

fn example(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

#[tokio::test]
async fn argo_cd_and_flux() {
    let world = World::alone("kinds").await;
    let apply = ["apply", "--server-side", "--validate=strict", "-f", "-"];
    // Those of the tools themselves.
    for namespace in ["argocd", "flux-system"] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        succeeded(&world.run_kubectl(&apply, &namespace.to_string()).await);
    }
    succeeded(&world.run_kubectl(&apply, include_str!("kinds.yaml")).await);
    let established = ["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"];
    succeeded(&world.plane_kubectl(&established, "").await);
    for file in ["argocd/applications.yaml", "flux/operator.yaml", "flux/kustomizations.yaml"] {
        let text = std::fs::read_to_string(example(file)).unwrap();
        for document in documents(&text) {
            let kind = document["kind"].as_str().unwrap();
            let document = document.to_string();
            let taken = async || {
                let output = world.plane_kubectl(&apply, &document).await;
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                // A definition that was just made is served a moment later.
                let early = ["no matches for kind", "could not find the requested resource"];
                (!early.iter().any(|words| said.contains(words))).then_some(output)
            };
            let said = succeeded(&eventually(&format!("{kind} to be served"), taken).await);
            assert!(said.contains("serverside-applied"), "{file}: {said}");
        }
    }
    // A misspelt field would have been noticed.
    let wrong = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "wrong", "namespace": "argocd"},
        "spec": {"project": "default", "source": {"repoURL": "a", "targetRevison": "b"}, "destination": {"namespace": "a"}},
    });
    let output = world.plane_kubectl(&apply, &wrong.to_string()).await;
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("targetRevison"),
        "{output:?}"
    );

    // The health check joins an argocd-cm that is there.
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {"url": "https://argocd.example.com"},
    });
    succeeded(&world.plane_kubectl(&["apply", "-f", "-"], &settings.to_string()).await);
    let file = example("argocd/argocd-cm.yaml");
    let merge = ["patch", "configmap", "argocd-cm", "-n", "argocd", "--type=merge", "--patch-file"];
    let how = format!("#   kubectl {} argocd-cm.yaml\n", merge.join(" "));
    assert!(std::fs::read_to_string(&file).unwrap().contains(&how), "the file says how");
    succeeded(&world.plane_kubectl(&[&merge[..], &[file.to_str().unwrap()]].concat(), "").await);
    let merged =
        succeeded(&world.plane_kubectl(&["get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json"], "").await);
    let merged: Value = serde_json::from_str(&merged).unwrap();
    let keys: Vec<&String> = merged["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert_eq!(merged["data"]["url"], "https://argocd.example.com");
}

#[tokio::test]
async fn kustomize() {
    let world = World::new("kustomize").await;
    let _operator = world.start().await;
    let render = async |folder: &str| -> Vec<Value> {
        let folder = example("kustomize").join(folder);
        let text = succeeded(&world.plane_kubectl(&["kustomize", folder.to_str().unwrap()], "").await);
        let mut found = documents(&text);
        for object in &mut found {
            // Theirs to choose; the test's here.
            object["metadata"].as_object_mut().unwrap().remove("namespace");
        }
        found
    };
    let base = render("base").await;
    let named = |all: &[Value]| -> Vec<Value> { all.iter().map(|it| it["metadata"]["name"].clone()).collect() };
    for (overlay, policy, limit) in [("overlays/staging", "Delete", 50), ("overlays/production", "Orphan", 1_000)] {
        let objects = render(overlay).await;
        assert_eq!(named(&objects), named(&base), "an overlay that renames deletes");
        // Before the first one too: kubectl of 1.32 takes what begins with a brace for nothing but JSON.
        let all: Vec<String> = objects.iter().map(|object| format!("---\n{object}\n")).collect();
        let all = all.concat();
        succeeded(&world.run_kubectl(&["apply", "--server-side", "-f", "-"], &all).await);
        for object in &objects {
            let name = object["metadata"]["name"].as_str().unwrap();
            let ready = world.ready(name).await;
            assert_eq!(ready["status"]["deletionPolicy"], policy, "{overlay}: {name}");
        }
        assert_eq!(succeeded(&world.run_kubectl(&["diff", "--server-side", "-f", "-"], &all).await), "", "{overlay}");
        assert_eq!(world.upstream("kustomize-globex")["ratelimits"][0]["limit"], limit, "{overlay}");
        world.assert_in_step().await;
    }
}
