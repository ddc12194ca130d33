//! The HTTP face of the state machine: a listener, the clock, faults, books and the control endpoints. Everything the API itself decides
//! is in `state`.

mod book;
mod control;
mod fault;
mod flow;
mod routes;
mod wire;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt as _;

use self::book::Book;
pub use self::book::{Counts, Entry};
pub use self::control::{Control, Workspace};
pub use self::fault::{Fault, FaultKind, Ordered};
use self::flow::Incoming;
use crate::state::{Response, Settings, State};

/// The server closes a connection that has been idle for that long.
const IDLE: Duration = Duration::from_secs(10);

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; a free port of 127.0.0.1 by default.
    pub listen: SocketAddr,
    /// What workspaces start with.
    pub settings: Settings,
    /// Where ids come from; the same seed gives the same ids to the same requests. By default no two emulators share ids.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), settings: Settings::default(), seed: None }
    }
}

/// A running emulator; dropping it closes all connections. Its [`Control`] is reached by dereferencing.
pub struct Emulator {
    control: Control,
    accepting: JoinHandle<()>,
}

impl Emulator {
    /// Listens and serves until it is dropped. Needs a tokio runtime.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let seed = options.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner { state: State::new(seed), books: HashMap::new() }),
            settings: options.settings,
            started: (Instant::now(), unix_ms()),
            changes: watch::Sender::new(0),
        });
        let control = Control::new(shared, listener.local_addr()?);
        let accepting = tokio::spawn(accept(listener, routes::router(control.clone())));
        Ok(Self { control, accepting })
    }

    /// A handle that can be kept and cloned; it works on after the emulator is dropped, but nobody listens any more.
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}

impl std::ops::Deref for Emulator {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Dropped with its task set, so that aborting it closes every connection.
async fn accept(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, router.clone()));
            }
            // Out of file descriptors, or the peer gave up in between: the next one may do better.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, router: Router) {
    // Without it small answers wait for the peer's delayed acknowledgement; failing to set it costs time only.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await.map_err(|never| match never {})?;
            // An error of the service makes hyper close the connection without a byte of an answer.
            if response.extensions().get::<wire::Cut>().is_some() { Err(Dropped) } else { Ok(response) }
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE);
    // An error here is a broken or cut connection: the client's affair, or what a fault was ordered for.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// The connection is dropped on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped by a fault")]
struct Dropped;

/// What all tasks share.
struct Shared {
    inner: Mutex<Inner>,
    settings: Settings,
    started: (Instant, u64),
    /// Counts what happens, for those who wait for something to happen.
    changes: watch::Sender<u64>,
}

struct Inner {
    state: State,
    books: HashMap<String, Book>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves data that is good enough for a test double.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unix time that never goes back, as history is kept by it.
    fn now_ms(&self) -> u64 {
        self.started.1 + u64::try_from(self.started.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The time is taken under the lock, so that commits are in the order of their times.
    fn handle(&self, incoming: &Incoming, read_at_ms: u64) -> Response {
        let mut inner = self.lock();
        let now = self.now_ms();
        inner.state.handle(now, &incoming.request(read_at_ms))
    }

    fn note(&self, workspace: &str, work: impl FnOnce(&mut Book)) {
        work(self.lock().books.entry(workspace.to_owned()).or_default());
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

#[allow(clippy::disallowed_methods)] // The one place where wall time comes in: the workspace limit counts minutes of it.
fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
