//! R15: another root key. In another workspace everything is absent, and nothing may be made of that.

use serde_json::json;
use unkey_emulator::{Fault, FaultKind, Operation, Permissions, Seed};

use super::harness::{Operator, World, condition, eventually};
use super::scan_faults::{made, numbered};

const SAME: &str = "unkey_root_rotated_51aa";
const OTHER: &str = "unkey_root_elsewhere_77bd";

/// A world with `count` Ready Identities named `i0`, `i1`, …
async fn filled(name: &str, count: usize) -> (World, Operator) {
    let world = World::new(name).await;
    let operator = world.start().await;
    for n in 0..count {
        world.create(&format!("i{n}"), &json!({"externalId": format!("i{n}"), "meta": {"n": n}})).await;
    }
    for n in 0..count {
        world.ready(&format!("i{n}")).await;
    }
    (world, operator)
}

fn message(object: &serde_json::Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn s04_in_another_workspace_nothing_is_created_and_nothing_let_go() {
    let (world, operator) = filled("elsewhere", 12).await;
    let elsewhere = world.emulator.workspace("elsewhere");
    elsewhere.add_root_key(OTHER, Permissions::ALL);
    let calls = world.calls();
    world.write_key(OTHER);
    operator.until_logged("using another root key").await;
    for n in 0..5 {
        world.delete(&format!("i{n}")).await;
    }
    world.create("newcomer", &json!({"externalId": "newcomer"})).await;
    world.edit("i5", &json!({"meta": {"n": "edited"}})).await;
    world.edit("i6", &json!({"deletionPolicy": "Orphan"})).await;
    world.delete("i6").await;
    world.gone("i6").await;
    assert!(message(&world.reason("newcomer", "WorkspaceMismatch").await).contains("change-workspace.md"));
    assert!(message(&world.reason("i5", "WorkspaceMismatch").await).contains("another workspace"));
    for n in 0..5 {
        let name = format!("i{n}");
        let blocked = world.reason(&name, "DeletionBlocked").await;
        assert!(message(&blocked).contains("another workspace"), "{blocked}");
        assert!(message(&blocked).contains("deletionPolicy"), "the way out is printed: {blocked}");
    }
    assert_eq!(condition(&world.get("i7").await.unwrap(), "Ready")["status"], "True", "it needs no call");
    // What is gone in that workspace is not seen to be gone by asking for it.
    world.ask_for_check("i8", "1").await;
    world.reason("i8", "WorkspaceMismatch").await;
    assert_eq!(elsewhere.counts().of(Operation::Create), 0);
    assert_eq!(elsewhere.snapshot().live.len(), 0);
    assert_eq!(world.calls(), calls, "the workspace that everything is in was left alone");
    // Nor does a restart forget it.
    operator.kill();
    let operator = world.start().await;
    world.create("another", &json!({"externalId": "another"})).await;
    world.reason("another", "WorkspaceMismatch").await;
    assert_eq!(elsewhere.counts().of(Operation::Create), 0);
    // The right key is back.
    world.write_key(super::harness::ROOT_KEY);
    operator.until_logged("using another root key").await;
    for n in 0..5 {
        world.gone(&format!("i{n}")).await;
    }
    for name in ["newcomer", "another", "i5", "i7", "i8"] {
        world.ready(name).await;
    }
    world.workspace.delete("i6");
    world.assert_in_step().await;
    assert_eq!(world.calls()[0], calls[0] + 2, "the two new ones");
}

/// A reconcile that was under way when the key was replaced sends nothing more: neither with the key it began with, whose workspace
/// nobody means any more, nor with the new one, under which it has seen nothing.
#[tokio::test]
async fn s04_a_reconcile_that_outlives_its_key_goes_no_further() {
    let (world, operator) = filled("outlived", 2).await;
    let elsewhere = world.emulator.workspace("outlived-elsewhere");
    elsewhere.add_root_key(OTHER, Permissions::ALL);
    for name in ["i0", "i1"] {
        elsewhere.seed(Seed { external_id: name.to_owned(), meta: None, ratelimits: None });
    }
    let holds = ["i0", "i1"].map(|name| {
        let id = world.workspace.live(name).unwrap().id;
        world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Get).of(&id).once())
    });
    // Drift is read before it is corrected, and a new process reads what it shall delete.
    operator.kill();
    // Before it begins: later than a window after that, however busy the machine is, it would know that nobody else deletes it.
    world.delete("i1").await;
    let world = world.with_args(&["--request-timeout", "5s"]);
    let operator = world.start().await;
    let drift = Some(serde_json::Map::from_iter([("n".to_owned(), json!("drifted"))]));
    assert!(world.workspace.mutate("i0", Seed { external_id: String::new(), meta: drift, ratelimits: None }));
    world.ask_for_check("i0", "1").await;
    let held = || world.workspace.faults().iter().filter(|fault| holds.contains(&fault.id) && fault.hits == 1).count();
    eventually("both passes wait for what they asked", async || (held() == 2).then_some(())).await;
    let before = world.workspace.counts();
    world.write_key(OTHER);
    operator.until_logged("using another root key").await;
    for hold in holds {
        world.workspace.release(hold);
    }
    world.reason("i0", "WorkspaceMismatch").await;
    world.reason("i1", "DeletionBlocked").await;
    assert_eq!(
        world.workspace.counts().writes(),
        before.writes(),
        "nothing was sent with the key that they began with"
    );
    assert_eq!(elsewhere.counts().writes(), 0);

    world.write_key(super::harness::ROOT_KEY);
    world.gone("i1").await;
    world.ready("i0").await;
    world.assert_in_step().await;
}

