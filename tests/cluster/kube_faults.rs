//! E1–E3, B1–B5: watches that end in every way, an API server that is too busy, a cache that lags behind. Whatever the operator does not get to see,
//! it makes no second identity, loses no id and deletes nothing for another object of the same name.

use std::time::Duration;

use cutting_proxy::{Ending, Fault, FaultKind, Proxy};
use serde_json::{Value, json};
use unkey_emulator::{Fault as UpstreamOrder, FaultKind as UpstreamFault, Operation, Seed};

use super::harness::{Operator, World, condition, eventually};

fn is_ready(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    object["metadata"].get("deletionTimestamp").is_none()
        && ready["status"] == "True"
        && ready["observedGeneration"] == object["metadata"]["generation"]
}

async fn in_step(world: &World) {
    eventually("every Identity to be ready or gone", async || world.list().await.iter().all(is_ready).then_some(()))
        .await;
    world.assert_in_step().await;
}

fn spec(name: &str, n: u32) -> Value {
    json!({"externalId": name, "meta": {"n": n}})
}

async fn hits(proxy: &Proxy, fault: u64, hits: u64) {
    let struck = proxy.wait_until(|proxy| proxy.hits(fault) >= hits);
    tokio::time::timeout(Duration::from_secs(40), struck).await.expect("the fault to strike");
}

/// A second object of a name that was just taken away.
async fn replace(world: &World, name: &str, n: u32) {
    world.patch(name, &json!({"metadata": {"finalizers": null}})).await;
    world.delete(name).await;
    world.create(name, &spec(name, n)).await;
}

/// A right or the definition may be missing for days, and is asked for each second.
#[tokio::test]
async fn what_keeps_the_watch_from_beginning_is_told_once() {
    let (world, proxy) = World::new("watch-told").await.behind_proxy().await;
    let refused = proxy.order(Fault::new(FaultKind::forbidden()).verb("watch").on("identities"));
    let operator = Operator::start(world.files.path().join("operator.log"), &world.args(), &[]);
    let told = |words: &str| operator.log().matches(words).count();
    let warning = " WARN Identities cannot be watched";
    hits(&proxy, refused, 4).await;
    assert_eq!(told(warning), 1);
    // Another reason is news.
    let failed = proxy.order(Fault::new(FaultKind::internal_error()).verb("watch").on("identities"));
    proxy.clear_fault(refused);
    hits(&proxy, failed, 3).await;
    assert_eq!(told(warning), 2);
    // And so is its end.
    proxy.clear_faults();
    operator.until_logged("listed the Identities").await;
    assert_eq!((told(warning), told("Identities can be watched again")), (2, 1));
}

/// B3, B5: all that happens between two watches is seen by what it leaves behind.
#[tokio::test]
async fn a_watch_that_ends_misses_nothing() {
    let (world, proxy) = World::new("watch-ends").await.behind_proxy().await;
    let operator = world.start().await;
    let endings = [
        ("clean", Ending::Clean, FaultKind::unavailable()),
        ("cut", Ending::Cut, FaultKind::DropBefore),
        ("expired", Ending::Expired, FaultKind::unavailable()),
        // 410 in place of a watch, and then again in its stream.
        ("gone", Ending::Expired, FaultKind::gone()),
        ("forbidden", Ending::Cut, FaultKind::forbidden()),
        ("busy", Ending::Clean, FaultKind::too_many(Some("1"))),
    ];
    for (word, ending, refusal) in endings {
        let name = |what: &str| format!("{word}-{what}");
        for what in ["edited", "reverted", "deleted", "replaced", "stays"] {
            world.create(&name(what), &spec(&name(what), 1)).await;
        }
        in_step(&world).await;
        let refused = proxy.order(Fault::new(refusal).verb("watch"));
        proxy.end_watches(ending);
        hits(&proxy, refused, 1).await;
        world.create(&name("made"), &spec(&name("made"), 1)).await;
        world.edit(&name("edited"), &json!({"meta": {"n": 2}})).await;
        world.edit(&name("reverted"), &json!({"meta": {"n": 2}})).await;
        world.edit(&name("reverted"), &json!({"meta": {"n": 1}})).await;
        world.delete(&name("deleted")).await;
        replace(&world, &name("replaced"), 1).await;
        world.create(&name("brief"), &spec(&name("brief"), 1)).await;
        world.delete(&name("brief")).await;
        let calls = world.calls();
        hits(&proxy, refused, 2).await;
        assert_eq!(world.calls(), calls, "{word}: nothing is done on the ground of silence");
        assert_eq!(operator.http("/livez").await.status, 200);
        proxy.clear_fault(refused);
        world.gone(&name("deleted")).await;
        in_step(&world).await;
        let counts = |what: &str| {
            let name = name(what);
            let requests = |operation| world.requests_on(operation, &name).len();
            (requests(Operation::Create), requests(Operation::Update), requests(Operation::Delete))
        };
        assert_eq!(counts("stays"), (1, 0, 0), "{word}");
        assert_eq!(counts("made"), (1, 0, 0), "{word}");
        assert_eq!(counts("edited"), (1, 1, 0), "{word}");
        assert_eq!(counts("reverted"), (1, 0, 0), "{word}");
        assert_eq!(counts("deleted"), (1, 0, 1), "{word}");
        assert_eq!(counts("brief"), (0, 0, 0), "{word}");
        // Left in Unkey by the user's hand, and taken over by the successor of the name.
        assert_eq!((counts("replaced").1, counts("replaced").2), (0, 0), "{word}");
        assert_eq!(world.get(&name("replaced")).await.unwrap()["status"]["origin"], "Adopted", "{word}");
    }
}

