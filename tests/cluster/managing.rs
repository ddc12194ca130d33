//! A field of an owned identity that gets into the spec is looked at before it is written (R18).

use futures::future::join_all;
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{Cost, World, condition, eventually};

/// A look at what is stored, the record of what may be written, the update, the status. The record serves as the look at the object (R11).
const MANAGE: Cost = Cost { status: 2, gets: 1, updates: 1, ..Cost::NOTHING };

/// What a sign-up service has stored.
fn theirs() -> Value {
    json!({
        "meta": {"email": "a@example.com", "stripeCustomerId": "cus_1"},
        "ratelimits": [{"name": "requests", "limit": 100, "duration": 60_000, "autoApply": true}],
    })
}

/// An Identity that owns what is stored under its name, and manages nothing of it.
async fn owned(world: &World, name: &str, stored: &Value) {
    world.seed(name, stored);
    world.create(name, &json!({"externalId": name})).await;
    let object = world.ready(name).await;
    assert_eq!(object["status"]["origin"], "Adopted", "{name}");
    assert_eq!(object["status"].get("applied"), None, "{name}: nothing is managed");
}

/// Nothing was written, and the object says what would be lost and what to do.
async fn stopped(world: &World, name: &str, was: &Value, paths: &[&str]) {
    let object = world.reason(name, "WouldLose").await;
    for kind in ["Ready", "Stalled"] {
        assert_eq!(condition(&object, kind)["reason"], "WouldLose", "{name}");
    }
    assert_eq!(condition(&object, "Stalled")["status"], "True", "{name}");
    let message = condition(&object, "Ready")["message"].as_str().unwrap().to_owned();
    for path in paths {
        assert!(message.contains(path), "{name}: {path} in {message}");
    }
    for value in ["a@example.com", "cus_1", "60000"] {
        assert!(!message.contains(value), "{name}: no values: {message}");
    }
    assert!(message.contains("Match the spec") && message.contains("adoptionPolicy to Always"), "{name}: {message}");
    assert_eq!(world.upstream(name), *was, "{name}: untouched");
    assert_eq!(object["status"]["identityId"], was["id"], "{name}: still its own");
    let told = world.event(name, "WouldLose").await;
    assert_eq!((told.kind.as_str(), told.note), ("Warning", message), "{name}");
}

/// The customer that a sign-up service had made, and the commit that wanted to add a plan.
#[tokio::test]
async fn what_a_customer_had_stored_is_not_lost() {
    let world = World::in_order("managing").await;
    let _operator = world.start().await;
    world.barrier().await;
    owned(&world, "x", &theirs()).await;
    let was = world.upstream("x");
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"meta": {"plan": "pro"}})).await;
    stopped(&world, "x", &was, &["meta.email", "meta.stripeCustomerId"]).await;
    assert_eq!(world.cost_since("x", before).await, Cost::CHECK, "one read, told");

    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"meta": was["meta"]})).await;
    world.ready("x").await;
    let meta = json!({"email": "a@example.com", "stripeCustomerId": "cus_1", "plan": "pro"});
    assert_eq!((&world.upstream("x")["meta"], &world.upstream("x")["ratelimits"]), (&meta, &was["ratelimits"]));
    assert_eq!(world.cost_since("x", before).await, MANAGE);

    // From now on it is managed: what the spec leaves out goes, without a look.
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"meta": {"email": null}})).await;
    world.ready("x").await;
    assert_eq!(world.upstream("x")["meta"], json!({"stripeCustomerId": "cus_1", "plan": "pro"}));
    assert_eq!(world.cost_since("x", before).await, Cost::UPDATE);

    // The other field begins on its own.
    let fewer = json!([{"name": "requests", "limit": 10, "duration": 60_000, "autoApply": true}]);
    let was = world.upstream("x");
    world.edit("x", &json!({"ratelimits": fewer})).await;
    world.reason("x", "WouldLose").await;
    let object = world.get("x").await.unwrap();
    let message = condition(&object, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("ratelimits[requests].limit") && !message.contains("meta."), "{message}");
    assert_eq!(world.upstream("x"), was);
}

