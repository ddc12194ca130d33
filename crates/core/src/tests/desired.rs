//! Reading a spec: measured before it is parsed, and never read so that something gets deleted by mistake.

use super::{Fields, MAX_DEPTH, MAX_KEY_BYTES, MAX_META_BYTES, Spec, SpecError, depth, json};
use crate::spec::go_len_value;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy};

fn read(fields: &str) -> Spec {
    Spec::read(&format!(r#"{{"externalId":"a",{fields}}}"#))
}

fn nested(levels: usize) -> String {
    format!("{}{}", r#"{"a":"#.repeat(levels - 1), "{}".to_owned() + &"}".repeat(levels - 1))
}

#[test]
fn depth_counts_containers_outside_of_strings() {
    for (text, levels) in [
        ("1", 0),
        ("{}", 1),
        ("[[]]", 2),
        (r#"{"a":[{}]}"#, 3),
        (r#"{"[[[[":"{{{{"}"#, 1),
        (r#"{"a":"\"[[","b":[1]}"#, 2),
        (r#"{"a":"}}]]","b":[1]}"#, 2),
        (r#"{"a":"\\","b":[[1]]}"#, 3),
        (r#"{"a":"\\\"[","b":1}"#, 1),
        ("[{},{},[],[[]]]", 3),
        ("]]]][", 1),
        ("", 0),
    ] {
        assert_eq!(depth(text), levels, "{text}");
    }
    assert_eq!(depth(&nested(5_000)), 5_000);
}

#[test]
fn s24_depth_is_that_specs_failure_and_read_without_recursion() {
    assert!(read(&format!(r#""meta":{}"#, nested(MAX_DEPTH))).desired.is_ok());
    for levels in [MAX_DEPTH + 1, 150, 5_000, 200_000] {
        let spec = read(&format!(r#""meta":{},"deletionPolicy":"Orphan""#, nested(levels)));
        assert_eq!(spec.desired, Err(SpecError::MetaTooDeep { levels }));
        assert_eq!(spec.controls.deletion, Some(DeletionPolicy::Orphan), "deletion still needs it");
        assert!(spec.external_id.is_some() && !spec.controls.suspend);
    }
    // Deep elsewhere: unreadable, not a crash.
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    assert!(read(&format!(r#""ratelimits":{deep}"#)).desired.is_err());
    assert!(read(&format!(r#""deletionPolicy":{deep}"#)).controls.suspend);
    assert!(read(&format!(r#""unknown":{deep}"#)).desired.is_ok());
}

/// Computed with Go 1.26: `len(json.Marshal(v))` of `v` as `json.Unmarshal` reads it into an `any`.
#[test]
fn go_len_is_what_go_says() {
    for (text, bytes) in [
        ("1", 1),
        ("1.0", 1),
        ("-0", 2),
        ("-0.0", 2),
        ("0", 1),
        ("1e20", 21),
        ("1e21", 5),
        ("1.5e300", 8),
        ("1e-6", 8),
        ("1e-7", 4),
        ("1.25e-10", 8),
        ("-1e21", 6),
        ("123456789.123456789", 18),
        ("9007199254740993", 16),
        ("12345678901234567890", 20),
        ("0.1", 3),
        ("1e-5", 7),
        ("5e-324", 6),
        ("1.7976931348623157e308", 23),
        (r#""a""#, 3),
        (r#""""#, 2),
        (r#""<>&""#, 20),
        (r#""\u2028\u2029""#, 14),
        (r#""\n\r\t\b\f""#, 12),
        (r#""\u0001\u001f""#, 14),
        (r#""\u007f""#, 3),
        (r#""\"\\/""#, 7),
        (r#""é😀""#, 8),
        ("[]", 2),
        ("[1,2]", 5),
        ("{}", 2),
        (r#"{"a":1,"b":[true,false,null]}"#, 29),
        (r#"{"<":"&"}"#, 19),
        (r#""'""#, 3),
        (r#""a b""#, 5),
    ] {
        assert_eq!(go_len_value(&json(text), &mut 0), bytes, "{text}");
    }
}

#[test]
fn sizes_at_the_edge() {
    let meta = |bytes: usize| format!(r#""meta":{{"a":"{}"}}"#, "x".repeat(bytes - r#"{"a":""}"#.len()));
    assert!(read(&meta(MAX_META_BYTES)).desired.is_ok());
    let bytes = MAX_META_BYTES + 1;
    assert_eq!(read(&meta(bytes)).desired, Err(SpecError::MetaTooLarge { bytes }));
    let key = |bytes: usize| format!(r#""meta":{{"n":{{"{}":1}}}}"#, "k".repeat(bytes));
    assert!(read(&key(MAX_KEY_BYTES)).desired.is_ok());
    let bytes = MAX_KEY_BYTES + 1;
    assert_eq!(read(&key(bytes)).desired, Err(SpecError::KeyTooLong { bytes }));
}

#[test]
fn s25_null_is_left_out_and_a_null_inside_is_data() {
    let spec = read(r#""meta":null,"ratelimits":null,"adoptionPolicy":null,"deletionPolicy":null,"suspend":null"#);
    let desired = spec.desired.expect("readable");
    assert_eq!((desired.meta, desired.limits), (None, None));
    assert_eq!(spec.controls, super::Controls::default());
    let desired = read(r#""meta":{"a":null},"ratelimits":[]"#).desired.expect("readable");
    assert!(desired.meta.is_some_and(|meta| meta.as_map()["a"].is_null()));
    assert!(desired.limits.is_some_and(|limits| limits.is_empty()));
}

#[test]
fn auto_apply_is_filled_in_and_unknown_fields_are_ignored() {
    let limit = r#"{"name":"req","limit":1,"duration":1000"#;
    let without = read(&format!(r#""ratelimits":[{limit}}}],"future":{{"a":1}}"#)).desired.expect("readable");
    let with = read(&format!(r#""ratelimits":[{limit},"autoApply":false,"id":"rl_1"}}]"#)).desired.expect("readable");
    let null = read(&format!(r#""ratelimits":[{limit},"autoApply":null}}]"#)).desired.expect("readable");
    assert_eq!(without, with);
    assert_eq!(without, null);
}

#[test]
fn each_field_that_cannot_be_read_is_named_and_none_leads_to_a_deletion() {
    for (fields, field) in [
        (r#""meta":[]"#, "meta"),
        (r#""meta":{"a":1e400}"#, "meta"),
        (r#""meta":{"a":"\ud800"}"#, "meta"),
        (r#""ratelimits":{}"#, "ratelimits"),
        (r#""ratelimits":[{"name":"req","limit":9223372036854775808,"duration":1000}]"#, "ratelimits"),
        (r#""ratelimits":[{"name":"req","limit":1}]"#, "ratelimits"),
        (r#""adoptionPolicy":"Sometimes""#, "adoptionPolicy"),
    ] {
        let spec = read(&format!(r#"{fields},"deletionPolicy":"Orphan""#));
        assert_eq!(spec.desired, Err(SpecError::Unreadable { field }), "{fields}");
        assert_eq!(spec.controls.deletion, Some(DeletionPolicy::Orphan), "{fields}");
    }
    for unreadable in [r#""Retain""#, "1", r#""delete""#, "[]"] {
        let spec = read(&format!(r#""deletionPolicy":{unreadable}"#));
        assert!(spec.controls.suspend, "{unreadable}: perhaps it means to keep the identity");
        assert_eq!(spec.desired, Err(SpecError::Unreadable { field: "deletionPolicy" }));
    }
    for unreadable in [r#""Watch""#, "1", r#""observe""#, "[]"] {
        let spec = read(&format!(r#""managementPolicy":{unreadable}"#));
        assert!(spec.controls.suspend, "{unreadable}: perhaps it means to write nothing");
        assert_eq!(spec.desired, Err(SpecError::Unreadable { field: "managementPolicy" }));
    }
    assert!(read(r#""suspend":"yes""#).controls.suspend);
    assert!(!read(r#""suspend":false"#).controls.suspend);
    // Not even the externalId, or nothing at all: hold everything.
    for text in [
        "",
        "null",
        "[]",
        "{",
        r#"{"deletionPolicy":"Delete"}"#,
        r#"{"externalId":7}"#,
        r#"{"suspend":false,"suspend":false}"#,
    ] {
        let spec = Spec::read(text);
        assert!(spec.controls.suspend, "{text}");
        assert_eq!(spec.desired, Err(SpecError::Unreadable { field: "externalId" }), "{text}");
    }
}

#[test]
fn policies_are_read() {
    let spec = read(r#""adoptionPolicy":"Always","deletionPolicy":"Delete""#);
    assert_eq!(spec.controls.adoption, Some(AdoptionPolicy::Always));
    assert_eq!(spec.controls.deletion, Some(DeletionPolicy::Delete));
}

#[test]
fn two_limits_of_one_name_are_refused_without_raw_text_in_the_message() {
    let limit = r#"{"name":"a\nb","limit":1,"duration":1000}"#;
    let Err(error) = read(&format!(r#""ratelimits":[{limit},{limit}]"#)).desired else { panic!("refused") };
    assert_eq!(error, SpecError::DuplicateLimit { name: "a\nb".to_owned() });
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn only_what_differs_is_missing() {
    let desired = read(r#""meta":{"a":1},"ratelimits":[]"#).desired.expect("readable");
    assert_eq!(desired.missing_from(desired.hashes()), None);
    let (meta, limits) = desired.missing_from(&super::Applied::default()).expect("all");
    assert!(meta.is_some() && limits.is_some());
    let half = super::Applied { limits: None, ..desired.hashes().clone() };
    assert!(matches!(desired.missing_from(&half), Some((None, Some(_)))));
    let none = read(r#""suspend":false"#).desired.expect("readable");
    assert_eq!(none.missing_from(&super::Applied::default()), None);
    assert_eq!(Fields::accepted(desired.hashes().clone()).kept_by(&none), Fields::default());
}
