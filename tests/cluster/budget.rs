//! What the budget of calls does on the real parts: who goes first, what stops everything, and what does not.

use std::time::Duration;

use serde_json::{Value, json};
use unkey_emulator::{Entry, Fault, FaultKind, Operation, Permissions};

use super::harness::{World, condition, eventually};

fn spec(external_id: &str) -> Value {
    json!({"externalId": external_id, "meta": {"plan": "a"}})
}

async fn create_many(world: &World, prefix: &str, count: usize) {
    for number in 0..count {
        let name = format!("{prefix}-{number}");
        world.create(&name, &spec(&name)).await;
    }
}

async fn all_ready(world: &World) {
    eventually("all to be Ready", async || {
        world.list().await.iter().all(|it| condition(it, "Ready")["status"] == "True").then_some(())
    })
    .await;
}

/// One namespace brings more than the rate bears; an edit in another one is next but a few, whatever waits there.
#[tokio::test]
async fn an_edit_elsewhere_does_not_wait_for_what_one_namespace_brings() {
    let many = World::new("budget-many").await;
    let few = many.beside("budget-few").await;
    let both = ["--namespace", &many.namespace.clone(), "--namespace", &few.namespace];
    let many = many.with_args(&both).with_args(&["--max-requests-per-second", "2"]);
    few.create("quiet", &spec("quiet")).await;
    let operator = many.start().await;
    few.ready("quiet").await;
    create_many(&many, "flood", 60).await;
    // The burst is used up, and most of the flood waits.
    eventually("the flood to be limited", async || {
        (operator.metrics().await.sum("unkey_operator_queue_depth", &[("lane", "changes")]) > 30).then_some(())
    })
    .await;
    let before = many.workspace.requests().last().map_or(0, |entry| entry.number);
    few.edit("quiet", &json!({"meta": {"plan": "b"}})).await;
    few.until_accepted(Operation::Update, "quiet", 1).await;
    let update = many.workspace.requests().into_iter().find(|entry| entry.operation == Operation::Update).unwrap();
    // The edit reaches the operator within a few calls' time, and then it is next but one; it does not wait for thirty.
    assert!(update.number - before <= 15, "{} calls came before it", update.number - before);
}

/// A 429 stops every call for as long as it asks, and nothing that needs none.
#[tokio::test]
async fn a_pause_stops_calls_and_not_the_release_of_an_orphan() {
    let world = World::new("budget-pause").await;
    let operator = world.start().await;
    let mut orphan = spec("stays");
    orphan["deletionPolicy"] = json!("Orphan");
    world.create("stays", &orphan).await;
    world.ready("stays").await;
    let fault = Fault::new(FaultKind::TooMany { retry_after: Some("6".to_owned()) }).on(Operation::Create).once();
    let fault = world.workspace.order(fault);
    world.create("first", &spec("first")).await;
    world.until_hit(fault, 1).await;
    let denied = |entry: &Entry| entry.answered == Some(429);
    let pause = eventually("the refusal", async || world.workspace.requests().into_iter().find(denied)).await;
    world.create("second", &spec("second")).await;
    world.delete("stays").await;
    world.gone("stays").await;
    let metrics = operator.metrics().await;
    assert_eq!(metrics.sum("unkey_operator_upstream_paused", &[]), 1, "it went while everything was stopped");
    world.ready("first").await;
    world.ready("second").await;
    let later: Vec<Entry> = world.workspace.requests().into_iter().filter(|it| it.number > pause.number).collect();
    assert!(later.iter().all(|entry| entry.at_ms >= pause.at_ms + 6_000), "{later:#?}");
    assert!(world.workspace.live("stays").is_some());
}

