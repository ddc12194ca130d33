//! A cluster with a node, an Unkey, and one release of the chart. Asserts only what must hold in every such world.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use controlplane::{ControlPlane, Options};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use nodelet::Nodelet;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use unkey_emulator::{Emulator, Permissions, Workspace};

use super::look::is_ready;
use crate::harness::{
    Helm, NAMESPACE, OPERATOR, RELEASE, api_of, apply, chart, define, definition, eventually, restricted, there,
};

pub const ROOT_KEY: &str = "unkey_root_4f0c9a2e";
/// What has helm wait until all is ready.
pub const WAIT: [&str; 2] = ["--wait", "--timeout=120s"];
pub const SECRET: &str = "unkey-operator-root-key";

pub struct World {
    pub client: Client,
    pub namespace: String,
    pub emulator: Emulator,
    pub workspace: Workspace,
    pub nodelet: Nodelet,
    pub plane: &'static ControlPlane,
    values: Vec<String>,
}

/// A control plane whose controllers make Pods.
pub async fn start_plane() -> ControlPlane {
    let controllers = ["deployment-controller", "replicaset-controller", "disruption-controller"];
    let controllers = controllers.map(ToOwned::to_owned).into();
    let options = Options { controller_manager: true, controllers, audit: true, ..Options::default() };
    ControlPlane::start(options).await.unwrap()
}

/// A node for those Pods of a namespace that have the labels.
pub async fn start_node(plane: &ControlPlane, namespace: &str, node: &str, selector: &str) -> Nodelet {
    let options = nodelet::Options {
        node: node.to_owned(),
        namespace: namespace.to_owned(),
        selector: selector.to_owned(),
        program: OPERATOR.into(),
    };
    Nodelet::start(plane, options).await.unwrap()
}

/// What a node has noted, and the logs of its Pods: for a test that fails.
pub fn print_logs(nodelet: &Nodelet) {
    eprintln!("--- the nodelet ---\n{}", nodelet.notes());
    for pod in nodelet.running() {
        eprintln!("--- {pod} ---\n{}", nodelet.log(&pod));
    }
}

