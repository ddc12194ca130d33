//! Create, and what every operation costs when nothing goes wrong (design: what it must be better at, 2; R1, R2, R5, R7, R12).

use serde_json::{Value, json};

use super::harness::{Cost, World, condition, identity, succeeded};

#[tokio::test]
async fn create_minimal() {
    let world = World::in_order("create-minimal").await;
    let _operator = world.start().await;
    world.create("minimal", &json!({"externalId": "minimal"})).await;
    let object = world.ready("minimal").await;
    let upstream = world.upstream("minimal");
    assert_eq!(object["status"]["identityId"], upstream["id"]);
    assert_eq!(object["metadata"]["finalizers"], json!(["unkey.com/identity"]));
    assert_eq!((&upstream["meta"], &upstream["ratelimits"]), (&json!({}), &json!([])));
    assert_eq!(world.cost_since("minimal", Cost::NOTHING).await, Cost::CREATE);
}

#[tokio::test]
async fn create_full() {
    let world = World::in_order("create-full").await;
    let _operator = world.start().await;
    let meta = json!({
        "plan": "pro", "seats": 5, "ratio": 0.25, "big": 9_007_199_254_740_991_i64, "trial": false, "none": null,
        "text": "a \"quoted\" <tag> & U+2028 \u{2028} ünïcode 日本 🙂", "": "an empty key",
        "nested": {"list": [1, [2, {"three": 3}], null], "empty": {}, "none": []}
    });
    let limits = json!([
        {"name": "Requests per minute", "limit": 1_000_000_000_000_i64, "duration": 60_000},
        {"name": "abc", "limit": 1, "duration": 1000, "autoApply": true}
    ]);
    world.create("full", &json!({"externalId": "full", "meta": meta, "ratelimits": limits})).await;
    world.ready("full").await;
    let upstream = world.upstream("full");
    assert_eq!(upstream["meta"], meta);
    let stored = json!([
        {"name": "Requests per minute", "limit": 1_000_000_000_000_i64, "duration": 60_000, "autoApply": false},
        {"name": "abc", "limit": 1, "duration": 1000, "autoApply": true}
    ]);
    assert_eq!(upstream["ratelimits"], stored);
    assert_eq!(world.cost_since("full", Cost::NOTHING).await, Cost::CREATE);
    assert_eq!(world.request_reconcile("full", "1").await["status"]["lastHandledReconcileAt"], "1");
    let checked = Cost { status: 2, gets: 1, ..Cost::CREATE };
    assert_eq!(world.cost_since("full", Cost::NOTHING).await, checked, "what was sent reads back as equal");
}

#[tokio::test]
async fn update_and_delete_cost_one_call_each() {
    let world = World::in_order("cost").await;
    let _operator = world.start().await;
    world.create("one", &json!({"externalId": "one", "meta": {"plan": "free"}})).await;
    world.ready("one").await;
    let before = world.cost_so_far("one").await;
    world.edit("one", &json!({"meta": {"plan": "pro"}})).await;
    world.ready("one").await;
    assert_eq!(world.upstream("one")["meta"], json!({"plan": "pro"}));
    assert_eq!(world.cost_since("one", before).await, Cost::UPDATE);
    let before = world.cost_so_far("one").await;
    world.delete("one").await;
    world.gone("one").await;
    assert_eq!(world.upstream("one"), Value::Null);
    assert_eq!(world.cost_since("one", before).await, Cost::DELETE);
}

/// The status as the design says it, and transition times that move only with the condition.
#[tokio::test]
async fn status_tells_all() {
    let world = World::new("status").await;
    let operator = world.start().await;
    let created = world.create("told", &json!({"externalId": "told", "meta": {"a": 1}, "ratelimits": []})).await;
    assert_eq!(created["status"], json!({"observedGeneration": -1}), "nothing reads as healthy before the first visit");
    let object = world.ready("told").await;
    let status = &object["status"];
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(status["uid"], object["metadata"]["uid"]);
    assert_eq!(status["identityId"], world.upstream("told")["id"]);
    assert_eq!(status["origin"], "Created");
    assert_eq!(status["deletionPolicy"], "Delete");
    for field in ["meta", "ratelimits"] {
        let hash = status["applied"][field].as_str().unwrap();
        assert!(hash.starts_with("v1:") && hash.len() == 3 + 64, "{hash}");
    }
    let credential = status["credential"].as_str().unwrap();
    assert!(credential.len() == 12 && credential.bytes().all(|byte| byte.is_ascii_hexdigit()), "{credential}");
    assert_eq!(status.get("lastHandledReconcileAt"), None);
    let ready = condition(&object, "Ready");
    assert_eq!(status["conditions"], json!([ready]));
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("Synced")));
    assert_eq!(ready["observedGeneration"], 1);
    let claim = object["metadata"]["annotations"]["unkey.com/claim"].as_str().unwrap();
    let uid = object["metadata"]["uid"].as_str().unwrap();
    assert!(claim.starts_with(&format!("{uid}:v1:")) && claim.ends_with(':'), "{claim}");

    world.next_second().await;
    world.edit("told", &json!({"meta": {"a": 2}})).await;
    let updated = world.ready("told").await;
    assert_eq!(updated["status"]["observedGeneration"], 2);
    assert_ne!(updated["status"]["applied"]["meta"], status["applied"]["meta"]);
    assert_eq!(updated["status"]["applied"]["ratelimits"], status["applied"]["ratelimits"]);
    assert_eq!(condition(&updated, "Ready")["observedGeneration"], 2);
    assert_eq!(condition(&updated, "Ready")["lastTransitionTime"], ready["lastTransitionTime"]);

    world.edit("told", &json!({"suspend": true})).await;
    let suspended = world.reason("told", "Suspended").await;
    assert_ne!(condition(&suspended, "Ready")["lastTransitionTime"], ready["lastTransitionTime"]);
    assert_eq!(condition(&suspended, "Suspended")["status"], "True");
    assert_eq!(condition(&suspended, "Suspended")["observedGeneration"], 3);
    world.edit("told", &json!({"suspend": null})).await;
    let resumed = world.ready("told").await;
    assert_eq!(condition(&resumed, "Suspended"), Value::Null);
    assert_eq!(resumed["status"]["identityId"], status["identityId"]);
    assert!(!operator.log().contains(super::harness::ROOT_KEY));
}

