//! S45: etcd is restored from a backup, so that resource versions go back and what happened since is undone (kubernetes#107457). Nothing is ignored for
//! its version, and what was done in Unkey meanwhile is found.

use cutting_proxy::{Ending, Fault, FaultKind, Proxy};
use serde_json::{Value, json};
use unkey_emulator::Operation;

use super::harness::{World, condition, eventually};

fn spec(name: &str, n: u32) -> Value {
    json!({"externalId": name, "meta": {"n": n}})
}

async fn made(world: &World, name: &str) {
    world.create(name, &spec(name, 1)).await;
    world.ready(name).await;
}

fn holds(world: &World, name: &str, n: u32) -> bool {
    world.upstream(name)["meta"] == json!({"n": n})
}

#[tokio::test]
async fn s45_what_a_restored_api_server_shows_is_taken() {
    let world = World::alone("restored").await;
    let operator = world.start().await;
    for name in ["edited", "deleted", "rests"] {
        made(&world, name).await;
    }
    let first = world.get("deleted").await.unwrap()["status"]["identityId"].clone();
    world.plane.backup().await.unwrap();
    // After the backup, and undone with it. Versions go far ahead.
    for n in 2..30 {
        world.edit("edited", &json!({"meta": {"n": n}})).await;
    }
    world.ready("edited").await;
    world.delete("deleted").await;
    world.gone("deleted").await;
    made(&world, "later").await;
    world.plane.restore().await.unwrap();
    // Its status says Ready for a content that Unkey does not hold.
    eventually("the edit to be undone in Unkey", async || holds(&world, "edited", 1).then_some(())).await;
    // It is there again, Ready, and Unkey has no identity for it.
    let again = world
        .until("deleted", "made again", |it| {
            it["status"]["identityId"] != first && condition(it, "Ready")["status"] == "True"
        })
        .await;
    assert_eq!(world.upstream("deleted")["id"], again["status"]["identityId"]);
    // What nobody asks for any more stays: nothing shows that it was ours.
    assert!(world.get("later").await.is_none() && world.workspace.live("later").is_some());
    // And all goes on.
    world.edit("edited", &json!({"meta": {"n": 99}})).await;
    world.edit("rests", &json!({"meta": {"n": 99}})).await;
    made(&world, "new").await;
    for name in ["edited", "rests"] {
        world.ready(name).await;
        assert!(holds(&world, name, 99), "{name}");
    }
    world.delete("rests").await;
    world.gone("rests").await;
    assert_eq!(world.accepted(Operation::Create, "rests"), 1);
    assert_eq!(operator.log().matches("older versions of Identities than before").count(), 1);
}

/// Etcd is restored while a watch that has ended as usual begins anew, and something on the way answers or holds the request.
async fn restored_meanwhile(name: &str, fault: Fault) {
    let (world, proxy) = World::alone(name).await.behind_proxy().await;
    let _operator = world.start().await;
    for name in ["edited", "rests"] {
        made(&world, name).await;
    }
    world.plane.backup().await.unwrap();
    // So far ahead that no version comes so far within this test.
    for n in 2..60 {
        world.edit("edited", &json!({"meta": {"n": n}})).await;
    }
    world.ready("edited").await;
    let fault = proxy.order(fault.verb("watch").on("identities"));
    proxy.end_watches(Ending::Clean);
    proxy.wait_until(|proxy| proxy.hits(fault) >= 1).await;
    world.plane.restore().await.unwrap();
    let mark = proxy.last();
    proxy.release(fault);
    proxy.clear_faults();
    let begun = |proxy: &Proxy| {
        let watches = |it: &cutting_proxy::Entry| it.asked.is_watch() && it.asked.resource == "identities";
        proxy.open_watches() > 0 || proxy.requests().iter().any(|it| it.number > mark && watches(it))
    };
    proxy.wait_until(begun).await;
    world.edit("rests", &json!({"meta": {"n": 99}})).await;
    eventually("the edit to be seen", async || holds(&world, "rests", 99).then_some(())).await;
    eventually("the edit to be undone in Unkey", async || holds(&world, "edited", 1).then_some(())).await;
}

/// An ingress, say, that answers by itself while the API server is away.
#[tokio::test]
async fn s45_a_refused_watch_does_not_hide_a_restore() {
    restored_meanwhile("restored-404", Fault::new(FaultKind::page_not_found())).await;
}

/// A load balancer that lets a request wait until there is an API server.
#[tokio::test]
async fn s45_a_held_watch_does_not_hide_a_restore() {
    restored_meanwhile("restored-held", Fault::new(FaultKind::Hold)).await;
}
