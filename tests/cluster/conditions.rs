//! What other tools write into our list of conditions is theirs: it stays as it is, whatever the operator writes beside it.

use cutting_proxy::{Fault, FaultKind, Proxy};
use serde_json::{Value, json};

use super::gitops::{Kstatus, kstatus};
use super::harness::{Cost, World, condition};

/// A condition as another tool writes it.
fn theirs(kind: &str, message: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": "Theirs", "message": message, "lastTransitionTime": "2026-11-01T10:00:00Z"})
}

/// What an API server stores of a condition and we do not read: the schema's date has room for an offset that does not exist.
fn unreadable() -> Value {
    json!({"type": "Odd", "status": "Unknown", "reason": "Odd", "message": "", "lastTransitionTime": "2026-11-01T10:00:00+30:00"})
}

/// Theirs as they stand, in their order.
fn foreign(object: &Value) -> Vec<Value> {
    let ours = |kind: &Value| ["Ready", "Stalled", "Suspended"].iter().any(|own| kind == own);
    let all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|it| !ours(&it["type"])).collect()
}

impl World {
    /// Another tool appends a condition.
    async fn append(&self, name: &str, condition: &Value) -> Value {
        self.patch_status(name, &json!([{"op": "add", "path": "/status/conditions/-", "value": condition}])).await
    }

    /// Another tool writes the whole list of conditions.
    async fn put_conditions(&self, name: &str, conditions: &[Value]) -> Value {
        self.patch_status(name, &json!([{"op": "add", "path": "/status/conditions", "value": conditions}])).await
    }
}

/// Bytes that Go and Rust write differently, and a text that is long.
fn odd_words() -> String {
    format!("<nil> & \"quoted\" \u{2028} \u{1F512} {}", "long ".repeat(400))
}

/// Through every state of an object's life: no status of ours yet, ready, suspended, stalled, being deleted.
#[tokio::test]
async fn they_outlive_every_write_of_the_operator() {
    let world = World::new("foreign-conditions").await;
    let held = [theirs("Backup", &odd_words()), unreadable(), theirs("ready", "not ours")];
    world.create("x", &json!({"externalId": "x", "meta": {"n": 1}})).await;
    world.put_conditions("x", &held).await;
    let operator = world.start().await;
    let ready = world.ready("x").await;
    assert_eq!(foreign(&ready), held);
    assert_eq!(kstatus(&ready), Kstatus::Current);

    world.edit("x", &json!({"meta": {"n": 2}})).await;
    let edited = world.ready("x").await;
    assert_eq!(foreign(&edited), held);
    assert_eq!(edited["status"]["identityId"], ready["status"]["identityId"]);
    world.edit("x", &json!({"suspend": true})).await;
    let suspended = world.reason("x", "Suspended").await;
    assert_eq!(
        (foreign(&suspended), condition(&suspended, "Suspended")["status"].as_str()),
        (held.to_vec(), Some("True"))
    );
    world.edit("x", &json!({"suspend": null})).await;
    let resumed = world.ready("x").await;
    assert_eq!((foreign(&resumed), condition(&resumed, "Suspended")), (held.to_vec(), Value::Null));

    // A stall comes and goes between two of theirs.
    world.seed("taken", &json!({"meta": {"theirs": 1}}));
    world.create("taken", &json!({"externalId": "taken", "adoptionPolicy": "Never"})).await;
    let stalled = world.reason("taken", "AlreadyExists").await;
    assert_eq!(kstatus(&stalled), Kstatus::Failed);
    let own = stalled["status"]["conditions"].as_array().unwrap().clone();
    let mixed = [theirs("First", ""), own[1].clone(), theirs("Second", ""), own[0].clone(), theirs("Third", "")];
    world.put_conditions("taken", &mixed).await;
    world.edit("taken", &json!({"adoptionPolicy": "Always"})).await;
    let adopted = world.ready("taken").await;
    assert_eq!(foreign(&adopted), [theirs("First", ""), theirs("Second", ""), theirs("Third", "")]);
    assert_eq!((condition(&adopted, "Stalled"), kstatus(&adopted)), (Value::Null, Kstatus::Current));

    // And a restart reads its own status beside them: nothing is asked, nothing written, nothing made twice.
    assert!(operator.terminate().await.success());
    let _operator = world.start().await;
    world.create("later", &json!({"externalId": "later"})).await;
    world.ready("later").await;
    assert_eq!(world.get("x").await.unwrap()["status"], resumed["status"]);
    assert_eq!(world.cost("x").creates, 1);
    world.delete("x").await;
    world.gone("x").await;
    assert_eq!(world.upstream("x"), Value::Null);
}

