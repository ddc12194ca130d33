//! R25: what Kubernetes refuses is told to the user, costs little, and ends by itself when the refusal does. Webhooks, policies, rights and sizes
//! are real.

mod full;
mod policy;

use std::time::Duration;

use admission_webhook::{Answer, Kind, Order, Rules, Webhook};
use cutting_proxy::{Fault, FaultKind};
use serde_json::{Value, json};
use unkey_emulator::Operation;

use self::policy::Policy;
use super::forbidden::scene::Scene;
use super::harness::{Cost, Operator, Right, World, condition, eventually, identity, say, succeeded, table};

fn spec(name: &str) -> Value {
    json!({"externalId": name, "meta": {"n": 1}})
}

async fn webhook(world: &World, resources: &[&str]) -> Webhook {
    let rules = Rules::on("unkey.com", resources).operations(&["UPDATE"]);
    Webhook::start(&world.plane.kubeconfig(), Kind::Validating, &world.namespace, &rules).await.unwrap()
}

/// When the webhook was asked about this, as the client that is tested asked it.
fn asked(webhook: &Webhook, name: &str, subresource: &str) -> Vec<std::time::Instant> {
    let of = |entry: &admission_webhook::Entry| {
        entry.request["name"] == name && entry.request["subResource"].as_str().unwrap_or_default() == subresource
    };
    webhook.requests().into_iter().filter(of).map(|entry| entry.at).collect()
}

