//! E1–E3, B1–B5: watches that end in every way, an API server that is too busy, a cache that lags behind. Whatever the operator does not get to see,
//! it makes no second identity, loses no id and deletes nothing for another object of the same name.

use std::time::Duration;

use cutting_proxy::{Ending, Fault, FaultKind, Proxy};
use serde_json::{Value, json};
use unkey_emulator::{FaultKind as UpstreamFault, Operation};

use super::harness::{World, condition, eventually};

/// A world whose operator sees Kubernetes through a proxy.
async fn behind_a_proxy(name: &str) -> (World, Proxy) {
    let world = World::new(name).await;
    let proxy = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
    let kubeconfig = proxy.kubeconfig();
    (world.with_args(&["--kubeconfig", kubeconfig.to_str().unwrap()]), proxy)
}

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
    world.delete(name).await;
    world.patch(name, &json!({"metadata": {"finalizers": null}})).await;
    world.gone(name).await;
    world.create(name, &spec(name, n)).await;
}

/// B3, B5: all that happens between two watches is seen by what it leaves behind.
#[tokio::test]
async fn a_watch_that_ends_misses_nothing() {
    let (world, proxy) = behind_a_proxy("watch-ends").await;
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
        // Left in Unkey by the user's hand, and taken over by the heir of the name.
        assert_eq!((counts("replaced").1, counts("replaced").2), (0, 0), "{word}");
        assert_eq!(world.get(&name("replaced")).await.unwrap()["status"]["origin"], "Adopted", "{word}");
    }
}
