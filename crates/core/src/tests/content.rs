//! Equality and hashes follow what Unkey stores, and losslessness is R3's.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Content, FieldHash, Limits, Meta, json, limits, lossless, meta};

fn same(a: &str, b: &str) -> bool {
    let (a, b) = (meta(&format!(r#"{{"x":{a}}}"#)), meta(&format!(r#"{{"x":{b}}}"#)));
    assert_eq!(a == b, a.hash() == b.hash(), "equality and hash disagree about {a:?} and {b:?}");
    a == b
}

#[test]
fn values_are_equal_as_unkey_stores_them() {
    for (a, b) in [
        ("1", "1.0"),
        ("1e3", "1000"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("9007199254740993", "9007199254740992"),
        ("12345678901234567890", "12345678901234567000"),
        ("123456789.123456789", "123456789.12345679"),
        ("1e21", "1e+21"),
        ("1e-400", "0"),
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1.0}"#),
        (r#""\u00e9""#, "\"\u{e9}\""),
        ("null", "null"),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
    ] {
        assert!(same(a, b), "{a} and {b}");
    }
    for (a, b) in [
        ("1", "2"),
        ("1", "\"1\""),
        ("0", "false"),
        ("null", "{}"),
        ("[]", "{}"),
        ("[1,2]", "[2,1]"),
        ("[1]", "[1,1]"),
        ("[[1],2]", "[[1,2]]"),
        ("9007199254740992", "9007199254740994"),
        (r#"{"a":null}"#, "{}"),
        // NFC and NFD are two texts to Unkey.
        ("\"\u{e9}\"", "\"e\u{301}\""),
        (r#""\"""#, r#""\\\"""#),
        (r#"{"a":"b","c":"d"}"#, r#"{"a":"b\",\"c\":\"d"}"#),
        (r#"["a","b"]"#, r#"["a\",\"b"]"#),
        ("\"\\u0001\"", "\"\\\\u0001\""),
    ] {
        assert!(!same(a, b), "{a} and {b}");
    }
    assert_ne!(meta("{}"), meta(r#"{"x":null}"#));
}

#[test]
fn limits_are_a_set_by_name() {
    let one = limits(&[("a-1", 1, 1000, false), ("b-1", 2, 2000, true)]);
    let other = limits(&[("b-1", 2, 2000, true), ("a-1", 1, 1000, false)]);
    assert_eq!((one.hash(), &one), (other.hash(), &other));
    assert!(!one.is_empty() && limits(&[]).is_empty());
    for different in [
        limits(&[("a-1", 1, 1000, false)]),
        limits(&[("a-1", 2, 1000, false), ("b-1", 2, 2000, true)]),
        limits(&[("a-1", 1, 1001, false), ("b-1", 2, 2000, true)]),
        limits(&[("a-1", 1, 1000, true), ("b-1", 2, 2000, true)]),
        limits(&[("A-1", 1, 1000, false), ("b-1", 2, 2000, true)]),
        limits(&[]),
    ] {
        assert_ne!(one, different);
        assert_ne!(one.hash(), different.hash());
    }
}

/// These stand in statuses and claims of clusters: a later version has to write the same, or another prefix.
#[test]
fn hashes_are_a_format() {
    let content = Content {
        meta: meta(r#"{"z":[1.5,true,null,"\u0001 \"\\é"],"a":{"n":1e21,"s":"x"}}"#),
        limits: limits(&[("req", 10, 60_000, false), ("sum", 1, 1_000, true)]),
    };
    let sha = |text: &str| {
        use sha2::Digest;
        let bytes = sha2::Sha256::digest(text.as_bytes());
        bytes.iter().fold("v1:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    };
    let meta_text = r#"{"a":{"n":1000000000000000000000,"s":"x"},"z":[1.5,true,null,"\u0001 \"\\é"]}"#;
    let limits_text = concat!(
        r#"[{"name":"req","limit":10,"duration":60000,"autoApply":false},"#,
        r#"{"name":"sum","limit":1,"duration":1000,"autoApply":true}]"#
    );
    assert_eq!(content.meta.hash().as_str(), sha(meta_text));
    assert_eq!(content.limits.hash().as_str(), sha(limits_text));
    assert_eq!(content.hash().as_str(), sha(&format!(r#"{{"meta":{meta_text},"ratelimits":{limits_text}}}"#)));
    assert_eq!(meta("{}").hash().as_str(), "v1:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_eq!(FieldHash::parse("v2:00"), None);
    assert_eq!(FieldHash::parse(""), None);
    assert_eq!(FieldHash::parse(content.meta.hash().as_str()), Some(content.meta.hash()));
}

#[test]
fn the_lossless_matrix() {
    let stored = Content { meta: meta(r#"{"a":1,"b":{"c":2}}"#), limits: limits(&[("req", 1, 1000, false)]) };
    let empty = Content::default();
    // (wanted meta, kept over what is stored, kept over nothing)
    for (wanted, over_stored) in [
        (None, true),
        (Some(r#"{"a":1.0,"b":{"c":2}}"#), true),
        (Some(r#"{"a":1,"b":{"c":2},"more":0}"#), true),
        (Some(r#"{"a":1}"#), false),
        (Some(r#"{"a":1,"b":{"c":2,"d":3}}"#), false),
        (Some(r#"{"a":2,"b":{"c":2}}"#), false),
        (Some("{}"), false),
    ] {
        let wanted = wanted.map(meta);
        assert_eq!(lossless(wanted.as_ref(), None, &stored), over_stored, "{wanted:?}");
        assert!(lossless(wanted.as_ref(), None, &empty), "{wanted:?} over nothing");
    }
    for (wanted, over_stored) in [
        (None, true),
        (Some(limits(&[("req", 1, 1000, false)])), true),
        (Some(limits(&[("req", 1, 1000, false), ("more", 1, 1000, false)])), true),
        (Some(limits(&[("req", 2, 1000, false)])), false),
        (Some(limits(&[("req", 1, 2000, false)])), false),
        (Some(limits(&[("req", 1, 1000, true)])), false),
        (Some(limits(&[("other", 1, 1000, false)])), false),
        (Some(limits(&[])), false),
    ] {
        assert_eq!(lossless(None, wanted.as_ref(), &stored), over_stored, "{wanted:?}");
        assert!(lossless(None, wanted.as_ref(), &empty), "{wanted:?} over nothing");
    }
    // Both count.
    assert!(!lossless(Some(&stored.meta), Some(&Limits::default()), &stored));
    assert!(!lossless(Some(&Meta::default()), Some(&stored.limits), &stored));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "[a-c\"\\\\\u{e9}\u{1}]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{0,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn metas() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-d]{1,2}", values(), 0..5).prop_map(|map| map.into_iter().collect())
}

/// The same value with every number as a float, and objects built the other way round.
fn restated(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().expect("a number")),
        Value::Array(items) => items.iter().map(restated).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().rev().map(|(key, value)| (key.clone(), restated(value))).collect())
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equality_is_reflexive_and_blind_to_order_and_number_form(map in metas()) {
        let one = Meta::new(map.clone());
        let other = Meta::new(restated(&Value::Object(map.clone())).as_object().expect("an object").clone());
        prop_assert_eq!(&one, &one);
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.hash(), other.hash());
        let stored = Content { meta: other, limits: Limits::default() };
        prop_assert!(lossless(Some(&one), None, &stored));
    }

    #[test]
    fn equal_exactly_if_the_hashes_are(a in metas(), b in metas()) {
        let (a, b) = (Meta::new(a), Meta::new(b));
        prop_assert_eq!(a == b, a.hash() == b.hash());
    }

    #[test]
    fn arrays_are_ordered(items in prop::collection::vec(values(), 2..5)) {
        let turned: Value = items.iter().rev().cloned().collect();
        let wrap = |value| Meta::new(Map::from_iter([("x".to_owned(), value)]));
        let (one, other) = (wrap(Value::from(items.clone())), wrap(turned));
        let palindrome = items.iter().zip(items.iter().rev()).all(|(a, b)| wrap(a.clone()) == wrap(b.clone()));
        prop_assert_eq!(one == other, palindrome);
    }

    /// What Unkey answers is the number that was sent, in its own spelling: read back it has to be the same.
    #[test]
    fn a_number_survives_the_way_there_and_back(number in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL) {
        for text in [format!("{number}"), format!("{number:e}"), Value::from(number).to_string()] {
            prop_assert_eq!(json(&text).as_f64().map(f64::to_bits), Some(number.to_bits()), "{}", text);
        }
    }
}
