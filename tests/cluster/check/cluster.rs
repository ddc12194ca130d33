//! What `check` says of a cluster and of the operator in it.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::asked::{Answer, args, check, cluster_of, path, unkey_of};
use crate::harness::{ROOT_KEY, World, eventually};
use crate::{kubeconfigs, outdated};

const POD: &str = "operator-0";

/// Makes the Pod that an operator of this world would run in, as the API server shows it.
async fn pod(world: &World, args: &[String], version: &str, is_ready: bool) {
    world.plane.service_account_kubeconfig(&world.namespace, "operator").await.unwrap();
    let labels = json!({"app.kubernetes.io/name": "unkey-operator", "app.kubernetes.io/instance": "unkey"});
    let args = [&["run".to_owned()], args].concat();
    let container = json!({"name": "operator", "image": format!("unkey-operator:{version}"), "args": args});
    let made = json!({"metadata": {"name": POD, "labels": labels}, "spec": {
        "serviceAccountName": "operator", "automountServiceAccountToken": false, "containers": [container]}});
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), &world.namespace);
    pods.create(&PostParams::default(), &serde_json::from_value(made).unwrap()).await.unwrap();
    let ready = json!({"type": "Ready", "status": if is_ready { "True" } else { "False" }});
    let status = json!({"status": {"phase": "Running", "conditions": [ready]}});
    pods.patch_status(POD, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
}

/// The flags of an operator that leads here.
fn elected(world: &World) -> Vec<String> {
    let flags = ["--leader-elect", "--lease-name=check", "--lease-duration=15s"].map(str::to_owned);
    let mine = [format!("--lease-namespace={}", world.namespace), format!("--namespace={}", world.namespace)];
    flags.into_iter().chain(mine).collect()
}

/// Alone: Identities of other tests would be taken in by nobody.
#[tokio::test]
async fn all_is_well_where_an_operator_works() {
    let world = World::alone("check-well").await;
    pod(&world, &elected(&world), env!("CARGO_PKG_VERSION"), true).await;
    let mut flags = world.args();
    let at = flags.iter().position(|arg| arg == "--namespace").unwrap();
    flags.drain(at..at + 2);
    flags.extend(elected(&world));
    let operator = world.start_as(&flags, &[("HOSTNAME", POD)]).await;
    world.create("customer", &json!({"externalId": "customer"})).await;
    world.ready("customer").await;
    let (cluster, unkey) = (cluster_of(&world), unkey_of(&world));
    let asked = args(&[&cluster, &unkey], &["--permissions"]);
    let (before, written) = (world.workspace.snapshot(), world.get("customer").await);
    let well = check(&asked).await;
    let checks = well.report["checks"].as_array().unwrap().len();
    assert_eq!((well.code, well.all_that("ok").len(), checks), (0, 16, 16), "{}", well.all);
    well.says("leader", "ok", "operator-0 leads");
    well.says("rights", "ok", "all 10 that the operator needs are there");
    well.says("unwatched", "ok", "All of 1 Identity is taken in");
    assert_eq!(well.report["settingsFrom"], json!([format!("Pod {}/{POD}", world.namespace)]));
    assert_eq!((world.workspace.snapshot(), world.get("customer").await), (before, written));
    // One that nobody takes in, and an operator that ends: it gives its lease back.
    let other = world.beside("check-unwatched").await;
    other.create("lost", &json!({"externalId": "lost"})).await;
    assert!(operator.terminate().await.success());
    let worse = check(&asked).await;
    worse.says(
        "unwatched",
        "warn",
        &format!("1 of 2 Identities are taken in by no operator: {}/lost", other.namespace),
    );
    worse.says("leader", "fail", "Nobody holds lease");
    assert_eq!((worse.code, worse.all_that("fail")), (1, vec!["leader"]), "{}", worse.all);
}

#[tokio::test]
async fn a_pod_of_another_version_that_is_not_ready_is_told() {
    let world = World::new("check-pods").await;
    pod(&world, &elected(&world), "9.9.9", false).await;
    let cluster = cluster_of(&world);
    let told = check(&args(&[&cluster], &["--operator", &world.namespace])).await;
    told.says("operator", "fail", &format!("{}/{POD}", world.namespace));
    told.says("version", "warn", "The operator is of version 9.9.9");
    told.says("leader", "fail", "does not exist");
    told.says("root-key", "skipped", "--root-key-file");
    assert_eq!((told.code, told.report["rootKeyFrom"].clone()), (1, Value::Null));
}

