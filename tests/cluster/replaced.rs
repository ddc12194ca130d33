//! Other clients of the workspace: identities that vanish, that are made anew, and that are changed (R5, R9, S11, S23).

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{Cost, World, condition, eventually};

#[tokio::test]
async fn check_of_a_healthy_one() {
    let world = World::in_order("check").await;
    let _operator = world.start().await;
    let limits = json!([{"name": "calls", "limit": 10, "duration": 1000}]);
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1, "n": null}, "ratelimits": limits})).await;
    let ready = condition(&world.ready("x").await, "Ready");
    for value in ["2031-01-01T00:00:00Z", "anything else", ""] {
        let before = world.cost_so_far("x").await;
        let object = world.request_reconcile("x", value).await;
        assert_eq!(condition(&object, "Ready"), ready, "unchanged, its time of change too");
        assert_eq!(world.cost_since("x", before).await, Cost::CHECK, "'{value}'");
    }
    let before = world.cost_so_far("x").await;
    world.patch("x", &json!({"metadata": {"annotations": {"unkey.com/reconcile-requested-at": null}}})).await;
    assert_eq!(world.cost_since("x", before).await, Cost::NOTHING, "taken away, it asks for nothing");
}

#[tokio::test]
async fn drift_is_corrected() {
    let world = World::in_order("drift").await;
    let _operator = world.start().await;
    let limits = json!([{"name": "calls", "limit": 10, "duration": 1000, "autoApply": false}]);
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "ratelimits": limits})).await;
    world.create("y", &json!({"externalId": "y", "meta": {"a": 1}})).await;
    let ready = condition(&world.ready("x").await, "Ready");
    world.ready("y").await;
    for theirs in [
        json!({"meta": {"a": 2}}),
        json!({"meta": {}}),
        json!({"meta": {"a": 1, "more": null}}),
        json!({"ratelimits": []}),
        json!({"ratelimits": [{"name": "calls", "limit": 10, "duration": 1000, "autoApply": true}]}),
        json!({"meta": {"b": 1}, "ratelimits": [{"name": "theirs", "limit": 1, "duration": 1000}]}),
    ] {
        let before = world.cost_so_far("x").await;
        world.mutate("x", &theirs);
        let object = world.request_reconcile("x", &theirs.to_string()).await;
        assert_eq!(condition(&object, "Ready"), ready, "{theirs}");
        let now = world.upstream("x");
        assert_eq!((&now["meta"], &now["ratelimits"]), (&json!({"a": 1}), &limits), "{theirs}");
        let cost = world.cost_since("x", before).await;
        assert_eq!(cost, Cost { gets: 1, ..Cost::UPDATE }, "{theirs}");
    }
    let id = world.upstream("x")["id"].clone();
    let told = world.event("x", "DriftCorrected").await;
    assert!(told.kind == "Normal" && told.note.contains(id.as_str().unwrap()), "{told:?}");
    // What is not managed is nobody's drift.
    world.mutate("y", &json!({"ratelimits": limits}));
    let before = world.cost_so_far("y").await;
    world.request_reconcile("y", "1").await;
    assert_eq!(world.cost_since("y", before).await, Cost::CHECK);
    assert_eq!(world.upstream("y")["ratelimits"], limits);
}

#[tokio::test]
async fn vanished_is_created_again() {
    let world = World::in_order("vanished").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    let old = world.ready("x").await["status"]["identityId"].clone();
    let before = world.cost_so_far("x").await;
    assert!(world.workspace.delete("x"));
    let object = world.request_reconcile("x", "1").await;
    let object = if condition(&object, "Ready")["status"] == "True" { object } else { world.ready("x").await };
    let now = world.upstream("x");
    assert_ne!(now["id"], old);
    assert_eq!((&object["status"]["identityId"], &object["status"]["origin"]), (&now["id"], &json!("Created")));
    assert_eq!(now["meta"], json!({"a": 1}));
    let told = world.event("x", "Recreated").await;
    assert!(told.note.contains(now["id"].as_str().unwrap()), "{told:?}");
    let claim = object["metadata"]["annotations"]["unkey.com/claim"].as_str().unwrap();
    assert!(claim.ends_with(&format!(":{}", old.as_str().unwrap())), "the dead id is given up: {claim}");
    // Two settled reads, told in between, then claim, create, status.
    let cost = world.cost_since("x", before).await;
    assert_eq!(Cost { reads: 0, ..cost }, Cost { main: 1, status: 2, creates: 1, gets: 2, ..Cost::NOTHING });

    // Once more: the event names the new one.
    assert!(world.workspace.delete("x"));
    world.ask_for_check("x", "2").await;
    world
        .until("x", "made a third time", |it| {
            it["status"]["identityId"] != now["id"] && condition(it, "Ready")["status"] == "True"
        })
        .await;
    let third = world.upstream("x")["id"].as_str().unwrap().to_owned();
    eventually("an event that names it", async || {
        world.events("x").await.into_iter().find(|it| it.reason == "Recreated" && it.note.contains(&third))
    })
    .await;
    world.delete("x").await;
    world.gone("x").await;
    assert_eq!(world.upstream("x"), Value::Null);
}

