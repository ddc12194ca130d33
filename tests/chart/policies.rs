//! The admission policies of the chart: those of `examples/admission`, for all namespaces or for those that the operator watches.

use std::collections::BTreeMap;

use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};

use super::harness::{NAMESPACE, api_of, apply, define, definition, eventually, file, helms, objects, read};

/// The file's name and the chart's value.
const POLICIES: [(&str, &str); 3] = [
    ("externalid-prefix", "externalIdPrefix"),
    ("keep-identities", "keepIdentities"),
    ("limit-ceiling", "limitCeiling"),
];

fn policies(flags: &[&str]) -> Vec<Value> {
    let all = objects(&helms()[0].template(NAMESPACE, flags));
    let is_ours = |it: &Value| it["apiVersion"] == "admissionregistration.k8s.io/v1";
    let is_guard = |it: &Value| it["spec"]["policyName"].as_str().or(it["metadata"]["name"].as_str()) == Some(GUARD);
    all.into_iter().filter(|it| is_ours(it) && !is_guard(it)).collect()
}

/// Of `rbac.guard`.
const GUARD: &str = "unkey-operator.unkey-system";

#[test]
fn they_are_those_of_the_examples() {
    let files = |folder: &str| -> BTreeMap<String, String> {
        let all = std::fs::read_dir(file(folder)).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        all.map(|name| (name.clone(), read(&format!("{folder}/{name}")))).collect()
    };
    let examples = files("examples/admission");
    assert!(files("charts/unkey-operator/files/policies") == examples, "the chart's copies differ; run: make generate");
    assert_eq!(examples.len(), POLICIES.len());
    assert!(policies(&[]).is_empty(), "off by default");
    for (name, value) in POLICIES {
        let found = policies(&["--set", &format!("policies.{value}=true")]);
        let original = objects(&examples[&format!("{name}.yaml")]);
        let full = format!("{name}.{GUARD}");
        assert_eq!(found.len(), 2, "{name}");
        assert_eq!(found[0]["spec"], original[0]["spec"]);
        for (found, original) in found.iter().zip(&original) {
            assert_eq!((&found["kind"], &found["metadata"]["name"]), (&original["kind"], &json!(full)));
            assert_eq!(found["metadata"]["labels"]["app.kubernetes.io/instance"], "unkey-operator");
        }
        let mut binding = original[1]["spec"].clone();
        binding["policyName"] = json!(full);
        assert_eq!(found[1]["spec"], binding);
    }
}

/// What the API server says to this request, in a dry run; `None`: it does it.
async fn refusal(client: &Client, namespace: &str, external_id: &str) -> Option<String> {
    let object = json!({
        "apiVersion": "unkey.com/v1alpha1", "kind": "Identity", "metadata": {"name": "tried", "namespace": namespace},
        "spec": {"externalId": external_id, "ratelimits": [{"name": "requests", "limit": 10, "duration": 1000, "autoApply": true}]},
    });
    let api: Api<DynamicObject> = api_of(client, &object).await;
    let params = PostParams { dry_run: true, ..PostParams::default() };
    api.create(&params, &serde_json::from_value(object).unwrap()).await.err().map(|error| error.to_string())
}

/// With a list of namespaces they count there and nowhere else, and keep what selects among them.
#[tokio::test]
async fn with_a_list_of_namespaces_they_count_there_alone() {
    let client = controlplane::shared().await.unwrap().client().await.unwrap();
    define(&client, &definition()).await;
    let [watched, other] = ["policies-watched", "policies-other"];
    for name in [watched, other] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        apply(&client, &namespace).await;
    }
    let set = POLICIES.map(|(_, value)| format!("policies.{value}=true")).join(",");
    let found = policies(&["--set", &format!("watchNamespaces={{{watched}}},{set}")]);
    assert_eq!(found.len(), 6);
    for (at, object) in found.iter().enumerate() {
        let selector = &object["spec"]["matchConstraints"]["namespaceSelector"];
        if object["kind"] == "ValidatingAdmissionPolicy" {
            assert_eq!(selector["matchExpressions"][0]["values"], json!([watched]), "{at}");
            let keeps = object["metadata"]["name"].as_str().unwrap().starts_with("keep-identities");
            assert_eq!(selector["matchLabels"].is_object(), keeps, "{at}: the label counts as before");
        }
        apply(&client, object).await;
    }
    let said = eventually("the policies to be heeded", async || refusal(&client, watched, "acme").await).await;
    assert!(said.contains("externalId must begin with") || said.contains("unkey.com/limit-ceiling"), "{said}");
    assert_eq!(refusal(&client, other, "acme").await, None);
    for object in &found {
        let api: Api<DynamicObject> = api_of(&client, object).await;
        api.delete(object["metadata"]["name"].as_str().unwrap(), &DeleteParams::default()).await.unwrap();
    }
}
