//! Deletion by policy, and what may hold it back (R7, S12, S34).

use std::time::Duration;

use controlplane::Server;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind};

use super::harness::{Cost, World, eventually, succeeded};

#[tokio::test]
async fn orphan_leaves_the_identity() {
    let world = World::in_order("orphan").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "deletionPolicy": "Orphan"})).await;
    let object = world.ready("x").await;
    assert_eq!(object["status"]["deletionPolicy"], "Orphan");
    let (held, before) = (world.upstream("x"), world.cost_so_far("x").await);
    world.delete("x").await;
    world.gone("x").await;
    let told = world.event("x", "Orphaned").await;
    assert!(told.kind == "Normal" && told.note.contains("'x'") && told.note.contains("stays"), "{told:?}");
    assert_eq!(world.cost_since("x", before).await, Cost { main: 1, ..Cost::NOTHING });
    assert_eq!(world.upstream("x"), held);
}

#[tokio::test]
async fn default_policy_is_a_flag() {
    let world = World::in_order("default-orphan").await.with_args(&["--default-deletion-policy", "Orphan"]);
    let operator = world.start().await;
    world.create("kept", &json!({"externalId": "kept"})).await;
    world.create("gone", &json!({"externalId": "gone", "deletionPolicy": "Delete"})).await;
    assert_eq!(world.ready("kept").await["status"]["deletionPolicy"], "Orphan");
    assert_eq!(world.ready("gone").await["status"]["deletionPolicy"], "Delete");
    for name in ["kept", "gone"] {
        world.delete(name).await;
        world.gone(name).await;
    }
    assert_ne!(world.upstream("kept"), Value::Null);
    assert_eq!(world.upstream("gone"), Value::Null);

    // The policy in force is told when the default changes, and that is all.
    world.create("told", &json!({"externalId": "told"})).await;
    world.ready("told").await;
    let before = world.cost_so_far("told").await;
    assert!(operator.terminate().await.success());
    let world = world.with_args(&["--default-deletion-policy", "Delete"]);
    let _operator = world.start().await;
    world.until("told", "told of the new default", |it| it["status"]["deletionPolicy"] == "Delete").await;
    assert_eq!(world.cost_since("told", before).await, Cost::STATUS);
}

/// S8: set seconds ago and not in the cache yet.
#[tokio::test]
async fn orphan_set_just_before_counts() {
    let world = World::new("orphan-late").await;
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    let held = world.ready("x").await["status"]["identityId"].clone();
    operator.signal("STOP");
    world.edit("x", &json!({"deletionPolicy": "Orphan"})).await;
    world.delete("x").await;
    operator.signal("CONT");
    world.gone("x").await;
    assert_eq!(world.upstream("x")["id"], held);
    assert_eq!(world.calls()[3], 0);
}

#[tokio::test]
async fn identity_is_gone_already() {
    let world = World::in_order("gone-already").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    world.ready("x").await;
    let before = world.cost_so_far("x").await;
    assert!(world.workspace.delete("x"));
    world.delete("x").await;
    world.gone("x").await;
    let cost = Cost { gets: 1, ..Cost::DELETE };
    assert_eq!(world.cost_since("x", before).await, cost, "a 404 to a delete proves nothing, a settled get does");
    assert_eq!(world.events("x").await, []);
}

/// S12: the replica does not show yet what was just created; the delete is answered 404 and proves nothing.
#[tokio::test]
async fn delete_right_after_create() {
    let world = World::new("lagging").await.with_args(&["--consistency-window", "3s"]);
    world.workspace.set_replica_lag(Duration::from_millis(2500));
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    world.ready("x").await;
    world.delete("x").await;
    let let_go = async || match world.get("x").await {
        Some(object) => {
            assert_eq!(object["metadata"]["finalizers"], json!(["unkey.com/identity"]));
            None
        }
        None => Some(world.upstream("x")),
    };
    assert_eq!(eventually("x to be let go", let_go).await, Value::Null, "let go before its identity was");
    let cost = world.cost("x");
    assert_eq!((cost.creates, cost.gets, cost.deletes), (1, 1, 2), "404, then a settled read, then 200");
}

/// Deleted while nobody looked, by an operator that met it deleting: a read first (R6), and one that never had a claim.
#[tokio::test]
async fn deleted_while_the_operator_was_away() {
    let world = World::in_order("away").await;
    let operator = world.start().await;
    for name in ["x", "orphan"] {
        world.create(name, &json!({"externalId": name, "meta": {"a": 1}})).await;
        world.ready(name).await;
    }
    let before = world.cost_so_far("x").await;
    assert!(operator.terminate().await.success());
    world.edit("orphan", &json!({"deletionPolicy": "Orphan"})).await;
    world.create("never", &json!({"externalId": "never"})).await;
    for name in ["x", "orphan", "never"] {
        world.delete(name).await;
    }
    let _operator = world.start().await;
    for name in ["x", "orphan", "never"] {
        world.gone(name).await;
    }
    assert_eq!(world.cost_since("x", before).await, Cost { gets: 1, ..Cost::DELETE });
    assert_eq!(world.upstream("x"), Value::Null);
    assert_ne!(world.upstream("orphan"), Value::Null);
    assert_eq!(world.cost("never"), Cost::NOTHING);
}

