//! What the runbook tells to type does what it says.

use std::fs;

use serde_json::json;

use super::super::harness::{World, identity, shown, succeeded};
use super::{scrape, well};

/// The code of that kind in the section of an alert.
fn code(alert: &str, is_it: impl Fn(&str) -> bool) -> String {
    let runbook = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations/runbook.md")).unwrap();
    let section = runbook.split(&format!("\n## {alert}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let code = section.split('`').skip(1).step_by(2).find(|code| is_it(code));
    code.unwrap_or_else(|| panic!("no such code in {section}")).to_owned()
}

/// The alert's own query is of all that is scraped.
#[tokio::test]
async fn one_of_two_releases_that_vanishes_is_seen_by_the_query_for_it() {
    let (_world, operator, before) = well("alerts-vanished").await;
    let query = code("UnkeyOperatorDown", |code| code.starts_with("absent(") && code.contains("job="));
    let query = query.replace("\"unkey-a\"", "\"unkey\"").replace("\"unkey-operator\"", "\"another\"");
    let both = scrape(&operator).await.and("another", vec![operator.metrics().await]);
    assert_eq!(shown(&both, &query), Vec::<f64>::new());
    assert_eq!(shown(&before, &query), [1.0], "{query}");
    assert_eq!(shown(&before, "absent(unkey_operator_build_info)"), Vec::<f64>::new(), "it sees the other one");
}

/// By a real kubectl, in a cluster of its own: it asks for a check of all that is there.
#[tokio::test]
async fn the_repair_of_what_is_gone_reaches_all_namespaces() {
    let world = World::alone("runbook-repair").await;
    let other = world.plane.namespace("runbook-other").await.unwrap();
    world.create("here", &json!({"externalId": "here"})).await;
    let manifest = identity("there", &json!({"externalId": "there"})).to_string();
    succeeded(&world.plane_kubectl(&["create", "--namespace", &other, "--filename", "-"], &manifest).await);
    succeeded(&world.shell(&code("UnkeyRecreationWithheld", |code| code.starts_with("kubectl "))).await);
    let annotations = r"jsonpath={.items[*].metadata.annotations.unkey\.com/reconcile-requested-at}";
    let all = world.plane_kubectl(&["get", "identities", "--all-namespaces", "--output", annotations], "").await;
    assert_eq!(succeeded(&all).split_whitespace().count(), 2, "{all:?}");
}
