//! What a write is aimed at, and what happens when something else stands there by then (R6, R11, S9, S18, S24).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{World, eventually, identity};

/// An object is replaced by another of its name while its create is on its way: the answer's status must not land there.
#[tokio::test]
async fn s09_a_status_meant_for_another_uid_is_refused() {
    let world = World::new("other-uid").await.with_args(&["--request-timeout", "20s"]);
    let _operator = world.start().await;
    let held = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::Create).of("first").once());
    world.create("x", &json!({"externalId": "first", "meta": {"n": 1}})).await;
    world.until_hit(held, 1).await;
    world.patch("x", &json!({"metadata": {"finalizers": null}})).await;
    world.delete("x").await;
    world.gone("x").await;
    let second = world.create("x", &json!({"externalId": "second", "suspend": true})).await;
    world.workspace.release(held);
    // Its answer names an identity whose object is gone (R2).
    world.until_accepted(Operation::Delete, "first", 1).await;
    let object = world.reason("x", "Suspended").await;
    assert_eq!(object["status"]["uid"], second["metadata"]["uid"]);
    assert_eq!(object["status"].get("identityId"), None, "the other one's id");
    assert_eq!(object["metadata"].get("finalizers"), None);
    let refused = async || {
        let writes = world.plane.audit_in(&world.namespace).unwrap();
        let ours = |it: &&controlplane::AuditEvent| it.is_write() && it.user_agent.starts_with("unkey-operator/");
        writes.iter().filter(ours).any(|it| it.name == "x" && it.code == 422).then_some(())
    };
    eventually("a write that the API server refused by its uid", refused).await;
    assert_eq!(world.workspace.snapshot().live, []);
}

/// Unkey finds identities by either id. A delete whose answer was lost must not be repeated into another one's name.
#[tokio::test]
async fn s18_an_identity_named_like_the_deleted_id_survives() {
    for (name, kind) in [("unanswered", FaultKind::HoldAnswer), ("dropped", FaultKind::DropAfter)] {
        let world = World::new("named-like-an-id").await;
        let _operator = world.start().await;
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        let id = world.ready(name).await["status"]["identityId"].as_str().unwrap().to_owned();
        let fault = world.workspace.order(Fault::new(kind).on(Operation::Delete).once());
        world.delete(name).await;
        world.until_accepted(Operation::Delete, name, 1).await;
        // Meanwhile another client makes one of that name.
        world.seed(&id, &json!({"meta": {"theirs": true}}));
        let theirs = world.upstream(&id);
        world.workspace.release(fault);
        world.gone(name).await;
        assert_eq!(world.upstream(&id), theirs, "{name}");
        let deletes = world.workspace.requests().iter().filter(|it| it.operation == Operation::Delete).count();
        assert_eq!(deletes, 1, "{name}: a look came first");
    }
}

/// The API server lets go of an object that breaks a rule made after it was written, and lets the rest of it be edited: but for bounds of
/// meta, which therefore must never become tighter (see `meta_schema`).
#[tokio::test]
async fn s24_deletion_ends_under_a_schema_that_was_tightened() {
    let world = World::alone("tightened").await;
    let operator = world.start().await;
    let limit = |name: &str| json!({"name": name, "limit": 1, "duration": 1000});
    let spec = |name: &str| json!({"externalId": name, "meta": {"a": 1}, "ratelimits": [limit("abc"), limit("def")]});
    for name in ["deleted", "later", "edited"] {
        world.create(name, &spec(name)).await;
        world.ready(name).await;
    }
    let api: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let tighter = [
        ("externalId/maxLength", json!(4)),
        ("externalId/pattern", json!("^[A-Z]+$")),
        ("ratelimits/maxItems", json!(1)),
        ("ratelimits/items/properties/name/minLength", json!(4)),
        ("ratelimits/items/properties/limit/minimum", json!(2)),
    ];
    let tighter: Vec<Value> = tighter
        .into_iter()
        .map(|(path, value)| json!({"op": "replace", "path": format!("{schema}/{path}"), "value": value}))
        .collect();
    let tighter: Patch<Value> = Patch::Json(serde_json::from_value(Value::from(tighter)).unwrap());
    api.patch("identities.unkey.com", &PatchParams::default(), &tighter).await.unwrap();
    let wide = identity("wide", &spec("wide")).to_string();
    eventually("the tighter schema to be in force", async || {
        let tried = world.run_kubectl(&["create", "--dry-run=server", "-f", "-"], &wide).await;
        (!tried.status.success()).then_some(())
    })
    .await;
    world.delete("deleted").await;
    world.gone("deleted").await;
    // Its status can be written too, and what breaks no rule can be changed.
    world.edit("edited", &json!({"suspend": true})).await;
    world.reason("edited", "Suspended").await;
    world.edit("edited", &json!({"suspend": null, "meta": {"a": 2}})).await;
    world.ready("edited").await;
    // And by a process that meets it deleting.
    operator.kill();
    world.delete("later").await;
    let _again = world.start().await;
    world.gone("later").await;
    assert_eq!((world.upstream("deleted"), world.upstream("later")), (Value::Null, Value::Null));
    world.assert_in_step().await;
}
