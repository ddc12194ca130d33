//! The API server goes away and comes back, at the worst moments; and two operators work at once.

use std::time::Duration;

use controlplane::Server;
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation, Seed};

use super::harness::{World, condition, eventually};

async fn all_done(world: &World) {
    eventually("every Identity to be ready or gone", async || world.list().await.iter().all(is_done).then_some(()))
        .await;
}

/// Waits until all is done and nobody asks anything any more. Each of two operators takes the other's writes for attempts of unknown
/// outcome, and holds Ready until a settled read: what is Ready may wait once more.
async fn all_at_rest(world: &World) {
    loop {
        all_done(world).await;
        let before = world.workspace.counts().total;
        let more = world.workspace.wait_until(|it| it.counts().total > before);
        if tokio::time::timeout(Duration::from_secs(2), more).await.is_err() {
            return all_done(world).await;
        }
    }
}

fn is_done(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
}

/// What Unkey has done is recorded when the API server is back, without asking Unkey again.
#[tokio::test]
async fn the_api_server_dies_while_unkey_works() {
    let world = World::alone("no-api-server").await.with_args(&["--request-timeout", "60s"]);
    let operator = world.start().await;
    for name in ["updated", "deleted", "drifted"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    let held: Vec<u64> = [Operation::Create, Operation::Update, Operation::Delete]
        .map(|operation| world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(operation).once()))
        .into();
    let read = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::Get).once());
    world.create("created", &json!({"externalId": "created", "meta": {"n": 2}})).await;
    world.edit("updated", &json!({"meta": {"n": 2}})).await;
    world.delete("deleted").await;
    let other = json!({"n": "theirs"}).as_object().cloned();
    assert!(world.workspace.mutate("drifted", Seed { meta: other, ..Seed::default() }));
    world.ask_for_check("drifted", "look").await;
    for fault in held.iter().chain([&read]) {
        world.until_hit(*fault, 1).await;
    }
    world.plane.kill_server(Server::ApiServer);
    for fault in held.into_iter().chain([read]) {
        world.workspace.release(fault);
    }
    for name in ["created", "updated", "deleted", "drifted"] {
        let failed =
            |line: &str| line.contains("the reconcile failed") && line.contains(&format!("identity=\"{name}\""));
        eventually(&format!("the pass over {name} to fail"), async || operator.log().lines().any(failed).then_some(()))
            .await;
    }
    assert_eq!(operator.http("/livez").await.status, 200);
    let calls = world.calls();
    world.plane.start_server(Server::ApiServer).await.unwrap();
    world.gone("deleted").await;
    all_done(&world).await;
    world.until("drifted", "done with the poke", |object| object["status"]["lastHandledReconcileAt"] == "look").await;
    world.assert_in_step().await;
    let now = world.calls();
    assert_eq!((now[0], now[3]), (calls[0], calls[3]), "nothing was made or deleted twice");
    assert_eq!(world.requests_on(Operation::Update, "updated").len(), 1);
    // The watch is back, too.
    world.edit("updated", &json!({"meta": {"n": 3}})).await;
    world.create("later", &json!({"externalId": "later"})).await;
    world.ready("updated").await;
    world.ready("later").await;
    world.assert_in_step().await;
}

/// The API server dies before anything was sent: Unkey is not written to on the ground of what the cache holds.
#[tokio::test]
async fn nothing_is_written_upstream_without_the_api_server() {
    let world = World::alone("no-api-server-at-all").await;
    let operator = world.start().await;
    for name in ["failing", "deleting"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    for operation in [Operation::Update, Operation::Delete] {
        world.workspace.order(Fault::new(FaultKind::html(503)).on(operation));
    }
    world.edit("failing", &json!({"meta": {"n": 2}})).await;
    world.delete("deleting").await;
    world.reason("failing", "UpstreamUnavailable").await;
    world.reason("deleting", "DeletionBlocked").await;
    world.plane.kill_server(Server::ApiServer);
    let failed =
        |name: &str| operator.log().lines().any(|line| line.contains("the reconcile failed") && line.contains(name));
    eventually("both to look at their object first", async || (failed("failing") && failed("deleting")).then_some(()))
        .await;
    world.workspace.clear_faults();
    let writes = world.workspace.counts().writes();
    let passes = || operator.log().matches("the reconcile failed").count();
    let before = passes();
    eventually("some more passes", async || (passes() > before).then_some(())).await;
    assert_eq!(world.workspace.counts().writes(), writes);
    world.plane.start_server(Server::ApiServer).await.unwrap();
    world.gone("deleting").await;
    all_done(&world).await;
    world.assert_in_step().await;
}

/// S32: no lease, two processes, the same end.
#[tokio::test]
async fn two_operators_at_once() {
    let world = World::new("two-at-once").await;
    let _one = world.start().await;
    let _two = world.start().await;
    let names: Vec<String> = (0..12).map(|number| format!("two-{number}")).collect();
    for name in &names {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    }
    all_at_rest(&world).await;
    world.assert_in_step().await;
    for (number, name) in names.iter().enumerate() {
        if number % 3 == 0 {
            world.delete(name).await;
        } else {
            world.edit(name, &json!({"meta": {"n": 2}})).await;
        }
    }
    for name in names.iter().step_by(3) {
        world.gone(name).await;
        world.create(name, &json!({"externalId": name, "meta": {"again": true}})).await;
    }
    all_at_rest(&world).await;
    world.assert_in_step().await;
    for (number, name) in names.iter().enumerate() {
        assert_eq!(world.accepted(Operation::Create, name), if number % 3 == 0 { 2 } else { 1 }, "{name}");
    }
    for name in &names {
        world.delete(name).await;
    }
    for name in &names {
        world.gone(name).await;
    }
    assert_eq!(world.workspace.snapshot().live, []);
}
