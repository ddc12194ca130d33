//! What every reconcile of an `Identity` shares, and how the controller is set up. It runs nothing.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wildmatch::WildMatch;

use super::approvals::Approvals;
use super::definition::Definition;
use super::index::{IdentityRef, Index, Rescued, Unwritten};
use super::raw::RawIdentity;
use crate::apiserver::ServerTime;
use crate::controller::runtime::Runtime;
use crate::controller::runtime::clock::WallClocks;
use crate::controller::runtime::dispatcher::Dispatcher;
use crate::controller::runtime::events::Events;
use crate::controller::runtime::scope::Scope;
use crate::controller::workspace::{KeyChange, Workspace};
use crate::domain::{self, Crd, CrdMemory, DeletionLimits, Deletions, OwnershipGate, Policy, backoff};
use crate::leader::Leadership;
use crate::telemetry::{Gauges, Metrics};
use crate::unkey;

/// How many objects a second are tried again after a restart that were failing before.
const RESTART_RATE: u32 = 50;

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
    /// Hold and brake of deletions.
    pub deletions: DeletionLimits,
    /// Namespaces whose deletions neither waits for, as patterns.
    pub approved_namespaces: Vec<WildMatch>,
    /// From one scan of the workspace to the next; zero: none.
    pub scan_every: Duration,
    /// R15: ids recorded under another key need no proof that they are of this workspace.
    pub accept_workspace_change: bool,
    /// Whether this process may act.
    pub lead: Leadership,
    /// Cancelled when the process is to end.
    pub stop: CancellationToken,
    /// What time it is at the API server.
    pub server_time: ServerTime,
}

/// What every reconcile shares.
pub struct Context {
    pub(in crate::controller) runtime: Arc<Runtime<RawIdentity>>,
    pub(in crate::controller) workspace: Workspace,
    pub(in crate::controller) index: Index,
    /// Whether the API server keeps all that is written.
    pub(in crate::controller) definition: Definition,
    /// What a reconcile knows of our CustomResourceDefinition before it looks.
    pub(in crate::controller) crd: Crd,
    /// What looks have shown of it so far.
    pub(in crate::controller) crd_memory: Mutex<CrdMemory>,
    pub(in crate::controller) approvals: Approvals,
    pub(in crate::controller) events: Events,
    /// What clears up after objects that are gone. The end of the process waits for it.
    pub(in crate::controller) cleanups: TaskTracker,
    /// Looks at a time whether an object that went is gone.
    pub(in crate::controller) looks: Semaphore,
}

impl Context {
    /// The shared part. The receiver is for [`run`](super::run::run).
    pub fn new(
        client: Client,
        unkey: unkey::Client,
        settings: &Settings,
        metrics: Metrics,
    ) -> (Arc<Self>, UnboundedReceiver<IdentityRef>) {
        let dispatcher = Dispatcher::new(settings.bounds, settings.workers, settings.stop.clone(), metrics.clone());
        let events = Events::new(client.clone());
        let (runtime, woken) = Runtime::new(client, &settings.scope, settings.lead.clone(), dispatcher, metrics);
        let workspace = Workspace::new(unkey, &settings.policy);
        let credential = workspace.pinned().policy.credential.clone();
        let guard = domain::Workspace::new(credential, settings.accept_workspace_change);
        let context = Self {
            index: Index::new(
                runtime.wake(),
                &settings.policy,
                (guard, Deletions::new(settings.deletions)),
                runtime.clock.clone(),
            ),
            definition: Definition::default(),
            events,
            crd: if settings.scope.namespaces.is_empty() { Crd::Unseen } else { Crd::Unguarded },
            crd_memory: Mutex::default(),
            approvals: Approvals {
                walls: WallClocks(settings.server_time.clone()),
                namespaces: settings.approved_namespaces.clone(),
            },
            cleanups: TaskTracker::new(),
            looks: Semaphore::new(LOOKS),
            runtime,
            workspace,
        };
        (Arc::new(context), woken)
    }

