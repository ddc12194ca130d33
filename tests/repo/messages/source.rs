//! Texts as they stand in the sources: errors, log lines, and every other literal that reads like words.

use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Fields, ImplItemFn, Item, ItemConst, ItemFn, Lit, LitStr, Macro};

use super::super::imports::is_for_tests;
use super::super::tree::{ROOT, files};

/// Where a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An `#[error("…")]`.
    Error,
    /// A log line of level info and above.
    Log,
    /// At `/readyz`.
    Readiness,
    /// The help of a metric.
    Metric,
    /// Anywhere else.
    Other,
}

/// A text of the sources.
#[derive(Debug)]
pub struct Text {
    /// The file, from the root of the repository.
    pub file: String,
    /// The function, constant or variant.
    pub place: String,
    /// How it is read.
    pub kind: Kind,
    /// The literal.
    pub words: String,
}

/// Functions that say what `/readyz` shows.
const READINESS: [&str; 4] = ["readyz", "gap", "gaps", "untold"];
/// Their texts are listed as they come out, stand in the definition, or never change.
const RENDERED: [&str; 4] =
    ["crates/core/src/message.rs", "crates/core/src/message/", "crates/core/src/frozen.rs", "crates/api/src/crd.rs"];
/// Of less than level info, or no text for a user.
const UNREAD: [&str; 5] = ["debug", "trace", "info_span", "debug_assert", "assert"];

struct Reader<'a> {
    file: &'a str,
    places: Vec<String>,
    texts: Vec<Text>,
}

/// At least two words, one after the other.
fn reads_like_words(text: &str) -> bool {
    let is_word = |part: &&str| part.chars().any(char::is_alphabetic);
    let words: Vec<&str> = text.split(' ').collect();
    words.windows(2).any(|pair| pair.iter().all(is_word))
}