fn message(object: &Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

fn lines(operator: &Operator, name: &str, words: &str) -> usize {
    let about = format!("identity=\"{name}\"");
    operator.log().lines().filter(|line| line.contains(words) && line.contains(&about)).count()
}

fn calls(cost: &Cost) -> usize {
    cost.creates + cost.gets + cost.updates + cost.deletes
}

const BEGINS: &str = "Kubernetes refuses a write";
const ENDS: &str = "Kubernetes accepts this write again";

/// One line told the beginning, and one tells the end; it may come a moment after the write.
async fn ended(operator: &Operator, name: &str) {
    eventually(&format!("the log to tell that {name} is refused no more"), async || {
        (lines(operator, name, ENDS) > 0).then_some(())
    })
    .await;
    assert_eq!((lines(operator, name, BEGINS), lines(operator, name, ENDS)), (1, 1), "{name}");
}

/// Every shape of a refusal, those that look like a patch that is out of date or an object that is gone among them.
#[tokio::test]
async fn a_claim_that_admission_refuses_is_told_in_the_status_and_tried_ever_less_often() {
    let world = World::new("claim-refused").await;
    let webhook = webhook(&world, &["identities"]).await;
    let operator = world.start().await;
    let causes = [("metadata.annotations", "must be empty")];
    let gone = json!({"status": "Failure", "code": 404, "reason": "NotFound", "message": "by order\u{1b}[2J", "details": {
        "name": "gone", "group": "unkey.com", "kind": "identities",
    }});
    let answers = [
        ("forbidden", Answer::deny(403, "Forbidden", "by order\u{1b}[2J")),
        ("invalid", Answer::deny(422, "Invalid", "by order\u{1b}[2J").because(&causes)),
        ("unexplained", Answer::deny(422, "Invalid", "by order\u{1b}[2J")),
        ("conflict", Answer::deny(409, "Conflict", "by order\u{1b}[2J")),
        ("missing", Answer::deny(404, "NotFound", "by order\u{1b}[2J")),
        ("gone", Answer::Deny(gone)),
        ("odd", Answer::deny(418, "", "by order\u{1b}[2J")),
        ("unauthorized", Answer::deny(401, "Unauthorized", "by order\u{1b}[2J")),
    ];
    for (name, answer) in answers.clone() {
        webhook.order(Order::new(answer).of(name));
        world.create(name, &spec(name)).await;
    }
    for (name, _) in &answers {
        let object = world.reason(name, "WriteRefused").await;
        let message = message(&object);
        assert!(message.contains("denied the request: by order\\u{1b}[2J."), "{name}: {message}");
        assert!(condition(&object, "Stalled").is_null(), "it is retried: {object}");
    }
    for (name, _) in &answers {
        webhook.wait_until(|webhook| asked(webhook, name, "").len() >= 5).await;
        let at = asked(&webhook, name, "");
        // 0.1 + 0.2 + 0.4 + 0.8 s, the least that the jitter of R13 leaves.
        let took = at[4] - at[0];
        assert!(took >= Duration::from_millis(1500), "{name}: five patches in {took:?}");
        let cost = world.cost(name);
        assert_eq!((cost.status, calls(&cost)), (1, 0), "{name}: told once, and nothing was done in Unkey: {cost:?}");
        assert_eq!(lines(&operator, name, BEGINS), 1, "{name}");
        assert_eq!(lines(&operator, name, "WARN") + lines(&operator, name, "ERROR"), 1, "{name}");
    }
    webhook.clear_all();
    for (name, _) in &answers {
        world.ready(name).await;
        ended(&operator, name).await;
    }
    world.assert_in_step().await;
    assert!(!operator.log().contains("this is a bug of the operator"));
}

/// An edit is tried at once, whatever the backoff has grown to.
#[tokio::test]
async fn a_change_of_the_spec_ends_the_wait() {
    let world = World::new("refused-edit").await;
    let webhook = webhook(&world, &["identities"]).await;
    let _operator = world.start().await;
    let unwanted = |request: &Value| request["object"]["spec"]["meta"]["n"] == 1;
    webhook.order(Order::new(Answer::deny(403, "Forbidden", "n may not be 1")).when(unwanted));
    world.create("edited", &spec("edited")).await;
    webhook.wait_until(|webhook| asked(webhook, "edited", "").len() >= 4).await;
    world.reason("edited", "WriteRefused").await;
    let before = asked(&webhook, "edited", "").len();
    world.edit("edited", &json!({"meta": {"n": 2}})).await;
    world.ready("edited").await;
    // The user's own edit, and the claim; one more try may have come before the edit.
    assert!(asked(&webhook, "edited", "").len() - before <= 3);
    world.assert_in_step().await;
}

#[tokio::test]
async fn a_status_that_a_policy_refuses_is_told_by_an_event() {
    let world = World::new("status-refused").await;
    let refused = Policy::deny(&world, "identities/status", "false", "no status here", None).await;
    let operator = world.start().await;
    world.create("mute", &spec("mute")).await;
    let told = world.event("mute", "WriteRefused").await;
    assert_eq!(told.kind, "Warning");
    for words in ["denied request: no status here", "It would say Synced: Unkey accepted this spec."] {
        assert!(told.note.contains(words), "{}", told.note);
    }
    let metrics = operator.metrics().await;
    let refused_now = |write: &str| metrics.sum("unkey_operator_writes_refused", &[("write", write)]);
    assert_eq!((refused_now("claim"), refused_now("status"), refused_now("release")), (0, 2, 0), "the probe's too");
    // The event is there before the operator has its answer.
    let untold = async || operator.metrics().await.sum("unkey_operator_writes_refused_untold", &[]);
    eventually("the event to count", async || (untold().await == 0).then_some(())).await;
    operator.until_readyz(200, "ok").await;
    assert_eq!(operator.http("/readyz").await.body, "ok\n");
    let tries = || world.cost("mute").status;
    eventually("it to be tried again", async || (tries() >= 4).then_some(())).await;
    // It is recorded in no status, and made once all the same; and told once.
    assert_eq!(world.calls(), [1, 0, 0, 0, 0]);
    assert_eq!(world.events("mute").await.len(), 1);
    // What the user asks for meanwhile waits for the id to be recorded, and a deletion does not.
    world.create("brief", &spec("brief")).await;
    world.event("brief", "WriteRefused").await;
    world.delete("brief").await;
    world.gone("brief").await;
    assert!(world.workspace.live("brief").is_none());
    refused.lift(&world, "identities/status").await;
    world.ready("mute").await;
    ended(&operator, "mute").await;
    assert_eq!(world.accepted(Operation::Create, "mute"), 1);
    world.assert_in_step().await;
}

/// Nothing can be told on the object itself: events are refused too, as all that is created in a namespace that is being terminated.
#[tokio::test]
async fn what_neither_status_nor_event_can_tell_shows_in_a_metric_and_in_readyz() {
    let world = World::new("untold").await;
    let webhook = webhook(&world, &["identities/status"]).await;
    let operator = world.start().await;
    world.create("old", &spec("old")).await;
    world.ready("old").await;
    // Nobody empties it: the control plane of these tests runs no controllers.
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(world.client.clone());
    namespaces.delete(&world.namespace, &kube::api::DeleteParams::default()).await.unwrap();
    let refused = webhook.order(Order::new(Answer::deny(403, "Forbidden", "no status here")).subresource("status"));
    world.edit("old", &json!({"meta": {"n": 2}})).await;
    operator.until_readyz(200, "no status here").await;
    let answer = operator.http("/readyz").await.body;
    assert!(answer.starts_with("ok\n") && answer.contains(&format!("{}/old", world.namespace)), "{answer}");
    let metrics = operator.metrics().await;
    assert_eq!(metrics.sum("unkey_operator_writes_refused_untold", &[]), 1);
    assert_eq!(world.workspace.live("old").unwrap().meta, json!({"n": 2}), "the work is done all the same");
    assert!(world.events("old").await.is_empty());
    assert_eq!(lines(&operator, "old", "WARN"), 1, "{}", operator.log());
    webhook.clear(refused);
    world.ready("old").await;
    eventually("readyz to be content", async || (operator.http("/readyz").await.body == "ok\n").then_some(())).await;
    world.delete("old").await;
    world.gone("old").await;
}

#[tokio::test]
async fn a_release_that_is_refused_says_that_the_identity_is_gone() {
    let world = World::new("release-refused").await;
    let webhook = webhook(&world, &["identities", "identities/status"]).await;
    let operator = world.start().await;
    let answers = [
        ("forbidden", Answer::deny(403, "Forbidden", "it stays")),
        ("conflict", Answer::deny(409, "Conflict", "it stays")),
        ("unexplained", Answer::deny(422, "Invalid", "it stays")),
        ("kept", Answer::deny(403, "Forbidden", "it stays")),
        ("mute", Answer::deny(403, "Forbidden", "it stays")),
    ];
    for (name, _) in &answers {
        world.create(name, &spec(name)).await;
    }
    world.edit("kept", &json!({"deletionPolicy": "Orphan"})).await;
    for (name, answer) in answers.clone() {
        world.ready(name).await;
        webhook.order(Order::new(answer).of(name).subresource(""));
    }
    webhook.order(Order::new(Answer::deny(403, "Forbidden", "not even this")).of("mute").subresource("status"));
    for (name, _) in &answers {
        world.delete(name).await;
    }
    for (name, _) in answers.iter().filter(|(name, _)| *name != "mute") {
        let object = world.reason(name, "WriteRefused").await;
        let message = message(&object);
        let left = if *name == "kept" {
            "The identity stays in Unkey, as requested."
        } else {
            "The identity is already gone from Unkey."
        };
        assert!(message.contains(left) && message.contains("denied the request: it stays."), "{name}: {message}");
        assert_eq!(condition(&object, "Ready")["status"], "False", "{name}");
    }
    let told = world.event("mute", "WriteRefused").await.note;
    for words in ["not even this", "The identity is already gone from Unkey.", "it stays"] {
        assert!(told.contains(words), "{told}");
    }
    for (name, _) in &answers {
        webhook.wait_until(|webhook| asked(webhook, name, "").len() >= 4).await;
        let deletes = world.requests_on(Operation::Delete, name).len();
        assert_eq!(deletes, usize::from(*name != "kept"), "{name}: the identity is deleted once");
        let begun = lines(&operator, name, BEGINS);
        assert_eq!(begun, if *name == "mute" { 2 } else { 1 }, "{name}: once for each write");
    }
    webhook.clear_all();
    for (name, _) in &answers {
        world.gone(name).await;
    }
    assert!(world.workspace.live("kept").is_some());
}

/// The API server says "failed calling webhook": that is told once it lasts, and a webhook that is back needs no hand.
#[tokio::test]
async fn a_webhook_that_fails_is_told_when_it_lasts() {
    let world = World::new("webhook-fails").await;
    let rules = Rules::on("unkey.com", &["identities"]).operations(&["UPDATE"]).timeout_seconds(1);
    let webhook = Webhook::start(&world.plane.kubeconfig(), Kind::Validating, &world.namespace, &rules).await.unwrap();
    let operator = world.start().await;
    let answers = [
        ("hangs", Answer::Hang),
        ("lost", Answer::Http(404, "404 page not found".to_owned())),
        ("garbled", Answer::Http(200, "<html>".to_owned())),
        ("cut", Answer::Drop),
        ("broken", Answer::deny(500, "InternalError", "it fell over")),
    ];
    for (name, answer) in answers.clone() {
        webhook.order(Order::new(answer).of(name));
        world.create(name, &spec(name)).await;
    }
    for (name, _) in &answers {
        let object = world.reason(name, "WriteRefused").await;
        let words = if *name == "broken" { "it fell over" } else { "failed calling webhook" };
        assert!(message(&object).contains(words), "{name}: {object}");
        let told = (lines(&operator, name, "WARN"), lines(&operator, name, "ERROR"));
        assert_eq!((world.cost(name).status, told), (1, (1, 0)), "{name}");
    }
    // One failure that passes is worth no status.
    webhook.order(Order::new(Answer::deny(500, "InternalError", "once")).of("passing").once());
    world.create("passing", &spec("passing")).await;
    world.ready("passing").await;
    assert_eq!(world.cost("passing").status, 1);
    webhook.clear_all();
    for (name, _) in &answers {
        world.ready(name).await;
    }
    world.assert_in_step().await;
}

/// A connection that is silent while the API server waits for a webhook is not dead, though one that a read waits on would be given up.
#[tokio::test]
async fn a_webhook_that_takes_its_time_is_waited_for() {
    const LATE: Duration = Duration::from_secs(24);
    let world = World::new("webhook-late").await;
    let rules = Rules::on("unkey.com", &["identities"]).operations(&["UPDATE"]).timeout_seconds(30);
    let webhook = Webhook::start(&world.plane.kubeconfig(), Kind::Validating, &world.namespace, &rules).await.unwrap();
    let operator = world.start().await;
    let late = webhook.order(Order::new(Answer::Late(LATE)).of("late").once());
    world.create("late", &spec("late")).await;
    world.ready("late").await;
    assert_eq!((webhook.hits(late), asked(&webhook, "late", "").len()), (1, 1), "one claim, once");
    assert_eq!(lines(&operator, "late", "WARN") + lines(&operator, "late", "ERROR"), 0);
    assert!(!operator.log().contains("was closed"));
    world.assert_in_step().await;
}

/// By a webhook in the answer, and by the API server's own flow control in a header alone.
#[tokio::test]
async fn retry_after_is_waited_for() {
    let (world, proxy) = World::new("retry-after").await.behind_proxy().await;
    let webhook = webhook(&world, &["identities"]).await;
    let _operator = world.start().await;
    webhook.order(Order::new(Answer::deny(429, "TooManyRequests", "slowly").retry_after(4)).of("slow").once());
    world.create("slow", &spec("slow")).await;
    world.ready("slow").await;
    let at = asked(&webhook, "slow", "");
    assert!(at[1] - at[0] >= Duration::from_secs(4), "{:?}", at[1] - at[0]);
    let body = "Too many requests, please try again later.\n".to_owned();
    let headers = vec![("Retry-After".to_owned(), "3".to_owned())];
    let busy = FaultKind::Status { status: 429, body, headers };
    proxy.order(Fault::new(busy).verb("patch").of("busy").once());
    world.create("busy", &spec("busy")).await;
    world.ready("busy").await;
    let patches: Vec<_> =
        proxy.since(0).into_iter().filter(|it| it.asked.to_string() == "patch identities of busy").collect();
    assert!(patches[1].at - patches[0].at >= Duration::from_secs(3), "{:?}", patches[1].at - patches[0].at);
}

/// The rights on objects, and then those on the status, are taken away while the operator runs.
#[tokio::test]
async fn rights_that_are_gone_are_told() {
    let scene = Scene::of_namespaces("rights-gone").await;
    let rights = scene.rights();
    let without = |resource: &str| {
        let team = &scene.teams[0].namespace;
        let is_meant = |right: &&Right| {
            !(right.verb == "patch" && right.resource == resource && right.namespace.as_ref() == Some(team))
        };
        rights.iter().filter(is_meant).cloned().collect()
    };
    let team = &scene.teams[0];
    scene.grant(&rights).await;
    let _operator = scene.start("15s").await;
    scene.grant(&without("identities")).await;
    team.create("claimless", &spec("claimless")).await;
    let message = message(&team.reason("claimless", "WriteRefused").await);
    assert!(message.contains("cannot patch resource"), "{message}");
    scene.grant(&without("identities/status")).await;
    team.create("mute", &spec("mute")).await;
    let told = team.event("mute", "WriteRefused").await.note;
    assert!(told.contains("cannot patch resource"), "{told}");
    scene.grant(&rights).await;
    scene.in_step().await;
}

/// The claim would not fit: nothing is tried, the largest annotation is named, and the operator goes on as soon as there is room.
#[tokio::test]
async fn annotations_that_leave_no_room_for_the_claim() {
    let world = World::new("no-room").await;
    let _operator = world.start().await;
    let text = |bytes: usize| "x".repeat(bytes);
    let crowded = |name: &str, free: usize| {
        let large = 256 * 1024 - "tests/large".len() - "tests/small".len() - 3 - free;
        let mut manifest = identity(name, &spec(name));
        manifest["metadata"]["annotations"] = json!({"tests/large": text(large), "tests/small": "abc"});
        manifest
    };
    world.try_create(&crowded("full", 60)).await.unwrap();
    world.try_create(&crowded("just", 200)).await.unwrap();
    let object = world.reason("full", "WriteRefused").await;
    let told = message(&object);
    for words in ["'tests/large'", "262144", "Remove or shorten"] {
        assert!(told.contains(words), "{told}");
    }
    world.ready("just").await;
    let cost = world.cost("full");
    assert_eq!((cost.main, cost.status, calls(&cost)), (0, 1, 0), "{cost:?}");
    world.patch("full", &json!({"metadata": {"annotations": {"tests/small": null, "tests/large": "short"}}})).await;
    world.ready("full").await;
    // What owns already, and loses its claim to a tool that fills the annotations.
    let filled = json!({"metadata": {"annotations": {"unkey.com/claim": null, "tests/large": text(256 * 1024 - 100)}}});
    world.patch("full", &filled).await;
    world.reason("full", "WriteRefused").await;
    world.patch("full", &json!({"metadata": {"annotations": {"tests/large": null}}})).await;
    world.ready("full").await;
    world.assert_in_step().await;
}

/// A policy that wants a label: no new generation, and tried soon after it is there.
#[tokio::test]
async fn a_label_that_a_policy_asks_for() {
    let world = World::new("label-wanted").await;
    let has_label = "has(object.metadata.labels) && 'team' in object.metadata.labels";
    let policy = Policy::deny(&world, "identities", has_label, "label 'team' is missing", Some("Forbidden")).await;
    let _operator = world.start().await;
    world.create("plain", &spec("plain")).await;
    let object = world.reason("plain", "WriteRefused").await;
    assert!(message(&object).contains("denied request: label 'team' is missing"), "{object}");
    eventually("some tries", async || (world.cost("plain").main >= 4).then_some(())).await;
    world.patch("plain", &json!({"metadata": {"labels": {"team": "a"}}})).await;
    world.ready("plain").await;
    policy.lift(&world, "identities").await;
    world.assert_in_step().await;
}

/// What a user reads of a claim, a status and a release that are refused.
#[tokio::test]
async fn as_kubectl_shows_it() {
    let world = World::new("kubectl-refused").await;
    let webhook = webhook(&world, &["identities", "identities/status"]).await;
    let _operator = world.start().await;
    world.create("leaving", &spec("leaving")).await;
    world.ready("leaving").await;
    let deny = |what: &str| Answer::deny(403, "Forbidden", &format!("{what} needs a ticket"));
    webhook.order(Order::new(deny("the claim")).of("claimed").subresource(""));
    webhook.order(Order::new(deny("the status")).of("mute").subresource("status"));
    webhook.order(Order::new(deny("the release")).of("leaving").subresource(""));
    for name in ["claimed", "mute"] {
        world.create(name, &spec(name)).await;
    }
    world.delete("leaving").await;
    for name in ["claimed", "leaving"] {
        world.reason(name, "WriteRefused").await;
    }
    world.event("mute", "WriteRefused").await;
    let listed = succeeded(&world.run_kubectl(&["get", "identities"], "").await);
    let mut transcript = format!("$ kubectl get identities\n{listed}");
    for name in ["claimed", "leaving", "mute"] {
        let row = table(&listed).into_iter().find(|row| row[0] == name).unwrap();
        assert_eq!(row.contains(&"WriteRefused".to_owned()), name != "mute", "{listed}");
        let described = succeeded(&world.run_kubectl(&["describe", "identity", name], "").await);
        assert!(described.contains("needs a ticket"), "{described}");
        transcript.extend(["$ kubectl describe identity ", name, "\n", &described]);
    }
    say(&transcript);
}
