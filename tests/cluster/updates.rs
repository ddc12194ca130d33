//! Changes of the spec (R5, R17).

use serde_json::{Value, json};

use super::harness::{Cost, World, identity, succeeded};

/// Every field, step by step: what Unkey holds afterwards, and one call each.
#[tokio::test]
async fn each_field() {
    let world = World::in_order("each-field").await;
    let _operator = world.start().await;
    let start = json!({"externalId": "x", "meta": {"a": 1, "b": {"c": 1, "d": [1, 2]}},
        "ratelimits": [{"name": "one", "limit": 1, "duration": 1000}]});
    world.create("x", &start).await;
    world.ready("x").await;
    world.barrier().await;
    let id = world.upstream("x")["id"].clone();
    let one = json!({"name": "one", "limit": 1, "duration": 1000});
    let two = json!({"name": "two", "limit": 2, "duration": 2000, "autoApply": true});
    let changed = json!({"name": "one", "limit": 5, "duration": 3000});
    let auto = json!({"name": "one", "limit": 5, "duration": 3000, "autoApply": true});
    let steps = [
        ("add a key", json!({"meta": {"new": "x"}}), "/meta", json!({"a": 1, "b": {"c": 1, "d": [1, 2]}, "new": "x"})),
        ("remove a key", json!({"meta": {"new": null}}), "/meta", json!({"a": 1, "b": {"c": 1, "d": [1, 2]}})),
        ("change a nested one", json!({"meta": {"b": {"c": 2}}}), "/meta", json!({"a": 1, "b": {"c": 2, "d": [1, 2]}})),
        ("turn a list", json!({"meta": {"b": {"d": [2, 1]}}}), "/meta", json!({"a": 1, "b": {"c": 2, "d": [2, 1]}})),
        ("change a type", json!({"meta": {"a": "1"}}), "/meta", json!({"a": "1", "b": {"c": 2, "d": [2, 1]}})),
        ("add a limit", json!({"ratelimits": [one, two]}), "/ratelimits/1", two.clone()),
        ("change a limit", json!({"ratelimits": [changed, two]}), "/ratelimits/0/limit", json!(5)),
        ("turn autoApply on", json!({"ratelimits": [auto, two]}), "/ratelimits/0/autoApply", json!(true)),
        ("turn autoApply off", json!({"ratelimits": [changed, two]}), "/ratelimits/0/autoApply", json!(false)),
        ("remove a limit", json!({"ratelimits": [two]}), "/ratelimits", json!([two])),
    ];
    for (what, edit, at, holds) in steps {
        let before = world.cost_so_far("x").await;
        world.edit("x", &edit).await;
        let object = world.ready("x").await;
        assert_eq!(world.upstream("x").pointer(at), Some(&holds), "{what}");
        assert_eq!(object["status"]["identityId"], id, "{what}");
        assert_eq!(world.cost_since("x", before).await, Cost::UPDATE, "{what}");
    }
    let told: Vec<String> = world.events("x").await.into_iter().map(|told| told.reason).collect();
    assert_eq!(told, ["LimitRemoved"; 2], "a change that is asked for needs no event, unless it takes a limit away");
}

