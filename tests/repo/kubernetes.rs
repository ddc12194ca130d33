//! The range of Kubernetes versions that pages and chart promise is the one that `make matrix` tries. May not try it.

use std::{collections::BTreeSet, path::Path};

use unkey_operator::check;

use super::tree::ROOT;

/// Major and minor, which sort as versions do.
type Minor = (u32, u32);

const PAGES: [&str; 5] = [
    "README.md",
    "charts/unkey-operator/README.md",
    "docs/concepts/comparison.md",
    "docs/getting-started.md",
    "docs/operations/upgrade.md",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What comes after the first of these words, up to where it is no version any more: `v1.37.2` is 1.37.
fn minor_after(text: &str, before: &str) -> Minor {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no '{before}'"));
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    (numbers.next().unwrap().unwrap(), numbers.next().unwrap().unwrap())
}

/// The one that all tests run on.
fn current() -> Minor {
    minor_after(&read("tools/kubernetes/go.mod"), "k8s.io/kubernetes v")
}

/// All that `make matrix` runs on.
fn tried() -> BTreeSet<Minor> {
    let mut tried = BTreeSet::from([current()]);
    for entry in std::fs::read_dir(Path::new(ROOT).join("tools/versions")).unwrap() {
        let entry = entry.unwrap();
        if !entry.path().is_dir() {
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        let built = read(&format!("tools/versions/{name}/kubernetes/go.mod"));
        let minor = minor_after(&built, "k8s.io/kubernetes v");
        assert_eq!(name, shown(minor), "a folder of tools/versions is named by what it builds");
        tried.insert(minor);
    }
    tried
}

fn shown((major, minor): Minor) -> String {
    format!("{major}.{minor}")
}

#[test]
fn what_is_promised_is_what_is_tried() {
    let tried = tried();
    let (oldest, newest) = (shown(*tried.first().unwrap()), shown(*tried.last().unwrap()));
    let range = format!("Kubernetes {oldest} to {newest}");
    for page in PAGES {
        assert!(read(page).contains(&range), "{page} does not say '{range}'");
    }
    let upgrade = read("docs/operations/upgrade.md");
    for words in [
        format!("**The oldest, {oldest}.**"),
        format!("**The newest, {newest}.**"),
        format!("Every test runs on {}.", shown(current())),
    ] {
        assert!(upgrade.contains(&words), "docs/operations/upgrade.md does not say '{words}'");
    }
    let judged = ((1, check::OLDEST), (1, check::NEWEST));
    assert_eq!(
        judged,
        (*tried.first().unwrap(), *tried.last().unwrap()),
        "src/check/cluster.rs judges by another range"
    );
    let chart = read("charts/unkey-operator/Chart.yaml");
    let bound = format!("\nkubeVersion: \">={oldest}.0-0\"\n");
    assert!(chart.contains(&bound), "Chart.yaml does not say {bound}");
}
