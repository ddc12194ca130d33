//! R16: finalizer and claim that do not stay on, a status that does not stay, a finalizer that comes back. That is told after a few rounds, and
//! costs others nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use admission_webhook::{Answer, Kind, Order, Rules, Webhook};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use unkey_emulator::Operation;

use super::harness::{World, condition, eventually};

const CLAIM: &str = "unkey.com/claim";
/// Of one object: so often its claim is put on before it is left alone.
const ROUNDS: usize = 3;

fn spec(name: &str) -> Value {
    json!({"externalId": name, "meta": {"n": 1}})
}

async fn webhook(world: &World) -> Webhook {
    let rules = Rules::on("unkey.com", &["identities", "identities/status"]).operations(&["UPDATE"]);
    Webhook::start(&world.plane.kubeconfig(), Kind::Mutating, &world.namespace, &rules).await.unwrap()
}

fn message(object: &Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

/// Takes the finalizer off, or puts it back.
fn finalizers(wanted: &'static [&'static str]) -> Answer {
    Answer::by(move |request| {
        let there = request["object"]["metadata"]["finalizers"].clone();
        if there == json!(wanted) || (there.is_null() && wanted.is_empty()) {
            return Answer::Allow;
        }
        Answer::Patch(json!([{"op": "add", "path": "/metadata/finalizers", "value": wanted}]))
    })
}

/// A hundred at once, of one namespace: each is given up after a few patches, and a new object of another namespace costs what it always does.
#[tokio::test]
async fn a_webhook_that_strips_the_claim_is_told_and_costs_others_nothing() {
    let world = World::new("stripped").await;
    let other = world.beside("beside-stripped").await;
    let (mine, theirs) = (world.namespace.clone(), other.namespace.clone());
    let world = world.with_args(&["--namespace", &mine, "--namespace", &theirs]);
    let webhook = webhook(&world).await;
    webhook.order(Order::new(Answer::strip_annotation(CLAIM)));
    let _operator = world.start().await;
    let names: Vec<String> = (0..100).map(|n| format!("stripped-{n}")).collect();
    for (number, name) in names.iter().enumerate() {
        world.create(name, &spec(name)).await;
        if number % 25 == 24 {
            let quick = format!("quick-{number}");
            other.create(&quick, &spec(&quick)).await;
            other.ready(&quick).await;
            // The audit log may be a moment behind the answer.
            eventually("its status in the audit log", async || (other.cost(&quick).status > 0).then_some(())).await;
            assert_eq!((other.cost(&quick).main, other.cost(&quick).status), (1, 1));
        }
    }
    for name in &names {
        let object = world.reason(name, "NotConverging").await;
        assert!(message(&object).contains("a mutating admission webhook removes them in the same request"), "{object}");
        assert_eq!(condition(&object, "Stalled")["status"], "True");
    }
    other.create("last", &spec("last")).await;
    other.ready("last").await;
    for name in &names {
        let cost = world.cost(name);
        assert_eq!((cost.main, cost.status), (ROUNDS, 1), "{name}: {cost:?}");
    }
    assert_eq!(world.accepted(Operation::Create, "stripped-0"), 0, "nothing is created without a claim");
    webhook.clear_all();
    // It would be tried within the hour; an edit and a check are tried at once.
    world.edit("stripped-0", &json!({"meta": {"n": 2}})).await;
    world.ask_for_check("stripped-1", "now").await;
    for name in ["stripped-0", "stripped-1"] {
        world.ready(name).await;
    }
    for name in &names[2..] {
        world.delete(name).await;
        world.gone(name).await;
    }
}

/// Only the finalizer, which is as bad.
#[tokio::test]
async fn a_webhook_that_strips_the_finalizer() {
    let world = World::new("unfinalized").await;
    let webhook = webhook(&world).await;
    webhook.order(Order::new(finalizers(&[])));
    let _operator = world.start().await;
    world.create("bare", &spec("bare")).await;
    world.reason("bare", "NotConverging").await;
    let cost = world.cost("bare");
    assert_eq!((cost.main, cost.status, cost.creates), (ROUNDS, 1, 0), "{cost:?}");
    world.event("bare", "NotConverging").await;
}

