//! Suspension: nothing is done in Unkey, deletion included (R14, S26).

use serde_json::{Value, json};

use super::harness::{Cost, World, condition, succeeded};

#[tokio::test]
async fn before_the_first_visit() {
    let world = World::in_order("suspended").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "suspend": true})).await;
    let object = world.reason("x", "Suspended").await;
    assert_eq!(object["metadata"].get("finalizers"), None);
    assert_eq!(object["metadata"].get("annotations"), None);
    assert_eq!(condition(&object, "Suspended")["status"], "True");
    assert_eq!(condition(&object, "Stalled"), Value::Null);
    assert_eq!(world.cost_since("x", Cost::NOTHING).await, Cost::STATUS);
    world.edit("x", &json!({"suspend": false})).await;
    let object = world.ready("x").await;
    assert_eq!(condition(&object, "Suspended"), Value::Null);
    assert_eq!(world.cost_since("x", Cost::NOTHING).await, Cost { status: 2, ..Cost::CREATE });

    world.create("never", &json!({"externalId": "never", "suspend": true})).await;
    world.reason("never", "Suspended").await;
    world.delete("never").await;
    world.gone("never").await;
    assert_eq!(world.cost_since("never", Cost::NOTHING).await, Cost::STATUS, "nothing holds it back");
}

#[tokio::test]
async fn edited_in_the_same_commit() {
    let world = World::in_order("suspended-edit").await;
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    world.ready("x").await;
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"meta": {"a": 2}, "suspend": true})).await;
    let object = world.reason("x", "Suspended").await;
    assert_eq!(object["status"]["observedGeneration"], 2);
    assert_ne!(object["status"]["identityId"], Value::Null);
    world.ask_for_check("x", "while suspended").await;
    assert!(operator.terminate().await.success());
    let _operator = world.start().await;
    assert_eq!(world.cost_since("x", before).await, Cost::STATUS);
    assert_eq!(world.upstream("x")["meta"], json!({"a": 1}));
    world.edit("x", &json!({"suspend": null})).await;
    let resumed = |it: &Value| condition(it, "Ready")["status"] == "True" && it["status"]["observedGeneration"] == 3;
    world.until("x", "resumed", resumed).await;
    assert_eq!(world.upstream("x")["meta"], json!({"a": 2}));
    let object = world.until("x", "checked", |it| it["status"]["lastHandledReconcileAt"] == "while suspended").await;
    assert_eq!(condition(&object, "Ready")["status"], "True", "the check that was asked for is made afterwards");
}

#[tokio::test]
async fn orphan_while_suspended_goes_at_once() {
    let world = World::in_order("suspended-orphan").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "deletionPolicy": "Orphan"})).await;
    world.ready("x").await;
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"suspend": true})).await;
    world.reason("x", "Suspended").await;
    world.delete("x").await;
    world.gone("x").await;
    world.event("x", "Orphaned").await;
    assert_eq!(world.cost_since("x", before).await, Cost { main: 1, status: 1, ..Cost::NOTHING });
    assert_ne!(world.upstream("x"), Value::Null);
}

/// The message holds the very command that lets go of the resource.
#[tokio::test]
async fn delete_waits_and_says_the_way_out() {
    let world = World::in_order("suspended-delete").await;
    let _operator = world.start().await;
    for name in ["patched", "resumed"] {
        world.create(name, &json!({"externalId": name, "meta": {"a": 1}})).await;
        world.ready(name).await;
        world.edit(name, &json!({"suspend": true})).await;
        world.reason(name, "Suspended").await;
    }
    world.barrier().await;
    let before = [world.cost("patched"), world.cost("resumed")];
    for name in ["patched", "resumed"] {
        world.delete(name).await;
        world.reason(name, "DeletionBlocked").await;
    }
    assert_eq!(world.cost_since("patched", before[0]).await, Cost::STATUS);
    let object = world.get("patched").await.unwrap();
    let ready = condition(&object, "Ready");
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("spec.suspend"), "{message}");
    let command = message.find("kubectl patch").map(|at| &message[at..]).expect("a command in the message");
    succeeded(&world.shell(command).await);
    world.gone("patched").await;
    assert_ne!(world.upstream("patched"), Value::Null);
    assert_eq!(world.cost("patched").deletes, 0);

    world.edit("resumed", &json!({"suspend": false})).await;
    world.gone("resumed").await;
    assert_eq!(world.upstream("resumed"), Value::Null);
    assert_eq!(world.cost_since("resumed", before[1]).await, Cost { status: 1, ..Cost::DELETE });
}
