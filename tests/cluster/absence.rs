//! S44: HTTP 404 of the API server does not mean that an object is gone. A version that is not served, a proxy or a webhook says it too: nothing is
//! forgotten for it, nothing orphaned, and nothing cleared up.

use std::time::Duration;

use cutting_proxy::{Fault, FaultKind, Proxy};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use unkey_emulator::{Fault as UpstreamOrder, FaultKind as UpstreamFault, Operation};

use super::harness::{World, condition, eventually};

const CRD: &str = "identities.unkey.com";

fn spec(name: &str, n: u32) -> Value {
    json!({"externalId": name, "meta": {"n": n}})
}

/// Every form of 404 that does not prove that the Identity `name` is gone.
fn unproven(name: &str) -> Vec<FaultKind> {
    let html = FaultKind::Status {
        status: 404,
        body: "<html><body>404 Not Found</body></html>".to_owned(),
        headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
    };
    vec![
        FaultKind::page_not_found(),
        // An aggregated API server's or a webhook's: no details.
        FaultKind::refusal(404, "NotFound"),
        // Of another object, of another resource, of another group.
        FaultKind::not_found("unkey.com", "identities", &format!("{name}-other")),
        FaultKind::not_found("unkey.com", "tenants", name),
        FaultKind::not_found("example.com", "identities", name),
        html,
    ]
}

/// Unkey does it at once, and answers when the order is released.
fn hold(world: &World, operation: Operation, name: &str) -> u64 {
    world.workspace.order(UpstreamOrder::new(UpstreamFault::HoldAnswer).on(operation).of(name).once())
}

async fn until_struck(proxy: &Proxy, fault: u64, hits: u64) {
    let struck = proxy.wait_until(|proxy| proxy.hits(fault) >= hits);
    tokio::time::timeout(Duration::from_secs(40), struck).await.expect("the fault to strike");
}

/// A request of each kind is answered so, once each: the claim, the status, the read before a call, the release.
#[tokio::test]
async fn s44_a_404_without_proof_forgets_nothing() {
    let (world, proxy) = World::new("unproven").await.behind_proxy().await;
    let operator = world.start().await;
    for (number, kind) in unproven("x").into_iter().enumerate() {
        let name = format!("form-{number}");
        let kind = unproven(&name).into_iter().nth(number).unwrap_or(kind);
        let order = |verb: &str, sub: &str| {
            proxy.order(Fault::new(kind.clone()).verb(verb).on("identities").subresource(sub).of(&name).once())
        };
        let (claim, status) = (order("patch", ""), order("patch", "status"));
        world.create(&name, &spec(&name, 1)).await;
        world.ready(&name).await;
        assert_eq!((proxy.hits(claim), proxy.hits(status)), (1, 1), "{kind:?}");
        // The read before the update.
        let read = order("get", "");
        world.edit(&name, &json!({"meta": {"n": 2}})).await;
        world.ready(&name).await;
        assert_eq!(proxy.hits(read), 1, "{kind:?}");
        let (read, release) = (order("get", ""), order("patch", ""));
        world.delete(&name).await;
        world.gone(&name).await;
        assert_eq!((proxy.hits(read), proxy.hits(release)), (1, 1), "{kind:?}");
        let counts = [Operation::Create, Operation::Update, Operation::Delete].map(|it| world.accepted(it, &name));
        assert_eq!(counts, [1, 1, 1], "{kind:?}");
    }
    assert_eq!(world.workspace.snapshot().live, []);
    assert!(!operator.log().contains("bug of the operator"), "it is none");
}

/// A perfect lie to one read: the watch still shows the object, so it is reconciled again.
#[tokio::test]
async fn s44_what_the_watch_shows_is_visited_again_though_a_read_denies_it() {
    let (world, proxy) = World::new("denied").await.behind_proxy().await;
    let _operator = world.start().await;
    let name = "denied";
    let lie = |verb: &str| {
        let kind = FaultKind::not_found("unkey.com", "identities", name);
        proxy.order(Fault::new(kind).verb(verb).on("identities").of(name).times(2))
    };
    // The claim is refused with a proof, as a webhook can, and so is the look that follows.
    let (patch, get) = (lie("patch"), lie("get"));
    world.create(name, &spec(name, 1)).await;
    world.ready(name).await;
    assert_eq!((proxy.hits(patch), proxy.hits(get)), (2, 2));
    let get = lie("get");
    world.edit(name, &json!({"meta": {"n": 2}})).await;
    world.ready(name).await;
    assert_eq!(proxy.hits(get), 2);
    let (patch, get) = (lie("patch"), lie("get"));
    world.delete(name).await;
    world.gone(name).await;
    assert!(proxy.hits(get) == 2 && proxy.hits(patch) >= 1);
    let counts = [Operation::Create, Operation::Update, Operation::Delete].map(|it| world.accepted(it, name));
    assert_eq!(counts, [1, 1, 1], "nothing doubled, nothing cleared up");
    assert_eq!(world.workspace.snapshot().live, []);
}

