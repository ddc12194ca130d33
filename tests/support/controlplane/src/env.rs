//! The one place of this crate that reads the environment; everything else is told. May not decide anything.
#![allow(clippy::disallowed_methods, reason = "the module meant for it; tests pass other values to the same code")]

use std::{
    env::var_os,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The directory with ready binaries, if the user names one.
pub(crate) fn assets() -> Option<PathBuf> {
    var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The user's cache directory by the XDG rules, under which a relative path counts as unset.
pub(crate) fn cache() -> Option<PathBuf> {
    let absolute = |name| var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
}

/// The minor version of Kubernetes to run, if it is not to be the usual one.
pub(crate) fn kubernetes() -> Option<String> {
    var_os("KUBERNETES").filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
}

/// Where commands are looked for.
pub(crate) fn path() -> OsString {
    var_os("PATH").unwrap_or_default()
}

/// Where the servers' data may lie.
pub(crate) fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// `tools/` of the repository that this crate was built from.
pub(crate) fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tools")
}
