//! What every reconcile shares, and how the controller is set up. It runs nothing.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;

use super::definition::Definition;
use super::events::Events;
use super::index::{IdentityRef, Index, Rescued, Unwritten};
use super::orphan_cleanup::PendingCleanups;
use super::raw::RawIdentity;
use crate::apiserver::ServerTime;
use crate::controller::runtime::clock::{Clock, PauseDetector, WallClocks};
use crate::controller::runtime::coverage::Coverage;
use crate::controller::runtime::dispatcher::Dispatcher;
use crate::controller::runtime::watch::Scope;
use crate::controller::workspace::pinned_client::PinnedClient;
use crate::domain::{Cause, Crd, CrdMemory, Mono, OwnershipGate, Policy, Workspace, backoff};
use crate::leader::Leadership;
use crate::telemetry::{Gauges, Metrics};
use crate::unkey;

/// How many objects a second are tried again after a restart that were failing before.
const RESTART_RATE: u64 = 50;

/// How many objects at a time are looked at that went unexpectedly.
const LOOKS: usize = 4;

/// How the controller is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to watch.
    pub scope: Scope,
    /// Reconciles at a time that do more than look at what is in memory.
    pub workers: u16,
    /// Calls to Unkey.
    pub bounds: unkey::Bounds,
    /// Policies for specs that name none, and the consistency window.
    pub policy: Policy,
    /// From one scan of the workspace to the next; zero: none.
    pub resync: Duration,
    /// R15: ids recorded under another key need no proof that they are of this workspace.
    pub accept_workspace_change: bool,
    /// Whether this process may act.
    pub lead: Leadership,
    /// What time it is at the API server.
    pub server_time: ServerTime,
}

/// What every reconcile shares.
pub struct Context {
    pub(in crate::controller) client: Client,
    pub(in crate::controller) apis: Vec<Api<RawIdentity>>,
    /// Which of these are known.
    pub(in crate::controller) coverage: Coverage,
    /// Whether the API server keeps all that is written.
    pub(in crate::controller) definition: Definition,
    unkey: unkey::Client,
    /// What a reconcile knows of our CustomResourceDefinition before it looks.
    pub(in crate::controller) crd: Crd,
    /// What looks have shown of it so far.
    pub(in crate::controller) crd_memory: Mutex<CrdMemory>,
    pub(in crate::controller) index: Index,
    pub(in crate::controller) clock: Clock,
    pub(in crate::controller) walls: WallClocks,
    lead: Leadership,
    pub(in crate::controller) pause_detector: PauseDetector,
    pub(in crate::controller) events: Events,
    pub(in crate::controller) metrics: Metrics,
    pub(in crate::controller) cleanups: PendingCleanups,
    /// Looks at a time whether an object that went is gone.
    pub(in crate::controller) looks: Semaphore,
    pub(in crate::controller) dispatcher: Arc<Dispatcher>,
    pinned: RwLock<Arc<PinnedClient>>,
    /// When a call last succeeded, in ms plus one; 0: never.
    thrived: AtomicU64,
    draining: AtomicBool,
    jitter: RandomState,
    rolls: AtomicU64,
}