/// A root key that Unkey refuses is tried by one call at a time, whatever waits; readiness says so; another key ends it.
#[tokio::test]
async fn a_refused_key_costs_one_call_at_a_time() {
    let world = World::new("budget-refused").await.with_args(&["--max-concurrent-requests", "4"]);
    let operator = world.start().await;
    world.create("before", &spec("before")).await;
    world.ready("before").await;
    assert!(world.emulator.disable(super::harness::ROOT_KEY));
    world.workspace.clear_requests();
    create_many(&world, "new", 40).await;
    for number in 0..40 {
        let object = world.reason(&format!("new-{number}"), "Unauthorized").await;
        let message = condition(&object, "Ready")["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("Put a valid root key in place"), "{message}");
    }
    // Those under way when it was refused, and a probe every ten seconds and more.
    let asked = world.workspace.counts().total;
    assert!((1..=8).contains(&asked), "{asked} calls for 40 objects");
    operator.until_readyz(503, "root key").await;
    assert_eq!(operator.metrics().await.sum("unkey_operator_upstream_root_key_refused", &[]), 1);
    let ready = condition(&world.get("before").await.unwrap(), "Ready");
    assert_eq!(ready["status"], "True", "what needs no call is not touched");
    world.workspace.add_root_key("unkey_another", Permissions::ALL);
    world.write_key("unkey_another");
    all_ready(&world).await;
    operator.until_readyz(200, "ok").await;
    assert_eq!(operator.metrics().await.sum("unkey_operator_upstream_root_key_refused", &[]), 0);
}

/// Without one permission the other operations go on.
#[tokio::test]
async fn a_missing_permission_stops_that_operation_only() {
    let world = World::new("budget-permission").await.with_args(&["--max-concurrent-requests", "2"]);
    let operator = world.start().await;
    create_many(&world, "old", 30).await;
    all_ready(&world).await;
    let no_updates = Permissions { update: false, ..Permissions::ALL };
    world.emulator.add_root_key(super::harness::ROOT_KEY, "acme", no_updates);
    for number in 0..30 {
        world.edit(&format!("old-{number}"), &json!({"meta": {"plan": "b"}})).await;
    }
    for number in 0..30 {
        world.reason(&format!("old-{number}"), "PermissionDenied").await;
    }
    let updates = world.workspace.counts().of(Operation::Update);
    assert!((3..=8).contains(&updates), "{updates} updates were tried for 30 objects");
    let refused = operator.metrics().await;
    assert_eq!(refused.sum("unkey_operator_upstream_operation_refused", &[("operation", "update")]), 1);
    world.create("new", &spec("new")).await;
    world.ready("new").await;
    world.delete("old-0").await;
    world.gone("old-0").await;
}

/// The workspace's limit is shared: with half of it taken for ours, another client is not denied.
#[tokio::test]
async fn half_of_the_workspaces_limit_is_left_alone() {
    let world = World::new("budget-limit").await;
    world.workspace.set_limit_per_minute(Some(120));
    let operator = world.start().await;
    world.create("first", &spec("first")).await;
    world.ready("first").await;
    create_many(&world, "next", 40).await;
    eventually("the limit to be heard of", async || {
        (operator.metrics().await.sum("unkey_operator_upstream_rate_limit", &[]) == 120).then_some(())
    })
    .await;
    let counted = world.workspace.counts().total;
    tokio::time::timeout(Duration::from_secs(30), world.workspace.wait_until(|it| it.counts().total >= counted + 8))
        .await
        .expect("it goes on, evenly");
    let counts = world.workspace.counts();
    assert_eq!(counts.by_status.get(&429), None);
    assert!(counts.total <= 60, "{} of 60 that are ours", counts.total);
}

/// A reconcile that has read goes on to its write before others begin: it would have to read again, and for ever while others wait.
#[tokio::test]
async fn what_was_read_is_not_read_again_for_want_of_a_permit() {
    let world = World::new("budget-further").await;
    let world = world.with_args(&["--max-concurrent-requests", "1", "--max-requests-per-second", "5"]);
    let operator = world.start().await;
    create_many(&world, "old", 5).await;
    all_ready(&world).await;
    operator.kill();
    for number in 0..5 {
        world.delete(&format!("old-{number}")).await;
    }
    create_many(&world, "flood", 60).await;
    world.workspace.clear_requests();
    // A delete that an earlier process may have sent begins with a read (R6).
    let _operator = world.start().await;
    for number in 0..5 {
        world.gone(&format!("old-{number}")).await;
    }
    for number in 0..5 {
        let name = format!("old-{number}");
        let asked = [Operation::Get, Operation::Delete].map(|it| world.requests_on(it, &name).len());
        assert_eq!(asked, [1, 1], "{name}");
    }
}
