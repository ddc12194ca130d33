//! A cutting proxy between one client of Kubernetes and a real kube-apiserver: it understands each request, keeps a book of them, and loses,
//! delays and refuses to order. Its vocabulary is that of the Unkey emulator's faults. May not know the operator.
//!
//! Plain HTTP/1.1 on loopback towards the client, TLS towards the API server. The client is given [`Proxy::kubeconfig`], a copy of the
//! kubeconfig that the proxy was started with: the token is the client's own and passed on. Watches are streamed, event by event, and can be
//! ended or held back ([`Proxy::end_watches`], [`Proxy::hold_events`]). Connections can fall silent, as when a load balancer forgets them: all that
//! are open ([`Proxy::silence`]), new ones too ([`Proxy::swallow`]), or that of one request ([`FaultKind::SilentBefore`],
//! [`FaultKind::SilentAfter`]).
//!
//! ```no_run
//! # async fn example(plane: &controlplane::ControlPlane) -> Result<(), Box<dyn std::error::Error>> {
//! use cutting_proxy::{Fault, FaultKind, Proxy};
//!
//! let proxy = Proxy::start(&plane.kubeconfig()).await?;
//! // The second patch of anything is carried out, and its answer lost.
//! let lost = proxy.order(Fault::new(FaultKind::DropAfter).verb("patch").after(1).once());
//! // … a client works with proxy.kubeconfig() …
//! assert_eq!(proxy.hits(lost), 1);
//! # Ok(())
//! # }
//! ```

mod book;
mod control;
mod fault;
mod flow;
mod line;
mod request;
mod watches;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub use self::book::Entry;
use self::control::Shared;
pub use self::fault::{Fault, FaultKind, Ordered};
use self::line::Line;
pub use self::request::Asked;
pub use self::watches::Ending;

/// Why no proxy could be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig cannot be read or written.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// No client can be made of it.
    #[error("no client of the API server can be made: {0}")]
    Client(#[from] kube::Error),
    /// No port or no file.
    #[error("the proxy cannot be set up: {0}")]
    Io(#[from] io::Error),
}

/// A running proxy; dropping it closes all connections of its client. It belongs to the runtime it was started in.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    files: TempDir,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to the API server that `kubeconfig` names.
    pub async fn start(kubeconfig: &Path) -> Result<Self, Error> {
        let mut copy = Kubeconfig::read_from(kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(copy.clone(), &KubeConfigOptions::default()).await?;
        // The client's own token is passed on; and whoever counts requests wants none repeated, none cut by a timeout.
        config.auth_info = kube::config::AuthInfo::default();
        config.default_retry = false;
        config.read_timeout = None;
        config.proxy_url = None;
        let client = Client::try_from(config)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let files = TempDir::new()?;
        for named in &mut copy.clusters {
            if let Some(cluster) = &mut named.cluster {
                cluster.server = Some(format!("http://{address}"));
                cluster.certificate_authority = None;
                cluster.certificate_authority_data = None;
            }
        }
        let text = serde_json::to_vec(&copy).map_err(io::Error::from)?;
        std::fs::write(files.path().join("kubeconfig"), text)?;
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, client, Arc::clone(&shared)));
        Ok(Self { shared, address, files, accepting })
    }

    /// The kubeconfig file for the client. It lives as long as the proxy.
    pub fn kubeconfig(&self) -> PathBuf {
        self.files.path().join("kubeconfig")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Dropped with its task set, so that aborting it closes every connection.
async fn accept(listener: TcpListener, client: Client, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, client.clone(), Arc::clone(&shared)));
            }
            // Out of file descriptors, or the peer gave up in between: the next one may do better.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, client: Client, shared: Arc<Shared>) {
    // Without it small answers wait for the peer's delayed acknowledgement; failing to set it costs time only.
    let _ = stream.set_nodelay(true);
    // An error of the service makes hyper close the connection without a byte of an answer.
    let mute = shared.enter();
    let service = service_fn(|request| flow::serve(request, client.clone(), Arc::clone(&shared), mute.clone()));
    let line = TokioIo::new(Line::new(stream, mute.clone()));
    // An error here is a broken or cut connection: the client's affair, or what a fault was ordered for.
    let _ = http1::Builder::new().serve_connection(line, service).await;
}
