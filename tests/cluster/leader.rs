//! G1, G2: of several operators with one lease one acts; when it ends, is killed, stopped or cut off, another one does, and nothing is doubled.

use cutting_proxy::{Fault as KubeFault, FaultKind as KubeFaultKind, Proxy};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{Operator, World, eventually};

async fn world(name: &str) -> World {
    let world = World::new(name).await;
    let namespace = world.namespace.clone();
    world.with_args(&["--lease-namespace", &namespace, "--lease-duration", "2s"])
}

/// An operator that signs the lease with this name.
async fn start(world: &World, holder: &str) -> Operator {
    let mut args = world.args();
    args.push("--leader-elect".to_owned());
    // Each has a log of its own.
    let log = world.key_file().with_file_name(format!("{holder}.log"));
    let operator = Operator::start(log, &args, &[("HOSTNAME", holder)]);
    operator.until_logged("listed the Identities").await;
    operator
}

async fn leads(operator: &Operator) -> u64 {
    operator.metrics().await.sum("unkey_operator_leader", &[])
}

fn leases(world: &World) -> Api<Lease> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

/// Who holds the lease, as the operator signs it.
async fn holder(world: &World) -> Option<String> {
    let lease = leases(world).get_opt("unkey-operator").await.unwrap()?;
    lease.spec?.holder_identity
}

async fn until_led_by(world: &World, name: &str) {
    eventually(&format!("{name} to lead"), async || {
        holder(world).await.is_some_and(|holder| holder.starts_with(&format!("{name}_"))).then_some(())
    })
    .await;
}

async fn create(world: &World, name: &str) {
    world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
}

#[tokio::test]
async fn a_standby_is_ready_and_does_nothing() {
    let world = world("standby").await;
    let one = start(&world, "one").await;
    until_led_by(&world, "one").await;
    let two = start(&world, "two").await;
    two.until_readyz(200, "ok").await;
    two.until_logged("standing by").await;
    create(&world, "a").await;
    world.ready("a").await;
    assert_eq!((leads(&one).await, leads(&two).await), (1, 0));
    assert_eq!(two.metrics().await.sum("unkey_operator_upstream_requests_total", &[]), 0);
    let log = world.key_file().with_file_name("one.log");
    assert!(one.terminate().await.success());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("released the lease"), "{log}");
    until_led_by(&world, "two").await;
    assert_eq!(leads(&two).await, 1);
    create(&world, "b").await;
    world.ready("b").await;
    world.assert_in_step().await;
    assert_eq!(world.accepted(Operation::Create, "a") + world.accepted(Operation::Create, "b"), 2);
}

#[tokio::test]
async fn a_killed_leader_is_replaced_when_its_lease_has_run_out() {
    let world = world("leader-killed").await;
    let one = start(&world, "one").await;
    until_led_by(&world, "one").await;
    let _two = start(&world, "two").await;
    create(&world, "a").await;
    world.ready("a").await;
    one.kill();
    create(&world, "b").await;
    world.edit("a", &json!({"meta": {"n": 2}})).await;
    world.ready("b").await;
    world.ready("a").await;
    until_led_by(&world, "two").await;
    world.assert_in_step().await;
}

