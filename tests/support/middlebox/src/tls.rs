//! TLS before a server that speaks none. It reconciles bytes on.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Error, Leaf};

/// Listens with TLS on a free port of 127.0.0.1, and passes on to a server without. Dropping it closes all connections.
pub struct TlsFront {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl TlsFront {
    /// With this certificate, before `target`.
    pub async fn start(leaf: &Leaf, target: SocketAddr) -> Result<Self, Error> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(leaf.chain.clone(), leaf.key.clone_key())?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), target));
        Ok(Self { address, _serving: serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, target: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            // An error is a client that does not like the certificate, or somebody's end.
            let Ok(mut near) = acceptor.accept(stream).await else { return };
            let Ok(mut far) = TcpStream::connect(target).await else { return };
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