/// The update that finds nothing starts the same.
#[tokio::test]
async fn vanished_before_an_update() {
    let world = World::in_order("vanished-update").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    let old = world.ready("x").await["status"]["identityId"].clone();
    let before = world.cost_so_far("x").await;
    assert!(world.workspace.delete("x"));
    world.edit("x", &json!({"meta": {"a": 2}})).await;
    let object = world.ready("x").await;
    assert_ne!(object["status"]["identityId"], old);
    assert_eq!(world.upstream("x")["meta"], json!({"a": 2}));
    world.event("x", "Recreated").await;
    let cost = world.cost_since("x", before).await;
    assert_eq!((cost.updates, cost.gets, cost.creates, cost.main), (1, 2, 1, 1), "{cost:?}");
}

/// S11: vanished, created again, crashed before the new id was recorded, deleted: the new identity goes too.
#[tokio::test]
async fn crash_while_it_is_created_again() {
    let world = World::new("recreate-crash").await;
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    let old = world.ready("x").await["status"]["identityId"].clone();
    assert!(world.workspace.delete("x"));
    let fault = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::Create).of("x").once());
    world.ask_for_check("x", "1").await;
    eventually("the second identity", async || world.workspace.live("x").map(|_| ())).await;
    operator.kill();
    world.workspace.clear_fault(fault);
    let object = world.get("x").await.unwrap();
    assert_eq!(object["status"]["identityId"], old, "the new one is known to nobody");
    world.delete("x").await;
    let _again = world.start().await;
    world.gone("x").await;
    assert_eq!(world.upstream("x"), Value::Null);
}

/// S23: keys.createKey made it anew under another id; R3's verdict, by policy.
#[tokio::test]
async fn replaced_by_another() {
    let world = World::in_order("replaced").await;
    let _operator = world.start().await;
    let cases = [
        ("empty", None, json!({}), true),
        ("other", None, json!({"meta": {"theirs": 1}}), false),
        ("always", Some("Always"), json!({"meta": {"theirs": 1}}), true),
        ("never", Some("Never"), json!({"meta": {"a": 1}}), false),
        ("equal", None, json!({"meta": {"a": 1}}), true),
    ];
    for (name, policy, ..) in &cases {
        world.create(name, &json!({"externalId": name, "meta": {"a": 1}, "adoptionPolicy": policy})).await;
    }
    for (name, ..) in &cases {
        world.ready(name).await;
    }
    for (name, _, content, adopted) in &cases {
        let before = world.cost_so_far(name).await;
        assert!(world.workspace.delete(name));
        let id = world.seed(name, content);
        world.ask_for_check(name, "1").await;
        if *adopted {
            let took =
                |it: &Value| it["status"]["identityId"] == id.as_str() && condition(it, "Ready")["status"] == "True";
            let object = world.until(name, "taken over", took).await;
            assert_eq!(object["status"]["origin"], "Adopted", "{name}");
            assert_eq!(world.upstream(name)["meta"], json!({"a": 1}), "{name}");
            let told = world.event(name, "IdentityReplaced").await;
            assert!(told.note.contains(&id), "{told:?}");
        } else {
            let object = world.reason(name, "AlreadyExists").await;
            assert_eq!(condition(&object, "Stalled")["status"], "True", "{name}");
            assert_eq!(object["metadata"].get("finalizers"), None, "{name}");
            assert!(object["metadata"]["annotations"].get("unkey.com/claim").is_none(), "{name}");
            assert_eq!(object["status"].get("identityId"), None, "{name}");
            assert_eq!(world.upstream(name)["id"], id.as_str(), "{name}");
            assert_eq!(world.upstream(name)["meta"], content["meta"], "{name}");
        }
        let cost = world.cost_since(name, before).await;
        // Claim and status, or what a refusal takes; the id is recorded before a first update.
        let expected = match (*adopted, *content == json!({"meta": {"a": 1}})) {
            (true, true) => Cost { main: 1, status: 1, gets: 1, ..Cost::NOTHING },
            (true, false) => Cost { main: 1, status: 2, gets: 1, updates: 1, ..Cost::NOTHING },
            (false, _) => Cost { main: 2, status: 2, gets: 1, ..Cost::NOTHING },
        };
        assert_eq!(Cost { reads: 0, ..cost }, expected, "{name}: {cost:?}");
        world.delete(name).await;
        world.gone(name).await;
        assert_eq!(world.upstream(name).is_null(), *adopted, "{name}: deleted only if it was ours");
    }
}

/// S16: the status of another life of the object is a hint at most: nobody owns by it.
#[tokio::test]
async fn restored_status() {
    let world = World::in_order("restored").await;
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "deletionPolicy": "Orphan"})).await;
    let original = world.ready("x").await;
    world.delete("x").await;
    world.gone("x").await;
    assert!(operator.terminate().await.success());
    world.create("x", &json!({"externalId": "x", "meta": {"a": 2}})).await;
    let status = json!({"status": original["status"]}).to_string();
    let restore = ["patch", "identity", "x", "--subresource=status", "--type=merge", "-p", &status];
    super::harness::succeeded(&world.run_kubectl(&restore, "").await);
    let _operator = world.start().await;
    let object = world.reason("x", "AlreadyExists").await;
    assert_eq!(object["status"].get("identityId"), None, "by its id it would have been taken for owned");
    assert_eq!(world.upstream("x")["meta"], json!({"a": 1}));
}
