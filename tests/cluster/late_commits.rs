//! Writes that take effect after everybody has stopped waiting for them, and reads that show what was.

use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{World, condition};

/// The late commits of these tests come well within it, on a busy machine too.
const WINDOW: [&str; 2] = ["--consistency-window", "2500ms"];

fn meta(revision: u32) -> Value {
    json!({"revision": revision})
}

async fn created(world: &World, name: &str) -> Value {
    world.create(name, &json!({"externalId": name, "meta": meta(1)})).await;
    world.ready(name).await
}

async fn event_reasons(world: &World) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    events.list(&ListParams::default()).await.unwrap().items.into_iter().filter_map(|event| event.reason).collect()
}

/// S19
#[tokio::test]
async fn an_update_that_commits_after_its_successor() {
    let world = World::new("late-update").await.with_args(&WINDOW);
    let _operator = world.start().await;
    created(&world, "a").await;
    let late = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Update).once());
    world.edit("a", &json!({"meta": meta(2)})).await;
    world.until_hit(late, 1).await;
    world.edit("a", &json!({"meta": meta(3)})).await;
    world.until_accepted(Operation::Update, "a", 1).await;
    assert_eq!(world.workspace.live("a").unwrap().meta, meta(3));
    let object = world.get("a").await.unwrap();
    let ready = condition(&object, "Ready");
    let claims = ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"];
    assert!(!claims, "Ready waits for the settled read: {ready}");
    world.workspace.release(late);
    world.until_accepted(Operation::Update, "a", 2).await;
    assert_eq!(world.workspace.live("a").unwrap().meta, meta(2), "the late one wins for now");
    world.ready("a").await;
    assert_eq!(world.workspace.live("a").unwrap().meta, meta(3));
    assert_eq!(world.accepted(Operation::Update, "a"), 3);
    assert!(event_reasons(&world).await.contains(&"DriftCorrected".to_owned()));
    world.assert_in_step().await;
}

/// S37
#[tokio::test]
async fn a_create_that_commits_after_the_delete() {
    let world = World::new("late-create").await.with_args(&WINDOW);
    let _operator = world.start().await;
    let late = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create).once());
    world.create("a", &json!({"externalId": "a", "meta": meta(1)})).await;
    // The second one is accepted while the first may still commit.
    world.until_accepted(Operation::Create, "a", 1).await;
    world.until("a", "recorded", |object| object["status"]["identityId"].is_string()).await;
    world.delete("a").await;
    world.until_accepted(Operation::Delete, "a", 1).await;
    assert!(world.get("a").await.is_some(), "the release waits while a create of ours is open");
    world.workspace.release(late);
    world.until_accepted(Operation::Create, "a", 2).await;
    world.gone("a").await;
    assert_eq!(world.workspace.snapshot().live, [], "nothing leaked");
    assert_eq!(world.accepted(Operation::Delete, "a"), 2);
}

/// S5
#[tokio::test]
async fn there_and_back_before_the_replica_has_seen_it() {
    let world = World::new("there-and-back").await;
    let _operator = world.start().await;
    created(&world, "a").await;
    world.workspace.set_replica_lag(Duration::from_millis(500));
    for (to, revision) in [(1, 2), (2, 1)] {
        world.edit("a", &json!({"meta": meta(revision)})).await;
        world.until_accepted(Operation::Update, "a", to).await;
    }
    world.ask_for_check("a", "look").await;
    world.until("a", "done with the poke", |object| object["status"]["lastHandledReconcileAt"] == "look").await;
    world.ready("a").await;
    assert_eq!(world.workspace.live("a").unwrap().meta, meta(1));
    assert_eq!(world.accepted(Operation::Update, "a"), 2, "a stale read is no drift");
    world.assert_in_step().await;
}

