//! Why there is no client of the API server.

use super::plugin::PluginError;

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The exec plugin of the kubeconfig gives no credential.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The kubeconfig's `tls-server-name` is no name.
    #[error("the tls-server-name of the kubeconfig is not a valid server name")]
    ServerName,
    /// User and password of the proxy cannot be sent.
    #[error("the user name or password in the proxy's URL has characters that cannot be sent")]
    ProxyUser,
    /// Certificates or headers that cannot be used.
    #[error("{0}")]
    Client(#[source] kube::Error),
}
