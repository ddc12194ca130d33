//! What an existing Identity may become.

use super::super::harness::World;
use super::{STRICT, all_hold, manifest, patch, post, spec_text};

#[tokio::test]
async fn the_external_id_is_immutable_and_nothing_else() {
    let world = World::new("updates").await;
    let limit = r#"{"name":"abc","limit":1,"duration":1000}"#;
    let spec = format!(r#"{{"externalId":"x","meta":{{"a":1}},"ratelimits":[{limit}]}}"#);
    post(&world, STRICT, manifest("a", &spec)).await.unwrap();
    let immutable = "externalId is immutable. Create another Identity and delete this one (set deletionPolicy Orphan first \
                     if its keys must keep their identity)";
    let rows: &[(&str, &str, &str)] = &[
        ("another externalId", r#"{"spec":{"externalId":"y"}}"#, immutable),
        ("another case", r#"{"spec":{"externalId":"X"}}"#, immutable),
        ("no externalId", r#"{"spec":{"externalId":null}}"#, "spec.externalId: Required value"),
        ("no spec", r#"{"spec":null}"#, "spec: Required value"),
        ("the same externalId", r#"{"spec":{"externalId":"x"}}"#, ""),
        ("meta", r#"{"spec":{"meta":{"a":2,"b":{}}}}"#, ""),
        ("no meta", r#"{"spec":{"meta":null}}"#, ""),
        ("a limit", r#"{"spec":{"ratelimits":[{"name":"abc","limit":2,"duration":5000,"autoApply":true}]}}"#, ""),
        ("another name", r#"{"spec":{"ratelimits":[{"name":"abcd","limit":2,"duration":5000}]}}"#, ""),
        ("no limits", r#"{"spec":{"ratelimits":[]}}"#, ""),
        ("adoptionPolicy", r#"{"spec":{"adoptionPolicy":"Always"}}"#, ""),
        ("deletionPolicy", r#"{"spec":{"deletionPolicy":"Orphan"}}"#, ""),
        ("deletionPolicy back", r#"{"spec":{"deletionPolicy":null}}"#, ""),
        ("suspend", r#"{"spec":{"suspend":true}}"#, ""),
        ("a label", r#"{"metadata":{"labels":{"team":"a"}}}"#, ""),
        (
            "a limit that is too small",
            r#"{"spec":{"ratelimits":[{"name":"abc","limit":0,"duration":5000}]}}"#,
            "greater than or equal to 1",
        ),
        ("an unknown field", r#"{"spec":{"externalID":"y"}}"#, r#"unknown field "spec.externalID""#),
    ];
    let mut wrong = Vec::new();
    for (label, change, refusal) in rows {
        match patch(&world, "a", STRICT, change).await {
            Ok(_) if refusal.is_empty() => {}
            Ok(_) => wrong.push(format!("{label}: accepted")),
            Err(message) if !refusal.is_empty() && message.contains(refusal) => {}
            Err(message) => wrong.push(format!("{label}: {message}")),
        }
    }
    all_hold(&wrong);
}

/// Only a change of the spec is a new generation: what the operator writes, and labels, are none.
#[tokio::test]
async fn only_the_spec_makes_a_generation() {
    let world = World::new("updates-generation").await;
    let created = post(&world, STRICT, manifest("a", r#"{"externalId":"x"}"#)).await.unwrap();
    assert_eq!(spec_text(&created), r#"{"externalId":"x"}"#);
    let rows = [
        (r#"{"metadata":{"annotations":{"unkey.com/claim":"x"},"finalizers":["unkey.com/identity"]}}"#, 1),
        (r#"{"status":{"identityId":"id_1"}}"#, 1),
        (r#"{"spec":{"suspend":true}}"#, 2),
        (r#"{"spec":{"suspend":true}}"#, 2),
        (r#"{"spec":{"suspend":null}}"#, 3),
    ];
    for (change, generation) in rows {
        patch(&world, "a", "", change).await.unwrap();
        assert_eq!(world.get("a").await.unwrap()["metadata"]["generation"], generation, "{change}");
    }
    patch(&world, "a", "", r#"{"metadata":{"finalizers":null}}"#).await.unwrap();
}
