//! `reconcile`: the operator is asked, and its answer waited for.

use serde_json::{Value, json};

use super::super::harness::{World, succeeded};
use super::{does_not_know, failed, json as read, keyless};

#[tokio::test]
async fn it_prints_what_the_operator_says() {
    let world = World::new("reconcile").await;
    let _operator = world.start().await;
    for name in ["x", "y"] {
        world.create(name, &json!({"externalId": name, "meta": {"plan": "pro"}})).await;
        world.ready(name).await;
    }
    world.mutate("x", &json!({"meta": {"plan": "free"}}));
    let said = succeeded(&keyless(&world, &["reconcile", "x"]).await);
    let begins = format!("{}/x  Synced: ", world.namespace);
    assert!(said.starts_with(&begins) && said.lines().count() == 1, "{said}");
    assert_eq!(world.upstream("x")["meta"], json!({"plan": "pro"}), "what another client did is set right");
    let first = world.get("x").await.unwrap()["status"]["lastHandledReconcileAt"].clone();
    succeeded(&keyless(&world, &["reconcile", "x"]).await);
    assert_ne!(world.get("x").await.unwrap()["status"]["lastHandledReconcileAt"], first, "each time anew");

    world.patch("y", &json!({"metadata": {"labels": {"team": "y"}}})).await;
    let selected = read(&keyless(&world, &["reconcile", "-l", "team=y", "-o", "json"]).await);
    let items = selected["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["name"], &items[0]["reason"]), (1, &json!("y"), &json!("Synced")));

    let named = format!("{}/y", world.namespace);
    assert_eq!(succeeded(&keyless(&world, &["reconcile", "x", &named]).await).lines().count(), 2);
    does_not_know(&world, &["reconcile", "x", "nobody"]).await;
    let (code, said) = failed(&keyless(&world, &["reconcile", "-l", "team=nobody"]).await);
    assert!(code == 1 && said.contains("no Identity has the labels 'team=nobody'"), "{said}");
    for wrong in [&["reconcile"][..], &["reconcile", "x", "-l", "a=b"], &["reconcile", "X"], &["reconcile", "other/x"]]
    {
        let (code, said) = failed(&keyless(&world, wrong).await);
        assert_eq!(code, 2, "{wrong:?}: {said}");
    }
}

/// Nothing is asked for any of them: the annotation would wait until somebody resumes.
#[tokio::test]
async fn a_suspended_one_is_refused() {
    let world = World::new("reconcile-suspended").await;
    let _operator = world.start().await;
    world.create("s", &json!({"externalId": "s", "suspend": true})).await;
    world.create("x", &json!({"externalId": "x"})).await;
    world.ready("x").await;
    for args in [&["reconcile", "x", "s"][..], &["reconcile", "-l", "!nothing"]] {
        let (code, said) = failed(&keyless(&world, args).await);
        assert!(code == 1 && said.contains(&format!("spec.suspend is true for {}/s", world.namespace)), "{said}");
    }
    for name in ["s", "x"] {
        let annotations = world.get(name).await.unwrap()["metadata"]["annotations"].clone();
        assert_eq!(annotations.get("unkey.com/reconcile-requested-at").unwrap_or(&Value::Null), &Value::Null, "{name}");
    }
}

#[tokio::test]
async fn without_an_operator_it_says_so() {
    let world = World::new("reconcile-nobody").await;
    world.create("x", &json!({"externalId": "x"})).await;
    let (code, said) = failed(&keyless(&world, &["reconcile", "x", "--timeout", "1s"]).await);
    assert_eq!(code, 1, "{said}");
    let expected = format!("no answer within 1 s for 1 of 1 Identity ({}/x)", world.namespace);
    assert!(said.contains(&expected) && said.contains("Does an operator run that watches this namespace?"), "{said}");
}
