//! S33: the future that performs a pass is dropped at every await. It is polled by hand, on the real parts but in this process, and dropped
//! after its k-th `Pending`, for all k until the workflow ends undisturbed; then the controller runs on the same memory. Whatever request was
//! not sent, was on its way or was answered unheard, the end is that of the undisturbed run.
//!
//! `DROPPED=create-7-underway` runs one case alone.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use kube::Api;
use kube::api::ListParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use unkey_emulator::{Fault, FaultKind, Operation};
use unkey_operator::api::{AdoptionPolicy, DeletionPolicy};
use unkey_operator::controller::{self, Context, Scope, Settings, Snapshot};
use unkey_operator::domain::{Mono, Policy};
use unkey_operator::telemetry::Metrics;
use unkey_operator::unkey::{Client, Credentials, Options};

use super::harness::{ROOT_KEY, World, condition, eventually};

const WINDOW: Duration = Duration::from_millis(400);
const ATTEMPT: Duration = Duration::from_millis(1_200);
/// A request that is under way when its future is dropped commits that much later: within its attempt.
const LATE: u64 = 300;
/// Longer than the doubts that a drop can leave.
const QUIET: Duration = Duration::from_secs(2);
/// No workflow has as many awaits.
const FARTHEST: usize = 200;
/// Cases at a time.
const AT_ONCE: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Workflow {
    Create,
    Update,
    Delete,
    Adopt,
    Recreate,
    Replaced,
    AdoptionFlip,
    DeletionFlip,
    TwoObjects,
    /// Edited again, or deleted, at the very moment of the drop.
    CreateEdit,
    CreateDelete,
    UpdateEdit,
    UpdateDelete,
}

/// What becomes of the request that the dropped future waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is dropped at once: what it had not yet handed to the network is never sent.
    Unsent,
    /// Unkey has it and commits it later.
    Underway,
    /// Its answer is here, and nobody takes it.
    Answered,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    at: usize,
    fate: Fate,
}

/// What an end is compared by.
#[derive(Clone, Debug, PartialEq)]
struct End {
    creates: usize,
    updates: usize,
    deletes: usize,
    live: Vec<(String, Value)>,
    origins: Vec<Value>,
}

