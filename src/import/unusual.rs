//! What not every way to the cluster passes on, found by trying it with kubectl 1.37. Pure.
//!
//! A client-side apply removes nulls, and keeps a copy of the manifest that has to fit into an annotation. A server-side apply sends JSON that the API
//! server reads as YAML, and kustomize does the same within: both stumble over what JSON may hold and YAML may not. Only `kubectl create` and
//! `kubectl replace` pass on everything.

use serde_json::Value;

/// Bytes of a manifest that a client-side apply takes. All annotations of an object together may have 256 KiB.
const MAX_CLIENT_SIDE: usize = 250_000;
/// Characters of a key, as Go writes it, that a reader of YAML takes; it looks no further than 1024 for the colon.
const LONGEST_KEY: usize = 1000;

/// What is unusual about a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusual {
    /// A client-side apply removes it.
    Null,
    /// A client-side apply has no room for the copy.
    Large,
    /// A key that kustomize takes for a merge.
    MergeKey,
    /// A key that is too long for a server-side apply and for kustomize.
    LongKey,
    /// A character that a server-side apply and kustomize refuse, or change without a word.
    Character,
}

impl Unusual {
    /// The worst of it, if there is any.
    pub(super) fn of(manifest: &Value) -> Option<Self> {
        let mut worst = (encoded(manifest) > MAX_CLIENT_SIDE).then_some(Self::Large);
        walk(manifest, &mut |found| worst = worst.max(Some(found)));
        worst
    }

    /// Neither kind of apply does; `kubectl create` does.
    pub fn needs_create(self) -> bool {
        matches!(self, Self::MergeKey | Self::LongKey | Self::Character)
    }

    /// Why, as the rest of a sentence.
    pub fn why(self) -> &'static str {
        match self {
            Self::Null => "meta has a null, which a client-side apply removes",
            Self::Large => "the manifest is larger than 250 kB, which a client-side apply refuses",
            Self::MergeKey => "meta has the key '<<', which kustomize drops",
            Self::LongKey => {
                "meta has a key of 1000 characters or more, which a server-side apply and kustomize refuse"
            }
            Self::Character => {
                "meta has a character from U+007F to U+009F, U+FFFE or U+FFFF, which a server-side apply and kustomize refuse or change"
            }
        }
    }
}

fn walk(value: &Value, found: &mut impl FnMut(Unusual)) {
    let is_odd = |text: &str| text.chars().any(|c| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}'));
    match value {
        Value::Null => found(Unusual::Null),
        Value::String(text) if is_odd(text) => found(Unusual::Character),
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if is_odd(key) {
                    found(Unusual::Character);
                }
                if key == "<<" {
                    found(Unusual::MergeKey);
                }
                if text(key, |_| 1) >= LONGEST_KEY {
                    found(Unusual::LongKey);
                }
                walk(value, found);
            }
        }
        _ => {}
    }
}

/// Bytes of the copy that kubectl keeps, or a few more: Go escapes five characters that others do not, and writes large numbers out.
fn encoded(value: &Value) -> usize {
    match value {
        Value::Array(items) => 2 + items.iter().map(|item| encoded(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(key, value)| text(key, char::len_utf8) + encoded(value) + 2).sum::<usize>()
        }
        Value::String(string) => text(string, char::len_utf8),
        Value::Number(number) if number.is_f64() => number.to_string().len().max(22),
        value => value.to_string().len(),
    }
}

/// How long a string is as Go writes it, if `plain` tells it of what is not escaped.
fn text(string: &str, plain: impl Fn(char) -> usize) -> usize {
    let length = |c: char| match c {
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => 6,
        '"' | '\\' => 2,
        c => plain(c),
    };
    2 + string.chars().map(length).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_not_every_way_passes_on() {
        for (meta, expected) in [
            (json!({"a": [{"b": null}]}), Some(Unusual::Null)),
            (json!({"a": "x".repeat(250_000)}), Some(Unusual::Large)),
            (json!({"a": "<".repeat(42_000), "b": null}), Some(Unusual::Large)),
            (json!({"a": "x".repeat(249_000), "b": "null"}), None),
            (json!({"a": [{"<<": 1}]}), Some(Unusual::MergeKey)),
            (json!({"a": "<<"}), None),
            (json!({"k".repeat(997): "k".repeat(2_000)}), None),
            (json!({"a": {"k".repeat(998): null}}), Some(Unusual::LongKey)),
            (json!({"\0".repeat(167): 1}), Some(Unusual::LongKey)),
            (json!({"\u{e9}".repeat(900): 1}), None),
            (json!({"a": "x\u{7f}"}), Some(Unusual::Character)),
            (json!({"a\u{85}": 1, "<<": null}), Some(Unusual::Character)),
            (json!({"a": ["\u{ffff}"]}), Some(Unusual::Character)),
            (json!({"a": "\0\u{1b}\u{a0}\u{2028}\u{feff}\u{fffd}\u{1fffe}"}), None),
        ] {
            assert_eq!(Unusual::of(&meta), expected, "{}", meta.to_string().chars().take(60).collect::<String>());
        }
    }
}
