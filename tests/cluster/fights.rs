//! R16: two operators that disagree, and content that Unkey cannot process.

use serde_json::{Value, json};
use unkey_emulator::{Fault, Operation};

use super::harness::{World, condition, eventually, refusal};

/// Asks both for a check until one of them gives up.
#[tokio::test]
async fn s21_two_clusters_that_disagree_stop_after_three_corrections_each() {
    let here = World::new("fight-here").await;
    let there = here.beside("fight-there").await;
    let (_a, _b) = (here.start().await, there.start().await);
    let spec = |plan: &str| json!({"externalId": "contested", "adoptionPolicy": "Always", "meta": {"plan": plan}});
    here.create("mine", &spec("here")).await;
    here.ready("mine").await;
    there.create("mine", &spec("there")).await;
    there.ready("mine").await;
    let stopped = async |world: &World| {
        let object = world.get("mine").await.unwrap();
        (condition(&object, "Ready")["reason"] == "NotConverging").then_some(object)
    };
    let mut rounds = 0;
    let object = loop {
        rounds += 1;
        assert!(rounds <= 5, "they go on for ever: {:?}", here.requests_on(Operation::Update, "contested"));
        here.request_reconcile("mine", &rounds.to_string()).await;
        if let Some(object) = stopped(&here).await {
            break object;
        }
        there.request_reconcile("mine", &rounds.to_string()).await;
        if let Some(object) = stopped(&there).await {
            break object;
        }
    };
    let message = condition(&object, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("tries again every hour"), "{message}");
    assert_eq!(condition(&object, "Stalled")["status"], "True");
    // From now on neither finds a reason to write.
    let updates = here.calls()[2];
    for (n, world) in [&here, &there, &here, &there].into_iter().enumerate() {
        world.request_reconcile("mine", &format!("later-{n}")).await;
    }
    assert!(here.calls()[2] - updates <= 1, "the one that did not give up may correct what it then finds");
    // A new generation is tried at once.
    here.edit("mine", &json!({"meta": {"plan": "agreed"}})).await;
    here.ready("mine").await;
}

#[tokio::test]
async fn s22_content_that_unkey_always_answers_with_500_stops_while_others_go_on() {
    let world = World::new("broken").await;
    let _operator = world.start().await;
    let fault = refusal(500, "unexpected_error", "Something went wrong");
    world.workspace.order(Fault::new(fault).on(Operation::Create).of("poison"));
    world.create("poison", &json!({"externalId": "poison", "meta": {"plan": "poison"}})).await;
    let object = eventually("it to be given up", async || {
        // Others are served all the while.
        let n = world.list().await.len();
        let name = format!("fine-{n}");
        world.create(&name, &json!({"externalId": name})).await;
        world.ready(&name).await;
        let object = world.get("poison").await.unwrap();
        (condition(&object, "Ready")["reason"] == "NotConverging").then_some(object)
    })
    .await;
    let sent = world.requests_on(Operation::Create, "poison").len();
    assert_eq!(sent, 5);
    assert!(condition(&object, "Ready")["message"].as_str().unwrap().contains("internal error"), "{object}");
    assert_eq!(condition(&object, "Stalled")["status"], Value::from("True"));
    world.event("poison", "NotConverging").await;
    world.delete("poison").await;
    world.gone("poison").await;
}
