//! S32, S35, S40, S41: two operators at once, without a lease. One is paused (SIGSTOP) at different points, the other works on, the first wakes with
//! a memory of a world that is gone. The end is the same, nothing is doubled or leaked, and what is Ready stays so.

use std::time::Duration;

use cutting_proxy::{Fault as KubeFault, FaultKind as KubeFaultKind, Proxy};
use serde_json::{Value, json};
use tokio::time::Instant;
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{Operator, Statuses, World, condition, eventually};

/// Longer than every doubt that can still be settled: attempt and window.
const QUIET: Duration = Duration::from_secs(3);

fn meta(revision: u32) -> Value {
    json!({"revision": revision})
}

fn is_ready(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    object["metadata"].get("deletionTimestamp").is_none()
        && ready["status"] == "True"
        && ready["observedGeneration"] == object["metadata"]["generation"]
}

async fn all_done(world: &World) {
    eventually("every Identity to be ready or gone", async || world.list().await.iter().all(is_ready).then_some(()))
        .await;
}

/// Waits until all is done and neither operator asks or writes anything any more.
async fn at_rest(world: &World) {
    eventually("rest", async || {
        all_done(world).await;
        let before = (world.workspace.counts().total, world.kube_writes());
        let more = world.workspace.wait_until(|it| it.counts().total > before.0);
        let calm = tokio::time::timeout(QUIET, more).await.is_err();
        (calm && (world.workspace.counts().total, world.kube_writes()) == before).then_some(())
    })
    .await;
    all_done(world).await;
    world.assert_in_step().await;
}

/// Stops `paused` for as long as `meanwhile` takes.
async fn paused<T>(paused: &Operator, meanwhile: impl Future<Output = T>) -> T {
    paused.signal("STOP");
    let out = meanwhile.await;
    paused.signal("CONT");
    out
}

async fn create(world: &World, name: &str, revision: u32) {
    world.create(name, &json!({"externalId": name, "meta": meta(revision)})).await;
}

async fn replace(world: &World, name: &str, revision: u32) {
    world.delete(name).await;
    world.gone(name).await;
    create(world, name, revision).await;
}

/// What the user does while one of the two is paused, each to an object of its own.
async fn change_everything(world: &World) {
    create(world, "made", 1).await;
    world.edit("edited", &json!({"meta": meta(2)})).await;
    world.delete("deleted").await;
    replace(world, "again", 2).await;
    world.edit("reverted", &json!({"meta": meta(2)})).await;
    world.ready("reverted").await;
    world.edit("reverted", &json!({"meta": meta(1)})).await;
    create(world, "brief", 1).await;
    world.ready("brief").await;
    world.delete("brief").await;
    world.gone("brief").await;
    world.gone("deleted").await;
    all_done(world).await;
}

#[tokio::test]
async fn one_is_paused_while_idle() {
    let world = World::new("paused-idle").await;
    let one = world.start().await;
    let _two = world.start().await;
    for name in ["edited", "deleted", "again", "reverted"] {
        create(&world, name, 1).await;
    }
    at_rest(&world).await;
    let statuses = Statuses::follow(&world).await;
    paused(&one, change_everything(&world)).await;
    at_rest(&world).await;
    for (name, creates, deletes) in
        [("made", 1, 0), ("edited", 1, 0), ("deleted", 1, 1), ("again", 2, 1), ("reverted", 1, 0), ("brief", 1, 1)]
    {
        assert_eq!(world.accepted(Operation::Create, name), creates, "{name}");
        assert_eq!(world.accepted(Operation::Delete, name), deletes, "{name}");
    }
    assert_eq!(statuses.flaps(), Vec::<String>::new());
}

/// Longer than the gap by which a process knows that it was paused.
const PAUSE: Duration = Duration::from_secs(7);

/// What stays held until it is released: nothing of a test ends by its timeout.
const PATIENT: [&str; 2] = ["--request-timeout", "20s"];

/// S41. The paused one's update of generation 2 commits after the other one's of generation 3: whoever sent it sets it right, though the
/// status it then finds says that generation 3 is Ready.
#[tokio::test]
async fn an_update_of_the_paused_one_lands_on_a_newer_one() {
    let world = World::new("paused-update").await.with_args(&PATIENT);
    let names = ["edited", "reverted"];
    let one = world.start().await;
    for name in names {
        create(&world, name, 1).await;
        world.ready(name).await;
    }
    let two = world.start().await;
    at_rest(&world).await;
    two.signal("STOP");
    let held = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Update).times(2));
    for name in names {
        world.edit(name, &json!({"meta": meta(2)})).await;
    }
    world.until_hit(held, 2).await;
    one.signal("STOP");
    two.signal("CONT");
    for (name, revision) in [("edited", 3), ("reverted", 1)] {
        world.ready(name).await;
        world.edit(name, &json!({"meta": meta(revision)})).await;
        world.ready(name).await;
    }
    world.workspace.release(held);
    for name in names {
        world.until_accepted(Operation::Update, name, 3).await;
        assert_eq!(world.workspace.live(name).unwrap().meta, meta(2), "the late one has landed");
    }
    one.signal("CONT");
    for name in names {
        world.until_accepted(Operation::Update, name, 4).await;
    }
    at_rest(&world).await;
}

