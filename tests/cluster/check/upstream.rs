//! What `check` says of Unkey and of root keys.

use serde_json::json;
use unkey_emulator::Permissions;

use super::asked::{args, check, cluster_of, path, run, unkey_of};
use crate::harness::{ROOT_KEY, World};

const ALL: Permissions = Permissions::ALL;

/// What is lacking, and the check that names it.
const LOSSES: [(Permissions, &str, &str); 4] = [
    (Permissions { create: false, ..ALL }, "permission-create", "identity.*.create_identity"),
    (Permissions { read: false, ..ALL }, "permission-read", "identity.*.read_identity"),
    (Permissions { update: false, ..ALL }, "permission-update", "identity.*.update_identity"),
    (Permissions { delete: false, ..ALL }, "permission-delete", "identity.*.delete_identity"),
];

/// Without a cluster; nothing is changed, whatever the key may do.
#[tokio::test]
async fn each_missing_permission_is_named_and_nothing_left_behind() {
    let world = World::new("check-permissions").await;
    world.seed("customer", &json!({"meta": {"secret": "CANARY"}}));
    let (before, unkey) = (world.workspace.snapshot(), unkey_of(&world));
    let asked = args(&[&unkey], &["--permissions"]);
    let well = check(&asked).await;
    assert_eq!((well.code, well.all_that("fail").len(), well.all_that("cannot-tell").len()), (0, 0, 0), "{}", well.all);
    assert_eq!(well.verdict("api-server"), "skipped", "there is no cluster");
    for (left, id, permission) in LOSSES {
        world.workspace.add_root_key(ROOT_KEY, left);
        let lacks = check(&asked).await;
        lacks.says(id, "fail", &format!("lacks the permission '{permission}'"));
        let also = if id == "permission-read" { &["root-key", id][..] } else { &[id] };
        assert_eq!((lacks.code, lacks.all_that("fail")), (1, also.to_vec()), "{}", lacks.all);
        // A refused list does not say what the workspace allows.
        let untold = if id == "permission-read" { vec!["rate-limit"] } else { vec![] };
        assert_eq!(lacks.all_that("cannot-tell"), untold, "{}", lacks.all);
        assert!(!lacks.all.contains("CANARY") && !lacks.all.contains(ROOT_KEY), "{}", lacks.all);
    }
    world.workspace.add_root_key(ROOT_KEY, Permissions::NONE);
    let nothing = check(&asked).await;
    assert_eq!(nothing.all_that("fail").len(), 5, "{}", nothing.all);
    assert_eq!(world.workspace.snapshot(), before);
}

/// R19: a 404 is the answer to whoever may and to whoever may not.
#[tokio::test]
async fn a_server_that_masks_permissions_is_not_believed() {
    let world = World::new("check-masked").await;
    world.seed("customer", &json!({}));
    world.workspace.set_mask_permissions(true);
    let (before, unkey) = (world.workspace.snapshot(), unkey_of(&world));
    let asked = args(&[&unkey], &["--permissions"]);
    for (left, id, _) in [(ALL, "", "")].into_iter().chain(LOSSES) {
        world.workspace.add_root_key(ROOT_KEY, left);
        let masked = check(&asked).await;
        for it in ["permission-update", "permission-delete"] {
            masked.says(it, "cannot-tell", "404 too where the permission is missing");
        }
        let create = if id == "permission-create" { "fail" } else { "ok" };
        let read = if id == "permission-read" { "cannot-tell" } else { "ok" };
        assert_eq!((masked.verdict("permission-create"), masked.verdict("permission-read")), (create, read), "{id}");
        assert_eq!(masked.code, i32::from(create == "fail"), "{}", masked.all);
    }
    assert_eq!(world.workspace.snapshot(), before);
}

#[tokio::test]
async fn a_key_that_unkey_does_not_know_and_one_that_cannot_be_used() {
    let world = World::new("check-wrong-key").await;
    let unkey = unkey_of(&world);
    world.write_key("unkey_root_unknown");
    let wrong = check(&args(&[&unkey], &["--permissions"])).await;
    assert_eq!((wrong.code, wrong.verdict("unkey")), (1, "ok"), "{}", wrong.all);
    wrong.says("root-key", "fail", "does not accept the root key from the file '");
    for id in ["workspace", "rate-limit", "permission-create"] {
        assert_eq!(wrong.verdict(id), "skipped");
    }
    assert!(!wrong.all.contains("unkey_root_unknown"), "{}", wrong.all);
    world.write_key("");
    let empty = check(&args(&[&unkey], &[])).await;
    assert_eq!((empty.code, empty.all_that("fail")), (1, vec!["root-key"]), "{}", empty.all);
}

/// What the head of an answer tells: the limit and the time.
#[tokio::test]
async fn the_limit_and_the_clock_are_told() {
    let world = World::new("check-limit").await;
    let unkey = unkey_of(&world);
    let asked = args(&[&unkey], &[]);
    check(&asked).await.says("rate-limit", "ok", "no limit");
    world.workspace.set_limit_per_minute(Some(600));
    let limited = check(&asked).await;
    limited.says("rate-limit", "ok", "allows 600 requests a minute; ");
    limited.says("clock", "ok", "agrees with Unkey");
    let text = run(&asked).await;
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("ok       unkey       Unkey answers at http://"), "{text}");
    assert!(text.ends_with("12 checks: 4 ok, 8 skipped\n"), "{text}");
}

/// R15, and that a key in another place is compared with what the cluster has recorded.
#[tokio::test]
async fn a_key_of_another_workspace_is_told() {
    let world = World::new("check-workspace").await;
    let operator = world.start().await;
    for name in ["a", "b"] {
        world.create(name, &json!({"externalId": name, "meta": {"secret": "CANARY"}})).await;
        world.ready(name).await;
    }
    assert!(operator.terminate().await.success());
    let (cluster, unkey, scope) = (cluster_of(&world), unkey_of(&world), format!("--namespace={}", world.namespace));
    let asked = args(&[&cluster, &unkey], &["--operator", &world.namespace, "--", "run", &scope]);
    let (before, gets) = (world.workspace.snapshot(), world.calls()[1]);
    let same = check(&asked).await;
    same.says("workspace", "ok", "is recorded");
    assert_eq!(world.calls()[1] - gets, 1, "the first one that shows its id is enough");
    let other = world.emulator.workspace("other");
    other.add_root_key("unkey_root_other", ALL);
    world.write_key("unkey_root_other");
    let elsewhere = check(&asked).await;
    elsewhere.says("workspace", "fail", "leads to another workspace");
    assert!(elsewhere.code == 1 && !elsewhere.all.contains("CANARY"), "{}", elsewhere.all);
    assert_eq!((world.workspace.snapshot(), other.snapshot().live.len()), (before, 0));
}

#[tokio::test]
async fn with_neither_there_is_nothing_to_check() {
    let output = run(&["--permissions"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    assert!(
        said.starts_with("unkey-operator: there is nothing to check: ") && said.contains("--root-key-file"),
        "{said}"
    );
    let world = World::new("check-usage").await;
    let missing = run(&["--kubeconfig", path(&world.files.path().join("missing"))]).await;
    assert_eq!(missing.status.code(), Some(2), "a file that is named has to be there");
}
