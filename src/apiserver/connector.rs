//! How a connection comes about: TCP, a proxy if there is one, TLS. What is asked by it is none of its business.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use percent_encoding::percent_decode_str;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt as _, service_fn};

use super::connection::Connections;
use super::setup_error::SetupError;
use super::{proxy, tls};

/// Connecting takes a fraction of a second or fails: name, TCP, proxy and TLS.
const CONNECT: Duration = Duration::from_secs(10);

/// Makes connections, ready for HTTP/1.1.
pub(super) type Connector = BoxCloneSyncService<Uri, Socket, BoxError>;

/// To the API server that `config` names, by the proxy that it names. `connections` watch over what comes about, and give it up after
/// `silence`.
pub(super) fn connector(
    config: &kube::Config,
    connections: &Connections,
    silence: Duration,
) -> Result<Connector, SetupError> {
    let raw = raw(config, connections, silence)?;
    let secured = tls::on_top_of(raw, config)?;
    let via = config.proxy_url.as_ref().map(proxy::shown);
    let within = service_fn(move |server: Uri| {
        let via = via.clone();
        let connecting = tokio::time::timeout(CONNECT, secured.clone().oneshot(server));
        connecting.map(move |connected| match connected.unwrap_or_else(|_| Err(Box::new(Overdue))) {
            Ok(stream) => Ok(Socket::new(stream)),
            Err(source) => Err(Box::new(NotConnected { via, source }) as BoxError),
        })
    });
    Ok(BoxCloneSyncService::new(within))
}

/// Without the API server's TLS.
fn raw(config: &kube::Config, connections: &Connections, silence: Duration) -> Result<Connector, SetupError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connections = connections.clone();
    let tcp = tcp.map_response(move |stream| connections.watch_over(stream, silence));
    let Some(proxy) = &config.proxy_url else {
        return Ok(BoxCloneSyncService::new(tcp.map_response(Socket::new).map_err(BoxError::from)));
    };
    let user = proxy.authority().and_then(|authority| Some(authority.as_str().rsplit_once('@')?.0));
    Ok(match proxy.scheme_str() {
        Some("socks5" | "socks5h") => {
            let mut socks = SocksV5::new(proxy.clone(), tcp);
            if let Some((user, password)) = user.and_then(|user| user.split_once(':')) {
                socks = socks.with_auth(decoded(user)?, decoded(password)?);
            }
            BoxCloneSyncService::new(socks.map_response(Socket::new).map_err(BoxError::from))
        }
        // Such a proxy is trusted as the API server is, and has a name of its own.
        Some("https") => {
            let mut own = config.clone();
            own.tls_server_name = None;
            let tunnel = with_user(Tunnel::new(proxy.clone(), tls::on_top_of(tcp, &own)?), user)?;
            BoxCloneSyncService::new(tunnel.map_response(Socket::new).map_err(BoxError::from))
        }
        _ => {
            let tunnel = with_user(Tunnel::new(proxy.clone(), tcp), user)?;
            BoxCloneSyncService::new(tunnel.map_response(Socket::new).map_err(BoxError::from))
        }
    })
}

fn with_user<C>(tunnel: Tunnel<C>, user: Option<&str>) -> Result<Tunnel<C>, SetupError> {
    let Some(user) = user else { return Ok(tunnel) };
    let basic = format!("Basic {}", STANDARD.encode(decoded(user)?));
    Ok(tunnel.with_auth(HeaderValue::try_from(basic).map_err(|_| SetupError::ProxyUser)?))
}

/// What has a meaning in a URL is written in percent there.
fn decoded(text: &str) -> Result<String, SetupError> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| SetupError::ProxyUser)
}

/// There was no connection in time.
#[derive(Debug, thiserror::Error)]
#[error("connecting takes longer than {} s", CONNECT.as_secs())]
struct Overdue;

/// No connection came about: nothing was asked.
#[derive(Debug)]
pub(super) struct NotConnected {
    /// The proxy, if there is one.
    pub via: Option<String>,
    source: BoxError,
}

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no connection to the API server")?;
        self.via.as_ref().map_or(Ok(()), |proxy| write!(f, " through the proxy {proxy}"))
    }
}

impl Error for NotConnected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

trait Stream: Read + Write + Connection + Send + Unpin {}

impl<S: Read + Write + Connection + Send + Unpin> Stream for S {}

/// A connection, whatever it is made of.
pub(super) struct Socket(Box<dyn Stream>);

impl Socket {
    fn new(stream: impl Stream + 'static) -> Self {
        Self(Box::new(stream))
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}