/// Both at work on the same objects all the time.
#[tokio::test]
async fn what_is_ready_stays_ready_with_two_at_work() {
    let world = World::new("two-flaps").await;
    let _one = world.start().await;
    let _two = world.start().await;
    let statuses = Statuses::follow(&world).await;
    let names: Vec<String> = (0..12).map(|number| format!("two-{number}")).collect();
    for name in &names {
        create(&world, name, 1).await;
    }
    at_rest(&world).await;
    for revision in 2..4 {
        for name in &names {
            world.edit(name, &json!({"meta": meta(revision)})).await;
        }
        at_rest(&world).await;
    }
    for name in &names {
        assert_eq!(world.accepted(Operation::Create, name), 1, "{name}");
    }
    assert_eq!(statuses.flaps(), Vec::<String>::new());
}

/// When the paused one's create takes effect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Commits {
    /// While the other one is still wary of it.
    Soon,
    /// After the other one has done what the user asked for, before the paused one wakes.
    BeforeItWakes,
    /// After it has woken.
    AfterItWakes,
}

/// S35. Paused in the middle of its creates; the other one, which finds the claims, does what the user then asks for.
async fn paused_in_a_create(world: World, commits: Commits) {
    let one = world.start().await;
    let names = ["left", "edited", "deleted", "again"];
    let held = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create).times(4));
    for name in names {
        create(&world, name, 1).await;
    }
    world.until_hit(held, 4).await;
    one.signal("STOP");
    let _two = world.start().await;
    if commits == Commits::Soon {
        world.workspace.release(held);
        for name in names {
            world.until_accepted(Operation::Create, name, 1).await;
        }
    }
    world.edit("edited", &json!({"meta": meta(2)})).await;
    world.delete("deleted").await;
    replace(&world, "again", 2).await;
    world.gone("deleted").await;
    all_done(&world).await;
    if commits == Commits::BeforeItWakes {
        world.workspace.release(held);
        let landed = |it: &unkey_emulator::Workspace| it.requests().iter().all(|entry| entry.handled.is_some());
        tokio::time::timeout(QUIET, world.workspace.wait_until(landed)).await.expect("the held ones to land");
    }
    one.signal("CONT");
    world.workspace.release(held);
    eventually("what landed late to be cleared up", async || world.workspace.live("deleted").is_none().then_some(()))
        .await;
    at_rest(&world).await;
    for (name, most) in [("left", 1), ("edited", 1), ("deleted", 2), ("again", 2)] {
        let (creates, deletes) = (world.accepted(Operation::Create, name), world.accepted(Operation::Delete, name));
        let live = usize::from(world.workspace.live(name).is_some());
        assert_eq!(creates, deletes + live, "{name}");
        assert!(creates <= most, "{name}: {creates} creates");
    }
    let object = world.get("again").await.unwrap();
    assert_eq!(object["status"]["origin"], "Created");
}

#[tokio::test]
async fn paused_in_a_create_that_lands_soon() {
    paused_in_a_create(World::new("paused-create-soon").await, Commits::Soon).await;
}

#[tokio::test]
async fn paused_in_a_create_that_lands_before_it_wakes() {
    paused_in_a_create(World::new("paused-create-before").await, Commits::BeforeItWakes).await;
}

#[tokio::test]
async fn paused_in_a_create_that_lands_after_it_wakes() {
    paused_in_a_create(World::new("paused-create-after").await, Commits::AfterItWakes).await;
}

/// The same within the attempt of the paused one: it hears of its success.
#[tokio::test]
async fn paused_for_a_moment_in_a_create() {
    let world = World::new("paused-create-short").await.with_args(&["--request-timeout", "6s"]);
    paused_in_a_create(world, Commits::Soon).await;
}

/// Waits until the API server has answered the request whose answer is held.
async fn until_handled(proxy: &Proxy, fault: u64) {
    let handled = |proxy: &Proxy| proxy.requests().iter().any(|it| it.fault == Some(fault) && it.handled.is_some());
    tokio::time::timeout(QUIET, proxy.wait_until(handled)).await.expect("a request to be held");
}

