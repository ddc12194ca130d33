//! `utf8mb4_0900_as_cs` as far as it matters: which names are equal (NFC = NFD, ignorable characters ignored; case, accents and spaces
//! differ) and how ids and names are ordered (a < A < b). Not a full UCA: letters outside ASCII sort by code point.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Sorts and compares like a column of that collation.
pub type SortKey = Vec<u32>;

/// Punctuation, then digits, then letters, in the order of the Unicode collation.
const ASCII: &str = "\t\n\u{b}\u{c}\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";

/// The sort key of `text`: first all letters, then all accents, then all cases.
pub fn sort_key(text: &str) -> SortKey {
    let (mut letters, mut accents, mut cases) = (Vec::new(), Vec::new(), Vec::new());
    for character in text.nfd().filter(|c| !is_ignorable(*c)) {
        if is_combining_mark(character) {
            accents.push(1 + u32::from(character));
            continue;
        }
        let mut lower = character.to_lowercase();
        let base = lower.next().unwrap_or(character);
        letters
            .push(ASCII.chars().zip(1..).find(|(c, _)| *c == base).map_or(0x100 + u32::from(base), |(_, rank)| rank));
        accents.push(1);
        // A capital is told apart by its own code point, since two capitals may share a small letter.
        cases.push(if character == base { 1 } else { 1 + u32::from(character) });
    }
    letters.push(0);
    letters.append(&mut accents);
    letters.push(0);
    letters.append(&mut cases);
    letters
}

/// Characters without any weight: controls but white space, soft hyphen, zero-width and directional marks, variation selectors, tags.
fn is_ignorable(character: char) -> bool {
    matches!(u32::from(character),
        0x00..=0x08 | 0x0E..=0x1F | 0x7F..=0x84 | 0x86..=0x9F | 0xAD | 0x34F | 0x61C | 0x180B..=0x180E
        | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFE00..=0xFE0F | 0xFEFF | 0xFFF9..=0xFFFB
        | 0xE0001..=0xE007F | 0xE0100..=0xE01EF)
}

#[cfg(test)]
mod tests {
    use super::sort_key;

    #[test]
    fn names_are_equal_but_for_case_accents_and_spaces() {
        for (left, right) in [("abc", "abc\u{200b}"), ("\u{e9}tat", "e\u{301}tat"), ("a\u{0}b", "ab")] {
            assert_eq!(sort_key(left), sort_key(right), "{left:?} {right:?}");
        }
        for (left, right) in [("abc", "Abc"), ("abc", "abc "), ("resume", "résumé"), ("a b", "ab"), ("ΘΘ", "ϴΘ")]
        {
            assert_ne!(sort_key(left), sort_key(right), "{left:?} {right:?}");
        }
    }

    #[test]
    fn order_is_by_letter_then_accent_then_case() {
        let mut names = ["b", "A", "a", "_", "1", "é", "e", "ab", "Aa", "f", "z", "-"];
        names.sort_by_key(|name| sort_key(name));
        assert_eq!(names, ["_", "-", "1", "a", "A", "Aa", "ab", "b", "e", "é", "f", "z"]);
    }
}