/// What Unkey stores alike is no change: numbers are floats there, limits a set.
#[tokio::test]
async fn the_same_in_other_words() {
    let world = World::in_order("other-words").await;
    let _operator = world.start().await;
    let one = json!({"name": "one", "limit": 1, "duration": 1000});
    let two = json!({"name": "two", "limit": 2, "duration": 2000});
    world.create("x", &json!({"externalId": "x", "meta": {"n": 1, "z": 0}, "ratelimits": [one, two]})).await;
    world.ready("x").await;
    let words = [
        r#"{"spec":{"meta":{"n":1.0}}}"#,
        r#"{"spec":{"meta":{"n":1e0,"z":-0.0}}}"#,
        r#"{"spec":{"ratelimits":[{"name":"two","limit":2,"duration":2000},{"name":"one","limit":1,"duration":1000}]}}"#,
        r#"{"spec":{"ratelimits":[{"name":"one","limit":1,"duration":1000,"autoApply":false},{"name":"two","limit":2,"duration":2000}]}}"#,
    ];
    for words in words {
        let (before, was) = (world.cost_so_far("x").await, world.get("x").await.unwrap());
        // As text: the test's own JSON library might write 1.0 as it likes.
        let patched = world.run_kubectl(&["patch", "identity", "x", "--type=merge", "-p", words], "").await;
        succeeded(&patched);
        let now = world.ready("x").await;
        let told = usize::from(now["metadata"]["generation"] != was["metadata"]["generation"]);
        let cost = world.cost_since("x", before).await;
        assert_eq!(cost, Cost { status: told, ..Cost::NOTHING }, "{words}");
    }
}

/// An update sends the field that changed and no other: what another client did to the other one stays until it is drift.
#[tokio::test]
async fn only_what_changed_is_sent() {
    let world = World::in_order("only-changed").await;
    let _operator = world.start().await;
    let limits = json!([{"name": "one", "limit": 1, "duration": 1000}]);
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "ratelimits": limits})).await;
    world.ready("x").await;
    let theirs = json!([{"name": "theirs", "limit": 9, "duration": 9000, "autoApply": true}]);
    world.mutate("x", &json!({"ratelimits": theirs}));
    world.edit("x", &json!({"meta": {"a": 2}})).await;
    world.ready("x").await;
    let upstream = world.upstream("x");
    assert_eq!((&upstream["meta"], &upstream["ratelimits"]), (&json!({"a": 2}), &theirs));
    // Limits sent twice within the window are read back, and then the rest would be drift.
    world.barrier().await;
    world.mutate("x", &json!({"meta": {"theirs": 1}}));
    world.edit("x", &json!({"ratelimits": [{"name": "one", "limit": 2, "duration": 1000}]})).await;
    world.ready("x").await;
    let upstream = world.upstream("x");
    assert_eq!((&upstream["meta"], &upstream["ratelimits"][0]["limit"]), (&json!({"theirs": 1}), &json!(2)));
}

/// Left out is not cleared: the field stays in Unkey and an event says how to clear it (R17).
#[tokio::test]
async fn omitted_is_kept_and_empty_is_cleared() {
    let world = World::in_order("omitted").await;
    let _operator = world.start().await;
    let limit = json!({"name": "one", "limit": 1, "duration": 1000, "autoApply": false});
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "ratelimits": [limit]})).await;
    world.ready("x").await;
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"meta": null})).await;
    let object = world.ready("x").await;
    assert!(object["status"]["applied"].get("meta").is_none(), "{}", object["status"]);
    assert_eq!(world.upstream("x")["meta"], json!({"a": 1}));
    let told = world.event("x", "FieldReleased").await;
    assert_eq!(told.kind, "Normal");
    assert!(told.note.contains("meta left the spec") && told.note.contains("set meta: {}"), "{told:?}");
    world.edit("x", &json!({"ratelimits": null})).await;
    let object = world.ready("x").await;
    assert_eq!(object["status"].get("applied"), None, "nothing is managed");
    assert_eq!(world.upstream("x")["ratelimits"], json!([limit]));
    assert_eq!(world.cost_since("x", before).await, Cost { status: 2, ..Cost::NOTHING });
    let released: Vec<_> = world.events("x").await.into_iter().filter(|it| it.reason == "FieldReleased").collect();
    assert_eq!(released.len(), 2, "once for each field: {released:?}");
    assert!(released.iter().any(|it| it.note.contains("set ratelimits: []")), "{released:?}");

    // What was released may be others' by now: it is cleared by who says that it may be lost (R18).
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"meta": {}})).await;
    world.reason("x", "WouldLose").await;
    assert_eq!(world.upstream("x")["meta"], json!({"a": 1}));
    assert_eq!(world.cost_since("x", before).await, Cost::CHECK);
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"adoptionPolicy": "Always"})).await;
    world.ready("x").await;
    assert_eq!(world.upstream("x")["meta"], json!({}));
    assert_eq!(world.upstream("x")["ratelimits"], json!([limit]), "still nobody's business");
    world.edit("x", &json!({"ratelimits": []})).await;
    world.ready("x").await;
    assert_eq!(world.upstream("x")["ratelimits"], json!([]));
    assert_eq!(world.cost_since("x", before).await, Cost { status: 4, gets: 2, updates: 2, ..Cost::NOTHING });
}

