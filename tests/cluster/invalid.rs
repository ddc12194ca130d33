//! Specs that cannot be sent: one object's failure and nobody else's (S24), and what admission refuses (S17, S20).

use http::Request;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::harness::{Cost, World, condition, eventually, identity};

/// An object whose spec a test had better not parse.
#[derive(Deserialize)]
struct Shallow {
    metadata: Value,
    #[serde(default)]
    status: Value,
    spec: Box<RawValue>,
}

/// `{"a":{"a":…}}`, that many levels.
fn nested(levels: usize) -> String {
    let mut text = "{\"a\":".repeat(levels - 1);
    text.push_str("{}");
    text.push_str(&"}".repeat(levels - 1));
    text
}

fn path(world: &World, name: &str) -> String {
    format!("/apis/unkey.com/v1alpha1/namespaces/{}/identities{name}", world.namespace)
}

async fn create_raw(world: &World, name: &str, meta: &str) {
    let rest = identity(name, &json!({"externalId": name, "meta": "META"})).to_string();
    let body = rest.replace("\"META\"", meta).into_bytes();
    let request = Request::post(path(world, "")).header("content-type", "application/json").body(body).unwrap();
    world.client.request_text(request).await.unwrap();
}

async fn edit_raw(world: &World, name: &str, meta: &str) {
    let body = format!("{{\"spec\":{{\"meta\":{meta}}}}}").into_bytes();
    let request = Request::patch(path(world, &format!("/{name}")));
    let request = request.header("content-type", "application/merge-patch+json").body(body).unwrap();
    world.client.request_text(request).await.unwrap();
}

async fn look(world: &World, name: &str) -> Option<Shallow> {
    let request = Request::get(path(world, &format!("/{name}"))).body(Vec::new()).unwrap();
    match world.client.request_text(request).await {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(error) => panic!("{error}"),
    }
}

/// Waits until it is stalled for what its spec says.
async fn invalid(world: &World, name: &str) -> Shallow {
    eventually(&format!("{name} to be InvalidSpec"), async || {
        let object = look(world, name).await?;
        let stalled = condition(&json!({"status": object.status}), "Stalled");
        let current = stalled["observedGeneration"] == object.metadata["generation"];
        (current && stalled["status"] == "True" && stalled["reason"] == "InvalidSpec").then_some(object)
    })
    .await
}

async fn gone(world: &World, name: &str) {
    eventually(&format!("{name} to be gone"), async || look(world, name).await.is_none().then_some(())).await;
}

#[tokio::test]
async fn too_deep_is_one_objects_failure() {
    let world = World::in_order("deep").await;
    let operator = world.start().await;
    world.create("well", &json!({"externalId": "well", "meta": {"a": 1}})).await;
    let edited = json!({"externalId": "edited", "meta": {"a": {}}});
    world.create("edited", &edited).await;
    world.ready("well").await;
    world.ready("edited").await;
    let levels = [("just", 100), ("over", 101), ("deep", 150), ("abyss", 5000)];
    for (name, levels) in levels {
        create_raw(&world, name, &nested(levels)).await;
    }
    edit_raw(&world, "edited", &nested(150)).await;
    for name in ["over", "deep", "abyss"] {
        let object = invalid(&world, name).await;
        assert_eq!(object.metadata.get("finalizers"), None, "{name}");
        assert_eq!(world.cost(name).creates, 0, "{name}");
        assert!(object.spec.get().len() > 100);
        let levels = levels.iter().find(|it| it.0 == name).unwrap().1;
        let message = condition(&json!({"status": object.status}), "Ready")["message"].clone();
        let message = message.as_str().unwrap();
        assert!(message.contains(&levels.to_string()) && message.contains("at most 100"), "{message}");
        let told = world.event(name, "InvalidSpec").await;
        assert_eq!((told.kind.as_str(), told.note.as_str()), ("Warning", message));
    }
    let just = eventually("just to be ready", async || {
        let object = look(&world, "just").await?;
        (condition(&json!({"status": object.status}), "Ready")["status"] == "True").then_some(object)
    });
    assert_eq!(just.await.status["origin"], "Created", "100 levels are taken");
    // What it owns stays recorded and as it is.
    let object = invalid(&world, "edited").await;
    assert_eq!(object.status["identityId"], world.upstream("edited")["id"]);
    assert_eq!(world.upstream("edited")["meta"], json!({"a": {}}));

    // All others go on, over a restart and its list too.
    world.barrier().await;
    let before: Vec<Cost> = levels.iter().map(|(name, _)| world.cost(name)).collect();
    assert!(operator.terminate().await.success());
    let _again = world.start().await;
    world.create("later", &json!({"externalId": "later"})).await;
    world.ready("later").await;
    world.edit("well", &json!({"meta": {"a": 2}})).await;
    world.ready("well").await;
    assert_eq!(world.upstream("well")["meta"], json!({"a": 2}));
    world.barrier().await;
    let after: Vec<Cost> = levels.iter().map(|(name, _)| world.cost(name)).collect();
    assert_eq!(after, before, "stalled is at rest");

    // Mended, it goes on; deleted, it ends, with what it owns.
    edit_raw(&world, "over", "{\"a\":null}").await;
    world.ready("over").await;
    assert_eq!(world.upstream("over")["meta"], json!({}));
    for name in ["deep", "abyss", "edited", "just", "over"] {
        world.run_kubectl(&["delete", "identity", name, "--wait=false"], "").await;
        gone(&world, name).await;
        assert_eq!(world.upstream(name), Value::Null, "{name}");
    }
    assert_eq!((world.cost("deep").deletes, world.cost("edited").deletes), (0, 1));
}

