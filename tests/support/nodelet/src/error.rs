//! What can go wrong here. May not do anything itself.

use std::io;

/// Why something of a Pod could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or did not answer.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// A process or its folder.
    #[error(transparent)]
    Process(#[from] controlplane::Error),
    /// A file could not be handled.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A volume lacks what it is made of; goes on when that is there. In a kubelet's words.
    #[error("MountVolume.SetUp failed for volume {volume:?} : {why}")]
    Mount {
        /// Which.
        volume: String,
        /// Why.
        why: String,
    },
    /// A variable is taken from what is not there.
    #[error("{0}")]
    Variable(String),
    /// The Pod asks for what the nodelet does not imitate.
    #[error("the nodelet does not imitate {0}")]
    NotImitated(String),
    /// There is no such process.
    #[error("the Pod {0} has no process")]
    NoProcess(String),
    /// The nodelet is being dropped.
    #[error("the nodelet is ending")]
    Ending,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was tried when the system refused it.
pub(crate) fn trying(what: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { what: what(), source }
}