impl Context {
    /// The shared part. The receiver is for [`run`](super::run::run).
    pub fn new(
        client: Client,
        unkey: unkey::Client,
        settings: &Settings,
        metrics: Metrics,
    ) -> (Arc<Self>, UnboundedReceiver<IdentityRef>) {
        let (wake, woken) = tokio::sync::mpsc::unbounded_channel();
        let pinned = PinnedClient::with(&settings.policy, &unkey);
        let workspace = Workspace::new(pinned.policy.credential.clone(), settings.accept_workspace_change);
        let clock = Clock::default();
        if settings.lead.holds() {
            clock.begin();
        }
        let dispatcher = Dispatcher::new(settings.bounds, settings.workers, wake.clone(), metrics.clone());
        let apis = settings.scope.apis(&client);
        let context = Self {
            definition: Definition::default(),
            coverage: Coverage::of(apis.iter().map(|api| api.namespace().map(str::to_owned))),
            apis,
            events: Events::new(client.clone()),
            client,
            unkey,
            index: Index::new(wake, settings.policy.window, workspace, clock.clone()),
            crd: if settings.scope.namespaces.is_empty() { Crd::Unseen } else { Crd::Unguarded },
            crd_memory: Mutex::default(),
            pause_detector: PauseDetector::new(clock.clone()),
            clock,
            walls: WallClocks(settings.server_time.clone()),
            lead: settings.lead.clone(),
            metrics,
            cleanups: PendingCleanups::default(),
            looks: Semaphore::new(LOOKS),
            dispatcher,
            pinned: RwLock::new(Arc::new(pinned)),
            thrived: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            jitter: RandomState::new(),
            rolls: AtomicU64::new(0),
        };
        (Arc::new(context), woken)
    }

    /// The fingerprint of the root key that is there right now; a change found here is followed at once.
    pub(in crate::controller) fn present_key(&self) -> Option<String> {
        self.unkey.credential_mark().ok()
    }

    /// An attempt without answer is over so long after it began.
    pub(in crate::controller) fn request_timeout(&self) -> Duration {
        self.unkey.request_timeout()
    }

