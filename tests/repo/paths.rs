//! The paths that a Rust source mentions, by a scan of its tokens: enough to tell which module depends on which.

use std::collections::BTreeSet;

/// Paths in the text of a file whose module is `module` (`["domain", "decide"]`): `use` trees spelled out, and
/// `crate`, `self` and `super` resolved to paths that begin with `crate`. Comments and literals do not count.
pub fn mentioned(source: &str, module: &[&str]) -> BTreeSet<String> {
    let tokens = tokens(source);
    let mut scan = Scan {
        tokens: &tokens,
        at: 0,
        module: module.iter().map(ToString::to_string).collect(),
        found: BTreeSet::new(),
    };
    scan.run();
    scan.found
}

struct Scan<'a> {
    tokens: &'a [String],
    at: usize,
    module: Vec<String>,
    found: BTreeSet<String>,
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", String::as_str)
    }

    fn run(&mut self) {
        let mut depth = 0_usize;
        let mut inline = Vec::new();
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "mod" if self.peek(2) == "{" => {
                    self.module.push(self.peek(1).to_owned());
                    inline.push(depth);
                    depth += 1;
                    self.at += 3;
                }
                "{" => {
                    depth += 1;
                    self.at += 1;
                }
                "}" => {
                    depth -= 1;
                    if inline.last() == Some(&depth) {
                        inline.pop();
                        self.module.pop();
                    }
                    self.at += 1;
                }
                "use" => {
                    self.at += 1;
                    self.tree(&[]);
                }
                "::" => {
                    self.at += 1;
                    self.path();
                }
                word if is_word(word) => self.path(),
                _ => self.at += 1,
            }
        }
    }

    /// A path outside `use`: words joined by `::`. A single word is kept too, for names that are banned wherever they come from.
    fn path(&mut self) {
        let mut words = Vec::new();
        while is_word(self.peek(0)) {
            words.push(self.peek(0).to_owned());
            self.at += 1;
            if self.peek(0) != "::" || !is_word(self.peek(1)) {
                break;
            }
            self.at += 1;
        }
        if words.is_empty() {
            self.at += 1;
        } else {
            self.keep(&words);
        }
    }

    /// A `use` tree, from behind `use`, `{` or `,`.
    fn tree(&mut self, prefix: &[String]) {
        let mut words = prefix.to_vec();
        loop {
            match self.peek(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !matches!(self.peek(0), "}" | "") {
                        self.tree(&words);
                        if self.peek(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    return self.keep(&words);
                }
                "as" => self.at += 2,
                word if is_word(word) => {
                    words.push(word.to_owned());
                    self.at += 1;
                }
                _ => return self.keep(&words),
            }
        }
    }

    fn keep(&mut self, words: &[String]) {
        let mut base = match words.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => {
                self.found.insert(words.join("::"));
                return;
            }
        };
        for word in words {
            match word.as_str() {
                "crate" | "self" => {}
                "super" => {
                    base.pop();
                }
                other => base.push(other.to_owned()),
            }
        }
        base.insert(0, "crate".to_owned());
        self.found.insert(base.join("::"));
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and single other characters; without comments, literals and white space.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        at = match chars[at] {
            '/' if next == '/' => end_of_line(&chars, at),
            '/' if next == '*' => end_of_block(&chars, at),
            '"' => end_of_string(&chars, at),
            '\'' => end_of_char(&chars, at),
            'r' | 'b' | 'c' if let Some(end) = end_of_prefixed(&chars, at) => end,
            ':' if next == ':' => {
                tokens.push("::".to_owned());
                at + 2
            }
            c if c.is_alphanumeric() || c == '_' => {
                let end = (at..chars.len()).find(|i| !(chars[*i].is_alphanumeric() || chars[*i] == '_'));
                let end = end.unwrap_or(chars.len());
                tokens.push(chars[at..end].iter().collect());
                end
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                at + 1
            }
        };
    }
    tokens
}

fn end_of_line(chars: &[char], from: usize) -> usize {
    (from..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len())
}

fn end_of_block(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `'a'` and `'\n'` are literals, `'a` is a lifetime, whose name does no harm as a word.
fn end_of_char(chars: &[char], quote: usize) -> usize {
    if chars.get(quote + 1) == Some(&'\\') {
        return (quote + 3..chars.len()).find(|i| chars[*i] == '\'').map_or(chars.len(), |end| end + 1);
    }
    if chars.get(quote + 2) == Some(&'\'') { quote + 3 } else { quote + 1 }
}

/// `b"…"`, `c"…"`, `r"…"`, `r#"…"#`, `br"…"`, `b'…'`; `None`: a word that begins with that letter.
fn end_of_prefixed(chars: &[char], from: usize) -> Option<usize> {
    if from > 0 && (chars[from - 1].is_alphanumeric() || chars[from - 1] == '_') {
        return None;
    }
    let mut at = from;
    let mut raw = false;
    while matches!(chars.get(at), Some('r' | 'b' | 'c')) && at < from + 2 {
        raw |= chars[at] == 'r';
        at += 1;
    }
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    match chars.get(at + hashes) {
        Some('"') if raw => {
            let body = at + hashes + 1;
            let closes = |i: usize| {
                chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
            };
            Some((body..chars.len()).find(|i| closes(*i)).map_or(chars.len(), |i| i + 1 + hashes))
        }
        Some('"') if hashes == 0 => Some(end_of_string(chars, at)),
        Some('\'') if hashes == 0 && !raw => Some(end_of_char(chars, at)),
        _ => None,
    }
}

#[test]
fn paths_are_found_however_they_are_written() {
    let source = r###"
        //! use crate::comment;
        use crate::{api::{Reason, self as named}, domain::*};
        use super::super::unkey::Client;
        pub(crate) use ::kube::Api;
        /* use crate::block; /* nested */ use crate::block; */
        fn f<'a>(x: &'a crate::telemetry::Metrics) -> self::Inner {
            let _ = ("crate::text", r##"crate::"#raw"##, 'x', '\'', b"crate::bytes", b'"', "\"crate::escaped");
            std::time::Instant::now();
            vec![super::sibling::<u8>()]
        }
        mod tests { use super::*; use super::super::aunt; mod deeper { use super::super::Inner; } }
        use super::after;
    "###;
    let found = mentioned(source, &["controller", "pass"]);
    let expected = [
        "crate::api::Reason",
        "crate::api",
        "crate::domain",
        "crate::unkey::Client",
        "kube::Api",
        "crate::telemetry::Metrics",
        "crate::controller::pass::Inner",
        "std::time::Instant::now",
        "crate::controller::sibling",
        "crate::controller::pass",
        "crate::controller::aunt",
        "crate::controller::after",
    ];
    for path in expected {
        assert!(found.contains(path), "{path} is not in {found:?}");
    }
    let crate_paths = found.iter().filter(|path| path.starts_with("crate::")).count();
    assert_eq!(crate_paths, expected.iter().filter(|path| path.starts_with("crate::")).count(), "{found:?}");
}
