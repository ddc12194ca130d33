//! What goes wrong with Pods, in a release that may work in its own namespace only.

use super::world::{ROOT_KEY, SECRET, WAIT, World};
use crate::harness::{eventually, helms};

/// Which one leads next is open: the container is back before the lease has run out.
#[tokio::test]
async fn a_killed_leader_is_restarted_and_another_one_leads() {
    let world = World::of_a_namespace("killed").await;
    world.secret("root-key", ROOT_KEY).await;
    world.release(&helms()[0], "install", &WAIT).await;
    let leader = world.leader().await;
    world.works("before").await;
    let (before, pid) = (world.holder().await.unwrap(), world.nodelet.pid(&leader).unwrap());
    world.nodelet.signal(&leader, "KILL").unwrap();
    world.create("after").await;
    assert_eq!(world.until_restarted(&leader).await, 137);
    assert_ne!(world.nodelet.pid(&leader).unwrap(), pid);
    world.led_by_other_than(&before).await;
    world.ready("after").await;
    world.leader().await;
    assert_eq!(world.until_ready_pods(2).await.len(), 2);
    world.assert_created_once(&["before".to_owned(), "after".to_owned()]);
    assert_eq!(world.refused(), []);
}

#[tokio::test]
async fn a_frozen_leader_is_replaced_and_restarted_by_its_liveness_probe() {
    let world = World::of_a_namespace("frozen").await;
    world.secret("root-key", ROOT_KEY).await;
    // The least that the chart allows, for a frozen process does not hear that it should end.
    let liveness = "livenessProbe.periodSeconds=1,livenessProbe.timeoutSeconds=2,livenessProbe.failureThreshold=3";
    let sets = ["--set", liveness, "--set", "readinessProbe.timeoutSeconds=2,terminationGracePeriodSeconds=11"];
    world.release(&helms()[0], "install", &[&WAIT[..], &sets].concat()).await;
    let leader = world.leader().await;
    world.works("before").await;
    world.nodelet.signal(&leader, "STOP").unwrap();
    world.works("meanwhile").await;
    let next = world.leader().await;
    assert_ne!(next, leader);
    world.told("Unhealthy", "Liveness probe failed").await;
    assert_eq!(world.until_restarted(&leader).await, 137, "it was killed when its time was over");
    assert_eq!(world.until_ready_pods(2).await.len(), 2);
    assert_eq!(world.container(&next).await.restart_count, 0);
    world.assert_created_once(&["before".to_owned(), "meanwhile".to_owned()]);
    assert_eq!(world.refused(), []);
}

#[tokio::test]
async fn without_the_secret_no_pod_starts_and_with_it_all_do() {
    let world = World::of_a_namespace("keyless").await;
    let said = world.release(&helms()[1], "install", &[]).await;
    assert!(said.contains(&format!("/{SECRET} was not found")), "{said}");
    world.told("FailedMount", &format!("secret \"{SECRET}\" not found")).await;
    world.secret("root-kee", ROOT_KEY).await;
    world.told("FailedMount", "references non-existent secret key: root-key").await;
    for pod in world.pods().await {
        let status = pod.status.unwrap();
        assert_eq!(status.phase.as_deref(), Some("Pending"));
        let state = status.container_statuses.unwrap().remove(0).state.unwrap();
        assert_eq!(state.waiting.unwrap().reason.as_deref(), Some("ContainerCreating"));
    }
    assert_eq!(world.nodelet.running(), [""; 0]);
    world.secret("root-key", ROOT_KEY).await;
    world.until_ready_pods(2).await;
    world.leader().await;
    world.works("acme").await;
    assert_eq!(world.refused(), []);
}

/// A key that Unkey refuses takes its Pod out of service, does not end it, and is replaced without a restart.
#[tokio::test]
async fn a_rotated_key_reaches_the_running_process() {
    let world = World::of_a_namespace("rotated").await;
    world.secret("root-key", ROOT_KEY).await;
    world.release(&helms()[1], "install", &WAIT).await;
    let leader = world.leader().await;
    world.works("before").await;
    let pids =
        async || -> Vec<u32> { world.ready_pods().await.iter().map(|pod| world.nodelet.pid(pod).unwrap()).collect() };
    let first = pids().await;
    assert!(world.emulator.revoke(ROOT_KEY));
    world.create("after").await;
    world.not_ready_for("after", "Unauthorized").await;
    eventually("the leader to be out of service", async || (!world.ready_pods().await.contains(&leader)).then_some(()))
        .await;
    let key = "unkey_root_rotated";
    world.workspace.add_root_key(key, unkey_emulator::Permissions::ALL);
    world.secret("root-key", key).await;
    world.ready("after").await;
    world.until_ready_pods(2).await;
    assert_eq!(pids().await, first);
    for pod in world.pods().await {
        let status = pod.status.unwrap().container_statuses.unwrap().remove(0);
        assert_eq!(status.restart_count, 0);
    }
    assert_eq!(world.refused(), []);
}
