//! Manifests that are accepted, and what is then stored: exactly what was sent, nothing filled in.

use super::super::harness::World;
use super::{DRY, all_hold, manifest, post, spec_text};

/// A spec with that many rate limits, keys in the order of the API server.
pub(super) fn with_limits(count: usize) -> String {
    let limits: Vec<String> =
        (0..count).map(|n| format!(r#"{{"duration":1000,"limit":1,"name":"limit-{n:02}"}}"#)).collect();
    format!(r#"{{"externalId":"x","ratelimits":[{}]}}"#, limits.join(","))
}

/// A spec with that many keys of meta, in the order of the API server.
pub(super) fn with_keys(count: usize) -> String {
    let keys: Vec<String> = (0..count).map(|n| format!(r#""key-{n:03}":{n}"#)).collect();
    format!(r#"{{"externalId":"x","meta":{{{}}}}}"#, keys.join(","))
}

fn with_external_id(id: &str) -> String {
    format!(r#"{{"externalId":"{id}"}}"#)
}

fn with_name(name: &str) -> String {
    let name = serde_json::to_string(name).unwrap();
    format!(r#"{{"externalId":"x","ratelimits":[{{"duration":1000,"limit":1,"name":{name}}}]}}"#)
}

fn with_numbers(limit: &str, duration: &str) -> String {
    format!(r#"{{"externalId":"x","ratelimits":[{{"duration":{duration},"limit":{limit},"name":"abc"}}]}}"#)
}

const MAX: &str = "9223372036854775807";

/// Each row: what is sent, and, where it differs, what is stored.
#[tokio::test]
async fn each_is_accepted() {
    let world = World::new("accepted").await;
    let longest = "a".repeat(255);
    let printable: String = (b' '..=b'~').map(char::from).collect();
    let same = String::new;
    let rows: &[(&str, String, String)] = &[
        ("externalId of 1", with_external_id("a"), same()),
        ("externalId of 255", with_external_id(&longest), same()),
        ("externalId of every character", with_external_id("azAZ09_.-"), same()),
        ("externalId a dot", with_external_id("."), same()),
        ("externalId id_ and 3", with_external_id("id_abc"), same()),
        ("externalId id_ and 7", with_external_id("id_abcdefg"), same()),
        ("externalId id_ and 8, one of them no letter", with_external_id("id_abcd-fgh"), same()),
        ("externalId ID_ and 8", with_external_id("ID_abcdefgh"), same()),
        ("externalId with id_ inside", with_external_id("my_id_abcdefgh"), same()),
        ("name of 3", with_name("abc"), same()),
        ("name of 128", with_name(&"a".repeat(128)), same()),
        ("name of all printable ASCII", with_name(&printable.replace(['<', '>', '&'], "")), same()),
        (
            "names that differ by case and by a space",
            format!(
                r#"{{"externalId":"x","ratelimits":[{},{},{}]}}"#,
                r#"{"duration":1000,"limit":1,"name":"abc"}"#,
                r#"{"duration":1000,"limit":1,"name":"ABC"}"#,
                r#"{"duration":1000,"limit":1,"name":"abc "}"#,
            ),
            same(),
        ),
        ("limit 1, duration 1000", with_numbers("1", "1000"), same()),
        ("limit and duration of int64", with_numbers(MAX, MAX), same()),
        ("a whole number written as 1.0", with_numbers("1.0", "1000.0"), with_numbers("1", "1000")),
        ("a whole number written as 6e4", with_numbers("6e4", "6e4"), with_numbers("60000", "60000")),
        ("50 limits", with_limits(50), same()),
        ("no limits: cleared", r#"{"externalId":"x","ratelimits":[]}"#.into(), same()),
        ("limits null: left out", r#"{"externalId":"x","ratelimits":null}"#.into(), r#"{"externalId":"x"}"#.into()),
        (
            "autoApply",
            r#"{"externalId":"x","ratelimits":[{"autoApply":true,"duration":1000,"limit":1,"name":"abc"}]}"#.into(),
            same(),
        ),
        (
            "autoApply null: left out",
            r#"{"externalId":"x","ratelimits":[{"autoApply":null,"duration":1000,"limit":1,"name":"abc"}]}"#.into(),
            with_name("abc"),
        ),
        ("adoption Never", r#"{"adoptionPolicy":"Never","externalId":"x"}"#.into(), same()),
        ("adoption IfLossless", r#"{"adoptionPolicy":"IfLossless","externalId":"x"}"#.into(), same()),
        ("adoption Always", r#"{"adoptionPolicy":"Always","externalId":"x"}"#.into(), same()),
        ("adoption null: left out", r#"{"adoptionPolicy":null,"externalId":"x"}"#.into(), with_external_id("x")),
        ("deletion Delete", r#"{"deletionPolicy":"Delete","externalId":"x"}"#.into(), same()),
        ("deletion Orphan", r#"{"deletionPolicy":"Orphan","externalId":"x"}"#.into(), same()),
        ("deletion null: left out", r#"{"deletionPolicy":null,"externalId":"x"}"#.into(), with_external_id("x")),
        ("suspend true", r#"{"externalId":"x","suspend":true}"#.into(), same()),
        ("suspend false", r#"{"externalId":"x","suspend":false}"#.into(), same()),
        ("suspend null: left out", r#"{"externalId":"x","suspend":null}"#.into(), with_external_id("x")),
    ];
    let mut wrong = Vec::new();
    for (label, sent, stored) in rows {
        let stored = if stored.is_empty() { sent } else { stored };
        match post(&world, DRY, manifest("a", sent)).await {
            Ok(reply) if spec_text(&reply) == stored => {}
            Ok(reply) => wrong.push(format!("{label}: stored as {} and not as {stored}", spec_text(&reply))),
            Err(message) => wrong.push(format!("{label}: refused: {message}")),
        }
    }
    all_hold(&wrong);
}

/// With the weaker validation of old clients an unknown field is dropped and the spec is stored without it.
#[tokio::test]
async fn an_unknown_field_is_dropped_where_it_is_not_refused() {
    let world = World::new("accepted-unknown").await;
    for validation in ["Ignore", "Warn"] {
        let query = format!("fieldValidation={validation}&dryRun=All");
        let reply =
            post(&world, &query, manifest("a", r#"{"externalId":"x","externalID":"y"},"extra":1"#)).await.unwrap();
        assert_eq!(spec_text(&reply), r#"{"externalId":"x"}"#);
        assert!(!reply.contains("extra"), "{reply}");
    }
}
