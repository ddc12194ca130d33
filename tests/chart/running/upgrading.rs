//! From the chart of 0.1 to this one, as docs/operations/upgrade.md tells it. `tests/chart/0.1` is that chart as the first builds had it, less README, alerts and dashboard. Their
//! program is not here, so their release has no Pods; what they left of objects is `tests/compat/0.1`.

use std::time::{Duration, Instant};

use controlplane::ControlPlane;
use kube::api::DeleteParams;
use serde_json::Value;
use tokio::sync::OnceCell;
use unkey_emulator::Operation;

use super::world::{ROOT_KEY, WAIT, World};
use crate::harness::{Helm, RELEASE, api_of, chart, container, definition, eventually, file, helms, read, there};
use crate::restored::Place;

/// What 0.1 kept in step.
const LEFT: [&str; 3] = ["created", "adopted", "unmanaged"];

fn chart_of_0_1() -> String {
    file("tests/chart/0.1").to_str().unwrap().to_owned()
}

fn fixture(name: &str) -> Value {
    serde_json::from_str(&read(&format!("tests/compat/0.1/{name}.json"))).unwrap()
}

/// The fingerprint of the world's root key.
fn credential(world: &World) -> String {
    use unkey_operator::unkey::{Client, Credentials, Options};
    let options = Options { base_url: world.emulator.base_url(), ..Options::default() };
    let key = Credentials::from_value(&ROOT_KEY.to_owned().into()).unwrap();
    Client::new(&options, key).unwrap().credential_mark().unwrap()
}

/// A release of 0.1 with these values besides the world's, and its objects.
async fn release_of_0_1(world: &World, helm: &'static Helm, set: &str) {
    world.secret("root-key", ROOT_KEY).await;
    let values = format!("{},replicaCount=0,{set}", world.values_of_0_1());
    world.helm(helm, &["install", RELEASE, &chart_of_0_1(), "--set", &values]).await;
    let found = there(&world.client, &definition()).await.unwrap();
    assert!(!found.to_string().contains("managementPolicy"), "the definition is that of 0.1");
    let (client, namespace, workspace) = (&world.client, &*world.namespace, &world.workspace);
    let credential = credential(world);
    let place = Place { client, namespace, workspace, credential: &credential };
    for name in LEFT {
        place.restore(&fixture(name), false).await;
    }
}

async fn delete(world: &World, name: &str) {
    api_of(&world.client, &world.identity(name)).await.delete(name, &DeleteParams::default()).await.unwrap();
}

async fn gone(world: &World, name: &str) {
    eventually(&format!("{name} to be gone"), async || {
        there(&world.client, &world.identity(name)).await.is_none().then_some(())
    })
    .await;
}

/// Definition, arguments and objects go over with the values that the user had set, and what is at rest costs nothing. A deletion of before goes
/// on, and one of after waits for the hold, which nobody has set.
#[tokio::test]
async fn values_and_objects_of_0_1_go_on() {
    static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let world = World::of_a_cluster(&PLANE).await;
    let helm = &helms()[0];
    release_of_0_1(&world, helm, "config.workers=8").await;
    delete(&world, "adopted").await;
    let chart = chart();
    let upgrade = ["upgrade", RELEASE, &chart, "--reset-then-reuse-values", "--set", "replicaCount=2"];
    world.helm(helm, &[&upgrade[..], &WAIT].concat()).await;

    let args = container(&[world.deployment().await])["args"].to_string();
    assert!(args.contains("--workers=8") && args.contains("--deletion-hold=10s"), "{args}");
    let found = there(&world.client, &definition()).await.unwrap();
    assert!(found.to_string().contains("managementPolicy"), "the definition is that of this build");
    gone(&world, "adopted").await;
    assert!(world.workspace.live("adopted").is_none());
    world.works("new").await;
    for name in ["created", "unmanaged"] {
        world.ready(name).await;
        assert_eq!(world.workspace.counts().by_identity.get(name), None, "{name} is at rest");
    }

    let begun = Instant::now();
    delete(&world, "created").await;
    gone(&world, "created").await;
    // By whole seconds.
    assert!(begun.elapsed() >= Duration::from_secs(9), "it went after {:?}", begun.elapsed());
    let asked = world.workspace.counts().by_identity.remove("created").unwrap();
    assert_eq!(asked.get(&Operation::Delete), Some(&1), "{asked:?}");
    assert_eq!(world.refused(), []);
}

/// A value that has another name now is told of by helm, and nothing is changed before it is set right.
#[tokio::test]
async fn a_value_of_an_old_name_is_refused_before_anything_changes() {
    static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let world = World::of_a_cluster(&PLANE).await;
    let helm = &helms()[1];
    release_of_0_1(&world, helm, "config.resyncInterval=5m").await;
    let chart = chart();
    let before = world.deployment().await;
    let upgrade = ["upgrade", RELEASE, &chart, "--reset-then-reuse-values", "--set", "replicaCount=1"];
    let refused = world.try_helm(helm, &upgrade).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("resyncInterval"), "{said}");
    assert_eq!(world.deployment().await["metadata"]["generation"], before["metadata"]["generation"]);

    // As the upgrade notes say: the values of one's own, with the new name.
    let own = ["--reset-values", "--set", "config.scanInterval=5m,deletion.hold=0s"];
    world.release(helm, "upgrade", &[&own[..], &WAIT].concat()).await;
    assert!(container(&[world.deployment().await])["args"].to_string().contains("--scan-interval=5m"));
    delete(&world, "created").await;
    gone(&world, "created").await;
    assert!(world.workspace.live("created").is_none() && world.workspace.live("unmanaged").is_some());
    assert_eq!(world.count("unkey.com/v1alpha1", "Identity").await, LEFT.len() - 1);
    world.works("new").await;
}
