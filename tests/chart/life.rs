//! A release from install to uninstall, on the real API server and controllers, with one helm after the other. Identities and their
//! definition outlive it.

use std::path::PathBuf;

use controlplane::{ControlPlane, Options};
use kube::Client;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use super::harness::{
    Helm, NAMESPACE, RELEASE, api_of, apply, chart, container, define, definition, eventually, helms, objects, only,
    restricted, served, there,
};

struct Cluster {
    client: Client,
    kubeconfig: PathBuf,
    // Its servers end with it.
    _plane: ControlPlane,
}

/// Something in the release's namespace.
fn named(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}})
}

fn secret(key: &str) -> Value {
    let mut secret = named("v1", "Secret", "unkey-operator-root-key");
    secret["stringData"] = json!({key: "unkey_root_4f0c9a2e"});
    secret
}

/// Deleted only when somebody takes its finalizer off: nobody does here.
fn identity() -> Value {
    let mut identity = named("unkey.com/v1alpha1", "Identity", "acme");
    identity["metadata"]["finalizers"] = json!(["unkey.com/identity"]);
    identity["spec"] = json!({"externalId": "acme"});
    identity
}

impl Cluster {
    async fn start() -> Self {
        let controllers = ["deployment-controller", "replicaset-controller"].map(ToOwned::to_owned).into();
        let options = Options { controller_manager: true, controllers, ..Options::default() };
        let plane = ControlPlane::start(options).await.unwrap();
        let client = plane.client().await.unwrap();
        restricted(&client, NAMESPACE).await;
        Self { client, kubeconfig: plane.kubeconfig(), _plane: plane }
    }

    /// Runs helm on the release.
    fn helm(&self, helm: &Helm, args: &[&str]) -> String {
        helm.succeeds(Some(&self.kubeconfig), &[args, &["--namespace", NAMESPACE]].concat())
    }

    /// The Deployment as the cluster has it.
    async fn deployment(&self) -> Value {
        there(&self.client, &named("apps/v1", "Deployment", RELEASE)).await.unwrap()
    }

    /// What was to be kept: uid, and that it is not being deleted.
    async fn kept(&self, object: &Value) -> Value {
        let there = there(&self.client, object).await.unwrap();
        assert_eq!(there["metadata"].get("deletionTimestamp"), None, "{there}");
        there["metadata"]["uid"].clone()
    }

