//! `unkey-operator import`: what Unkey holds becomes manifests, and applied they change nothing. No operator runs here.

mod commands;
mod contents;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation, Permissions};

use self::commands::{
    CREATE, SERVER_SIDE, adopts, files, folder, follow, import, import_as, imported, list, named, told,
};
use super::harness::{World, identity, succeeded};

#[tokio::test]
async fn what_is_applied_is_what_unkey_holds() {
    let world = World::new("import").await;
    let created = contents::created();
    let contents: BTreeMap<String, Value> = contents::all().into_iter().chain(created.clone()).collect();
    for (external_id, content) in &contents {
        world.seed(external_id, content);
    }
    let all: BTreeSet<String> = contents.keys().cloned().collect();
    let (out, out_arg) = folder(&world, "out");
    let args = ["--output-dir", &out_arg, "--split", "50", "-l", "team=billing"];
    let stderr = imported(&import(&world, &args).await);
    let written = files(&out);
    assert_eq!(written.len(), (all.len() - created.len()).div_ceil(50) + 2, "{:?}", written.keys());
    assert_eq!(named(&stderr, CREATE), created.keys().cloned().collect(), "{stderr}");

    follow(&world, &stderr).await;
    let objects = world.list().await;
    assert_eq!(objects.len(), all.len());
    let spec = &objects[0]["spec"];
    assert_eq!(
        (&objects[0]["metadata"]["labels"]["team"], &spec["deletionPolicy"]),
        (&json!("billing"), &json!("Orphan"))
    );
    adopts(&world, &all).await;

    // Once more: nothing is different, neither in the files nor in the cluster.
    imported(&import(&world, &args).await);
    assert_eq!(files(&out), written);
    succeeded(&world.plane_kubectl(&["apply", "--server-side", "-k", &out_arg], "").await);
    succeeded(&world.plane_kubectl(&["replace", "-f", &format!("{out_arg}/create-*.yaml")], "").await);
    let told = |objects: &[Value]| -> Vec<(Value, Value)> {
        objects.iter().map(|it| (it["metadata"]["generation"].clone(), it["spec"].clone())).collect()
    };
    assert!(told(&world.list().await) == told(&objects), "a second apply changes something");
}

/// What is not named for another way can be applied in any way, and as often as one likes.
#[tokio::test]
async fn a_client_side_apply_does_for_what_is_not_named() {
    let world = World::new("import-client-side").await;
    for (external_id, content) in contents::all().into_iter().chain(contents::created()) {
        world.seed(&external_id, &content);
    }
    let (code, piped, stderr) = told(&import(&world, &["-"]).await);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("Next: kubectl create -f -, "), "{stderr}");
    let apart: BTreeSet<String> = named(&stderr, SERVER_SIDE).union(&named(&stderr, CREATE)).cloned().collect();
    assert!(apart.len() < 12 && apart.contains("null") && !apart.contains("numbers"), "{apart:?}");
    let plain: BTreeSet<String> = contents::all().into_keys().filter(|it| !apart.contains(it)).collect();
    let (path, out) = folder(&world, "out");
    let list = list(&world, "names", &plain);
    imported(&import(&world, &["--output-dir", &out, "--external-ids", &list]).await);
    assert!(piped.contains(files(&path)["identities-0001.yaml"].split("---\n").nth(1).unwrap()), "the same documents");
    for _ in 0..2 {
        succeeded(&world.plane_kubectl(&["apply", "-k", &out], "").await);
        adopts(&world, &plain).await;
    }
}

/// To a root key that may not read, some workspaces look empty.
#[tokio::test]
async fn nothing_at_all_is_no_result() {
    let world = World::new("import-empty").await;
    world.seed("a", &json!({}));
    let (path, out) = folder(&world, "out");
    imported(&import(&world, &["--output-dir", &out]).await);
    let before = files(&path);
    world.workspace.set_mask_permissions(true);
    let (code, stdout, stderr) = told(&import_as(&world, Permissions::NONE, &["--output-dir", &out]).await);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("Unkey shows no identity at all"), "{stderr}");
    assert_eq!(files(&path), before, "an earlier import stays");
}

