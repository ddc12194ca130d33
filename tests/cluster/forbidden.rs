//! E4: each right that the operator uses is taken away while it runs. It says which one is missing, goes on with what it can, and recovers by
//! itself when the right is back. Which rights it uses is read from the audit log, so that a new one cannot be forgotten.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{Operator, World, condition, eventually};

/// Group, resource and verb.
type Right = (&'static str, &'static str, &'static str);

const WATCH: Right = ("unkey.com", "identities", "watch");
const LIST: Right = ("unkey.com", "identities", "list");
const GET: Right = ("unkey.com", "identities", "get");
const PATCH: Right = ("unkey.com", "identities", "patch");
const STATUS: Right = ("unkey.com", "identities/status", "patch");
const TELL: Right = ("events.k8s.io", "events", "create");
const TELL_AGAIN: Right = ("events.k8s.io", "events", "patch");
const CRD: Right = ("apiextensions.k8s.io", "customresourcedefinitions", "get");
const LOOK: Right = ("coordination.k8s.io", "leases", "get");
const STAND: Right = ("coordination.k8s.io", "leases", "create");
const HOLD: Right = ("coordination.k8s.io", "leases", "update");
/// All that the operator ever needs: the chart grants these and no others.
pub const ALL: [Right; 11] = [WATCH, LIST, GET, PATCH, STATUS, TELL, TELL_AGAIN, CRD, LOOK, STAND, HOLD];

const ACCOUNT: &str = "operator";

/// Grants these and no others, and waits until the API server heeds it.
async fn grant(world: &World, rights: &[Right]) {
    let rules: Vec<Value> = rights
        .iter()
        .map(|(group, resource, verb)| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]}))
        .collect();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": ACCOUNT}, "rules": rules,
    });
    let api: Api<ClusterRole> = Api::all(world.client.clone());
    api.patch(ACCOUNT, &PatchParams::apply("tests").force(), &Patch::Apply(&role)).await.unwrap();
    for right in ALL {
        let wanted = rights.contains(&right);
        eventually(&format!("{right:?} to be allowed: {wanted}"), async || {
            (allowed(world, right).await == wanted).then_some(())
        })
        .await;
    }
}

async fn allowed(world: &World, (group, resource, verb): Right) -> bool {
    let reviews: Api<SubjectAccessReview> = Api::all(world.client.clone());
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({"metadata": {}, "spec": {
        "user": format!("system:serviceaccount:{}:{ACCOUNT}", world.namespace),
        "resourceAttributes": {"group": group, "resource": resource, "subresource": subresource, "verb": verb},
    }});
    let review = serde_json::from_value(review).unwrap();
    reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
}

/// A world whose operator is a `ServiceAccount` without any right, and watches the whole cluster.
async fn world(name: &str) -> World {
    let world = World::alone(name).await;
    let kubeconfig = world.plane.service_account_kubeconfig(&world.namespace, ACCOUNT).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(world.client.clone());
    let binding = json!({
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": world.namespace}],
    });
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    grant(&world, &[]).await;
    world.with_args(&["--kubeconfig", kubeconfig.to_str().unwrap()])
}

/// The whole cluster, by the leader. `lease`: how long it may do without the API server.
fn everywhere(world: &World, lease: &str) -> Vec<String> {
    let mut args = world.args();
    let at = args.iter().position(|arg| arg == "--namespace").unwrap();
    args.drain(at..at + 2);
    let lease = ["--leader-elect", "--lease-namespace", &world.namespace, "--lease-duration", lease];
    args.extend(lease.map(str::to_owned));
    args
}

fn is_ready(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
}

async fn in_step(world: &World) {
    eventually("every Identity to be ready or gone", async || world.list().await.iter().all(is_ready).then_some(()))
        .await;
    world.assert_in_step().await;
}

/// Waits until the log names the right in words of the API server's refusal, and gives what follows `from` in it.
async fn until_named(operator: &Operator, from: usize, (_, resource, verb): Right) {
    let words = format!("cannot {verb} resource \"{resource}\"");
    let named = |line: &str| line.replace("\\\"", "\"").contains(&words);
    eventually(&format!("'{words}' in the log"), async || {
        operator.log()[from..].lines().any(|line| named(line) && !line.contains(" DEBUG ")).then_some(())
    })
    .await;
}

/// Somebody changes the identity behind the operator's back, and has it look: that is corrected, and worth an event.
async fn drift(world: &World, name: &str, look: &str) {
    world.mutate(name, &json!({"meta": {"not": "ours"}}));
    world.poke(name, look).await;
}

/// Makes something that needs the right; the object that shows it.
async fn need(world: &World, right: Right, at: usize) -> String {
    let name = format!("made-{at}");
    match right {
        GET => {
            world.edit("old", &json!({"meta": {"n": 2}})).await;
        }
        TELL | TELL_AGAIN => drift(world, "old", &format!("look-{at}")).await,
        CRD => world.delete("goes").await,
        LIST => {
            // It goes in the middle of its create: whoever clears up after it asks for heirs.
            let held = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create).of(&name).once());
            world.create(&name, &json!({"externalId": name})).await;
            world.until_hit(held, 1).await;
            world.patch(&name, &json!({"metadata": {"finalizers": null}})).await;
            world.delete(&name).await;
            world.workspace.release(held);
        }
        _ => {
            if right == WATCH {
                // A watch that runs is not looked at again.
                world.plane.restart_api_server().await.unwrap();
            }
            world.create(&name, &json!({"externalId": name})).await;
        }
    }
    name
}

