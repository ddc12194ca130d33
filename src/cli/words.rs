//! What the program calls itself, and how it passes on what the parser of its command line says.

use std::path::{Path, PathBuf};

/// The name that the user knows this program by.
pub(super) fn program() -> &'static str {
    if is_plugin() { "kubectl unkey" } else { "unkey-operator" }
}

/// It was started by kubectl, which names its plugins so.
pub(super) fn is_plugin() -> bool {
    let name = std::env::args_os().next().map(PathBuf::from);
    name.as_deref().and_then(Path::file_stem).is_some_and(|name| name == "kubectl-unkey")
}

/// What clap says in paragraphs, in one sentence, and where to read on.
pub(super) fn sentence(error: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let about = |paragraph: &&str| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information");
    let parts: Vec<String> =
        error.trim_start_matches("error: ").split("\n\n").map(str::trim).filter(about).map(words).collect();
    format!("{}; see --help", parts.join("; "))
}
