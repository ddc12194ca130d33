//! Adoption from the list: many manifests over many identities that exist cost the pages of a listing, and no call for each.

use futures::StreamExt;
use serde_json::{Value, json};

use super::harness::{World, condition, eventually};

/// So many that a listing pays.
const MANY: usize = 110;

fn content(at: usize) -> Value {
    json!({"meta": {"plan": "pro", "number": at}})
}

fn spec(at: usize, external_id: &str) -> Value {
    json!({"externalId": external_id, "meta": content(at)["meta"]})
}

/// Identities of that prefix, made by somebody else.
fn stored(world: &World, prefix: &str) {
    for at in 0..MANY {
        world.seed(&format!("{prefix}{at}"), &content(at));
    }
}

/// Applied all at once.
async fn applied(world: &World, prefix: &str) {
    let all = (0..MANY).map(|at| format!("{prefix}{at}")).enumerate();
    let create = |(at, name): (usize, String)| async move { world.create(&name, &spec(at, &name)).await };
    futures::stream::iter(all).map(create).buffer_unordered(16).collect::<Vec<_>>().await;
}

async fn all_tell(world: &World, count: usize) -> Vec<Value> {
    eventually("a status each", async || {
        let all = world.list().await;
        let tells =
            |it: &&Value| !condition(it, "Ready").is_null() && condition(it, "Ready")["reason"] != "Progressing";
        (all.iter().filter(tells).count() == count).then_some(all)
    })
    .await
}

#[tokio::test]
async fn what_exists_is_adopted_by_the_pages_of_a_listing() {
    let world = World::new("listed").await.with_args(&["--consistency-window", "15s", "--workers", "16"]);
    stored(&world, "c");
    applied(&world, "c").await;
    // One that would lose something, one whose policy forbids it, one that would be updated, and one that is not there.
    world.edit("c0", &json!({"meta": {"plan": "basic"}})).await;
    world.edit("c1", &json!({"adoptionPolicy": "Never"})).await;
    world.edit("c2", &json!({"meta": {"plan": "basic"}, "adoptionPolicy": "Always"})).await;
    world.workspace.delete("c3");
    let _operator = world.start().await;
    let all = all_tell(&world, MANY).await;
    let counted = |reason: &str| all.iter().filter(|it| condition(it, "Ready")["reason"] == reason).count();
    assert_eq!((counted("Synced"), counted("AlreadyExists")), (MANY - 2, 2), "{:?}", world.calls());
    for object in &all {
        let origin = if object["metadata"]["name"] == "c3" { "Created" } else { "Adopted" };
        if condition(object, "Ready")["reason"] == "Synced" {
            assert_eq!(object["status"]["origin"], origin, "{object}");
        }
    }
    // A look, two pages; the get before the update, and the update; the create.
    let [creates, gets, updates, deletes, lists] = world.calls();
    assert_eq!((updates, deletes), (1, 0));
    // A sight counts for a window, which a busy machine may need for a few; those are created, and answered that they exist.
    let late = u64::try_from(MANY).unwrap() / 5;
    assert!(creates <= 1 + late && gets <= 4 + late && lists <= 3, "{creates} creates, {gets} gets, {lists} lists");
    assert_eq!(world.upstream("c2")["meta"], json!({"plan": "basic", "number": 2}));
    assert_eq!(world.upstream("c0")["meta"], content(0)["meta"]);
    world.event("c9", "Adopted").await;
}

/// The listing has to pay: where nothing that it shows is new, it ends with the first page, and nobody waits.
#[tokio::test]
async fn what_does_not_exist_is_created_without_a_wait() {
    let world = World::new("listed-none").await.with_args(&["--consistency-window", "120s"]);
    stored(&world, "theirs");
    applied(&world, "mine").await;
    let _operator = world.start().await;
    let all = all_tell(&world, MANY).await;
    assert!(all.iter().all(|it| condition(it, "Ready")["reason"] == "Synced"));
    let [creates, gets, _, _, lists] = world.calls();
    assert_eq!((creates, gets), (u64::try_from(MANY).unwrap(), 0));
    assert!(lists <= 2, "{lists}: all pages that there are");
}

/// A listing that fails holds nobody up.
#[tokio::test]
async fn a_listing_that_is_refused_holds_nobody_up() {
    use unkey_emulator::{Fault, FaultKind, Operation};
    let world = World::new("listed-refused").await;
    world.workspace.order(Fault::new(FaultKind::not_found_text()).on(Operation::List));
    stored(&world, "c");
    applied(&world, "c").await;
    let operator = world.start().await;
    let all = all_tell(&world, MANY).await;
    assert!(all.iter().all(|it| condition(it, "Ready")["reason"] == "Synced"));
    assert!(operator.log().contains("they are created one by one"));
    assert_eq!(world.calls()[2], 0);
}
