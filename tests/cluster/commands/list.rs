//! `list`: what is the matter with each Identity, by the cluster alone and with Unkey.

use serde_json::{Value, json};

use super::super::harness::{World, succeeded, table};
use super::{ended, failed, json as read, keyless, run, stderr, with_key, without_key};

/// Names and states.
fn states(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let words = |item: &Value| item["states"].as_array().unwrap().iter().map(text).collect::<Vec<_>>().join(",");
    let items = document["items"].as_array().unwrap();
    items.iter().map(|item| (text(&item["name"]), words(item))).collect()
}

fn own(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

async fn world() -> (World, super::super::harness::Operator) {
    let world = World::new("list").await;
    let operator = world.start().await;
    for name in ["a", "b", "c", "s"] {
        world.create(name, &json!({"externalId": name, "meta": {"plan": "pro"}})).await;
        world.ready(name).await;
    }
    world.create("o", &json!({"externalId": "o", "managementPolicy": "Observe"})).await;
    world.reason("o", "NotInUnkey").await;
    world.edit("s", &json!({"suspend": true})).await;
    world.reason("s", "Suspended").await;
    world.patch("b", &json!({"metadata": {"labels": {"team": "b"}}})).await;
    (world, operator)
}

#[tokio::test]
async fn by_the_cluster_alone_and_with_unkey() {
    let (world, _operator) = world().await;
    let output = keyless(&world, &["list"]).await;
    assert!(stderr(&output).contains("there is no root key, so the cluster alone is asked"), "{}", stderr(&output));
    let shown = table(&succeeded(&output));
    assert_eq!(shown[0], ["NAME", "EXTERNAL-ID", "IDENTITY-ID", "STATE", "REASON", "AGE"]);
    assert_eq!(shown[1][..5], ["a", "a", world.upstream("a")["id"].as_str().unwrap(), "managed", "Synced"]);
    assert_eq!(shown[4][..5], ["o", "o", "-", "observed", "NotInUnkey"]);
    let suspended = keyless(&world, &["list", "--state", "suspended", "--output", "json"]).await;
    assert_eq!(states(&read(&suspended)), own(&[("s", "managed,suspended")]));
    assert_eq!(stderr(&suspended), "", "the cluster knows that by itself");
    let selected = keyless(&world, &["list", "-l", "team=b", "-o", "json"]).await;
    assert_eq!(states(&read(&selected)), own(&[("b", "managed")]));

    world.mutate("b", &json!({"meta": {"plan": "free"}}));
    assert!(world.workspace.delete("c"));
    world.seed("stranger", &json!({}));
    let all = read(&run(&world, &["list", "-o", "json"]).await);
    let expected = [
        ("a", "managed"),
        ("b", "managed,differs"),
        ("c", "managed,missing"),
        ("o", "missing,observed"),
        ("s", "managed,suspended"),
    ];
    assert_eq!(states(&all), own(&expected));
    let some = read(&run(&world, &["list", "-o", "json", "--state", "missing,unmanaged"]).await);
    let expected = [("c", "managed,missing"), ("o", "missing,observed"), ("-", "unmanaged")];
    assert_eq!(states(&some), own(&expected));
    assert_eq!(some["items"][2]["externalId"], "stranger");

    // The Identities of other namespaces count, whether they are listed or not.
    let beside = world.beside("list-beside").await;
    beside.create("e", &json!({"externalId": "elsewhere"})).await;
    world.seed("elsewhere", &json!({}));
    let unmanaged = read(&run(&world, &["list", "-o", "json", "--state", "unmanaged"]).await);
    assert_eq!((states(&unmanaged).len(), &unmanaged["items"][0]["externalId"]), (1, &json!("stranger")));
    let everywhere = ended(with_key(&world, &["list", "-A", "--state", "unmanaged"])).await;
    let shown = table(&succeeded(&everywhere));
    assert_eq!((shown.len(), &shown[0][0], &shown[1][2]), (2, &"NAMESPACE".to_owned(), &"stranger".to_owned()));
    let lines = succeeded(&keyless(&world, &["list", "-o", "jsonl", "--state", "observed,suspended"]).await);
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 2, "{lines}");
    for output in [all, some] {
        assert!(!output.to_string().contains("pro"), "a value of meta: {output}");
    }
}

