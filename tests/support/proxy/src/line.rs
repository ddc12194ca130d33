//! The client's connection as it can fall silent: still open, and nothing reconciles in either direction. It must not understand requests.
//!
//! This is what a client sees of a load balancer or a NAT that has forgotten a connection: what it sends is acknowledged or retransmitted by the
//! kernel and heard by nobody, and neither FIN nor RST ever comes. Only the client's own clock can tell.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What is known of one connection. Clones mean the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mute(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_silent: AtomicBool,
    has_ended: AtomicBool,
    /// The socket of a silent connection that is through: closing it would send something.
    kept: Mutex<Option<TcpStream>>,
}

impl Mute {
    /// From now on nothing reconciles, for ever. False if that was so before.
    pub fn silence(&self) -> bool {
        !self.0.is_silent.swap(true, Ordering::SeqCst)
    }

    fn is_silent(&self) -> bool {
        self.0.is_silent.load(Ordering::SeqCst)
    }

    fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::SeqCst)
    }
}

/// All connections that are open, and whether new ones are silent from their beginning.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    open: Vec<Mute>,
    swallows: bool,
}

impl Lines {
    /// A connection that has just come about.
    pub fn enter(&mut self) -> Mute {
        let mute = Mute::default();
        if self.swallows {
            mute.silence();
        }
        self.open.retain(|line| !line.has_ended());
        self.open.push(mute.clone());
        mute
    }

    /// Silences every open connection; how many of them were not silent before.
    pub fn silence(&mut self) -> usize {
        self.open.iter().filter(|line| !line.has_ended() && line.silence()).count()
    }

    /// Whether new connections are silent from their beginning.
    pub fn swallow(&mut self, swallows: bool) {
        self.swallows = swallows;
    }

    /// Connections that have been silenced.
    pub fn silent(&self) -> usize {
        self.open.iter().filter(|line| line.is_silent()).count()
    }
}

/// One connection.
pub(crate) struct Line {
    /// There until the end.
    stream: Option<TcpStream>,
    mute: Mute,
}

impl Line {
    pub fn new(stream: TcpStream, mute: Mute) -> Self {
        Self { stream: Some(stream), mute }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.mute.is_silent() {
            *self.mute.0.kept.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
        } else {
            self.mute.0.has_ended.store(true, Ordering::SeqCst);
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.mute.is_silent() {
            let before = into.filled().len();
            let read = ready!(self.stream()?.poll_read(context, into));
            if !self.mute.is_silent() {
                return Poll::Ready(read);
            }
            into.set_filled(before);
        }
        // What the client sends is taken off the wire, so that it never finds its window full, and heard by nobody.
        let mut lost = [0; 4096];
        loop {
            let mut lost = ReadBuf::new(&mut lost);
            match ready!(self.stream()?.poll_read(context, &mut lost)) {
                Ok(()) if !lost.filled().is_empty() => {}
                // The client has given it up. It is kept, as closing it would send something.
                Ok(()) | Err(_) => return Poll::Pending,
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.mute.is_silent() {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.mute.is_silent() {
            return Poll::Ready(Ok(()));
        }
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.mute.is_silent() {
            return Poll::Pending;
        }
        self.stream()?.poll_shutdown(context)
    }
}