/// Each field against each policy.
#[tokio::test]
async fn every_policy() {
    let world = World::in_order("managing-policies").await;
    let _operator = world.start().await;
    world.barrier().await;
    let limits = json!([{"name": "others", "limit": 5, "duration": 1000, "autoApply": false}]);
    let kept = json!([limits[0], theirs()["ratelimits"][0]]);
    let rows = [
        ("meta", json!({"meta": {"plan": "pro"}}), Some(&["meta.email", "meta.stripeCustomerId"][..])),
        ("empty", json!({"meta": {}}), Some(&["meta.email"])),
        ("limits", json!({"ratelimits": limits}), Some(&["ratelimits[requests]"])),
        ("none", json!({"ratelimits": []}), Some(&["ratelimits[requests]"])),
        ("both", json!({"meta": theirs()["meta"], "ratelimits": []}), Some(&["ratelimits[requests]"])),
        ("more", json!({"ratelimits": kept}), None),
        ("equal", json!({"meta": theirs()["meta"]}), None),
    ];
    let mut all = Vec::new();
    for policy in ["Never", "IfLossless", "Always"] {
        for (what, spec, loses) in &rows {
            let name = format!("{what}-{policy}").to_lowercase();
            owned(&world, &name, &theirs()).await;
            let was = world.upstream(&name);
            let mut edit = spec.clone();
            edit["adoptionPolicy"] = json!(policy);
            world.edit(&name, &edit).await;
            all.push((name, spec, *loses, policy, was));
        }
    }
    join_all(all.iter().map(async |(name, spec, loses, policy, was)| {
        if let Some(paths) = loses.filter(|_| *policy != "Always") {
            stopped(&world, name, was, paths).await;
            return;
        }
        world.ready(name).await;
        let now = world.upstream(name);
        for field in ["meta", "ratelimits"] {
            assert_eq!(&now[field], spec.get(field).unwrap_or(&was[field]), "{name}");
        }
    }))
    .await;
    // A stop ends when its policy says so.
    for (name, spec, loses, policy, was) in &all {
        if loses.is_some() && *policy != "Always" {
            let before = world.cost_so_far(name).await;
            world.edit(name, &json!({"adoptionPolicy": "Always"})).await;
            world.ready(name).await;
            let now = world.upstream(name);
            for field in ["meta", "ratelimits"] {
                assert_eq!(&now[field], spec.get(field).unwrap_or(&was[field]), "{name}");
            }
            assert_eq!(world.cost_since(name, before).await, MANAGE, "{name}");
        }
    }
}

/// R17: what was released is anybody's; that it comes back makes it managed anew.
#[tokio::test]
async fn released_and_come_back() {
    let world = World::in_order("managing-back").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"plan": "free"}})).await;
    world.ready("x").await;
    world.edit("x", &json!({"meta": null})).await;
    world.event("x", "FieldReleased").await;
    world.barrier().await;
    // The application goes on with it.
    world.mutate("x", &json!({"meta": {"plan": "free", "seats": 3}}));
    let was = world.upstream("x");
    world.edit("x", &json!({"meta": {"plan": "pro"}})).await;
    stopped(&world, "x", &was, &["meta.plan", "meta.seats"]).await;
    world.edit("x", &json!({"meta": {"plan": "free", "seats": 3}})).await;
    let before = world.cost_so_far("x").await;
    let object = world.ready("x").await;
    assert!(object["status"]["applied"]["meta"].is_string(), "managed again: {}", object["status"]);
    assert_eq!(world.upstream("x"), was);
    assert_eq!(world.cost_since("x", before).await, Cost::NOTHING);
    world.edit("x", &json!({"meta": {"plan": "pro", "seats": null}})).await;
    world.ready("x").await;
    assert_eq!(world.upstream("x")["meta"], json!({"plan": "pro"}));
}

/// What others stored in an identity that the operator made, naming nothing, is theirs too.
#[tokio::test]
async fn after_a_create_with_only_an_external_id() {
    let world = World::in_order("managing-created").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    assert_eq!(world.ready("x").await["status"]["origin"], "Created");
    world.mutate("x", &theirs());
    world.barrier().await;
    let was = world.upstream("x");
    world.edit("x", &json!({"meta": {"plan": "pro"}})).await;
    stopped(&world, "x", &was, &["meta.email"]).await;
    world.delete("x").await;
    world.gone("x").await;
    assert_eq!(world.upstream("x"), Value::Null, "it is the object's own all the same");
}

