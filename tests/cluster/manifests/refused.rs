//! Manifests that are refused, and the words that tell the user why.

use super::super::harness::{World, lacks};
use super::{DRY, all_hold, manifest, post};

/// A spec with one rate limit; the arguments are JSON text.
fn with_limit(name: &str, limit: &str, duration: &str) -> String {
    format!(r#"{{"externalId":"x","ratelimits":[{{"name":{name},"limit":{limit},"duration":{duration}}}]}}"#)
}

fn with_name(name: &str) -> String {
    with_limit(&serde_json::to_string(name).unwrap(), "1", "1000")
}

fn with_external_id(id: &str) -> String {
    format!(r#"{{"externalId":{}}}"#, serde_json::to_string(id).unwrap())
}

async fn each_is_refused(world: &str, rows: &[(&str, String, &[&str])]) {
    let world = World::new(world).await;
    let mut wrong = Vec::new();
    for (label, spec, reasons) in rows {
        match post(&world, DRY, manifest("a", spec)).await {
            Ok(_) => wrong.push(format!("{label}: accepted")),
            Err(message) => wrong.extend(
                reasons
                    .iter()
                    .filter(|reason| !message.contains(**reason))
                    .map(|reason| format!("{label}: '{reason}' is not in: {message}")),
            ),
        }
    }
    all_hold(&wrong);
    assert!(world.list().await.is_empty(), "a dry run stores nothing");
}

#[tokio::test]
async fn an_external_id_that_unkey_would_not_take() {
    let alphabet = "spec.externalId in body should match '^[a-zA-Z0-9_.-]+$'";
    let internal = "externalId must not look like an internal id of Unkey ('id_' and 8 or more letters or digits)";
    let rows: &[(&str, String, &[&str])] = &[
        ("missing", "{}".into(), &["spec.externalId: Required value"]),
        ("null", r#"{"externalId":null}"#.into(), &["spec.externalId: Required value"]),
        ("a number", r#"{"externalId":1}"#.into(), &["spec.externalId in body must be of type string"]),
        ("empty", with_external_id(""), &["spec.externalId in body should be at least 1 chars long"]),
        ("256 long", with_external_id(&"a".repeat(256)), &["spec.externalId: Too long: may not be more than 255"]),
        ("a space", with_external_id("a b"), &[alphabet]),
        ("a slash", with_external_id("a/b"), &[alphabet]),
        ("a colon", with_external_id("user:1"), &[alphabet]),
        ("an address", with_external_id("a@example.com"), &[alphabet, r#""a@example.com""#]),
        ("not ASCII", with_external_id("é"), &[alphabet]),
        ("a newline at the end", with_external_id("a\n"), &[alphabet]),
        ("an invisible character", with_external_id("a\u{200b}"), &[alphabet, r"a\u200b"]),
        ("S17: id_ and 8", with_external_id("id_abcdefgh"), &[internal]),
        ("S17: id_ and 8 digits", with_external_id("id_12345678"), &[internal]),
        ("S17: id_ and 20", with_external_id("id_5Gk2wQmJr8vXc3TnYz7P"), &[internal]),
    ];
    each_is_refused("refused-external-id", rows).await;
}

#[tokio::test]
async fn a_rate_limit_that_unkey_would_not_take() {
    // S20: Unkey's database takes some of these for equal to others, so only characters without doubles are let in.
    let ascii = "name must be printable ASCII (letters, digits, punctuation, spaces)";
    // Kubernetes 1.32 says integer, 1.37 says int64.
    let int64 = "must be of type int";
    let rows: &[(&str, String, &[&str])] = &[
        ("name of 2", with_name("ab"), &["ratelimits[0].name in body should be at least 3 chars long"]),
        ("name of 129", with_name(&"a".repeat(129)), &["ratelimits[0].name: Too long: may not be more than 128"]),
        ("name not ASCII", with_name("anfragen-für"), &[ascii, "spec.ratelimits[0].name"]),
        ("name with U+200B", with_name("abc\u{200b}"), &[ascii]),
        ("name in NFC", with_name("caf\u{e9}"), &[ascii]),
        ("name in NFD", with_name("cafe\u{301}"), &[ascii]),
        ("name with a tab", with_name("a\tb"), &[ascii]),
        ("name with a newline at the end", with_name("abc\n"), &[ascii]),
        ("name with DEL", with_name("abc\u{7f}"), &[ascii]),
        ("name with NUL", with_name("abc\0"), &[ascii]),
        ("name a number", with_limit("1", "1", "1000"), &["ratelimits[0].name in body must be of type string"]),
        ("limit 0", with_limit(r#""abc""#, "0", "1000"), &["limit in body should be greater than or equal to 1"]),
        ("limit -1", with_limit(r#""abc""#, "-1", "1000"), &["limit in body should be greater than or equal to 1"]),
        ("limit 1.5", with_limit(r#""abc""#, "1.5", "1000"), &["ratelimits[0].limit", int64]),
        ("limit max + 1", with_limit(r#""abc""#, "9223372036854775808", "1000"), &["ratelimits[0].limit", int64]),
        ("limit text", with_limit(r#""abc""#, r#""1""#, "1000"), &["limit in body must be of type integer"]),
        ("limit null", with_limit(r#""abc""#, "null", "1000"), &["spec.ratelimits[0].limit: Required value"]),
        ("limit true", with_limit(r#""abc""#, "true", "1000"), &["ratelimits[0].limit", int64]),
        ("duration 999", with_limit(r#""abc""#, "1", "999"), &["duration in body should be greater than or equal to 1000"]),
        ("duration max + 1", with_limit(r#""abc""#, "1", "9223372036854775808"), &["ratelimits[0].duration", int64]),
        ("duration text", with_limit(r#""abc""#, "1", r#""60s""#), &["duration in body must be of type integer"]),
        (
            "without a name",
            r#"{"externalId":"x","ratelimits":[{"limit":1,"duration":1000}]}"#.into(),
            &["spec.ratelimits[0].name: Required value"],
        ),
        (
            "without a limit",
            r#"{"externalId":"x","ratelimits":[{"name":"abc","duration":1000}]}"#.into(),
            &["spec.ratelimits[0].limit: Required value"],
        ),
        (
            "without a duration",
            r#"{"externalId":"x","ratelimits":[{"name":"abc","limit":1}]}"#.into(),
            &["spec.ratelimits[0].duration: Required value"],
        ),
        (
            "autoApply text",
            r#"{"externalId":"x","ratelimits":[{"name":"abc","limit":1,"duration":1000,"autoApply":"true"}]}"#.into(),
            &["ratelimits[0].autoApply in body must be of type boolean"],
        ),
        (
            "autoApply 1",
            r#"{"externalId":"x","ratelimits":[{"name":"abc","limit":1,"duration":1000,"autoApply":1}]}"#.into(),
            &["ratelimits[0].autoApply in body must be of type boolean"],
        ),
        (
            "one name twice",
            r#"{"externalId":"x","ratelimits":[{"name":"abc","limit":1,"duration":1000},{"name":"abc","limit":2,"duration":1000}]}"#.into(),
            // Kubernetes 1.32 puts the type of a Go value between them.
            &["spec.ratelimits[1]: Duplicate value: ", r#"{"name":"abc"}"#],
        ),
        ("51 of them", super::accepted::with_limits(51), &["spec.ratelimits: Too many: 51: must have at most 50 items"]),
        ("an object", r#"{"externalId":"x","ratelimits":{}}"#.into(), &["ratelimits in body must be of type array"]),
        ("a null in the list", r#"{"externalId":"x","ratelimits":[null]}"#.into(), &["ratelimits[0] in body must be of type object"]),
    ];
    each_is_refused("refused-limit", rows).await;
}

/// What cannot be seen in the manifest is seen in the message.
#[tokio::test]
async fn a_name_that_is_refused_is_shown() {
    let world = World::new("refused-shown").await;
    if lacks(&world, 36, "what a rule of the definition refuses is not in the message").await {
        return;
    }
    let rows: &[(&str, String, &[&str])] = &[
        ("name with U+200B", with_name("abc\u{200b}"), &[r"abc\u200b"]),
        ("name with a tab", with_name("a\tb"), &[r"a\tb"]),
    ];
    each_is_refused("refused-shown", rows).await;
}

#[tokio::test]
async fn a_meta_that_is_no_object_or_too_wide() {
    let rows: &[(&str, String, &[&str])] = &[
        ("array", r#"{"externalId":"x","meta":[]}"#.into(), &["spec.meta in body must be of type object: \"array\""]),
        (
            "string",
            r#"{"externalId":"x","meta":"{}"}"#.into(),
            &["spec.meta in body must be of type object: \"string\""],
        ),
        ("number", r#"{"externalId":"x","meta":1}"#.into(), &["spec.meta in body must be of type object: \"integer\""]),
        (
            "bool",
            r#"{"externalId":"x","meta":true}"#.into(),
            &["spec.meta in body must be of type object: \"boolean\""],
        ),
        ("101 keys", super::accepted::with_keys(101), &["spec.meta: Too many: 101: must have at most 100 items"]),
        ("a key twice", r#"{"externalId":"x","meta":{"a":1,"a":2}}"#.into(), &[r#"duplicate field "spec.meta.a""#]),
        ("beyond a float", r#"{"externalId":"x","meta":{"a":1E400}}"#.into(), &["cannot unmarshal number 1E400"]),
    ];
    each_is_refused("refused-meta", rows).await;
}

#[tokio::test]
async fn a_word_or_a_field_that_nobody_knows() {
    let adoption = r#"supported values: "Never", "IfLossless", "Always""#;
    let deletion = r#"supported values: "Delete", "Orphan""#;
    let spec = |field: &str| format!(r#"{{"externalId":"x",{field}}}"#);
    let rows: &[(&str, String, &[&str])] = &[
        (
            "adoption in lower case",
            spec(r#""adoptionPolicy":"never""#),
            &["spec.adoptionPolicy: Unsupported value", adoption],
        ),
        ("adoption empty", spec(r#""adoptionPolicy":"""#), &["spec.adoptionPolicy: Unsupported value", adoption]),
        ("adoption of another tool", spec(r#""adoptionPolicy":"Adopt""#), &[adoption]),
        (
            "deletion in lower case",
            spec(r#""deletionPolicy":"orphan""#),
            &["spec.deletionPolicy: Unsupported value", deletion],
        ),
        ("deletion of another tool", spec(r#""deletionPolicy":"Retain""#), &[deletion, r#""Retain""#]),
        ("deletion a bool", spec(r#""deletionPolicy":false"#), &["spec.deletionPolicy in body must be of type string"]),
        ("suspend text", spec(r#""suspend":"true""#), &["spec.suspend in body must be of type boolean"]),
        ("suspend 1", spec(r#""suspend":1"#), &["spec.suspend in body must be of type boolean"]),
        ("externalID", spec(r#""externalID":"x""#), &[r#"unknown field "spec.externalID""#]),
        ("the field of another API", spec(r#""rateLimits":[]"#), &[r#"unknown field "spec.rateLimits""#]),
        ("workspaceRef, reserved", spec(r#""workspaceRef":{}"#), &[r#"unknown field "spec.workspaceRef""#]),
        (
            "unknown in a limit",
            spec(r#""ratelimits":[{"name":"abc","limit":1,"duration":1000,"burst":1}]"#),
            &[r#"unknown field "spec.ratelimits[0].burst""#],
        ),
        ("unknown at the top", r#"{"externalId":"x"},"meta":{}"#.into(), &[r#"unknown field "meta""#]),
    ];
    each_is_refused("refused-word", rows).await;
}

#[tokio::test]
async fn a_manifest_without_a_spec() {
    let world = World::new("refused-no-spec").await;
    let body = r#"{"apiVersion":"unkey.com/v1alpha1","kind":"Identity","metadata":{"name":"a"}}"#;
    let message = post(&world, DRY, body.to_owned()).await.unwrap_err();
    assert!(message.contains("spec: Required value"), "{message}");
}
