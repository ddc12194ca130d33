//! Text of servers made fit for messages and logs. It knows no server.

pub mod transport;

use std::fmt::Write as _;

/// What others have written, fit for a terminal and for a comment of one line: what moves the cursor, ends the line or turns the direction of reading
/// is escaped.
pub fn safe(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        if c.is_control() || turns(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
        safe
    })
}

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
