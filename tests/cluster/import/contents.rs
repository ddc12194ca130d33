//! Contents that Unkey can hold and that software on the way to the cluster trips over.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Contents by externalId, more than one page of them.
pub fn all() -> BTreeMap<String, Value> {
    let mut all: BTreeMap<String, Value> =
        (0..110).map(|at| (format!("customer-{at}"), json!({"meta": {"plan": "pro", "number": at}}))).collect();
    for (external_id, meta) in metas() {
        all.insert(external_id.to_owned(), json!({ "meta": meta }));
    }
    // Names that are no names of Kubernetes, or look like those of others.
    for external_id in
        ["Acme", "acme", "user_1", "user-1", "..dots..", "___", "-", "acme-x0123456789", "id_1234567", "ID_12345678"]
    {
        all.insert(external_id.to_owned(), json!({"meta": {"externalId": external_id}}));
    }
    all.insert("L".repeat(255), json!({}));
    all.insert("limits".to_owned(), json!({ "ratelimits": limits() }));
    all
}

fn metas() -> Vec<(&'static str, Value)> {
    let text = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let deep = (0..99).fold(json!({}), |inner, _| json!({ "a": inner }));
    let deep_lists = (0..99).fold(json!([]), |inner, at| if at == 98 { json!({ "a": inner }) } else { json!([inner]) });
    let keys = |count: usize| (0..count).map(|n| (format!("key-{n:03}"), json!(n))).collect();
    vec![
        ("empty", json!({})),
        ("null", json!({"a": null, "b": {"c": null}, "d": [null, {"e": null}]})),
        ("nothing", json!({"a": {}, "b": [], "c": "", "d": [[], {}], "e": 0, "f": false, "": {"": ""}})),
        ("nested", json!({"a": {"b": [{"c": {"d": [1, [2, [3, {"e": "f"}]]]}}, {"g": [{"h": {}}]}]}})),
        (
            "numbers",
            text(
                r#"{"a":1e21,"b":-0.0,"c":1.0,"d":0.30000000000000004,"e":5e-324,"f":1.7976931348623157e308,"g":1e-7,
                "h":9223372036854775807,"i":-9223372036854775808,"j":9223372036854775808,"k":18446744073709551616,
                "l":9007199254740993,"m":[-0.0,100000000000000000000,1.5e300]}"#,
            ),
        ),
        (
            "traps",
            json!({
                "on": "off", "y": "n", "yes": "no", "1_0": "1_0", "~": "~", "null": "null", "true": "false", "": " ",
                "a": "<<", "=": "=", "0x1f": "0o17", "1:30": "12:30:45", "2001-01-01": "2001-01-01", "1e3": ".inf",
                "a: b # c": "- d", "---": "...", "%YAML": "%TAG", "&a": "*a", "!!int": "!!float 1", "?": "? ", "|": ">-",
                "{{.X}}": "${x} $(x)", "@": "`", "[": "]", "{": "}", "'": "\"\\/", "a.b/c~0": "a\n---\nb\n",
            }),
        ),
        (
            "characters",
            json!({
                "caf\u{e9}": "cafe\u{301}", "a\0b": "\0", "\u{7}\u{1b}": "\u{a0}\u{ad}", "\u{feff}": "\u{feff}a", "\u{2028}": "\u{2029}",
                "\u{202e}": "\u{200b}\u{200d}", "\u{1f469}\u{200d}\u{1f52c}": "\u{20000}\u{10ffff}\u{1f980}", "\u{fffd}": "\u{e000}",
                "\r\n": "\t\u{8}\u{c}", "\u{5d0}": "\u{1fffe}", "a\r\nb": " a ",
            }),
        ),
        (
            "words",
            json!({"a": "lorem  ipsum ".repeat(400), "b": "lorem\n\n ipsum\n".repeat(100), "c": "x ".repeat(2_000)}),
        ),
        ("deep", deep),
        ("deep-lists", deep_lists),
        ("keys", Value::Object(keys(100))),
        ("large", json!({"a": "x".repeat(255_000)})),
        ("many", json!({"a": (0..20_000).collect::<Vec<_>>(), "b": vec![json!({"c": 1.5}); 2_000]})),
    ]
}

/// What neither a server-side apply nor kustomize passes on as it is.
pub fn created() -> BTreeMap<String, Value> {
    let metas = [
        ("controls", json!({"\u{7f}": "\u{80}\u{85}\u{9f}", "a\u{85}b": null, "c": "\u{fffe}\u{ffff}"})),
        ("merge", json!({"<<": {"a": 1}, "a": 2, "b": {"<<": [{"c": 1}]}})),
        ("long-keys", json!({"k".repeat(65_535): 1, "a": {"b": {"c": {"d": {"e": {"r".repeat(2_000): [1]}}}}}})),
        ("controls-large", json!({"a": "\u{85}".repeat(100_000), "b": "x".repeat(50_000), "c": null})),
    ];
    metas.into_iter().map(|(external_id, meta)| (external_id.to_owned(), json!({ "meta": meta }))).collect()
}

/// As many as there can be, and with all that prints in their names.
fn limits() -> Vec<Value> {
    let printable: String = (b' '..=b'~').map(char::from).collect();
    let mut names =
        vec![printable, "   ".to_owned(), "n".repeat(128), "on: off".to_owned(), "abc".to_owned(), "ABC".to_owned()];
    names.extend((names.len()..50).map(|at| format!("limit-{at}")));
    let limit = |(at, name): (usize, String)| {
        let least = i64::try_from(at).unwrap() + 1;
        let number = if at == 0 { i64::MAX } else { least };
        json!({"name": name, "limit": number, "duration": 1000 * least, "autoApply": at % 2 == 0})
    };
    names.into_iter().enumerate().map(limit).collect()
}