/// It wakes to the answers of a claim and of the look before an edit, whose objects another one has gone on with: it ends, and writes nothing more.
#[tokio::test]
async fn a_leader_that_was_stopped_writes_nothing_when_it_wakes() {
    let (world, proxy) = world("leader-stopped").await.behind_proxy().await;
    let mut one = start(&world, "one").await;
    until_led_by(&world, "one").await;
    let world = world.without_proxy();
    let _two = start(&world, "two").await;
    create(&world, "a").await;
    world.ready("a").await;
    let claim = proxy.order(KubeFault::new(KubeFaultKind::HoldAnswer).verb("patch").of("b").once());
    let look = proxy.order(KubeFault::new(KubeFaultKind::HoldAnswer).verb("get").of("a").once());
    create(&world, "b").await;
    world.edit("a", &json!({"meta": {"n": 2}})).await;
    let are_held =
        |proxy: &Proxy| proxy.requests().iter().filter(|it| it.fault.is_some() && it.handled.is_some()).count() == 2;
    proxy.wait_until(are_held).await;
    one.signal("STOP");
    // No longer, or it would notice by itself that it stood still, and look again.
    until_led_by(&world, "two").await;
    proxy.release(claim);
    proxy.release(look);
    let (last, told) = (proxy.last(), one.log().len());
    one.signal("CONT");
    let ended = one.ended().await;
    assert_eq!(ended.code(), Some(1), "it has to start anew");
    let log = one.log().split_off(told);
    assert!(log.contains("exiting to restart"), "{log}");
    assert!(!log.contains("to Unkey"), "{log}");
    assert!(!proxy.since(last).iter().any(|it| it.asked.is_write() && it.asked.resource != "leases"), "{log}");
    for name in ["a", "b"] {
        world.ready(name).await;
    }
    assert_eq!(world.accepted(Operation::Create, "b"), 1);
    world.assert_in_step().await;
}

/// Unkey does not answer: the drain comes to its end, and the lease is given back all the same. It would last for longer than this test waits.
#[tokio::test]
async fn a_leader_that_ends_without_an_answer_gives_the_lease_back() {
    let world = world("lease-drain").await.with_args(&["--lease-duration", "60s", "--request-timeout", "60s"]);
    let mut one = start(&world, "one").await;
    until_led_by(&world, "one").await;
    let world = world.with_args(&["--request-timeout", "1500ms"]);
    let _two = start(&world, "two").await;
    let held = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create).once());
    create(&world, "a").await;
    world.until_hit(held, 1).await;
    one.signal("TERM");
    assert_eq!(one.ended().await.code(), Some(1), "something was left undone");
    until_led_by(&world, "two").await;
    world.workspace.release(held);
    world.ready("a").await;
    assert_eq!(world.accepted(Operation::Create, "a"), 1);
    world.assert_in_step().await;
}

/// Somebody deletes the lease, or signs it: who held it ends, and the others go on.
#[tokio::test]
async fn a_lease_that_is_taken_away_ends_its_holder() {
    let world = world("lease-taken").await;
    let mut one = start(&world, "one").await;
    until_led_by(&world, "one").await;
    let stranger = json!({"spec": {"holderIdentity": "a stranger", "leaseDurationSeconds": 1}});
    leases(&world).patch("unkey-operator", &PatchParams::default(), &Patch::Merge(&stranger)).await.unwrap();
    assert_eq!(one.ended().await.code(), Some(1));
    let mut two = start(&world, "two").await;
    until_led_by(&world, "two").await;
    let _three = start(&world, "three").await;
    create(&world, "a").await;
    world.ready("a").await;
    leases(&world).delete("unkey-operator", &DeleteParams::default()).await.unwrap();
    assert_eq!(two.ended().await.code(), Some(1));
    until_led_by(&world, "three").await;
    create(&world, "b").await;
    world.ready("b").await;
    world.assert_in_step().await;
}

/// What others put on the lease stays, and its history reads as that of any other.
#[tokio::test]
async fn the_lease_reads_like_any_other() {
    let world = world("lease").await;
    let one = start(&world, "one").await;
    until_led_by(&world, "one").await;
    let label = json!({"metadata": {"labels": {"of": "others"}}});
    leases(&world).patch("unkey-operator", &PatchParams::default(), &Patch::Merge(&label)).await.unwrap();
    let _two = start(&world, "two").await;
    assert!(one.terminate().await.success());
    until_led_by(&world, "two").await;
    let lease = serde_json::to_value(leases(&world).get("unkey-operator").await.unwrap()).unwrap();
    assert_eq!(lease["metadata"]["labels"], json!({"of": "others"}));
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 2);
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    let time = |field: &str| -> Value { lease["spec"][field].clone() };
    assert!(time("acquireTime").is_string() && time("renewTime").is_string());
}

