//! `meta` is data: what is stored of it, what a null in its place means, and who owns it.

use super::super::harness::World;
use super::{STRICT, all_hold, apply, manifest, patch, post, send, spec_text};

async fn stored(world: &World, name: &str) -> String {
    let uri = format!("/apis/unkey.com/v1alpha1/namespaces/{}/identities/{name}", world.namespace);
    let request = http::Request::get(uri).body(Vec::new()).unwrap();
    spec_text(&world.client.request_text(request).await.unwrap()).to_owned()
}

/// Each row: the meta that is sent, and, where it differs, the meta that is read back.
#[tokio::test]
async fn each_value_is_kept() {
    let world = World::new("meta-kept").await;
    let rows: &[(&str, &str, &str)] = &[
        ("empty: cleared", "{}", ""),
        ("nulls inside are data", r#"{"a":null,"b":{"c":null},"d":[null]}"#, ""),
        ("nested", r#"{"a":{"b":[1,{"c":"d"},[]]},"e":{}}"#, ""),
        ("texts", r#"{"":"the empty key","a":"","b":"two\nlines","c":"\u0000"}"#, ""),
        ("unicode, decomposed and invisible too", "{\"cafe\u{301}\":\"caf\u{e9}\",\"zero\u{200b}\":\"🦀\"}", ""),
        ("angle brackets", r#"{"a":"<b>&"}"#, r#"{"a":"\u003cb\u003e\u0026"}"#),
        ("keys that look like fields", r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":1}}"#, ""),
        ("bools", r#"{"a":true,"b":false}"#, ""),
        ("a float", r#"{"a":1.5,"b":0.1,"c":1e-7}"#, ""),
        // What an i64 holds is kept to the last digit; Unkey will round it to a float.
        ("an integer of 2^53 + 1", r#"{"a":9007199254740993}"#, ""),
        ("the bounds of int64", r#"{"a":-9223372036854775808,"b":9223372036854775807}"#, ""),
        // What it does not hold is a float from here on, in the shortest digits that give the same float.
        ("an integer of 2^63", r#"{"a":9223372036854775808}"#, r#"{"a":9223372036854776000}"#),
        ("an integer of 2^64", r#"{"a":18446744073709551616}"#, r#"{"a":18446744073709552000}"#),
        ("digits beyond a float", r#"{"a":0.1000000000000000055}"#, r#"{"a":0.1}"#),
        // The way a number is written is lost.
        ("1.0", r#"{"a":1.0,"b":-0.0,"c":1e3,"d":1E21}"#, r#"{"a":1,"b":0,"c":1000,"d":1e+21}"#),
        ("keys out of order", r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
    ];
    let mut wrong = Vec::new();
    for (row, (label, sent, read)) in rows.iter().enumerate() {
        let read = if read.is_empty() { sent } else { read };
        let name = format!("row-{row}");
        let spec = format!(r#"{{"externalId":"x","meta":{sent}}}"#);
        if let Err(message) = post(&world, STRICT, manifest(&name, &spec)).await {
            wrong.push(format!("{label}: refused: {message}"));
            continue;
        }
        let (expected, found) = (format!(r#"{{"externalId":"x","meta":{read}}}"#), stored(&world, &name).await);
        if found != expected {
            wrong.push(format!("{label}: read as {found} and not as {expected}"));
        }
    }
    all_hold(&wrong);
    let hundred = super::accepted::with_keys(100);
    post(&world, STRICT, manifest("hundred", &hundred)).await.unwrap();
    assert_eq!(stored(&world, "hundred").await, hundred);
}

/// S25: a null in place of `meta` is as if it were left out, or refused; there is never a stored null, which would be neither "not managed" nor
/// "cleared".
#[tokio::test]
async fn null_is_the_same_as_left_out() {
    let world = World::new("meta-null").await;
    let (full, null, without) =
        (r#"{"externalId":"x","meta":{"a":1}}"#, r#"{"externalId":"x","meta":null}"#, r#"{"externalId":"x"}"#);
    post(&world, STRICT, manifest("create", null)).await.unwrap();
    assert_eq!(stored(&world, "create").await, without);

    post(&world, STRICT, manifest("merge", full)).await.unwrap();
    patch(&world, "merge", STRICT, r#"{"spec":{"meta":null}}"#).await.unwrap();
    assert_eq!(stored(&world, "merge").await, without);

    post(&world, STRICT, manifest("put", full)).await.unwrap();
    let version = world.get("put").await.unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let body =
        manifest("put", null).replace(r#""name":"put""#, &format!(r#""name":"put","resourceVersion":"{version}""#));
    send(&world, "PUT", "put", STRICT, "application/json", body).await.unwrap();
    assert_eq!(stored(&world, "put").await, without);
}

/// S25, server-side apply: it drops no null from what is applied, so every null is refused, and nothing is changed.
#[tokio::test]
async fn null_is_refused_by_server_side_apply() {
    let world = World::new("meta-null-ssa").await;
    let limit = r#"[{"duration":1000,"limit":1,"name":"abc"}]"#;
    let full = format!(r#"{{"externalId":"x","meta":{{"a":1}},"ratelimits":{limit}}}"#);
    let rows = [
        ("meta", "spec.meta in body must be of type object: \"null\""),
        ("ratelimits", "spec.ratelimits in body must be of type array: \"null\""),
        ("suspend", "spec.suspend in body must be of type boolean: \"null\""),
        ("deletionPolicy", "spec.deletionPolicy in body must be of type string: \"null\""),
        ("adoptionPolicy", "spec.adoptionPolicy in body must be of type string: \"null\""),
    ];
    for (field, reason) in rows {
        let null = format!(r#"{{"externalId":"x","{field}":null}}"#);
        let refused = apply(&world, "new", manifest("new", &null)).await.unwrap_err();
        assert!(refused.contains(reason), "{refused}");
        apply(&world, "old", manifest("old", &full)).await.unwrap();
        let refused = apply(&world, "old", manifest("old", &null)).await.unwrap_err();
        assert!(refused.contains(reason), "{refused}");
        assert_eq!(stored(&world, "old").await, full);
    }
    apply(&world, "old", manifest("old", r#"{"externalId":"x"}"#)).await.unwrap();
    assert_eq!(stored(&world, "old").await, r#"{"externalId":"x"}"#, "what its manager leaves out is gone");
}

/// Two appliers do not half-merge one meta: the second owns all of it or is refused.
#[tokio::test]
async fn it_has_one_owner() {
    let world = World::new("meta-owner").await;
    apply(&world, "a", manifest("a", r#"{"externalId":"x","meta":{"a":1}}"#)).await.unwrap();
    let other = |force: &str| format!("fieldManager=other&{force}");
    let body = || manifest("a", r#"{"externalId":"x","meta":{"b":2}}"#);
    let forced =
        send(&world, "PATCH", "a", &other("force=true"), "application/apply-patch+yaml", body()).await.unwrap();
    assert_eq!(spec_text(&forced), r#"{"externalId":"x","meta":{"b":2}}"#);
    let fields = r#""f:spec":{"f:externalId":{},"f:meta":{}}"#;
    assert!(forced.contains(fields), "{forced}");
}
