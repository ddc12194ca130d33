//! An admission webhook, validating or mutating, that a test gives orders: it denies, changes, hangs, answers garbage. It keeps a book of what
//! it was asked. May not know the operator.
//!
//! It serves TLS on loopback with a certificate of its own CA, and is registered for ONE namespace, so that tests beside each other do not
//! meet it. Started, the API server calls it; dropped or [`Webhook::end`]ed, it is registered no more.
//!
//! ```no_run
//! # async fn example(plane: &controlplane::ControlPlane, namespace: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use admission_webhook::{Answer, Kind, Order, Rules, Webhook};
//!
//! let rules = Rules::on("unkey.com", &["identities", "identities/status"]);
//! let webhook = Webhook::start(&plane.kubeconfig(), Kind::Validating, namespace, &rules).await?;
//! let denied = webhook.order(Order::new(Answer::deny(403, "Forbidden", "no")).subresource("status"));
//! // … somebody writes a status …
//! assert_eq!(webhook.hits(denied), 1);
//! webhook.clear(denied);
//! # Ok(())
//! # }
//! ```

mod order;
mod registration;
mod review;
mod server;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::order::Orders;
pub use self::order::{Answer, Order};
use self::registration::Registration;
pub use self::registration::{Kind, Rules};

/// Far longer than anything takes that comes about at all.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often the API server is asked whether it calls the webhook.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why a webhook could not be started or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig cannot be read.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The API server refused something.
    #[error("the API server cannot be asked: {0}")]
    Kube(#[from] kube::Error),
    /// A configuration is not one.
    #[error("the configuration cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// No certificate.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// No TLS server.
    #[error("TLS cannot be served: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// No port.
    #[error("the webhook cannot be set up: {0}")]
    Io(#[from] io::Error),
    /// The API server does not take the configuration in, or does not forget it.
    #[error("the API server did not {what} within {} s", PATIENCE.as_secs())]
    Unheard {
        /// What it did not do.
        what: &'static str,
    },
}

/// One request that the API server asked about.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it came.
    pub at: Instant,
    /// The `request` of the `AdmissionReview`.
    pub request: Value,
    /// The order that it met.
    pub order: Option<u64>,
}

/// What all connections share.
#[derive(Default)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    orders: Orders,
    book: Vec<Entry>,
    probes: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves data that is good enough for a test double.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let result = work(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Notes a request, and says how it is answered.
    pub fn answer(&self, request: Value) -> (Value, Answer) {
        self.write(|inner| {
            let (order, answer) = inner.orders.answer(&request);
            inner.book.push(Entry { at: Instant::now(), request: request.clone(), order });
            (request, answer)
        })
    }

    /// Notes that the API server knows the webhook.
    pub fn probed(&self) {
        self.write(|inner| inner.probes += 1);
    }
}

/// A running webhook. It belongs to the runtime it was started in.
pub struct Webhook {
    shared: Arc<Shared>,
    registration: Registration,
    accepting: JoinHandle<()>,
    ended: bool,
}

impl Webhook {
    /// Serves, registers and waits until the API server calls. Without orders everything is allowed.
    pub async fn start(kubeconfig: &Path, kind: Kind, namespace: &str, rules: &Rules) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let (address, ca_pem, accepting) = server::start(Arc::clone(&shared)).await?;
        let registration = Registration::new(kubeconfig, kind, namespace);
        // From here on dropping it takes back what was registered.
        let webhook = Self { shared, registration, accepting, ended: false };
        webhook.registration.create(address, &ca_pem, rules).await?;
        webhook.until_called(true).await?;
        Ok(webhook)
    }

    /// Waits until the API server calls the webhook, or does not any more.
    async fn until_called(&self, called: bool) -> Result<(), Error> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let before = self.shared.lock().probes;
            self.registration.probe().await?;
            if (self.shared.lock().probes > before) == called {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(Error::Unheard { what: if called { "call the webhook" } else { "forget the webhook" } })
    }

    /// Takes the configuration away and waits until the API server calls no more.
    pub async fn end(mut self) -> Result<(), Error> {
        self.registration.delete().await?;
        self.ended = true;
        self.until_called(false).await
    }

    /// Orders an answer; returns the order's id. Of several that want a request, the oldest decides.
    pub fn order(&self, order: Order) -> u64 {
        self.shared.write(|inner| inner.orders.add(order))
    }

    /// Forgets an order. False if it is unknown.
    pub fn clear(&self, order: u64) -> bool {
        self.shared.write(|inner| inner.orders.clear(order))
    }

    /// Forgets all orders.
    pub fn clear_all(&self) {
        self.shared.write(|inner| inner.orders.clear_all());
    }

    /// How many requests an order has met; 0 if it is unknown.
    pub fn hits(&self, order: u64) -> u64 {
        self.shared.lock().orders.hits(order)
    }

    /// All requests, oldest first.
    pub fn requests(&self) -> Vec<Entry> {
        self.shared.lock().book.clone()
    }

    /// Waits until `holds` says yes; it is asked again whenever a request comes.
    ///
    /// # Panics
    ///
    /// After 40 s in vain: the test that waits has failed.
    #[allow(clippy::panic)] // a failed step of a test ends the test
    pub async fn wait_until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let wait = async {
            loop {
                changes.mark_unchanged();
                if holds(self) {
                    return;
                }
                // The sender lives in `self`, so it does not end.
                let _ = changes.changed().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| {
            let last = self.requests().pop();
            panic!("in vain: waited {} s at the webhook, which was last asked {last:?}", PATIENCE.as_secs())
        });
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.accepting.abort();
        if self.ended {
            return;
        }
        let registration = self.registration.clone();
        // A thread with a runtime of its own: this one's may be about to end, and a destructor cannot wait in it.
        let deleting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(registration.delete())
        });
        // What is left then concerns a namespace that no test uses any more.
        drop(deleting.join());
    }
}
