//! What stands in the place of a root key looks like, so that a person can be told. Pure; it never repeats what it was given.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// With or without what fills it up at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// So many characters of text do not come out by chance.
const SHORTEST: usize = 12;

/// What a text looks like that is no root key, but has to do with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Looks {
    /// An editor's byte order mark before it.
    ByteOrderMark,
    /// Quotes around it.
    Quoted,
    /// As in an environment file.
    Assignment,
    /// As in YAML.
    Entry,
    /// A document of JSON.
    Json,
    /// As in a header.
    Bearer,
    /// A line that is not the last.
    Lines,
    /// As in the `data` of a Secret.
    Base64,
}

impl Looks {
    /// What `text` looks like; `None`: like a root key, or like nothing in particular. It has no white space around it.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let quotes = ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];
        if text.starts_with('\u{feff}') {
            Some(Self::ByteOrderMark)
        } else if text.starts_with(quotes) || text.ends_with(quotes) && is_plain(text.trim_end_matches(quotes)) {
            Some(Self::Quoted)
        } else if text.starts_with(['{', '[']) {
            Some(Self::Json)
        } else if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
            Some(Self::Bearer)
        } else if is_assignment(text) {
            Some(Self::Assignment)
        } else if text.split_once(':').is_some_and(|(name, value)| is_name(name) && value.starts_with([' ', '\n'])) {
            Some(Self::Entry)
        } else if text.lines().nth(1).is_some() {
            Some(Self::Lines)
        } else if BASE64.decode(text).is_ok_and(|inner| is_text(&inner)) {
            Some(Self::Base64)
        } else {
            None
        }
    }
}

/// `NAME=value`, with `export` or without. What ends in `=` is rather base64.
fn is_assignment(text: &str) -> bool {
    let text = text.strip_prefix("export ").unwrap_or(text);
    text.split_once('=').is_some_and(|(name, value)| is_name(name) && !value.trim_matches('=').is_empty())
}

fn is_name(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_text(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    bytes.len() >= SHORTEST && bytes.iter().all(u8::is_ascii_graphic)
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "begins with a byte order mark; save the text without one",
            Self::Quoted => "has quotes around the key; remove the quotes",
            Self::Assignment => "looks like NAME=key; keep only the key",
            Self::Entry => "looks like a line of YAML; keep only the key",
            Self::Json => "looks like JSON; keep only the key",
            Self::Bearer => "begins with 'Bearer'; keep only the key",
            Self::Lines => "has several lines; keep only the key",
            Self::Base64 => {
                "looks like a key in base64; decode the key (in a Secret, use stringData or encode the key once)"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surrounds_a_key_is_named() {
        for (text, looks) in [
            ("\u{feff}unkey_root_x", Looks::ByteOrderMark),
            ("\u{feff}\"unkey_root_x\"", Looks::ByteOrderMark),
            ("\"unkey_root_x\"", Looks::Quoted),
            ("'unkey_root_x'", Looks::Quoted),
            ("\u{201c}unkey_root_x\u{201d}", Looks::Quoted),
            ("unkey_root_x\"", Looks::Quoted),
            ("UNKEY_ROOT_KEY=unkey_root_x", Looks::Assignment),
            ("export UNKEY_ROOT_KEY=\"unkey_root_x\"", Looks::Assignment),
            ("UNKEY_ROOT_KEY = unkey_root_x", Looks::Assignment),
            ("A=1\nUNKEY_ROOT_KEY=unkey_root_x", Looks::Assignment),
            ("root-key: unkey_root_x", Looks::Entry),
            ("root-key:\n  unkey_root_x", Looks::Entry),
            ("{\"key\": \"unkey_root_x\"}", Looks::Json),
            ("Bearer unkey_root_x", Looks::Bearer),
            ("bearer unkey_root_x", Looks::Bearer),
            ("unkey_root_x\nunkey_root_y", Looks::Lines),
            // printf unkey_root_canary | base64; with a line's end; without what fills it up.
            ("dW5rZXlfcm9vdF9jYW5hcnk=", Looks::Base64),
            ("dW5rZXlfcm9vdF9jYW5hcnkK", Looks::Base64),
            ("dW5rZXlfcm9vdF9jYW5hcnk", Looks::Base64),
        ] {
            assert_eq!(Looks::of(text), Some(looks), "{text}");
            assert!(!looks.to_string().contains("root_x"));
        }
    }

    #[test]
    fn a_key_looks_like_nothing_else() {
        for text in [
            "unkey_root_4f0c9a2e",
            "unkey_3ZXSbKYbGrL5oXBw8DWMzhpd",
            "k",
            "3ZXSbKYbGrL5oXBw8DWMzhpd",
            "two words",
            "a:b",
            "==",
        ] {
            assert_eq!(Looks::of(text), None, "{text}");
        }
    }
}
