//! Which versions of Kubernetes there are module files of, and where those of one lie. May not build anything.
//!
//! All runs on one version, whose files are `kubernetes/go.mod` and `etcd/go.mod`. The others, for `make matrix`, have a folder each,
//! named by the minor: `versions/1.32`, written by `versions/generate`. Each brings its own etcd, kube-controller-manager and kubectl:
//! the policy on version skew allows no controller manager that is newer than its API server.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    error::{Context, Error, Result},
    groups::Build,
};

const KUBERNETES: &str = "kubernetes";
const MODULE: &str = "k8s.io/kubernetes";

/// The minors there are, oldest first.
pub(crate) fn all(modules: &Path) -> Result<Vec<String>> {
    let folder = modules.join("versions");
    let mut minors = vec![current(modules)?];
    // Whoever has module files of one version only has that.
    if folder.is_dir() {
        let read = || -> io::Result<Vec<_>> {
            fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
        };
        let names = read().context(|| format!("read {}", folder.display()))?;
        minors.extend(
            names.iter().filter_map(|name| name.to_str()).filter(|name| number(name).is_some()).map(str::to_owned),
        );
    }
    minors.sort_by_key(|minor| number(minor));
    minors.dedup();
    Ok(minors)
}

/// The folder with the `go.mod` of a build: of the minor that is asked for, or of the one that all runs on.
pub(crate) fn folder(modules: &Path, wanted: Option<&str>, build: &Build) -> Result<PathBuf> {
    match wanted {
        Some(wanted) if build.by_version && wanted != current(modules)? => {
            let known = all(modules)?;
            if !known.iter().any(|minor| minor == wanted) {
                return Err(Error::NoVersion { wanted: wanted.to_owned(), known: known.join(", ") });
            }
            Ok(modules.join("versions").join(wanted).join(build.folder))
        }
        _ => Ok(modules.join(build.folder)),
    }
}

/// The version that the `go.mod` of a folder asks for: of a module, or of `go` itself.
pub(crate) fn required(folder: &Path, module: &'static str) -> Result<String> {
    let file = folder.join("go.mod");
    let text = fs::read_to_string(&file).context(|| format!("read {}", file.display()))?;
    text.lines()
        .find_map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| *word == "require");
            (words.next() == Some(module)).then(|| words.next().map(str::to_owned)).flatten()
        })
        .ok_or(Error::Version { file, module })
}

/// The minor that all runs on.
fn current(modules: &Path) -> Result<String> {
    let folder = modules.join(KUBERNETES);
    let version = required(&folder, MODULE)?;
    let minor = version.trim_start_matches('v').rsplit_once('.').map(|(minor, _)| minor.to_owned());
    minor.ok_or(Error::Version { file: folder.join("go.mod"), module: MODULE })
}

/// 1.32 as numbers, which sort as versions do.
fn number(minor: &str) -> Option<(u32, u32)> {
    let (major, minor) = minor.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
