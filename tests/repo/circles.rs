//! No circles: of two source files of a crate, at most one takes names from the other, by whatever detour. And within the operator, folders
//! take from each other in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::imports::{Imports, imports};
use super::tree::{ROOT, files};

/// A folder of `src`, or a file beside them.
struct Layer {
    name: &'static str,
    /// Others that it may take from.
    takes_from: &'static [&'static str],
    /// Crates, and parts of them, that it may not mention.
    banned: &'static [&'static str],
}

/// From below to above. Only the last ones may know both Unkey and Kubernetes.
const LAYERS: &[Layer] = &[
    Layer { name: "telemetry", takes_from: &[], banned: &["kube"] },
    Layer { name: "admin", takes_from: &["telemetry"], banned: &["kube", "unkey", "unkey_operator_core"] },
    Layer {
        name: "apiserver",
        takes_from: &[],
        banned: &["kube::Api", "kube::api", "kube::runtime", "unkey", "unkey_operator_api", "unkey_operator_core"],
    },
    Layer { name: "leader", takes_from: &["apiserver", "telemetry"], banned: &["unkey", "unkey_operator_core"] },
    Layer { name: "controller", takes_from: &["apiserver", "leader", "telemetry"], banned: &[] },
    Layer { name: "gather", takes_from: &["controller"], banned: &[] },
    Layer { name: "plan", takes_from: &["controller", "gather"], banned: &["kube::Client", "unkey"] },
    Layer { name: "check", takes_from: &["controller", "gather"], banned: &["kube::Client"] },
    Layer { name: "import", takes_from: &["plan"], banned: &["kube", "unkey::Client"] },
    Layer { name: "inspect", takes_from: &["controller", "gather", "plan"], banned: &["kube", "unkey"] },
    Layer { name: "app", takes_from: &["admin", "apiserver", "controller", "leader", "telemetry"], banned: &[] },
    Layer {
        name: "cli",
        takes_from: &["apiserver", "app", "check", "controller", "gather", "import", "inspect", "plan", "telemetry"],
        banned: &[],
    },
    Layer { name: "lib", takes_from: &[], banned: &[] },
    Layer { name: "main", takes_from: &[], banned: &[] },
];

fn layer_of(file: &Path) -> &'static Layer {
    let name = file.strip_prefix("src").unwrap_or(file).with_extension("");
    let name = name.iter().next().unwrap();
    LAYERS
        .iter()
        .find(|layer| name == layer.name)
        .unwrap_or_else(|| panic!("{}: the module has no row in tests/repo/circles.rs", file.display()))
}

/// The root files of all crates, below `root`.
fn crates() -> Vec<PathBuf> {
    let roots = files(Path::new(ROOT)).into_iter().filter_map(|file| {
        let file = file.strip_prefix(ROOT).unwrap().to_owned();
        let parts: Vec<&str> = file.iter().map(|part| part.to_str().unwrap()).collect();
        let is_root = matches!(
            parts[..],
            ["crates", _, "src", "lib.rs" | "main.rs"] | ["src", "lib.rs" | "main.rs"] | ["benches", _, "main.rs"]
        );
        is_root.then_some(file)
    });
    roots.collect()
}

fn on_disk(file: &Path) -> Option<String> {
    std::fs::read_to_string(Path::new(ROOT).join(file)).ok()
}

/// Files of which each can be reached from each other.
fn circles(imports: &Imports) -> Vec<BTreeSet<&Path>> {
    let mut next = Arrows::new();
    for (from, to) in imports.arrows.keys() {
        next.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        next.keys().map(|file| (*file, reached_from(file, &next))).collect();
    let circle = |file: &Path| -> BTreeSet<&Path> {
        let leads_back = |other: &&Path| reached.get(other).is_some_and(|from| from.contains(file));
        reached[file].iter().copied().filter(leads_back).collect()
    };
    let all: BTreeSet<BTreeSet<&Path>> = next.keys().map(|file| circle(file)).collect();
    all.into_iter().filter(|circle| !circle.is_empty()).collect()
}

type Arrows<'a> = BTreeMap<&'a Path, Vec<&'a Path>>;

fn reached_from<'a>(start: &Path, next: &Arrows<'a>) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Path> = next[start].clone();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(next.get(file).into_iter().flatten());
        }
    }
    reached
}

/// The arrows inside of a circle, one a line.
fn told(circle: &BTreeSet<&Path>, imports: &Imports) -> String {
    let inside = |file: &PathBuf| circle.contains(file.as_path());
    let arrows = imports.arrows.iter().filter(|((from, to), _)| inside(from) && inside(to));
    let lines = arrows.map(|(arrow, names)| format!("    {}\n", line(arrow, names)));
    format!("{} files take from each other in a circle:\n{}", circle.len(), lines.collect::<String>())
}

fn line((from, to): &(PathBuf, PathBuf), names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!("{} -> {}: {}", from.display(), to.display(), names.join(", "))
}

