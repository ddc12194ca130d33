//! Two operators that share the work by label: what becomes of an object whose label moves from one to the other.

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{Operator, World, condition, eventually, identity};

/// A world whose operators come in two shards.
async fn shards(name: &str) -> (World, [Operator; 2]) {
    let world = World::new(name).await;
    let start = async |shard: &str| {
        let mut args = world.args();
        args.extend(["--selector".to_owned(), format!("shard={shard}")]);
        world.start_as(&args, &[]).await
    };
    let operators = [start("a").await, start("b").await];
    (world, operators)
}

async fn create(world: &World, name: &str, shard: &str) {
    let mut manifest = identity(name, &json!({"externalId": name, "meta": {"n": 1}}));
    manifest["metadata"]["labels"] = json!({"shard": shard});
    world.try_create(&manifest).await.unwrap();
}

async fn relabel(world: &World, name: &str, shard: &Value) {
    world.patch(name, &json!({"metadata": {"labels": {"shard": shard}}})).await;
}

#[tokio::test]
async fn an_object_moves_at_rest() {
    let (world, _operators) = shards("shards-rest").await;
    create(&world, "moves", "a").await;
    let id = world.ready("moves").await["status"]["identityId"].clone();
    // Without a label nobody works on it.
    relabel(&world, "moves", &Value::Null).await;
    world.edit("moves", &json!({"meta": {"n": 2}})).await;
    create(&world, "beside", "b").await;
    world.ready("beside").await;
    let idle = condition(&world.get("moves").await.unwrap(), "Ready");
    assert_eq!(idle["observedGeneration"], 1);
    relabel(&world, "moves", &json!("b")).await;
    let moved = world.ready("moves").await;
    assert_eq!(moved["status"]["identityId"], id);
    assert_eq!(world.workspace.live("moves").unwrap().meta["n"], 2);
    assert_eq!(world.accepted(Operation::Create, "moves"), 1);
    assert_eq!(world.accepted(Operation::Update, "moves"), 1);
    world.delete("moves").await;
    world.gone("moves").await;
    assert_eq!(world.accepted(Operation::Delete, "moves"), 1);
    assert!(world.workspace.live("moves").is_none());
    world.assert_in_step().await;
}

/// Its create is under way in the one shard when the other takes over.
#[tokio::test]
async fn an_object_moves_in_the_middle_of_its_create() {
    for answered in [false, true] {
        let (world, _operators) = shards("shards-create").await;
        let fault = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::Create).once());
        create(&world, "moves", "a").await;
        world.until_hit(fault, 1).await;
        relabel(&world, "moves", &json!("b")).await;
        if answered {
            world.workspace.release(fault);
        }
        world.ready("moves").await;
        assert_eq!(world.accepted(Operation::Create, "moves"), 1);
        assert_eq!(world.workspace.snapshot().live.len(), 1);
        world.edit("moves", &json!({"meta": {"n": 2}})).await;
        world.ready("moves").await;
        world.delete("moves").await;
        world.gone("moves").await;
        eventually("nothing to be left", async || world.workspace.snapshot().live.is_empty().then_some(())).await;
        world.assert_in_step().await;
    }
}
