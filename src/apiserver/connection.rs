//! A connection that says nothing is given up, and with it every other that has said nothing since. It knows bytes, and no requests.
//!
//! A load balancer or NAT that forgets a connection tells neither end. What is sent then is acknowledged by nobody or by the balancer itself, so
//! that the kernel may never notice; only the answer that does not come shows it. The API server always has one: to a request, within seconds, and
//! on a watch a bookmark and an end ([`WATCH_SECONDS`](super::WATCH_SECONDS)).

use parking_lot::{Mutex, MutexGuard};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::time::{Instant, Sleep};

/// A connection on which the answer to a read is waited for is given up after so long without a byte. An idle one is closed.
pub const SILENCE: Duration = Duration::from_secs(20);

/// The same for the answer to a write. The API server says nothing while it waits for an admission webhook, 30 s at most for each
/// (`timeoutSeconds`), and then says which one did not answer.
pub const WRITE_SILENCE: Duration = Duration::from_secs(32);

/// Nothing came on the connection for long, or it is given up with another one of which that is so.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{}", self.words())]
pub struct Silent {
    /// Nothing has come since then.
    pub(super) since: Instant,
    /// How long that is allowed to last there.
    after: Duration,
    /// It is given up with another one, sooner.
    pub with_another: bool,
}

impl Silent {
    fn words(&self) -> String {
        if self.with_another {
            return "the connection was closed together with another one that received nothing".to_owned();
        }
        format!("the connection received nothing for {} s and was closed", self.after.as_secs())
    }
}

/// The connections to one API server. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections(Arc<Mutex<Vec<Weak<Pulse>>>>);

/// What is known of one connection.
#[derive(Debug)]
struct Pulse {
    /// When something last came.
    heard: Mutex<Instant>,
    given_up: AtomicBool,
    reader: AtomicWaker,
}

impl Pulse {
    fn heard(&self) -> MutexGuard<'_, Instant> {
        // A moment cannot be half written.
        self.heard.lock()
    }
}

impl Connections {
    /// Watches over a connection that has just come about, and gives it up after `silence`.
    pub fn watch_over<S>(&self, stream: S, silence: Duration) -> Monitored<S> {
        let now = Instant::now();
        let pulse =
            Arc::new(Pulse { heard: Mutex::new(now), given_up: AtomicBool::new(false), reader: AtomicWaker::new() });
        let mut all = self.all();
        all.retain(|pulse| pulse.strong_count() > 0);
        all.push(Arc::downgrade(&pulse));
        let overdue = Box::pin(tokio::time::sleep_until(now + silence));
        Monitored { stream, pulse, silence, was_silent: false, sent: now, overdue }
    }

    /// One connection has been silent since then while an answer was due. Whatever has said nothing since is as dead, as far as anyone can
    /// tell, and is given up too: else each would be found by a request of its own. Returns how many that were.
    pub fn give_up_silent(&self, since: Instant) -> usize {
        let all = self.all();
        let silent = all.iter().filter_map(Weak::upgrade).filter(|pulse| *pulse.heard() <= since);
        let given_up = silent.filter(|pulse| !pulse.given_up.swap(true, Ordering::SeqCst));
        given_up.inspect(|pulse| pulse.reader.wake()).count()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<Pulse>>> {
        self.0.lock()
    }
}

/// A connection that is watched over.
#[derive(Debug)]
pub(super) struct Monitored<S> {
    stream: S,
    pulse: Arc<Pulse>,
    silence: Duration,
    /// It was silent for so long itself.
    was_silent: bool,
    /// When something was last sent.
    sent: Instant,
    /// Not moved at each byte: when it is over it looks how long it really was.
    overdue: Pin<Box<Sleep>>,
}

impl<S> Monitored<S> {
    /// Ready when the connection is given up.
    fn poll_silent(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        self.pulse.reader.register(context.waker());
        loop {
            let since = self.sent.max(*self.pulse.heard());
            if self.pulse.given_up.load(Ordering::SeqCst) {
                let silent = Silent { since, after: self.silence, with_another: !self.was_silent };
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, silent));
            }
            if self.overdue.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if since.elapsed() >= self.silence {
                self.was_silent = !self.pulse.given_up.swap(true, Ordering::SeqCst);
                continue;
            }
            let end = since + self.silence;
            self.overdue.as_mut().reset(end);
        }
    }
}

