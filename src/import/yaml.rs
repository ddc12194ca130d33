//! Values as YAML that every reader takes for the same: whatever it does to a bare `on`, `1_0` or `1e3`. Keys and strings are quoted as in JSON,
//! and numbers are JSON too. It knows no manifest.
//!
//! Maps are written in block style down to a few levels, so that people can read and compare them. What is deeper is JSON on one line: 100
//! levels of indentation would be most of the file.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// Spaces of one level.
const STEP: usize = 2;
/// From this indentation on there is no block style.
const DEEPEST: usize = 12;
/// A longer key is written with `?`: readers look for the colon within 1024 characters only.
const LONGEST_KEY: usize = 512;

/// Writes `"key": value` with this indentation, and ends the line.
pub(super) fn entry(out: &mut String, indent: usize, key: &str, value: &Value) {
    pad(out, indent);
    bare_entry(out, indent, key, value);
}

/// Writes an item of a list that is a map of these fields, in their order.
pub(super) fn item<'a>(out: &mut String, indent: usize, fields: impl Iterator<Item = (&'a str, &'a Value)>) {
    pad(out, indent);
    out.push_str("- ");
    for (at, (key, value)) in fields.enumerate() {
        // The first one stands beside the dash.
        if at > 0 {
            pad(out, indent + STEP);
        }
        bare_entry(out, indent + STEP, key, value);
    }
}

/// Writes a string as it is in JSON, on one line.
pub(super) fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_escaped(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What YAML does not take as it is, what some readers break lines at, and what would show text in another order than it is. All of it is in
/// the first plane: an escape of JSON beyond it is a pair, which YAML does not know.
fn is_escaped(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn bare_entry(out: &mut String, indent: usize, key: &str, value: &Value) {
    let begin = out.len();
    quoted(out, key);
    if out.len() - begin > LONGEST_KEY {
        out.insert_str(begin, "? ");
        out.push('\n');
        pad(out, indent);
    }
    out.push(':');
    if is_block(indent, value) {
        out.push('\n');
        block(out, indent + STEP, value);
    } else {
        out.push(' ');
        flow(out, value);
        out.push('\n');
    }
}

/// Lists of lists, and of what is no container, stand on one line.
fn is_block(indent: usize, value: &Value) -> bool {
    let is_map = |value: &Value| value.as_object().is_some_and(|fields| !fields.is_empty());
    indent < DEEPEST && (is_map(value) || value.as_array().is_some_and(|items| items.iter().any(is_map)))
}

fn block(out: &mut String, indent: usize, value: &Value) {
    match value {
        Value::Object(fields) => sorted(fields).for_each(|(key, value)| entry(out, indent, key, value)),
        Value::Array(items) => {
            for value in items {
                match value {
                    Value::Object(fields) if !fields.is_empty() => item(out, indent, sorted(fields)),
                    value => {
                        pad(out, indent);
                        out.push_str("- ");
                        flow(out, value);
                        out.push('\n');
                    }
                }
            }
        }
        value => flow(out, value),
    }
}

/// JSON, but for the `?` before a long key.
fn flow(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&digits(number)),
        Value::String(text) => quoted(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                flow(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (at, (key, value)) in sorted(fields).enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                let begin = out.len();
                quoted(out, key);
                if out.len() - begin > LONGEST_KEY {
                    out.insert_str(begin, "? ");
                }
                out.push_str(": ");
                flow(out, value);
            }
            out.push('}');
        }
    }
}

/// A number of YAML 1.1 has a point before an exponent, and a sign in it; else it is a text.
fn digits(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// In the order of keys, whatever order the map keeps: a dependency may turn on `preserve_order` of `serde_json`.
fn sorted(fields: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    let mut all: Vec<(&str, &Value)> = fields.iter().map(|(key, value)| (key.as_str(), value)).collect();
    all.sort_unstable_by_key(|(key, _)| *key);
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn written(value: &Value) -> String {
        let mut text = String::new();
        entry(&mut text, 0, "a", value);
        text
    }

    /// Read back, as text: two numbers that are equal may still not be the same.
    fn read(text: &str) -> String {
        let value: Value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        value["a"].to_string()
    }

    #[test]
    fn maps_are_blocks_and_what_is_deep_is_json() {
        let value =
            json!({"on": "off", "b": {"c": [1, "1_0", null], "d": [{"x": 1, "y": {"z": []}}, [{}], {}]}, "": {}});
        let expected = r#""a":
  "": {}
  "b":
    "c": [1, "1_0", null]
    "d":
      - "x": 1
        "y":
          "z": []
      - [{}]
      - {}
  "on": "off"
"#;
        assert_eq!(written(&value), expected);
        let deep = (0..100).fold(json!(1), |inner, _| json!({ "b": inner }));
        let text = written(&deep);
        assert_eq!((text.lines().count(), read(&text)), (7, deep.to_string()), "{text}");
    }

    #[test]
    fn numbers_and_texts_that_readers_take_for_others() {
        for (number, expected) in [
            ("1e21", "1.0e+21"),
            ("1.5e300", "1.5e+300"),
            ("5e-324", "5.0e-324"),
            ("-0", "-0.0"),
            ("-0.0", "-0.0"),
            ("1.0", "1.0"),
            ("0.1", "0.1"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9007199254740993", "9007199254740993"),
        ] {
            let value: Value = serde_json::from_str(number).unwrap();
            let text = written(&value);
            assert_eq!((text.as_str(), read(&text)), (format!("\"a\": {expected}\n").as_str(), value.to_string()));
        }
        let text = written(&json!("\0\u{7}\u{1b}\u{7f}\u{85}\u{2028}\u{2029}\u{feff}\u{ffff}\u{202e}\u{1f980}é\n"));
        assert_eq!(
            text,
            "\"a\": \"\\u0000\\u0007\\u001b\\u007f\\u0085\\u2028\\u2029\\ufeff\\uffff\\u202e\u{1f980}é\\n\"\n"
        );
        let merge = json!({"<<": {"b": 1}, "=": 1, "b": 2, "!x": "&y", "*": "? z", "true": "null"});
        assert_eq!(read(&written(&merge)), merge.to_string());
    }

    fn text() -> impl Strategy<Value = String> {
        let odd = proptest::sample::select(vec![
            "",
            "on",
            "1_0",
            "~",
            "<<",
            "---",
            "- a",
            "a: b",
            "a\nb",
            " #",
            "\0",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\u{10ffff}",
        ]);
        prop_oneof![any::<String>(), odd.prop_map(str::to_owned), (480_usize..1100).prop_map(|count| "k".repeat(count))]
    }

    fn value() -> impl Strategy<Value = Value> {
        let float = prop_oneof![any::<f64>(), Just(1e21), Just(-0.0), Just(1.0), Just(1e-7), Just(f64::MIN_POSITIVE)];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            float.prop_filter_map("finite", |float| Number::from_f64(float).map(Value::from)),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(9, 60, 5, |inner| {
            let map = proptest::collection::btree_map(text(), inner.clone(), 0..5);
            prop_oneof![
                proptest::collection::vec(inner, 0..5).prop_map(Value::from),
                map.prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_value_is_read_back_as_itself(value in value()) {
            prop_assert_eq!(read(&written(&value)), value.to_string());
        }

        #[test]
        fn what_stands_on_one_line_is_json(value in value()) {
            let mut text = String::new();
            flow(&mut text, &value);
            prop_assert_eq!(text.lines().count(), 1);
            if !text.contains("? \"") {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap().to_string(), value.to_string());
            }
        }
    }
}
