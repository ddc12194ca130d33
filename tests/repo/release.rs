//! `.ci/release-check` on copies of this repository: it takes what is fit, and names what is not.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::tree::{ROOT, files};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const OPERATOR: &str = env!("CARGO_BIN_EXE_unkey-operator");

/// What is said before the first release, and where it may stand.
const DENIALS: [&str; 2] = ["No image is published", "No release has been made"];
const PLACES: [&str; 4] = ["README.md", "SECURITY.md", "charts/", "docs/"];

/// What is made of a file.
type Change = fn(&str) -> String;

/// True for the heading of what this version has brought, or will.
fn is_ours(line: &str) -> bool {
    line == "## Unreleased" || line.starts_with(&format!("## {VERSION} - "))
}

/// The changelog at the commit that gets the tag, whatever it is now: one dated heading over all that is ours.
fn released(changelog: &str) -> String {
    let mut heading = Some(format!("## {VERSION} - 2027-01-31\n"));
    let line = |line: &str| if is_ours(line) { heading.take().unwrap_or_default() } else { format!("{line}\n") };
    changelog.lines().map(line).collect()
}

/// And after it, when nothing new is listed yet.
fn after_release(changelog: &str) -> String {
    released(changelog).replacen("\n## ", "\n## Unreleased\n\n## ", 1)
}

/// Takes the date off the heading of this version.
fn undated(changelog: &str) -> String {
    let line = |line: &str| if is_ours(line) { format!("## {VERSION}\n") } else { format!("{line}\n") };
    changelog.lines().map(line).collect()
}

/// What this repository goes through around a release. Each of these tests has to hold at each of them, or the commit of a release fails it.
const TIMES: [(&str, Change); 3] = [("now", str::to_owned), ("at the release", released), ("after it", after_release)];

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

    /// The same as its maintainer leaves it for a tag, whatever the changelog was until then.
    fn fit_for_a_tag(changelog: Change) -> Self {
        let copy = Self::copy();
        let digest = format!("@sha256:{}\n", "0f".repeat(32));
        copy.edit("CHANGELOG.md", |text| released(&changelog(text)));
        copy.edit("Dockerfile", |text| {
            let pin = |line: &str| {
                let base = line.starts_with("ARG RUST=") || line.starts_with("ARG BASE=");
                if base && !line.contains("@sha256:") { format!("{line}{digest}") } else { format!("{line}\n") }
            };
            text.lines().map(pin).collect()
        });
        if copy.0.path().join("docs/operations/upgrade.md").exists() {
            copy.edit("docs/operations/upgrade.md", |text| text.replace(" (unreleased)", ""));
        }
        for file in files(copy.0.path()) {
            let page = file.strip_prefix(copy.0.path()).unwrap().to_str().unwrap();
            if PLACES.iter().any(|place| page.starts_with(place)) {
                copy.edit(page, |text| {
                    DENIALS.iter().fold(text.to_owned(), |text, denial| text.replace(denial, "There is one"))
                });
            }
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
type Breakage = (&'static str, Change, &'static str);

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
    ("CHANGELOG.md", |text| undated(text).replace("\n- ", "\n* "), "nothing is listed under"),
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
    ("CHANGELOG.md", undated, "its newest section is"),
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
    for (time, changelog) in TIMES {
        let tree = Tree::copy();
        tree.edit("CHANGELOG.md", changelog);
        let (fit, said) = tree.check(None, OPERATOR);
        assert!(fit, "{time}: {said}");
        refuses(&tree, None, &ANY_TIME);
    }
    let (fit, said) = Tree::copy().check(None, "false");
    assert!(!fit && said.contains("the definition cannot be generated"), "{said}");
}

#[test]
fn a_tag_asks_for_more() {
    let tag = format!("v{VERSION}");
    for (time, changelog) in TIMES {
        let tree = Tree::fit_for_a_tag(changelog);
        let (fit, said) = tree.check(Some(&tag), OPERATOR);
        assert!(fit, "{time}: {said}");
        refuses(&tree, Some(&tag), &AT_A_TAG);
    }
    let tree = Tree::fit_for_a_tag(str::to_owned);
    let pages = [
        "README.md",
        "charts/unkey-operator/README.md",
        "charts/unkey-operator/values.yaml",
        "docs/contributing/release.md",
    ];
    for (page, denial) in pages.iter().flat_map(|page| DENIALS.map(|denial| (page, denial))) {
        let before = tree.edit(page, |text| format!("{text}\n{denial} yet.\n"));
        let (fit, said) = tree.check(Some(&tag), OPERATOR);
        assert!(!fit && said.contains(&format!("will not be true any more: {page}")), "{page}: {said}");
        tree.edit(page, |_| before.clone());
    }
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

/// What a user copies names this version: the image its own, a chart its minor one.
#[test]
fn the_examples_name_this_version() {
    let minor = VERSION.rsplit_once('.').unwrap().0;
    let rows = [
        ("examples/unmanage/pod.yaml", "image:", format!("registry.example.com/unkey-operator:{VERSION}")),
        ("examples/plan/job.yaml", "image:", format!("registry.example.com/unkey-operator:{VERSION}")),
        ("examples/plan/pull-request.yaml", "container:", format!("registry.example.com/unkey-operator-ci:{VERSION}")),
        ("examples/argocd/applications.yaml", "targetRevision:", format!("{minor}.*")),
        ("examples/flux/operator.yaml", "semver:", format!("{minor}.x")),
    ];
    for (file, key, named) in rows {
        let text = std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        let values: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix(key)).map(str::trim).collect();
        assert!(
            values.iter().any(|value| value.split(" #").next().unwrap_or_default().trim_matches('"') == named),
            "{file} does not say {key} {named}: {values:?}"
        );
    }
}
