//! An identity that stays in Unkey because somebody took the finalizer off: it is named in the log and counted, however and whenever that
//! was done. What the operator lets go itself never is.

use cutting_proxy::{Fault, FaultKind};
use serde_json::{Value, json};
use unkey_emulator::{Fault as Order, FaultKind as Failure, Operation};

use super::harness::{Operator, ROOT_KEY, World, eventually};

const FINALIZER: &str = "unkey.com/identity";
const OTHER: &str = "example.com/other";

/// Ways to take an object out of the operator's hands.
#[derive(Clone, Copy)]
enum By {
    /// `kubectl edit`, the finalizers only.
    Finalizer,
    /// The claim with it, as the operator's own release does.
    Both,
    /// One after the other.
    ClaimFirst,
    /// With the finalizer of another tool still on, which goes a moment later.
    BesideAnother,
    /// The same, and the claim too.
    BothBesideAnother,
}

const WAYS: [(&str, By); 5] = [
    ("finalizer", By::Finalizer),
    ("both", By::Both),
    ("claim-first", By::ClaimFirst),
    ("beside", By::BesideAnother),
    ("both-beside", By::BothBesideAnother),
];

fn finalizers(left: &Value) -> Value {
    json!({"metadata": {"finalizers": left}})
}

fn both(left: &Value) -> Value {
    json!({"metadata": {"finalizers": left, "annotations": {"unkey.com/claim": null}}})
}

impl World {
    async fn take_off(&self, name: &str, by: By) {
        match by {
            By::Finalizer => drop(self.patch(name, &finalizers(&Value::Null)).await),
            By::Both => drop(self.patch(name, &both(&Value::Null)).await),
            By::ClaimFirst => {
                self.patch(name, &both(&json!([FINALIZER]))).await;
                self.patch(name, &finalizers(&Value::Null)).await;
            }
            By::BesideAnother => {
                self.patch(name, &finalizers(&json!([OTHER]))).await;
                self.patch(name, &finalizers(&Value::Null)).await;
            }
            By::BothBesideAnother => {
                self.patch(name, &both(&json!([OTHER]))).await;
                self.patch(name, &finalizers(&Value::Null)).await;
            }
        }
        self.gone(name).await;
    }

    /// A Ready Identity, on which another tool may have a finalizer too.
    async fn owned(&self, name: &str, by: By) {
        let mut manifest = super::harness::identity(name, &json!({"externalId": name}));
        if matches!(by, By::BesideAnother | By::BothBesideAnother) {
            manifest["metadata"]["finalizers"] = json!([OTHER]);
        }
        self.try_create(&manifest).await.unwrap();
        self.ready(name).await;
    }
}

async fn left(operator: &Operator) -> u64 {
    operator.metrics().await.sum("unkey_operator_identities_left_behind_total", &[])
}

async fn until_left(operator: &Operator, count: u64) {
    let what = format!("{count} left behind");
    eventually(&what, async || (left(operator).await == count).then_some(())).await;
}

/// The lines that say that an identity stays.
fn told(operator: &Operator) -> Vec<String> {
    let log = operator.log();
    log.lines().filter(|line| line.contains("is gone without its finalizer")).map(str::to_owned).collect()
}

/// What names `name` in such a line: the object, its identity and the externalId.
fn names_it(world: &World, operator: &Operator, name: &str) -> bool {
    let id = world.workspace.live(name).expect("left in Unkey").id;
    let parts = [format!("identity={name}"), format!("identity_id={id}"), format!("external_id={name}")];
    let quoted = |part: &String| part.replacen('=', "=\"", 1) + "\"";
    told(operator).iter().any(|line| parts.iter().all(|part| line.contains(part) || line.contains(&quoted(part))))
}

#[tokio::test]
async fn while_the_deletion_is_blocked() {
    let world = World::new("left-blocked").await;
    let operator = world.start().await;
    for (name, by) in WAYS {
        world.owned(name, by).await;
    }
    world.emulator.revoke(ROOT_KEY);
    for (name, _) in WAYS {
        world.delete(name).await;
        world.reason(name, "DeletionBlocked").await;
    }
    for (count, (name, by)) in (1..).zip(WAYS) {
        world.take_off(name, by).await;
        until_left(&operator, count).await;
        assert!(names_it(&world, &operator, name), "{name}: {:#?}", told(&operator));
    }
    assert_eq!(told(&operator).len(), WAYS.len(), "each once");
}

