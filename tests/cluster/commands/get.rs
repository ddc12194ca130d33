//! `get`: all that is known of one externalId.

use serde_json::{Value, json};

use super::super::harness::{World, succeeded};
use super::{ended, failed, keyless, stderr, with_key, without_key};

/// `get`, with the settings of the world's operator after `--`.
async fn got(world: &World, args: &[&str]) -> std::process::Output {
    let place = ["--namespace", &world.namespace];
    let settings = ["--", "run", "--namespace", &world.namespace, "--consistency-window", "1ms"];
    ended(with_key(world, &[&["get"], args, &place, &settings].concat())).await
}

async fn facts(world: &World, args: &[&str]) -> Value {
    let output = got(world, &[args, &["-o", "json"]].concat()).await;
    serde_json::from_str(&succeeded(&output)).unwrap()
}

#[tokio::test]
async fn what_is_wanted_what_is_there_and_what_comes_next() {
    let world = World::new("get").await;
    let operator = world.start().await;
    let limits = json!([{"name": "requests", "limit": 100, "duration": 60_000}]);
    let spec =
        json!({"externalId": "acme", "meta": {"plan": "SECRET-pro"}, "ratelimits": limits, "deletionPolicy": "Orphan"});
    world.create("x", &spec).await;
    world.ready("x").await;
    world.create("rival", &json!({"externalId": "acme"})).await;
    world.reason("rival", "ExternalIdConflict").await;
    assert!(operator.terminate().await.success());
    let mut fewer = limits.clone();
    fewer[0]["limit"] = json!(50);
    world.mutate("acme", &json!({"meta": {"plan": "SECRET-free"}, "ratelimits": fewer}));

    let text = succeeded(&got(&world, &["x"]).await);
    for part in [
        "externalId    acme\n",
        &format!("Identity      {}/x\n", world.namespace),
        &format!("owner         {}/x\n", world.namespace),
        &format!("rivals        {}/rival\n", world.namespace),
        "verdict       Synced: ",
        "claim         own\n",
        "finalizer     on\n",
        "deletion      Orphan (spec)\n",
        "adoption      IfLossless (default of the operator, the command line)\n",
        "ratelimits[requests]  50 per 60 s -> 100 per 60 s\n",
        "meta.plan  changed\n",
        "next step     update, then Synced\n",
    ] {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
    assert!(!text.contains("SECRET"), "{text}");
    let shown = succeeded(&got(&world, &["x", "--show-meta"]).await);
    assert!(shown.contains("\"SECRET-free\" -> \"SECRET-pro\""), "{shown}");

    // By the externalId it is the owner's; by its name, the rival's own.
    let document = facts(&world, &["acme"]).await;
    assert_eq!((&document["resource"]["name"], &document["nextStep"]["action"]), (&json!("x"), &json!("update")));
    assert_eq!(document["inUnkey"]["identityId"], world.upstream("acme")["id"]);
    let document = facts(&world, &["rival"]).await;
    assert_eq!(
        (&document["owner"], &document["nextStep"]["action"]),
        (&json!(format!("{}/x", world.namespace)), &json!("conflict"))
    );
    assert_eq!(world.calls()[2], 0, "it only reads");
}

#[tokio::test]
async fn an_identity_without_a_resource_and_a_resource_without_an_identity() {
    let world = World::new("get-half").await;
    let id = world.seed("stranger", &json!({"meta": {"a": 1}}));
    let text = succeeded(&got(&world, &["stranger"]).await);
    assert!(
        text.contains("none: no Identity names this externalId") && text.contains(&format!("{id}, meta with a")),
        "{text}"
    );
    world.create("new", &json!({"externalId": "new"})).await;
    let document = facts(&world, &["new"]).await;
    assert_eq!((&document["inUnkey"], &document["nextStep"]["action"]), (&Value::Null, &json!("create")));
    assert_eq!(document["resource"]["claim"], "absent");

    // One name for two things: what is a name counts, and the other is told of.
    world.create("other", &json!({"externalId": "new-one"})).await;
    world.create("new-one", &json!({"externalId": "third"})).await;
    let output = got(&world, &["new-one", "-o", "json"]).await;
    let document: Value = serde_json::from_str(&succeeded(&output)).unwrap();
    assert_eq!(document["externalId"], "third");
    assert!(stderr(&output).contains("other has the externalId 'new-one'; to see that one, add --external-id"));
    assert_eq!(facts(&world, &["new-one", "--external-id"]).await["resource"]["name"], "other");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_known() {
    let world = World::new("get-nothing").await;
    let (code, said) = failed(&got(&world, &["nobody"]).await);
    assert!(
        code == 1
            && said.contains("none of any namespace has the externalId 'nobody', and Unkey holds no such identity"),
        "{said}"
    );
    let named = format!("{}/nobody", world.namespace);
    let (code, said) = failed(&ended(without_key(&world, &["get", &named, "--", "run"])).await);
    assert!(
        code == 1 && said.contains(&format!("there is no Identity 'nobody' in namespace '{}'", world.namespace)),
        "{said}"
    );

    world.create("x", &json!({"externalId": "x"})).await;
    succeeded(&keyless(&world, &["suspend", "x", "--reason", "a move", "--until", "2999-01-01T00:00:00Z"]).await);
    let output = keyless(&world, &["get", "x", "--operator", "no-such-release"]).await;
    let text = succeeded(&output);
    assert!(text.contains("in Unkey      not known: Unkey was not asked") && !text.contains("next step"), "{text}");
    assert!(text.contains("adoption      ? (default of the operator, which is not known)"), "{text}");
    assert!(text.contains("suspended     yes, meant until 2999-01-01T00:00:00Z: a move\n"), "{text}");
    let said = stderr(&output);
    assert!(said.contains("there is no root key") && said.contains("no Pod of the operator is found"), "{said}");
}

/// Who runs the operator need not repeat its flags.
#[tokio::test]
async fn the_policies_in_force_are_those_of_the_operators_pod() {
    // Its own control plane: this Pod is no operator of other tests.
    let world = World::alone("get-pod").await;
    succeeded(&world.run_kubectl(&["create", "serviceaccount", "default"], "").await);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "o-1", "labels": {"app.kubernetes.io/name": "unkey-operator"}},
        "spec": {"automountServiceAccountToken": false, "containers": [{
            "name": "operator", "image": "o", "args": ["run", "--default-adoption-policy=Never", "--default-deletion-policy=Orphan"],
        }]},
    });
    succeeded(&world.run_kubectl(&["create", "-f", "-"], &pod.to_string()).await);
    world.seed("x", &json!({"meta": {"a": 1}}));
    world.create("x", &json!({"externalId": "x", "deletionPolicy": "Delete"})).await;
    let text = succeeded(&super::run(&world, &["get", "x"]).await);
    let from = format!("default of the operator, Pod {}/o-1", world.namespace);
    for part in [
        &format!("adoption      Never ({from})\n"),
        "deletion      Delete (spec)\n",
        &format!("management    Enforce ({from})\n"),
        "next step     refuse, then AlreadyExists\n",
    ] {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
}