/// A stop comes to rest, and ends by itself when nothing would be lost any more: by a scan, or by a check.
#[tokio::test]
async fn a_stop_ends_when_nothing_stands_in_the_way() {
    let world = World::in_order("managing-scan").await.with_args(&["--scan-interval", "300ms"]);
    let operator = world.start().await;
    for name in ["x", "y"] {
        owned(&world, name, &theirs()).await;
        world.edit(name, &json!({"meta": {"plan": "pro"}})).await;
        world.reason(name, "WouldLose").await;
    }
    let scans = || operator.log().matches("scanned the workspace").count();
    let before = (world.cost_so_far("x").await, scans());
    eventually("two scans", async || (scans() >= before.1 + 2).then_some(())).await;
    // What is stored changes, and still would be lost: a scan alone writes nothing.
    world.mutate("x", &json!({"meta": {"another": 1}}));
    let seen = scans();
    eventually("two scans", async || (scans() >= seen + 2).then_some(())).await;
    assert_eq!(world.cost_since("x", before.0).await, Cost::NOTHING, "R12");
    let object = world.request_reconcile("x", "1").await;
    let message = condition(&object, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("meta.another") && !message.contains("meta.email"), "{message}");

    world.mutate("x", &json!({"meta": {}}));
    world.ready("x").await;
    assert_eq!(world.upstream("x")["meta"], json!({"plan": "pro"}));
    assert!(operator.metrics().await.sum("unkey_operator_scan_findings_total", &[("finding", "verdict")]) >= 1);
    // And the identity itself may go: then it is made anew, as ever.
    assert!(world.workspace.delete("y"));
    world.ready("y").await;
    assert_eq!(world.upstream("y")["meta"], json!({"plan": "pro"}));
}

/// When an update that nobody answered takes effect, seen from the restart.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Commits {
    Before,
    After,
    Never,
}

/// The first update of a field goes unanswered, the operator is killed, the spec is edited, the operator comes back: what it finds of its own
/// is no stranger's. The same for a field that was managed before, whose hash the unanswered update has made unknown.
#[tokio::test]
async fn unanswered_killed_and_edited_never_stops() {
    let world =
        World::new("managing-killed").await.with_args(&["--consistency-window", "3s", "--request-timeout", "4s"]);
    let operator = world.start().await;
    let starts = [("named", json!({"meta": {"revision": 1}})), ("nothing", json!({}))];
    let fates = [Commits::Before, Commits::After, Commits::Never];
    let mut cases = Vec::new();
    for (word, start) in &starts {
        for commits in fates {
            let name = format!("{word}-{commits:?}").to_lowercase();
            let mut spec = start.clone();
            spec["externalId"] = json!(name);
            world.create(&name, &spec).await;
            cases.push((name, commits));
        }
    }
    for (name, _) in &cases {
        world.ready(name).await;
    }
    let mut faults = Vec::new();
    for (name, commits) in &cases {
        let kind = match commits {
            Commits::Before => FaultKind::HoldAnswer,
            Commits::After => FaultKind::Hold,
            Commits::Never => FaultKind::DropBefore,
        };
        faults.push(world.workspace.order(Fault::new(kind).on(Operation::Update).of(name).once()));
        world.edit(name, &json!({"meta": {"revision": 2}})).await;
    }
    for ((name, commits), fault) in cases.iter().zip(&faults) {
        world.until_hit(*fault, 1).await;
        if *commits == Commits::Before {
            world.until_accepted(Operation::Update, name, 1).await;
        }
    }
    operator.kill();
    for (name, _) in &cases {
        world.edit(name, &json!({"meta": {"revision": null, "other": 3}})).await;
    }
    let _operator = world.start().await;
    for ((_, commits), fault) in cases.iter().zip(&faults) {
        if *commits == Commits::After {
            world.workspace.release(*fault);
        }
    }
    for (name, _) in &cases {
        world.ready(name).await;
        assert_eq!(world.upstream(name)["meta"], json!({"other": 3}), "{name}");
        let told = world.events(name).await;
        assert!(told.iter().all(|event| event.reason != "WouldLose"), "{name}: {told:?}");
    }
}
