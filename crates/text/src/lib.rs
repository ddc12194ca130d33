//! Text of servers made fit for messages and logs. It knows no server.

pub mod transport;

use std::fmt::Write as _;

/// No control or invisible formatting characters, at most `max` characters and one that says that more was there.
pub fn printable(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (count, char) in text.chars().enumerate() {
        if count == max {
            out.push('…');
            break;
        }
        // `escape_debug` escapes what does not print, such as bidirectional overrides; quotes may stay.
        if matches!(char, '"' | '\'') {
            out.push(char);
        } else {
            let _ = write!(out, "{}", char.escape_debug());
        }
    }
    out
}

#[test]
fn what_does_not_print_is_escaped_and_what_is_long_is_cut() {
    assert_eq!(printable("a\"b'\nc\u{202e}\u{7}", 99), "a\"b'\\nc\\u{202e}\\u{7}");
    assert_eq!((printable("abc", 3).as_str(), printable("abcd", 3).as_str()), ("abc", "abc…"));
    assert_eq!(printable("ééé", 2), "éé…");
}
