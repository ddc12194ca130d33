//! SIGTERM, once and twice, in the middle of everything (S33, S42).

use std::time::{Duration, Instant};

use cutting_proxy::{Fault as KubeFault, FaultKind as KubeFaultKind};
use serde_json::json;
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{World, condition};

const PATIENT: [&str; 2] = ["--request-timeout", "60s"];
/// For the operator that comes after: it holds Ready back for as long as an attempt of its own would last.
const BRISK: [&str; 2] = ["--request-timeout", "1500ms"];

/// S42, and the same for an update and a delete: what Unkey answers during the shutdown is recorded before the exit.
#[tokio::test]
async fn what_is_answered_during_the_shutdown_is_recorded() {
    let world = World::new("term-recorded").await.with_args(&PATIENT);
    let mut operator = world.start().await;
    for name in ["updated", "deleted"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    let held: Vec<u64> = [
        (Operation::Create, FaultKind::HoldAnswer),
        (Operation::Update, FaultKind::Hold),
        (Operation::Delete, FaultKind::HoldAnswer),
    ]
    .into_iter()
    .map(|(operation, kind)| world.workspace.order(Fault::new(kind).on(operation).once()))
    .collect();
    world.create("created", &json!({"externalId": "created", "meta": {"n": 2}})).await;
    world.edit("updated", &json!({"meta": {"n": 2}})).await;
    world.delete("deleted").await;
    for fault in &held {
        world.until_hit(*fault, 1).await;
    }
    operator.signal("TERM");
    operator.until_logged("stopping").await;
    world.create("too-late", &json!({"externalId": "too-late"})).await;
    for fault in held {
        world.workspace.release(fault);
    }
    assert_eq!(operator.ended().await.code(), Some(0), "{}", operator.log());
    assert!(operator.log().contains("stopped"), "it says so");

    assert!(world.get("deleted").await.is_none(), "released");
    let late = world.get("too-late").await.unwrap();
    assert_eq!(late["metadata"].get("finalizers"), None, "no work was begun after the signal");
    for name in ["created", "updated"] {
        world.ready(name).await;
        assert_eq!(world.workspace.live(name).unwrap().meta, json!({"n": 2}), "{name}");
    }
    let calls = world.calls();
    let world = world.with_args(&BRISK);
    let _operator = world.start().await;
    world.ready("too-late").await;
    assert_eq!(world.calls()[1..], calls[1..], "the next one finds nothing to ask");
    assert_eq!(world.calls()[0], calls[0] + 1);
    world.assert_in_step().await;
}

/// A claim that was being put on at the signal is followed by its create, and nothing else is begun: left to the next one, the object
/// could be Ready only when that create is known not to be on its way.
#[tokio::test]
async fn what_is_being_claimed_is_created_yet() {
    let (world, proxy) = World::new("term-claimed").await.behind_proxy().await;
    let mut operator = world.start().await;
    let held = proxy.order(KubeFault::new(KubeFaultKind::HoldAnswer).verb("patch").of("claimed").once());
    world.create("claimed", &json!({"externalId": "claimed", "meta": {"n": 1}})).await;
    proxy.wait_until(|proxy| proxy.hits(held) == 1).await;
    operator.signal("TERM");
    operator.until_logged("stopping").await;
    world.create("too-late", &json!({"externalId": "too-late"})).await;
    proxy.release(held);
    assert_eq!(operator.ended().await.code(), Some(0), "{}", operator.log());
    let claimed = world.get("claimed").await.unwrap();
    assert_eq!(condition(&claimed, "Ready")["status"], "True", "before the exit: {claimed}");
    assert_eq!(world.accepted(Operation::Create, "claimed"), 1);
    assert_eq!(world.get("too-late").await.unwrap()["metadata"].get("finalizers"), None);
    world.delete("too-late").await;
    world.gone("too-late").await;
    world.assert_in_step().await;
}

/// Unkey never answers: the exit waits for the drain limit and no longer, and the next process finds its way.
#[tokio::test]
async fn the_drain_has_an_end() {
    let world = World::new("term-drain").await.with_args(&PATIENT);
    let mut operator = world.start().await;
    for name in ["updated", "deleted"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    let held = world.workspace.order(Fault::new(FaultKind::Hold).times(3));
    world.create("created", &json!({"externalId": "created", "meta": {"n": 2}})).await;
    world.edit("updated", &json!({"meta": {"n": 2}})).await;
    world.delete("deleted").await;
    world.until_hit(held, 3).await;
    let begun = Instant::now();
    operator.signal("TERM");
    let status = operator.ended().await;
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(14), "{took:?}");
    assert_eq!(status.code(), Some(1), "something was left undone");
    assert!(operator.log().contains("reconciles in progress did not finish within 10 s"));
    // The requests commit after all.
    world.workspace.release(held);
    let world = world.with_args(&BRISK);
    let _operator = world.start().await;
    world.ready("created").await;
    world.ready("updated").await;
    world.gone("deleted").await;
    assert_eq!(world.accepted(Operation::Create, "created"), 1);
    world.assert_in_step().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let world = World::new("term-twice").await.with_args(&PATIENT);
    for second in ["TERM", "INT"] {
        let mut operator = world.start().await;
        let held = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create));
        world.create(&second.to_lowercase(), &json!({"externalId": second})).await;
        world.until_hit(held, 1).await;
        operator.signal("TERM");
        operator.until_logged("stopping").await;
        let begun = Instant::now();
        operator.signal(second);
        let status = operator.ended().await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert_eq!(status.code(), Some(1));
        world.workspace.clear_faults();
    }
    let world = world.with_args(&BRISK);
    let _operator = world.start().await;
    world.ready("term").await;
    world.ready("int").await;
    world.assert_in_step().await;
}

#[tokio::test]
async fn idle_it_ends_at_once() {
    let world = World::new("term-idle").await;
    for signal in ["TERM", "INT"] {
        let mut operator = world.start().await;
        world.create(&signal.to_lowercase(), &json!({"externalId": signal})).await;
        world.ready(&signal.to_lowercase()).await;
        let (calls, begun) = (world.calls(), Instant::now());
        operator.signal(signal);
        assert_eq!(operator.ended().await.code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert_eq!(world.calls(), calls);
    }
}