#[test]
fn files_take_from_each_other_in_no_circle() {
    let crates = crates();
    assert!(crates.len() > 7, "only {crates:?} were found");
    let mut wrong = String::new();
    for root in crates {
        let imports = imports(&root, &on_disk);
        for circle in circles(&imports) {
            wrong += &told(&circle, &imports);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn folders_take_from_each_other_in_one_direction() {
    let imports = imports(Path::new("src/lib.rs"), &on_disk);
    assert!(imports.arrows.len() > 100, "only {} arrows were found", imports.arrows.len());
    let mut wrong = Vec::new();
    for ((from, to), names) in &imports.arrows {
        let (layer, other) = (layer_of(from), layer_of(to));
        if layer.name != other.name && !layer.takes_from.contains(&other.name) {
            wrong.push(format!("{} may not take {names:?} from {}", from.display(), to.display()));
        }
    }
    for (file, paths) in &imports.foreign {
        let is_banned = |path: &&String| {
            let ban = |ban: &&str| path == ban || path.strip_prefix(*ban).is_some_and(|rest| rest.starts_with("::"));
            layer_of(file).banned.iter().any(ban)
        };
        wrong.extend(paths.iter().filter(is_banned).map(|path| format!("{} may not mention {path}", file.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A made-up crate, told by its arrows.
fn arrows(sources: &[(&str, &str)]) -> (Vec<String>, Imports) {
    let source =
        |file: &Path| sources.iter().find(|(name, _)| file == Path::new(name)).map(|(_, text)| (*text).to_owned());
    let imports = imports(Path::new("lib.rs"), &source);
    let told = imports.arrows.iter().map(|(arrow, names)| line(arrow, names));
    (told.collect(), imports)
}

#[test]
fn a_name_is_followed_to_the_file_that_defines_it() {
    let rows = [
        ("use crate::b::B;", "a.rs -> b.rs: B"),
        ("use super::b::B as C; fn f() -> C { C }", "a.rs -> b.rs: B"),
        ("use crate::B;", "a.rs -> b.rs: B"),
        ("use crate::{b::{self, c}, Thing}; fn f() { b::f(c::X) }", "a.rs -> b/c.rs: Thing, X a.rs -> b.rs: f"),
        ("fn f(it: &super::b::c::Thing) {}", "a.rs -> b/c.rs: Thing"),
        ("use crate::b::*; fn f(it: Thing) {}", "a.rs -> b/c.rs: Thing"),
        ("mod inner { use super::super::B; fn f(it: self::B) {} }", "a.rs -> b.rs: B"),
        ("fn f() { assert!(matches!(x.b, crate::b::E::One { .. })) }", "a.rs -> b.rs: E"),
        ("pub use crate::b::B;", ""),
        ("pub use crate::b::B; fn f(it: B) {}", "a.rs -> b.rs: B"),
        ("use crate::b;", ""),
        ("pub(super) struct B; fn f(it: B) { it.c(); it.b }", ""),
        ("use crate::other::B; use std::fmt; fn f() -> fmt::Result { kube::B::b() }", ""),
        ("use crate::b::Made;", "a.rs -> b.rs: Made"),
        ("#[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] use crate::b::B;", ""),
        ("struct A; impl A { #[cfg(test)] fn f() { crate::b::f() } }", ""),
    ];
    for (a, expected) in rows {
        let lib = "mod a; mod b; pub use b::B; pub use b::c::*; pub use kube as other; #[cfg(test)] mod tests;";
        let b = "pub mod c; pub use c::Thing; pub struct B; pub enum E { One } pub fn f(_: u8) {} make!(Made);";
        let c = "pub struct Thing; pub const X: u8 = 1;";
        let (found, _) = arrows(&[("lib.rs", lib), ("a.rs", a), ("b.rs", b), ("b/c.rs", c)]);
        assert_eq!(found.join(" "), expected, "{a}");
    }
}

#[test]
fn paths_into_other_crates_are_told_as_their_own() {
    let lib = "pub use other_crate as other; mod a;";
    let a = "use kube::{Api, api::Patch}; use crate::other::X; fn f() { Api::all(::http::Method::GET) }";
    let (_, imports) = arrows(&[("lib.rs", lib), ("a.rs", a)]);
    let found: Vec<&str> = imports.foreign[Path::new("a.rs")].iter().map(String::as_str).collect();
    for path in ["kube::Api", "kube::api::Patch", "other_crate::X", "kube::Api::all", "http::Method::GET"] {
        assert!(found.contains(&path), "{path} is not in {found:?}");
    }
}

#[test]
fn a_circle_is_found_and_told() {
    let is_round = |sources: &[(&str, &str)]| !circles(&arrows(sources).1).is_empty();
    let lib = ("lib.rs", "mod a; mod b; mod c; pub use a::A; pub use b::B; pub use c::C;");
    let a = ("a.rs", "use crate::B; pub struct A;");
    let b = ("b.rs", "use crate::c::C; pub struct B;");
    let straight = [lib, a, b, ("c.rs", "pub struct C;")];
    assert!(!is_round(&straight));
    let round = [lib, a, b, ("c.rs", "fn f(it: crate::A) {} pub struct C;")];
    let (_, imports) = arrows(&round);
    let found = circles(&imports);
    assert_eq!(found.len(), 1);
    let expected =
        "3 files take from each other in a circle:\n    a.rs -> b.rs: B\n    b.rs -> c.rs: C\n    c.rs -> a.rs: A\n";
    assert_eq!(told(&found[0], &imports), expected);

    let parent = |text| [("lib.rs", "mod p;"), ("p.rs", text), ("p/q.rs", "use super::P; pub fn q(_: P) {}")];
    assert!(is_round(&parent("mod q; pub struct P; fn f() { q::q(P) }")));
    assert!(!is_round(&parent("mod q; pub use q::q; pub struct P;")));
    assert!(!is_round(&parent("mod q; pub struct P; fn f(it: &P) { it.q() }")));
}