/// E3: each kind of request is refused with 429 twice. Nothing is sent twice to Unkey for it.
#[tokio::test]
async fn an_api_server_that_is_too_busy() {
    let (world, proxy) = World::new("busy").await.behind_proxy().await;
    let busy = |verb: &str, resource: &str, subresource: &str| {
        let fault = Fault::new(FaultKind::too_many(Some("1"))).verb(verb).on(resource).subresource(subresource);
        proxy.order(fault.times(2))
    };
    let first = busy("watch", "identities", "");
    let operator = world.start().await;
    hits(&proxy, first, 2).await;
    let kinds = [
        ("get", "identities", ""),
        ("patch", "identities", ""),
        ("patch", "identities", "status"),
        ("create", "events", ""),
        ("list", "identities", ""),
    ];
    for (verb, resource, subresource) in kinds {
        let name = format!("{verb}-{resource}-{subresource}").trim_end_matches('-').to_owned();
        let fault = busy(verb, resource, subresource);
        world.seed(&name, &json!({"meta": {"n": 1}}));
        if verb == "list" {
            assert!(world.workspace.delete(&name));
            // It goes in the middle of its create: who clears up after it asks for successors.
            let held =
                world.workspace.order(UpstreamOrder::new(UpstreamFault::Hold).on(Operation::Create).of(&name).once());
            world.create(&name, &spec(&name, 1)).await;
            world.until_hit(held, 1).await;
            world.patch(&name, &json!({"metadata": {"finalizers": null}})).await;
            world.delete(&name).await;
            world.workspace.release(held);
            hits(&proxy, fault, 2).await;
            eventually("what was left to be cleared up", async || world.workspace.live(&name).is_none().then_some(()))
                .await;
        } else {
            // Adopted with a word to say, edited, deleted: each kind of request comes up.
            world.create(&name, &spec(&name, 1)).await;
            world.ready(&name).await;
            world.edit(&name, &json!({"meta": {"n": 2}})).await;
            world.ready(&name).await;
            if verb != "create" {
                hits(&proxy, fault, 2).await;
            }
            in_step(&world).await;
            world.delete(&name).await;
            world.gone(&name).await;
        }
        proxy.clear_fault(fault);
        let accepted = |operation| world.accepted(operation, &name);
        let adopts = verb != "list";
        assert_eq!(accepted(Operation::Create), usize::from(!adopts), "{name}");
        assert_eq!(accepted(Operation::Update), usize::from(adopts), "{name}");
        assert_eq!(accepted(Operation::Delete), 1, "{name}");
    }
    assert!(operator.log().contains("TooManyRequests"), "it says so");
}

/// E3: an event that is told again is a patch. What cannot be told holds nothing up.
#[tokio::test]
async fn an_api_server_that_is_too_busy_for_an_event_to_be_told_again() {
    let (world, proxy) = World::new("busy-events").await.behind_proxy().await;
    let _operator = world.start().await;
    world.create("drifts", &spec("drifts", 1)).await;
    world.ready("drifts").await;
    let drift = async |n: u32| {
        let meta = Some(serde_json::Map::from_iter([("n".to_owned(), json!("drifted"))]));
        assert!(world.workspace.mutate("drifts", Seed { external_id: String::new(), meta, ratelimits: None }));
        world.request_reconcile("drifts", &n.to_string()).await;
        assert_eq!(world.workspace.live("drifts").unwrap().meta, json!({"n": 1}));
    };
    drift(1).await;
    let busy = proxy.order(Fault::new(FaultKind::too_many(Some("1"))).verb("patch").on("events"));
    drift(2).await;
    hits(&proxy, busy, 1).await;
    in_step(&world).await;
    assert_eq!(world.accepted(Operation::Update, "drifts"), 2, "one for each time that it drifted");
}

