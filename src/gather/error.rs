//! Why something could not be read.

use std::time::Duration;

use crate::controller::KubeError;
use crate::unkey;

/// Why something could not be read. Nothing was printed that could pass for a result.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// `--selector` is not one.
    #[error("the API server refuses the label selector: {0}")]
    Selector(String),
    /// The CustomResourceDefinition is not installed.
    #[error("the CustomResourceDefinition {} is not installed in this cluster", crate::api::CRD_NAME)]
    NoDefinition,
    /// The Identities cannot be listed.
    #[error("the Identities cannot be listed: {0}")]
    Identities(#[source] Box<KubeError>),
    /// One of them cannot be read.
    #[error("Identity {name} cannot be read: {source}")]
    Object {
        /// Its namespace and name.
        name: String,
        /// Why.
        source: Box<KubeError>,
    },
    /// The list changed faster than it could be read.
    #[error(
        "the Identities cannot be listed: the API server gave up the list {0} times, because it took too long; run this command again"
    )]
    Expired(u32),
    /// An object of the list cannot be read.
    #[error("an Identity that the API server lists cannot be read: {0}")]
    Unreadable(#[source] serde_json::Error),
    /// A page of the workspace cannot be had.
    #[error("page {page} of the workspace cannot be listed: {source}{}", request(source, *took))]
    Page {
        /// Counted from 1.
        page: usize,
        /// How long its last request took.
        took: Duration,
        /// Why.
        source: Box<unkey::Error>,
    },
    /// One of the identities that count cannot be read by itself.
    #[error("identity '{external_id}' cannot be read: {source}{}", request(source, *took))]
    Identity {
        /// Its externalId.
        external_id: String,
        /// How long its last request took.
        took: Duration,
        /// Why.
        source: Box<unkey::Error>,
    },
    /// The operator's Pod cannot be looked for.
    #[error(
        "the operator's Pod cannot be looked for: {0}; name its namespace with --operator, or give its flags after '-- run'"
    )]
    Pods(#[source] Box<KubeError>),
}

/// The request as Unkey's own command line shows it, for whoever asks Unkey's support; nothing if Unkey did not name it.
fn request(error: &unkey::Error, took: Duration) -> String {
    error.request_id().map(|id| format!("; {id} (took {}ms)", took.as_millis())).unwrap_or_default()
}

impl GatherError {
    /// The Identities cannot be listed.
    pub(super) fn identities(error: KubeError) -> Self {
        Self::Identities(Box::new(error))
    }

    /// The operator's Pod cannot be looked for.
    pub(super) fn pods(error: KubeError) -> Self {
        Self::Pods(Box::new(error))
    }

    /// True if the caller lacks a right.
    pub fn is_forbidden(&self) -> bool {
        let (Self::Identities(error) | Self::Pods(error)) = self else { return false };
        matches!(&**error, KubeError::Api(kube::Error::Api(status)) if status.code == 403)
    }

    /// True if the command line is wrong, and not the world.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Selector(_))
    }
}
