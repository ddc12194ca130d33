//! What becomes of an identity that exists already: every policy against every kind of content (R3).

use futures::future::join_all;
use serde_json::{Value, json};

use super::harness::{Cost, World, condition};

/// What stands in Unkey, next to a spec that asks for [`wanted`].
const STORED: [&str; 6] = ["empty", "equal", "superset", "subset", "different", "unmanaged"];

/// The spec's content; the one named `unmanaged` manages only its rate limits.
fn wanted(name: &str) -> Value {
    let limits = json!([{"name": "calls", "limit": 10, "duration": 1000, "autoApply": true}]);
    match name {
        "unmanaged" => json!({"ratelimits": limits}),
        _ => json!({"meta": {"plan": "pro", "n": {"a": [1, 2]}}, "ratelimits": limits}),
    }
}

fn stored(name: &str) -> Value {
    let limit = json!({"name": "calls", "limit": 10, "duration": 1000, "autoApply": true});
    match name {
        "empty" => json!({}),
        "equal" => json!({"meta": {"n": {"a": [1.0, 2]}, "plan": "pro"}, "ratelimits": [limit]}),
        "superset" => json!({"meta": {"plan": "pro", "n": {"a": [1, 2]}, "more": 1}, "ratelimits": [limit]}),
        "subset" => json!({"meta": {"plan": "pro"}}),
        "different" => json!({"meta": {"plan": "pro", "n": {"a": [2, 1]}}, "ratelimits": [limit]}),
        _ => json!({"meta": {"theirs": true}, "ratelimits": [limit]}),
    }
}

/// The content that an adoption leaves behind.
fn after(name: &str) -> Value {
    let mut content = json!({"meta": {"theirs": true}});
    for (field, value) in wanted(name).as_object().unwrap() {
        content[field] = value.clone();
    }
    content
}

async fn run(policy: &str, adopts: &[&str], world: &World) {
    let _operator = world.start().await;
    // An operator trusts no read that began within a window of its start.
    world.barrier().await;
    let mut before = Vec::new();
    for name in STORED {
        world.seed(name, &stored(name));
        before.push((name, world.upstream(name)));
        let mut spec = wanted(name);
        spec["externalId"] = json!(name);
        spec["adoptionPolicy"] = json!(policy);
        world.create(name, &spec).await;
    }
    let outcomes = before.iter().map(async |(name, was)| {
        if adopts.contains(name) { adopted(world, name, was).await } else { refused(world, policy, name, was).await }
    });
    join_all(outcomes).await;
    world.barrier().await;
    for (name, was) in &before {
        let cost = world.cost(name);
        let equal = ["equal", "unmanaged"].contains(name);
        let expected = match (adopts.contains(name), policy) {
            (true, _) if equal => Cost { creates: 1, gets: 1, main: 1, status: 1, ..Cost::NOTHING },
            (true, _) => Cost { creates: 1, gets: 1, updates: 1, main: 1, status: 2, ..Cost::NOTHING },
            (false, "Never") => Cost { gets: 1, status: 1, ..Cost::NOTHING },
            (false, _) => Cost { creates: 1, gets: 1, main: 2, status: 1, ..Cost::NOTHING },
        };
        assert_eq!(Cost { reads: 0, ..cost }, expected, "{policy}, {name}");
        assert!(cost.reads <= 1, "{policy}, {name}: {cost:?}");
        if !adopts.contains(name) {
            assert_eq!(world.upstream(name), *was, "{policy}, {name}: untouched");
        }
    }
    // A refused one is taken over as soon as its policy says so.
    for name in STORED.into_iter().filter(|name| !adopts.contains(name)) {
        world.edit(name, &json!({"adoptionPolicy": "Always"})).await;
        let was = before.iter().find(|(it, _)| *it == name).map(|(_, was)| was).unwrap();
        adopted(world, name, was).await;
    }
}

async fn adopted(world: &World, name: &str, was: &Value) {
    let object = world.ready(name).await;
    assert_eq!(object["status"]["origin"], "Adopted", "{name}");
    assert_eq!(object["status"]["identityId"], was["id"], "{name}");
    let told = world.event(name, "Adopted").await;
    assert!(told.note.contains(was["id"].as_str().unwrap()), "{told:?}");
    let (now, content) = (world.upstream(name), after(name));
    assert_eq!(now["id"], was["id"], "{name}");
    assert_eq!((&now["meta"], &now["ratelimits"]), (&content["meta"], &content["ratelimits"]), "{name}");
}

async fn refused(world: &World, policy: &str, name: &str, was: &Value) {
    let object = world.reason(name, "AlreadyExists").await;
    for kind in ["Ready", "Stalled"] {
        assert_eq!(condition(&object, kind)["reason"], "AlreadyExists", "{policy}, {name}");
    }
    assert_eq!(condition(&object, "Stalled")["status"], "True", "{policy}, {name}");
    assert_eq!(object["metadata"].get("finalizers"), None, "{policy}, {name}");
    assert_eq!(object["metadata"].get("annotations"), None, "{policy}, {name}");
    assert_eq!(object["status"].get("identityId"), None, "{policy}, {name}");
    let message = condition(&object, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains(name) && message.contains("Always"), "{message}");
    assert_eq!(world.upstream(name), *was, "{policy}, {name}");
    let told = world.event(name, "AlreadyExists").await;
    assert_eq!((told.kind.as_str(), told.note), ("Warning", message));
}

#[tokio::test]
async fn always() {
    run("Always", &STORED, &World::in_order("adopt-always").await).await;
}

#[tokio::test]
async fn if_lossless() {
    run("IfLossless", &["empty", "equal", "subset", "unmanaged"], &World::in_order("adopt-lossless").await).await;
}

#[tokio::test]
async fn never() {
    run("Never", &[], &World::in_order("adopt-never").await).await;
}

/// A refused one that is deleted leaves the identity alone, at once.
#[tokio::test]
async fn refused_and_deleted() {
    let world = World::in_order("refused").await.with_args(&["--default-adoption-policy", "Never"]);
    let _operator = world.start().await;
    world.seed("x", &json!({"meta": {"a": 1}}));
    let was = world.upstream("x");
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    world.reason("x", "AlreadyExists").await;
    let before = world.cost_so_far("x").await;
    world.delete("x").await;
    world.gone("x").await;
    assert_eq!(world.cost_since("x", before).await, Cost::NOTHING);
    assert_eq!(world.upstream("x"), was);
}

/// A refused one goes on by itself neither when it is checked, nor stays refused when the identity is gone.
#[tokio::test]
async fn refused_and_checked() {
    let world = World::in_order("recheck").await;
    let _operator = world.start().await;
    let stored = json!({"meta": {"theirs": 1}});
    world.seed("x", &stored);
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    world.reason("x", "AlreadyExists").await;
    let before = world.cost_so_far("x").await;
    world.request_reconcile("x", "1").await;
    assert_eq!(world.cost_since("x", before).await, Cost::CHECK);
    assert_eq!(world.events("x").await.len(), 1, "stalled began once");
    assert!(world.workspace.delete("x"));
    world.ask_for_check("x", "2").await;
    let object = world.ready("x").await;
    assert_eq!(object["status"]["origin"], "Created");
    assert_eq!(world.upstream("x")["meta"], json!({"a": 1}));
}
