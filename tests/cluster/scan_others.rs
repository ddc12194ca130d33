//! The scan and other keys, other workspaces, and others that disagree (R15, R16, S4, S21, S43).

use serde_json::json;
use unkey_emulator::{FaultKind, Operation, Permissions};

use super::harness::{ROOT_KEY, condition, eventually};
use super::scan_faults::{list_fault, made, numbered, scanning, scans_end};

const SECOND_KEY: &str = "unkey_root_second_52c9";

/// What was listed with one key proves nothing under another.
#[tokio::test]
async fn another_root_key_voids_the_scan() {
    let world = scanning("scan-key").await.with_args(&["--request-timeout", "60s"]);
    let operator = world.start().await;
    made(&world, &numbered("x", 3)).await;
    scans_end(&operator, "complete", 1).await;
    world.workspace.add_root_key(SECOND_KEY, Permissions::ALL);
    let held = world.workspace.order(list_fault(FaultKind::Hold).once());
    world.until_hit(held, 1).await;
    world.write_key(SECOND_KEY);
    operator.until_logged("using another root key").await;
    world.workspace.release(held);
    scans_end(&operator, "complete", 1).await;
    let metrics = operator.metrics().await;
    assert_eq!(metrics.sum("unkey_operator_scans_total", &[("result", "key_changed")]), 1);
    assert_eq!(metrics.sum("unkey_operator_scan_findings_total", &[]), 0);
    assert_eq!(world.calls()[..4], [3, 0, 0, 0]);
}

/// S43: what a scan sees under its recorded id proves that the new key leads to the same workspace; nobody has to ask.
#[tokio::test]
async fn s43_a_scan_proves_the_workspace() {
    let world = scanning("scan-proof").await;
    let operator = world.start().await;
    made(&world, &numbered("x", 5)).await;
    world.workspace.add_root_key(SECOND_KEY, Permissions::ALL);
    world.write_key(SECOND_KEY);
    operator.until_logged("using another root key").await;
    scans_end(&operator, "complete", 2).await;
    made(&world, &["new".to_owned()]).await;
    assert_eq!(world.calls()[..4], [6, 0, 0, 0]);
    world.assert_in_step().await;
}

/// S4: in another workspace all is missing, be it few or many: nothing is created, and all is well when the right key is back.
#[tokio::test]
async fn s04_a_scan_of_another_workspace_creates_nothing() {
    for count in [2, 8] {
        let world = scanning("scan-elsewhere").await;
        let operator = world.start().await;
        let names = numbered("x", count);
        made(&world, &names).await;
        let elsewhere = world.emulator.workspace(&format!("elsewhere-{count}"));
        elsewhere.add_root_key(SECOND_KEY, Permissions::ALL);
        world.write_key(SECOND_KEY);
        operator.until_logged("using another root key").await;
        scans_end(&operator, "complete", 2).await;
        if count > 3 {
            // Too many to be believed: what needs no call stays as it is.
            operator.until_logged("far fewer identities than are recorded").await;
            for name in &names {
                assert_eq!(condition(&world.get(name).await.unwrap(), "Ready")["status"], "True", "{name}");
            }
        } else {
            for name in &names {
                world.reason(name, "WorkspaceMismatch").await;
            }
        }
        let stored =
            elsewhere.requests().into_iter().filter(|it| it.handled == Some(200) && it.operation != Operation::List);
        assert_eq!(stored.filter(|it| it.operation != Operation::Get).count(), 0);
        assert!(elsewhere.snapshot().live.is_empty());
        world.write_key(ROOT_KEY);
        for name in &names {
            world.ready(name).await;
        }
        scans_end(&operator, "complete", 2).await;
        world.assert_in_step().await;
        assert_eq!(world.calls()[0], u64::try_from(count).unwrap());
    }
}

/// S21: what is set right and found changed again is left alone after three times, by the scan too.
#[tokio::test]
async fn s21_a_scan_does_not_fight() {
    let world = scanning("scan-fight").await;
    let operator = world.start().await;
    made(&world, &numbered("x", 1)).await;
    for corrections in 1..=3 {
        world.mutate("x0", &json!({"meta": {"theirs": 1}}));
        eventually("a correction", async || (world.calls()[2] == corrections).then_some(())).await;
    }
    world.mutate("x0", &json!({"meta": {"theirs": 1}}));
    let object = world.reason("x0", "NotConverging").await;
    assert_eq!(condition(&object, "Stalled")["status"], "True");
    let (calls, writes) = (world.calls(), world.kube_writes());
    scans_end(&operator, "complete", 3).await;
    assert_eq!((&world.calls()[..4], world.kube_writes()), (&calls[..4], writes));
    assert_eq!(world.accepted(Operation::Update, "x0"), 3);
}

/// What is being deleted, its identity gone already, is held by somebody else's finalizer. That is no reason to doubt the workspace.
#[tokio::test]
async fn what_is_being_deleted_is_not_missing() {
    let world = scanning("scan-leaving").await;
    let operator = world.start().await;
    let names = numbered("x", 5);
    made(&world, &names).await;
    made(&world, &["stays".to_owned()]).await;
    let both = json!({"metadata": {"finalizers": ["unkey.com/identity", "example.com/another"]}});
    for name in &names {
        world.patch(name, &both).await;
        world.delete(name).await;
    }
    for name in &names {
        let ours_is_off = |it: &serde_json::Value| it["metadata"]["finalizers"] == json!(["example.com/another"]);
        world.until(name, "let go by us", ours_is_off).await;
    }
    scans_end(&operator, "complete", 4).await;
    assert_eq!(operator.metrics().await.sum("unkey_operator_scan_recreation_withheld", &[]), 0);
    assert!(!operator.log().contains("far fewer identities"), "it cries for nothing");
    // What is really missing is made again meanwhile.
    assert!(world.workspace.delete("stays"));
    world.until_accepted(Operation::Create, "stays", 2).await;
    for name in &names {
        world.patch(name, &json!({"metadata": {"finalizers": null}})).await;
        world.gone(name).await;
    }
    world.ready("stays").await;
    world.assert_in_step().await;
}