/// A process that has only seen the blocked deletion, not sent anything for it, knows as much.
#[tokio::test]
async fn after_a_restart() {
    let world = World::new("left-restart").await;
    let operator = world.start().await;
    for (name, by) in WAYS {
        world.owned(name, by).await;
    }
    world.emulator.revoke(ROOT_KEY);
    for (name, _) in WAYS {
        world.delete(name).await;
        world.reason(name, "DeletionBlocked").await;
    }
    operator.kill();
    let operator = world.start().await;
    for (count, (name, by)) in (1..).zip(WAYS) {
        world.take_off(name, by).await;
        until_left(&operator, count).await;
        assert!(names_it(&world, &operator, name), "{name}: {:#?}", told(&operator));
    }
}

/// Taken off while nobody looked, and held by another tool until somebody does: with the claim still on it was by hand. Without, it may have
/// been the last process's release, so it is told and not counted.
#[tokio::test]
async fn while_the_operator_is_away() {
    let world = World::new("left-away").await;
    let operator = world.start().await;
    for name in ["claimed", "bare"] {
        world.owned(name, By::BesideAnother).await;
    }
    operator.kill();
    for name in ["claimed", "bare"] {
        world.delete(name).await;
    }
    world.patch("claimed", &finalizers(&json!([OTHER]))).await;
    world.patch("bare", &both(&json!([OTHER]))).await;
    let operator = world.start().await;
    for name in ["claimed", "bare"] {
        world.patch(name, &finalizers(&Value::Null)).await;
        world.gone(name).await;
    }
    until_left(&operator, 1).await;
    assert!(names_it(&world, &operator, "claimed"), "{:#?}", told(&operator));
    let id = world.workspace.live("bare").expect("left in Unkey").id;
    operator.until_logged("whether its identity stays in Unkey is not known").await;
    assert!(
        operator.log().lines().any(|line| line.contains("is not known") && line.contains(&id)),
        "{}",
        operator.log()
    );
    assert_eq!(left(&operator).await, 1);
}

/// While the call that deletes is on its way: what becomes of that call decides.
#[tokio::test]
async fn in_the_middle_of_the_call() {
    let world = World::new("left-middle").await.with_args(&["--request-timeout", "20s"]);
    let operator = world.start().await;
    for name in ["goes", "stays"] {
        world.owned(name, By::Finalizer).await;
    }
    for (name, kind) in [("goes", Failure::Hold), ("stays", Failure::Hold)] {
        let fault = world.workspace.order(Order::new(kind).on(Operation::Delete).once());
        world.delete(name).await;
        world.until_hit(fault, 1).await;
        world.take_off(name, By::Finalizer).await;
        if name == "stays" {
            // Refused in the end.
            world.emulator.revoke(ROOT_KEY);
        }
        assert!(world.workspace.release(fault));
        if name == "goes" {
            eventually("its identity to go", async || world.workspace.live("goes").is_none().then_some(())).await;
        }
    }
    until_left(&operator, 1).await;
    assert!(names_it(&world, &operator, "stays"), "{:#?}", told(&operator));
    assert_eq!(told(&operator).len(), 1);
}

/// The identity has gone already, and only the release was refused: nothing is left.
#[tokio::test]
async fn after_its_identity_has_gone() {
    let (world, proxy) = World::new("left-after").await.behind_proxy().await;
    let operator = world.start().await;
    for (name, by) in WAYS {
        world.owned(name, by).await;
    }
    let refused = proxy.order(Fault::new(FaultKind::forbidden()).verb("patch").on("identities").subresource(""));
    for (name, _) in WAYS {
        world.delete(name).await;
        eventually("its identity to go", async || world.workspace.live(name).is_none().then_some(())).await;
    }
    for (name, by) in WAYS {
        world.take_off(name, by).await;
    }
    proxy.clear_fault(refused);
    nothing_is_left(&world, &operator).await;
}

/// A later object's whole life is over, so everything before it has been taken in.
async fn nothing_is_left(world: &World, operator: &Operator) {
    world.create("later", &json!({"externalId": "later"})).await;
    world.ready("later").await;
    world.delete("later").await;
    world.gone("later").await;
    assert_eq!(left(operator).await, 0, "{:#?}", told(operator));
    assert_eq!(told(operator), Vec::<String>::new());
}

