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
    let everywhere = ended(with_key(&world, &["list", "-A", "--state", "unmanaged"])).await;
    let shown = table(&succeeded(&everywhere));
    assert_eq!((shown.len(), &shown[0][0], &shown[1][2]), (2, &"NAMESPACE".to_owned(), &"stranger".to_owned()));
    let lines = succeeded(&keyless(&world, &["list", "-o", "jsonl", "--state", "observed,suspended"]).await);
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 2, "{lines}");
    for output in [all, some] {
        assert!(!output.to_string().contains("pro"), "a value of meta: {output}");
    }
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
