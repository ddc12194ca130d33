//! R19: a root key that loses a permission, where Unkey answers 403 and where it answers as if the identity did not exist. Nothing is lost,
//! let go or created twice, and the conditions name what is missing.

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation, Permissions, Seed};

use super::harness::{Operator, ROOT_KEY, World, condition, eventually};
use super::scan_faults::{made, numbered};

const ALL: Permissions = Permissions::ALL;
const UNWITNESSED: &str = "unkey_operator_absence_unwitnessed";

fn message(object: &Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

/// A world with Ready Identities of these names.
async fn filled(name: &str, names: &[&str]) -> (World, Operator) {
    let world = World::new(name).await;
    let operator = world.start().await;
    for name in names {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    }
    for name in names {
        world.ready(name).await;
    }
    (world, operator)
}

fn accepted(world: &World, operation: Operation) -> usize {
    world.workspace.requests().iter().filter(|it| it.operation == operation && it.handled == Some(200)).count()
}

/// What each of these objects says that it lacks, while the key may do no more than `left`: its reason, and a word of its message.
struct Lost {
    left: Permissions,
    goes: Option<&'static str>,
    edited: Option<&'static str>,
    poked: Option<&'static str>,
    newcomer: Option<&'static str>,
}

/// Waits until `unkey_operator_absence_unwitnessed` is so.
async fn until_unwitnessed(operator: &Operator, wanted: u64) {
    eventually(&format!("absence_unwitnessed to be {wanted}"), async || {
        (unwitnessed(operator).await == wanted).then_some(())
    })
    .await;
}

async fn unwitnessed(operator: &Operator) -> u64 {
    let metrics = operator.metrics().await;
    assert!(metrics.samples.iter().any(|it| it.name == UNWITNESSED), "it is there from the start");
    metrics.sum(UNWITNESSED, &[])
}

/// Takes permissions away under a deletion, an edit, a reconcile request and a newcomer, looks at what is said, and gives them back.
async fn loses(name: &str, masks: bool, lost: Lost) {
    let (world, _operator) = filled(name, &["stays", "goes", "edited", "poked"]).await;
    let ids = ["stays", "edited", "poked"].map(|it| world.workspace.live(it).unwrap().id);
    world.workspace.set_mask_permissions(masks);
    world.workspace.add_root_key(ROOT_KEY, lost.left);
    world.delete("goes").await;
    world.edit("edited", &json!({"meta": {"n": 2}})).await;
    world.ask_for_check("poked", "1").await;
    world.create("newcomer", &json!({"externalId": "newcomer"})).await;
    for (name, lacks) in [("edited", lost.edited), ("poked", lost.poked), ("newcomer", lost.newcomer)] {
        match lacks {
            None => drop(world.ready(name).await),
            Some(permission) => {
                let denied = world.reason(name, "PermissionDenied").await;
                assert!(message(&denied).contains(permission), "{name}: {denied}");
            }
        }
    }
    match lost.goes {
        None => world.gone("goes").await,
        Some(permission) => {
            let blocked = world.reason("goes", "DeletionBlocked").await;
            assert!(message(&blocked).contains(permission), "{blocked}");
            assert!(world.workspace.live("goes").is_some() && blocked["metadata"].get("finalizers").is_some());
        }
    }
    for (name, id) in ["stays", "edited", "poked"].iter().zip(&ids) {
        assert_eq!(world.workspace.live(name).map(|it| it.id).as_ref(), Some(id), "{name}");
    }
    world.workspace.add_root_key(ROOT_KEY, ALL);
    for name in ["goes", "edited", "poked", "newcomer"] {
        world.ask_for_check_if_there(name, "granted").await;
    }
    world.gone("goes").await;
    for (name, id) in ["stays", "edited", "poked"].iter().zip(&ids) {
        assert_eq!(world.ready(name).await["status"]["identityId"], id.as_str(), "{name}");
    }
    world.ready("newcomer").await;
    world.assert_in_step().await;
    assert_eq!(accepted(&world, Operation::Create), 5, "nothing was created twice");
    assert_eq!(accepted(&world, Operation::Delete), 1, "and nothing else deleted");
}

const DELETE: Lost = Lost {
    left: Permissions { delete: false, ..ALL },
    goes: Some("identity.*.delete_identity"),
    edited: None,
    poked: None,
    newcomer: None,
};
const UPDATE: Lost = Lost {
    left: Permissions { update: false, ..ALL },
    goes: None,
    edited: Some("identity.*.update_identity"),
    poked: None,
    newcomer: None,
};
const READ: Lost = Lost {
    left: Permissions { read: false, ..ALL },
    goes: None,
    edited: None,
    poked: Some("identity.*.read_identity"),
    newcomer: None,
};
const CREATE: Lost = Lost {
    left: Permissions { create: false, ..ALL },
    goes: None,
    edited: None,
    poked: None,
    newcomer: Some("identity.*.create_identity"),
};
const EVERYTHING: Lost = Lost {
    left: Permissions::NONE,
    goes: Some("identity.*."),
    edited: Some("identity.*."),
    poked: Some("identity.*.read_identity"),
    newcomer: Some("identity.*.create_identity"),
};

#[tokio::test]
async fn the_right_to_delete_is_lost_and_masked() {
    loses("masked-delete", true, DELETE).await;
}

#[tokio::test]
async fn the_right_to_delete_is_lost_and_refused() {
    loses("refused-delete", false, DELETE).await;
}

#[tokio::test]
async fn the_right_to_update_is_lost_and_masked() {
    loses("masked-update", true, UPDATE).await;
}

#[tokio::test]
async fn the_right_to_update_is_lost_and_refused() {
    loses("refused-update", false, UPDATE).await;
}

#[tokio::test]
async fn the_right_to_read_is_lost_and_masked() {
    loses("masked-read", true, READ).await;
}

#[tokio::test]
async fn the_right_to_read_is_lost_and_refused() {
    loses("refused-read", false, READ).await;
}

#[tokio::test]
async fn the_right_to_create_is_lost_and_masked() {
    loses("masked-create", true, CREATE).await;
}

#[tokio::test]
async fn the_right_to_create_is_lost_and_refused() {
    loses("refused-create", false, CREATE).await;
}

#[tokio::test]
async fn all_rights_are_lost_and_masked() {
    loses("masked-all", true, EVERYTHING).await;
}

#[tokio::test]
async fn all_rights_are_lost_and_refused() {
    loses("refused-all", false, EVERYTHING).await;
}

/// S39 with every answer lost: the identities are gone, nobody knows it, and nothing is left to show that the key may still read.
#[tokio::test]
async fn the_last_deletions_end_though_every_answer_is_lost_and_the_operator_dies() {
    for names in [&["a"][..], &["a", "b", "c"]] {
        let (world, operator) = filled("last", names).await;
        world.workspace.order(Fault::new(FaultKind::DropAfter).on(Operation::Delete));
        for name in names {
            world.delete(name).await;
        }
        eventually("all to be deleted in Unkey", async || {
            (accepted(&world, Operation::Delete) == names.len()).then_some(())
        })
        .await;
        operator.kill();
        world.workspace.clear_faults();
        let _operator = world.start().await;
        for name in names {
            world.gone(name).await;
        }
        world.assert_in_step().await;
    }
}

/// A witness is asked for only where something rests on absence: a deletion that Unkey confirms costs one call.
#[tokio::test]
async fn a_deletion_costs_one_call_and_one_of_what_is_gone_four_at_most() {
    let (world, operator) = filled("costs", &["stays", "goes", "gone"]).await;
    let before = world.calls();
    world.delete("goes").await;
    world.gone("goes").await;
    let [creates, gets, updates, deletes, lists] = before;
    assert_eq!(world.calls(), [creates, gets, updates, deletes + 1, lists]);
    // A window later no answer can be a replica's.
    world.workspace.delete("gone");
    world.ready("stays").await;
    world.delete("gone").await;
    world.gone("gone").await;
    // Its delete, answered with a 404; a settled get of its own; and one of another identity as its witness.
    assert_eq!(world.calls(), [creates, gets + 2, updates, deletes + 2, lists]);
    assert_eq!(unwitnessed(&operator).await, 0, "the witness came");
}

/// The oldest identity cannot be read, nor can the list: the next one is the witness.
#[tokio::test]
async fn one_identity_that_cannot_be_read_is_not_the_end_of_the_look_for_a_witness() {
    let (world, _operator) = filled("unreadable", &["oldest"]).await;
    world.next_second().await;
    made(&world, &numbered("x", 4)).await;
    world.workspace.order(Fault::new(FaultKind::internal_error()).on(Operation::List));
    world.workspace.order(Fault::new(FaultKind::internal_error()).on(Operation::Get).of("oldest"));
    assert!(world.workspace.delete("x3"));
    world.delete("x3").await;
    world.gone("x3").await;
}

/// The three oldest rest and are gone in Unkey, and the list cannot be read: the next look asks others.
#[tokio::test]
async fn three_that_are_gone_and_rest_do_not_hide_the_others() {
    let old = ["old0", "old1", "old2"];
    let (world, _operator) = filled("trio", &old).await;
    world.next_second().await;
    made(&world, &numbered("x", 4)).await;
    world.workspace.order(Fault::new(FaultKind::internal_error()).on(Operation::List));
    for name in old {
        world.edit(name, &json!({"suspend": true})).await;
        world.reason(name, "Suspended").await;
        assert!(world.workspace.delete(name));
    }
    assert!(world.workspace.delete("x3"));
    world.delete("x3").await;
    world.gone("x3").await;
}

/// A permission that comes back makes no old read count: what was read without it is read again.
#[tokio::test]
async fn what_was_read_without_the_permission_does_not_count_when_it_is_back() {
    let (world, operator) = filled("back", &["stays", "goes"]).await;
    assert_eq!(unwitnessed(&operator).await, 0, "nobody has looked");
    world.workspace.set_mask_permissions(true);
    world.workspace.add_root_key(ROOT_KEY, Permissions::NONE);
    world.delete("goes").await;
    world.reason("goes", "DeletionBlocked").await;
    operator.until_logged("the root key shows no identity of the workspace").await;
    until_unwitnessed(&operator, 1).await;
    world.workspace.add_root_key(ROOT_KEY, ALL);
    world.ask_for_check("goes", "granted").await;
    world.gone("goes").await;
    until_unwitnessed(&operator, 0).await;
    assert!(world.workspace.live("goes").is_none(), "it was deleted, not let go");
    assert_eq!(accepted(&world, Operation::Delete), 1);
    world.assert_in_step().await;
}

/// R7: manifests applied over existing customers and deleted again before anything was recorded cost nobody anything.
#[tokio::test]
async fn what_is_only_adoptable_is_let_go() {
    let world = World::new("adoptable").await;
    let names = ["equal", "empty"];
    let meta = json!({"n": 1}).as_object().cloned();
    world.workspace.seed(Seed { external_id: "equal".to_owned(), meta, ratelimits: None }).unwrap();
    world.workspace.seed(Seed { external_id: "empty".to_owned(), ..Seed::default() }).unwrap();
    // The creates are answered "exists", and no get is answered before the operator has seen the deletion.
    let fails =
        names.map(|it| world.workspace.order(Fault::new(FaultKind::internal_error()).on(Operation::Get).of(it)));
    let _operator = world.start().await;
    for name in names {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    }
    for fault in fails {
        world.until_hit(fault, 1).await;
    }
    for name in names {
        world.delete(name).await;
    }
    for name in names {
        world.reason(name, "DeletionBlocked").await;
    }
    world.workspace.clear_faults();
    for name in names {
        world.gone(name).await;
        assert!(world.workspace.live(name).is_some(), "{name} stays");
        world.event(name, "Orphaned").await;
    }
    assert_eq!(accepted(&world, Operation::Delete), 0);
}

/// R9: what was given up, since a key without the permission to read did not show it, is taken back as what it was.
#[tokio::test]
async fn what_was_given_up_unseen_is_taken_back_as_it_was() {
    for policy in ["Never", "IfLossless"] {
        let (world, _operator) = filled("given-up", &["stays"]).await;
        world.create("a", &json!({"externalId": "a", "meta": {"n": 1}, "adoptionPolicy": policy})).await;
        let before = world.ready("a").await;
        world.workspace.set_mask_permissions(true);
        world.workspace.add_root_key(ROOT_KEY, Permissions { read: false, ..ALL });
        world.ask_for_check("a", "lost").await;
        world.reason("a", "PermissionDenied").await;
        world.workspace.add_root_key(ROOT_KEY, ALL);
        world.ask_for_check("a", "granted").await;
        let after = world.until("a", "checked", |it| it["status"]["lastHandledReconcileAt"] == "granted").await;
        for field in ["identityId", "origin"] {
            assert_eq!(after["status"][field], before["status"][field], "{policy}");
        }
    }
}

/// The permission to read is lost alone, and with it everything seems to be gone. What is recorded is given up, and not forgotten: it is deleted
/// by its id.
#[tokio::test]
async fn what_was_given_up_unseen_is_deleted_by_its_id() {
    let (world, _operator) = filled("given-up-deleted", &["stays", "goes"]).await;
    world.workspace.set_mask_permissions(true);
    world.workspace.add_root_key(ROOT_KEY, Permissions { read: false, ..ALL });
    for name in ["stays", "goes"] {
        world.ask_for_check(name, "lost").await;
        let denied = world.reason(name, "PermissionDenied").await;
        assert!(denied["status"]["identityId"].is_string(), "{denied}");
    }
    world.delete("goes").await;
    world.gone("goes").await;
    assert!(world.workspace.live("goes").is_none() && world.workspace.live("stays").is_some());
}

/// The same by a scan, which nobody asked for.
#[tokio::test]
async fn a_scan_without_the_permission_to_read_forgets_no_recorded_id() {
    let world = World::new("dark-scan").await.with_args(&["--scan-interval", "300ms"]);
    let _operator = world.start().await;
    for name in ["a", "b", "c"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    }
    for name in ["a", "b", "c"] {
        world.ready(name).await;
    }
    world.workspace.set_mask_permissions(true);
    world.workspace.add_root_key(ROOT_KEY, Permissions { read: false, ..ALL });
    for name in ["a", "b", "c"] {
        let denied = world.reason(name, "PermissionDenied").await;
        assert!(denied["status"]["identityId"].is_string(), "{denied}");
        world.delete(name).await;
    }
    for name in ["a", "b", "c"] {
        world.gone(name).await;
        assert!(world.workspace.live(name).is_none(), "{name} is left behind");
    }
}

/// A key that may only create sees an empty workspace, and what stands in for a witness where there is nothing must not where others should show.
#[tokio::test]
async fn a_key_that_may_only_create_lets_nothing_go() {
    let (world, _operator) = filled("only-create", &["stays", "goes"]).await;
    let ids = ["stays", "goes"].map(|it| world.workspace.live(it).unwrap().id);
    world.workspace.set_mask_permissions(true);
    world.workspace.add_root_key(ROOT_KEY, Permissions { create: true, ..Permissions::NONE });
    world.delete("goes").await;
    let blocked = world.reason("goes", "DeletionBlocked").await;
    assert!(message(&blocked).contains("permission"), "{blocked}");
    // Another one that asks is told the same, and nothing is made twice.
    world.ask_for_check("stays", "lost").await;
    world.reason("stays", "PermissionDenied").await;
    for (name, id) in ["stays", "goes"].iter().zip(&ids) {
        assert_eq!(world.workspace.live(name).map(|it| it.id).as_ref(), Some(id), "{name}");
    }
    world.workspace.add_root_key(ROOT_KEY, ALL);
    for name in ["stays", "goes"] {
        world.ask_for_check(name, "granted").await;
    }
    world.gone("goes").await;
    assert!(world.workspace.live("goes").is_none());
    assert_eq!(world.ready("stays").await["status"]["identityId"], ids[0].as_str());
}

/// Somebody has emptied the workspace: what stays is made again, and that is the witness for what goes.
#[tokio::test]
async fn in_a_workspace_that_was_emptied_what_stays_comes_back_and_what_goes_goes() {
    let (world, _operator) = filled("emptied", &["stays", "goes"]).await;
    for name in ["stays", "goes"] {
        assert!(world.workspace.delete(name));
    }
    world.delete("goes").await;
    world.reason("goes", "DeletionBlocked").await;
    let first = world.get("stays").await.unwrap()["status"]["identityId"].clone();
    world.ask_for_check("stays", "look").await;
    world.until("stays", "made again", |it| it["status"]["identityId"] != first && is_ready(it)).await;
    world.ask_for_check("goes", "look").await;
    world.gone("goes").await;
    world.assert_in_step().await;
}

fn is_ready(object: &Value) -> bool {
    condition(object, "Ready")["status"] == "True"
}
