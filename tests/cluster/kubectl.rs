//! A day with kubectl: what users type, what they read, and what it costs.

use serde_json::{Value, json};

use super::harness::{Cost, World, eventually, identity, succeeded, table};

const APPLY: &[&str] = &["apply", "-f", "-"];
const SERVER_SIDE: &[&str] = &["apply", "--server-side", "-f", "-"];
const WAIT: &[&str] = &["wait", "--for=condition=Ready", "--timeout=30s", "identity/x"];

fn full() -> Value {
    json!({
        "externalId": "x", "meta": {"plan": "pro", "seats": 5},
        "ratelimits": [{"name": "requests", "limit": 100, "duration": 60_000}],
    })
}

fn manifest(spec: &Value) -> String {
    identity("x", spec).to_string()
}

async fn run(world: &World, args: &[&str], stdin: &str) -> String {
    succeeded(&world.run_kubectl(args, stdin).await)
}

/// What a command that must fail says.
async fn refusal(world: &World, args: &[&str], stdin: &str) -> String {
    let output = world.run_kubectl(args, stdin).await;
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn from_apply_to_delete() {
    let world = World::in_order("kubectl-apply").await;
    let _operator = world.start().await;
    assert!(run(&world, APPLY, &manifest(&full())).await.contains("identity.unkey.com/x created"));
    assert!(run(&world, WAIT, "").await.contains("condition met"));
    let upstream = world.upstream("x");
    assert_eq!(upstream["meta"], full()["meta"]);

    let id = upstream["id"].as_str().unwrap();
    let shown = table(&run(&world, &["get", "ukid", "x"], "").await);
    assert_eq!(shown[0], ["NAME", "READY", "REASON", "EXTERNAL-ID", "IDENTITY-ID", "AGE"]);
    assert_eq!(shown[1][..5], ["x", "True", "Synced", "x", id]);
    let shown = table(&run(&world, &["get", "ukid", "x", "-o", "wide"], "").await);
    assert_eq!(shown[0][6..], ["DELETION", "ORIGIN", "MESSAGE"]);
    assert_eq!(shown[1][6..8], ["Delete", "Created"]);
    let object = world.get("x").await.unwrap();
    assert_eq!(shown[1][8], super::harness::condition(&object, "Ready")["message"].as_str().unwrap());
    assert!(!shown[1][8].is_empty());
    let selected =
        ["get", "identities.unkey.com", "-o", "name", "--field-selector", &format!("status.identityId={id}")];
    assert_eq!(run(&world, &selected, "").await, "identity.unkey.com/x\n");

    let before = world.cost("x");
    assert_eq!(
        run(&world, &["diff", "-f", "-"], &manifest(&full())).await,
        "",
        "nothing to change in what was applied"
    );
    assert!(run(&world, APPLY, &manifest(&full())).await.contains("unchanged"));
    assert_eq!(world.cost_since("x", before).await, Cost::NOTHING);
    assert_eq!(world.get("x").await.unwrap(), object);

    run(&world, &["delete", "identity", "x", "--wait", "--timeout=30s"], "").await;
    assert_eq!(world.upstream("x"), Value::Null, "when kubectl is done, so is Unkey");
    assert!(refusal(&world, &["get", "identity", "x"], "").await.contains("NotFound"));
}

/// The operator owns no field of the spec, so that a server-side apply never conflicts with it.
#[tokio::test]
async fn from_server_side_apply_to_delete() {
    let world = World::in_order("kubectl-ssa").await;
    let _operator = world.start().await;
    run(&world, SERVER_SIDE, &manifest(&full())).await;
    run(&world, WAIT, "").await;
    let object: Value =
        serde_json::from_str(&run(&world, &["get", "identity", "x", "-o", "json", "--show-managed-fields"], "").await)
            .unwrap();
    let owners: Vec<(&str, bool)> = object["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["manager"].as_str().unwrap(), entry["fieldsV1"].get("f:spec").is_some()))
        .collect();
    assert!(owners.len() > 1 && owners.iter().all(|(manager, spec)| *spec == (*manager == "kubectl")), "{owners:?}");

    let before = world.cost("x");
    assert_eq!(run(&world, &["diff", "--server-side", "-f", "-"], &manifest(&full())).await, "");
    run(&world, SERVER_SIDE, &manifest(&full())).await;
    assert_eq!(world.cost_since("x", before).await, Cost::NOTHING);
    let same = |now: &Value| now["metadata"]["resourceVersion"] == object["metadata"]["resourceVersion"];
    assert!(same(&world.get("x").await.unwrap()));

    // S25: the field that its only manager leaves out is released. A null in its place is refused by the API server.
    let mut less = full();
    less["meta"] = Value::Null;
    let said = refusal(&world, SERVER_SIDE, &manifest(&less)).await;
    assert!(said.contains("spec.meta in body must be of type object: \"null\""), "{said}");
    assert!(same(&world.get("x").await.unwrap()));
    less.as_object_mut().unwrap().remove("meta");
    run(&world, SERVER_SIDE, &manifest(&less)).await;
    world.event("x", "FieldReleased").await;
    run(&world, WAIT, "").await;
    assert_eq!(world.cost_since("x", before).await, Cost::STATUS);
    assert_eq!(world.upstream("x")["meta"], full()["meta"], "what is released stays");

    run(&world, &["delete", "identity", "x", "--timeout=30s"], "").await;
    assert_eq!(world.upstream("x"), Value::Null);
}

/// `kubectl wait` right behind a change returns when Unkey has the change, and not because the object was ready before.
#[tokio::test]
async fn wait_means_this_generation() {
    let world = World::in_order("kubectl-wait").await;
    world.workspace.set_latency(std::time::Duration::from_millis(300));
    let _operator = world.start().await;
    run(&world, APPLY, &manifest(&full())).await;
    run(&world, WAIT, "").await;
    for seats in 6..9 {
        let mut spec = full();
        spec["meta"]["seats"] = json!(seats);
        run(&world, APPLY, &manifest(&spec)).await;
        run(&world, WAIT, "").await;
        assert_eq!(world.upstream("x")["meta"]["seats"], seats);
    }
}

/// S15: `kubectl replace` puts a manifest in place of all that was there, the finalizer and the claim included, but not the status.
#[tokio::test]
async fn replace_takes_the_finalizer_and_it_comes_back() {
    let world = World::in_order("kubectl-replace").await;
    let _operator = world.start().await;
    run(&world, APPLY, &manifest(&full())).await;
    let ready = world.ready("x").await;
    world.barrier().await;
    for round in 0..2 {
        let before = world.cost("x");
        run(&world, &["replace", "-f", "-"], &manifest(&full())).await;
        let restored = world
            .until("x", "restored", |object| {
                object["metadata"]["finalizers"] == json!(["unkey.com/identity"])
                    && object["metadata"]["annotations"]["unkey.com/claim"].is_string()
            })
            .await;
        assert_eq!(restored["metadata"]["generation"], 1, "the spec is the same");
        assert_eq!(restored["status"], ready["status"], "round {round}");
        assert_eq!(
            world.cost_since("x", before).await,
            Cost { main: 1, ..Cost::NOTHING },
            "round {round}: one patch, no call"
        );
    }
    let mut spec = full();
    spec["meta"]["seats"] = json!(6);
    run(&world, &["replace", "-f", "-"], &manifest(&spec)).await;
    world.ready("x").await;
    assert_eq!(world.upstream("x")["meta"]["seats"], 6, "a replace that changes something is a change like any other");
    eventually("the finalizer", async || {
        world.get("x").await.filter(|object| object["metadata"]["finalizers"].is_array())
    })
    .await;
    run(&world, &["delete", "identity", "x", "--timeout=30s"], "").await;
    assert_eq!(world.upstream("x"), Value::Null, "nothing leaks");
}

/// `kubectl get -o json | kubectl replace -f -`: everything is there, so nothing happens.
#[tokio::test]
async fn replace_by_what_was_read_costs_nothing() {
    let world = World::in_order("kubectl-round-trip").await;
    let _operator = world.start().await;
    run(&world, APPLY, &manifest(&full())).await;
    world.ready("x").await;
    world.barrier().await;
    let before = world.cost("x");
    let read = run(&world, &["get", "identity", "x", "-o", "json"], "").await;
    run(&world, &["replace", "-f", "-"], &read).await;
    assert_eq!(world.cost_since("x", before).await, Cost::NOTHING);
}

/// `kubectl replace --force` deletes and creates: the keys of the old identity are lost, and the new one is a new one.
#[tokio::test]
async fn replace_by_force_is_another_identity() {
    let world = World::in_order("kubectl-force").await;
    let _operator = world.start().await;
    run(&world, APPLY, &manifest(&full())).await;
    world.ready("x").await;
    let old = world.upstream("x")["id"].clone();
    run(&world, &["replace", "--force", "--timeout=30s", "-f", "-"], &manifest(&full())).await;
    let object = world.ready("x").await;
    assert_ne!(world.upstream("x")["id"], old);
    assert_eq!(object["status"]["identityId"], world.upstream("x")["id"]);
    assert_eq!(object["status"]["origin"], "Created");
}

/// Client-side apply keeps a copy of the manifest in an annotation, which takes no more than 256 KiB; server-side apply keeps none.
#[tokio::test]
async fn a_meta_too_large_for_an_annotation() {
    let world = World::in_order("kubectl-large").await;
    let _operator = world.start().await;
    let spec = json!({"externalId": "x", "meta": {"a": "a".repeat(500_000), "b": "b".repeat(400_000)}});
    let said = refusal(&world, APPLY, &manifest(&spec)).await;
    assert!(said.contains("metadata.annotations: Too long: may not be more than 262144 bytes"), "{said}");
    assert_eq!(world.get("x").await, None);
    run(&world, SERVER_SIDE, &manifest(&spec)).await;
    run(&world, WAIT, "").await;
    assert_eq!(world.upstream("x")["meta"], spec["meta"]);
    assert_eq!(world.cost_since("x", Cost::NOTHING).await, Cost::CREATE);
    let mut larger = spec.clone();
    larger["meta"]["c"] = json!("c".repeat(200_000));
    run(&world, SERVER_SIDE, &manifest(&larger)).await;
    let object = world.reason("x", "InvalidSpec").await;
    let message = super::harness::condition(&object, "Stalled")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("Unkey accepts at most 1048576"), "{message}");
    assert_eq!(world.upstream("x")["meta"], spec["meta"], "what it cannot take is not sent");
    run(&world, &["delete", "identity", "x", "--timeout=30s"], "").await;
    assert_eq!(world.upstream("x"), Value::Null);
}

/// S25: a null inside meta is data. kubectl's client-side apply drops it before the API server sees it, at creation too; server-side apply
/// keeps it. Either way what is applied again is no change.
#[tokio::test]
async fn nulls_inside_meta_by_both_ways_to_apply() {
    let world = World::in_order("kubectl-nulls").await;
    let _operator = world.start().await;
    let meta = json!({"a": null, "b": {"c": null, "d": [null]}, "e": 1});
    let applied = manifest(&json!({"externalId": "x", "meta": meta}));
    let forced: &[&str] = &["apply", "--server-side", "--force-conflicts", "-f", "-"];
    let without = json!({"b": {"d": [null]}, "e": 1});
    for (apply, stored) in [(APPLY, &without), (forced, &meta), (APPLY, &meta)] {
        run(&world, apply, &applied).await;
        run(&world, WAIT, "").await;
        assert_eq!(world.upstream("x")["meta"], *stored, "{apply:?}");
        let before = world.cost("x");
        run(&world, apply, &applied).await;
        assert_eq!(world.cost_since("x", before).await, Cost::NOTHING, "{apply:?}");
    }
}

#[tokio::test]
async fn what_kubectl_says_of_a_wrong_manifest() {
    let world = World::new("kubectl-wrong").await;
    let rows = [
        (json!({"externalId": "id_abcdefgh"}), "externalId must not look like an internal id of Unkey"),
        (json!({"externalId": "x", "deletionPolicy": "Retain"}), r#"supported values: "Delete", "Orphan""#),
        (
            json!({"externalId": "x", "ratelimits": [{"name": "café", "limit": 1, "duration": 1000}]}),
            "name must be printable ASCII (letters, digits, punctuation, spaces)",
        ),
        (json!({}), "spec.externalId: Required value"),
    ];
    for (spec, reason) in rows {
        for apply in [APPLY, SERVER_SIDE] {
            let said = refusal(&world, apply, &manifest(&spec)).await;
            assert!(said.contains(reason), "{apply:?}: '{reason}' is not in: {said}");
        }
    }
    // Server-side apply has its own words for an unknown field, and for a name given twice.
    let twice = json!({"name": "abc", "limit": 1, "duration": 1000});
    let rows = [
        (
            json!({"externalId": "x", "externalID": "x"}),
            r#"unknown field "spec.externalID""#,
            ".spec.externalID: field not declared in schema",
        ),
        (
            json!({"externalId": "x", "ratelimits": [twice, twice]}),
            // And then the entry, in words that are not the same in all versions.
            "spec.ratelimits[1]: Duplicate value: ",
            r#"duplicate entries for key [name="abc"]"#,
        ),
    ];
    for (spec, client_side, server_side) in rows {
        for (apply, reason) in [(APPLY, client_side), (SERVER_SIDE, server_side)] {
            let said = refusal(&world, apply, &manifest(&spec)).await;
            assert!(said.contains(reason), "{apply:?}: '{reason}' is not in: {said}");
        }
    }
    assert!(world.list().await.is_empty());
}

/// `kubectl describe` is where a user looks first: conditions and events are there.
#[tokio::test]
async fn describe_shows_what_happened() {
    let world = World::new("kubectl-describe").await;
    let id = world.seed("x", &json!({}));
    let _operator = world.start().await;
    run(&world, APPLY, &manifest(&full())).await;
    run(&world, WAIT, "").await;
    world.event("x", "Adopted").await;
    let text = run(&world, &["describe", "identity", "x"], "").await;
    for part in ["Reason:", "Synced", "Origin:", "Adopted", "Events:", &format!("Adopted the existing identity {id}.")]
    {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
}
