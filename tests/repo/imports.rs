//! What the source files of a crate take from each other: `use` trees and paths, followed through re-exports to the file that defines
//! the name.
//!
//! It reads syntax and knows no types: a method call names no file. A declaration `mod x;` takes nothing, and neither does a `pub use` of
//! names that the file itself does not mention. What is compiled for tests only is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Signature, UseTree, Visibility};

use super::modules::{Module, Names, resolve};

/// What was found in one crate.
#[derive(Debug, Default)]
pub struct Imports {
    /// The names that the first file takes from the second.
    pub arrows: BTreeMap<(PathBuf, PathBuf), BTreeSet<String>>,
    /// The paths into other crates that a file mentions, each as that crate's own.
    pub foreign: BTreeMap<PathBuf, BTreeSet<String>>,
}

/// Reads the crate whose root file is `root`. `source` gives the text of a file, if there is one of that path.
pub fn imports(root: &Path, source: &dyn Fn(&Path) -> Option<String>) -> Imports {
    let mut reader = Reader { source, modules: Vec::new(), at: 0 };
    reader.file(root, root.parent().unwrap(), None);
    reader.imports()
}

struct Reader<'a> {
    source: &'a dyn Fn(&Path) -> Option<String>,
    modules: Vec<Module>,
    /// The module that is being read.
    at: usize,
}

impl Reader<'_> {
    fn file(&mut self, file: &Path, folder: &Path, parent: Option<usize>) -> usize {
        let text = (self.source)(file).unwrap_or_else(|| panic!("no file {}", file.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.module(file.to_owned(), folder.to_owned(), parent, &syntax.items)
    }

    fn module(&mut self, file: PathBuf, folder: PathBuf, parent: Option<usize>, items: &[Item]) -> usize {
        let (this, outer) = (self.modules.len(), self.at);
        self.modules.push(Module { file, folder, parent, ..Module::default() });
        self.at = this;
        for item in items {
            self.visit_item(item);
        }
        self.at = outer;
        this
    }

    /// The file of `mod name;`, and where its own children are.
    fn file_of(&self, name: &str, attributes: &[Attribute]) -> (PathBuf, PathBuf) {
        let here = &self.modules[self.at];
        if let Some(path) = attributes.iter().find_map(path_attribute) {
            let mut file = here.file.parent().unwrap().to_owned();
            for part in Path::new(&path) {
                if part == ".." {
                    file.pop();
                } else {
                    file.push(part);
                }
            }
            let folder = file.parent().unwrap().to_owned();
            return (file, folder);
        }
        let folder = here.folder.join(name);
        let beside = here.folder.join(format!("{name}.rs"));
        let file = if (self.source)(&beside).is_some() { beside } else { folder.join("mod.rs") };
        (file, folder)
    }

    /// A `use`: `public` ones only pass names on.
    fn take_in(&mut self, tree: &UseTree, mut before: Names, public: bool) {
        let (name, target) = match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                return self.take_in(&path.tree, before, public);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.take_in(tree, before.clone(), public));
            }
            UseTree::Glob(_) => return self.modules[self.at].globs.push(before),
            UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
            UseTree::Rename(rename) => (rename.rename.to_string(), rename.ident.to_string()),
        };
        let of_the_module = target == "self";
        let name = if of_the_module && name == "self" { before.last().cloned().unwrap_or_default() } else { name };
        if !of_the_module {
            before.push(target);
        }
        let module = &mut self.modules[self.at];
        if !public {
            module.mentioned.insert(before.clone());
        }
        module.imported.push((name, before));
    }

    /// Paths in the arguments of a macro. A word behind a dot is a field or a method.
    fn words(&mut self, tokens: TokenStream) {
        let (mut path, mut colons, mut dot) = (Names::new(), 0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.mention(std::mem::take(&mut path));
                    }
                    if !dot {
                        path.push(word.to_string());
                    }
                    (colons, dot) = (0, false);
                }
                TokenTree::Punct(mark) => {
                    dot = mark.as_char() == '.';
                    colons = if mark.as_char() == ':' { colons + 1 } else { 0 };
                }
                TokenTree::Group(group) => self.words(group.stream()),
                TokenTree::Literal(_) => {}
            }
        }
        self.mention(path);
    }

    fn mention(&mut self, path: Names) {
        if !path.is_empty() {
            self.modules[self.at].mentioned.insert(path);
        }
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::default();
        for (from, module) in self.modules.iter().enumerate() {
            for path in &module.mentioned {
                let found = resolve(&self.modules, from, path, &mut BTreeSet::new());
                if let Some((item, name)) = found.item {
                    let to = &self.modules[item].file;
                    if *to != module.file {
                        imports.arrows.entry((module.file.clone(), to.clone())).or_default().insert(name);
                    }
                } else if let Some(foreign) = found.foreign.filter(|_| found.module.is_none()) {
                    imports.foreign.entry(module.file.clone()).or_default().insert(foreign.join("::"));
                }
            }
        }
        imports
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (name, attributes) = named(item);
        if !attributes.iter().any(is_for_tests) {
            if let (Some(name), false) = (name, matches!(item, Item::Mod(_))) {
                self.modules[self.at].items.insert(name);
            }
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(function) if function.attrs.iter().any(is_for_tests)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        let parent = self.at;
        let child = if let Some((_, items)) = &item.content {
            let here = &self.modules[parent];
            let (file, folder) = (here.file.clone(), here.folder.join(&name));
            self.module(file, folder, Some(parent), items)
        } else {
            let (file, folder) = self.file_of(&name, &item.attrs);
            self.file(&file, &folder, Some(parent))
        };
        self.modules[parent].children.insert(name, child);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        self.take_in(&item.tree, rooted(item.leading_colon.is_some()), public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut names = rooted(path.leading_colon.is_some());
        names.extend(path.segments.iter().map(|segment| segment.ident.to_string()));
        self.mention(names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.words(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// How a path begins: with an empty word if it is `::x`, of another crate for sure.
fn rooted(leading_colon: bool) -> Names {
    if leading_colon { vec![String::new()] } else { Names::new() }
}

/// The name that an item defines, and its attributes.
fn named(item: &Item) -> (Option<String>, &[Attribute]) {
    match item {
        Item::Fn(syn::ItemFn { attrs, sig: Signature { ident, .. }, .. })
        | Item::Const(syn::ItemConst { attrs, ident, .. })
        | Item::Enum(syn::ItemEnum { attrs, ident, .. })
        | Item::Mod(syn::ItemMod { attrs, ident, .. })
        | Item::Static(syn::ItemStatic { attrs, ident, .. })
        | Item::Struct(syn::ItemStruct { attrs, ident, .. })
        | Item::Trait(syn::ItemTrait { attrs, ident, .. })
        | Item::Type(syn::ItemType { attrs, ident, .. }) => (Some(ident.to_string()), attrs),
        Item::Macro(syn::ItemMacro { attrs, ident, .. }) => (ident.as_ref().map(ToString::to_string), attrs),
        Item::Impl(syn::ItemImpl { attrs, .. }) | Item::Use(syn::ItemUse { attrs, .. }) => (None, attrs),
        _ => (None, &[]),
    }
}

/// `#[cfg(test)]`
pub fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

/// `#[path = "…"]`
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
    pair.path.is_ident("path").then(|| text.value())
}
