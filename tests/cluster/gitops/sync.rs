//! What a sync does to an `Identity`, and what becomes of the customer's identity in Unkey.

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use crate::harness::{Cost, World, condition, identity, succeeded};

/// As Argo CD labels and annotates what it applies.
fn manifest(name: &str, spec: &Value) -> String {
    let mut manifest = identity(name, spec);
    manifest["metadata"]["labels"] = json!({"app.kubernetes.io/instance": "shop"});
    manifest["metadata"]["annotations"] = json!({
        "argocd.argoproj.io/tracking-id": "shop:unkey.com/Identity:shop/x", "argocd.argoproj.io/sync-wave": "1",
    });
    manifest.to_string()
}

/// Server-side apply in the name of a tool that does not give way.
async fn sync(world: &World, manager: &str, manifest: &str) {
    let manager = format!("--field-manager={manager}");
    let args = ["apply", "--server-side", "--force-conflicts", &manager, "-f", "-"];
    succeeded(&world.run_kubectl(&args, manifest).await);
}

/// Self-heal: whoever applies the manifest again, by whatever name, takes nothing of the operator's away and sees no difference; so there is
/// nothing to set right again, on either side, and no field to leave out of the comparison.
#[tokio::test]
async fn self_heal_and_the_operator_do_not_fight() {
    let world = World::in_order("self-heal").await;
    let _operator = world.start().await;
    let spec = json!({
        "externalId": "x", "meta": {"plan": "pro", "seats": 5, "nested": {"a": [1, 2.5]}},
        "ratelimits": [
            {"name": "zzz", "limit": 1, "duration": 60_000},
            {"name": "aaa", "limit": 2, "duration": 1_000, "autoApply": true},
        ],
    });
    let manifest = manifest("x", &spec);
    sync(&world, "argocd-controller", &manifest).await;
    let first = world.ready("x").await;
    let before = world.cost_so_far("x").await;
    let ours = |object: &Value| {
        let metadata = &object["metadata"];
        (metadata["finalizers"].clone(), metadata["annotations"]["unkey.com/claim"].clone())
    };
    assert_eq!(ours(&first).0, json!(["unkey.com/identity"]));
    assert!(ours(&first).1.is_string());
    for manager in ["argocd-controller", "kustomize-controller", "helm", "argocd-controller"] {
        let flag = format!("--field-manager={manager}");
        let diff = ["diff", "--server-side", "--force-conflicts", &flag, "-f", "-"];
        assert_eq!(succeeded(&world.run_kubectl(&diff, &manifest).await), "", "{manager}");
        sync(&world, manager, &manifest).await;
        let now = world.get("x").await.unwrap();
        assert_eq!(ours(&now), ours(&first), "{manager}");
        assert_eq!((&now["spec"], &now["status"]), (&first["spec"], &first["status"]), "{manager}");
        assert_eq!(now["metadata"]["generation"], 1, "{manager}");
    }
    assert_eq!(world.cost_since("x", before).await, Cost::NOTHING);
}

/// A prune, and the same manifest again before the deletion is through: what is applied lands on the object that goes. The next sync makes a new
/// identity, which has none of the old one's keys; with `Orphan` it is the old one.
#[tokio::test]
async fn pruned_and_applied_again_at_once() {
    let world = World::new("prune").await;
    let _operator = world.start().await;
    let deleting = manifest("x", &json!({"externalId": "x", "meta": {"plan": "pro"}}));
    sync(&world, "argocd-controller", &deleting).await;
    let first = world.ready("x").await["status"]["identityId"].clone();
    let hold = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Delete).once());
    world.delete("x").await;
    world.until_hit(hold, 1).await;
    sync(&world, "argocd-controller", &deleting).await;
    let going = world.get("x").await.unwrap();
    assert!(going["metadata"]["deletionTimestamp"].is_string(), "an apply calls nothing back: {going}");
    assert!(world.workspace.release(hold));
    world.gone("x").await;
    assert_eq!(world.upstream("x"), Value::Null);
    sync(&world, "argocd-controller", &deleting).await;
    let second = world.ready("x").await["status"]["identityId"].clone();
    assert_ne!(second, first, "another identity");
    world.assert_in_step().await;

    let keeping = json!({"externalId": "x", "meta": {"plan": "pro"}, "deletionPolicy": "Orphan"});
    let keeping = manifest("x", &keeping);
    sync(&world, "argocd-controller", &keeping).await;
    world.until("x", "kept when it goes", |it| it["status"]["deletionPolicy"] == "Orphan").await;
    world.delete("x").await;
    world.gone("x").await;
    sync(&world, "argocd-controller", &keeping).await;
    let third = world.ready("x").await;
    assert_eq!((&third["status"]["identityId"], &third["status"]["origin"]), (&second, &json!("Adopted")));
    world.assert_in_step().await;
}

/// The rename that docs/guides/rename-without-losing-keys.md tells, when a sync does it: with `Orphan` in force before, the new resource
/// waits for the old one and then has its identity. Without, the old one takes the identity with it.
#[tokio::test]
async fn renamed_in_one_sync() {
    let world = World::new("rename").await;
    let _operator = world.start().await;
    for (policy, keeps) in [("Orphan", true), ("Delete", false)] {
        let external_id = policy.to_lowercase();
        let name = |which: &str| format!("{external_id}-{which}");
        let spec = json!({"externalId": external_id, "meta": {"plan": "pro"}, "deletionPolicy": policy});
        sync(&world, "argocd-controller", &manifest(&name("old"), &spec)).await;
        let old = world.ready(&name("old")).await;
        assert_eq!(old["status"]["deletionPolicy"], policy, "what is in force is told before the rename");
        // A sync applies first and prunes last.
        sync(&world, "argocd-controller", &manifest(&name("new"), &spec)).await;
        let waiting = world.reason(&name("new"), "ExternalIdConflict").await;
        assert_eq!(condition(&waiting, "Stalled")["status"], "True");
        world.delete(&name("old")).await;
        world.gone(&name("old")).await;
        let new = world.ready(&name("new")).await;
        assert_eq!(new["status"]["identityId"] == old["status"]["identityId"], keeps, "{policy}");
        assert_eq!(world.accepted(Operation::Delete, &external_id), usize::from(!keeps), "{policy}");
    }
    world.assert_in_step().await;
}
