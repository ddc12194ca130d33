//! How kubectl names, selects and prints Identities.

use serde_json::json;

use super::super::harness::{World, eventually, succeeded, table};
use super::{STRICT, manifest, post, send};

#[tokio::test]
async fn names_and_categories() {
    let world = World::new("names").await;
    post(&world, STRICT, manifest("a", r#"{"externalId":"x"}"#)).await.unwrap();
    for resource in ["ukid", "identity", "identities", "identities.unkey.com", "unkey"] {
        let list = eventually(&format!("kubectl to know {resource}"), async || {
            let output = world.kubectl(&["get", resource, "-o", "name"], None);
            output.status.success().then(|| succeeded(&output))
        })
        .await;
        assert_eq!(list, "identity.unkey.com/a\n", "{resource}");
    }
    // A category `all` would put every identity into `kubectl get all`, and into `kubectl delete all --all`.
    let all = world.kubectl(&["get", "all", "-o", "name"], None);
    assert!(!succeeded(&all).contains("unkey"), "{all:?}");
}

#[tokio::test]
async fn selectable_fields() {
    let world = World::new("select").await;
    for (name, external_id) in [("a", "customer_1"), ("b", "customer_2"), ("c", "customer_1")] {
        post(&world, STRICT, manifest(name, &format!(r#"{{"externalId":"{external_id}"}}"#))).await.unwrap();
    }
    let status = r#"{"status":{"identityId":"id_of_b"}}"#.to_owned();
    send(&world, "PATCH", "b/status", "", "application/merge-patch+json", status).await.unwrap();
    let selected = |field: &str| {
        let output = world.kubectl(&["get", "identities.unkey.com", "-o", "name", "--field-selector", field], None);
        succeeded(&output).replace("identity.unkey.com/", "").replace('\n', " ")
    };
    assert_eq!(selected("spec.externalId=customer_1"), "a c ");
    assert_eq!(selected("spec.externalId=nobody"), "");
    assert_eq!(selected("spec.externalId!=customer_1"), "b ");
    assert_eq!(selected("status.identityId=id_of_b"), "b ");
    assert_eq!(selected("status.identityId=,spec.externalId=customer_1"), "a c ");
    let refused = world.kubectl(&["get", "identities.unkey.com", "--field-selector", "spec.suspend=true"], None);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("field label not supported"), "{refused:?}");
}

#[tokio::test]
async fn printed_columns() {
    let world = World::new("columns").await;
    post(&world, STRICT, manifest("a", r#"{"externalId":"customer_1"}"#)).await.unwrap();
    post(&world, STRICT, manifest("new", r#"{"externalId":"customer_2"}"#)).await.unwrap();
    let status = json!({"status": {
        "observedGeneration": 1, "identityId": "id_1", "origin": "Adopted", "deletionPolicy": "Orphan",
        "conditions": [
            {"type": "Suspended", "status": "True", "reason": "Wrong", "message": "wrong", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "Ready", "status": "False", "reason": "RateLimited", "message": "Wait a minute.", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ],
    }});
    send(&world, "PATCH", "a/status", "", "application/merge-patch+json", status.to_string()).await.unwrap();

    let shown = table(&succeeded(&world.kubectl(&["get", "identities.unkey.com"], None)));
    assert_eq!(shown[0], ["NAME", "READY", "REASON", "EXTERNAL-ID", "IDENTITY-ID", "AGE"]);
    assert_eq!(shown[1][..5], ["a", "False", "RateLimited", "customer_1", "id_1"]);
    assert!(shown[1][5].ends_with('s'), "{shown:?}");
    assert_eq!(shown[2][..5], ["new", "", "", "customer_2", ""], "before the first visit");

    let shown = table(&succeeded(&world.kubectl(&["get", "identities.unkey.com", "-o", "wide"], None)));
    // As kubectl's own resources: what `-o wide` adds stands after AGE.
    let header = ["NAME", "READY", "REASON", "EXTERNAL-ID", "IDENTITY-ID", "AGE", "DELETION", "ORIGIN", "MESSAGE"];
    assert_eq!(shown[0], header);
    assert_eq!(shown[1][..5], ["a", "False", "RateLimited", "customer_1", "id_1"]);
    assert_eq!(shown[1][6..], ["Orphan", "Adopted", "Wait a minute."]);
}