/// R12: what another tool says is no reason to do or to say anything.
#[tokio::test]
async fn they_cost_nothing() {
    let world = World::in_order("foreign-quiet").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    world.ready("x").await;
    let before = world.cost_so_far("x").await;
    world.append("x", &theirs("Backup", "one")).await;
    world.append("x", &unreadable()).await;
    let own = condition(&world.get("x").await.unwrap(), "Ready");
    let turned = [unreadable(), own, theirs("Backup", "two")];
    let object = world.put_conditions("x", &turned).await;
    assert_eq!(world.cost_since("x", before).await, Cost::NOTHING);
    assert_eq!(world.get("x").await.unwrap()["status"], object["status"]);
}

/// Holds the next write of the operator to the status of `name` at the API server's door.
fn held(proxy: &Proxy, name: &str) -> u64 {
    let fault = Fault::new(FaultKind::Hold).verb("patch").on("identities").subresource("status").of(name).once();
    proxy.order(fault)
}

/// What another tool writes between the operator's read and its write is not lost either, wherever it puts it.
#[tokio::test]
async fn one_that_comes_between_read_and_write_stays() {
    let (world, proxy) = World::new("foreign-race").await.behind_proxy().await;
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"n": 0}})).await;
    world.ready("x").await;
    let mut kept = Vec::new();
    for round in 1..=4 {
        let hold = held(&proxy, "x");
        world.edit("x", &json!({"meta": {"n": round}})).await;
        proxy.wait_until(|proxy| proxy.hits(hold) == 1).await;
        let mut now = world.get("x").await.unwrap()["status"]["conditions"].as_array().unwrap().clone();
        let new = theirs(&format!("Round{round}"), &odd_words());
        match round {
            // At the end, where the operator's own do not move; before it; one that was there goes; all turned around.
            1 => now.push(new),
            2 => now.insert(0, new),
            3 => {
                now.remove(0);
                now.push(new);
            }
            _ => {
                now.push(new);
                now.reverse();
            }
        }
        kept = foreign(&world.put_conditions("x", &now).await);
        proxy.release(hold);
        let ready = world.ready("x").await;
        assert_eq!(foreign(&ready), kept, "round {round}");
    }
    assert_eq!(kept.len(), 3);
    // One of ours, as a second operator would put it there: never twice, and no error.
    let hold = held(&proxy, "x");
    world.edit("x", &json!({"suspend": true})).await;
    proxy.wait_until(|proxy| proxy.hits(hold) == 1).await;
    world.append("x", &theirs("Suspended", "another operator's")).await;
    proxy.release(hold);
    let suspended = world.until("x", "suspended", |it| condition(it, "Suspended")["reason"] == "Suspended").await;
    assert_eq!((foreign(&suspended), operator.log().contains("the reconcile failed")), (kept.clone(), false));
    // Before the first status of ours.
    let hold = held(&proxy, "y");
    world.create("y", &json!({"externalId": "y"})).await;
    proxy.wait_until(|proxy| proxy.hits(hold) == 1).await;
    world.put_conditions("y", &[theirs("Early", "")]).await;
    proxy.release(hold);
    assert_eq!(foreign(&world.ready("y").await), [theirs("Early", "")]);
    assert_eq!((world.cost("y").creates, world.cost("x").creates), (1, 1));
}
