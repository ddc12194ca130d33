//! The real API server takes every object that is rendered, by server-side dry run with strict validation, and takes the Pods into a
//! namespace that enforces the strictest Pod Security Standard.

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::{Value, json};

use super::harness::{NAMESPACE, api_of, apply, define, helms, objects, only, restricted, value_sets};

/// Stands in for a definition of the Prometheus Operator: the kind is served, but this is not its schema, and anything is taken.
fn stand_in(kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
        "spec": {
            "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }}}],
        },
    })
}

async fn try_apply(client: &Client, object: &Value) -> Result<DynamicObject, kube::Error> {
    let (api, name) = (api_of(client, object).await, object["metadata"]["name"].as_str().unwrap());
    let mut params = PatchParams::apply("helm").dry_run().force();
    params.field_validation = Some(ValidationDirective::Strict);
    api.patch(name, &params, &Patch::Apply(object)).await
}

/// The Pod that a Deployment would make.
fn pod(deployment: &Value) -> Value {
    let mut pod = deployment["spec"]["template"].clone();
    pod["metadata"]["generateName"] = json!("tried-");
    pod["metadata"]["namespace"] = deployment["metadata"]["namespace"].clone();
    pod
}

async fn try_pod(client: &Client, pod: &Value) -> Result<Pod, kube::Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), pod["metadata"]["namespace"].as_str().unwrap());
    let params = PostParams { dry_run: true, ..PostParams::default() };
    api.create(&params, &serde_json::from_value(pod.clone()).unwrap()).await
}

#[tokio::test]
async fn by_the_api_server_and_by_pod_security() {
    let client = controlplane::shared().await.unwrap().client().await.unwrap();
    define(&client, &stand_in("ServiceMonitor", "servicemonitors")).await;
    define(&client, &stand_in("PrometheusRule", "prometheusrules")).await;
    let mut kinds = std::collections::BTreeSet::new();
    for set in value_sets() {
        let objects = objects(&helms()[0].render(&set, NAMESPACE));
        for object in &objects {
            if let Some(namespace) = object["metadata"]["namespace"].as_str() {
                restricted(&client, namespace).await;
            }
            let taken = try_apply(&client, object).await;
            let name = &object["metadata"]["name"];
            assert!(taken.is_ok(), "{set}: {} {name}: {}", object["kind"], taken.unwrap_err());
            kinds.insert(object["kind"].as_str().unwrap().to_owned());
        }
        let pod = pod(only(&objects, "Deployment"));
        let (account, namespace) = (&pod["spec"]["serviceAccountName"], &pod["metadata"]["namespace"]);
        let account = json!({"name": account, "namespace": namespace});
        apply(&client, &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})).await;
        let taken = try_pod(&client, &pod).await;
        assert!(taken.is_ok(), "{set}: {}", taken.unwrap_err());
    }
    assert!(kinds.len() >= 14, "not all kinds were tried: {kinds:?}");
}

/// Without this the test above would prove nothing.
#[tokio::test]
async fn what_is_wrong_is_not_taken() {
    let client = controlplane::shared().await.unwrap().client().await.unwrap();
    let namespace = "unkey-wrong";
    restricted(&client, namespace).await;
    let account = json!({"name": "unkey-operator", "namespace": namespace});
    apply(&client, &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})).await;
    let objects = objects(&helms()[0].template(namespace, &[]));
    let deployment = only(&objects, "Deployment");

    let mut typo = deployment.clone();
    typo["spec"]["template"]["spec"]["terminationGraceperiodSeconds"] = json!(30);
    let said = try_apply(&client, &typo).await.unwrap_err().to_string();
    assert!(said.contains("terminationGraceperiodSeconds"), "{said}");

    let pod = pod(deployment);
    let mut weak = Vec::new();
    for path in ["/spec/securityContext/runAsNonRoot", "/spec/securityContext/seccompProfile"] {
        weak.push((path, json!(null)));
    }
    let container = "/spec/containers/0/securityContext";
    weak.push((container, json!(null)));
    for (path, value) in weak {
        let mut weaker = pod.clone();
        *weaker.pointer_mut(path).unwrap_or_else(|| panic!("the chart does not set {path}")) = value;
        let said = try_pod(&client, &weaker).await.unwrap_err().to_string();
        assert!(said.contains("violates PodSecurity \"restricted:latest\""), "{path}: {said}");
    }
}
