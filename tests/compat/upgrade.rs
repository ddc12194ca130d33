//! An upgrade: this build starts over what each release left, on the real parts.

use serde_json::{Value, json};

use super::fixtures::{of, releases};
use super::harness::{Cost, World, condition};
use super::restore::{credential, restore};

#[tokio::test]
async fn costs_no_call_and_no_write_for_what_is_at_rest() {
    for release in releases() {
        let world = World::in_order("upgrade").await;
        let credential = credential(&world).await;
        let mut before = Vec::new();
        for fixture in of(&release) {
            before.push((restore(&world, &fixture, &credential).await, fixture));
        }
        let upstream = |object: &Value| world.upstream(object["spec"]["externalId"].as_str().unwrap());
        let held: Vec<Value> = before.iter().map(|(restored, _)| upstream(restored)).collect();
        let _operator = world.start().await;
        world.barrier().await;
        for ((restored, fixture), held) in before.iter().zip(&held) {
            let (title, name) = (fixture.title(), fixture.name.as_str());
            if fixture.is_at_rest() {
                let now = world.get(name).await.unwrap();
                // What a message says may change at any time (docs/operations/upgrade.md), and is then told once.
                let reworded = condition(&now, "Ready")["message"] != condition(restored, "Ready")["message"];
                let told = Cost { status: usize::from(reworded), ..Cost::NOTHING };
                assert_eq!(world.cost(name), told, "{title}: {now:#}");
                let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
                assert_eq!(version(&now) == version(restored), !reworded, "{title}: {now:#}");
                assert_eq!(upstream(restored), *held, "{title}");
            } else {
                // What the release had begun is brought to its end, once.
                world.ready(name).await;
                assert_eq!(upstream(restored)["meta"], restored["spec"]["meta"], "{title}");
                let cost = world.cost(name);
                assert_eq!((cost.creates, cost.updates, cost.deletes), (1, 0, 0), "{title}: {cost:?}");
            }
        }
        // It is not that nobody looked: an edit costs what it always does, and a suspended deletion goes on when it may.
        world.edit("created", &json!({"meta": {"plan": "free"}})).await;
        world.ready("created").await;
        assert_eq!(world.cost_since("created", Cost::NOTHING).await, Cost::UPDATE, "{release}");
        // What 0.1 did not manage was never looked at: it is now, before it is written (R18).
        world.mutate("unmanaged", &json!({"meta": {"email": "a@example.com"}}));
        world.edit("unmanaged", &json!({"meta": {"plan": "pro"}})).await;
        world.reason("unmanaged", "WouldLose").await;
        assert_eq!(upstream(&world.get("unmanaged").await.unwrap())["meta"], json!({"email": "a@example.com"}));
        world.edit("deleting", &json!({"suspend": false})).await;
        world.gone("deleting").await;
        let cost = world.cost_since("deleting", Cost::NOTHING).await;
        assert_eq!((cost.creates, cost.updates, cost.deletes), (0, 0, 1), "{release}: {cost:?}");
        assert_eq!(world.upstream("deleting"), Value::Null, "{release}");
    }
}
