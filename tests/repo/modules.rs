//! The modules of a crate, and what a path leads to among them. It reads no file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A path, word by word; an empty first word: it begins with `::`.
pub type Names = Vec<String>;

/// A module: a file, or a block `mod x { … }` in one.
#[derive(Default)]
pub struct Module {
    pub file: PathBuf,
    /// Where the files of its children are.
    pub folder: PathBuf,
    pub parent: Option<usize>,
    pub children: BTreeMap<String, usize>,
    pub items: BTreeSet<String>,
    pub imported: Vec<(String, Names)>,
    pub globs: Vec<Names>,
    pub mentioned: BTreeSet<Names>,
}

/// What a path leads to. A module and an item may share a name.
#[derive(Default)]
pub struct Found {
    pub module: Option<usize>,
    /// The module that defines the item, and its name there.
    pub item: Option<(usize, String)>,
    pub foreign: Option<Names>,
}

impl Found {
    fn is_nothing(&self) -> bool {
        self.module.is_none() && self.item.is_none() && self.foreign.is_none()
    }

    fn or(self, other: Self) -> Self {
        let foreign = self.foreign.or(other.foreign);
        Self { module: self.module.or(other.module), item: self.item.or(other.item), foreign }
    }
}

/// What `path` leads to, as it stands in the module `from`. `asked`: the names that are being looked up, since imports may go in a ring.
pub fn resolve(modules: &[Module], from: usize, path: &[String], asked: &mut BTreeSet<(usize, String)>) -> Found {
    if path.first().is_some_and(String::is_empty) {
        return Found { foreign: Some(path[1..].to_vec()), ..Found::default() };
    }
    let mut found = Found { module: Some(from), ..Found::default() };
    for (at, name) in path.iter().enumerate() {
        let Some(module) = found.module else { break };
        let next = match name.as_str() {
            "crate" => Found { module: Some(0), ..Found::default() },
            "self" => continue,
            "super" => Found { module: modules[module].parent, ..Found::default() },
            name => look_up(modules, module, name, asked),
        };
        if next.is_nothing() {
            // A first word that nobody knows is another crate, or a local name; a later one was made by a macro.
            let (item, foreign) =
                if at == 0 { (None, Some(path.to_vec())) } else { (Some((module, name.clone())), None) };
            return Found { module: None, item, foreign };
        }
        if next.module.is_none()
            && next.item.is_none()
            && let Some(mut foreign) = next.foreign
        {
            foreign.extend_from_slice(&path[at + 1..]);
            return Found { foreign: Some(foreign), ..Found::default() };
        }
        found = next;
    }
    found
}

/// What `name` means in a module: what it defines, what it imports, what a glob brings.
fn look_up(modules: &[Module], at: usize, name: &str, asked: &mut BTreeSet<(usize, String)>) -> Found {
    let module = &modules[at];
    let item = module.items.contains(name).then(|| (at, name.to_owned()));
    let mut found = Found { module: module.children.get(name).copied(), item, foreign: None };
    if !asked.insert((at, name.to_owned())) {
        return found;
    }
    for (_, path) in module.imported.iter().filter(|(imported, _)| imported == name) {
        // `use serde;` names itself.
        let imported = if path.len() == 1 && path[0] == name {
            Found { foreign: Some(path.clone()), ..Found::default() }
        } else {
            resolve(modules, at, path, asked)
        };
        found = found.or(imported);
    }
    for path in &module.globs {
        if found.is_nothing()
            && let Some(brought) = resolve(modules, at, path, asked).module
        {
            found = look_up(modules, brought, name, asked);
        }
    }
    found
}
