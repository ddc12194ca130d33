//! The direction of dependencies between the modules of the operator. Between the crates the compiler sees to it.

use std::path::Path;

use super::paths::mentioned;
use super::tree::{ROOT, files};

/// A module of the crate: other modules that it may mention, and words that it may not.
struct Layer {
    module: &'static str,
    may_use: &'static [&'static str],
    banned: &'static [&'static str],
}

const EVERYTHING: &[&str] = &[
    "admin",
    "api",
    "apiserver",
    "app",
    "cli",
    "controller",
    "domain",
    "leader",
    "telemetry",
    "text",
    "transport",
    "unkey",
];

/// Every module of the crate. Only the last ones may know both Unkey and Kubernetes.
const LAYERS: &[Layer] = &[
    Layer { module: "telemetry", may_use: &["api", "domain", "unkey"], banned: &["kube", "reqwest"] },
    Layer { module: "admin", may_use: &["api", "telemetry"], banned: &["kube", "reqwest"] },
    Layer {
        module: "apiserver",
        may_use: &["transport"],
        banned: &["reqwest", "kube::Api", "kube::api", "kube::runtime"],
    },
    Layer { module: "leader", may_use: &["api", "apiserver", "telemetry"], banned: &["reqwest"] },
    Layer {
        module: "controller",
        may_use: &["api", "apiserver", "domain", "leader", "telemetry", "text", "transport", "unkey"],
        banned: &["reqwest"],
    },
    Layer { module: "app", may_use: EVERYTHING, banned: &["reqwest"] },
    Layer { module: "cli", may_use: EVERYTHING, banned: &["reqwest"] },
    Layer { module: "lib", may_use: EVERYTHING, banned: &[] },
    Layer { module: "main", may_use: &[], banned: &[] },
];

/// The module that a file below `src/` is: `controller/drift_scan/mod.rs` is `["controller", "drift_scan"]`.
fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if parts.len() > 1 && parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// What is wrong with a source at `file`, below `src/`.
fn violations(file: &Path, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(layer) = LAYERS.iter().find(|layer| layer.module == module[0]) else {
        return vec![format!("src/{}: the module `{}` has no row in tests/repo/layers.rs", file.display(), module[0])];
    };
    // The crate's root is no module that paths are relative to.
    let inside: Vec<&str> = module.iter().map(String::as_str).filter(|name| !["lib", "main"].contains(name)).collect();
    let mut wrong = Vec::new();
    for path in mentioned(source, &inside) {
        let mut parts = path.split("::");
        let foreign = match (parts.next(), parts.next()) {
            (Some("crate"), Some(other)) => {
                other != layer.module && EVERYTHING.contains(&other) && !layer.may_use.contains(&other)
            }
            _ => false,
        };
        let is_banned =
            |ban: &&str| path == **ban || path.starts_with(&format!("{ban}::")) || path.ends_with(&format!("::{ban}"));
        if foreign || layer.banned.iter().any(is_banned) {
            wrong.push(format!("src/{}: `{}` may not use {path}", file.display(), layer.module));
        }
    }
    wrong
}

#[test]
fn dependencies_point_one_way() {
    let source = Path::new(ROOT).join("src");
    let mut seen = 0;
    let mut wrong = Vec::new();
    for file in files(&source).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs")) {
        let text = std::fs::read_to_string(&file).unwrap();
        wrong.extend(violations(file.strip_prefix(&source).unwrap(), &text));
        seen += 1;
    }
    assert!(seen > 30, "only {seen} sources were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_violation_is_caught() {
    let rows = [
        ("telemetry/metrics.rs", "use crate::domain::X;", false),
        ("telemetry/metrics.rs", "use crate::controller::X;", true),
        ("telemetry/metrics.rs", "use crate::{api::Reason, controller::X};", true),
        ("telemetry/metrics.rs", "fn f() { ::kube::Client::x() }", true),
        ("telemetry/metrics.rs", "// kube::Client, crate::controller\nconst A: &str = \"kube::Client\";", false),
        ("admin/mod.rs", "use crate::unkey::Client;", true),
        ("admin/mod.rs", "fn f(x: super::controller::X) {}", true),
        ("leader/election.rs", "use super::super::controller::Context;", true),
        ("leader/election.rs", "use super::Place;", false),
        ("leader/election.rs", "mod tests { use super::super::Place; }", false),
        ("apiserver/client.rs", "use kube::{Config, Api};", true),
        ("controller/kube.rs", "use crate::{domain::X, unkey::Y};", false),
        ("controller/kube.rs", "use reqwest::Client;", true),
        ("controller/kube.rs", "fn f() { reqwest::get(h) }", true),
        ("controller/kube.rs", "use crate::cli::Run;", true),
        ("app.rs", "use crate::{cli, controller::X, unkey::Y};", false),
        ("lib.rs", "pub mod leader; pub use controller::X;", false),
        ("novel/mod.rs", "", true),
    ];
    for (file, source, wrong) in rows {
        let found = violations(Path::new(file), source);
        assert_eq!(!found.is_empty(), wrong, "{file}: {source}: {found:?}");
    }
}
