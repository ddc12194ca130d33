//! The files: a folder for each release with another format than the one before, a file for each situation of an object.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The situations that a folder has a file of, and the release from which on. `.ci/release-check` reads this too.
const SITUATIONS: [(&str, &str); 9] = [
    ("adopted", "0.1"),
    ("claimed", "0.1"),
    ("conflicting", "0.1"),
    ("created", "0.1"),
    ("deleting", "0.1"),
    ("exists", "0.1"),
    ("recreated", "0.1"),
    ("suspended", "0.1"),
    ("unmanaged", "0.1"),
];

/// An object that a release wrote.
pub struct Fixture {
    /// The release, `major.minor`.
    pub release: String,
    pub name: String,
    pub object: Value,
}

impl Fixture {
    /// How a failure names it.
    pub fn title(&self) -> String {
        format!("{}/{}.json", self.release, self.name)
    }

    /// Nothing is left to do, or not before a person acts. In the middle of a create it is not so.
    pub fn is_at_rest(&self) -> bool {
        self.name != "claimed"
    }
}

/// Where they lie.
pub fn folder(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(release)
}

/// The release that is being made.
pub fn this_release() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"))
}

/// `0.10` comes after `0.9`.
fn number(release: &str) -> Option<(u32, u32)> {
    let (major, minor) = release.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// All releases with fixtures, oldest first.
pub fn releases() -> Vec<String> {
    let names = std::fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names.filter(|name| number(name).is_some()).collect();
    found.sort_by_key(|name| number(name));
    assert!(!found.is_empty(), "no fixtures");
    found
}

/// A file of a release.
pub fn load(release: &str, name: &str) -> Value {
    let path = folder(release).join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The situations that a release knows.
pub fn situations(release: &str) -> Vec<&'static str> {
    SITUATIONS.into_iter().filter(|(_, since)| number(since) <= number(release)).map(|(name, _)| name).collect()
}

/// Every object of a release.
pub fn of(release: &str) -> Vec<Fixture> {
    let fixture =
        |name: &str| Fixture { release: release.to_owned(), name: name.to_owned(), object: load(release, name) };
    situations(release).into_iter().map(fixture).collect()
}

/// Every object of every release.
pub fn all() -> Vec<Fixture> {
    releases().iter().flat_map(|release| of(release)).collect()
}
