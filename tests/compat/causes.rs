//! What 0.1 said by a message alone, a word of `status.cause` says today. What 0.1 left is understood all the same, and told once more with its
//! word.

use serde_json::{Value, json};

use super::fixtures::{Fixture, all};
use super::harness::{Cost, World, condition};
use super::restore::{credential, restore};

/// As 0.1 worded them.
const BROKEN: &str = "Unkey answers this request with an internal error each time, while it answers others: something in this content breaks it. \
     Change the spec or ask Unkey's support; until then this is tried once an hour.";
const CONTESTED: &str = "What this spec asks for was sent to Unkey three times and found changed again each time: another client, or an \
     operator in another cluster, writes something else. Find it and agree on one owner; until then this is tried once an hour.";

/// What 0.1 had brought to this stall: the object `created`, with another name.
fn stalled(name: &str, message: &str) -> Fixture {
    let mut fixture = all().into_iter().find(|it| it.release == "0.1" && it.name == "created").unwrap();
    name.clone_into(&mut fixture.name);
    let object = &mut fixture.object;
    (object["metadata"]["name"], object["spec"]["externalId"]) = (json!(name), json!(name));
    let ready = condition(object, "Ready").clone();
    let said = |kind: &str, status: &str| {
        let mut condition = ready.clone();
        (condition["type"], condition["status"]) = (json!(kind), json!(status));
        (condition["reason"], condition["message"]) = (json!("NotConverging"), json!(message));
        condition
    };
    object["status"]["conditions"] = json!([said("Ready", "False"), said("Stalled", "True")]);
    fixture
}

/// R16: what was given up for an hour is not tried because an operator of another version begins. That the cause is known shows in what is asked:
/// nothing of what Unkey breaks on.
#[tokio::test]
async fn a_stall_of_0_1_stays_one_and_is_told_once_with_its_cause() {
    let world = World::in_order("causes").await;
    let credential = credential(&world).await;
    for (name, message) in [("broken", BROKEN), ("contested", CONTESTED)] {
        let restored = restore(&world, &stalled(name, message), &credential).await;
        assert_eq!(restored["status"].get("cause"), None);
    }
    let _operator = world.start().await;
    for (name, cause) in [("broken", "Broken"), ("contested", "Contested")] {
        let told = world
            .until(name, &format!("told with the cause {cause}"), |object| object["status"]["cause"] == cause)
            .await;
        assert_eq!(condition(&told, "Stalled")["status"], "True", "{told:#}");
    }
    world.barrier().await;
    assert_eq!(world.cost("broken"), Cost { status: 1, ..Cost::NOTHING });
    let cost = world.cost("contested");
    assert_eq!((cost.creates, cost.updates, cost.deletes, cost.status), (0, 0, 0, 1), "{cost:?}");
    let cause = |object: Option<Value>| object.unwrap()["status"]["cause"].clone();
    assert_eq!(cause(world.get("broken").await), "Broken");
}
