//! The direction of dependencies: `api` ← `domain` ← `controller` → `unkey`, and nothing points back.

use std::path::Path;

use super::paths::mentioned;
use super::tree::{ROOT, files};

/// A module of the crate: other modules that it may mention, and words that it may not.
struct Layer {
    module: &'static str,
    may_use: &'static [&'static str],
    banned: &'static [&'static str],
}

const IO: &[&str] = &["reqwest", "tokio", "std::fs", "std::net", "std::env", "std::process", "std::thread"];
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
    Layer {
        module: "api",
        may_use: &[],
        banned: &["kube::Api", "kube::Client", "kube::api", "kube::client", "kube::runtime"],
    },
    Layer {
        module: "domain",
        may_use: &["api", "text"],
        banned: &["kube", "k8s_openapi", "std::time", "SystemTime", "Instant", "tracing"],
    },
    Layer { module: "transport", may_use: &[], banned: &["kube", "k8s_openapi", "reqwest", "tokio"] },
    Layer { module: "text", may_use: &[], banned: &["kube", "k8s_openapi", "std::time", "tracing"] },
    Layer { module: "unkey", may_use: &["text", "transport"], banned: &["kube", "k8s_openapi"] },
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

/// The module that a file below `src/` is: `domain/decide/mod.rs` is `["domain", "decide"]`.
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
    let pure = if matches!(layer.module, "api" | "domain" | "text") { IO } else { &[] };
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
        if foreign || layer.banned.iter().chain(pure).any(is_banned) {
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
        ("api/status.rs", "use crate::domain::Verdict;", true),
        ("api/status.rs", "use super::identity::DeletionPolicy;", false),
        ("api/crd.rs", "use kube::CustomResourceExt;", false),
        ("api/crd.rs", "use kube::{CustomResourceExt, Client};", true),
        ("api/crd.rs", "fn f() { std::fs::read(p); }", true),
        ("domain/learn.rs", "use crate::api::Reason;", false),
        ("domain/learn.rs", "use crate::{api::Reason, unkey::Error};", true),
        ("domain/decide/mod.rs", "use super::super::controller::Context;", true),
        ("domain/decide/mod.rs", "use super::content::Meta;", false),
        ("domain/decide/mod.rs", "mod tests { use super::super::content::Meta; }", false),
        ("domain/learn.rs", "fn f(at: std::time::Instant) {}", true),
        ("domain/learn.rs", "use std::{time::Duration, fmt};", true),
        ("domain/learn.rs", "fn f() -> SystemTime { g() }", true),
        ("domain/learn.rs", "fn f() { clock::Instant::now() }", false),
        ("domain/learn.rs", "use clock::Instant;", true),
        ("domain/learn.rs", "fn f() { ::kube::Client::x() }", true),
        ("domain/learn.rs", "// kube::Client, crate::unkey\nconst A: &str = \"kube::Client\";", false),
        ("domain/learn.rs", "fn f() { tokio::spawn(g()); reqwest::get(h) }", true),
        ("unkey/client.rs", "use super::error::Error;", false),
        ("unkey/client.rs", "use kube::Client;", true),
        ("unkey/client.rs", "fn f(x: crate::api::Reason) {}", true),
        ("unkey/reply/tests.rs", "use crate::domain::X;", true),
        ("telemetry/metrics.rs", "use crate::controller::X;", true),
        ("admin/mod.rs", "use crate::unkey::Client;", true),
        ("controller/kube.rs", "use crate::{domain::X, unkey::Y};", false),
        ("controller/kube.rs", "use reqwest::Client;", true),
        ("app.rs", "use crate::{cli, controller::X, unkey::Y};", false),
        ("lib.rs", "pub mod api; pub use controller::X;", false),
        ("novel/mod.rs", "", true),
    ];
    for (file, source, wrong) in rows {
        let found = violations(Path::new(file), source);
        assert_eq!(!found.is_empty(), wrong, "{file}: {source}: {found:?}");
    }
}