/// S25: a null in place of a field is "left out", however it is applied; one inside meta is data, as far as it gets there.
#[tokio::test]
async fn nulls_by_kubectl() {
    let world = World::in_order("nulls").await;
    let _operator = world.start().await;
    let manifest = |meta: &Value| identity("x", &json!({"externalId": "x", "meta": meta})).to_string();
    let data = json!({"a": null, "b": {"c": null, "d": [null]}});
    let side = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    succeeded(&world.run_kubectl(&["create", "-f", "-"], &manifest(&data)).await);
    world.ready("x").await;
    assert_eq!(world.upstream("x")["meta"], data);
    let before = world.cost_so_far("x").await;
    // kubectl turns the null into a removal; the server does not take one.
    succeeded(&world.run_kubectl(&["apply", "-f", "-"], &manifest(&Value::Null)).await);
    let object = world.ready("x").await;
    assert_eq!(object["spec"], json!({"externalId": "x"}));
    let refused = world.run_kubectl(&side, &manifest(&Value::Null)).await;
    assert!(!refused.status.success());
    world.event("x", "FieldReleased").await;
    assert_eq!(world.cost_since("x", before).await, Cost::STATUS, "not read as empty, and no loop");
    assert_eq!(world.upstream("x")["meta"], data, "what is left out is kept");
}

/// Rate limits sent twice within the window may leave more than was asked for, since the server compares with its replica (R5).
#[tokio::test]
async fn limits_twice_within_the_window_are_checked() {
    let world = World::in_order("twice").await.with_args(&["--consistency-window", "3s"]);
    world.workspace.set_replica_lag(std::time::Duration::from_millis(1500));
    let _operator = world.start().await;
    let limits = |names: &[&str]| {
        let all: Vec<Value> = names.iter().map(|it| json!({"name": it, "limit": 1, "duration": 1000})).collect();
        json!({"externalId": "x", "ratelimits": all})
    };
    world.create("x", &limits(&["one", "two"])).await;
    world.ready("x").await;
    world.edit("x", &limits(&["three"])).await;
    world.ready("x").await;
    let names = |it: &Value| it["ratelimits"].as_array().unwrap().iter().map(|l| l["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&world.upstream("x")), ["three"], "Ready only when a settled read says so");
    let cost = world.cost_since("x", Cost::NOTHING).await;
    assert!(cost.updates >= 1 && cost.gets >= 1, "{cost:?}");
}

#[tokio::test]
async fn policies_alone_send_nothing() {
    let world = World::in_order("policies").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    world.ready("x").await;
    for edit in [
        json!({"adoptionPolicy": "Never"}),
        json!({"adoptionPolicy": null}),
        json!({"deletionPolicy": "Orphan"}),
        json!({"deletionPolicy": "Delete"}),
        json!({"suspend": false}),
    ] {
        let before = world.cost_so_far("x").await;
        world.edit("x", &edit).await;
        let object = world.ready("x").await;
        let policy = object["spec"].get("deletionPolicy").cloned().unwrap_or(json!("Delete"));
        assert_eq!(object["status"]["deletionPolicy"], policy);
        assert_eq!(world.cost_since("x", before).await, Cost::STATUS, "{edit}");
    }
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"suspend": true})).await;
    world.reason("x", "Suspended").await;
    assert_eq!(world.cost_since("x", before).await, Cost::STATUS);
}
