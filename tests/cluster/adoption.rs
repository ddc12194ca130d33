//! Adoption across crashes and between clusters (S1, S2, S3, S36).

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{World, eventually};

/// S1: crashed between the update of an adoption and the status that tells of it.
#[tokio::test]
async fn crash_after_the_first_update() {
    let world = World::new("adopt-crash").await;
    world.seed("x", &json!({}));
    let held = world.upstream("x")["id"].clone();
    let operator = world.start().await;
    let fault = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::Update).once());
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    let committed = |it: &unkey_emulator::Workspace| {
        it.requests().iter().any(|entry| entry.operation == Operation::Update && entry.handled == Some(200))
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), world.workspace.wait_until(committed)).await.unwrap();
    let object = world.get("x").await.unwrap();
    assert_eq!(object["status"]["identityId"], held, "id and origin are recorded before the first update");
    assert_eq!(object["status"]["origin"], "Adopted");
    operator.kill();
    world.workspace.clear_fault(fault);
    let _again = world.start().await;
    let object = world.ready("x").await;
    assert_eq!(object["status"]["origin"], "Adopted");
    assert_eq!(object["status"]["identityId"], held);
    assert_eq!(world.upstream("x")["meta"], json!({"a": 1}));
    let [creates, _, updates, deletes, _] = world.calls();
    assert_eq!((creates, deletes), (1, 0));
    assert!(updates <= 2, "{updates} updates");
    let adopted = world.events("x").await.into_iter().filter(|it| it.reason == "Adopted").count();
    assert_eq!(adopted, 1, "one verdict");
}

/// S2: the same manifest in two clusters (here: two operators that know nothing of each other).
#[tokio::test]
async fn same_manifest_in_two_clusters() {
    let a = World::new("cluster-a").await;
    let b = a.beside("cluster-b").await;
    let (_first, _second) = (a.start().await, b.start().await);
    let spec = json!({"externalId": "x", "meta": {"a": 1}});
    a.create("x", &spec).await;
    let first = a.ready("x").await;
    b.create("x", &spec).await;
    let second = b.ready("x").await;
    assert_eq!((&first["status"]["origin"], &second["status"]["origin"]), (&json!("Created"), &json!("Adopted")));
    assert_eq!(first["status"]["identityId"], second["status"]["identityId"]);

    let mut never = spec.clone();
    never["externalId"] = json!("y");
    never["adoptionPolicy"] = json!("Never");
    a.create("y", &never).await;
    let held = a.ready("y").await["status"]["identityId"].clone();
    b.create("y", &never).await;
    let refused = b.reason("y", "AlreadyExists").await;
    assert_eq!(refused["status"].get("identityId"), None);
    b.delete("y").await;
    b.gone("y").await;
    assert_eq!(a.upstream("y")["id"], held);
    assert_eq!(a.calls()[3], 0);
}

/// S3: keys.createKey makes an empty identity first; that is adoption and never our own create.
#[tokio::test]
async fn made_by_keys_create_key() {
    let world = World::new("create-key").await;
    let _operator = world.start().await;
    for (name, policy) in [("default", None), ("never", Some("Never"))] {
        let held = world.seed(name, &json!({}));
        world.create(name, &json!({"externalId": name, "adoptionPolicy": policy})).await;
        if policy.is_none() {
            let object = world.ready(name).await;
            assert_eq!(
                (&object["status"]["origin"], &object["status"]["identityId"]),
                (&json!("Adopted"), &json!(held))
            );
            world.event(name, "Adopted").await;
        } else {
            world.reason(name, "AlreadyExists").await;
        }
    }
}

/// S36: crashed at any moment of a refusal, an equal identity is never taken for our own under `Never`.
#[tokio::test]
async fn crash_before_the_refusal_is_recorded() {
    let world = World::new("never-crash").await;
    let held = world.seed("x", &json!({"meta": {"a": 1}}));
    let operator = world.start().await;
    let fault = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::Get).once());
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "adoptionPolicy": "Never"})).await;
    eventually("the get to be held", async || (world.calls()[1] > 0).then_some(())).await;
    operator.kill();
    world.workspace.clear_fault(fault);
    let _again = world.start().await;
    let object = world.reason("x", "AlreadyExists").await;
    assert_eq!((object["metadata"].get("finalizers"), object["status"].get("identityId")), (None, None));
    world.delete("x").await;
    world.gone("x").await;
    assert_eq!(world.upstream("x")["id"], Value::from(held));
    let [creates, _, updates, deletes, _] = world.calls();
    assert_eq!((creates, updates, deletes), (0, 0, 0));
}

/// Under `Never` nothing is there, so it is created: one get more than without that policy.
#[tokio::test]
async fn never_creates_what_is_not_there() {
    let world = World::in_order("never-creates").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "adoptionPolicy": "Never"})).await;
    assert_eq!(world.ready("x").await["status"]["origin"], "Created");
    let expected = super::harness::Cost { gets: 1, ..super::harness::Cost::CREATE };
    assert_eq!(world.cost_since("x", super::harness::Cost::NOTHING).await, expected);
}

/// R7: the answer to the claim is lost, and no create was ever in doubt: what was there before is nobody's own create.
#[tokio::test]
async fn what_was_there_before_outlives_a_claim_whose_answer_was_lost() {
    let world = World::new("claim-lost").await.with_args(&["--consistency-window", "200ms"]);
    let (world, proxy) = world.behind_proxy().await;
    let _operator = world.start().await;
    // For a window after its start a claim may be that of the process before.
    world.next_second().await;
    world.next_second().await;
    world.seed("customer", &json!({"meta": {"n": 1}}));
    let cut = cutting_proxy::Fault::new(cutting_proxy::FaultKind::DropAfter).verb("patch").on("identities");
    let lost = proxy.order(cut.subresource("").of("customer").once());
    // It is to be deleted before it is adopted.
    let held = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::Get).of("customer").once());
    world.create("customer", &json!({"externalId": "customer", "meta": {"n": 1}})).await;
    proxy.wait_until(|proxy| proxy.hits(lost) == 1).await;
    world.until_hit(held, 1).await;
    world.delete("customer").await;
    world.workspace.release(held);
    world.gone("customer").await;
    assert!(world.workspace.live("customer").is_some(), "somebody's customer was deleted");
    assert!(world.requests_on(Operation::Delete, "customer").is_empty());
}
