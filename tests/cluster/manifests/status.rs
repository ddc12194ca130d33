//! The status before the operator has seen an object, and what users cannot do to it.

use serde_json::{Value, json};

use super::super::harness::World;
use super::{STRICT, manifest, patch, post, send};

#[tokio::test]
async fn a_new_object_reads_as_in_progress_and_never_as_healthy() {
    let world = World::new("status-default").await;
    let reply = post(&world, STRICT, manifest("a", r#"{"externalId":"x"}"#)).await.unwrap();
    assert!(reply.ends_with("\"status\":{\"observedGeneration\":-1}}\n"), "{reply}");
    let object = world.get("a").await.unwrap();
    assert_eq!(object["status"], json!({"observedGeneration": -1}));
    // Nothing is filled in by the schema: no finalizer, label or annotation, and a GitOps diff stays empty.
    for field in ["finalizers", "labels", "annotations", "ownerReferences"] {
        assert_eq!(object["metadata"][field], Value::Null, "{field}");
    }
}

#[tokio::test]
async fn a_status_in_a_manifest_is_ignored() {
    let world = World::new("status-ignored").await;
    let ready = r#"{"type":"Ready","status":"True","reason":"Synced","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}"#;
    let status = format!(r#"{{"observedGeneration":1,"identityId":"id_stolen","conditions":[{ready}]}}"#);
    let with_status = |name: &str| manifest(name, &format!(r#"{{"externalId":"x"}},"status":{status}"#));
    let untouched = json!({"observedGeneration": -1});
    post(&world, STRICT, with_status("created")).await.unwrap();
    assert_eq!(world.get("created").await.unwrap()["status"], untouched);
    super::apply(&world, "applied", with_status("applied")).await.unwrap();
    assert_eq!(world.get("applied").await.unwrap()["status"], untouched);
    patch(&world, "created", STRICT, &format!(r#"{{"status":{status}}}"#)).await.unwrap();
    assert_eq!(world.get("created").await.unwrap()["status"], untouched);
}

/// The status subresource checks what is written to it, so that a broken operator cannot store what no reader expects.
#[tokio::test]
async fn its_schema_holds() {
    let world = World::new("status-schema").await;
    post(&world, STRICT, manifest("a", r#"{"externalId":"x"}"#)).await.unwrap();
    let condition = |status: &str, reason: &str| {
        format!(
            r#"{{"status":{{"conditions":[{{"type":"Ready","status":"{status}","reason":"{reason}","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}}]}}}}"#
        )
    };
    let rows = [
        (condition("true", "Synced"), r#"supported values: "True", "False", "Unknown""#),
        (condition("True", ""), "reason in body should be at least 1 chars long"),
        (r#"{"status":{"origin":"Found"}}"#.to_owned(), r#"supported values: "Created", "Adopted""#),
        (r#"{"status":{"deletionPolicy":"Keep"}}"#.to_owned(), r#"supported values: "Delete", "Orphan""#),
        (r#"{"status":{"observedGeneration":"1"}}"#.to_owned(), "must be of type integer"),
    ];
    for (change, reason) in rows {
        let kind = "application/merge-patch+json";
        let refused = send(&world, "PATCH", "a/status", "", kind, change.clone()).await.unwrap_err();
        assert!(refused.contains(reason), "{change}: {refused}");
    }
    send(&world, "PATCH", "a/status", "", "application/merge-patch+json", condition("True", "Synced")).await.unwrap();
}
