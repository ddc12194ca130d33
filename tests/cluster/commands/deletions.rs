//! `deletions`: what is held is shown, and goes once it is approved.

use std::io::Write as _;

use serde_json::{Value, json};

use super::super::harness::{World, identity, succeeded};
use super::super::unmanage::terminal;
use super::{does_not_know, failed, json as read, keyless, stderr, without_key};

/// Three may go at once.
const THREE: [&str; 6] = ["--deletion-hold", "1s", "--max-deletions", "3", "--max-deletions-share", "0"];

#[tokio::test]
async fn what_is_held_goes_once_it_is_approved() {
    let world = World::new("approve").await.with_args(&THREE);
    let _operator = world.start().await;
    let names: Vec<String> = (0..8).map(|n| format!("c{n}")).collect();
    for name in names.iter().map(String::as_str).chain(["lives"]) {
        world.create(name, &json!({"externalId": name})).await;
        world.ready(name).await;
    }
    assert_eq!(succeeded(&keyless(&world, &["deletions"]).await), "no deletion waits\n");
    let (code, said) = failed(&keyless(&world, &["deletions", "approve", "lives", "--yes"]).await);
    assert!(code == 1 && said.contains("is not being deleted, so nothing was approved"), "{said}");
    for name in &names {
        world.delete(name).await;
    }
    for name in &names {
        world.reason(name, "DeletionHeld").await;
    }
    let shown = succeeded(&keyless(&world, &["deletions"]).await);
    assert!(shown.ends_with(&format!("\n{}: 8 held until approved\n", world.namespace)), "{shown}");
    let document = read(&keyless(&world, &["deletions", "-o", "json"]).await);
    assert_eq!(document["namespaces"][&world.namespace]["held"], 8);
    assert_eq!((&document["items"][0]["name"], &document["items"][0]["delay"]), (&json!("c0"), &json!("held")));
    let printed = succeeded(&keyless(&world, &["deletions", "-o", "jsonl"]).await);
    let each: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((each.len(), &each[7]["name"], &each[8]["items"]), (9, &json!("c7"), &Value::Null));
    assert_eq!(each[8]["namespaces"][&world.namespace]["held"], 8, "the summary comes last");

    let (code, said) = failed(&keyless(&world, &["deletions", "approve", "--all"]).await);
    assert!(code == 2 && said.contains("not a terminal, so you cannot be asked to confirm; pass --yes"), "{said}");
    let (code, _) = failed(&keyless(&world, &["deletions", "approve", "--yes"]).await);
    assert_eq!(code, 2, "neither a name nor --all");
    does_not_know(&world, &["deletions", "approve", "nobody", "--yes"]).await;
    let annotated = |it: &Value| it["metadata"]["annotations"]["unkey.com/deletion-approved"].clone();
    assert!(world.list().await.iter().all(|it| annotated(it).is_null()), "nothing was approved so far");

    let until = ["--until", "2999-01-01T00:00:00Z", "--yes"];
    let said = succeeded(&keyless(&world, &[&["deletions", "approve", "c0"][..], &until].concat()).await);
    assert_eq!(said, "approved the deletion of 1 identity until 2999-01-01T00:00:00Z\n");
    world.gone("c0").await;
    assert_eq!(world.calls()[3], 1, "the others are held");
    let said = read(&keyless(&world, &["deletions", "approve", "--all", "--yes", "-o", "json"]).await);
    assert_eq!((&said["identities"], said["items"].as_array().map(Vec::len)), (&json!(7), Some(7)));
    for name in &names {
        world.gone(name).await;
    }
    assert_eq!(world.calls()[3], 8);
    let lives = world.get("lives").await.unwrap();
    assert!(annotated(&lives).is_null(), "what lives is not approved");
    assert_eq!(succeeded(&keyless(&world, &["deletions", "approve", "--all", "--yes"]).await), "");
}

/// What is suspended waits for its user: an approval would change nothing.
#[tokio::test]
async fn what_something_else_stops_is_not_approved() {
    let world = World::new("approve-blocked").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    world.ready("x").await;
    world.edit("x", &json!({"suspend": true})).await;
    world.reason("x", "Suspended").await;
    world.delete("x").await;
    world.reason("x", "DeletionBlocked").await;
    let shown = succeeded(&keyless(&world, &["deletions"]).await);
    assert!(shown.ends_with(": 1 blocked\n"), "{shown}");
    let all = keyless(&world, &["deletions", "approve", "--all", "--yes", "-o", "json"]).await;
    assert_eq!(read(&all)["identities"], 0);
    assert!(stderr(&all).contains("no deletion there waits for an approval"), "{}", stderr(&all));
    let (code, said) = failed(&keyless(&world, &["deletions", "approve", "x", "--yes"]).await);
    assert!(code == 1 && said.contains("DeletionBlocked stops the deletion of "), "{said}");
    assert!(said.contains("no approval would let any of these deletions go"), "{said}");
    let approval = &world.get("x").await.unwrap()["metadata"]["annotations"]["unkey.com/deletion-approved"];
    assert!(approval.is_null(), "nothing is approved: {approval}");
}

/// On a terminal it says what goes, and only a whole "yes" is consent.
#[tokio::test]
async fn it_asks_first() {
    let world = World::new("approve-asks").await;
    let mut manifest = identity("x", &json!({"externalId": "x"}));
    manifest["metadata"]["finalizers"] = json!(["unkey.com/identity"]);
    let uid = world.try_create(&manifest).await.unwrap()["metadata"]["uid"].clone();
    let status = json!([{"op": "add", "path": "/status", "value": {"uid": uid, "identityId": "id_1", "deletionPolicy": "Delete"}}]);
    world.patch_status("x", &status).await;
    world.delete("x").await;
    let answered = async |answer: &str| {
        let (mut keyboard, screen) = terminal();
        keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
        let mut command = without_key(&world, &["deletions", "approve", "--all", "-n", &world.namespace]);
        command.stdin(screen);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let approval =
        async || world.get("x").await.unwrap()["metadata"]["annotations"]["unkey.com/deletion-approved"].clone();
    let (code, said) = failed(&answered("y").await);
    assert!(code == 1 && said.ends_with("unkey-operator: not confirmed; nothing was approved\n"), "{said}");
    let expected = "the deletion of 1 identity in Unkey, each of a customer, until ";
    assert!(said.contains(expected) && said.contains(&format!("\n  {}: x\n", world.namespace)), "{said}");
    assert!(approval().await.is_null());
    let output = answered("yes").await;
    assert!(succeeded(&output).starts_with("approved the deletion of 1 identity until "), "{}", stderr(&output));
    let until: k8s_openapi::jiff::Timestamp = approval().await.as_str().unwrap().parse().unwrap();
    let ahead = until.as_second() - k8s_openapi::jiff::Timestamp::now().as_second();
    assert!((3_500..=3_700).contains(&ahead), "an hour: {ahead}");
    world.patch("x", &json!({"metadata": {"finalizers": null}})).await;
}
