//! `examples/plan` in a cluster: the Pod of its Job, under its own account with its rights, by the settings of the operator that runs there.

use serde::Deserialize as _;
use serde_json::{Value, json};
use unkey_emulator::{Permissions, Seed};

use super::world::{ROOT_KEY, WAIT, World, start_node};
use crate::harness::{apply, eventually, helms, read};

const READER: &str = "unkey_reader_5521";
const POD: &str = "unkey-plan";

/// The Pod that the Job makes. Its image and its Unkey are what is here.
fn pod(world: &World) -> Value {
    let job: Value = serde_yaml::from_str(&read("examples/plan/job.yaml")).unwrap();
    let mut pod = job["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(POD);
    pod["metadata"]["namespace"] = json!(world.namespace);
    let container = &mut pod["spec"]["containers"][0];
    let operator = ["--operator", &world.namespace].map(|arg| json!(arg));
    container["args"].as_array_mut().unwrap().extend(operator);
    let url = json!({"name": "UNKEY_API_URL", "value": world.emulator.base_url()});
    container["env"].as_array_mut().unwrap().push(url);
    pod
}

#[tokio::test]
async fn the_job_plans_by_the_settings_of_the_operator_that_runs() {
    let world = World::of_a_namespace("planning").await;
    world.secret("root-key", ROOT_KEY).await;
    world
        .release(&helms()[0], "install", &[&WAIT[..], &["--set", "config.defaultAdoptionPolicy=Never"]].concat())
        .await;
    world.works("managed").await;
    world.workspace.add_root_key(READER, Permissions::READ_ONLY);
    world.workspace.seed(Seed { external_id: "existing".to_owned(), ..Seed::default() }).unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"root-key": READER},
        "metadata": {"name": "unkey-plan-root-key", "namespace": world.namespace},
    });
    apply(&world.client, &secret).await;
    for document in serde_yaml::Deserializer::from_str(&read("examples/plan/rbac.yaml")) {
        let mut object = Value::deserialize(document).unwrap();
        match object["kind"].as_str().unwrap() {
            "ServiceAccount" => object["metadata"]["namespace"] = json!(world.namespace),
            "ClusterRoleBinding" => object["subjects"][0]["namespace"] = json!(world.namespace),
            _ => {}
        }
        apply(&world.client, &object).await;
    }
    let selector = format!("app.kubernetes.io/name={POD}");
    let node = start_node(world.plane, &world.namespace, &format!("{}-plan", world.namespace), &selector).await;
    apply(&world.client, &pod(&world)).await;
    let phase = eventually("the Pod to end", async || {
        let phase = world.api().get(POD).await.unwrap().status?.phase?;
        ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
    })
    .await;
    let log = node.log(POD);
    assert_eq!(phase, "Succeeded", "{log}");
    // This operator watches one namespace: others may name what no Identity of it names.
    let unknown = "which identities no Identity names is not known";
    for expected in ["adopt Never", "1 Identity against 2 identities", "nothing to do; 1 unchanged", unknown] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    assert!(!log.contains(READER), "{log}");
}