impl<S: Read + Unpin> Read for Monitored<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                *self.pulse.heard() = Instant::now();
                Poll::Ready(read)
            }
            Poll::Pending => self.poll_silent(context).map(Err),
        }
    }
}

impl<S: Write + Unpin> Write for Monitored<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.sent = Instant::now();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.sent = Instant::now();
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

impl<S: Connection> Connection for Monitored<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const MARGIN: Duration = Duration::from_millis(10);
    const ALMOST: Duration = Duration::from_millis(19_990);

    /// A connection that is watched over, as what speaks bytes, and its other end.
    fn line(connections: &Connections) -> (TokioIo<Monitored<TokioIo<DuplexStream>>>, DuplexStream) {
        let (near, far) = duplex(64);
        (TokioIo::new(connections.watch_over(TokioIo::new(near), SILENCE)), far)
    }

    /// How long it took, if nothing came.
    async fn given_up_after(line: &mut TokioIo<Monitored<TokioIo<DuplexStream>>>) -> Duration {
        given_up(line).await.0
    }

    /// The same, and whether it was given up with another one.
    async fn given_up(line: &mut TokioIo<Monitored<TokioIo<DuplexStream>>>) -> (Duration, bool) {
        let begun = Instant::now();
        let error = line.read_u8().await.unwrap_err();
        let silent = *crate::transport::find::<Silent>(&error).unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(silent.to_string().contains("received nothing for 20 s"), !silent.with_another, "{silent}");
        (begun.elapsed(), silent.with_another)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_given_up_and_one_that_speaks_is_not() {
        let connections = Connections::default();
        let (mut near, mut far) = line(&connections);
        for _ in 0..4 {
            tokio::time::sleep(ALMOST).await;
            far.write_all(b"x").await.unwrap();
            assert_eq!(near.read_u8().await.unwrap(), b'x');
        }
        let took = given_up_after(&mut near).await;
        assert!(took >= SILENCE && took < SILENCE + MARGIN, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_has_its_time_from_when_it_was_asked_for() {
        let (mut near, _far) = line(&Connections::default());
        tokio::time::sleep(SILENCE * 3).await;
        near.write_all(b"x").await.unwrap();
        assert!(given_up_after(&mut near).await >= SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn with_one_goes_every_other_that_has_said_nothing_since() {
        let connections = Connections::default();
        let (mut waiting, _far) = line(&connections);
        let (mut younger, _far_too) = line(&connections);
        let (mut speaks, mut end) = line(&connections);
        tokio::time::sleep(SILENCE / 4).await;
        waiting.write_all(b"x").await.unwrap();
        let since = Instant::now();
        tokio::time::sleep(SILENCE / 4).await;
        younger.write_all(b"x").await.unwrap();
        end.write_all(b"x").await.unwrap();
        speaks.read_u8().await.unwrap();
        let (mut new, _far_too_too) = line(&connections);
        let younger = tokio::spawn(async move { given_up(&mut younger).await });
        let (took, with_another) = given_up(&mut waiting).await;
        assert!(took < SILENCE && !with_another, "{took:?}");
        assert_eq!(connections.give_up_silent(since), 1);
        // It wakes at once, before its own end.
        let (took, with_another) = younger.await.unwrap();
        assert!(took < SILENCE && with_another, "{took:?}");
        assert!(given_up_after(&mut new).await + MARGIN >= SILENCE / 4);
        assert_eq!(given_up_after(&mut speaks).await, Duration::ZERO);
    }
}