impl Reader<'_> {
    fn add(&mut self, kind: Kind, place: String, words: String) {
        self.texts.push(Text { file: self.file.to_owned(), place, kind, words });
    }

    fn literal(&mut self, literal: &LitStr) {
        let (text, place) = (literal.value(), self.places.last().cloned().unwrap_or_default());
        if !reads_like_words(&text) || RENDERED.iter().any(|rendered| self.file.starts_with(rendered)) {
            return;
        }
        let kind = if READINESS.contains(&place.as_str()) {
            Kind::Readiness
        } else if self.file.starts_with("src/telemetry/") {
            Kind::Metric
        } else {
            Kind::Other
        };
        self.add(kind, place, text);
    }

    /// Every literal of a macro's arguments, however deep.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut is_attribute = false;
        for token in tokens {
            let begins_one = matches!(&token, TokenTree::Punct(it) if it.as_char() == '#');
            match token {
                // A doc comment, as in a macro that defines an enum.
                TokenTree::Group(_) if is_attribute => {}
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Lit::Str(literal) = Lit::new(literal) {
                        self.literal(&literal);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
            is_attribute = begins_one;
        }
    }

    /// A log line: the message is the literal that an argument begins with; fields may hold texts too.
    fn log(&mut self, level: &str, tokens: TokenStream) {
        let mut begins = true;
        for token in tokens {
            let is_comma = matches!(&token, TokenTree::Punct(it) if it.as_char() == ',');
            match token {
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal) {
                        if begins {
                            let place = format!("{} [{level}]", self.places.last().cloned().unwrap_or_default());
                            self.add(Kind::Log, place, text.value());
                        } else {
                            self.literal(&text);
                        }
                    }
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
            begins = is_comma;
        }
    }

    /// The texts of `#[error("…")]` on an enum's variants or a struct.
    fn errors(&mut self, place: &str, attributes: &[Attribute]) {
        for attribute in attributes.iter().filter(|it| it.path().is_ident("error")) {
            let Ok(list) = attribute.meta.require_list() else { continue };
            let literals = list.tokens.clone().into_iter().filter_map(|token| match token {
                TokenTree::Literal(literal) => match Lit::new(literal) {
                    Lit::Str(text) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            });
            let literals: Vec<String> = literals.collect();
            for text in literals.into_iter().filter(|text| text.chars().any(char::is_alphabetic) && text.contains(' '))
            {
                self.add(Kind::Error, place.to_owned(), text);
            }
        }
    }

    fn within(&mut self, place: &str, visit: impl FnOnce(&mut Self)) {
        self.places.push(place.to_owned());
        visit(self);
        self.places.pop();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(it) => &it.attrs,
            Item::Fn(it) => &it.attrs,
            Item::Impl(it) => &it.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, it: &'ast ItemFn) {
        self.within(&it.sig.ident.to_string(), |reader| visit::visit_item_fn(reader, it));
    }

    fn visit_impl_item_fn(&mut self, it: &'ast ImplItemFn) {
        self.within(&it.sig.ident.to_string(), |reader| visit::visit_impl_item_fn(reader, it));
    }

    fn visit_item_const(&mut self, it: &'ast ItemConst) {
        self.within(&it.ident.to_string(), |reader| visit::visit_item_const(reader, it));
    }

    fn visit_item_enum(&mut self, it: &'ast syn::ItemEnum) {
        for variant in &it.variants {
            self.errors(&format!("{}::{}", it.ident, variant.ident), &variant.attrs);
        }
    }

    fn visit_item_struct(&mut self, it: &'ast syn::ItemStruct) {
        if !matches!(it.fields, Fields::Unit) || !it.attrs.is_empty() {
            self.errors(&it.ident.to_string(), &it.attrs);
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        self.literal(literal);
    }

    fn visit_macro(&mut self, it: &'ast Macro) {
        let name = it.path.segments.last().map(|part| part.ident.to_string()).unwrap_or_default();
        match name.as_str() {
            "info" | "warn" | "error" => self.log(&name, it.tokens.clone()),
            name if UNREAD.contains(&name) => {}
            _ => self.tokens(it.tokens.clone()),
        }
    }

    // Doc comments are attributes too, and no messages.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

fn is_source(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_tests = file.iter().any(|part| part == "tests") || ["tests.rs", "testing.rs"].contains(&name);
    file.extension().is_some_and(|kind| kind == "rs") && !is_tests
}

/// The texts of one source.
fn read(file: &str, source: &str) -> Vec<Text> {
    let parsed = syn::parse_file(source).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut reader = Reader { file, places: Vec::new(), texts: Vec::new() };
    reader.visit_file(&parsed);
    reader.texts
}

/// All texts of the operator and its crates, by file, in the order in which they stand there.
pub fn texts() -> Vec<Text> {
    let root = Path::new(ROOT);
    let folders = ["src", "crates/api/src", "crates/core/src", "crates/text/src", "crates/unkey/src"];
    let mut sources: Vec<PathBuf> = folders.iter().flat_map(|folder| files(&root.join(folder))).collect();
    sources.retain(|file| is_source(file.strip_prefix(root).unwrap()));
    sources.sort();
    let of = |file: PathBuf| {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        read(&name, &std::fs::read_to_string(&file).unwrap())
    };
    sources.into_iter().flat_map(of).collect()
}

#[test]
fn texts_are_found_wherever_they_stand() {
    let source = r#"
        //! No message.
        const A: &str = "in a constant";
        /// No message either.
        #[derive(Error)]
        enum E {
            #[error("an error of {0}")]
            One(String),
            #[error(transparent)]
            Two(Other),
        }
        impl E {
            fn gap(&self) -> String { format!("is \
                missing: {}", "one word".len()) }
            fn log(&self) {
                tracing::info!(key = "a field", %self.x, "logged {} now", 1);
                tracing::debug!("not for users at all");
            }
        }
        #[cfg(test)]
        mod tests { const B: &str = "in a test"; }
    "#;
    let found: Vec<_> = read("src/x.rs", source).into_iter().map(|it| (it.kind, it.place, it.words)).collect();
    let expected = [
        (Kind::Other, "A", "in a constant"),
        (Kind::Error, "E::One", "an error of {0}"),
        (Kind::Readiness, "gap", "is missing: {}"),
        (Kind::Readiness, "gap", "one word"),
        (Kind::Other, "log", "a field"),
        (Kind::Log, "log [info]", "logged {} now"),
    ];
    assert_eq!(found, expected.map(|(kind, place, text)| (kind, place.to_owned(), text.to_owned())));
    let mut said = READINESS.to_vec();
    let texts = texts();
    said.retain(|place| !texts.iter().any(|it| it.kind == Kind::Readiness && it.place == *place));
    assert!(said.is_empty(), "functions that say what /readyz shows, and are not found: {said:?}");
    assert!(texts.iter().filter(|it| it.kind == Kind::Log).count() > 40, "log lines are missing");
}