/// R10: the whole cluster is watched, and the look at the definition is answered wrongly.
#[tokio::test]
async fn s44_a_wrong_404_for_the_definition_orphans_nothing() {
    let (world, proxy) = World::alone("crd-unproven").await.behind_proxy().await;
    let _operator = world.start_as(&world.args_everywhere(), &[]).await;
    let group = "apiextensions.k8s.io";
    let forms = [
        FaultKind::page_not_found(),
        FaultKind::refusal(404, "NotFound"),
        FaultKind::not_found(group, "customresourcedefinitions", "others.example.com"),
        FaultKind::not_found("unkey.com", "identities", CRD),
        // The perfect lie, once.
        FaultKind::not_found(group, "customresourcedefinitions", CRD),
    ];
    for (number, kind) in forms.into_iter().enumerate() {
        let name = format!("form-{number}");
        world.create(&name, &spec(&name, 1)).await;
        world.ready(&name).await;
        let look = proxy.order(Fault::new(kind.clone()).verb("get").on("customresourcedefinitions").once());
        world.delete(&name).await;
        world.gone(&name).await;
        assert_eq!(proxy.hits(look), 1, "{kind:?}");
        assert!(world.workspace.live(&name).is_none(), "{kind:?}: the identity stays");
    }
}

/// R10, R24: for as long as the definition cannot be read the deletion waits, and says for what.
#[tokio::test]
async fn s44_a_definition_that_cannot_be_read_is_told() {
    let (world, proxy) = World::alone("crd-unread").await.behind_proxy().await;
    let _operator = world.start_as(&world.args_everywhere(), &[]).await;
    let forms =
        [("unproven", FaultKind::page_not_found(), "404"), ("failing", FaultKind::internal_error(), "by order")];
    for (name, kind, words) in forms {
        world.create(name, &spec(name, 1)).await;
        world.ready(name).await;
        proxy.order(Fault::new(kind).verb("get").on("customresourcedefinitions"));
        world.delete(name).await;
        let blocked = world.reason(name, "DeletionBlocked").await;
        let message = condition(&blocked, "Ready")["message"].as_str().unwrap().to_owned();
        assert!(message.contains("cannot read the CustomResourceDefinition") && message.contains(words), "{message}");
        assert!(message.contains("Orphan"), "{message}");
        assert!(world.workspace.live(name).is_some());
        proxy.clear_faults();
        // By itself it is tried again after a minute at most, which is longer than this test waits.
        world.ask_for_check_if_there(name, "mended").await;
        world.gone(name).await;
        assert!(world.workspace.live(name).is_none(), "{name}");
    }
}

/// What is cleared up after an object: neither its own absence nor that of a successor is believed without proof.
#[tokio::test]
async fn s44_the_clean_up_waits_for_a_proof() {
    let (world, proxy) = World::new("clean-up").await.behind_proxy().await;
    let operator = world.start().await;
    let name = "half-made";
    let held = hold(&world, Operation::Create, name);
    world.create(name, &spec(name, 1)).await;
    world.until_hit(held, 1).await;
    let look = proxy.order(Fault::new(FaultKind::page_not_found()).verb("get").on("identities").of(name).times(2));
    let successors = proxy.order(Fault::new(FaultKind::page_not_found()).verb("list").on("identities").times(2));
    world.patch(name, &json!({"metadata": {"finalizers": null}})).await;
    world.delete(name).await;
    world.workspace.release(held);
    eventually("what was left to be cleared up", async || world.workspace.live(name).is_none().then_some(())).await;
    until_struck(&proxy, look, 2).await;
    until_struck(&proxy, successors, 2).await;
    // The reconcile that was under way may have met one of the four.
    assert!(operator.log().matches("the cleanup in Unkey failed").count() >= 3);
}

/// kubernetes#115241: a version is not served for some seconds, in which objects are edited, deleted and made.
#[tokio::test]
async fn s44_a_version_that_is_not_served_for_a_while() {
    let world = World::alone("not-served").await;
    let operator = world.start().await;
    let all = ["edited", "deleted", "twice"];
    for name in all {
        world.create(name, &spec(name, 1)).await;
        world.ready(name).await;
    }
    let api: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let serve = async |served: bool| {
        let versions = json!([{"op": "replace", "path": "/spec/versions/0/served", "value": served}]);
        let patch: Patch<()> = Patch::Json(serde_json::from_value(versions).unwrap());
        api.patch(CRD, &PatchParams::default(), &patch).await.unwrap();
    };
    // What is to be done is held in Unkey until the version is gone.
    let held = [("edited", Operation::Update), ("deleted", Operation::Delete), ("made", Operation::Create)]
        .map(|(name, operation)| hold(&world, operation, name));
    world.edit("edited", &json!({"meta": {"n": 2}})).await;
    world.delete("deleted").await;
    world.create("made", &spec("made", 1)).await;
    for held in held {
        world.until_hit(held, 1).await;
    }
    serve(false).await;
    let not_served = async || world.try_get("edited").await.is_err().then_some(());
    eventually("the version not to be served", not_served).await;
    for held in held {
        world.workspace.release(held);
    }
    let failed = || operator.log().matches("the reconcile failed").count();
    eventually("each to have failed twice", async || (failed() >= 6).then_some(())).await;
    serve(true).await;
    eventually("the version to be served", async || world.try_get("edited").await.is_ok().then_some(())).await;
    world.edit("twice", &json!({"meta": {"n": 2}})).await;
    for name in ["edited", "made", "twice"] {
        world.ready(name).await;
    }
    world.gone("deleted").await;
    world.assert_in_step().await;
    let accepted = |operation| ["edited", "deleted", "made", "twice"].map(|name| world.accepted(operation, name));
    assert_eq!(accepted(Operation::Create), [1, 1, 1, 1]);
    assert_eq!(accepted(Operation::Delete), [0, 1, 0, 0]);
}