#[tokio::test]
async fn each_right_in_turn() {
    let world = world("forbidden").await;
    grant(&world, &ALL).await;
    // It outlives a restart of the API server.
    let operator = world.start_as(&everywhere(&world, "60s"), &[]).await;
    for name in ["old", "goes"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    // The first of a series is created, the next ones patch it.
    drift(&world, "old", "first").await;
    for (at, right) in [TELL_AGAIN, GET, PATCH, STATUS, CRD, LIST, WATCH].into_iter().enumerate() {
        let from = operator.log().len();
        let calls = world.calls();
        grant(&world, &ALL.into_iter().filter(|it| *it != right).collect::<Vec<_>>()).await;
        let name = need(&world, right, at).await;
        if right == CRD {
            let blocked = world.reason("goes", "DeletionBlocked").await;
            let message = condition(&blocked, "Ready")["message"].as_str().unwrap().to_owned();
            assert!(message.contains("CustomResourceDefinition"), "{message}");
        } else {
            until_named(&operator, from, right).await;
        }
        let now = world.calls();
        match right {
            GET => assert_eq!(now[2], calls[2], "no update without a look"),
            PATCH => assert_eq!(now[0], calls[0], "no create without a claim"),
            CRD => assert_eq!(now[3], calls[3], "no delete"),
            _ => {}
        }
        assert_eq!(operator.http("/livez").await.status, 200);
        grant(&world, &ALL).await;
        if right == LIST {
            eventually("what was left to be cleared up", async || world.workspace.live(&name).is_none().then_some(()))
                .await;
        }
        match right {
            CRD => world.gone("goes").await,
            TELL_AGAIN => drift(&world, "old", "told again").await,
            _ => {}
        }
        in_step(&world).await;
        assert!(world.accepted(Operation::Create, &name) <= 1, "{name}");
    }
    // An event of another kind begins a series.
    grant(&world, &ALL.into_iter().filter(|it| *it != TELL).collect::<Vec<_>>()).await;
    let from = operator.log().len();
    world.seed("adopted", &json!({"meta": {"n": 1}}));
    world.create("adopted", &json!({"externalId": "adopted", "meta": {"n": 1}})).await;
    world.ready("adopted").await;
    until_named(&operator, from, TELL).await;
    grant(&world, &ALL).await;
    world.seed("told", &json!({"meta": {"n": 1}}));
    world.create("told", &json!({"externalId": "told", "meta": {"n": 1}})).await;
    world.event("told", "Adopted").await;
    in_step(&world).await;
    assert_eq!(used(&world), ALL.map(|(group, resource, verb)| format!("{verb} {group}/{resource}")).into());
}

/// What the operator was allowed to do, and did.
fn used(world: &World) -> BTreeSet<String> {
    let granted =
        world.plane.audit(|event| event.user_agent.starts_with("unkey-operator/") && event.code != 403).unwrap();
    granted
        .iter()
        .map(|event| {
            let subresource = if event.subresource.is_empty() { "" } else { "/" };
            format!("{} {}/{}{subresource}{}", event.verb, event.group, event.resource, event.subresource)
        })
        .collect()
}

/// Without a right to the lease nobody leads, the log says which is missing, and it leads by itself when the right is back.
#[tokio::test]
async fn the_rights_to_the_lease() {
    let world = world("forbidden-lease").await;
    world.create("waits", &json!({"externalId": "waits"})).await;
    // There is no lease yet for the first two, and one that was given back for the third.
    for right in [LOOK, STAND, HOLD] {
        grant(&world, &ALL.into_iter().filter(|it| *it != right).collect::<Vec<_>>()).await;
        let from = std::fs::read_to_string(world.files.path().join("operator.log")).map_or(0, |log| log.len());
        let calls = world.calls();
        let operator = world.start_as(&everywhere(&world, "2s"), &[]).await;
        until_named(&operator, from, right).await;
        operator.until_readyz(200, "ok").await;
        assert_eq!(operator.metrics().await.sum("unkey_operator_leader", &[]), 0);
        assert_eq!(world.calls(), calls, "it does nothing");
        if right != LOOK {
            grant(&world, &ALL).await;
            eventually("it to lead", async || {
                (operator.metrics().await.sum("unkey_operator_leader", &[]) == 1).then_some(())
            })
            .await;
            world.ready("waits").await;
        }
        assert!(operator.terminate().success());
    }
    world.assert_in_step().await;
}

/// Started without any right it is not ready, says why, and begins by itself when it may.
#[tokio::test]
async fn from_nothing() {
    let world = world("forbidden-all").await;
    world.create("waits", &json!({"externalId": "waits"})).await;
    let operator = Operator::start(world.files.path().join("operator.log"), &everywhere(&world, "15s"), &[]);
    until_named(&operator, 0, WATCH).await;
    operator.until_readyz(503, "the list of Identities").await;
    assert_eq!(world.calls(), [0; 5]);
    grant(&world, &ALL).await;
    world.ready("waits").await;
    operator.until_readyz(200, "ok").await;
    world.assert_in_step().await;
}