/// A renewal that fails is tried again, for as long as the term lasts.
#[tokio::test]
async fn a_renewal_that_fails_costs_nothing() {
    let (world, proxy) = world("lease-failed").await.behind_proxy().await;
    let one = start(&world, "one").await;
    until_led_by(&world, "one").await;
    for kind in [KubeFaultKind::internal_error(), KubeFaultKind::DropBefore, KubeFaultKind::DropAfter] {
        let failed = proxy.order(KubeFault::new(kind).verb("update").on("leases").once());
        proxy.wait_until(|proxy| proxy.hits(failed) == 1).await;
        let last = proxy.last();
        let renewed = |proxy: &Proxy| {
            proxy
                .since(last)
                .iter()
                .any(|it| it.asked.resource == "leases" && it.asked.verb == "update" && it.is_committed())
        };
        proxy.wait_until(renewed).await;
    }
    assert_eq!(leads(&one).await, 1);
    let lease = leases(&world).get("unkey-operator").await.unwrap();
    assert_eq!(lease.spec.unwrap().lease_transitions, Some(0));
}

/// It does not hear from the API server any more, which goes on without it: it has ended when another one leads.
#[tokio::test]
async fn a_leader_that_cannot_renew_ends_before_another_leads() {
    let (world, proxy) = world("lease-cut").await.behind_proxy().await;
    let mut one = start(&world, "one").await;
    until_led_by(&world, "one").await;
    let world = world.without_proxy();
    let two = start(&world, "two").await;
    create(&world, "a").await;
    world.ready("a").await;
    proxy.order(KubeFault::new(KubeFaultKind::Hold).on("leases"));
    until_led_by(&world, "two").await;
    let last = proxy.last();
    assert_eq!(one.ended().await.code(), Some(1));
    assert!(one.log().contains("could not be renewed"), "{}", one.log());
    world.edit("a", &json!({"meta": {"n": 2}})).await;
    world.ready("a").await;
    assert!(!proxy.since(last).iter().any(|it| it.asked.is_write() && it.asked.resource != "leases"));
    assert_eq!(leads(&two).await, 1);
    world.assert_in_step().await;
}

/// How many changes of leader: 20 unless the environment asks for more.
#[allow(clippy::disallowed_methods)] // of the test, not of the operator
fn changes() -> usize {
    std::env::var("LEADER_CHANGES").map_or(20, |text| text.parse().expect("LEADER_CHANGES is a number"))
}

/// Many leaders one after the other, ended in any way, while users create, edit and delete: nothing is doubled and nothing is left.
#[tokio::test]
async fn changes_of_leader_under_churn() {
    let world = world("leader-churn").await;
    let mut standing = start(&world, "leader-0").await;
    until_led_by(&world, "leader-0").await;
    let changes = changes();
    for round in 1..=changes {
        let next = start(&world, &format!("leader-{round}")).await;
        let name = |kind: &str| format!("{kind}-{round}");
        create(&world, &name("stays")).await;
        create(&world, &name("goes")).await;
        if round > 1 {
            world.edit(&format!("stays-{}", round - 1), &json!({"meta": {"n": round}})).await;
            world.delete(&format!("goes-{}", round - 1)).await;
        }
        if round % 2 == 0 {
            standing.kill();
        } else {
            assert!(standing.terminate().await.success());
        }
        until_led_by(&world, &format!("leader-{round}")).await;
        standing = next;
    }
    for round in 1..=changes {
        if round < changes {
            world.gone(&format!("goes-{round}")).await;
        }
        world.ready(&format!("stays-{round}")).await;
        assert_eq!(world.accepted(Operation::Create, &format!("stays-{round}")), 1, "{round}");
    }
    world.ready(&format!("goes-{changes}")).await;
    world.assert_in_step().await;
}
