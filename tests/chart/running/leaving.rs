//! Leaving as docs/guides/uninstall.md tells it: the operator at 0, then the Pod of `examples/unmanage` under the chart's own account.
//! What is in Unkey stays.

use std::process::Stdio;

use controlplane::ControlPlane;
use kube::api::{DeleteParams, ListParams};
use nodelet::Nodelet;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::world::{ROOT_KEY, WAIT, World, start_node};
use crate::harness::{RELEASE, api_of, apply, eventually, helms, read, there};

const POD: &str = "unkey-operator-unmanage";

/// A node for the Pod, which has none of the labels by which those of the release are found.
async fn node(world: &World) -> Nodelet {
    let (node, selector) = (format!("{}-leaving", world.namespace), format!("app.kubernetes.io/name={POD}"));
    start_node(world.plane, &world.namespace, &node, &selector).await
}

/// Runs the example, with more arguments, until it has ended, and removes it; how it ended, and its last line.
async fn release(world: &World, node: &Nodelet, more: &[String]) -> (String, String) {
    let mut pod: Value = serde_yaml::from_str(&read("examples/unmanage/pod.yaml")).unwrap();
    pod["metadata"]["namespace"] = json!(world.namespace);
    pod["spec"]["containers"][0]["args"].as_array_mut().unwrap().extend(more.iter().map(|arg| json!(arg)));
    apply(&world.client, &pod).await;
    let phase = eventually("the Pod to end", async || {
        let phase = world.api().get(POD).await.unwrap().status?.phase?;
        ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
    })
    .await;
    let said = node.log(POD).lines().last().unwrap_or_default().to_owned();
    if phase == "Succeeded" {
        // The example says to wait so.
        let mut kubectl = world.plane.kubectl_command().unwrap();
        let condition = "--for=jsonpath={.status.phase}=Succeeded";
        kubectl.args(["--namespace", &world.namespace, "wait", condition, &format!("pod/{POD}"), "--timeout=30s"]);
        kubectl.stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || kubectl.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    world.api().delete(POD, &DeleteParams::default()).await.unwrap();
    eventually("the Pod to be gone", async || world.api().get_opt(POD).await.unwrap().is_none().then_some(())).await;
    (phase, said)
}

async fn is_held(world: &World, object: &Value) -> bool {
    let finalizers = there(&world.client, object).await.unwrap()["metadata"]["finalizers"].clone();
    finalizers == json!(["unkey.com/identity"])
}

/// The operator at 0, as a change of the chart's values.
async fn stop(world: &World) {
    world.release(&helms()[0], "upgrade", &[&WAIT[..], &["--set", "replicaCount=0"]].concat()).await;
    eventually("all Pods gone", async || world.pods().await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn everything_is_let_go_and_unkey_keeps_it() {
    static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let world = World::of_a_cluster(&PLANE).await;
    world.secret("root-key", ROOT_KEY).await;
    world.release(&helms()[0], "install", &WAIT).await;
    let (here, mut elsewhere) = (world.identity("here"), world.identity("elsewhere"));
    elsewhere["metadata"]["namespace"] = json!(world.plane.namespace("team").await.unwrap());
    for object in [&here, &elsewhere] {
        apply(&world.client, object).await;
        eventually("it to be held", async || is_held(&world, object).await.then_some(())).await;
    }
    eventually("both in Unkey", async || (world.workspace.snapshot().live.len() == 2).then_some(())).await;
    world.ready("here").await;
    let node = node(&world).await;

    // Too early: the operator puts back what is taken off, which is noticed.
    let (phase, said) = release(&world, &node, &[]).await;
    assert!(phase == "Failed" && said.contains("an operator is running"), "{phase}: {said}");

    stop(&world).await;
    let (phase, said) = release(&world, &node, &["--dry-run".to_owned()]).await;
    assert!(phase == "Succeeded" && said.ends_with("is on 2 Identities in 2 namespaces"), "{phase}: {said}");
    assert!(is_held(&world, &here).await && is_held(&world, &elsewhere).await);
    let asked = world.workspace.requests().len();
    let (phase, said) = release(&world, &node, &[]).await;
    assert_eq!((phase.as_str(), said.as_str()), ("Succeeded", "released 2 Identities"));
    assert_eq!(world.refused(), [], "the chart's account may all of it");

    // Nobody is there any more, and nothing waits for anybody.
    world.helm(&helms()[0], &["uninstall", RELEASE]).await;
    for object in [&here, &elsewhere] {
        let api = api_of(&world.client, object).await;
        api.delete(object["metadata"]["name"].as_str().unwrap(), &DeleteParams::default()).await.unwrap();
        assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 0);
    }
    assert_eq!(world.workspace.requests().len(), asked, "Unkey was asked");
    assert!(["here", "elsewhere"].iter().all(|name| world.workspace.live(name).is_some()));
}

/// With `watchNamespaces` the account may look nowhere else, so the Pod has to be told where.
#[tokio::test]
async fn of_some_namespaces_those_that_are_named() {
    let world = World::of_a_namespace("left").await;
    world.secret("root-key", ROOT_KEY).await;
    world.release(&helms()[1], "install", &WAIT).await;
    world.works("acme").await;
    stop(&world).await;
    let node = node(&world).await;
    let (phase, said) = release(&world, &node, &[]).await;
    assert!(phase == "Failed" && said.contains("the Identities cannot be listed"), "{phase}: {said}");
    assert!(is_held(&world, &world.identity("acme")).await);
    let (phase, said) = release(&world, &node, &[format!("--namespace={}", world.namespace)]).await;
    assert_eq!((phase.as_str(), said.as_str()), ("Succeeded", "released 1 Identity"));
    assert!(!is_held(&world, &world.identity("acme")).await);
    assert!(world.workspace.live("acme").is_some());
}