impl Workflow {
    /// The user's actions: what to do, and the reasons that all objects then come to show.
    fn acts(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Create | Self::Adopt => &[&["Synced"]],
            Self::Update | Self::Recreate | Self::Replaced | Self::CreateEdit => &[&["Synced"], &["Synced"]],
            Self::Delete | Self::CreateDelete => &[&["Synced"], &[]],
            Self::AdoptionFlip => &[&["AlreadyExists"], &["Synced"]],
            Self::DeletionFlip | Self::UpdateDelete => &[&["Synced"], &["Synced"], &[]],
            Self::TwoObjects => &[&["ExternalIdConflict", "Synced"], &["Synced"]],
            Self::UpdateEdit => &[&["Synced"], &["Synced"], &["Synced"]],
        }
    }

    /// The first act that is part of the workflow; those before only prepare it.
    fn begins(self) -> usize {
        let from_nothing = [Self::Create, Self::Adopt, Self::TwoObjects, Self::CreateEdit, Self::CreateDelete];
        usize::from(!from_nothing.contains(&self))
    }

    /// Whether the user's next action comes with the drop, and not when all is well again.
    fn hurries(self) -> bool {
        matches!(self, Self::CreateEdit | Self::CreateDelete | Self::UpdateEdit | Self::UpdateDelete)
    }

    async fn act(self, number: usize, world: &World) {
        let limits = |limit| json!([{"name": "requests", "limit": limit, "duration": 1000}]);
        let spec = json!({"externalId": "user", "meta": {"n": 1}, "ratelimits": limits(10)});
        match (self, number) {
            (Self::Adopt, 0) => {
                world.seed("user", &json!({"meta": {"n": 1}}));
                world.create("one", &spec).await;
            }
            (Self::AdoptionFlip, 0) => {
                world.seed("user", &json!({"meta": {"theirs": true}}));
                world.create("one", &json!({"externalId": "user", "meta": {"n": 1}, "adoptionPolicy": "Never"})).await;
            }
            (Self::TwoObjects, 0) => {
                world.create("one", &spec).await;
                // The older one owns (R8), in every run.
                world.next_second().await;
                world.create("two", &json!({"externalId": "user", "meta": {"n": 2}})).await;
            }
            (_, 0) => drop(world.create("one", &spec).await),
            (Self::CreateEdit, _) | (Self::UpdateEdit, 2) => drop(world.edit("one", &json!({"meta": {"n": 3}})).await),
            (Self::Update, _) | (Self::UpdateEdit | Self::UpdateDelete, 1) => {
                world.edit("one", &json!({"meta": {"n": 2}, "ratelimits": limits(20)})).await;
            }
            (Self::Recreate | Self::Replaced, _) => {
                assert!(world.workspace.delete("user"));
                if self == Self::Replaced {
                    world.seed("user", &json!({"meta": {"n": 1}}));
                }
                world.ask_for_check("one", "look").await;
            }
            (Self::AdoptionFlip, _) => drop(world.edit("one", &json!({"adoptionPolicy": "Always"})).await),
            (Self::DeletionFlip, 1) => drop(world.edit("one", &json!({"deletionPolicy": "Orphan"})).await),
            (Self::TwoObjects, _) => {
                let all = world.list().await;
                let owner = all.iter().find(|object| condition(object, "Ready")["status"] == "True").unwrap();
                world.delete(owner["metadata"]["name"].as_str().unwrap()).await;
            }
            _ => world.delete("one").await,
        }
    }
}

/// One process's memory and its world.
struct Life {
    world: World,
    settings: Settings,
    context: Arc<Context>,
    woken: Option<UnboundedReceiver<ObjectRef<Snapshot>>>,
    running: Option<JoinHandle<()>>,
    /// Objects that were shown to the memory.
    shown: BTreeMap<String, Snapshot>,
    /// How often a pass of the workflow has returned `Pending`.
    pending: usize,
}

impl Drop for Life {
    fn drop(&mut self) {
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
    async fn new(name: &str) -> Self {
        let world = World::new(name).await;
        let policy = Policy {
            adoption: AdoptionPolicy::IfLossless,
            deletion: DeletionPolicy::Delete,
            window: controller::millis(WINDOW),
            attempt: controller::millis(ATTEMPT),
            credential: None,
            spread: 0,
        };
        let scope = Scope { namespaces: vec![world.namespace.clone()], selector: None };
        let settings = Settings { scope, workers: 4, policy, accept_workspace_change: false, resync: Duration::ZERO };
        let options = Options { base_url: world.emulator.base_url(), request_timeout: ATTEMPT, ..Options::default() };
        let unkey = Client::new(&options, Credentials::from_value(&SecretString::from(ROOT_KEY)).unwrap()).unwrap();
        let (context, woken) = Context::new(world.client.clone(), unkey, &settings, Metrics::default());
        Self { world, settings, context, woken: Some(woken), running: None, shown: BTreeMap::new(), pending: 0 }
    }

    /// Shows the memory what is there, as the watch would.
    async fn look(&mut self) -> Vec<Snapshot> {
        let api: Api<Snapshot> = Api::namespaced(self.world.client.clone(), &self.world.namespace);
        let all = api.list(&ListParams::default()).await.unwrap().items;
        let now: BTreeMap<String, Snapshot> =
            all.iter().map(|object| (object.metadata.uid.clone().unwrap(), object.clone())).collect();
        for (_, gone) in self.shown.iter().filter(|(uid, _)| !now.contains_key(*uid)) {
            self.context.table().remove(gone, Mono::ZERO);
        }
        for object in &all {
            self.context.table().upsert(object);
        }
        self.shown = now;
        all
    }

    /// Passes by hand until nothing is left to do; or until the cut, then the controller takes over.
    async fn drive(&mut self, cut: Option<Cut>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let before = self.pending;
            let mut waits = false;
            for object in self.look().await {
                let Some(action) = self.pass(object, cut).await else {
                    self.look().await;
                    return self.run();
                };
                waits |= action != Action::await_change();
            }
            if !waits && self.pending == before {
                return;
            }
        }
    }