    /// Waits until there are so many Pods of the Deployment's present template: the namespace takes only restricted ones.
    async fn pods(&self, count: usize) {
        let pods = api_of(&self.client, &named("v1", "Pod", "any")).await;
        let sets = api_of(&self.client, &named("apps/v1", "ReplicaSet", "any")).await;
        eventually(&format!("{count} Pods of the new template"), async || {
            let revision =
                self.deployment().await["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone();
            let list = sets.list(&ListParams::default()).await.unwrap();
            let newest = list.items.into_iter().find(|set| {
                let annotations = set.metadata.annotations.clone().unwrap_or_default();
                annotations.get("deployment.kubernetes.io/revision").is_some_and(|its| revision == *its)
            })?;
            let hash = newest.metadata.labels?.get("pod-template-hash")?.clone();
            let params = ListParams::default().labels(&format!("pod-template-hash={hash}"));
            (pods.list(&params).await.unwrap().items.len() == count).then_some(())
        })
        .await;
    }
}

fn args(deployment: &Value) -> String {
    container(std::slice::from_ref(deployment))["args"].to_string()
}

/// One release: what helm says, what the cluster has after each step, and what is left.
async fn a_release(cluster: &Cluster, helm: &Helm) {
    let chart = chart();
    let (name, client) = (helm.name, &cluster.client);

    let image = "image.repository=registry.example.com/unkey-operator";
    let said = cluster.helm(helm, &["install", RELEASE, &chart, "--set", image]);
    let command = "create secret generic unkey-operator-root-key --from-file=root-key=root-key";
    assert!(said.contains("WARNING: the Secret unkey-system/unkey-operator-root-key was not found"), "{name}: {said}");
    assert!(said.contains(command) && said.contains("watches all namespaces"), "{name}: {said}");
    cluster.pods(2).await;
    served(client, "unkey.com", "v1alpha1", "identities").await;
    let identity = identity();
    apply(client, &identity).await;
    let (definition, first) = (cluster.kept(&definition()).await, cluster.kept(&identity).await);

    apply(client, &secret("wrong")).await;
    let changes = ["--set", image, "--set", "config.workers=8", "--set", "commonLabels.stage=two"];
    let said = cluster.helm(helm, &[&["upgrade", RELEASE, &chart], &changes[..]].concat());
    assert!(
        said.contains("WARNING: the Secret unkey-system/unkey-operator-root-key has no key 'root-key'"),
        "{name}: {said}"
    );
    let upgraded = cluster.deployment().await;
    assert!(args(&upgraded).contains("--workers=8"), "{name}: {upgraded}");
    // Without a kubelet none becomes ready, so no old one may go: no more than the one that an update may add.
    cluster.pods(1).await;

    apply(client, &secret("root-key")).await;
    let said = cluster.helm(helm, &["upgrade", RELEASE, &chart, "--reuse-values"]);
    assert!(!said.contains("WARNING"), "{name}: {said}");
    let again = cluster.deployment().await;
    assert_eq!(again["metadata"]["generation"], upgraded["metadata"]["generation"], "{name}: nothing was changed");

    cluster.helm(helm, &["rollback", RELEASE, "1"]);
    let back = cluster.deployment().await;
    assert!(args(&back).contains("--workers=32"), "{name}: {back}");
    assert_eq!(back["metadata"]["labels"].get("stage"), None, "{name}: {back}");
    cluster.pods(2).await;

    // As docs/operations/upgrade.md has it: to an earlier chart without touching the definition, and forward again with it.
    let upgrade = ["upgrade", RELEASE, &chart, "--reuse-values", "--set"];
    for (set, is_part) in [("crds.enabled=false", false), ("crds.enabled=true", true)] {
        cluster.helm(helm, &[&upgrade[..], &[set]].concat());
        let manifest = objects(&cluster.helm(helm, &["get", "manifest", RELEASE]));
        assert_eq!(manifest.iter().any(|object| object["kind"] == "CustomResourceDefinition"), is_part, "{name}");
        assert_eq!(cluster.kept(&self::definition()).await, definition, "{name}: {set}");
    }

    let manifest = objects(&cluster.helm(helm, &["get", "manifest", RELEASE]));
    for object in &manifest {
        assert!(there(client, object).await.is_some(), "{name}: {object}");
    }
    cluster.helm(helm, &["uninstall", RELEASE]);
    for object in manifest.iter().filter(|object| object["kind"] != "CustomResourceDefinition") {
        let what = format!("{name}: {} {} to be gone", object["kind"], object["metadata"]["name"]);
        eventually(&what, async || there(client, object).await.is_none().then_some(())).await;
    }
    assert_eq!(cluster.kept(only(&manifest, "CustomResourceDefinition")).await, definition, "{name}");
    assert_eq!(cluster.kept(&identity).await, first, "{name}");
    let secrets = api_of(client, &secret("root-key")).await;
    secrets.delete("unkey-operator-root-key", &DeleteParams::default()).await.unwrap();
}

/// Each takes over the definition that the one before left, with the Identity that it holds.
#[tokio::test]
async fn from_install_to_uninstall_and_again() {
    let cluster = Cluster::start().await;
    let [four, three] = helms();
    for helm in [four, three, four] {
        a_release(&cluster, helm).await;
    }
}

/// Who applied the definition by hand before there was a chart is told so, and has a way on.
#[tokio::test]
async fn a_definition_made_by_hand_is_taken_over_if_asked_for() {
    let plane = controlplane::shared().await.unwrap();
    let client = plane.client().await.unwrap();
    define(&client, &definition()).await;
    let (namespace, kubeconfig, chart) = (plane.namespace("by-hand").await.unwrap(), plane.kubeconfig(), chart());
    for helm in helms() {
        let install = ["install", &namespace, &chart, "--namespace", &namespace, "--dry-run=server"];
        let output = helm.run(Some(&kubeconfig), &install);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("invalid ownership metadata"), "{}: {said}", helm.name);
        helm.succeeds(Some(&kubeconfig), &[&install[..], &["--take-ownership"]].concat());
    }
}