/// A root key of another workspace shows nothing of ours; and the namespace is that of the context.
#[tokio::test]
async fn another_workspace_is_suspected() {
    let (world, _operator) = world().await;
    world.emulator.workspace("other").add_root_key("unkey_other_key", unkey_emulator::Permissions::ALL);
    let mut config: Value = serde_yaml::from_slice(&std::fs::read(world.plane.kubeconfig()).unwrap()).unwrap();
    config["contexts"][0]["context"]["namespace"] = json!(world.namespace);
    // In several files, of which one does not exist.
    let [missing, contexts, rest] = ["missing", "contexts", "rest"].map(|name| world.files.path().join(name));
    let contexts_alone = json!({"apiVersion": "v1", "kind": "Config", "current-context": config["current-context"].take(), "contexts": config["contexts"].take()});
    std::fs::write(&contexts, contexts_alone.to_string()).unwrap();
    for name in ["current-context", "contexts"] {
        config.as_object_mut().unwrap().remove(name);
    }
    std::fs::write(&rest, config.to_string()).unwrap();
    let mut command = with_key(&world, &["list"]);
    let files = std::env::join_paths([missing, contexts, rest]).unwrap();
    command.env("UNKEY_ROOT_KEY", "unkey_other_key").env("KUBECONFIG", files);
    let output = ended(command).await;
    assert_eq!(table(&succeeded(&output)).len(), 6, "those of the namespace");
    let said = stderr(&output);
    assert!(said.contains("Unkey shows none of the 4 identities that are recorded"), "{said}");
}

/// A few are asked for one by one, and of many the workspace is listed.
#[tokio::test]
async fn the_cheaper_way_is_taken() {
    let world = World::new("list-many").await;
    let create = async |n: usize| world.create(&format!("c{n}"), &json!({"externalId": format!("c{n}")})).await;
    futures::future::join_all((0..50).map(create)).await;
    world.seed("c7", &json!({}));
    let missing = async || states(&read(&run(&world, &["list", "-o", "json", "--state", "missing"]).await)).len();
    let mut faster = with_key(&world, &["list", "-n", &world.namespace, "--max-requests-per-second", "0"]);
    faster.args(["--state", "missing", "-o", "json"]);
    assert_eq!(states(&read(&ended(faster).await)).len(), 49);
    assert_eq!(world.calls(), [0, 50, 0, 0, 0]);
    create(50).await;
    assert_eq!(missing().await, 50);
    assert_eq!(world.calls(), [0, 50, 0, 0, 1]);
}

#[tokio::test]
async fn what_cannot_be_listed_is_said() {
    let world = World::new("list-wrong").await;
    let (code, said) = failed(&keyless(&world, &["list", "--state", "missing"]).await);
    assert!(code == 2 && said.contains("only Unkey tells what is 'missing', and there is no root key"), "{said}");
    let (code, said) = failed(&keyless(&world, &["list", "-l", "a=b=c", "--state", "held"]).await);
    assert!(code == 2 && said.contains("the API server refuses the label selector"), "{said}");
    let mut wrong = with_key(&world, &["list", "-n", &world.namespace, "--state", "unmanaged"]);
    wrong.env("UNKEY_ROOT_KEY", "unkey_no_such_key");
    let (code, said) = failed(&ended(wrong).await);
    assert!(code == 1 && said.contains("page 1 of the workspace cannot be listed"), "{said}");
    assert!(!said.contains("no_such_key"), "{said}");

    let nothing = ended(without_key(&world, &["list", "-n", &world.namespace, "--state", "held"])).await;
    assert_eq!(succeeded(&nothing), "");
    assert!(stderr(&nothing).contains("nothing of that kind was found"), "{}", stderr(&nothing));
}
