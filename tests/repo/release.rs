//! `.ci/release-check` on copies of this repository: it takes what is fit, and names what is not.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::tree::{ROOT, files};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const OPERATOR: &str = env!("CARGO_BIN_EXE_unkey-operator");

/// A copy without what git ignores and keeps.
struct Tree(TempDir);

impl Tree {
    fn copy() -> Self {
        let copy = Self(TempDir::new().unwrap());
        for file in files(Path::new(ROOT)) {
            let to = copy.0.path().join(file.strip_prefix(ROOT).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&file, to).unwrap();
        }
        copy
    }

    /// The same as its maintainer leaves it for a tag.
    fn fit_for_a_tag() -> Self {
        let copy = Self::copy();
        let digest = format!("@sha256:{}\n", "0f".repeat(32));
        copy.edit("CHANGELOG.md", |text| text.replace("## Unreleased", &format!("## {VERSION} - 2026-12-01")));
        copy.edit("Dockerfile", |text| {
            let pin = |line: &str| {
                let base = line.starts_with("ARG RUST=") || line.starts_with("ARG BASE=");
                if base && !line.contains("@sha256:") { format!("{line}{digest}") } else { format!("{line}\n") }
            };
            text.lines().map(pin).collect()
        });
        if copy.0.path().join("docs/versioning.md").exists() {
            copy.edit("docs/versioning.md", |text| text.replace(" (unreleased)", ""));
        }
        copy
    }

    /// Changes a file; what it was before.
    fn edit(&self, file: &str, change: impl Fn(&str) -> String) -> String {
        let path = self.0.path().join(file);
        let before = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        std::fs::write(path, change(&before)).unwrap();
        before
    }

    /// Whether it is fit, and what is said.
    fn check(&self, tag: Option<&str>, operator: &str) -> (bool, String) {
        let mut command = Command::new(self.0.path().join(".ci/release-check"));
        let output = command
            .args(tag)
            .env("CARGO", env!("CARGO"))
            .env("OPERATOR", operator)
            .env("CARGO_NET_OFFLINE", "true")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), said)
    }
}

/// File, what is done to it, and what is said then.
type Breakage = (&'static str, fn(&str) -> String, &'static str);

const ANY_TIME: [Breakage; 6] = [
    (
        "Cargo.lock",
        |text| text.replace("name = \"unkey-operator\"\nversion = \"", "name = \"unkey-operator\"\nversion = \"9"),
        "Cargo.lock has 9",
    ),
    (
        "Cargo.toml",
        |text| text.replace("\ntempfile = \"3\"", "\ntempfile = \"2\""),
        "cargo package --list --locked fails",
    ),
    (
        "crds/identities.unkey.com.yaml",
        |text| format!("{text}# edited\n"),
        "is not what the code says; run: make generate",
    ),
    (
        "CHANGELOG.md",
        |text| text.replace("\n- ", "\n* ").replace(&format!("## {VERSION}"), "## 0.0.1"),
        "nothing is listed under",
    ),
    (
        ".github/workflows/test.yaml",
        |text| text.replace("checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8", "checkout@v5"),
        "not pinned by commit",
    ),
    (
        "tests/compat/0.1/recreated.json",
        |_| String::new(),
        "tests/compat/0.1/recreated.json is missing; run: make compat",
    ),
];

const AT_A_TAG: [Breakage; 3] = [
    ("CHANGELOG.md", |text| format!("{text}\n## Unreleased\n"), "still called unreleased: CHANGELOG.md"),
    ("CHANGELOG.md", |text| text.replace(" - 2026-12-01", ""), "its newest section is"),
    ("Dockerfile", |text| text.replace("@sha256:", "@sha512:"), "not pinned by digest"),
];

fn refuses(tree: &Tree, tag: Option<&str>, breakages: &[Breakage]) {
    for (file, change, expected) in breakages {
        let before = tree.edit(file, change);
        let (fit, said) = tree.check(tag, OPERATOR);
        assert!(!fit && said.contains(expected), "{file}: '{expected}' is not in: {said}");
        assert_ne!(tree.edit(file, |_| before.clone()), before, "nothing was changed in {file}");
    }
}

#[test]
fn what_holds_at_any_time_is_asked_at_any_time() {
    let tree = Tree::copy();
    let (fit, said) = tree.check(None, OPERATOR);
    assert!(fit, "{said}");
    refuses(&tree, None, &ANY_TIME);
    let (fit, said) = tree.check(None, "false");
    assert!(!fit && said.contains("the definition cannot be generated"), "{said}");
}

#[test]
fn a_tag_asks_for_more() {
    let tag = format!("v{VERSION}");
    let tree = Tree::fit_for_a_tag();
    let (fit, said) = tree.check(Some(&tag), OPERATOR);
    assert!(fit, "{said}");
    refuses(&tree, Some(&tag), &AT_A_TAG);
    for other in ["v9.9.9", VERSION] {
        let (fit, said) = tree.check(Some(other), OPERATOR);
        assert!(!fit && said.contains(&format!("is not {tag}")), "{other}: {said}");
    }
}

#[test]
fn the_chart_has_the_same_version() {
    let tree = Tree::copy();
    let chart = tree.0.path().join("charts/unkey-operator/Chart.yaml");
    std::fs::create_dir_all(chart.parent().unwrap()).unwrap();
    for (version, app, expected) in
        [(VERSION, "9.0.0", "appVersion is 9.0.0"), ("9.0.0", VERSION, ": version is 9.0.0")]
    {
        std::fs::write(&chart, format!("name: x\nversion: {version}\nappVersion: \"{app}\" # the same\n")).unwrap();
        let (fit, said) = tree.check(None, OPERATOR);
        assert!(!fit && said.contains(expected), "'{expected}' is not in: {said}");
    }
}
