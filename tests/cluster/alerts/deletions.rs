//! Deletions that hold and brake stop, or let pass (R20).

use serde_json::{Value, json};

use super::super::harness::{World, eventually};
use super::{assert_fires, made, scrape};

/// R20: too many approved in advance; too many at once.
#[tokio::test]
async fn deletions_come_in_masses() {
    let world = World::new("alerts-mass").await.with_args(&[
        "--deletion-hold",
        "0s",
        "--max-deletions",
        "1",
        "--max-deletions-share",
        "0",
    ]);
    let operator = world.start().await;
    for name in ["a", "b"] {
        made(&world, name).await;
    }
    let before = scrape(&operator).await;
    let approve = |value: Value| json!({"metadata": {"annotations": {"unkey.com/deletion-approved": value}}});
    for name in ["a", "b"] {
        world.patch(name, &approve(json!("always"))).await;
    }
    let approved = async |count| {
        eventually("the approvals to count", async || {
            (operator.metrics().await.sum("unkey_operator_deletions_approved", &[]) == count).then_some(())
        })
        .await;
    };
    approved(2).await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyDeletionsApproved"]);
    for name in ["a", "b"] {
        world.patch(name, &approve(Value::Null)).await;
    }
    approved(0).await;
    world.delete_all().await;
    // The first that is seen may go before the second one comes.
    eventually("a deletion to be held", async || {
        (operator.metrics().await.sum("unkey_operator_deletions_held", &[]) >= 1).then_some(())
    })
    .await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyIdentityOutOfStep", "UnkeyMassDeletionHeld"]);
}
