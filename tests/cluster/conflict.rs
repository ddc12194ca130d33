//! Several Identities of one externalId: one owner, and it stays (R8, S13, S14).

use serde_json::{Value, json};

use super::harness::{Cost, World, condition, eventually, identity, succeeded};

/// A loser: stalled, and nothing of ours on it.
fn is_loser(object: &Value) -> bool {
    assert_eq!(object["metadata"].get("finalizers"), None);
    assert_eq!(object["status"].get("identityId"), None);
    condition(object, "Ready")["reason"] == "ExternalIdConflict" && condition(object, "Stalled")["status"] == "True"
}

/// S13: the owner is who was first, whatever the uids; it stays the owner over later ones, edits, checks and restarts.
#[tokio::test]
async fn owner_is_stable() {
    let world = World::in_order("stable").await;
    // One whose uid others are likely to beat, and then others until one does.
    let uid = loop {
        let owner = world.create("owner", &json!({"externalId": "x", "meta": {"by": "owner"}})).await;
        let uid = owner["metadata"]["uid"].as_str().unwrap().to_owned();
        if uid.as_str() >= "8" {
            break uid;
        }
        world.delete("owner").await;
        world.gone("owner").await;
    };
    let operator = world.start().await;
    let owner = world.ready("owner").await;
    for number in 0.. {
        let name = format!("other-{number}");
        let other = world.create(&name, &json!({"externalId": "x", "meta": {"by": "other"}})).await;
        world.until(&name, "refused", is_loser).await;
        if other["metadata"]["uid"].as_str().unwrap() < uid.as_str() {
            break;
        }
    }
    world.edit("other-0", &json!({"meta": {"by": "edit"}})).await;
    let lost = world.reason("other-0", "ExternalIdConflict").await;
    let message = condition(&lost, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("'x'") && message.contains("Delete one of the two"), "{message}");
    let told = world.event("other-0", "ExternalIdConflict").await;
    assert_eq!((told.kind.as_str(), told.note), ("Warning", message));
    world.request_reconcile("other-0", "1").await;
    world.barrier().await;
    let counts = world.calls();
    assert!(operator.terminate().await.success());
    let operator = world.start().await;
    world.barrier().await;
    let [creates, gets, updates, deletes, _] = world.calls();
    // The barrier: a create and a get.
    assert_eq!((creates, gets, updates, deletes), (counts[0] + 1, counts[1] + 1, 0, 0));
    assert_eq!(world.get("owner").await.unwrap()["status"], owner["status"]);
    assert_eq!(world.upstream("x")["meta"], json!({"by": "owner"}));
    let before = world.cost_so_far("other-0").await;
    world.delete("other-0").await;
    world.gone("other-0").await;
    assert_eq!(world.cost_since("other-0", before).await, Cost::NOTHING, "a loser goes at once");
    drop(operator);
}

/// S13: three of one apply, into a running operator and into one that starts after.
#[tokio::test]
async fn three_of_one_apply() {
    for running in [true, false] {
        let world = World::new("three").await;
        let mut operator = None;
        if running {
            operator = Some(world.start().await);
        }
        let all: Vec<Value> =
            ["a", "b", "c"].iter().map(|it| identity(it, &json!({"externalId": "x", "meta": {"by": it}}))).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": all}).to_string();
        succeeded(&world.run_kubectl(&["apply", "-f", "-"], &list).await);
        if !running {
            operator = Some(world.start().await);
        }
        let settled = async || {
            let all = world.list().await;
            let reasons = |reason: &str| all.iter().filter(|it| condition(it, "Ready")["reason"] == reason).count();
            (reasons("Synced") == 1 && reasons("ExternalIdConflict") == 2).then_some(all)
        };
        let all = eventually("one owner and two losers", settled).await;
        let owner = all.iter().find(|it| condition(it, "Ready")["status"] == "True").unwrap();
        assert_eq!(owner["status"]["origin"], "Created");
        assert_eq!(owner["status"]["identityId"], world.upstream("x")["id"]);
        assert_eq!(world.upstream("x")["meta"], json!({"by": owner["metadata"]["name"]}));
        assert_eq!(all.iter().filter(|it| it["metadata"].get("finalizers").is_some()).count(), 1);
        assert_eq!(world.calls(), [1, 0, 0, 0, 0], "running: {running}");
        drop(operator);
    }
}