/// B1: the cache shows none of the operator's own writes, and none of the user's, while it tries again and again.
#[tokio::test]
async fn a_cache_that_stands_still() {
    let (world, proxy) = World::new("stale-cache").await.behind_proxy().await;
    let _operator = world.start().await;
    world.create("old", &spec("old", 1)).await;
    world.ready("old").await;
    // The cache holds `new` as it was made, and `old` at its first edit.
    let claim = proxy.order(Fault::new(FaultKind::Hold).verb("patch").of("new").once());
    world.create("new", &spec("new", 1)).await;
    hits(&proxy, claim, 1).await;
    let held = world.workspace.order(UpstreamOrder::new(UpstreamFault::Hold).on(Operation::Update).of("old").once());
    world.edit("old", &json!({"meta": {"n": 2}})).await;
    world.until_hit(held, 1).await;
    proxy.hold_events(true);
    for name in ["new", "old"] {
        world.workspace.order(UpstreamOrder::new(UpstreamFault::internal_error()).of(name).times(3));
    }
    proxy.release(claim);
    // What failed is tried again on what the cache holds; the user has gone on meanwhile.
    let failed = |world: &World, name: &str, count: usize| {
        world
            .workspace
            .requests()
            .iter()
            .filter(|it| it.answered == Some(500) && it.external_id.as_deref() == Some(name))
            .count()
            >= count
    };
    eventually("the create to fail", async || failed(&world, "new", 1).then_some(())).await;
    world.edit("new", &json!({"meta": {"n": 3}})).await;
    world.workspace.release(held);
    world.edit("old", &json!({"meta": {"n": 3}})).await;
    world.ready("new").await;
    assert_eq!(world.workspace.live("new").unwrap().meta, json!({"n": 3}), "it looks before it writes");
    assert!(proxy.held_events() > 0, "the cache still stands still");
    proxy.hold_events(false);
    in_step(&world).await;
    for name in ["new", "old"] {
        assert_eq!(world.accepted(Operation::Create, name), 1, "{name}");
        assert_eq!(world.accepted(Operation::Delete, name), 0, "{name}");
    }
}

/// B2: the cache shows an object that is being deleted; another one has its name and its externalId by now.
#[tokio::test]
async fn an_old_deletion_is_not_carried_out_on_the_heir() {
    let (world, proxy) = World::new("old-deletion").await.behind_proxy().await;
    let _operator = world.start().await;
    world.create("heir", &spec("heir", 1)).await;
    let before = world.ready("heir").await;
    let failing = world.workspace.order(UpstreamOrder::new(UpstreamFault::html(503)).on(Operation::Delete));
    world.delete("heir").await;
    world.until_hit(failing, 1).await;
    proxy.hold_events(true);
    world.patch("heir", &json!({"metadata": {"finalizers": null}})).await;
    world.gone("heir").await;
    world.create("heir", &spec("heir", 1)).await;
    let looked = proxy.last();
    world.workspace.clear_fault(failing);
    let again = proxy.wait_until(|proxy| proxy.since(looked).iter().any(|it| it.asked.verb == "get" && it.done));
    tokio::time::timeout(Duration::from_secs(40), again).await.expect("another look");
    proxy.hold_events(false);
    let after = world.ready("heir").await;
    assert_ne!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_eq!(before["status"]["identityId"], after["status"]["identityId"], "the identity is the heir's now");
    in_step(&world).await;
    assert_eq!(world.accepted(Operation::Delete, "heir"), 0);
}

/// B3: a whole life, and a whole change of mind, that no event has shown when it was over.
#[tokio::test]
async fn events_that_come_when_all_is_over() {
    for ending in [None, Some(Ending::Expired)] {
        let (world, proxy) = World::new("late-events").await.behind_proxy().await;
        let _operator = world.start().await;
        for name in ["reverted", "replaced", "deleted", "quiet"] {
            world.create(name, &spec(name, 1)).await;
        }
        in_step(&world).await;
        proxy.hold_events(true);
        for n in 2..6 {
            world.edit("reverted", &json!({"meta": {"n": n % 2 + 1}})).await;
            let name = format!("brief-{n}");
            world.create(&name, &spec(&name, 1)).await;
            world.delete(&name).await;
            replace(&world, "replaced", 1).await;
        }
        world.edit("deleted", &json!({"meta": {"n": 2}})).await;
        world.delete("deleted").await;
        let calls = world.calls();
        eventually("the events to be held", async || (proxy.held_events() > 20).then_some(())).await;
        assert_eq!(world.calls(), calls);
        if let Some(ending) = ending {
            proxy.end_watches(ending);
        }
        proxy.hold_events(false);
        world.gone("deleted").await;
        in_step(&world).await;
        let accepted = |operation, name: &str| world.accepted(operation, name);
        for name in ["reverted", "replaced", "quiet"] {
            assert_eq!((accepted(Operation::Create, name), accepted(Operation::Delete, name)), (1, 0), "{name}");
        }
        assert_eq!(accepted(Operation::Delete, "deleted"), 1);
        for n in 2..6 {
            let name = format!("brief-{n}");
            assert_eq!((accepted(Operation::Create, &name), accepted(Operation::Delete, &name)), (0, 0), "{name}");
        }
    }
}