async fn plane(of: &'static OnceCell<ControlPlane>) -> &'static ControlPlane {
    of.get_or_init(start_plane).await
}

/// What every release is told here: where Unkey is, a port that is free, and short times.
pub fn values(emulator: &Emulator) -> Vec<String> {
    // Free on all addresses now, so that whoever else is on this machine does not have it.
    let port = TcpListener::bind(("0.0.0.0", 0)).unwrap().local_addr().unwrap().port();
    vec![
        format!("config.apiUrl={}", emulator.base_url()),
        format!("config.adminPort={port}"),
        "leaderElection.leaseDuration=3s".to_owned(),
        // What the one before has claimed, and may have sent, is Ready when both have passed.
        "config.consistencyWindow=1s".to_owned(),
        "config.requestTimeout=3s".to_owned(),
        "readinessProbe.periodSeconds=1".to_owned(),
        // What a person has time to see, a test has to wait for.
        "deletion.hold=1s".to_owned(),
        "image.repository=registry.example.com/unkey-operator".to_owned(),
    ]
}

impl World {
    /// With a release that is to work on all namespaces: a cluster to itself, and so to one test.
    pub async fn of_a_cluster(of: &'static OnceCell<ControlPlane>) -> Self {
        Self::on(plane(of).await, NAMESPACE, Vec::new()).await
    }

    /// With a release for its own namespace only, in a cluster that others use too.
    pub async fn of_a_namespace(name: &str) -> Self {
        static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
        let plane = plane(&PLANE).await;
        define(&plane.client().await.unwrap(), &definition()).await;
        let namespace = plane.namespace(name).await.unwrap();
        let values = vec!["crds.enabled=false".to_owned(), format!("watchNamespaces={{{namespace}}}")];
        Self::on(plane, &namespace, values).await
    }

    async fn on(plane: &'static ControlPlane, namespace: &str, mut values: Vec<String>) -> Self {
        let client = plane.client().await.unwrap();
        restricted(&client, namespace).await;
        let emulator = Emulator::start(unkey_emulator::Options::default()).await.unwrap();
        let workspace = emulator.workspace("acme");
        workspace.add_root_key(ROOT_KEY, Permissions::ALL);
        let selector = format!("app.kubernetes.io/instance={RELEASE}");
        let nodelet = start_node(plane, namespace, &format!("{namespace}-node"), &selector).await;
        values.extend(self::values(&emulator));
        Self { client, namespace: namespace.to_owned(), emulator, workspace, nodelet, plane, values }
    }

    /// Runs helm while everything else goes on.
    pub async fn try_helm(&self, helm: &'static Helm, args: &[&str]) -> Output {
        let mut args: Vec<String> = args.iter().map(ToString::to_string).collect();
        args.extend(["--namespace".to_owned(), self.namespace.clone()]);
        let kubeconfig = self.plane.kubeconfig();
        let run = move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            helm.run(Some(Path::new(&kubeconfig)), &args)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// The same if it must succeed: what it says.
    pub async fn helm(&self, helm: &'static Helm, args: &[&str]) -> String {
        let output = self.try_helm(helm, args).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {args:?}: {said}", helm.name);
        String::from_utf8(output.stdout).unwrap()
    }

    /// `helm install` or `helm upgrade` of the release with these flags besides the world's own values.
    pub async fn release(&self, helm: &'static Helm, verb: &str, flags: &[&str]) -> String {
        let (chart, values) = (chart(), self.values.join(","));
        self.helm(helm, &[&[verb, RELEASE, &chart, "--set", &values], flags].concat()).await
    }

    /// The values that the chart of 0.1 knows, too.
    pub fn values_of_0_1(&self) -> String {
        let known = self.values.iter().filter(|value| !value.starts_with("deletion."));
        known.map(String::as_str).collect::<Vec<_>>().join(",")
    }

    /// Makes or changes the Secret.
    pub async fn secret(&self, key: &str, value: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": self.namespace},
            "stringData": {key: value},
        });
        apply(&self.client, &secret).await;
    }

    pub fn identity(&self, name: &str) -> Value {
        json!({
            "apiVersion": "unkey.com/v1alpha1", "kind": "Identity",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": {"externalId": name, "meta": {"n": 1}},
        })
    }

    pub async fn create(&self, name: &str) {
        apply(&self.client, &self.identity(name)).await;
    }

    /// The status and the reason of the condition Ready.
    pub async fn condition(&self, name: &str) -> Option<(String, String)> {
        let object = there(&self.client, &self.identity(name)).await?;
        let conditions = object["status"]["conditions"].as_array()?;
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
        Some((ready["status"].as_str()?.to_owned(), ready["reason"].as_str()?.to_owned()))
    }

    /// Waits until an Identity is Ready; the id of what Unkey holds.
    pub async fn ready(&self, name: &str) -> String {
        eventually(&format!("the Identity {name} to be Ready"), async || {
            self.condition(name).await.filter(|(status, _)| status == "True")
        })
        .await;
        self.workspace.live(name).unwrap().id
    }

    pub async fn not_ready_for(&self, name: &str, why: &str) {
        eventually(&format!("the Identity {name} to be {why}"), async || {
            self.condition(name).await.filter(|(status, reason)| status == "False" && reason == why)
        })
        .await;
    }

    /// Creates an Identity and waits until it is Ready.
    pub async fn works(&self, name: &str) {
        self.create(name).await;
        self.ready(name).await;
    }

    pub fn api(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn pods(&self) -> Vec<Pod> {
        self.api().list(&ListParams::default()).await.unwrap().items
    }

    /// The Pods that are ready and to stay.
    pub async fn ready_pods(&self) -> BTreeSet<String> {
        self.pods().await.iter().filter(|pod| is_ready(pod)).map(ResourceExt::name_any).collect()
    }

    pub async fn until_ready_pods(&self, count: usize) -> BTreeSet<String> {
        eventually(&format!("{count} ready Pods"), async || {
            Some(self.ready_pods().await).filter(|pods| pods.len() == count)
        })
        .await
    }

    /// What a namespaced object of the release is now.
    pub async fn deployment(&self) -> Value {
        let named = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": RELEASE, "namespace": self.namespace},
        });
        there(&self.client, &named).await.unwrap()
    }

    /// How many of a kind there are in the namespace.
    pub async fn count(&self, api_version: &str, kind: &str) -> usize {
        let any =
            json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "any", "namespace": self.namespace}});
        api_of(&self.client, &any).await.list(&ListParams::default()).await.unwrap().items.len()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            print_logs(&self.nodelet);
        }
    }
}
