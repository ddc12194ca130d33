//! How Go writes JSON: sorted keys, shortest doubles, `<`, `>`, `&`, U+2028 and U+2029 escaped. Meta is measured and answered in this form.
//! It must not decide what is too large or too deep.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::json::{Kind, Value};

/// A `map[string]any` as Go would marshal it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The text, whose length is what the size limit counts.
    pub text: String,
    /// What the database makes of it: −0 becomes 0.
    pub stored: String,
    /// Container levels, the map itself counting as one.
    pub depth: usize,
    /// Bytes of the longest key.
    pub longest_key: usize,
}

enum Task<'a> {
    Value(Value<'a>, usize),
    Members(BTreeMap<&'a str, Value<'a>>, usize),
    Key(&'a str),
    Text(&'static str),
}

/// Encodes an object's members.
pub fn encode(members: &BTreeMap<&str, Value<'_>>) -> Encoded {
    let mut encoded = write(members, true);
    if encoded.text.contains("-0") {
        encoded.stored = write(members, false).text;
    } else {
        encoded.stored.clone_from(&encoded.text);
    }
    encoded
}

fn write(members: &BTreeMap<&str, Value<'_>>, keep_minus_zero: bool) -> Encoded {
    let mut out = Encoded { text: String::new(), stored: String::new(), depth: 0, longest_key: 0 };
    // A stack of what is left to write instead of recursion: the value may be thousands of levels deep.
    let mut tasks = vec![Task::Members(members.clone(), 1)];
    while let Some(task) = tasks.pop() {
        match task {
            Task::Text(text) => out.text.push_str(text),
            Task::Key(key) => {
                out.longest_key = out.longest_key.max(key.len());
                string(&mut out.text, key);
                out.text.push(':');
            }
            Task::Members(members, depth) => {
                out.depth = out.depth.max(depth);
                out.text.push('{');
                tasks.push(Task::Text("}"));
                for (place, (key, value)) in members.into_iter().enumerate().rev() {
                    tasks.push(Task::Value(value, depth + 1));
                    tasks.push(Task::Key(key));
                    tasks.push(Task::Text(if place == 0 { "" } else { "," }));
                }
            }
            Task::Value(value, depth) => match value.kind() {
                Kind::Null => out.text.push_str("null"),
                Kind::Bool(value) => out.text.push_str(if value { "true" } else { "false" }),
                Kind::Text(text) => string(&mut out.text, text),
                Kind::Number(literal) => {
                    let double = literal.parse().unwrap_or(0.0);
                    out.text.push_str(&number(if keep_minus_zero { double } else { double + 0.0 }));
                }
                Kind::Object(members) => tasks.push(Task::Members(members.into_iter().collect(), depth)),
                Kind::Array(items) => {
                    out.depth = out.depth.max(depth);
                    out.text.push('[');
                    tasks.push(Task::Text("]"));
                    for (place, item) in items.into_iter().enumerate().rev() {
                        tasks.push(Task::Value(item, depth + 1));
                        tasks.push(Task::Text(if place == 0 { "" } else { "," }));
                    }
                }
            },
        }
    }
    out
}

/// A double as Go prints it: the shortest digits, an exponent below 1e-6 and from 1e21 on.
pub fn number(double: f64) -> String {
    let size = double.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{double:e}");
        // Go writes the sign of a positive exponent, Rust does not.
        return if size >= 1e21 { text.replace('e', "e+") } else { text };
    }
    format!("{double}")
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing into a String does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// Whether Go's decoder takes `key` for the struct field `field` (lower-case ASCII letters count for their capitals and look-alikes).
pub fn is_field(key: &str, field: &str) -> bool {
    let fold = |c: char| match c {
        'ſ' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(field.chars().map(fold))
}
