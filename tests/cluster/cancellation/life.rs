//! One process's memory in its world, driven by hand reconcile by reconcile, and by the controller after the cut. May not know the workflows.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use kube::Api;
use kube::api::ListParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unkey_emulator::Operation;
use unkey_operator::apiserver::ServerTime;
use unkey_operator::controller::{self, Context, RawIdentity, Scope, Settings};
use unkey_operator::domain::{DeletionLimits, Mono, Policy};
use unkey_operator::leader::Leadership;
use unkey_operator::telemetry::Metrics;
use unkey_operator::unkey::{Bounds, Client, Credentials, Options};

use crate::harness::{ROOT_KEY, World, eventually};

const WINDOW: Duration = Duration::from_millis(400);
const ATTEMPT: Duration = Duration::from_millis(1_200);
/// A request that is under way when its future is dropped commits that much later: within its attempt.
pub const LATE: u64 = 300;
/// Longer than the doubts that a drop can leave.
const QUIET: Duration = Duration::from_secs(2);
/// What becomes of the request that the dropped future waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// It is dropped at once: what it had not yet handed to the network is never sent.
    Unsent,
    /// Unkey has it and commits it later.
    Underway,
    /// Its answer is here, and nobody takes it.
    Answered,
}

#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub at: usize,
    pub fate: Fate,
}

/// What an end is compared by.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub creates: usize,
    pub updates: usize,
    pub deletes: usize,
    pub live: Vec<(String, Value)>,
    pub origins: Vec<Value>,
}

/// One process's memory and its world.
pub struct Life {
    pub world: World,
    settings: Settings,
    context: Arc<Context>,
    woken: Option<UnboundedReceiver<ObjectRef<RawIdentity>>>,
    pub running: Option<JoinHandle<()>>,
    /// Looks for a witness of what is absent (R19), as long as reconciles are driven by hand.
    witness: JoinHandle<()>,
    /// Objects that were shown to the memory.
    shown: BTreeMap<String, RawIdentity>,
    /// How often a reconcile of the workflow has returned `Pending`.
    pub pending: usize,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.witness.abort();
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// Tells that a future wants to be polled again.
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Life {
    pub async fn new(name: &str) -> Self {
        let world = World::new(name).await;
        let policy = Policy { window: WINDOW, attempt: ATTEMPT, ..Policy::default() };
        let scope = Scope { namespaces: vec![world.namespace.clone()], selector: None };
        let settings = Settings {
            scope,
            workers: 4,
            policy,
            accept_workspace_change: false,
            lead: Leadership::unrivalled(),
            stop: CancellationToken::new(),
            scan_every: Duration::ZERO,
            server_time: ServerTime::default(),
            deletions: DeletionLimits::NONE,
            approved_namespaces: Vec::new(),
            bounds: Bounds::default(),
        };
        let options = Options { base_url: world.emulator.base_url(), request_timeout: ATTEMPT, ..Options::default() };
        let unkey = Client::new(&options, Credentials::from_value(&SecretString::from(ROOT_KEY)).unwrap()).unwrap();
        let (context, woken) = Context::new(world.client.clone(), unkey, &settings, Metrics::default());
        // What is there is shown by hand.
        context.all_listed();
        let witness = tokio::spawn(controller::look_for_witnesses(Arc::clone(&context)));
        let (woken, shown) = (Some(woken), BTreeMap::new());
        Self { world, settings, context, woken, running: None, witness, shown, pending: 0 }
    }

    /// Shows the memory what is there, as the watch would.
    async fn look(&mut self) -> Vec<RawIdentity> {
        let api: Api<RawIdentity> = Api::namespaced(self.world.client.clone(), &self.world.namespace);
        let all = api.list(&ListParams::default()).await.unwrap().items;
        let now: BTreeMap<String, RawIdentity> =
            all.iter().map(|object| (object.uid().to_string(), object.clone())).collect();
        for (_, gone) in self.shown.iter().filter(|(uid, _)| !now.contains_key(*uid)) {
            self.context.index().remove(gone, Mono::ZERO);
        }
        for object in &all {
            self.context.index().upsert(object);
        }
        self.shown = now;
        all
    }

    /// Passes by hand until nothing is left to do; or until the cut, then the controller takes over.
    pub async fn drive(&mut self, cut: Option<Cut>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let before = self.pending;
            let mut waits = false;
            for object in self.look().await {
                let Some(action) = self.reconcile(object, cut).await else {
                    self.look().await;
                    return self.run();
                };
                waits |= action != Action::await_change();
            }
            waits |= self.context.index().awaits_witness().is_some();
            if !waits && self.pending == before {
                return;
            }
        }
    }

