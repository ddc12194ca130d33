//! Connections that a load balancer or NAT has forgotten. They say nothing and do not end, and new ones work. Before, each stood for five
//! minutes; every wait here is shorter.

use cutting_proxy::{Fault, FaultKind, Proxy};
use serde_json::json;

use super::harness::{Operator, World, eventually};

async fn edit(world: &World, n: u64) {
    world.edit("a", &json!({"meta": {"n": n}})).await;
    world.ready("a").await;
    assert_eq!(world.workspace.live("a").unwrap().meta, json!({"n": n}));
}

/// A proxy whose operator is at rest, with an Identity `a`.
async fn at_rest(world: World) -> (World, Proxy, Operator) {
    let (world, proxy) = world.behind_proxy().await;
    let operator = world.start().await;
    world.create("a", &json!({"externalId": "a", "meta": {"n": 1}})).await;
    world.ready("a").await;
    (world, proxy, operator)
}

#[tokio::test]
async fn edits_are_seen_though_every_connection_has_fallen_silent() {
    let (world, proxy, operator) = at_rest(World::new("silent").await).await;
    assert!(proxy.silence() > 0);
    edit(&world, 2).await;
    operator.until_logged("received nothing").await;
    // The new ones are no better.
    assert!(proxy.silence() > 0);
    world.delete("a").await;
    world.gone("a").await;
    world.assert_in_step().await;
}

/// Only the watch: whatever else is asked gets its answer.
#[tokio::test]
async fn a_watch_that_falls_silent_alone_is_noticed() {
    let (world, proxy, _operator) = at_rest(World::new("silent-watch").await).await;
    let watch = proxy.order(Fault::new(FaultKind::SilentAfter).verb("watch").on("identities").once());
    proxy.wait_until(|proxy| proxy.hits(watch) == 1).await;
    edit(&world, 2).await;
}

