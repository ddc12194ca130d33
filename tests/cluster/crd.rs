//! R10: our CustomResourceDefinition is deleted, and every Identity with it: identities stay in Unkey.

use std::path::PathBuf;

use cutting_proxy::{Fault, FaultKind};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::harness::{World, condition, eventually};

const NAME: &str = "identities.unkey.com";

/// The kubeconfig of somebody who may do all that the operator does, but look at its CustomResourceDefinition.
async fn all_but_the_crd(world: &World) -> PathBuf {
    let kubeconfig = world.plane.service_account_kubeconfig(&world.namespace, "blind").await.unwrap();
    let roles: Api<ClusterRole> = Api::all(world.client.clone());
    let role = json!({"metadata": {"name": "blind"}, "rules": [
        {"apiGroups": ["unkey.com"], "resources": ["identities"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": ["unkey.com"], "resources": ["identities/status"], "verbs": ["patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ]});
    roles.create(&PostParams::default(), &serde_json::from_value(role).unwrap()).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(world.client.clone());
    let binding = json!({"metadata": {"name": "blind"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "blind"},
        "subjects": [{"kind": "ServiceAccount", "name": "blind", "namespace": world.namespace}],
    });
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    kubeconfig
}

#[tokio::test]
async fn s31_identities_stay_when_the_crd_goes() {
    let (world, proxy) = World::alone("crd-goes").await.behind_proxy().await;
    let _operator = world.start_as(&world.args_everywhere(), &[]).await;
    for n in 0..100 {
        world.create(&format!("i{n}"), &json!({"externalId": format!("i{n}")})).await;
    }
    world.create("suspended", &json!({"externalId": "suspended"})).await;
    for n in 0..100 {
        world.ready(&format!("i{n}")).await;
    }
    world.ready("suspended").await;
    world.edit("suspended", &json!({"suspend": true})).await;
    world.reason("suspended", "Suspended").await;
    // One that goes by itself takes its identity along, though the API server is too busy at first to show the CRD.
    let look = Fault::new(FaultKind::too_many(Some("1"))).verb("get").on("customresourcedefinitions");
    let busy = proxy.order(look.times(2));
    world.delete("i0").await;
    world.gone("i0").await;
    assert_eq!(proxy.hits(busy), 2);
    assert_eq!(world.calls()[3], 1);
    let api: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    api.delete(NAME, &DeleteParams::default()).await.unwrap();
    eventually("the CRD to be gone", async || api.get_opt(NAME).await.unwrap().is_none().then_some(())).await;
    assert_eq!(world.calls()[3], 1, "nothing was deleted in Unkey");
    assert_eq!(world.workspace.snapshot().live.len(), 100);
}

#[tokio::test]
async fn r10_an_operator_that_may_not_look_waits_and_says_so() {
    let world = World::alone("crd-hidden").await;
    let kubeconfig = all_but_the_crd(&world).await;
    let mut args = world.args_everywhere();
    let at = args.iter().position(|arg| arg == "--kubeconfig").unwrap();
    args[at + 1] = kubeconfig.to_str().unwrap().to_owned();
    let _operator = world.start_as(&args, &[]).await;
    world.create("stays", &json!({"externalId": "stays"})).await;
    world.ready("stays").await;
    world.delete("stays").await;
    let blocked = world.reason("stays", "DeletionBlocked").await;
    let message = condition(&blocked, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("CustomResourceDefinition") && message.contains("Orphan"), "{message}");
    assert_eq!(world.calls()[3], 0);
}