    /// What is shared between reconciles.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// How things stand with the calls to Unkey, and how many wait in each lane.
    pub fn standing(&self) -> (unkey::LimiterSnapshot, [(&'static str, usize); 3]) {
        self.dispatcher.standing()
    }

    /// What metrics show that nobody counts.
    pub fn view(&self) -> Gauges {
        let (reasons, oldest_unsynced) = self.index.survey();
        let (calls, waiting) = self.standing();
        let Unwritten { refused, untold } = self.index.unwritten();
        let (leads, untold, watches) = (self.leads(), untold.len(), self.coverage.counts());
        let (dropped, unwitnessed) = (self.definition.dropped(), self.index.witness().of(true).shows_nothing());
        Gauges { reasons, oldest_unsynced, calls, waiting, unwitnessed, leads, watches, refused, untold, dropped }
    }

    /// The objects of all watches are known: for whoever shows them to the table by hand, without a watch.
    pub fn all_listed(&self) {
        self.coverage.all_listed();
    }

    /// The objects of a watch are known. What waited until all were is looked at again if that took a while: at the start everything is.
    pub(in crate::controller) fn listed(&self, watch: usize, later: bool) {
        if self.coverage.listed(watch) && later {
            tracing::info!("listed the Identities of every namespace");
            self.index.wake_all();
        }
    }

    /// Whether an object that owns nothing may come to own an identity.
    pub(in crate::controller) fn ownership_gate(&self) -> OwnershipGate {
        match self.definition.ownership_gate() {
            OwnershipGate::Open => self.coverage.ownership_gate(),
            closed => closed,
        }
    }

    /// The API server keeps all fields from now on: what was held back is looked at again, and what was not kept is written again.
    pub(in crate::controller) fn definition_changed(&self) {
        self.index.forget_unkept();
        self.index.wake_all();
    }

    /// What is wrong with the definition in the cluster.
    pub fn definition_gap(&self) -> Option<String> {
        self.definition.gap()
    }

    /// A sentence for each namespace that is not watched, with the reason.
    pub fn gaps(&self) -> Vec<String> {
        self.coverage.gaps()
    }

    /// A sentence on the objects of which Kubernetes refuses both status and events, if there are any (R25).
    pub fn untold(&self) -> Option<String> {
        let untold = self.index.unwritten().untold;
        untold.first().map(|(at, words)| {
            format!(
                "Kubernetes refuses the status of {} Identities and events about them; the first is {at}: {words}",
                untold.len()
            )
        })
    }

    /// Hands objects to the queue again that are behind and that nothing is planned for. There should be none; returns how many there were.
    pub fn rescue(&self) -> usize {
        if !self.leads() || self.is_draining() {
            return 0;
        }
        // This look may be the first thing that happens after a standstill: the beat is counted here.
        let awake = self.pause_detector.check();
        let rescued = self.index.rescue(self.clock.now(), awake, |uid| self.dispatcher.waits(uid));
        for Rescued { at, plan } in &rescued {
            self.metrics.rescued();
            tracing::error!(
                namespace = at.namespace.as_deref(),
                identity = at.name,
                ?plan,
                "an Identity is out of sync and no reconcile is planned for it; this is a bug of the operator; reconciling it now"
            );
        }
        rescued.len()
    }

    /// Resolves when nothing is left to clear up after objects that are gone.
    pub async fn cleared_up(&self) {
        self.cleanups.none_left().await;
    }

    /// From now on a reconcile only records what Unkey has already done.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.dispatcher.drain();
    }

    /// This process may act, right now.
    pub fn leads(&self) -> bool {
        self.lead.holds()
    }

    /// Whether this process may act, as it changes.
    pub(in crate::controller) fn lead(&self) -> &Leadership {
        &self.lead
    }

    pub(in crate::controller) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(in crate::controller) fn pinned(&self) -> Arc<PinnedClient> {
        Arc::clone(&self.pinned.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_pinned(&self, pinned: PinnedClient) {
        *self.pinned.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pinned);
    }

    /// A call has ended. Returns when one last succeeded.
    pub(in crate::controller) fn thrives(&self, failed: bool, now: Mono) -> Option<Mono> {
        if !failed {
            self.thrived.fetch_max(now.0 + 1, Ordering::Relaxed);
        }
        self.thrived.load(Ordering::Relaxed).checked_sub(1).map(Mono)
    }

    /// R13: what was failing when this process began is tried again over a while, by the rate that Unkey can bear.
    pub(in crate::controller) fn stagger_restart(&self) {
        let failing = u64::try_from(self.index.count_failing()).unwrap_or(u64::MAX);
        let pinned = self.pinned();
        let spread = failing.saturating_mul(1_000) / RESTART_RATE;
        let policy = Policy { stagger: spread.min(backoff::MAX_MS), ..Policy::clone(&pinned.policy) };
        self.set_pinned(PinnedClient { policy: Arc::new(policy), unkey: pinned.unkey.clone() });
    }

    /// How long an object waits after so many failures of Kubernetes requests in a row (R13).
    pub(in crate::controller) fn kube_backoff(&self, failures: u32) -> Duration {
        let ms = backoff::delay(&Cause::Unavailable, failures, 0, self.jitter()).unwrap_or(backoff::MAX_MS);
        Duration::from_millis(ms)
    }

    /// Uniform over all of `u16`. Jitter needs no better source than the hasher's random keys.
    pub(in crate::controller) fn jitter(&self) -> u16 {
        let roll = self.rolls.fetch_add(1, Ordering::Relaxed);
        u16::try_from(self.jitter.hash_one(roll) & 0xffff).unwrap_or(0)
    }

    /// Takes in a root key that has appeared, changed or gone, and has everything looked at again that waits for it.
    pub async fn follow_credentials(&self, mut changes: tokio::sync::watch::Receiver<u64>) {
        while changes.changed().await.is_ok() {
            let before = self.pinned();
            let after = PinnedClient::with(&before.policy, &self.unkey);
            if before.policy.credential == after.policy.credential {
                // There was no key and is none: why, is said anew.
                if let Err(why) = &after.unkey
                    && before.unkey.as_ref().err() != Some(why)
                {
                    let why = why.clone();
                    self.set_pinned(after);
                    self.index.missing_key_changes(&why);
                }
                continue;
            }
            if let Some(mark) = &after.policy.credential {
                tracing::info!(credential = %mark, "using another root key");
            } else {
                tracing::warn!("the root key is no longer usable");
            }
            // Forgotten before the new key is used, so that nothing read with the old one counts under it.
            self.index.credential_changes(after.policy.credential.clone(), self.clock.now());
            self.set_pinned(after);
            self.dispatcher.key_changed();
            self.index.credential_changed();
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
