//! The health expressions for Flux, evaluated by the CEL of the API server (the same library as Flux's) over every status that the operator can
//! write: a policy in the test's own namespace asks them of each status that is tried, and refuses it in their name.

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde::Deserialize as _;
use serde_json::{Value, json};
use unkey_operator::domain::Verdict;

use super::statuses::{GENERATION, status, verdicts};
use crate::harness::{World, eventually, succeeded};

/// The expressions as the example has them: failed, current.
fn expressions() -> (String, String) {
    let text = include_str!("../../../examples/flux/kustomizations.yaml");
    let found = serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .find_map(|document| document["spec"]["healthCheckExprs"].as_array().cloned())
        .unwrap();
    let [only] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&only["apiVersion"], &only["kind"]), (&json!("unkey.com/v1alpha1"), &json!("Identity")));
    (only["failed"].as_str().unwrap().to_owned(), only["current"].as_str().unwrap().to_owned())
}

/// A policy for statuses of this namespace. Flux gives an expression the object's fields by their names; so do the two macros.
fn policy(world: &World) -> String {
    let name = format!("{}.flux", world.namespace);
    let refusing = |expression: &str, word: &str| {
        let bound = format!("[object.status].exists(status, [object.metadata].exists(metadata, {expression}))");
        json!({"expression": format!("!({bound})"), "message": format!("flux says {word}")})
    };
    let (failed, current) = expressions();
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
                "resourceRules": [{"apiGroups": ["unkey.com"], "apiVersions": ["*"], "resources": ["identities/status"], "operations": ["UPDATE"]}],
            },
            "validations": [refusing(&failed, "failed"), refusing(&current, "current")],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    // Before the first one too: kubectl of 1.32 takes what begins with a brace for nothing but JSON.
    format!("---\n{policy}\n---\n{binding}\n")
}

/// What Flux would make of the object `x` with this status.
async fn verdict(api: &Api<DynamicObject>, status: &Value) -> &'static str {
    let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
    match api.patch_status("x", &dry_run, &Patch::Merge(&json!({"status": status}))).await {
        Ok(_) => "in progress",
        Err(kube::Error::Api(refusal)) if refusal.message.contains("flux says failed") => "failed",
        Err(kube::Error::Api(refusal)) if refusal.message.contains("flux says current") => "current",
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn every_status_reads_as_what_it_says() {
    let world = World::new("flux").await;
    let fresh = world.create("x", &json!({"externalId": "x"})).await;
    assert_eq!(fresh["metadata"]["generation"], GENERATION);
    succeeded(&world.run_kubectl(&["apply", "--server-side", "-f", "-"], &policy(&world)).await);
    let kind =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("unkey.com", "v1alpha1", "Identity"), "identities");
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &kind);
    let synced = json!(status(&Verdict::Synced, None));
    eventually("the policy to be heeded", async || (verdict(&api, &synced).await == "current").then_some(())).await;
    // As the API server fills it in before the first reconcile: no conditions at all.
    assert_eq!(verdict(&api, &json!({"observedGeneration": -1, "conditions": null})).await, "in progress");
    for current in [true, false] {
        if !current {
            world.edit("x", &json!({"meta": {}})).await;
        }
        for it in verdicts() {
            let expected = if !current {
                "in progress"
            } else if it.is_stalled() {
                "failed"
            } else if it.is_ready() || it == Verdict::Suspended {
                "current"
            } else {
                "in progress"
            };
            assert_eq!(verdict(&api, &json!(status(&it, None))).await, expected, "{it:?}");
        }
    }
}