#[tokio::test]
async fn s43_a_key_rotated_within_the_workspace_costs_a_read_and_no_write() {
    let (world, operator) = filled("rotated", 20).await;
    world.workspace.add_root_key(SAME, Permissions::ALL);
    let (calls, writes) = (world.calls(), world.kube_writes());
    world.write_key(SAME);
    operator.until_logged("using another root key").await;
    world.create("newcomer", &json!({"externalId": "newcomer"})).await;
    world.ready("newcomer").await;
    let after = world.calls();
    assert!(after[1] - calls[1] <= 3, "{after:?}");
    assert_eq!([after[0], after[2], after[3], after[4]], [calls[0] + 1, calls[2], calls[3], calls[4]]);
    assert_eq!(world.kube_writes(), (writes.0 + 1, writes.1 + 1), "the newcomer's own");
    // A second one, and a restart: the newcomer's record shows by now that the key is of this workspace.
    operator.kill();
    let _operator = world.start().await;
    world.create("second", &json!({"externalId": "second"})).await;
    world.ready("second").await;
    assert_eq!(world.calls()[1], after[1]);
    world.assert_in_step().await;
}

#[tokio::test]
async fn s39_the_last_ones_deleted_upstream_before_a_restart_are_released() {
    let (world, operator) = filled("last-ones", 2).await;
    operator.kill();
    for name in ["i0", "i1"] {
        world.workspace.delete(name);
        world.delete(name).await;
    }
    let _operator = world.start().await;
    for name in ["i0", "i1"] {
        world.gone(name).await;
    }
    world.assert_in_step().await;
}

#[tokio::test]
async fn one_that_is_there_proves_the_workspace_though_others_are_gone() {
    let (world, operator) = filled("one-hit", 3).await;
    world.workspace.add_root_key(SAME, Permissions::ALL);
    world.workspace.delete("i0");
    world.workspace.delete("i1");
    world.write_key(SAME);
    operator.until_logged("using another root key").await;
    world.delete("i0").await;
    world.ask_for_check("i1", "1").await;
    world.gone("i0").await;
    world.event("i1", "Recreated").await;
    world.ready("i1").await;
    world.assert_in_step().await;
}

/// The oldest identity of the earlier key cannot be read: the next one is the proof.
#[tokio::test]
async fn one_identity_that_cannot_be_read_is_not_the_end_of_the_proof() {
    let (world, operator) = filled("unreadable", 1).await;
    world.next_second().await;
    made(&world, &numbered("x", 2)).await;
    world.workspace.order(Fault::new(FaultKind::internal_error()).on(Operation::Get).of("i0"));
    world.workspace.add_root_key(SAME, Permissions::ALL);
    world.write_key(SAME);
    operator.until_logged("using another root key").await;
    world.create("newcomer", &json!({"externalId": "newcomer"})).await;
    world.ready("newcomer").await;
}

#[tokio::test]
async fn the_user_may_mean_it() {
    let (world, operator) = filled("meant", 2).await;
    let elsewhere = world.emulator.workspace("elsewhere");
    elsewhere.add_root_key(OTHER, Permissions::ALL);
    operator.kill();
    world.write_key(OTHER);
    let mut args = world.args();
    args.push("--accept-workspace-change".to_owned());
    let _operator = world.start_as(&args, &[]).await;
    world.create("newcomer", &json!({"externalId": "newcomer"})).await;
    world.ready("newcomer").await;
    world.ask_for_check("i0", "1").await;
    world.event("i0", "Recreated").await;
    eventually("both to be there", async || (elsewhere.snapshot().live.len() == 2).then_some(())).await;
    assert_eq!(world.workspace.snapshot().live.len(), 2, "what was made in the earlier workspace stays there");
}

#[tokio::test]
async fn a_proof_that_cannot_be_had_is_named() {
    let (world, operator) = filled("no-proof", 2).await;
    // It may create, and not read.
    world.workspace.add_root_key(SAME, Permissions { read: false, ..Permissions::ALL });
    world.write_key(SAME);
    operator.until_logged("using another root key").await;
    world.create("newcomer", &json!({"externalId": "newcomer"})).await;
    assert!(message(&world.reason("newcomer", "PermissionDenied").await).contains("read_identity"));
    // A write to an identity by its id proves it as well.
    world.edit("i0", &json!({"meta": {"n": "edited"}})).await;
    world.ready("i0").await;
    world.ready("newcomer").await;
}