    /// One reconcile. `None`: it was dropped.
    async fn reconcile(&mut self, object: RawIdentity, cut: Option<Cut>) -> Option<Action> {
        let woken = Arc::new(Woken(Notify::new()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut reconcile = pin!(controller::reconcile_once(Arc::new(object), Arc::clone(&self.context)));
        loop {
            let before = self.world.workspace.counts().total;
            if let Poll::Ready(action) = reconcile.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
                return Some(action);
            }
            self.pending += 1;
            let Some(Cut { fate, .. }) = cut.filter(|cut| cut.at == self.pending) else {
                woken.0.notified().await;
                continue;
            };
            match fate {
                Fate::Unsent => {}
                Fate::Answered => woken.0.notified().await,
                Fate::Underway => tokio::select! {
                    () = woken.0.notified() => {}
                    () = self.world.workspace.wait_until(|it| it.counts().total > before) => {}
                },
            }
            return None;
        }
    }

    /// The controller, on the memory as it is.
    fn run(&mut self) {
        let (context, settings, woken) = (Arc::clone(&self.context), self.settings.clone(), self.woken.take().unwrap());
        self.running = Some(tokio::spawn(async move {
            controller::run(context, woken, &settings, || {}).await.unwrap();
        }));
    }

    /// Waits until all objects show these reasons for their generation and reconcile request.
    pub async fn until_shown(&self, reasons: &[&str]) {
        eventually(&format!("all objects to show {reasons:?}"), async || {
            let all = self.world.list().await;
            let mut shown: Vec<&str> = all.iter().filter_map(reason).collect();
            shown.sort_unstable();
            (all.len() == shown.len() && shown == reasons).then_some(())
        })
        .await;
    }

    /// Returns when nothing was asked and nothing was written for a while, and fails if that never comes.
    pub async fn until_quiet(&self) {
        let calm = async || {
            let before = (self.world.workspace.counts().total, self.versions().await);
            let more = self.world.workspace.wait_until(|it| it.counts().total > before.0);
            let silent = tokio::time::timeout(QUIET, more).await.is_err();
            (silent && self.versions().await == before.1).then_some(())
        };
        eventually("quiet", calm).await;
    }

    async fn versions(&self) -> Vec<Value> {
        self.world.list().await.iter().map(|object| object["metadata"]["resourceVersion"].clone()).collect()
    }

    pub async fn end(&self) -> End {
        let mut live: Vec<(String, Value)> = self
            .world
            .workspace
            .snapshot()
            .live
            .into_iter()
            .map(|live| {
                let limits: Vec<_> = live.ratelimits.iter().map(|it| (&it.name, it.limit, it.duration)).collect();
                (live.external_id, json!([live.meta, limits]))
            })
            .collect();
        live.sort_by(|a, b| a.0.cmp(&b.0));
        let accepted = |operation| self.world.accepted(operation, "user");
        End {
            creates: accepted(Operation::Create),
            updates: accepted(Operation::Update),
            deletes: accepted(Operation::Delete),
            live,
            origins: self.world.list().await.iter().map(|object| object["status"]["origin"].clone()).collect(),
        }
    }
}

/// The reason an object shows; `None` while it says nothing of its generation or reconcile request, or is being deleted.
fn reason(object: &Value) -> Option<&str> {
    let (meta, status) = (&object["metadata"], &object["status"]);
    let request_reconcile = meta.pointer("/annotations/unkey.com~1reconcile-requested-at");
    let current = status["observedGeneration"] == meta["generation"]
        && status["uid"] == meta["uid"]
        && request_reconcile.is_none_or(|request_reconcile| status["lastHandledReconcileAt"] == *request_reconcile)
        && meta.get("deletionTimestamp").is_none();
    let ready = status["conditions"].as_array()?.iter().find(|it| it["type"] == "Ready")?;
    ready["reason"].as_str().filter(|_| current)
}