/// S11
#[tokio::test]
async fn recreated_killed_and_deleted() {
    for (kind, name) in [(FaultKind::Hold, "before"), (FaultKind::HoldAnswer, "after")] {
        let world = World::new("recreated").await;
        let operator = world.start().await;
        let first = created(&world, name).await["status"]["identityId"].clone();
        let frozen = world.workspace.order(Fault::new(kind).on(Operation::Create).of(name));
        assert!(world.workspace.delete(name));
        world.ask_for_check(name, "gone?").await;
        world.until_hit(frozen, 1).await;
        operator.kill();
        world.workspace.release(frozen);
        world.until_accepted(Operation::Create, name, 2).await;
        let object = world.get(name).await.unwrap();
        assert_eq!(object["status"]["identityId"], first, "the status still holds the old id");
        world.delete(name).await;
        let _operator = world.start().await;
        world.gone(name).await;
        assert_eq!(world.workspace.snapshot().live, [], "the new identity went too");
        assert_eq!(world.accepted(Operation::Create, name), 2);
    }
}

/// S12
#[tokio::test]
async fn deleted_before_the_replica_has_seen_it() {
    let world = World::new("fresh-delete").await.with_args(&WINDOW);
    world.workspace.set_replica_lag(Duration::from_secs(1));
    let _operator = world.start().await;
    created(&world, "a").await;
    world.delete("a").await;
    world.gone("a").await;
    let deletes = world.requests_on(Operation::Delete, "a");
    assert_eq!(deletes.first().unwrap().handled, Some(404), "the replica knew nothing of it");
    assert_eq!(world.accepted(Operation::Delete, "a"), 1);
    assert_eq!(world.workspace.snapshot().live, []);
}

/// The create's answer is lost and the replica lags: a second create, a 409, and no conclusion from a read that shows nothing.
#[tokio::test]
async fn a_lost_answer_and_a_lagging_replica() {
    let world = World::new("lost-and-lagging").await.with_args(&WINDOW);
    world.workspace.set_replica_lag(Duration::from_secs(2));
    let _operator = world.start().await;
    for (name, kind) in [("dropped", FaultKind::DropAfter), ("failed", FaultKind::internal_error())] {
        world.workspace.order(Fault::new(kind).handled(true).on(Operation::Create).of(name).once());
        world.create(name, &json!({"externalId": name, "meta": meta(1)})).await;
    }
    for name in ["dropped", "failed"] {
        let object = world.ready(name).await;
        assert_eq!(object["status"]["origin"], "Created", "{name}");
        assert_eq!(world.accepted(Operation::Create, name), 1, "{name}");
    }
    world.assert_in_step().await;
}

/// R2: an object whose finalizer is taken off by hand in the middle of its first create leaves no identity behind, answered
/// or not.
#[tokio::test]
async fn an_object_that_goes_in_the_middle_of_its_create_leaves_nothing() {
    let world = World::new("stray").await;
    let mut operator = world.start().await;
    let kinds = [("answered", FaultKind::HoldAnswer), ("unanswered", FaultKind::DropAfter)];
    for (name, kind) in kinds {
        // The answer comes, or is lost, when the object is gone.
        let fault =
            Fault::new(kind).on(Operation::Create).of(name).once().delayed(if name == "answered" { 0 } else { 300 });
        let fault = world.workspace.order(fault);
        world.create(name, &json!({"externalId": name, "meta": {"made": "by hand"}})).await;
        world.until_hit(fault, 1).await;
        world.patch(name, &json!({"metadata": {"finalizers": null}})).await;
        world.delete(name).await;
        world.gone(name).await;
        world.workspace.release(fault);
    }
    let deleted = |it: &unkey_emulator::Workspace| kinds_are_gone(it, &["answered", "unanswered"]);
    tokio::time::timeout(std::time::Duration::from_secs(30), world.workspace.wait_until(deleted)).await.unwrap();
    assert!(operator.log().contains("cleaning up in Unkey"));
    operator.signal("TERM");
    assert!(operator.ended().await.success(), "nothing holds the end up");
}

fn kinds_are_gone(workspace: &unkey_emulator::Workspace, names: &[&str]) -> bool {
    let snapshot = workspace.snapshot();
    names.iter().all(|name| snapshot.dead.iter().any(|it| it.external_id == *name) && workspace.live(name).is_none())
}
