//! A definition of Identity that is older than the operator: the API server drops fields without a word. The operator says so, does not write in
//! circles, comes to own nothing that it could not record, and goes on by itself when the definition is upgraded.

use std::path::PathBuf;

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::harness::{Operator, World, condition, eventually};

const CRD: &str = "identities.unkey.com";
const OLDER: &str = "is older than the operator";

/// Applies the definition of this version, less these fields.
pub async fn define(world: &World, without: &[(&str, &str)]) {
    let text = include_str!("../../crds/identities.unkey.com.yaml");
    let mut crd: Value = serde_yaml::from_str(text).unwrap();
    for (part, field) in without {
        let at = format!("/spec/versions/0/schema/openAPIV3Schema/properties/{part}/properties");
        crd.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(*field).expect("it is there");
    }
    let api: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    api.patch(CRD, &PatchParams::apply("tests").force(), &Patch::Apply(&crd)).await.unwrap();
}

/// An account with the rights of an operator for this namespace, and no other.
async fn namespaced(world: &World) -> PathBuf {
    let kubeconfig = world.plane.service_account_kubeconfig(&world.namespace, "narrow").await.unwrap();
    let roles: Api<Role> = Api::namespaced(world.client.clone(), &world.namespace);
    let role = json!({"metadata": {"name": "narrow"}, "rules": [
        {"apiGroups": ["unkey.com"], "resources": ["identities"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": ["unkey.com"], "resources": ["identities/status"], "verbs": ["patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ]});
    roles.create(&PostParams::default(), &serde_json::from_value(role).unwrap()).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(world.client.clone(), &world.namespace);
    let binding = json!({"metadata": {"name": "narrow"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "narrow"},
        "subjects": [{"kind": "ServiceAccount", "name": "narrow", "namespace": world.namespace}],
    });
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    kubeconfig
}

/// Arguments for one mode or the other.
async fn args(world: &World, everywhere: bool) -> Vec<String> {
    if everywhere {
        return world.args_everywhere();
    }
    let mut args = world.args();
    let at = args.iter().position(|arg| arg == "--kubeconfig").unwrap();
    let narrow = namespaced(world).await;
    narrow.to_str().unwrap().clone_into(&mut args[at + 1]);
    args
}

fn spec(name: &str) -> Value {
    json!({"externalId": name, "meta": {"n": 1}})
}

/// Waits until the operator has looked at an object that comes after all others.
async fn until_over(world: &World, name: &str) {
    world.create(name, &spec(name)).await;
    let waiting = world.reason(name, "Progressing").await;
    let message = condition(&waiting, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains(OLDER), "{message}");
}

async fn all_well(world: &World, operator: &Operator, names: &[&str]) {
    define(world, &[]).await;
    for name in names {
        let object = world.ready(name).await;
        assert_eq!(object["status"]["uid"], object["metadata"]["uid"]);
    }
    eventually("all to be well", async || (operator.http("/readyz").await.body == "ok\n").then_some(())).await;
    assert_eq!(operator.metrics().await.sum("unkey_operator_definition_dropped_fields", &[]), 0);
    let [created, ..] = world.calls();
    assert_eq!(created, u64::try_from(names.len()).unwrap());
}

/// R21: a definition that does not know `managementPolicy` makes what is observed look as if it were enforced. Nothing is written, not even a status: that
/// would store the object without the field.
#[tokio::test]
async fn r21_what_is_observed_stays_so_under_an_older_definition() {
    let world = World::alone("outdated-observed").await;
    define(&world, &[]).await;
    let everywhere = world.args_everywhere();
    let operator = world.start_as(&everywhere, &[]).await;
    world.create("x", &spec("x")).await;
    let id = world.ready("x").await["status"]["identityId"].clone();
    world.edit("x", &json!({"managementPolicy": "Observe"})).await;
    world.reason("x", "Observed").await;
    // One that was never enforced, and has no id.
    world.create("never", &json!({"externalId": "never", "managementPolicy": "Observe"})).await;
    world.reason("never", "NotInUnkey").await;
    operator.terminate().await;
    let (before, cost, calls) = (world.kube_writes().0, world.cost("x"), world.calls());
    define(&world, &[("spec", "managementPolicy")]).await;
    eventually("the field to be dropped", async || {
        let object = world.get("x").await.unwrap();
        object["spec"]["managementPolicy"].is_null().then_some(())
    })
    .await;
    let operator = world.start_as(&everywhere, &[]).await;
    operator.until_readyz(503, "spec.managementPolicy").await;
    until_over(&world, "y").await;
    // Only of the other one is something written: that it waits.
    assert_eq!((world.kube_writes().0, world.cost("x")), (before, cost));
    assert_eq!(world.calls(), calls);
    define(&world, &[]).await;
    world.ready("y").await;
    let object = world.reason("x", "Observed").await;
    assert_eq!((&object["spec"]["managementPolicy"], &object["status"]["identityId"]), (&json!("Observe"), &id));
    assert!(object["metadata"]["finalizers"].is_null(), "{object}");
    let never = world.get("never").await.unwrap();
    assert_eq!(never["spec"]["managementPolicy"], "Observe");
    assert!(world.upstream("never").is_null());
}

/// From the start, without any right to the definition, or with one.
async fn older_from_the_start(everywhere: bool) {
    let world = World::alone(if everywhere { "outdated-all" } else { "outdated" }).await;
    define(&world, &[("status", "uid"), ("spec", "deletionPolicy")]).await;
    let operator = world.start_as(&args(&world, everywhere).await, &[]).await;
    operator.until_readyz(503, "status.uid").await;
    operator.until_readyz(503, "spec.deletionPolicy").await;
    for name in ["a", "b", "c"] {
        until_over(&world, name).await;
    }
    assert_eq!(operator.metrics().await.sum("unkey_operator_definition_dropped_fields", &[]), 2);
    let (main, status) = world.kube_writes();
    assert_eq!(main, 0, "no claim");
    assert!(status <= 15, "{status} writes");
    assert_eq!(operator.log().matches("is older than this operator").count(), 1, "told once");
    assert_eq!(world.calls(), [0; 5]);
    all_well(&world, &operator, &["a", "b", "c"]).await;
}

#[tokio::test]
async fn an_older_definition_is_told_of_and_upgraded_in_a_cluster() {
    older_from_the_start(true).await;
}

#[tokio::test]
async fn an_older_definition_is_told_of_and_upgraded_in_a_namespace() {
    older_from_the_start(false).await;
}

/// Where nobody may read what the API server publishes, the answer to a status that was written shows it; and another one that it is over.
#[tokio::test]
async fn an_older_definition_that_cannot_be_read_shows_in_what_is_kept() {
    let world = World::alone("outdated-hidden").await;
    let bindings: Api<ClusterRoleBinding> = Api::all(world.client.clone());
    bindings.delete("system:discovery", &DeleteParams::default()).await.unwrap();
    define(&world, &[("status", "uid")]).await;
    let operator = world.start_as(&args(&world, false).await, &[]).await;
    world.create("first", &spec("first")).await;
    operator.until_readyz(503, "status.uid").await;
    until_over(&world, "second").await;
    let (_, status) = world.kube_writes();
    assert!(status <= 12, "{status} writes");
    define(&world, &[]).await;
    for name in ["first", "second"] {
        world.ready(name).await;
    }
    eventually("all to be well", async || (operator.http("/readyz").await.body == "ok\n").then_some(())).await;
}

/// It becomes older while the operator runs: what is owned goes on, and what cannot be recorded is not written in circles.
#[tokio::test]
async fn a_definition_that_becomes_older_is_told_of() {
    let world = World::alone("outdated-later").await;
    let operator = world.start_as(&args(&world, false).await, &[]).await;
    world.create("owned", &spec("owned")).await;
    world.ready("owned").await;
    define(&world, &[("status", "deletionPolicy")]).await;
    world.edit("owned", &json!({"meta": {"n": 2}})).await;
    operator.until_readyz(503, "status.deletionPolicy").await;
    eventually("the edit in Unkey", async || (world.upstream("owned")["meta"] == json!({"n": 2})).then_some(())).await;
    until_over(&world, "new").await;
    let (_, status) = world.kube_writes();
    assert!(status <= 12, "{status} writes");
    define(&world, &[]).await;
    world.ready("owned").await;
    world.ready("new").await;
    eventually("all to be well", async || (operator.http("/readyz").await.body == "ok\n").then_some(())).await;
    world.delete("owned").await;
    world.gone("owned").await;
}