/// S10: a manifest copied with finalizer and claim names another object's uid: nothing upstream is its own.
#[tokio::test]
async fn copy_with_finalizer_and_claim() {
    let world = World::in_order("copy").await;
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "deletionPolicy": "Orphan"})).await;
    let original = world.ready("x").await;
    world.delete("x").await;
    world.gone("x").await;
    assert!(operator.terminate().await.success());
    let copy = |name: &str| {
        let mut copy = super::harness::identity(name, &json!({"externalId": "x", "meta": {"a": 1}}));
        copy["metadata"]["annotations"]["unkey.com/claim"] =
            original["metadata"]["annotations"]["unkey.com/claim"].clone();
        copy["metadata"]["finalizers"] = original["metadata"]["finalizers"].clone();
        copy
    };
    world.try_create(&copy("before")).await.unwrap();
    world.delete("before").await;
    let _operator = world.start().await;
    world.gone("before").await;
    let told = world.event("before", "Orphaned").await;
    assert!(told.note.contains("'x'"), "{told:?}");
    assert_eq!(world.calls()[3], 0, "deleted before the first visit: left, and told");
    assert_eq!(world.upstream("x")["id"], original["status"]["identityId"]);

    let visited = world.try_create(&copy("visited")).await.unwrap();
    let object = world.ready("visited").await;
    assert_eq!(object["status"]["origin"], "Adopted");
    let claim = object["metadata"]["annotations"]["unkey.com/claim"].as_str().unwrap();
    assert!(claim.starts_with(visited["metadata"]["uid"].as_str().unwrap()), "{claim}");
    world.delete("visited").await;
    world.gone("visited").await;
    assert_eq!(world.upstream("x"), Value::Null);
}

/// S15: `kubectl replace` from a file drops finalizer and claim and does not bump the generation.
#[tokio::test]
async fn replace_drops_the_finalizer() {
    let world = World::in_order("replace").await;
    let _operator = world.start().await;
    let manifest = super::harness::identity("x", &json!({"externalId": "x", "meta": {"a": 1}})).to_string();
    succeeded(&world.run_kubectl(&["create", "-f", "-"], &manifest).await);
    let object = world.ready("x").await;
    let before = world.cost_so_far("x").await;
    succeeded(&world.run_kubectl(&["replace", "-f", "-"], &manifest).await);
    let claimed = |it: &Value| it["metadata"]["annotations"]["unkey.com/claim"].is_string();
    let restored = world.until("x", "claimed again", claimed).await;
    assert_eq!(restored["metadata"]["finalizers"], object["metadata"]["finalizers"]);
    assert_eq!(restored["metadata"]["generation"], object["metadata"]["generation"]);
    assert_eq!(world.cost_since("x", before).await, Cost { main: 1, ..Cost::NOTHING });
    world.delete("x").await;
    world.gone("x").await;
    assert_eq!(world.upstream("x"), Value::Null);
}

/// S34: owner, loser and Orphan in a namespace that is deleted; nothing leaked, nothing foreign deleted.
#[tokio::test]
async fn namespace_deleted() {
    let world = World::new("namespace").await;
    world.plane.start_server(Server::ControllerManager).await.unwrap();
    world.seed("foreign", &json!({"meta": {"theirs": 1}}));
    let _operator = world.start().await;
    world.create("owner", &json!({"externalId": "owner"})).await;
    world.create("orphan", &json!({"externalId": "orphan", "deletionPolicy": "Orphan"})).await;
    world.create("refused", &json!({"externalId": "foreign", "meta": {}})).await;
    world.ready("owner").await;
    world.ready("orphan").await;
    world.create("loser", &json!({"externalId": "owner"})).await;
    world.reason("loser", "ExternalIdConflict").await;
    world.reason("refused", "AlreadyExists").await;
    let foreign = world.upstream("foreign");

    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    eventually("the namespace to be gone", async || {
        namespaces.get_opt(&world.namespace).await.unwrap().is_none().then_some(())
    })
    .await;
    assert_eq!(world.upstream("owner"), Value::Null);
    assert_ne!(world.upstream("orphan"), Value::Null);
    assert_eq!(world.upstream("foreign"), foreign);
    let [create, _, update, delete, _] = world.calls();
    assert_eq!((create, update, delete), (3, 0, 1), "owner, orphan, and one that was refused");
}

/// An Identity that is not Ready, a restart, then Orphan and a deletion. The new process reckons with a create of the one before (S37), and must
/// not take what is to stay for what that create has left behind.
#[tokio::test]
async fn s69_what_was_not_ready_before_a_restart_stays_under_orphan() {
    let world = World::in_order("orphan-after-restart").await;
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"n": 1}})).await;
    let id = world.ready("x").await["status"]["identityId"].clone();
    let outage = world.workspace.order(Fault::new(FaultKind::html(503)));
    world.edit("x", &json!({"meta": {"n": 2}})).await;
    world.reason("x", "UpstreamUnavailable").await;
    operator.kill();
    assert!(world.workspace.clear_fault(outage));
    world.edit("x", &json!({"deletionPolicy": "Orphan"})).await;
    world.delete("x").await;
    let operator = world.start().await;
    world.gone("x").await;
    // Nothing is looked after: what would be is deleted within a window.
    world.barrier().await;
    assert!(!operator.log().contains("cleaning up in Unkey"), "{}", operator.log());
    assert_eq!(world.upstream("x")["id"], id);
}