/// Deeper than the operator's own parser goes, and it was met while being deleted: deletion ends all the same.
#[tokio::test]
async fn deleted_while_the_operator_was_away() {
    let world = World::new("deep-away").await;
    let operator = world.start().await;
    for (name, policy) in [("x", "Delete"), ("kept", "Orphan")] {
        world.create(name, &json!({"externalId": name, "meta": {"a": 1}, "deletionPolicy": policy})).await;
        world.ready(name).await;
    }
    assert!(operator.terminate().await.success());
    for name in ["x", "kept"] {
        edit_raw(&world, name, &nested(3000)).await;
        world.run_kubectl(&["delete", "identity", name, "--wait=false"], "").await;
        assert!(look(&world, name).await.is_some(), "the finalizer holds it");
    }
    let _operator = world.start().await;
    gone(&world, "x").await;
    gone(&world, "kept").await;
    assert_eq!(world.upstream("x"), Value::Null);
    assert_eq!(world.upstream("kept")["meta"], json!({"a": 1}));
}

/// What admission lets through and Unkey does not take is told once and waits for a change.
#[tokio::test]
async fn too_large_for_unkey() {
    let world = World::in_order("large").await;
    let _operator = world.start().await;
    // One key more than a database column takes: local. Made of characters that Unkey's encoding makes six times as long: local too.
    world.create("key", &json!({"externalId": "key", "meta": {"k".repeat(65_536): 1}})).await;
    world.create("bytes", &json!({"externalId": "bytes", "meta": {"a": "<".repeat(175_000)}})).await;
    for (name, words) in [("key", "65536 bytes"), ("bytes", "1048576")] {
        let object = world.reason(name, "InvalidSpec").await;
        let message = condition(&object, "Stalled")["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{message}");
        assert!(message.len() < 1000, "what was too long is not repeated");
        assert_eq!(world.cost_since(name, Cost::NOTHING).await, Cost::STATUS, "{name}");
    }
}

/// S17, S20 and the schema: refused before the operator ever sees it.
#[tokio::test]
async fn refused_at_admission() {
    let world = World::new("admission").await;
    let limit = |name: &str| json!({"name": name, "limit": 1, "duration": 1000});
    let ok = json!({"externalId": "fine", "meta": {}, "ratelimits": [limit("abc")]});
    world.try_create(&identity("fine", &ok)).await.unwrap();
    let many: Vec<Value> = (0..51).map(|number| limit(&format!("limit-{number}"))).collect();
    let keys: serde_json::Map<String, Value> = (0..101).map(|number| (number.to_string(), json!(1))).collect();
    let wrong = [
        json!({}),
        json!({"externalId": ""}),
        json!({"externalId": "id_abcdefgh"}),
        json!({"externalId": "a b"}),
        json!({"externalId": "é"}),
        json!({"externalId": "x".repeat(256)}),
        json!({"externalId": "x", "meta": []}),
        json!({"externalId": "x", "meta": "text"}),
        json!({"externalId": "x", "meta": keys}),
        json!({"externalId": "x", "ratelimits": [limit("abc"), limit("abc")]}),
        json!({"externalId": "x", "ratelimits": [limit("abc\u{200b}")]}),
        json!({"externalId": "x", "ratelimits": [limit("caf\u{e9}")]}),
        json!({"externalId": "x", "ratelimits": [limit("cafe\u{301}")]}),
        json!({"externalId": "x", "ratelimits": [limit("ab")]}),
        json!({"externalId": "x", "ratelimits": many}),
        json!({"externalId": "x", "ratelimits": [{"name": "abc", "limit": 0, "duration": 1000}]}),
        json!({"externalId": "x", "ratelimits": [{"name": "abc", "limit": 1, "duration": 999}]}),
        json!({"externalId": "x", "ratelimits": [{"name": "abc", "limit": 1.5, "duration": 1000}]}),
        json!({"externalId": "x", "adoptionPolicy": "Sometimes"}),
        json!({"externalId": "x", "deletionPolicy": "delete"}),
        json!({"externalId": "x", "suspend": "yes"}),
    ];
    for spec in wrong {
        let refused = world.try_create(&identity("x", &spec)).await;
        let code = match &refused {
            Err(kube::Error::Api(status)) => status.code,
            _ => 0,
        };
        assert_eq!(code, 422, "{spec}: {refused:?}");
    }
    let renamed = json!({"spec": {"externalId": "other"}}).to_string();
    let patched = world.run_kubectl(&["patch", "identity", "fine", "--type=merge", "-p", &renamed], "").await;
    assert!(!patched.status.success(), "externalId cannot be changed");
}
