//! `/livez`, `/readyz` and `/metrics` while things go wrong.

mod words;

use controlplane::ControlPlane;
use cutting_proxy::{Fault as KubeFault, FaultKind as KubeFaultKind};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use serde_json::json;
use tempfile::TempDir;
use unkey_emulator::{Fault, FaultKind, Operation, Seed};

use super::harness::{Operator, World, eventually, lint, refusal};

#[tokio::test]
async fn alive_and_ready_while_unkey_is_down() {
    let world = World::new("unkey-down").await;
    let operator = world.start().await;
    world.workspace.order(Fault::new(FaultKind::html(503)));
    world.create("a", &json!({"externalId": "a"})).await;
    world.reason("a", "UpstreamUnavailable").await;
    for path in ["/livez", "/readyz"] {
        let answer = operator.http(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"), "{path}: a restart would not help");
    }
    assert_eq!(operator.http("/nothing").await.status, 404);
    world.workspace.clear_faults();
    world.ready("a").await;
}

/// Installed before its CRD, it says what is missing and goes on by itself.
#[tokio::test]
async fn installed_before_its_crd() {
    let plane = ControlPlane::start(controlplane::Options::default()).await.unwrap();
    let files = TempDir::new().unwrap();
    std::fs::write(files.path().join("key"), "unkey_key_of_nobody").unwrap();
    let (kubeconfig, key) = (plane.kubeconfig(), files.path().join("key"));
    let args = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--root-key-file", key.to_str().unwrap()];
    let rest = ["--api-url", "http://127.0.0.1:9", "--admin-address", "127.0.0.1:0"];
    let args: Vec<String> = args.iter().chain(&rest).map(ToString::to_string).collect();
    let log = files.path().join("log");
    let mut impatient = Operator::start(log.clone(), &args, &[]);
    impatient.until_readyz(503, "CRD").await;
    impatient.signal("TERM");
    assert_eq!(impatient.ended().await.code(), Some(0), "a signal ends it while it waits, too");

    std::fs::write(&log, "").unwrap();
    let mut operator = Operator::start(log, &args, &[]);
    operator.until_readyz(503, "CRD").await;
    operator.until_logged("install the CRD").await;
    assert_eq!(operator.http("/livez").await.status, 200);

    let crd = include_str!("../../crds/identities.unkey.com.yaml");
    let crd: CustomResourceDefinition = serde_yaml::from_str(crd).unwrap();
    let crds: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    crds.create(&PostParams::default(), &crd).await.unwrap();
    operator.until_readyz(200, "ok").await;
    assert_eq!(operator.log().matches("install the CRD").count(), 1, "told once");
    operator.signal("TERM");
    assert_eq!(operator.ended().await.code(), Some(0));
    plane.stop().await;
}

/// Many kinds of error, one after the other.
#[tokio::test]
async fn metrics_tell_what_happens_in_a_closed_set_of_words() {
    let (world, proxy) = World::new("metrics").await.behind_proxy().await;
    let operator = world.start().await;
    // The API server refuses a read once, and a write.
    for verb in ["get", "patch"] {
        proxy.order(KubeFault::new(KubeFaultKind::forbidden()).verb(verb).on("identities").once());
    }
    // What is to be deleted is gone already.
    world.create("gone", &json!({"externalId": "gone"})).await;
    world.ready("gone").await;
    assert!(world.workspace.delete("gone"));
    world.delete("gone").await;
    world.gone("gone").await;
    // Every class of answer, with words in it that must not become labels.
    let errors = [
        ("lost", FaultKind::DropBefore),
        ("failed", FaultKind::internal_error()),
        ("page", FaultKind::html(503)),
        ("denied", refusal(403, "unkey/authorization/insufficient_permissions", "odd detail 18")),
        ("rejected", refusal(400, "unkey/application/odd_code_19", "odd detail 19")),
        ("elsewhere", FaultKind::not_found_text()),
        ("garbage", FaultKind::Garbage),
    ];
    let fail = async |name: &str, kind: &FaultKind| {
        for operation in [Operation::Create, Operation::Get] {
            world.workspace.order(Fault::new(kind.clone()).on(operation).of(name));
        }
        world.create(name, &json!({"externalId": name})).await;
        let first = format!("{name}-first");
        for operation in [Operation::Create, Operation::Get] {
            world.workspace.order(Fault::new(kind.clone()).on(operation).of(&first));
        }
        world.create(&first, &json!({"externalId": first, "adoptionPolicy": "Never"})).await;
    };
    for (name, kind) in &errors {
        fail(name, kind).await;
    }
    let taken = json!({"theirs": 1}).as_object().cloned();
    world.workspace.seed(Seed { external_id: "taken".to_owned(), meta: taken, ratelimits: None }).unwrap();
    world.create("taken", &json!({"externalId": "taken", "meta": {"ours": 1}})).await;
    world.create("fine", &json!({"externalId": "fine"})).await;
    world.create("suspended", &json!({"externalId": "suspended", "suspend": true})).await;
    world.ready("fine").await;
    world.reason("taken", "AlreadyExists").await;
    world.reason("rejected", "Rejected").await;
    for name in ["lost", "page", "elsewhere", "garbage"] {
        world.reason(name, "UpstreamUnavailable").await;
        world.reason(&format!("{name}-first"), "UpstreamUnavailable").await;
    }
    world.reason("failed-first", "UpstreamUnavailable").await;
    // Others succeed, so that in the end it is this content that Unkey cannot process (R16).
    world.reason("failed", "NotConverging").await;
    // These two are of the root key, so that everything stops with them.
    fail("limited", &FaultKind::TooMany { retry_after: Some("1".to_owned()) }).await;
    world.reason("limited", "RateLimited").await;
    fail("refused", &refusal(401, "unkey/authentication/odd_code_17", "odd detail 17")).await;
    world.reason("refused", "Unauthorized").await;
    world.reason("refused-first", "Unauthorized").await;

    let metrics = operator.metrics().await;
    words::assert_closed(&metrics);
    for outcome in words::OUTCOMES {
        assert!(metrics.sum("unkey_operator_upstream_requests_total", &[("outcome", outcome)]) > 0, "{outcome}");
    }
    assert!(metrics.sum("unkey_operator_reconciles_total", &[("result", "error")]) > 0);
    // The linter finds what is wrong, and nothing here.
    assert_eq!(lint(&operator.http("/metrics").await.body), "");
    assert!(lint("# HELP a_ms Of time.\n# TYPE a_ms counter\na_ms_total 1\n# EOF\n").contains("abbreviated"));

    assert_eq!(metrics.families["unkey_operator_upstream_request_duration_seconds"], "histogram");
    assert_eq!(metrics.families["unkey_operator_upstream_requests_in_flight"], "gauge");

    let requests = |operation, outcome| {
        metrics.sum("unkey_operator_upstream_requests_total", &[("operation", operation), ("outcome", outcome)])
    };
    assert!(requests("create", "ok") > 0 && requests("create", "exists") > 0 && requests("get", "ok") > 0);
    assert!(requests("create", "unknown_outcome") > 0 && requests("create", "credential") > 0);
    let all = metrics.sum("unkey_operator_upstream_requests_total", &[]);
    assert_eq!(metrics.sum("unkey_operator_upstream_request_duration_seconds_count", &[]), all);
    assert!(metrics.sum("unkey_operator_reconciles_total", &[("result", "ok")]) > 10);
    let passes = metrics.sum("unkey_operator_reconciles_total", &[]);
    assert_eq!(metrics.sum("unkey_operator_reconcile_duration_seconds_count", &[]), passes);
    assert_eq!(metrics.sum("unkey_operator_leader", &[]), 1);
    let count = u64::try_from(world.list().await.len()).unwrap();
    assert_eq!(metrics.sum("unkey_operator_identities", &[]), count);
    for reason in ["Synced", "AlreadyExists", "Suspended"] {
        assert_eq!(metrics.sum("unkey_operator_identities", &[("reason", reason)]), 1, "{reason}");
    }
    assert!(metrics.sum("unkey_operator_identities", &[("reason", "Rejected")]) > 0);
}

/// What an on-call asks first: is anything out of step, for how long, and how long does it take.
#[tokio::test]
async fn how_long_what_is_out_of_step_has_been_so_is_shown() {
    let world = World::new("unsynced").await;
    let operator = world.start().await;
    let oldest = async || {
        let metrics = operator.metrics().await;
        let sample = metrics.samples.iter().find(|it| it.name == "unkey_operator_oldest_unsynced_age_seconds");
        sample.unwrap().value
    };
    let synced = async || operator.metrics().await.sum("unkey_operator_sync_duration_seconds_count", &[]);
    // What waits for a person, or is not to be worked on, has its own figure.
    world.create("suspended", &json!({"externalId": "suspended", "suspend": true})).await;
    world.reason("suspended", "Suspended").await;
    world.create("a", &json!({"externalId": "a"})).await;
    world.ready("a").await;
    eventually("two in step", async || (synced().await == 2).then_some(())).await;
    assert!(oldest().await <= 0.0);
    let held = world.workspace.order(Fault::new(FaultKind::HoldAnswer));
    world.edit("a", &json!({"meta": {"n": 1}})).await;
    eventually("it to grow", async || (oldest().await > 0.3).then_some(())).await;
    world.workspace.release(held);
    world.ready("a").await;
    eventually("three in step", async || (synced().await == 3).then_some(())).await;
    assert!(oldest().await <= 0.0);
}

/// What the operator did on its own is counted, each as an event is told.
#[tokio::test]
async fn what_was_done_on_its_own_is_counted() {
    let world = World::new("notes").await;
    world.seed("a", &json!({}));
    let operator = world.start().await;
    world.create("a", &json!({"externalId": "a", "meta": {"n": 1}})).await;
    world.ready("a").await;
    world.event("a", "Adopted").await;
    world.mutate("a", &json!({"meta": {"n": 2}}));
    world.request_reconcile("a", "now").await;
    world.event("a", "DriftCorrected").await;
    let metrics = operator.metrics().await;
    let count = |event| metrics.sum("unkey_operator_events_total", &[("event", event)]);
    assert_eq!(["Adopted", "DriftCorrected", "Recreated", "Orphaned"].map(count), [1, 1, 0, 0]);
}

#[tokio::test]
async fn requests_in_flight_are_counted_while_they_are() {
    let world = World::new("in-flight").await.with_args(&["--request-timeout", "60s"]);
    let operator = world.start().await;
    let held = world.workspace.order(Fault::new(FaultKind::HoldAnswer));
    for name in ["a", "b", "c"] {
        world.create(name, &json!({"externalId": name})).await;
    }
    let gauge = async |wanted: u64| {
        eventually(&format!("{wanted} requests in flight"), async || {
            let now = operator.metrics().await.sum("unkey_operator_upstream_requests_in_flight", &[]);
            (now == wanted).then_some(())
        })
        .await;
    };
    gauge(3).await;
    world.workspace.release(held);
    for name in ["a", "b", "c"] {
        world.ready(name).await;
    }
    gauge(0).await;
}

/// S15: what is deleted in the gap between the loss of its finalizer and its return is left by the user's hand. It is counted.
#[tokio::test]
async fn an_identity_left_behind_by_hand_is_logged_and_counted() {
    let world = World::new("left-behind").await;
    let operator = world.start().await;
    for name in ["kept", "stripped"] {
        world.create(name, &json!({"externalId": name})).await;
        world.ready(name).await;
    }
    // While the operator looks away.
    operator.signal("STOP");
    world.patch("stripped", &json!({"metadata": {"finalizers": null}})).await;
    world.delete("stripped").await;
    operator.signal("CONT");
    let left = "unkey_operator_identities_left_behind_total";
    eventually("one left behind", async || (operator.metrics().await.sum(left, &[]) == 1).then_some(())).await;
    let id = world.workspace.live("stripped").expect("left in Unkey").id;
    assert!(operator.log().contains(&id), "the log names it");
    // An ordinary deletion is none.
    world.delete("kept").await;
    world.gone("kept").await;
    assert!(world.workspace.live("kept").is_none());
    assert_eq!(operator.metrics().await.sum(left, &[]), 1);
}

#[tokio::test]
async fn a_selector_that_is_none_is_refused_at_start() {
    let world = World::new("selector").await.with_args(&["--selector", "not a selector"]);
    let log = world.files.path().join("refused.log");
    let mut operator = Operator::start(log, &world.args(), &[]);
    assert_eq!(operator.ended().await.code(), Some(2));
    assert!(operator.log().contains("the API server refuses --selector"), "{}", operator.log());
}