/// The connection of each request of an object's life falls silent, before it is heard or after it is carried out.
#[tokio::test]
async fn a_request_whose_connection_falls_silent_is_made_again() {
    let (world, proxy) = World::new("silent-requests").await.behind_proxy().await;
    let operator = world.start().await;
    let kinds = [("before", FaultKind::SilentBefore), ("after", FaultKind::SilentAfter)];
    let mut names = Vec::new();
    for (when, kind) in kinds {
        for (what, verb, subresource) in [("claim", "patch", ""), ("status", "patch", "status")] {
            let name = format!("{what}-{when}");
            proxy.order(Fault::new(kind.clone()).verb(verb).on("identities").subresource(subresource).of(&name).once());
            names.push(name);
        }
        let name = format!("look-{when}");
        world.create(&name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(&name).await;
        proxy.order(Fault::new(kind).verb("get").on("identities").of(&name).once());
        world.edit(&name, &json!({"meta": {"n": 2}})).await;
    }
    for name in &names {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    }
    // The answer to a write is waited for longer than that to a read: an admission webhook may take its time.
    operator.until_logged("the API server did not answer this write").await;
    for name in &names {
        world.ready(name).await;
    }
    for when in ["before", "after"] {
        world.ready(&format!("look-{when}")).await;
    }
    assert!(proxy.faults().iter().all(|order| order.hits == 1), "{:?}", proxy.faults());
    world.assert_in_step().await;
    for name in &names {
        assert_eq!(world.accepted(unkey_emulator::Operation::Create, name), 1, "{name}");
    }
}

/// At rest, what it costs to know: a watch begun anew four times a minute, and no list. An API server that is idle sends no bookmark.
#[tokio::test]
async fn a_connection_that_lives_costs_a_few_watches_and_no_list() {
    let (world, proxy, operator) = at_rest(World::alone("silence-costs").await).await;
    let mark = proxy.last();
    let watches = |proxy: &Proxy| proxy.requests().iter().filter(|it| it.number > mark && it.asked.is_watch()).count();
    proxy.wait_until(|proxy| watches(proxy) == 2).await;
    // But for the look at the definition, which comes by the clock.
    let asked: Vec<_> = proxy.since(mark).into_iter().filter(|it| !it.asked.resource.is_empty()).collect();
    assert!(asked.is_empty(), "{asked:?}");
    let lists = |it: &cutting_proxy::Entry| it.number > mark && it.uri.contains("sendInitialEvents");
    assert!(!proxy.requests().iter().any(lists), "{:?}", proxy.requests());
    assert!(!operator.log().contains("received nothing"), "bookmarks come in between");
    edit(&world, 2).await;
}

async fn elected(name: &str) -> World {
    let world = World::new(name).await;
    let namespace = world.namespace.clone();
    world.with_args(&["--lease-namespace", &namespace, "--lease-duration", "9s"])
}

async fn start(world: &World, holder: &str) -> Operator {
    let mut args = world.args();
    args.push("--leader-elect".to_owned());
    let log = world.key_file().with_file_name(format!("{holder}.log"));
    let operator = Operator::start(log, &args, &[("HOSTNAME", holder)]);
    operator.until_logged("listed the Identities").await;
    operator
}

async fn until_leads(operator: &Operator) {
    eventually("it to lead", async || operator.log().contains("leading").then_some(())).await;
}

/// Leader and standby go on, each with connections of its own.
#[tokio::test]
async fn neither_leader_nor_standby_stays_blind() {
    let world = elected("silent-leader").await;
    let (world, first) = world.behind_proxy().await;
    let one = start(&world, "one").await;
    until_leads(&one).await;
    let (world, second) = world.behind_proxy().await;
    let two = start(&world, "two").await;
    world.create("a", &json!({"externalId": "a", "meta": {"n": 1}})).await;
    world.ready("a").await;
    assert!(first.silence() > 0 && second.silence() > 0);
    edit(&world, 2).await;
    // Its renewals go by new connections in time: the leader is the same.
    assert!(!two.log().contains("leading"));
    world.delete("a").await;
    world.gone("a").await;
    assert!(one.terminate().await.success());
    until_leads(&two).await;
    world.create("a", &json!({"externalId": "a", "meta": {"n": 3}})).await;
    world.ready("a").await;
    world.assert_in_step().await;
}

/// It tries again and again, and says once that it cannot read and once that it can again.
#[tokio::test]
async fn a_standby_that_cannot_read_the_lease_says_so_once() {
    let world = elected("deaf-standby").await;
    let one = start(&world, "one").await;
    until_leads(&one).await;
    let (world, proxy) = world.behind_proxy().await;
    let two = start(&world, "two").await;
    two.until_logged("standing by").await;
    let told = || ["cannot be read or written", "standing by"].map(|words| two.log().matches(words).count());
    assert_eq!(told(), [0, 1]);
    proxy.swallow(true);
    let before = proxy.silent_connections();
    eventually("it to try again", async || (proxy.silent_connections() >= before + 4).then_some(())).await;
    assert_eq!(told(), [1, 1], "{}", two.log());
    proxy.swallow(false);
    eventually("it to read again", async || (told() == [1, 2]).then_some(())).await;
}

/// The network is cut: the leader gives the lease up in time and ends, and who comes after it goes on when the network is back.
#[tokio::test]
async fn a_leader_that_nothing_answers_ends() {
    let world = elected("swallowed").await;
    let (world, proxy) = world.behind_proxy().await;
    let mut one = start(&world, "one").await;
    until_leads(&one).await;
    proxy.swallow(true);
    assert_eq!(one.ended().await.code(), Some(1));
    assert!(one.log().contains("could not be renewed"), "{}", one.log());
    proxy.swallow(false);
    let two = start(&world, "two").await;
    until_leads(&two).await;
    world.create("a", &json!({"externalId": "a"})).await;
    world.ready("a").await;
}

/// Without an election there is nothing to end for: it goes on when the network is back.
#[tokio::test]
async fn what_is_swallowed_for_a_while_is_made_up_for() {
    let (world, proxy, operator) = at_rest(World::new("swallowed-alone").await).await;
    proxy.swallow(true);
    world.edit("a", &json!({"meta": {"n": 2}})).await;
    operator.until_logged("received nothing").await;
    proxy.swallow(false);
    world.ready("a").await;
    world.assert_in_step().await;
}