/// Waits until the API server publishes what the check is to see.
async fn until(asked: &[&str], holds: impl Fn(&Answer) -> bool) -> Answer {
    eventually("the definition to be published", async || Some(check(asked).await).filter(|it| holds(it))).await
}

#[tokio::test]
async fn a_definition_that_is_older_newer_or_missing_is_told() {
    let world = World::alone("check-definition").await;
    let cluster = cluster_of(&world);
    let asked = args(&[&cluster], &["--", "run"]);
    outdated::define(&world, &[("status", "uid"), ("spec", "deletionPolicy")]).await;
    let older = until(&asked, |it| it.of("definition").1.contains("older")).await;
    older.says("definition", "fail", "drops spec.deletionPolicy, status.uid; apply crds/identities.unkey.com.yaml");
    assert_eq!(older.code, 1);
    let api: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let newer = json!([{"op": "add", "value": {"type": "string"},
        "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/fromTheFuture"}]);
    outdated::define(&world, &[]).await;
    let patch = Patch::Json::<()>(serde_json::from_value(newer).unwrap());
    api.patch("identities.unkey.com", &PatchParams::default(), &patch).await.unwrap();
    until(&asked, |it| it.verdict("definition") == "warn").await.says("definition", "warn", "spec.fromTheFuture");
    api.delete("identities.unkey.com", &DeleteParams::default()).await.unwrap();
    let missing = until(&asked, |it| it.of("definition").1.contains("not installed")).await;
    assert_eq!((missing.verdict("definition"), missing.verdict("unwatched")), ("fail", "skipped"), "{}", missing.all);
    let before = check(&args(&[&cluster], &["--pre", "--", "run"])).await;
    assert_eq!((before.code, before.all_that("fail")), (0, vec![]), "{}", before.all);
    before.says("definition", "ok", "not installed yet");
}

#[tokio::test]
async fn an_api_server_that_is_away_is_told_and_unkey_all_the_same() {
    let world = World::new("check-away").await;
    let kubeconfig = kubeconfigs::write(&world, "away", &json!({"server": "https://127.0.0.1:1"}), None);
    let unkey = unkey_of(&world);
    let away = check(&args(&[&unkey], &["--kubeconfig", path(&kubeconfig)])).await;
    away.says("api-server", "fail", "The API server cannot be asked: ");
    assert_eq!((away.code, away.verdict("root-key"), away.verdict("rights")), (1, "ok", "skipped"), "{}", away.all);
}

/// An account that may look at Identities of one namespace, and no more.
#[tokio::test]
async fn missing_rights_are_named_with_whose_they_are() {
    let world = World::new("check-rights").await;
    let kubeconfig = world.plane.service_account_kubeconfig(&world.namespace, "reader").await.unwrap();
    let roles: Api<Role> = Api::namespaced(world.client.clone(), &world.namespace);
    let role = json!({"metadata": {"name": "reader"},
        "rules": [{"apiGroups": ["unkey.com"], "resources": ["identities"], "verbs": ["get", "list"]}]});
    roles.create(&PostParams::default(), &serde_json::from_value(role).unwrap()).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(world.client.clone(), &world.namespace);
    let binding = json!({"metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": world.namespace}]});
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    let (place, caller) = (&world.namespace, format!("system:serviceaccount:{}:reader", world.namespace));
    let (scope, unkey) = (format!("--namespace={place}"), unkey_of(&world));
    let asked = args(&[&unkey], &["--kubeconfig", path(&kubeconfig), "--", "run", &scope]);
    let told = eventually("the role to be heeded", async || {
        Some(check(&asked).await).filter(|it| !it.of("rights").1.contains("list identities.unkey.com in"))
    })
    .await;
    told.says("rights", "fail", &format!("Looked at the rights of {caller}: 5 of 7"));
    for right in ["watch identities", "patch identities", "patch identities.unkey.com/status", "create events"] {
        told.says("rights", "fail", right);
    }
    told.says("rights", "fail", &format!("in namespace {place}"));
    told.says("operator", "cannot-tell", "cannot list resource \"pods\"");
    assert_eq!((told.verdict("unwatched"), told.verdict("definition")), ("cannot-tell", "ok"), "{}", told.all);
    assert_eq!(told.report["caller"], json!(caller));
    assert!(!told.all.contains(ROOT_KEY));
}