/// Standard output leads to the same as a folder.
#[tokio::test]
async fn what_is_printed_can_be_created() {
    let world = World::new("import-printed").await;
    for (external_id, content) in contents::created() {
        world.seed(&external_id, &content);
    }
    world.seed("plain", &json!({"meta": {"a": null}}));
    let (code, piped, stderr) = told(&import(&world, &["-"]).await);
    assert!(code == 0 && stderr.contains("5 manifests. Next: kubectl create -f -, "), "{stderr}");
    succeeded(&world.plane_kubectl(&["create", "-f", "-"], &piped).await);
    adopts(&world, &contents::created().into_keys().chain(["plain".to_owned()]).collect()).await;
}

/// Unkey lists nothing before an identity with so much meta; named, it is read by itself.
#[tokio::test]
async fn what_makes_the_workspace_unlistable_is_named() {
    let world = World::new("import-large").await;
    let large = |count: usize| json!({"meta": {"a": "x".repeat(count - r#"{"a":""}"#.len())}});
    for (external_id, content) in [("large", large(1_048_576)), ("long", large(262_000)), ("small", large(10))] {
        world.seed(external_id, &content);
    }
    let (path, out) = folder(&world, "out");
    let (code, stdout, stderr) = told(&import(&world, &["--output-dir", &out]).await);
    assert_eq!((code, stdout.as_str(), path.exists()), (1, "", false), "{stderr}");
    assert!(stderr.contains("cannot be listed to its end") && stderr.contains("--external-ids"), "{stderr}");

    let all = BTreeSet::from(["large", "long", "small"].map(str::to_owned));
    let list = list(&world, "names", &all);
    let stderr = imported(&import(&world, &["--output-dir", &out, "--external-ids", &list]).await);
    assert_eq!(named(&stderr, SERVER_SIDE), BTreeSet::from(["large", "long"].map(str::to_owned)), "{stderr}");
    follow(&world, &stderr).await;
    adopts(&world, &all).await;
}

#[tokio::test]
async fn a_page_that_fails_fails_the_import() {
    let world = World::new("import-pages").await;
    for at in 0..120 {
        world.seed(&format!("c{at}"), &json!({}));
    }
    let (path, out) = folder(&world, "out");
    let refused = json!({"meta": {"requestId": "req_seen"}, "error": {"title": "Forbidden", "detail": "no", "status": 403, "type": "https://unkey.com/docs/errors/unkey/authorization/forbidden"}});
    for (kind, expected) in [
        (FaultKind::status(403, "application/json", &refused.to_string()), "; req_seen (took "),
        (FaultKind::internal_error(), "Unkey answers no page after 100 identities"),
        (FaultKind::html(404), "page 2 of the workspace cannot be listed: "),
    ] {
        let fault = world.workspace.order(Fault::new(kind).on(Operation::List).after(1));
        let (code, stdout, stderr) = told(&import(&world, &["--output-dir", &out]).await);
        assert_eq!((code, stdout.as_str(), path.exists()), (1, "", false), "{stderr}");
        assert!(stderr.contains(expected) && stderr.contains("nothing is written"), "{stderr}");
        let (code, stdout, _) = told(&import(&world, &["-"]).await);
        assert_eq!((code, stdout.as_str()), (1, ""), "no half of a result");
        assert!(world.workspace.clear_fault(fault));
    }
    imported(&import(&world, &["--output-dir", &out]).await);
    let before = files(&path);
    world.seed("d", &json!({}));
    world.workspace.order(Fault::new(FaultKind::html(404)).on(Operation::List).after(1));
    assert_eq!(import(&world, &["--output-dir", &out]).await.status.code(), Some(1));
    assert_eq!(files(&path), before, "an earlier import stays");
}

#[tokio::test]
async fn what_cannot_be_expressed_is_listed() {
    let world = World::new("import-partial").await;
    let limit = |name: &str| json!([{"name": name, "limit": 1, "duration": 1000, "autoApply": false}]);
    world.seed("acme", &json!({"meta": {"plan": "pro"}}));
    world.seed("id_12345678", &json!({}));
    world.seed("accents", &json!({"ratelimits": limit("caf\u{e9}")}));
    world.seed("short", &json!({"ratelimits": limit("ab")}));
    let deep = (0..101).fold(json!("secret"), |inner, _| json!({ "a": inner }));
    world.seed("deep", &json!({ "meta": deep }));
    let (path, out) = folder(&world, "out");
    let (code, stdout, stderr) = told(&import(&world, &["--output-dir", &out]).await);
    assert_eq!((code, stdout.as_str(), path.exists()), (1, "", false), "{stderr}");
    for expected in [
        "identity 'accents' is left out: spec.ratelimits[0].name is refused: name must be printable ASCII",
        "identity 'deep' is left out: meta is nested 101 levels deep",
        "identity 'id_12345678' is left out: spec.externalId is refused: externalId must not look like",
        "identity 'short' is left out: spec.ratelimits[0].name must have at least 3 characters (the limit is named 'ab')",
        "4 identities cannot be expressed as a manifest; nothing is written. Correct them in Unkey",
    ] {
        assert!(stderr.contains(expected), "{expected}: {stderr}");
    }
    assert!(!stderr.contains("secret"), "{stderr}");
    let stderr = imported(&import(&world, &["--output-dir", &out, "--allow-partial"]).await);
    assert!(stderr.contains("'deep' is left out") && stderr.contains("1 manifest in 1 file"), "{stderr}");
    // What is not needed is left out of the manifests instead.
    let some = ["--external-id-prefix=ac", "--external-id-prefix=deep"];
    let args = [&["--output-dir", &out, "--meta=omit", "--ratelimits=omit"][..], &some].concat();
    let stderr = imported(&import(&world, &args).await);
    assert!(stderr.contains("3 manifests in 1 file"), "accents, acme and deep: {stderr}");
}

#[tokio::test]
async fn only_what_no_identity_names() {
    let world = World::new("import-unmanaged").await;
    let beside = world.beside("import-elsewhere").await;
    // No other test of this cluster names these.
    for external_id in ["lone-a", "lone-b", "lone-c-1", "lone-c-2"] {
        world.seed(external_id, &json!({}));
    }
    beside.create("named", &json!({"externalId": "lone-a"})).await;
    world.try_create(&identity("lone-b", &json!({"externalId": "other"}))).await.unwrap();
    let (path, out) = folder(&world, "out");
    let prefixes = ["--external-id-prefix", "lone-c-", "--external-id-prefix", "lone-a"];
    let args = [&["--output-dir", &out, "--unmanaged"][..], &prefixes].concat();
    imported(&import(&world, &args).await);
    let text = &files(&path)["identities-0001.yaml"];
    assert!(text.contains("\"lone-c-1\"") && text.contains("\"lone-c-2\"") && !text.contains("\"lone-a\""), "{text}");
    let (code, _, stderr) = told(&import(&world, &["--output-dir", &out, "--unmanaged"]).await);
    assert!(
        code == 1 && stderr.contains("identity 'lone-b' is left out: the name 'lone-b' is that of another Identity"),
        "{stderr}"
    );
    let before = files(&path);
    let (code, _, stderr) = told(&import(&world, &["--output-dir", &out, "--search", "nobody"]).await);
    assert!(code == 1 && stderr.contains("no identity in Unkey passes the filters"), "{stderr}");
    assert_eq!(files(&path), before, "an earlier import stays");
}

#[tokio::test]
async fn what_the_user_gives_may_be_wrong() {
    let world = World::new("import-usage").await;
    world.seed("a", &json!({}));
    let occupied = world.files.path().to_str().unwrap();
    let (empty_path, empty) = folder(&world, "empty-list");
    std::fs::write(empty_path, "\n\n").unwrap();
    let (_, missing) = folder(&world, "missing");
    for (args, expected) in [
        (&["--output-dir", occupied][..], "which no import has written"),
        (&["-", "--external-ids", &missing], "of --external-ids cannot be read"),
        (&["-", "--external-ids", &empty], "names no externalId"),
        (&["-", "-l", "a"], "is not of the form key=value"),
        (&[], "required"),
    ] {
        let (code, stdout, stderr) = told(&import(&world, args).await);
        assert!(code == 2 && stdout.is_empty() && stderr.contains(expected), "{expected}: {stderr}");
    }
    assert_eq!(world.calls(), [0; 5], "Unkey was asked");
    let mut without_key = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
    without_key.args(["import", "-n", "shop", "-"]).env_clear().env("HOME", "/nonexistent");
    let (code, stdout, stderr) =
        told(&tokio::task::spawn_blocking(move || without_key.output().unwrap()).await.unwrap());
    assert!(code == 2 && stdout.is_empty() && stderr.contains("there is no root key"), "{stderr}");
}
