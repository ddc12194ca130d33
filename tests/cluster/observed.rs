//! What is only observed is read and told, and nothing is written to Unkey for it (R21).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use unkey_emulator::Permissions;

use super::harness::{Cost, ROOT_KEY, World, condition};

const READS: Permissions = Permissions { create: false, update: false, delete: false, ..Permissions::ALL };

/// A world whose operator scans all the time, with a root key that may only read.
async fn reading(name: &str, args: &[&str]) -> World {
    let world = World::in_order(name).await.with_args(&["--scan-interval", "300ms"]).with_args(args);
    world.workspace.add_root_key(ROOT_KEY, READS);
    world
}

fn observed(external_id: &str, more: &Value) -> Value {
    let mut spec = json!({"externalId": external_id, "managementPolicy": "Observe"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// Calls that write: create, update, delete.
fn writes(world: &World) -> u64 {
    let [create, _, update, delete, _] = world.calls();
    create + update + delete
}

fn is_unmarked(object: &Value) -> bool {
    object["metadata"]["finalizers"].is_null() && object["metadata"]["annotations"]["unkey.com/claim"].is_null()
}

/// Each state, told by one read, without finalizer or claim; then found by the scan alone when Unkey changes.
#[tokio::test]
async fn r21_each_state_is_told_and_followed_by_the_scan() {
    let world = reading("observed-states", &[]).await;
    world.seed("same", &json!({"meta": {"plan": "pro"}}));
    world.seed("other", &json!({"meta": {"plan": "free", "secret": "s"}}));
    let operator = world.start().await;
    let pro = json!({"meta": {"plan": "pro"}});
    let always = json!({"meta": {"plan": "pro"}, "adoptionPolicy": "Always"});
    for (name, more) in [("same", &pro), ("other", &pro), ("absent", &pro)] {
        world.create(name, &observed(name, more)).await;
    }
    let same = world.reason("same", "Observed").await;
    assert_eq!(condition(&same, "Ready")["status"], "True");
    assert_eq!(same["status"]["observed"]["differs"], Value::Null);
    let other = world.reason("other", "WouldRefuse").await;
    assert_eq!(other["status"]["cause"], "AlreadyExists");
    assert_eq!(other["status"]["observed"]["differs"], json!(["meta.plan"]));
    assert_eq!(other["status"]["observed"]["others"], 1);
    assert!(!other["status"].to_string().contains("secret"), "{other}");
    let absent = world.reason("absent", "NotInUnkey").await;
    for object in [&same, &other, &absent] {
        assert!(is_unmarked(object) && object["status"]["identityId"].is_null(), "{object}");
        assert_eq!(condition(object, "Stalled"), Value::Null);
    }
    let costs = ["same", "other"].map(|name| world.cost(name));
    for cost in costs {
        assert_eq!(cost, Cost { gets: cost.gets, status: 1, ..Cost::NOTHING });
    }
    // The list begins with one of them. It is asked for once more: as a witness that what is not shown is not there (R19).
    let [gets, of_other] = costs.map(|cost| cost.gets);
    assert!(matches!([gets, of_other], [1, 2] | [2, 1]), "{costs:?}");
    // The scan follows what others do, without a read, and writes once for each.
    world.mutate("same", &json!({"meta": {"plan": "basic"}}));
    world.reason("same", "WouldRefuse").await;
    assert_eq!(world.cost("same"), Cost { gets, status: 2, ..Cost::NOTHING });
    world.edit("other", &observed("other", &always)).await;
    let other = world.reason("other", "Differs").await;
    assert!(
        condition(&other, "Ready")["message"]
            .as_str()
            .unwrap()
            .contains("meta.plan and values that the spec does not name, which would be removed")
    );
    world.workspace.delete("other");
    world.reason("other", "NotInUnkey").await;
    let told = ["same", "other", "absent"].map(|name| world.cost(name).status);
    // How much else is there is not followed.
    world.mutate("same", &json!({"meta": {"plan": "basic", "x": 1}}));
    world.scanned(&operator).await;
    assert_eq!(["same", "other", "absent"].map(|name| world.cost(name).status), told);
    let metrics = operator.metrics().await;
    let counts = ["Observed", "Differs", "NotInUnkey", "WouldRefuse"]
        .map(|state| (state, metrics.sum("unkey_operator_observed", &[("state", state)])));
    assert_eq!(
        BTreeMap::from(counts),
        BTreeMap::from([("Observed", 0), ("Differs", 0), ("NotInUnkey", 2), ("WouldRefuse", 1)])
    );
    assert_eq!(writes(&world), 0);
    // Deleted, they are gone at once.
    world.delete_all().await;
    for name in ["same", "other", "absent"] {
        world.gone(name).await;
    }
    assert_eq!(writes(&world), 0);
}

/// In a workspace that shows nothing, the permission to create is not tried: nothing but reads is sent.
#[tokio::test]
async fn r21_an_empty_workspace_is_not_probed_with_a_create() {
    for (name, args, spec) in [
        ("observed-empty", &["--observe"][..], json!({"externalId": "x"})),
        ("observed-empty-own", &[], observed("x", &json!({}))),
        ("observed-empty-all", &["--default-management-policy", "Observe"], json!({"externalId": "x"})),
    ] {
        let world = reading(name, args).await;
        let _operator = world.start().await;
        world.create("x", &spec).await;
        let object = world.until("x", "to say what is unknown", |it| !condition(it, "Ready").is_null()).await;
        assert_eq!(condition(&object, "Ready")["reason"], "PermissionDenied", "{object}");
        assert_eq!(writes(&world), 0);
    }
}

/// An hour of everything in little: edits, deletions, drift, restarts, with a key that may only read.
#[tokio::test]
async fn r21_observe_sends_nothing_but_reads() {
    let world = World::in_order("observed-all").await.with_args(&["--scan-interval", "300ms"]);
    let operator = world.start().await;
    for at in 0..12 {
        let name = format!("c{at}");
        world.create(&name, &json!({"externalId": name, "meta": {"plan": "pro"}})).await;
    }
    for at in 0..12 {
        world.ready(&format!("c{at}")).await;
    }
    operator.terminate().await;
    let before = writes(&world);
    world.workspace.add_root_key(ROOT_KEY, READS);
    let world = world.with_args(&["--observe"]);
    for round in 0..3 {
        let operator = world.start().await;
        world.mutate(&format!("c{round}"), &json!({"meta": {"plan": format!("theirs-{round}")}}));
        world
            .edit(
                &format!("c{}", 3 + round),
                &json!({"externalId": format!("c{}", 3 + round), "meta": {"plan": format!("edited-{round}")}}),
            )
            .await;
        world.delete(&format!("c{}", 6 + round)).await;
        world.create(&format!("n{round}"), &json!({"externalId": format!("n{round}")})).await;
        world.reason(&format!("c{round}"), "Differs").await;
        world.reason(&format!("c{}", 3 + round), "Differs").await;
        let waits = world.reason(&format!("c{}", 6 + round), "DeletionBlocked").await;
        assert!(condition(&waits, "Ready")["message"].as_str().unwrap().contains("only observes"), "{waits}");
        world.reason(&format!("n{round}"), "NotInUnkey").await;
        let kept = world.reason("c9", "Observed").await;
        assert!(!is_unmarked(&kept) && kept["status"]["applied"]["meta"].is_string(), "{kept}");
        operator.kill();
    }
    assert_eq!(writes(&world), before);
}

/// Enforce → Observe → Enforce, as a team does that comes in with care, and what somebody wrote meanwhile.
#[tokio::test]
async fn r21_let_go_and_taken_back() {
    let world = World::in_order("observed-toggle").await;
    let _operator = world.start().await;
    let pro = json!({"meta": {"plan": "pro"}});
    let enforced = json!({"externalId": "x", "meta": {"plan": "pro"}});
    world.create("x", &enforced).await;
    let id = world.ready("x").await["status"]["identityId"].clone();
    world.edit("x", &observed("x", &pro)).await;
    let object = world.reason("x", "Observed").await;
    assert!(is_unmarked(&object), "{object}");
    assert_eq!((&object["status"]["identityId"], &object["status"]["observed"]["identityId"]), (&id, &id));
    assert!(object["status"]["applied"].is_null(), "{object}");
    let before = writes(&world);
    // What is equal is taken back as it is.
    world.patch("x", &json!({"spec": {"managementPolicy": "Enforce"}})).await;
    let object = world.reason("x", "Synced").await;
    assert!(!is_unmarked(&object) && object["status"]["identityId"] == id && object["status"]["observed"].is_null());
    assert_eq!(writes(&world), before);
    // What somebody has added meanwhile is not lost.
    world.patch("x", &json!({"spec": {"managementPolicy": "Observe"}})).await;
    world.reason("x", "Observed").await;
    world.mutate("x", &json!({"meta": {"plan": "pro", "owner": "o"}}));
    world.patch("x", &json!({"spec": {"managementPolicy": null}})).await;
    world.reason("x", "WouldLose").await;
    assert_eq!(world.upstream("x")["meta"], json!({"plan": "pro", "owner": "o"}));
    assert_eq!(writes(&world), before);
}

/// A twin takes over what is only observed; back under Enforce, the first one finds it taken.
#[tokio::test]
async fn r21_what_is_observed_does_not_own_its_external_id() {
    let world = World::in_order("observed-twin").await;
    let _operator = world.start().await;
    let pro = json!({"meta": {"plan": "pro"}});
    let enforced = json!({"externalId": "x", "meta": {"plan": "pro"}});
    world.create("first", &enforced).await;
    let id = world.ready("first").await["status"]["identityId"].clone();
    world.create("twin", &enforced).await;
    world.reason("twin", "ExternalIdConflict").await;
    world.edit("first", &observed("x", &pro)).await;
    assert_eq!(world.ready("twin").await["status"]["identityId"], id);
    let first = world.reason("first", "WouldRefuse").await;
    assert_eq!(first["status"]["cause"], "ExternalIdConflict");
    world.patch("first", &json!({"spec": {"managementPolicy": "Enforce"}})).await;
    let first = world.reason("first", "ExternalIdConflict").await;
    assert!(is_unmarked(&first), "{first}");
    assert_eq!(world.ready("twin").await["status"]["identityId"], id);
    // Two calls that write: the create of the first, and the twin's, which finds it there.
    assert_eq!(writes(&world), 2);
    world.delete("first").await;
    world.gone("first").await;
    assert!(!world.upstream("x").is_null());
}

/// Its deletion waits for a word, and says which.
#[tokio::test]
async fn r21_a_deletion_that_is_observed_waits() {
    let world = World::in_order("observed-deleted").await;
    let operator = world.start().await;
    for name in ["x", "y"] {
        world.create(name, &json!({"externalId": name})).await;
        world.ready(name).await;
    }
    operator.terminate().await;
    for name in ["x", "y"] {
        world.delete(name).await;
        world.patch(name, &json!({"spec": {"managementPolicy": "Observe"}})).await;
    }
    let _operator = world.start().await;
    world.reason("x", "DeletionBlocked").await;
    world.reason("y", "DeletionBlocked").await;
    world.patch("x", &json!({"spec": {"managementPolicy": "Enforce"}})).await;
    world.patch("y", &json!({"spec": {"deletionPolicy": "Orphan"}})).await;
    world.gone("x").await;
    world.gone("y").await;
    assert!(world.upstream("x").is_null() && !world.upstream("y").is_null());
}
