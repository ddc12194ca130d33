//! What the queue and the reconciles of one kind share. It runs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::clock::{Clock, PauseDetector};
use super::coverage::Coverage;
use super::dispatcher::Dispatcher;
use super::kind::Kind;
use super::scope::Scope;
use crate::leader::Leadership;
use crate::telemetry::Metrics;
use crate::unkey::Bounds;

/// What the queue and the reconciles of one kind share.
pub struct Runtime<K: Kind> {
    /// The API server.
    pub client: Client,
    /// One for each watch.
    pub apis: Vec<Api<K>>,
    /// Which of these are known.
    pub coverage: Coverage,
    /// Time since this process acts.
    pub clock: Clock,
    /// Whether it stood still.
    pub pause_detector: PauseDetector,
    /// Whether it may act.
    pub lead: Leadership,
    /// Who may go on.
    pub dispatcher: Arc<Dispatcher>,
    /// What is counted.
    pub metrics: Metrics,
    wake: UnboundedSender<ObjectRef<K>>,
    draining: AtomicBool,
}

impl<K: Kind> Runtime<K> {
    /// For the objects in `scope`. Those that the receiver gets are to be reconciled.
    pub fn new(
        client: Client,
        scope: &Scope,
        lead: Leadership,
        permits: (Bounds, u16),
        metrics: Metrics,
    ) -> (Arc<Self>, UnboundedReceiver<ObjectRef<K>>) {
        let (wake, woken) = unbounded_channel();
        let clock = Clock::default();
        if lead.holds() {
            clock.begin();
        }
        let granted = wake.clone();
        // The receiver lives as long as the controller; after that nothing needs waking.
        let tell = move |namespace: &str, name: &str| drop(granted.send(ObjectRef::new(name).within(namespace)));
        let (bounds, workers) = permits;
        let dispatcher = Dispatcher::new(bounds, workers, Box::new(tell), metrics.clone());
        let apis = scope.apis(&client);
        let namespaces = apis.iter().map(|api| api.namespace().map(str::to_owned));
        let runtime = Self {
            coverage: Coverage::of(K::SEVERAL, namespaces),
            apis,
            client,
            pause_detector: PauseDetector::new(clock.clone()),
            clock,
            lead,
            dispatcher,
            metrics,
            wake,
            draining: AtomicBool::new(false),
        };
        (Arc::new(runtime), woken)
    }

    /// Has an object reconciled.
    pub fn wake(&self) -> UnboundedSender<ObjectRef<K>> {
        self.wake.clone()
    }

    /// From now on a reconcile only records what is done already, and none waits in its middle.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.dispatcher.drain();
    }

    /// The process is to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// This process may act, right now.
    pub fn leads(&self) -> bool {
        self.lead.holds()
    }
}
