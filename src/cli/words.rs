//! What the program calls itself, and how it passes on what the parser of its command line says.

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::text::safe;

/// As what the program was started: one file has several names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartedAs {
    /// As itself.
    Operator,
    /// By kubectl, which runs its plugins by such names.
    Plugin,
    /// By kubectl, for what may follow the words typed so far.
    Completer,
}

/// By the first word of the command line, as every program is told.
pub(super) fn started_as() -> StartedAs {
    by_name(std::env::args_os().next().map(PathBuf::from).as_deref())
}

fn by_name(path: Option<&Path>) -> StartedAs {
    match path.and_then(Path::file_stem).and_then(|name| name.to_str()) {
        Some("kubectl-unkey") => StartedAs::Plugin,
        Some("kubectl_complete-unkey") => StartedAs::Completer,
        _ => StartedAs::Operator,
    }
}

/// What logs of the API server and of Unkey show of the commands for people, apart from the operator.
pub(super) const AGENT: &str = concat!("kubectl-unkey/", env!("CARGO_PKG_VERSION"));

/// The name that the user knows this program by.
pub(super) fn program() -> &'static str {
    if started_as() == StartedAs::Operator { "unkey-operator" } else { "kubectl unkey" }
}

/// Says something beside the result, after the program's name. A reader that has gone is no reason to fail.
pub(super) fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}: {}", program(), safe(&text.to_string()));
}

/// What clap says in paragraphs, in one sentence, and where to read on.
pub(super) fn sentence(error: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let about = |paragraph: &&str| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information");
    let parts: Vec<String> =
        error.trim_start_matches("error: ").split("\n\n").map(str::trim).filter(about).map(words).collect();
    format!("{}; see --help", parts.join("; "))
}

/// `1 Identity`, `2 Identities`.
pub(super) fn identities(count: usize) -> String {
    format!("{count} {}", if count == 1 { "Identity" } else { "Identities" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_several_names() {
        let of = |path: &str| by_name(Some(Path::new(path)));
        assert_eq!(of("/home/me/.local/bin/kubectl-unkey"), StartedAs::Plugin);
        assert_eq!(of("kubectl-unkey.exe"), StartedAs::Plugin);
        assert_eq!(of("/bin/kubectl_complete-unkey"), StartedAs::Completer);
        assert_eq!(of("/usr/local/bin/unkey-operator"), StartedAs::Operator);
        assert_eq!(by_name(None), StartedAs::Operator);
    }
}
