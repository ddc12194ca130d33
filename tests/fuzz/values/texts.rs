//! Characters that software trips over.

/// What they are, and a text that has them. None is printable ASCII only.
pub const ODD: [(&str, &str); 16] = [
    ("NFC", "caf\u{e9}"),
    ("NFD", "cafe\u{301}"),
    ("a zero-width space", "abc\u{200b}"),
    ("a zero-width joiner", "a\u{200d}bc"),
    ("a byte order mark", "\u{feff}abc"),
    ("right to left", "\u{5d0}\u{5d1}\u{5d2}"),
    ("a right-to-left override", "abc\u{202e}cba"),
    ("an emoji of several", "\u{1f469}\u{200d}\u{1f52c}\u{1f3fd}"),
    ("four bytes", "\u{20000}\u{10ffff}\u{1f980}"),
    ("NUL", "a\0bc"),
    ("a bell and an escape", "abc\u{7}\u{1b}[31m"),
    ("a newline at the end", "abc\n"),
    ("a tab", "ab\tc"),
    ("DEL and a C1 control", "ab\u{7f}\u{85}c"),
    ("line separators", "ab\u{2028}\u{2029}c"),
    ("not a character", "ab\u{ffff}\u{fffd}c"),
];

/// All that can be printed in ASCII.
pub fn printable() -> String {
    (b' '..=b'~').map(char::from).collect()
}
