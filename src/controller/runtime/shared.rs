//! What the queue and the reconciles of one kind share. It runs nothing.

use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::clock::{Clock, PauseDetector};
use super::coverage::Coverage;
use super::dispatcher::{Dispatcher, Permit, Priority, Wake};
use super::kind::Kind;
use super::scope::Scope;
use crate::domain::Uid;
use crate::leader::Leadership;
use crate::telemetry::Metrics;

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
    /// Who may go on. Runtimes of several kinds share it.
    pub dispatcher: Arc<Dispatcher>,
    /// What is counted.
    pub metrics: Metrics,
    wake: UnboundedSender<ObjectRef<K>>,
    waker: Wake,
}

impl<K: Kind> Runtime<K> {
    /// For the objects in `scope`. Those that the receiver gets are to be reconciled.
    pub fn new(
        client: Client,
        scope: &Scope,
        lead: Leadership,
        dispatcher: Arc<Dispatcher>,
        metrics: Metrics,
    ) -> (Arc<Self>, UnboundedReceiver<ObjectRef<K>>) {
        let (wake, woken) = unbounded_channel();
        let clock = Clock::default();
        if lead.holds() {
            clock.begin();
        }
        let granted = wake.clone();
        // The receiver lives as long as the controller; after that nothing needs waking.
        let waker = move |namespace: &str, name: &str| drop(granted.send(ObjectRef::new(name).within(namespace)));
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
            waker: Arc::new(waker),
        };
        (Arc::new(runtime), woken)
    }

    /// Has an object reconciled that is sent to it.
    pub fn wake(&self) -> UnboundedSender<ObjectRef<K>> {
        self.wake.clone()
    }

    /// A permit for the reconcile of an object, or `None`: then the object is reconciled when there is one.
    pub fn enter(&self, at: (&str, &str), uid: &Uid, priority: Priority) -> Option<Permit> {
        self.dispatcher.enter(&self.waker, at, uid, priority)
    }

    /// Cancelled when the process is to end.
    pub fn stop(&self) -> &CancellationToken {
        &self.dispatcher.stop
    }

    /// The process is to end: a reconcile only records what is done already.
    pub fn is_draining(&self) -> bool {
        self.stop().is_cancelled()
    }

    /// This process may act, right now.
    pub fn leads(&self) -> bool {
        self.lead.holds()
    }
}
