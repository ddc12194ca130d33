//! How the API server is reached: by which way, as whom, and when a connection is given up. It knows no resource and decides nothing.
//!
//! | module | does |
//! |---|---|
//! | `config` | reads the kubeconfig, or what a Pod has |
//! | `proxy` | chooses the proxy, as kubectl does |
//! | `plugin`, `credentials` | as whom: runs an exec plugin, and again when what it gave is refused |
//! | `connection`, `tls`, `connector` | from TCP to TLS; gives up what is silent |
//! | `client`, `listing` | sends requests by all this; gives a watch that lists its time |
//! | `time` | what time it is there |
//! | `trouble` | names the cause of a failure |

mod client;
mod config;
mod connection;
mod connector;
mod credentials;
mod listing;
mod plugin;
mod proxy;
mod time;
mod tls;
mod trouble;

use std::sync::Arc;

use tower::service_fn;

use self::client::Shared;
pub use self::config::{ConfigError, config};
use self::connection::Connections;
pub use self::connection::{SILENCE, Silent, WRITE_SILENCE};
use self::credentials::Credentials;
pub use self::plugin::PluginError;
pub use self::proxy::ProxyError;
pub use self::time::ServerTime;
pub use self::trouble::unreached;

/// A watch ends after so many seconds, by the API server's hand, and begins anew where it ended. So there is never
/// silence for longer on a connection that lives, well below [`SILENCE`]; and what is asked for that is four requests a minute. A bookmark may come
/// before, but only if any object has changed since the last one.
pub const WATCH_SECONDS: u32 = 16;

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

/// The way to one API server, from which clients are made.
pub struct Access {
    config: kube::Config,
    credentials: Arc<Credentials>,
    connections: Connections,
    time: ServerTime,
}

impl Access {
    /// By this configuration. Runs the exec plugin that it names, if it names one; connects to nothing.
    pub async fn new(config: kube::Config) -> Result<Self, SetupError> {
        let credentials = Arc::new(Credentials::new(config.auth_info.clone()).await?);
        Ok(Self { config, credentials, connections: Connections::default(), time: ServerTime::default() })
    }

    /// What time it is at the API server, as far as the answers to these clients tell.
    pub fn time(&self) -> ServerTime {
        self.time.clone()
    }

    /// A client with connections of its own, so that its requests wait for no other's. All clients share the credential, and what one of them learns of
    /// silent connections.
    pub fn client(&self) -> Result<kube::Client, SetupError> {
        let (config, credentials) = (self.config.clone(), Arc::clone(&self.credentials));
        let shared = Arc::new(Shared::new(config, credentials, self.connections.clone(), self.time.clone()));
        shared.check()?;
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { shared.send(request).await }
        });
        Ok(kube::Client::new(service, self.config.default_namespace.clone()))
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("server", &self.config.cluster_url).finish_non_exhaustive()
    }
}
