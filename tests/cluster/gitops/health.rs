//! What users see of an `Identity` in its life, by kstatus and by Argo CD's health check.

use serde_json::{Value, json};

use super::argo::Argo;
use super::kstatus::{Kstatus, kstatus};
use crate::harness::{ROOT_KEY, World, condition};

/// Both verdicts, and that Argo CD shows what the operator says.
fn reads_as(object: &Value, expected: Kstatus, health: &str, message: &str) {
    assert_eq!(kstatus(object), expected, "{object}");
    let shown = Argo::set_up().health(object);
    assert_eq!(shown.status, health, "{object}");
    assert!(shown.message.contains(message), "'{message}' is not in: {}", shown.message);
}

#[tokio::test]
async fn from_apply_to_delete() {
    let world = World::new("health").await;
    world.seed("theirs", &json!({"meta": {"theirs": 1}}));
    let waiting = "Waiting for unkey-operator";
    let fresh = world.create("x", &json!({"externalId": "x", "meta": {"n": 1}})).await;
    reads_as(&fresh, Kstatus::InProgress, "Progressing", waiting);
    let operator = world.start().await;
    reads_as(&world.ready("x").await, Kstatus::Current, "Healthy", "Unkey accepted this spec.");

    operator.signal("STOP");
    let edited = world.edit("x", &json!({"meta": {"n": 2}})).await;
    reads_as(&edited, Kstatus::InProgress, "Progressing", waiting);
    operator.signal("CONT");
    reads_as(&world.ready("x").await, Kstatus::Current, "Healthy", "Unkey accepted this spec.");

    world.edit("x", &json!({"suspend": true})).await;
    reads_as(&world.reason("x", "Suspended").await, Kstatus::InProgress, "Suspended", "suspended");
    world.edit("x", &json!({"suspend": null})).await;
    world.ready("x").await;

    world.create("theirs", &json!({"externalId": "theirs", "adoptionPolicy": "Never"})).await;
    reads_as(&world.reason("theirs", "AlreadyExists").await, Kstatus::Failed, "Degraded", "adoptionPolicy is Never");
    world.create("second", &json!({"externalId": "x"})).await;
    reads_as(&world.reason("second", "ExternalIdConflict").await, Kstatus::Failed, "Degraded", "owns externalId 'x'");

    world.emulator.revoke(ROOT_KEY);
    world.edit("x", &json!({"meta": {"n": 3}})).await;
    reads_as(&world.reason("x", "Unauthorized").await, Kstatus::InProgress, "Progressing", "root key");
    world.delete("x").await;
    let blocked = world.reason("x", "DeletionBlocked").await;
    reads_as(&blocked, Kstatus::Terminating, "Progressing", "kubectl patch identities.unkey.com x");
}

/// The button of the health check's `ConfigMap`: one check, echoed.
#[tokio::test]
async fn the_action_of_argo_cd_is_heeded() {
    let world = World::new("argo-action").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"n": 1}})).await;
    let ready = world.ready("x").await;
    let gets = world.calls()[1];
    // Argo CD sends the difference between what it gave and what came back.
    let after = Argo::set_up().act("reconcile", &ready);
    let asked = after["metadata"]["annotations"]["unkey.com/reconcile-requested-at"].clone();
    world.patch("x", &json!({"metadata": {"annotations": after["metadata"]["annotations"]}})).await;
    let checked = world.until("x", "checked", |it| it["status"]["lastHandledReconcileAt"] == asked).await;
    assert_eq!(condition(&checked, "Ready")["status"], "True");
    assert!(asked.is_string() && world.calls()[1] == gets + 1, "one read of Unkey");
}
