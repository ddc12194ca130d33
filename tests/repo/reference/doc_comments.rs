//! Reads the doc comments of the variants of an enum, and of constants.

use std::path::Path;

use syn::{Attribute, Expr, Item, Lit, Meta};

use super::super::tree::ROOT;

/// The text of a doc comment, as paragraphs of one line each.
fn text(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter(|it| it.path().is_ident("doc")).filter_map(|it| match &it.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(line) => Some(line.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ")
}

fn items(file: &str) -> Vec<Item> {
    let source = std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    syn::parse_file(&source).unwrap().items
}

/// Each variant of an enum with its doc comment.
pub fn variants(file: &str, name: &str) -> Vec<(String, String)> {
    let found = items(file).into_iter().find_map(|item| match item {
        Item::Enum(item) if item.ident == name => Some(item),
        _ => None,
    });
    let variants = found.unwrap_or_else(|| panic!("no enum {name} in {file}")).variants;
    variants
        .iter()
        .map(|variant| {
            let doc = text(&variant.attrs);
            assert!(!doc.is_empty(), "{name}::{} in {file} has no doc comment", variant.ident);
            (variant.ident.to_string(), doc)
        })
        .collect()
}

/// The names of all constants of a file that are texts beginning so.
pub fn constants(file: &str, begin: &str) -> Vec<String> {
    let texts = items(file).into_iter().filter_map(|item| match item {
        Item::Const(item) => match *item.expr {
            Expr::Lit(literal) => match literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    texts.filter(|text| text.starts_with(begin)).collect()
}
