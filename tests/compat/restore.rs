//! Puts an object that a release wrote back into a cluster. Some names are given anew and cannot be kept: the API server gives uid and
//! namespace, the emulator the id, and the fingerprint of the root key holds the emulator's address; they are replaced wherever the release
//! wrote them.

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::fixtures::Fixture;
use super::harness::World;

fn api(world: &World) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("unkey.com", "v1alpha1", "Identity");
    let kind = ApiResource::from_gvk_with_plural(&kind, "identities");
    Api::namespaced_with(world.client.clone(), &world.namespace, &kind)
}

/// The fingerprint of this world's root key, as an operator of this build writes it.
pub async fn credential(world: &World) -> String {
    let operator = world.start().await;
    world.create("probe", &json!({"externalId": "probe"})).await;
    let credential = world.ready("probe").await["status"]["credential"].as_str().unwrap().to_owned();
    assert!(operator.terminate().success());
    credential
}

/// Restores an object and its identity while no operator runs; the object as it then is.
pub async fn restore(world: &World, fixture: &Fixture, credential: &str) -> Value {
    let Fixture { name, object, .. } = fixture;
    let spec = &object["spec"];
    let live = world.create(name, spec).await;
    let mut text = object.to_string();
    let mut rename = |old: &Value, new: &str| {
        if let Some(old) = old.as_str() {
            text = text.replace(old, new);
        }
    };
    rename(&object["metadata"]["uid"], live["metadata"]["uid"].as_str().unwrap());
    rename(&object["status"]["credential"], credential);
    // Messages name it.
    rename(&object["metadata"]["namespace"], &world.namespace);
    let holds = object["status"]["identityId"].is_string();
    if holds || name == "exists" {
        let content = json!({"meta": spec.get("meta").unwrap_or(&json!({})), "ratelimits": spec.get("ratelimits").unwrap_or(&json!([]))});
        let id = world.seed(spec["externalId"].as_str().unwrap(), &content);
        rename(&object["status"]["identityId"], &id);
    }
    let then: Value = serde_json::from_str(&text).unwrap();

    let kept = json!({"metadata": {"finalizers": then["metadata"]["finalizers"], "annotations": then["metadata"]["annotations"]}});
    world.patch(name, &kept).await;
    if then["metadata"].get("deletionTimestamp").is_some() {
        world.delete(name).await;
    }
    // Its spec has seen fewer changes than then; what the status says of them is shifted by as many.
    let now = world.get(name).await.unwrap();
    let generation = |object: &Value| object["metadata"]["generation"].as_i64().unwrap();
    let shift = generation(&now) - generation(&then);
    let shifted = |observed: &mut Value| {
        if let Some(number) = observed.as_i64().filter(|number| *number > 0) {
            *observed = json!(number + shift);
        }
    };
    let mut status = then["status"].clone();
    shifted(&mut status["observedGeneration"]);
    for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        shifted(&mut condition["observedGeneration"]);
    }
    let patch = Patch::Merge(json!({"status": status}));
    let patched = api(world).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    let restored = serde_json::to_value(patched).unwrap();
    assert_eq!(restored["status"], status, "{}: a field is not in the definition any more", fixture.title());
    restored
}