/// A tool that writes the annotations of a manifest, and only those, each time that it sees others.
#[tokio::test]
async fn a_tool_that_strips_the_claim_is_named() {
    let world = World::new("stripper").await;
    let _operator = world.start().await;
    let kind =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("unkey.com", "v1alpha1", "Identity"), "identities");
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &kind);
    world.create("pruned", &spec("pruned")).await;
    world.ready("pruned").await;
    // Its creator is none of those who wrote last.
    world.next_second().await;
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, tool) = (Arc::clone(&stop), api.clone());
    let strips = tokio::spawn(async move {
        let params = PatchParams { field_manager: Some("pruner".to_owned()), ..PatchParams::default() };
        let mut rounds = 0;
        while !stopped.load(Ordering::SeqCst) {
            let object = tool.get("pruned").await.unwrap();
            if object.metadata.annotations.is_some_and(|all| all.contains_key(CLAIM)) {
                rounds += 1;
                let wanted = json!({CLAIM: null, "pruner/round": rounds.to_string()});
                let patch = Patch::Merge(json!({"metadata": {"annotations": wanted}}));
                tool.patch("pruned", &params, &patch).await.unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        rounds
    });
    let object = world.reason("pruned", "NotConverging").await;
    assert!(message(&object).contains("last the field manager 'pruner'"), "{}", message(&object));
    stop.store(true, Ordering::SeqCst);
    let rounds = strips.await.unwrap();
    assert!(rounds <= ROUNDS + 1, "put on, and put back {ROUNDS} times: {rounds}");
    assert_eq!(world.accepted(Operation::Create, "pruned"), 1);
    world.edit("pruned", &json!({"meta": {"n": 2}})).await;
    world.ready("pruned").await;
    world.assert_in_step().await;
}

/// Accepted, and not what was written: as good as refused. A definition that is older than the operator drops fields in the same way.
#[tokio::test]
async fn a_status_that_does_not_stay_is_told_by_an_event() {
    let world = World::new("status-stripped").await;
    let webhook = webhook(&world).await;
    let uid = json!([{"op": "remove", "path": "/status/uid"}]);
    webhook.order(Order::new(Answer::Patch(uid)).subresource("status").of("pruned"));
    let _operator = world.start().await;
    world.create("pruned", &spec("pruned")).await;
    let told = world.event("pruned", "WriteRefused").await.note;
    assert!(told.contains("lacks the written fields"), "{told}");
    let tries = || {
        webhook
            .requests()
            .into_iter()
            .filter(|it| it.request["subResource"] == "status")
            .map(|it| it.at)
            .collect::<Vec<_>>()
    };
    let tries = eventually("the fifth try", async || Some(tries()).filter(|tries| tries.len() >= 5)).await;
    assert!(tries[4] - tries[0] >= std::time::Duration::from_millis(1500), "they are ever further apart: {tries:?}");
    assert_eq!(world.calls(), [1, 0, 0, 0, 0]);
    webhook.clear_all();
    world.until("pruned", "told in full", |object| object["status"]["uid"] == object["metadata"]["uid"]).await;
    assert_eq!(world.events("pruned").await.len(), 1);
    world.assert_in_step().await;
}

#[tokio::test]
async fn a_finalizer_that_comes_back_is_told() {
    let world = World::new("finalizer-back").await;
    let webhook = webhook(&world).await;
    let _operator = world.start().await;
    world.create("kept", &spec("kept")).await;
    world.ready("kept").await;
    webhook.order(Order::new(finalizers(&["unkey.com/identity"])).subresource(""));
    world.delete("kept").await;
    let object = world.reason("kept", "WriteRefused").await;
    assert!(message(&object).contains("The identity is already gone from Unkey."), "{object}");
    assert!(message(&object).contains("the finalizer is still there"), "{object}");
    webhook.clear_all();
    world.gone("kept").await;
    assert_eq!(world.accepted(Operation::Delete, "kept"), 1);
}