/// However its answer comes, and if it comes at all.
#[tokio::test]
async fn the_operators_own_release_never_counts() {
    let (world, proxy) = World::new("left-own").await.behind_proxy().await;
    let operator = world.start().await;
    let release = |kind| Fault::new(kind).verb("patch").on("identities").subresource("").once();
    for (name, fault) in [
        ("plain", None),
        ("lost", Some(FaultKind::DropAfter)),
        ("late", Some(FaultKind::HoldAnswer)),
        ("refused", Some(FaultKind::unavailable())),
    ] {
        for policy in ["Delete", "Orphan"] {
            let name = format!("{name}-{}", policy.to_lowercase());
            world.create(&name, &json!({"externalId": name, "deletionPolicy": policy})).await;
            world.ready(&name).await;
            let fault = fault.clone().map(|kind| proxy.order(release(kind).of(&name)));
            world.delete(&name).await;
            world.gone(&name).await;
            if let Some(fault) = fault {
                proxy.wait_until(|proxy| proxy.hits(fault) == 1).await;
                proxy.release(fault);
            }
            let stays = world.workspace.live(&name).is_some();
            assert_eq!(stays, policy == "Orphan", "{name}");
        }
    }
    // With the finalizer of another tool the object outlives our release, and a restart.
    world.owned("beside", By::BesideAnother).await;
    world.delete("beside").await;
    world.until("beside", "released", |it| it["metadata"]["finalizers"] == json!([OTHER])).await;
    world.patch("beside", &finalizers(&Value::Null)).await;
    world.gone("beside").await;
    nothing_is_left(&world, &operator).await;
    world.owned("restarted", By::BesideAnother).await;
    world.delete("restarted").await;
    world.until("restarted", "released", |it| it["metadata"]["finalizers"] == json!([OTHER])).await;
    operator.kill();
    let operator = world.start().await;
    world.patch("restarted", &finalizers(&Value::Null)).await;
    world.gone("restarted").await;
    nothing_is_left(&world, &operator).await;
}

/// A label that moves takes the object out of this operator's sight, blocked or not; it still exists.
#[tokio::test]
async fn leaving_the_selection_is_no_end() {
    let world = World::new("left-selector").await.with_args(&["--selector", "shard=a"]);
    let operator = world.start().await;
    for name in ["moves", "moves-blocked", "ends"] {
        let mut manifest = super::harness::identity(name, &json!({"externalId": name}));
        manifest["metadata"]["labels"] = json!({"shard": "a"});
        world.try_create(&manifest).await.unwrap();
        world.ready(name).await;
    }
    world.emulator.revoke(ROOT_KEY);
    for name in ["moves-blocked", "ends"] {
        world.delete(name).await;
        world.reason(name, "DeletionBlocked").await;
    }
    for name in ["moves", "moves-blocked"] {
        world.patch(name, &json!({"metadata": {"labels": {"shard": "b"}}})).await;
    }
    world.take_off("ends", By::Finalizer).await;
    until_left(&operator, 1).await;
    assert!(names_it(&world, &operator, "ends"), "{:#?}", told(&operator));
    assert!(!operator.log().contains("an event could not be published"));
    assert_eq!(told(&operator).len(), 1, "{:#?}", told(&operator));
}

/// Every connection falls silent with the answer to the release: the watch lists anew, and only then does the end show.
#[tokio::test]
async fn the_operators_own_release_does_not_count_though_its_answer_never_comes() {
    let (world, proxy) = World::new("left-silent").await.behind_proxy().await;
    let operator = world.start().await;
    world.create("kept", &json!({"externalId": "kept", "deletionPolicy": "Orphan"})).await;
    world.ready("kept").await;
    let release = Fault::new(FaultKind::SilentAfter).verb("patch").on("identities").subresource("").of("kept").once();
    let lost = proxy.order(release);
    world.delete("kept").await;
    proxy.wait_until(|proxy| proxy.hits(lost) == 1).await;
    assert!(proxy.silence() > 0);
    world.gone("kept").await;
    nothing_is_left(&world, &operator).await;
    assert!(world.workspace.live("kept").is_some());
}
