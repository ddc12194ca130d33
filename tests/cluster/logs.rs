//! The log as a machine reads it: one JSON object a line, the same keys for the same things, and one line for each outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{World, refusal};

/// A JSON object in which no key comes twice, down to its spans: parsers differ in which of two they take.
#[derive(Debug)]
struct Strict(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Strict;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut read = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    let value =
                        if key == "span" { json!(map.next_value::<Strict>()?.0) } else { map.next_value::<Value>()? };
                    if read.insert(key.clone(), value).is_some() {
                        return Err(serde::de::Error::custom(format!("'{key}' comes twice")));
                    }
                }
                Ok(Strict(read))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

fn lines(log: &str) -> Vec<BTreeMap<String, Value>> {
    log.lines()
        .map(|line| serde_json::from_str::<Strict>(line).unwrap_or_else(|why| panic!("{why}: {line}")).0)
        .collect()
}

#[tokio::test]
async fn each_line_is_one_object_and_each_outcome_one_line() {
    let world = World::new("logs").await.with_args(&["--log-format", "json", "--log-level", "info"]);
    let operator = world.start().await;
    world.create("a", &json!({"externalId": "a", "meta": {"n": 1}})).await;
    world.ready("a").await;
    let failed = world.workspace.order(
        Fault::new(refusal(503, "unkey/application/unavailable", "\"quoted\"\nand on two lines"))
            .on(Operation::Update)
            .once(),
    );
    world.edit("a", &json!({"meta": {"n": 2}})).await;
    world.until_hit(failed, 1).await;
    world.ready("a").await;
    world.workspace.order(Fault::new(FaultKind::DropAfter).on(Operation::Delete).once());
    world.delete("a").await;
    world.gone("a").await;
    // The object is gone a moment before its release is answered, and logged.
    operator.until_logged("released the resource").await;
    let log = operator.log();
    assert!(operator.terminate().await.success());

    let lines = lines(&log);
    let mut outcomes = Vec::new();
    for line in &lines {
        let keys: BTreeSet<&str> = line.keys().map(String::as_str).collect();
        assert!(keys.is_superset(&BTreeSet::from(["timestamp", "level", "message", "target"])), "{line:?}");
        assert!(["INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line:?}");
        let Some(span) = line.get("span") else { continue };
        assert_eq!(span["namespace"], world.namespace, "{line:?}");
        assert_eq!(span["identity"], "a", "{line:?}");
        // On a machine that stands still for long, a status says that work waits.
        let is_reconcile = span["name"] == "reconcile" && span["generation"].is_i64();
        assert!(is_reconcile || span["name"] == "waits", "{line:?}");
        let said = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        outcomes
            .push([said("message"), said("operation"), said("reason"), said("because")].join(" ").trim().to_owned());
    }
    let count = |outcome: &str| outcomes.iter().filter(|it| it.contains(outcome)).count();
    assert_eq!(count("request to Unkey succeeded create"), 1, "{outcomes:?}");
    assert_eq!(count("request to Unkey refused or failed update"), 1, "{outcomes:?}");
    assert_eq!(count("request to Unkey succeeded update"), 1, "{outcomes:?}");
    assert_eq!(count("request to Unkey refused or failed delete"), 1, "{outcomes:?}");
    assert_eq!(count("released"), 1, "{outcomes:?}");
    let written = outcomes.iter().filter(|it| it.starts_with("status written")).count();
    assert_eq!(written, world.kube_writes().1, "each status write is told: {outcomes:?}");
    let refused = lines.iter().find(|line| line["message"] == "request to Unkey refused or failed").unwrap();
    assert!(refused["request_id"].as_str().unwrap().starts_with("req_"), "{refused:?}");
}

/// "Who cut Acme's limit on Tuesday" is answered from these lines alone, and no value of a meta is among them.
#[tokio::test]
async fn each_mutation_of_unkey_has_a_line_of_its_own() {
    let world = World::in_order("change-log").await.with_args(&["--log-format", "json", "--log-level", "info"]);
    let operator = world.start().await;
    let limits = |limit: u32| json!([{"name": "requests", "limit": limit, "duration": 60_000, "autoApply": true}]);
    let manifest = |limit: u32| {
        super::harness::identity(
            "a",
            &json!({"externalId": "acme", "meta": {"note": "s3cret"}, "ratelimits": limits(limit)}),
        )
    };
    let apply = async |limit: u32, manager: &str| {
        let args = ["apply", "--server-side", "--force-conflicts", "--field-manager", manager, "-f", "-"];
        let done = world.run_kubectl(&args, &manifest(limit).to_string()).await;
        assert!(done.status.success(), "{done:?}");
        world.ready("a").await
    };
    apply(1_000, "argocd-controller").await;
    let object = apply(10, "somebody").await;
    world.workspace.order(Fault::new(FaultKind::DropAfter).on(Operation::Delete).once());
    world.delete("a").await;
    world.gone("a").await;
    let log = operator.log();
    let lines = lines(&log);
    let of: Vec<_> = lines.iter().filter(|line| line["target"] == "unkey_operator::mutation").collect();
    let field = |name: &str| of.iter().map(|line| line.get(name).cloned().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(field("operation"), ["create", "update", "delete"], "{of:#?}");
    assert_eq!(field("outcome"), ["accepted", "accepted", "unknown"]);
    for (name, value) in
        [("namespace", json!(world.namespace)), ("identity", json!("a")), ("external_id", json!("acme"))]
    {
        assert_eq!(field(name), vec![value; 3]);
    }
    assert_eq!(field("uid"), vec![object["metadata"]["uid"].clone(); 3]);
    assert_eq!(field("identity_id"), vec![object["status"]["identityId"].clone(); 3]);
    assert_eq!(field("generation")[..2], [json!(1), json!(2)]);
    assert_eq!(field("ratelimits")[..2], [json!("requests 1000 per 60000 ms"), json!("requests 10 per 60000 ms")]);
    let (before, after) = (field("ratelimits_before"), field("ratelimits_after"));
    assert_eq!((&before[0], &before[1], &before[2]), (&Value::Null, &after[0], &Value::Null));
    assert_eq!(after[1], object["status"]["applied"]["ratelimits"]);
    assert_eq!(field("meta_after")[1..], [Value::Null, Value::Null], "an update names what it changes");
    assert!(field("request_id")[..2].iter().all(|id| id.as_str().is_some_and(|id| id.starts_with("req_"))), "{of:#?}");
    assert_eq!(field("managers")[0], "argocd-controller");
    assert!(field("managers")[1].as_str().unwrap().contains("somebody"), "{of:#?}");
    assert!(!log.contains("s3cret"));
}
