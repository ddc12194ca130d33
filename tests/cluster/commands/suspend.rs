//! `suspend` and `resume`: alone, and beside others that own `spec.suspend`.

use serde_json::{Value, json};

use super::super::harness::{World, identity, succeeded};
use super::{does_not_know, failed, json as read, keyless, stderr};

fn annotation(object: &Value, name: &str) -> Value {
    object["metadata"]["annotations"].get(format!("unkey.com/{name}")).cloned().unwrap_or(Value::Null)
}

#[tokio::test]
async fn there_and_back() {
    let world = World::new("suspend-there").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    world.ready("x").await;
    let args = ["suspend", "x", "--reason", "a migration", "--until", "2999-01-01T00:00:00Z"];
    let said = keyless(&world, &args).await;
    let expected = format!("{}/x suspended, meant until 2999-01-01T00:00:00Z: a migration\n", world.namespace);
    assert_eq!((succeeded(&said), stderr(&said)), (expected, String::new()));
    let object = world.reason("x", "Suspended").await;
    assert_eq!(object["spec"]["suspend"], true);
    assert_eq!(annotation(&object, "suspend-reason"), "a migration");
    assert_eq!(annotation(&object, "suspend-until"), "2999-01-01T00:00:00Z");

    // Said again, it is as it was said last.
    let again = read(&keyless(&world, &["suspend", "x", "--reason", "another", "-o", "json"]).await);
    assert_eq!((&again["items"][0]["suspend"], &again["items"][0]["until"]), (&json!(true), &Value::Null));
    assert_eq!(annotation(&world.get("x").await.unwrap(), "suspend-until"), Value::Null);

    assert_eq!(succeeded(&keyless(&world, &["resume", "x"]).await), format!("{}/x resumed\n", world.namespace));
    let object = world.ready("x").await;
    assert_eq!(object["spec"].get("suspend"), None, "the field is given up");
    assert_eq!(annotation(&object, "suspend-reason"), Value::Null);
    assert_ne!(annotation(&object, "claim"), Value::Null, "the annotations of others stay");
    assert_eq!(
        object["metadata"]["managedFields"]
            .as_array()
            .map(|all| { all.iter().filter(|entry| entry["manager"] == "kubectl-unkey").count() }),
        Some(0)
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_is_written() {
    let world = World::new("suspend-wrong").await;
    world.create("x", &json!({"externalId": "x"})).await;
    does_not_know(&world, &["suspend", "x", "nobody"]).await;
    does_not_know(&world, &["resume", "nobody"]).await;
    let (code, said) = failed(&keyless(&world, &["suspend", "x", "--until", "2020-01-01T00:00:00Z"]).await);
    assert!(code == 2 && said.contains("--until names a time that has passed"), "{said}");
    let (code, said) = failed(&keyless(&world, &["suspend", "x", "--until", "tomorrow"]).await);
    assert!(code == 2 && said.contains("'tomorrow' is neither a time"), "{said}");
    assert_eq!(world.get("x").await.unwrap()["spec"].get("suspend"), None);
}

/// GitOps applies its manifest again and again: it would undo what is not in it, and it keeps what is.
#[tokio::test]
async fn another_manager_that_owns_the_field_is_named() {
    let world = World::new("suspend-gitops").await;
    let applies = async |spec: &Value| {
        let args = ["apply", "--server-side", "--force-conflicts", "--field-manager", "argocd-controller", "-f", "-"];
        succeeded(&world.run_kubectl(&args, &identity("x", spec).to_string()).await);
    };
    applies(&json!({"externalId": "x", "suspend": false})).await;
    let output = keyless(&world, &["suspend", "x"]).await;
    assert_eq!(succeeded(&output), format!("{}/x suspended\n", world.namespace));
    let said = stderr(&output);
    assert!(said.contains("is also set by 'argocd-controller', which may undo this"), "{said}");
    assert_eq!(world.get("x").await.unwrap()["spec"]["suspend"], true);
    succeeded(&keyless(&world, &["resume", "x"]).await);
    assert_ne!(world.get("x").await.unwrap()["spec"]["suspend"], true);

    applies(&json!({"externalId": "x", "suspend": true})).await;
    succeeded(&keyless(&world, &["suspend", "x", "--reason", "both"]).await);
    let (code, said) = failed(&keyless(&world, &["resume", "x"]).await);
    assert_eq!(code, 1, "{said}");
    let expected = format!("{}/x stays suspended: 'argocd-controller' has set spec.suspend", world.namespace);
    assert!(said.contains(&expected), "{said}");
    let object = world.get("x").await.unwrap();
    assert_eq!((&object["spec"]["suspend"], annotation(&object, "suspend-reason")), (&json!(true), Value::Null));

    // The command that it prints for who has no manifest.
    let command = said.find("kubectl patch").map(|at| &said[at..]).expect("a command");
    succeeded(&world.shell(command).await);
    assert_eq!(world.get("x").await.unwrap()["spec"].get("suspend"), None);
    assert_eq!(
        succeeded(&keyless(&world, &["resume", "x"]).await),
        format!("{}/x was not suspended\n", world.namespace)
    );
}