/// S14: the owner goes while another waits: that one acts when it is gone, and not before.
#[tokio::test]
async fn owner_is_deleted() {
    let world = World::new("handover").await;
    let _operator = world.start().await;
    world.create("a", &json!({"externalId": "x", "meta": {"by": "a"}, "suspend": false})).await;
    let first = world.ready("a").await["status"]["identityId"].clone();
    world.create("b", &json!({"externalId": "x", "meta": {"by": "b"}})).await;
    world.until("b", "refused", is_loser).await;
    // Held back, so that the moment in between can be seen.
    world.edit("a", &json!({"suspend": true})).await;
    world.reason("a", "Suspended").await;
    world.delete("a").await;
    world.reason("a", "DeletionBlocked").await;
    let leaving =
        |it: &Value| condition(it, "Ready")["message"].as_str().is_some_and(|it| it.contains("being deleted"));
    let waiting = world.until("b", "told that the owner leaves", leaving).await;
    assert_eq!(condition(&waiting, "Ready")["reason"], "ExternalIdConflict");
    assert_eq!(condition(&waiting, "Stalled"), Value::Null, "it goes on by itself");
    assert_eq!(world.calls(), [1, 0, 0, 0, 0]);

    world.edit("a", &json!({"suspend": false})).await;
    let second = world.ready("b").await;
    assert!(world.get("a").await.is_none());
    assert_ne!(second["status"]["identityId"], first);
    assert_eq!(
        (&second["status"]["identityId"], &second["status"]["origin"]),
        (&world.upstream("x")["id"], &json!("Created"))
    );
    assert_eq!(world.upstream("x")["meta"], json!({"by": "b"}));
    assert_eq!(world.calls(), [2, 0, 0, 1, 0]);

    // And by Orphan: the next one adopts what is left.
    world.edit("b", &json!({"deletionPolicy": "Orphan"})).await;
    world.ready("b").await;
    world.create("c", &json!({"externalId": "x", "meta": {"by": "b", "and": "c"}})).await;
    world.until("c", "refused", is_loser).await;
    world.delete("b").await;
    let third = world.ready("c").await;
    assert_eq!(
        (&third["status"]["identityId"], &third["status"]["origin"]),
        (&second["status"]["identityId"], &json!("Adopted"))
    );
    assert_eq!(world.upstream("x")["meta"], json!({"by": "b", "and": "c"}));
}

/// The externalId belongs to whoever is first in any namespace; no message tells one team of another's namespace.
#[tokio::test]
async fn across_namespaces() {
    let first = World::new("team-red").await;
    let second = first.beside("team-blue").await;
    let world = first.with_args(&["--namespace", &second.namespace]);
    let red = world.namespace.clone();
    let world = world.with_args(&["--namespace", &red, "--namespace", &second.namespace]);
    let operator = world.start().await;
    second.create("x", &json!({"externalId": "x", "meta": {"by": "blue"}})).await;
    let owner = second.ready("x").await;
    world.create("x", &json!({"externalId": "x", "meta": {"by": "red"}})).await;
    let lost = world.until("x", "refused", is_loser).await;
    let told = world.event("x", "ExternalIdConflict").await;
    for text in [lost["status"].to_string(), told.note] {
        assert!(!text.contains("blue") && !text.contains(&second.namespace), "{text}");
    }
    assert!(operator.terminate().await.success());
    let _again = world.start().await;
    world.create("after", &json!({"externalId": "after"})).await;
    world.ready("after").await;
    second.create("after", &json!({"externalId": "after-too"})).await;
    second.ready("after").await;
    assert_eq!(second.get("x").await.unwrap(), owner);
    world.until("x", "refused", is_loser).await;
    assert_eq!(world.calls(), [3, 0, 0, 0, 0]);
    second.delete("x").await;
    let object = world.ready("x").await;
    assert_eq!(object["status"]["origin"], "Created");
    assert_eq!(world.upstream("x")["meta"], json!({"by": "red"}));
    assert!(second.get("x").await.is_none());
}

/// R8: every live object counts: a suspended one, one with a spec that cannot be sent, and one that was refused.
#[tokio::test]
async fn who_cannot_act_owns_too() {
    let world = World::new("counts").await;
    let _operator = world.start().await;
    world.create("suspended", &json!({"externalId": "x", "suspend": true})).await;
    world.reason("suspended", "Suspended").await;
    world.seed("y", &json!({"meta": {"theirs": 1}}));
    world.create("refused", &json!({"externalId": "y", "meta": {}})).await;
    world.reason("refused", "AlreadyExists").await;
    world.create("invalid", &json!({"externalId": "z", "meta": {"k".repeat(65_536): 1}})).await;
    world.reason("invalid", "InvalidSpec").await;
    world.next_second().await;
    for (name, external_id) in [("after-suspended", "x"), ("after-refused", "y"), ("after-invalid", "z")] {
        world.create(name, &json!({"externalId": external_id, "adoptionPolicy": "Always", "meta": {}})).await;
        world.until(name, "refused", is_loser).await;
    }
    assert_eq!((world.upstream("x"), world.upstream("z")), (Value::Null, Value::Null));
    world.delete("refused").await;
    let object = world.ready("after-refused").await;
    assert_eq!(object["status"]["origin"], "Adopted");
    world.edit("suspended", &json!({"suspend": false})).await;
    world.ready("suspended").await;
    world.until("after-suspended", "refused", is_loser).await;
    // Mended, it is the owner still; gone, the next one is.
    world.edit("invalid", &json!({"meta": null})).await;
    world.ready("invalid").await;
    world.until("after-invalid", "refused", is_loser).await;
    world.delete("invalid").await;
    assert_eq!(world.ready("after-invalid").await["status"]["origin"], "Created");
}
