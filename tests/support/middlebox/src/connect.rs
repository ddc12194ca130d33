//! An HTTP proxy that only knows CONNECT, as one before the internet. It reconciles bytes on.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Error;

/// Listens on a free port of 127.0.0.1. Dropping it closes all connections.
pub struct ConnectProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    /// Names that only the proxy knows.
    names: HashMap<String, SocketAddr>,
    /// What has to be in `Proxy-Authorization`.
    user: Option<String>,
    asked: Mutex<Vec<String>>,
}

impl Shared {
    fn asked(&self) -> MutexGuard<'_, Vec<String>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectProxy {
    /// Knows these names, and asks for `user:password` if there is one.
    pub async fn start(names: &[(&str, SocketAddr)], user: Option<&str>) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let names = names.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let user = user.map(|user| format!("Basic {}", STANDARD.encode(user)));
        let shared = Arc::new(Shared { names, user, asked: Mutex::default() });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, _serving: serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it was asked to connect to, as `host:port`, refused or not.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked().clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // An error is somebody's end.
        let shared = Arc::clone(&shared);
        connections.spawn(async move { drop(tunnel(stream, &shared).await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn tunnel(mut near: TcpStream, shared: &Shared) -> io::Result<()> {
    let head = head(&mut near).await?;
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some("CONNECT"), Some(target)) = (first.next(), first.next()) else {
        return near.write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n").await;
    };
    shared.asked().push(target.to_owned());
    let authorized = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_default();
        name.eq_ignore_ascii_case("proxy-authorization") && Some(value.trim()) == shared.user.as_deref()
    };
    if shared.user.is_some() && !lines.any(authorized) {
        return near.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await;
    }
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
    let far = match shared.names.get(host) {
        Some(address) => TcpStream::connect(address).await,
        None => TcpStream::connect(target).await,
    };
    let Ok(mut far) = far else {
        return near.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
    };
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await.map(drop)
}

/// The request up to its empty line. What comes after it waits for the answer.
async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