/// S35: paused with its claim's answer, or the answer to its look before a write, on the way. It wakes to an answer that is old, and to a world in which
/// the other one has gone on.
#[tokio::test]
async fn paused_between_a_look_and_a_write() {
    let world = World::new("paused-after-claim").await.with_args(&PATIENT);
    let proxy = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
    let kubeconfig = proxy.kubeconfig();
    let mut args = world.args();
    let at = args.iter().position(|arg| arg == "--kubeconfig").unwrap();
    kubeconfig.to_str().unwrap().clone_into(&mut args[at + 1]);
    let one = world.start_as(&args, &[]).await;
    let existing = ["edited", "deleted", "again"];
    for name in existing {
        create(&world, name, 1).await;
    }
    all_done(&world).await;
    let late = ["new", "new-edited", "new-deleted", "new-again"];
    let names = || late.into_iter().chain(existing);
    let held: Vec<u64> = names()
        .map(|name| {
            let verb = if late.contains(&name) { "patch" } else { "get" };
            proxy.order(KubeFault::new(KubeFaultKind::HoldAnswer).verb(verb).of(name).once())
        })
        .collect();
    for name in late {
        create(&world, name, 1).await;
    }
    for name in ["edited", "again"] {
        world.edit(name, &json!({"meta": meta(2)})).await;
    }
    world.delete("deleted").await;
    for fault in &held {
        until_handled(&proxy, *fault).await;
    }
    one.signal("STOP");
    let two = world.start_as(&world.args(), &[]).await;
    world.gone("deleted").await;
    for name in ["new-edited", "edited"] {
        world.edit(name, &json!({"meta": meta(3)})).await;
    }
    world.delete("new-deleted").await;
    for name in ["new-again", "again"] {
        replace(&world, name, 3).await;
    }
    world.gone("new-deleted").await;
    all_done(&world).await;
    for fault in held {
        proxy.release(fault);
    }
    one.signal("CONT");
    at_rest(&world).await;
    for name in names() {
        let live = usize::from(world.workspace.live(name).is_some());
        let (creates, deletes) = (world.accepted(Operation::Create, name), world.accepted(Operation::Delete, name));
        assert_eq!(creates, deletes + live, "{name}");
    }
    drop(two);
}

/// S8: it wakes with the permission to delete in hand, and the user has changed their mind since. Longer than a busy machine starves a process.
#[tokio::test]
async fn a_long_pause_before_a_delete() {
    let world = World::new("paused-delete").await.with_args(&PATIENT);
    let proxy = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
    let mut args = world.args();
    let at = args.iter().position(|arg| arg == "--kubeconfig").unwrap();
    proxy.kubeconfig().to_str().unwrap().clone_into(&mut args[at + 1]);
    let one = world.start_as(&args, &[]).await;
    create(&world, "kept", 1).await;
    world.ready("kept").await;
    let held = proxy.order(KubeFault::new(KubeFaultKind::HoldAnswer).verb("get").of("kept").once());
    world.delete("kept").await;
    until_handled(&proxy, held).await;
    let paused = Instant::now();
    one.signal("STOP");
    world.edit("kept", &json!({"deletionPolicy": "Orphan"})).await;
    let two = world.start_as(&world.args(), &[]).await;
    world.gone("kept").await;
    tokio::time::sleep_until(paused + PAUSE).await;
    proxy.release(held);
    let before = proxy.last();
    one.signal("CONT");
    let again = proxy.wait_until(|proxy| proxy.since(before).iter().any(|it| it.asked.verb == "get" && it.done));
    let looked = tokio::time::timeout(QUIET, again).await;
    assert_eq!(world.accepted(Operation::Delete, "kept"), 0);
    looked.expect("another look");
    assert!(world.workspace.live("kept").is_some());
    drop(two);
}

/// S40: two objects of one externalId that two operators have claimed. One owns, the other gives its claim up.
#[tokio::test]
async fn two_claims_on_one_external_id() {
    let world = World::new("two-claims").await;
    let spec = json!({"externalId": "shared", "meta": meta(1)});
    for name in ["older", "younger", "bystander"] {
        let made = world.create(name, &spec).await;
        world.next_second().await;
        if name != "bystander" {
            let claim = format!("{}:v1:0123:", made["metadata"]["uid"].as_str().unwrap());
            let metadata = json!({"finalizers": ["unkey.com/identity"], "annotations": {"unkey.com/claim": claim}});
            world.patch(name, &json!({"metadata": metadata})).await;
        }
    }
    let one = world.start().await;
    let _two = world.start().await;
    for (owner, losers) in [("older", vec!["younger", "bystander"]), ("younger", vec!["bystander"])] {
        world.ready(owner).await;
        for loser in &losers {
            world.reason(loser, "ExternalIdConflict").await;
            world.until(loser, "without a claim", |it| it["metadata"].get("finalizers").is_none()).await;
        }
        assert_eq!(world.workspace.snapshot().live.len(), 1);
        // The successor is made while one of the two looks away.
        one.signal("STOP");
        world.delete(owner).await;
        world.gone(owner).await;
        one.signal("CONT");
    }
    at_rest(&world).await;
    assert_eq!(world.accepted(Operation::Create, "shared"), 3);
    assert_eq!(world.accepted(Operation::Delete, "shared"), 2);
}
