//! The hashes of a release, recomputed by this build: one digit that differs would make every identity of that content look changed.
//!
//! Specs are kept as text, for a number's spelling is part of what is tried.

use serde_json::{Value, json};
use unkey_operator::domain::{FieldHash, Spec};

use super::fixtures::{load, releases};

/// Contents of which a canonical form may go wrong. A new one is added to the releases to come, never to one that is out.
const CONTENTS: [&str; 16] = [
    "{}",
    r#"{"meta":{}}"#,
    r#"{"ratelimits":[]}"#,
    r#"{"meta":{},"ratelimits":[]}"#,
    r#"{"meta":{"plan":"pro","seats":5},"ratelimits":[{"name":"requests","limit":1000,"duration":60000,"autoApply":true}]}"#,
    r#"{"meta":{"seats":5.0,"plan":"pro"},"ratelimits":[{"duration":60000,"limit":1000,"name":"requests"}]}"#,
    r#"{"meta":{"n":[0,-0.0,1,1.0,1e0,-1,0.1,0.25,1e-7,5e-324,1e15,1e16,1e21,1.7976931348623157e308]}}"#,
    r#"{"meta":{"n":[9007199254740991,9007199254740993,18446744073709551615,123456789012345678901234567890]}}"#,
    r#"{"meta":{"z":1,"a":{"y":null,"b":[true,false,{"":{}}]},"":[]}}"#,
    r#"{"meta":{"text":"quote \" slash / back \\ tab \t line \n bell \u0007 del \u007f nbsp \u00a0 u2028 \u2028"}}"#,
    r#"{"meta":{"é":"e\u0301","日本":"🙂","\ud83d\ude42":1,"<&>":"<&>"}}"#,
    r#"{"meta":{"B":1,"a":2,"_":3,"ä":4,"10":5,"9":6}}"#,
    r#"{"meta":{"a":[[1,2],[2,1]],"b":[[],{}]}}"#,
    r#"{"ratelimits":[{"name":"b-limit","limit":1,"duration":1000,"autoApply":false},{"name":"a limit","limit":9223372036854775807,"duration":2592000000,"autoApply":true}]}"#,
    r#"{"ratelimits":[{"name":"with \"quotes\" \\","limit":1,"duration":1000}]}"#,
    r#"{"meta":{"list":[]},"ratelimits":[{"name":"ABC","limit":2,"duration":1000},{"name":"abc","limit":1,"duration":1000}]}"#,
];

/// A content with its hashes: the whole as in a claim, each field as in a status.
fn hashed(spec: &str) -> Value {
    let separator = if spec == "{}" { "" } else { "," };
    let text = format!(r#"{{"externalId":"x"{separator}{}"#, &spec[1..]);
    let desired = Spec::read(&text).desired.unwrap_or_else(|error| panic!("{spec}: {error}"));
    let hashes = desired.hashes();
    json!({
        "spec": spec,
        "content": desired.content_hash().as_str(),
        "meta": hashes.meta.as_ref().map(FieldHash::as_str),
        "ratelimits": hashes.limits.as_ref().map(FieldHash::as_str),
    })
}

/// What a release to come keeps.
pub fn record() -> Value {
    CONTENTS.into_iter().map(hashed).collect()
}

#[test]
fn are_computed_as_every_release_did() {
    for release in releases() {
        let kept = load(&release, "hashes");
        let kept = kept.as_array().unwrap();
        assert!(kept.len() >= CONTENTS.len(), "{release}");
        for entry in kept {
            assert_eq!(hashed(entry["spec"].as_str().unwrap()), *entry, "{release}");
        }
    }
}

/// What Unkey stores as the same has one hash, and nothing else has: else the files would prove little.
#[test]
fn tell_apart_what_differs() {
    let all = record();
    let of = |at: usize| all[at]["content"].as_str().unwrap();
    assert_eq!(of(0), of(3), "a create sends nothing for what is not managed");
    assert_ne!(of(4), of(5), "autoApply");
    assert_eq!(all[4]["meta"], all[5]["meta"], "5 and 5.0, in whatever order");
    let distinct: std::collections::BTreeSet<&str> = (3..CONTENTS.len()).map(of).collect();
    assert_eq!(distinct.len(), CONTENTS.len() - 3);
}
