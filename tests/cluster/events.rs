//! Events reach every object, whatever its name: an event has a name too, and that is made of its object's.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use super::harness::{World, eventually, succeeded};

/// The longest name that an object may have.
const LONGEST: usize = 253;

/// Names at every boundary: the shortest, those around the length that leaves room for a number behind them, the longest; some that
/// may not be cut just anywhere; two that begin alike.
fn names() -> Vec<String> {
    let a = |count: usize| "a".repeat(count);
    let mut names: Vec<String> = [1, 235, 236, 237, 252, LONGEST].map(a).into();
    for joint in ["-", ".", "----", ".b-"] {
        for before in [233, 235, 236] {
            let head = format!("{}{joint}", a(before));
            names.push(format!("{head}{}", "b".repeat(LONGEST - head.len())));
        }
    }
    names.extend(["x", "y"].map(|last| format!("{}{last}", "c".repeat(LONGEST - 1))));
    names
}

#[tokio::test]
async fn every_valid_name_gets_its_events() {
    let world = World::new("event-names").await;
    let operator = world.start().await;
    let names = names();
    for name in &names {
        world.seed(name, &json!({"meta": {"theirs": 1}}));
        world.create(name, &json!({"externalId": name, "adoptionPolicy": "Never"})).await;
    }
    for name in &names {
        let told = world.event(name, "AlreadyExists").await;
        assert_eq!(told.kind, "Warning", "{name}");
        world.edit(name, &json!({"adoptionPolicy": "Always"})).await;
    }
    for name in &names {
        let told = world.event(name, "Adopted").await;
        assert_eq!(told.kind, "Normal", "{name}");
        assert_eq!(world.events(name).await.len(), 2, "{name}: of each one, and none of another object");
    }
    let longest = names.last().unwrap();
    let described = succeeded(&world.run_kubectl(&["describe", "identities.unkey.com", longest], "").await);
    assert!(described.contains("AlreadyExists") && described.contains("Adopted"), "{described}");
    assert!(!operator.log().contains("an event could not be published"), "the log has no complaint");
}

/// The one event of that reason about `name`, if there is one.
async fn drift(world: &World, name: &str) -> Option<Event> {
    let api: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let about = |event: &Event| {
        event.regarding.as_ref().and_then(|it| it.name.as_deref()) == Some(name)
            && event.reason.as_deref() == Some("DriftCorrected")
    };
    let mut all = api.list(&ListParams::default()).await.unwrap().items.into_iter().filter(about);
    let event = all.next();
    assert_eq!(all.next(), None, "one for what repeats");
    event
}

/// What repeats is one event that counts; one that was deleted or has expired meanwhile is told anew.
#[tokio::test]
async fn what_repeats_is_one_event_and_outlives_its_deletion() {
    let world = World::new("event-series").await;
    let _operator = world.start().await;
    let name = "r".repeat(LONGEST);
    world.create(&name, &json!({"externalId": name, "meta": {"n": 0}})).await;
    world.ready(&name).await;
    let counted = async |times: i32| {
        eventually(&format!("{times} times in one event"), async || {
            let event = drift(&world, &name).await?;
            (event.series.map_or(1, |series| series.count) == times).then_some(event.metadata.name)
        })
        .await
        .unwrap()
    };
    let mut first = None;
    for time in 1..=3 {
        world.mutate(&name, &json!({"meta": {"n": time}}));
        world.request_reconcile(&name, &time.to_string()).await;
        let event = counted(time).await;
        assert_eq!(*first.get_or_insert(event.clone()), event);
    }
    let first = first.unwrap();
    let api: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    api.delete(&first, &DeleteParams::default()).await.unwrap();
    world.mutate(&name, &json!({"meta": {"n": 4}}));
    world.request_reconcile(&name, "4").await;
    assert_ne!(counted(1).await, first);
    // An object elsewhere that waits for its events does not hold up the next one.
    tokio::time::timeout(Duration::from_secs(20), world.request_reconcile(&name, "5")).await.unwrap();
}

/// A limit that vanishes is an outage for whoever names it: each edit that takes one away is told once, as soon as Unkey has it.
#[tokio::test]
async fn a_limit_that_an_edit_removes_is_told_once() {
    let world = World::new("limit-removed").await;
    let _operator = world.start().await;
    let limit = |name: &str, auto: bool| json!({"name": name, "limit": 10, "duration": 1000, "autoApply": auto});
    let removed = async || {
        let told = world.events("a").await;
        told.into_iter().filter(|told| told.reason == "LimitRemoved").collect::<Vec<_>>()
    };
    world
        .create("a", &json!({"externalId": "a", "ratelimits": [limit("requests", true), limit("ai-tokens", false)]}))
        .await;
    world.ready("a").await;
    world.edit("a", &json!({"ratelimits": [limit("requests", true), limit("ai-tokens", true)]})).await;
    world.ready("a").await;
    assert_eq!(removed().await, []);
    world.edit("a", &json!({"ratelimits": [limit("requests", false), limit("new", false)]})).await;
    let told = world.event("a", "LimitRemoved").await;
    assert_eq!(told.kind, "Warning");
    assert!(told.note.contains("'ai-tokens'") && told.note.contains("HTTP 412"), "{told:?}");
    assert!(
        told.note.contains("autoApply off for rate limits: 'requests'") && !told.note.contains("'new'"),
        "{told:?}"
    );
    world.ready("a").await;
    world.ask_for_check("a", "again").await;
    world.until("a", "checked", |it| it["status"]["lastHandledReconcileAt"] == "again").await;
    assert_eq!(removed().await.len(), 1);
    // What leaves the spec as a whole is released, not removed.
    world.edit("a", &json!({"ratelimits": null})).await;
    world.event("a", "FieldReleased").await;
    assert_eq!(removed().await.len(), 1);
}