    /// What is shared between reconciles.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// How things stand with the calls to Unkey, and how many wait in each lane.
    pub fn standing(&self) -> (unkey::LimiterSnapshot, [(&'static str, usize); 3]) {
        self.runtime.dispatcher.standing()
    }

    /// What metrics show that nobody counts.
    pub fn view(&self) -> Gauges {
        let (reasons, oldest_unsynced) = self.index.survey();
        let (calls, waiting) = self.standing();
        let Unwritten { refused, untold } = self.index.unwritten();
        let (leads, untold, watches) = (self.leads(), untold.len(), self.runtime.coverage.counts());
        let deletions = self.index.survey_deletions(self.approvals.walls.latest());
        let (dropped, unwitnessed) = (self.definition.dropped(), self.index.witness().of(true).shows_nothing());
        Gauges {
            reasons,
            oldest_unsynced,
            calls,
            waiting,
            unwitnessed,
            leads,
            watches,
            refused,
            untold,
            dropped,
            deletions,
        }
    }

    /// The objects of all watches are known: for whoever shows them to the index by hand, without a watch.
    pub fn all_listed(&self) {
        self.runtime.coverage.all_listed();
    }

    /// Some object may be written to in Unkey: not all are only observed.
    pub(in crate::controller) fn may_write(&self) -> bool {
        !self.workspace.pinned().policy.observe && self.index.enforces()
    }

    /// Whether an object that owns nothing may come to own an identity.
    pub(in crate::controller) fn ownership_gate(&self) -> OwnershipGate {
        match self.definition.ownership_gate() {
            // Only who knows every object can tell who owns what (R8).
            OwnershipGate::Open if !self.runtime.coverage.has_all() => OwnershipGate::Unseen,
            OwnershipGate::Open => self.index.listing_gate(),
            gate => gate,
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
        self.runtime.coverage.gaps()
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
        if !self.leads() || self.runtime.is_draining() {
            return 0;
        }
        // This look may be the first thing that happens after a standstill: the beat is counted here.
        let awake = self.runtime.pause_detector.check();
        let rescued = self.index.rescue(self.runtime.clock.now(), awake, |uid| self.runtime.dispatcher.waits(uid));
        for Rescued { at, plan } in &rescued {
            self.runtime.metrics.rescued();
            tracing::error!(
                namespace = at.namespace.as_deref(),
                identity = at.name,
                ?plan,
                "an Identity is out of sync and no reconcile is planned for it; this is a bug of the operator; reconciling it now"
            );
        }
        rescued.len()
    }

    /// This process may act, right now.
    pub fn leads(&self) -> bool {
        self.runtime.leads()
    }

    /// R13: what was failing when this process began is tried again over a while, by the rate that Unkey can bear.
    pub(in crate::controller) fn stagger_restart(&self) {
        let failing = u64::try_from(self.index.count_failing()).unwrap_or(u64::MAX);
        let stagger = Duration::from_secs(failing) / RESTART_RATE;
        self.workspace.stagger(stagger.min(backoff::MAX));
    }

    /// Takes in a root key that has appeared, changed or gone, and has everything looked at again that waits for it.
    pub async fn follow_credentials(&self, mut changes: tokio::sync::watch::Receiver<u64>) {
        while changes.changed().await.is_ok() {
            match self.workspace.look_at_key() {
                KeyChange::None => {}
                KeyChange::StillMissing(why) => self.index.missing_key_changes(&why),
                KeyChange::Another(key) => {
                    let mark = key.policy.credential.clone();
                    if let Err(why) = &key.unkey {
                        tracing::warn!(error = %why, "no usable root key any more; put a valid one in place");
                    } else if let Some(mark) = &mark {
                        tracing::info!(credential = %mark, "using another root key");
                    }
                    // Forgotten before the new key is used, so that nothing read with the old one counts under it.
                    self.index.credential_changes(mark, self.runtime.clock.now());
                    self.workspace.pin(key);
                    self.runtime.dispatcher.key_changed();
                    self.index.credential_changed();
                }
            }
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