    /// One pass. `None`: it was dropped.
    async fn pass(&mut self, object: Snapshot, cut: Option<Cut>) -> Option<Action> {
        let woken = Arc::new(Woken(Notify::new()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut pass = pin!(controller::visit(Arc::new(object), Arc::clone(&self.context)));
        loop {
            let before = self.world.workspace.counts().total;
            if let Poll::Ready(action) = pass.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
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
            controller::run(context, woken, &settings, || {}, futures::future::pending()).await.unwrap();
        }));
    }

    /// Waits until all objects show these reasons for their generation and poke.
    async fn until_shown(&self, reasons: &[&str]) {
        eventually(&format!("all objects to show {reasons:?}"), async || {
            let all = self.world.list().await;
            let mut shown: Vec<&str> = all.iter().filter_map(reason).collect();
            shown.sort_unstable();
            (all.len() == shown.len() && shown == reasons).then_some(())
        })
        .await;
    }

    /// Returns when nothing was asked and nothing was written for a while, and fails if that never comes.
    async fn until_quiet(&self) {
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

    async fn end(&self) -> End {
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

/// The reason an object shows; `None` while it says nothing of its generation or poke, or is being deleted.
fn reason(object: &Value) -> Option<&str> {
    let (meta, status) = (&object["metadata"], &object["status"]);
    let poke = meta.pointer("/annotations/unkey.com~1reconcile-requested-at");
    let current = status["observedGeneration"] == meta["generation"]
        && status["uid"] == meta["uid"]
        && poke.is_none_or(|poke| status["lastHandledReconcileAt"] == *poke)
        && meta.get("deletionTimestamp").is_none();
    let ready = status["conditions"].as_array()?.iter().find(|it| it["type"] == "Ready")?;
    ready["reason"].as_str().filter(|_| current)
}

/// Runs the workflow, cut or not. How it ended, and whether it came to the cut.
async fn run(workflow: Workflow, cut: Option<Cut>, name: &str) -> (End, bool) {
    let mut life = Life::new(name).await;
    for (number, reasons) in workflow.acts().iter().enumerate() {
        let part = number >= workflow.begins();
        if part && cut.is_some_and(|cut| cut.fate == Fate::Underway) && life.running.is_none() {
            life.world.workspace.order(Fault::new(FaultKind::Delay { ms: LATE }));
        }
        workflow.act(number, &life.world).await;
        if life.running.is_none() {
            life.drive(cut.filter(|_| part)).await;
            if life.running.is_some() {
                life.world.workspace.clear_faults();
                if workflow.hurries() && number + 1 < workflow.acts().len() {
                    continue;
                }
            }
        }
        if !part {
            life.pending = 0;
        }
        life.until_shown(reasons).await;
    }
    life.world.workspace.clear_faults();
    let reached = life.running.is_some();
    if reached {
        life.until_quiet().await;
    } else {
        let before = life.pending;
        life.drive(None).await;
        assert_eq!(life.pending, before, "the undisturbed run ends quiet");
    }
    life.until_shown(workflow.acts().last().unwrap()).await;
    if workflow != Workflow::DeletionFlip {
        life.world.assert_in_step().await;
    }
    (life.end().await, reached)
}

async fn case(workflow: Workflow, cut: Cut, name: &str, wanted: &End) -> bool {
    let (end, reached) = run(workflow, Some(cut), name).await;
    if reached {
        assert!(end.updates <= wanted.updates + 1, "{name}: {} updates", end.updates);
        let end = End { updates: wanted.updates, ..end };
        if workflow.hurries() && end.creates < wanted.creates {
            // Gone before it was made.
            assert_eq!(End { creates: end.creates + 1, deletes: end.deletes + 1, ..end }, *wanted, "{name}");
        } else {
            assert_eq!(end, *wanted, "{name}");
        }
    }
    reached
}

#[allow(clippy::disallowed_methods)] // which case to repeat is no setting of the operator
fn only() -> Option<String> {
    std::env::var("DROPPED").ok()
}

async fn at_every_await(workflow: Workflow, word: &str) {
    let (wanted, _) = run(workflow, None, &format!("dropped-{word}")).await;
    let fates = [(Fate::Unsent, "unsent"), (Fate::Underway, "underway"), (Fate::Answered, "answered")];
    let mut failed = Vec::new();
    let mut ran = 0;
    for (fate, told) in fates {
        let wanted = &wanted;
        let cases = futures::stream::iter(1..).map(|at| async move {
            let name = format!("{word}-{at}-{told}");
            if only().is_some_and(|only| only != name) {
                return (name, Ok((at < FARTHEST).then_some(0)));
            }
            let case = AssertUnwindSafe(case(workflow, Cut { at, fate }, &name, wanted)).catch_unwind().await;
            let reached = case.map(|reached| reached.then_some(1)).map_err(|_| ());
            (name, reached)
        });
        let mut cases = pin!(cases.buffered(AT_ONCE));
        while let Some((name, end)) = cases.next().await {
            match end {
                Ok(Some(cases)) => ran += cases,
                Ok(None) => break,
                Err(()) => failed.push(name),
            }
        }
    }
    println!("{word}: {} cases, {} failed", ran + failed.len(), failed.len());
    assert!(failed.is_empty(), "repeat each with DROPPED=NAME: {failed:?}");
}

#[tokio::test]
async fn dropped_in_a_create() {
    at_every_await(Workflow::Create, "create").await;
}

#[tokio::test]
async fn dropped_in_an_update() {
    at_every_await(Workflow::Update, "update").await;
}

#[tokio::test]
async fn dropped_in_a_delete() {
    at_every_await(Workflow::Delete, "delete").await;
}

#[tokio::test]
async fn dropped_in_an_adoption() {
    at_every_await(Workflow::Adopt, "adopt").await;
}

#[tokio::test]
async fn dropped_when_the_identity_has_vanished() {
    at_every_await(Workflow::Recreate, "recreate").await;
}

#[tokio::test]
async fn dropped_when_the_identity_was_replaced() {
    at_every_await(Workflow::Replaced, "replaced").await;
}

#[tokio::test]
async fn dropped_in_a_flip_of_the_adoption_policy() {
    at_every_await(Workflow::AdoptionFlip, "adoption-flip").await;
}

#[tokio::test]
async fn dropped_in_a_flip_of_the_deletion_policy() {
    at_every_await(Workflow::DeletionFlip, "deletion-flip").await;
}

#[tokio::test]
async fn dropped_between_two_objects_of_one_external_id() {
    at_every_await(Workflow::TwoObjects, "two-objects").await;
}

#[tokio::test]
async fn dropped_in_a_create_and_edited() {
    at_every_await(Workflow::CreateEdit, "create-edit").await;
}

#[tokio::test]
async fn dropped_in_a_create_and_deleted() {
    at_every_await(Workflow::CreateDelete, "create-delete").await;
}

#[tokio::test]
async fn dropped_in_an_update_and_edited() {
    at_every_await(Workflow::UpdateEdit, "update-edit").await;
}

#[tokio::test]
async fn dropped_in_an_update_and_deleted() {
    at_every_await(Workflow::UpdateDelete, "update-delete").await;
}
