//! From install to uninstall, with both helms, as `--wait` sees it.

use std::sync::atomic::{AtomicBool, Ordering};

use controlplane::ControlPlane;
use tokio::sync::OnceCell;

use super::world::{ROOT_KEY, SECRET, WAIT, World};
use crate::harness::{Helm, RELEASE, container, definition, eventually, helms, there};

/// Creates one Identity after the other until `over`, each one when the last one is Ready.
async fn work(world: &World, prefix: &str, over: &AtomicBool) -> Vec<String> {
    let mut names = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let name = format!("{prefix}-{}", names.len());
        world.works(&name).await;
        names.push(name);
    }
    names
}

async fn a_release(world: &World, helm: &'static Helm) -> Vec<String> {
    let name = helm.name;
    let said = world.release(helm, "install", &WAIT).await;
    assert!(!said.contains("WARNING") && said.contains("watches all namespaces"), "{name}: {said}");
    let first = world.ready_pods().await;
    assert_eq!(first.len(), 2, "{name} has waited for both");
    // While a release goes, its roles go before its Pods.
    let refused = world.refused();
    assert!(first.contains(&world.leader().await));
    world.works(&format!("{name}-before")).await;

    let (fewest, watching) = world.fewest_ready().await;
    let over = AtomicBool::new(false);
    let upgrade = async {
        world.release(helm, "upgrade", &[&WAIT[..], &["--set", "config.workers=8"]].concat()).await;
        over.store(true, Ordering::SeqCst);
    };
    let prefix = format!("{name}-during");
    let ((), mut made) = tokio::join!(upgrade, work(world, &prefix, &over));
    // Those of the old template end, and none of them by force.
    eventually("only the new Pods", async || (world.pods().await.len() == 2).then_some(())).await;
    let second = world.until_ready_pods(2).await;
    assert!(first.is_disjoint(&second), "{name}: {first:?} {second:?}");
    for pod in &first {
        let log = world.nodelet.log(pod);
        assert!(log.contains(r#""message":"stopped""#), "{name}: it was not given the time to end: {log}");
    }
    assert!(container(&[world.deployment().await])["args"].to_string().contains("--workers=8"));
    assert!(second.contains(&world.leader().await));
    world.works(&format!("{name}-after")).await;
    watching.abort();
    assert!(watching.await.unwrap_err().is_cancelled(), "the watch saw all");
    assert_eq!(fewest.load(Ordering::SeqCst), 2, "{name}: an old one went before a new one was ready");
    for pod in &second {
        assert_eq!(world.container(pod).await.restart_count, 0, "{name}");
    }

    assert_eq!(world.refused(), refused, "{name}");
    world.helm(helm, &["uninstall", RELEASE]).await;
    eventually("all Pods gone", async || world.pods().await.is_empty().then_some(())).await;
    assert_eq!(world.nodelet.running(), [""; 0]);
    made.extend([format!("{name}-before"), format!("{name}-after")]);
    made
}

/// The second release takes over what the first one left, and has nothing to do for it.
#[tokio::test]
async fn two_replicas_from_install_to_uninstall() {
    static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let world = World::of_a_cluster(&PLANE).await;
    world.secret("root-key", ROOT_KEY).await;
    let mut names = Vec::new();
    for helm in helms() {
        names.extend(a_release(&world, helm).await);
        for name in &names {
            assert!(world.workspace.live(name).is_some(), "{name} was to outlive the release");
        }
        let definition = there(&world.client, &definition()).await.unwrap();
        assert_eq!(definition["metadata"].get("deletionTimestamp"), None, "{}: {definition}", helm.name);
        assert_eq!(world.count("unkey.com/v1alpha1", "Identity").await, names.len());
        world.assert_created_once(&names);
    }
    assert!(names.iter().filter(|name| name.contains("during")).count() >= 2, "{names:?}");
    assert_eq!(world.count("v1", "Secret").await, 1, "{SECRET} is the user's own");
}
