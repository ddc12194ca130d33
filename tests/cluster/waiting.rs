//! R24: while work waits, the status says so within 15 s, at the price of one write, and delays nothing.

use cutting_proxy::{Fault as KubeFault, FaultKind as KubeKind};
use futures::future::join_all;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::gitops::{Kstatus, kstatus};
use super::harness::{Operator, World, condition, eventually};

/// Within so many seconds.
const SOON: i64 = 15;

fn spec(name: &str) -> Value {
    json!({"externalId": name, "meta": {"n": 1}})
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

fn time(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().as_second()
}

impl World {
    async fn create_all(&self, names: &[String]) {
        join_all(names.iter().map(async |name| drop(self.create(name, &spec(name)).await))).await;
        join_all(names.iter().map(async |name| drop(self.ready(name).await))).await;
    }

    /// Waits until the status of each says that it is not ready; what it then says.
    async fn all_say_so(&self, names: &[String]) -> Vec<Value> {
        let what = format!("{} to say that they wait", names.len());
        eventually(&what, async || {
            let all = self.list().await;
            let is_one = |object: &&Value| names.iter().any(|name| object["metadata"]["name"] == *name);
            let objects: Vec<Value> = all.iter().filter(is_one).cloned().collect();
            let says = |object: &Value| condition(object, "Ready")["status"] == "False" && speaks_of_now(object);
            (objects.len() == names.len() && objects.iter().all(says)).then_some(objects)
        })
        .await
    }

    async fn all_gone(&self, names: &[String]) {
        eventually("all to be gone", async || {
            let all = self.list().await;
            let is_one = |object: &Value| names.iter().any(|name| object["metadata"]["name"] == *name);
            (!all.iter().any(is_one)).then_some(())
        })
        .await;
    }
}

fn speaks_of_now(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// Every request to Unkey is swallowed from now on.
fn silence(world: &World) -> u64 {
    world.workspace.order(Fault::new(FaultKind::Hold))
}

/// What is deleted says so in time, each with one write.
fn deletions_are_told(world: &World, objects: &[Value]) {
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        let ready = condition(object, "Ready");
        let asked = time(&object["metadata"]["deletionTimestamp"]);
        let late = time(&ready["lastTransitionTime"]) - asked;
        assert!(late <= SOON, "{name} says so after {late} s");
        assert!(["Progressing", "DeletionBlocked"].iter().any(|reason| ready["reason"] == *reason), "{ready}");
        assert_eq!(kstatus(object), Kstatus::Terminating);
        assert!(object["status"]["identityId"].is_string(), "{name} keeps its id");
        // That of its creation, and this one.
        assert_eq!(world.cost(name).status, 2, "{name}");
    }
}

#[tokio::test]
async fn while_unkey_swallows_every_request() {
    // The timeouts of an installation: whoever is in the middle of a call waits for half a minute.
    let world = World::new("waiting-silence").await.with_args(&["--request-timeout", "30s"]);
    let _operator = world.start().await;
    let (deleted, edited, same) = (names("deleted", 150), names("edited", 20), names("same", 5));
    for part in [deleted.clone(), edited.clone(), same.clone()].concat().chunks(50) {
        world.create_all(part).await;
    }
    let silence = silence(&world);
    join_all(deleted.iter().map(async |name| world.delete(name).await)).await;
    let before = Timestamp::now().as_second();
    join_all(edited.iter().map(async |name| drop(world.edit(name, &json!({"meta": {"n": 2}})).await))).await;
    // No call follows from this edit, and what has no status of ours reads as in progress already.
    join_all(same.iter().map(async |name| drop(world.edit(name, &json!({"deletionPolicy": "Orphan"})).await))).await;
    let fresh = names("fresh", 5);
    join_all(fresh.iter().map(async |name| drop(world.create(name, &spec(name)).await))).await;

    deletions_are_told(&world, &world.all_say_so(&deleted).await);
    for object in world.all_say_so(&edited).await {
        let ready = condition(&object, "Ready");
        assert!(time(&ready["lastTransitionTime"]) - before <= SOON, "{object}");
        assert_eq!(kstatus(&object), Kstatus::InProgress, "{object}");
        assert!(object["status"]["identityId"].is_string() && object["status"]["applied"]["meta"].is_string());
    }
    for name in &same {
        let object = world.ready(name).await;
        assert_eq!((world.cost(name).status, kstatus(&object)), (2, Kstatus::Current), "{name}: never marked");
    }
    for name in &fresh {
        let object = world.get(name).await.unwrap();
        assert_eq!((world.cost(name).status, kstatus(&object)), (0, Kstatus::InProgress), "{name}");
    }

    // Unkey is back: what it holds is answered.
    assert!(world.workspace.release(silence));
    world.workspace.clear_faults();
    for part in deleted.chunks(50) {
        world.all_gone(part).await;
    }
    for name in edited.iter().chain(&fresh) {
        world.ready(name).await;
    }
    for name in &edited {
        assert_eq!(world.upstream(name)["meta"], json!({"n": 2}), "{name}");
    }
    assert!(deleted.iter().all(|name| world.workspace.live(name).is_none()));
}

/// Hundreds that wait for the rate in one namespace: each says so once, and an edit in another namespace is as fast as ever meanwhile.
#[tokio::test]
async fn those_that_wait_delay_no_other_work() {
    let many = World::new("waiting-many").await;
    let few = many.beside("waiting-few").await;
    let both = ["--namespace", &many.namespace.clone(), "--namespace", &few.namespace];
    let fast = many.with_args(&both).with_args(&["--max-requests-per-second", "0"]);
    let operator = fast.start().await;
    let waiting = names("many", 500);
    for part in waiting.chunks(50) {
        fast.create_all(part).await;
    }
    few.create_all(&["few".to_owned()]).await;
    assert!(operator.terminate().await.success());
    let many = fast.with_args(&["--max-requests-per-second", "2"]);
    let _operator = many.start().await;
    join_all(waiting.iter().map(async |name| drop(many.edit(name, &json!({"meta": {"n": 2}})).await))).await;
    let marked = async || {
        let all = many.list().await;
        all.iter().filter(|it| condition(it, "Ready")["reason"] == "Progressing").count()
    };
    for round in 2..6 {
        // While they are being told, and after.
        eventually("some to say so", async || (marked().await > 0).then_some(())).await;
        let before = many.workspace.requests().last().map_or(0, |entry| entry.number);
        few.edit("few", &json!({"meta": {"n": round}})).await;
        few.ready("few").await;
        let update = many.requests_on(Operation::Update, "few").last().unwrap().number;
        assert!(update - before <= 15, "{} calls came before it", update - before);
    }
    eventually("all to be told of", async || many.list().await.iter().all(speaks_of_now).then_some(())).await;
    for name in &waiting {
        let cost = many.cost(name);
        // Created, told to wait at most once, and told to be ready if its turn has come.
        assert!(cost.status <= 2 + cost.updates, "{name}: {cost:?}");
    }
}

/// A status that says that work waits is no obstacle to that work after a restart.
#[tokio::test]
async fn a_restart_goes_on_with_the_work() {
    let world = World::new("waiting-restart").await.with_args(&["--request-timeout", "30s"]);
    let operator = world.start().await;
    let (deleted, edited, reverted) = (names("deleted", 10), names("edited", 10), names("reverted", 10));
    world.create_all(&[deleted.clone(), edited.clone(), reverted.clone()].concat()).await;
    silence(&world);
    join_all(deleted.iter().map(async |name| world.delete(name).await)).await;
    let changed = [edited.clone(), reverted.clone()].concat();
    join_all(changed.iter().map(async |name| drop(world.edit(name, &json!({"meta": {"n": 2}})).await))).await;
    world.all_say_so(&deleted).await;
    world.all_say_so(&changed).await;
    operator.kill();
    world.workspace.clear_faults();
    join_all(reverted.iter().map(async |name| drop(world.edit(name, &json!({"meta": {"n": 1}})).await))).await;
    let _operator = world.with_args(&["--request-timeout", "1500ms"]).restarted(&deleted, &changed).await;
}

impl World {
    /// Starts an operator that brings all to an end.
    async fn restarted(&self, deleted: &[String], changed: &[String]) -> Operator {
        let operator = self.start().await;
        self.all_gone(deleted).await;
        for name in changed {
            let object = self.ready(name).await;
            assert_eq!(object["spec"]["meta"], self.upstream(name)["meta"], "{name}");
        }
        self.assert_in_step().await;
        operator
    }
}

/// What holds up the root key is what a deletion is blocked by, also of those that have not asked Unkey themselves.
#[tokio::test]
async fn what_holds_up_the_key_is_named() {
    let world = World::new("waiting-pause").await;
    let _operator = world.start().await;
    let (first, deleted, edited) = ("first".to_owned(), names("deleted", 5), names("edited", 5));
    world.create_all(&[vec![first.clone()], deleted.clone(), edited.clone()].concat()).await;
    let refused = FaultKind::TooMany { retry_after: Some("600".to_owned()) };
    let fault = world.workspace.order(Fault::new(refused).on(Operation::Update).once());
    world.edit(&first, &json!({"meta": {"n": 2}})).await;
    world.until_hit(fault, 1).await;
    world.reason(&first, "RateLimited").await;
    join_all(deleted.iter().map(async |name| world.delete(name).await)).await;
    join_all(edited.iter().map(async |name| drop(world.edit(name, &json!({"meta": {"n": 2}})).await))).await;
    let objects = world.all_say_so(&deleted).await;
    deletions_are_told(&world, &objects);
    for object in &objects {
        let ready = condition(object, "Ready");
        assert_eq!(ready["reason"], "DeletionBlocked");
        let message = ready["message"].as_str().unwrap();
        assert!(message.contains("limits the rate") && message.contains("kubectl patch"), "{message}");
    }
    for object in world.all_say_so(&edited).await {
        assert_eq!(condition(&object, "Ready")["reason"], "RateLimited", "{object}");
        assert_eq!(kstatus(&object), Kstatus::InProgress);
    }
}

/// What Kubernetes leaves unanswered is told as well: a deletion whose look is not answered, and one whose identity is gone and whose release
/// hangs in a webhook.
#[tokio::test]
async fn while_kubernetes_does_not_answer() {
    let (world, proxy) = World::new("waiting-kube").await.behind_proxy().await;
    let _operator = world.start().await;
    let names = ["look", "release"].map(str::to_owned);
    world.create_all(&names).await;
    let of = |verb: &str, name: &str| {
        proxy.order(KubeFault::new(KubeKind::Hold).verb(verb).on("identities").subresource("").of(name))
    };
    let hang = [of("get", "look"), of("patch", "release")];
    for name in &names {
        world.delete(name).await;
    }
    for fault in hang {
        proxy.wait_until(|proxy| proxy.hits(fault) >= 1).await;
    }
    deletions_are_told(&world, &world.all_say_so(&names).await);
    assert!(world.workspace.live("look").is_some() && world.workspace.live("release").is_none());
    proxy.clear_faults();
    world.all_gone(&names).await;
    for name in &names {
        assert_eq!(world.accepted(Operation::Delete, name), 1, "{name}");
    }
}
