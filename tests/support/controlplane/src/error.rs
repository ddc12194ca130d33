//! What can go wrong here, each with a sentence that says what to do. May not do anything itself.

use std::{io, path::PathBuf, time::Duration};

/// Why a control plane could not be built, started or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, directory, pipe or process could not be handled.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something must be built and there is no Go to build it with.
    #[error(
        "building {binaries} needs Go {version} or newer, and PATH has no `go`: install Go (https://go.dev/dl){instead}"
    )]
    NoGo {
        /// What was to be built.
        binaries: String,
        /// The version that `tools/*/go.mod` asks for.
        version: String,
        /// What would do as well.
        instead: &'static str,
    },
    /// `go build` failed: offline, out of disk, a wrong checksum.
    #[error("`go build` of {binaries} failed; the end of its output:\n{tail}")]
    Build {
        /// What was to be built.
        binaries: String,
        /// The end of what it printed.
        tail: String,
    },
    /// The directory chosen by the environment lacks a server.
    #[error("{} has no {binary}; unset KUBEBUILDER_ASSETS to have it built", .directory.display())]
    Missing {
        /// Where it was looked for.
        directory: PathBuf,
        /// The name looked for.
        binary: &'static str,
    },
    /// There are no module files of this version.
    #[error("KUBERNETES is {wanted}, and what can be built is {known}; tools/versions/generate adds another")]
    NoVersion {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// A version was asked for, and binaries were given.
    #[error("KUBERNETES is {kubernetes} and KUBEBUILDER_ASSETS {}: unset one", .assets.display())]
    Both {
        /// The directory that the environment names.
        assets: PathBuf,
        /// The version that it names.
        kubernetes: String,
    },
    /// A `go.mod` does not say what is needed of it.
    #[error("{} does not say the version of {module}", .file.display())]
    Version {
        /// The file read.
        file: PathBuf,
        /// What it should require.
        module: &'static str,
    },
    /// There is nowhere to keep the binaries.
    #[error("no cache directory: set XDG_CACHE_HOME or HOME to an absolute path")]
    NoCache,
    /// A server ended while it was needed.
    #[error("{server} ended by itself; the end of its log:\n{tail}")]
    Exited {
        /// Which one.
        server: &'static str,
        /// The end of its log.
        tail: String,
    },
    /// A server did not become ready in time.
    #[error("{server} is not ready after {} s ({last}); the end of its log:\n{tail}", .after.as_secs())]
    NotReady {
        /// Which one.
        server: &'static str,
        /// How long it was waited for.
        after: Duration,
        /// What the last probe said.
        last: String,
        /// The end of its log.
        tail: String,
    },
    /// A server was to be signalled or asked that does not run.
    #[error("{server} is not running")]
    NotRunning {
        /// Which one.
        server: &'static str,
    },
    /// The audit log was asked for and never switched on.
    #[error("this control plane was started without `Options::audit`")]
    NoAudit,
    /// The audit log has a line that is not an audit event.
    #[error("the audit log has a line that is no event ({source}): {line}")]
    Audit {
        /// The line.
        line: String,
        /// Why it does not parse.
        source: serde_json::Error,
    },
    /// The API server refused a request.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// A kubeconfig could not be made into a client.
    #[error(transparent)]
    Kubeconfig(#[from] kube::config::KubeconfigError),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was tried when the system refused it.
pub(crate) trait Context<T> {
    /// Adds `what`, in the infinitive: "cannot {what}".
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