#[tokio::test]
async fn changes_of_metadata_cost_nothing() {
    let world = World::in_order("metadata").await;
    let _operator = world.start().await;
    world.create("quiet", &json!({"externalId": "quiet", "meta": {"a": 1}})).await;
    world.ready("quiet").await;
    let before = world.cost_so_far("quiet").await;
    world.patch("quiet", &json!({"metadata": {"labels": {"team": "a"}}})).await;
    let annotated = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}});
    let last = world.patch("quiet", &annotated).await;
    assert_eq!(world.cost_since("quiet", before).await, Cost::NOTHING);
    let now = world.get("quiet").await.unwrap();
    assert_eq!(now["metadata"]["resourceVersion"], last["metadata"]["resourceVersion"]);
    assert!(now["metadata"]["annotations"]["unkey.com/claim"].is_string(), "the user's annotations and ours");
}

#[tokio::test]
async fn applying_the_same_again_costs_nothing() {
    let world = World::in_order("reapply").await;
    let _operator = world.start().await;
    let spec = json!({"externalId": "same", "meta": {"n": 1.0, "list": [1]}, "ratelimits": [
        {"name": "calls", "limit": 10, "duration": 1000}
    ]});
    let manifest = identity("same", &spec).to_string();
    succeeded(&world.run_kubectl(&["apply", "-f", "-"], &manifest).await);
    let object = world.ready("same").await;
    let before = world.cost_so_far("same").await;
    let told = succeeded(&world.run_kubectl(&["apply", "-f", "-"], &manifest).await);
    assert!(told.contains("unchanged"), "{told}");
    assert_eq!(world.cost_since("same", before).await, Cost::NOTHING);
    let now = world.get("same").await.unwrap();
    assert_eq!(now["metadata"]["resourceVersion"], object["metadata"]["resourceVersion"]);
    // The server notes another field manager, so the object does change.
    let forced = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    succeeded(&world.run_kubectl(&forced, &manifest).await);
    assert_eq!(world.cost_since("same", before).await, Cost::NOTHING);
}

/// S-free of charge: Ready, stalled and suspended objects are left alone by an operator that starts (R12).
#[tokio::test]
async fn a_restart_costs_nothing() {
    let world = World::in_order("restart").await;
    let operator = world.start().await;
    let names = ["one", "two", "three", "stalled", "suspended"];
    world.seed("stalled", &json!({"meta": {"theirs": true}}));
    for name in &names[..3] {
        world.create(name, &json!({"externalId": name, "meta": {"name": name}})).await;
    }
    world.create("stalled", &json!({"externalId": "stalled", "meta": {}})).await;
    world.create("suspended", &json!({"externalId": "suspended", "suspend": true})).await;
    world.create("loser", &json!({"externalId": "one"})).await;
    for name in &names[..3] {
        world.ready(name).await;
    }
    world.reason("stalled", "AlreadyExists").await;
    world.reason("suspended", "Suspended").await;
    world.reason("loser", "ExternalIdConflict").await;
    world.barrier().await;
    let look = async || {
        let mut all = Vec::new();
        for name in names.iter().chain(&["loser"]) {
            let version = world.get(name).await.unwrap()["metadata"]["resourceVersion"].clone();
            all.push((*name, world.cost(name), version));
        }
        all
    };
    let before = look().await;
    assert!(operator.terminate().await.success());
    let again = world.start().await;
    world.barrier().await;
    assert_eq!(look().await, before);
    again.kill();
    let _third = world.start().await;
    world.barrier().await;
    assert_eq!(look().await, before);
}
