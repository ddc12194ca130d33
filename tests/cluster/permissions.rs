//! S27: root keys that may not do everything. What can work works; the rest names the permission.

use serde_json::json;
use unkey_emulator::{Fault, FaultKind, Operation, Permissions, Seed};

use super::harness::{ROOT_KEY, World, condition};

/// Waits for `PermissionDenied`, and that it names `permission`.
async fn denied(world: &World, name: &str, permission: &str) {
    let object = world.reason(name, "PermissionDenied").await;
    let message = condition(&object, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&format!("'identity.*.{permission}'")), "{message}");
}

#[tokio::test]
async fn without_read_the_usual_life_still_works() {
    let world = World::new("no-read").await;
    world.workspace.add_root_key(ROOT_KEY, Permissions { read: false, ..Permissions::ALL });
    let _operator = world.start().await;
    world.create("plain", &json!({"externalId": "plain", "meta": {"n": 1}})).await;
    world.ready("plain").await;
    world.edit("plain", &json!({"meta": {"n": 2}})).await;
    world.ready("plain").await;
    assert_eq!(world.workspace.live("plain").unwrap().meta, json!({"n": 2}));
    world.delete("plain").await;
    world.gone("plain").await;
    assert_eq!(world.calls(), [1, 0, 1, 1, 0]);
    world.assert_in_step().await;

    // What exists already has to be looked at.
    world.workspace.seed(Seed { external_id: "exists".to_owned(), ..Seed::default() }).unwrap();
    world.create("exists", &json!({"externalId": "exists"})).await;
    denied(&world, "exists", "read_identity").await;
    world.workspace.add_root_key(ROOT_KEY, Permissions::ALL);
    world.ask_for_check("exists", "granted").await;
    let object = world.ready("exists").await;
    assert_eq!(object["status"]["origin"], "Adopted");
    world.assert_in_step().await;
}

#[tokio::test]
async fn without_create_it_says_so_and_lets_go_at_once() {
    let world = World::new("no-create").await;
    world.workspace.add_root_key(ROOT_KEY, Permissions { create: false, ..Permissions::ALL });
    let _operator = world.start().await;
    world.create("stays", &json!({"externalId": "stays"})).await;
    world.create("goes", &json!({"externalId": "goes"})).await;
    denied(&world, "stays", "create_identity").await;
    denied(&world, "goes", "create_identity").await;
    // Nothing of it can be in Unkey (NeverSent), so nothing has to be asked.
    world.delete("goes").await;
    world.gone("goes").await;
    assert_eq!(world.calls(), [2, 0, 0, 0, 0]);
    world.workspace.add_root_key(ROOT_KEY, Permissions::ALL);
    world.edit("stays", &json!({"meta": {"edited": true}})).await;
    world.ready("stays").await;
    world.assert_in_step().await;
}

#[tokio::test]
async fn without_update_it_says_so_and_deletes() {
    let world = World::new("no-update").await;
    world.workspace.add_root_key(ROOT_KEY, Permissions { update: false, ..Permissions::ALL });
    let _operator = world.start().await;
    for name in ["stays", "goes"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
        world.edit(name, &json!({"meta": {"n": 2}})).await;
        denied(&world, name, "update_identity").await;
    }
    world.delete("goes").await;
    world.gone("goes").await;
    world.workspace.add_root_key(ROOT_KEY, Permissions::ALL);
    world.ask_for_check("stays", "granted").await;
    world.ready("stays").await;
    assert_eq!(world.workspace.live("stays").unwrap().meta, json!({"n": 2}));
    world.assert_in_step().await;
}

#[tokio::test]
async fn without_delete_it_says_so_and_orphans() {
    let world = World::new("no-delete").await;
    world.workspace.add_root_key(ROOT_KEY, Permissions { delete: false, ..Permissions::ALL });
    let _operator = world.start().await;
    for name in ["orphaned", "deleted"] {
        world.create(name, &json!({"externalId": name})).await;
        world.ready(name).await;
        world.delete(name).await;
        let object = world.reason(name, "DeletionBlocked").await;
        let message = condition(&object, "Ready")["message"].as_str().unwrap().to_owned();
        assert!(message.contains("'identity.*.delete_identity'"), "{message}");
        assert_eq!(object["metadata"]["finalizers"], json!(["unkey.com/identity"]));
    }
    world.edit("orphaned", &json!({"deletionPolicy": "Orphan"})).await;
    world.gone("orphaned").await;
    assert!(world.workspace.live("orphaned").is_some());
    world.workspace.add_root_key(ROOT_KEY, Permissions::ALL);
    world.ask_for_check("deleted", "granted").await;
    world.gone("deleted").await;
    assert!(world.workspace.live("deleted").is_none());
}

#[tokio::test]
async fn a_correction_of_drift_that_is_refused_is_not_forgotten() {
    let world = World::new("refused-drift").await;
    let _operator = world.start().await;
    let refusals = [
        ("limited", FaultKind::TooMany { retry_after: None }),
        ("failing", FaultKind::internal_error()),
        ("dropped", FaultKind::DropBefore),
    ];
    for (name, _) in &refusals {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    }
    for (name, kind) in refusals {
        world.ready(name).await;
        let meta = json!({"n": "somebody else's"}).as_object().cloned();
        assert!(world.workspace.mutate(name, Seed { meta, ..Seed::default() }));
        world.workspace.order(Fault::new(kind).on(Operation::Update).of(name).once());
        world.ask_for_check(name, "look").await;
    }
    for name in ["limited", "failing", "dropped"] {
        world.until(name, "done with the poke", |object| object["status"]["lastHandledReconcileAt"] == "look").await;
        world.ready(name).await;
        assert_eq!(world.workspace.live(name).unwrap().meta, json!({"n": 1}), "{name}");
    }
    world.assert_in_step().await;
}
