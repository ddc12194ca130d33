//! One test's world: a namespace, an Unkey workspace, and the operator between them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use controlplane::{AuditEvent, ControlPlane};
use cutting_proxy::Proxy;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use unkey_emulator::{Emulator, Operation, Options, Permissions, Workspace};

use super::Operator;
use super::eventually::{DEADLINE, eventually};

/// The root key every world starts with, all permissions.
pub const ROOT_KEY: &str = "unkey_root_4f0c9a2e";

/// A manifest.
pub fn identity(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "unkey.com/v1alpha1", "kind": "Identity", "metadata": {"name": name}, "spec": spec})
}

/// One test's world.
pub struct World {
    pub plane: &'static ControlPlane,
    pub client: kube::Client,
    pub namespace: String,
    pub emulator: Emulator,
    pub workspace: Workspace,
    pub files: TempDir,
    extra: Vec<String>,
}

async fn install_crd(client: &kube::Client) {
    let crd: CustomResourceDefinition =
        serde_yaml::from_str(include_str!("../../../crds/identities.unkey.com.yaml")).unwrap();
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    api.patch("identities.unkey.com", &PatchParams::apply("tests").force(), &Patch::Apply(&crd)).await.unwrap();
    let established = await_condition(api, "identities.unkey.com", conditions::is_crd_established());
    tokio::time::timeout(DEADLINE, established).await.unwrap().unwrap();
}

impl World {
    /// A fresh world; no operator runs in it yet.
    pub async fn new(name: &str) -> Self {
        static CRD: OnceCell<()> = OnceCell::const_new();
        let plane = controlplane::shared().await.unwrap();
        let client = plane.client().await.unwrap();
        CRD.get_or_init(|| install_crd(&client)).await;
        Self::on(plane, name).await
    }

    /// A fresh world with a control plane of its own, for tests that break it. Its servers end with this process.
    pub async fn alone(name: &str) -> Self {
        let options = controlplane::Options { audit: true, ..controlplane::Options::default() };
        let plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::start(options).await.unwrap()));
        install_crd(&plane.client().await.unwrap()).await;
        Self::on(plane, name).await
    }

    async fn on(plane: &'static ControlPlane, name: &str) -> Self {
        let client = plane.client().await.unwrap();
        let namespace = plane.namespace(name).await.unwrap();
        let emulator = Emulator::start(Options::default()).await.unwrap();
        let workspace = emulator.workspace("acme");
        workspace.add_root_key(ROOT_KEY, Permissions::ALL);
        let files = TempDir::new().unwrap();
        let world = Self { plane, client, namespace, emulator, workspace, files, extra: Vec::new() };
        world.write_key(ROOT_KEY);
        world
    }

    /// Adds arguments to every operator started from now on, in place of what an earlier call gave for the same flags.
    pub fn with_args(mut self, args: &[&str]) -> Self {
        for pair in args.chunks(2) {
            if let Some(at) = self.extra.iter().position(|arg| arg == pair[0]) {
                self.extra.drain(at..at + 2);
            }
        }
        self.extra.extend(args.iter().map(ToString::to_string));
        self
    }

    /// Every operator started from now on sees Kubernetes through a proxy.
    pub async fn behind_proxy(self) -> (Self, Proxy) {
        let proxy = Proxy::start(&self.plane.kubeconfig()).await.unwrap();
        (self.with_args(&["--kubeconfig", proxy.kubeconfig().to_str().unwrap()]), proxy)
    }

    /// Every operator started from now on sees Kubernetes through none.
    pub fn without_proxy(self) -> Self {
        let kubeconfig = self.plane.kubeconfig();
        self.with_args(&["--kubeconfig", kubeconfig.to_str().unwrap()])
    }

    /// The file the operator reads its root key from.
    pub fn key_file(&self) -> PathBuf {
        self.files.path().join("root-key")
    }

    /// Puts another key into that file, in one step as a mounted Secret does.
    pub fn write_key(&self, key: &str) {
        let next = self.files.path().join("root-key.next");
        std::fs::write(&next, format!("{key}\n")).unwrap();
        std::fs::rename(next, self.key_file()).unwrap();
    }

    /// The arguments an operator of this world gets. A short window and timeout, so that tests need not wait for the real ones.
    pub fn args(&self) -> Vec<String> {
        let kubeconfig = self.plane.kubeconfig();
        let mut args: Vec<String> = [
            "--kubeconfig",
            kubeconfig.to_str().unwrap(),
            "--namespace",
            &self.namespace,
            "--api-url",
            &self.emulator.base_url(),
            "--root-key-file",
            self.key_file().to_str().unwrap(),
            "--admin-address",
            "127.0.0.1:0",
            "--consistency-window",
            "700ms",
            "--request-timeout",
            "1500ms",
            // Tests of the scan turn it on; all others count calls.
            "--scan-interval",
            "0s",
            // The tests of hold and brake turn them on.
            "--deletion-hold",
            "0s",
            "--max-deletions",
            "0",
            "--log-level",
            "debug",
        ]
        .map(ToOwned::to_owned)
        .into();
        // A value that a test gives takes the place of the world's own; a flag that it gives twice stays twice.
        for pair in self.extra.chunks(2) {
            if let Some(at) = args.iter().position(|arg| *arg == pair[0]) {
                args.drain(at..at + 2);
            }
        }
        args.extend(self.extra.iter().cloned());
        args
    }

    /// The same for an operator that watches the whole cluster, as it does by default.
    pub fn args_everywhere(&self) -> Vec<String> {
        let mut args = self.args();
        let at = args.iter().position(|arg| arg == "--namespace").unwrap();
        args.drain(at..at + 2);
        args
    }

    /// A world whose operator works on one object at a time, in order: what [`World::barrier`] needs.
    pub async fn in_order(name: &str) -> Self {
        Self::new(name).await.with_args(&["--workers", "1"])
    }

    /// A world that shares the cluster and the Unkey workspace of this one, root key included.
    pub async fn beside(&self, name: &str) -> Self {
        let url = self.emulator.base_url();
        let mut beside = Self::on(self.plane, name).await.with_args(&["--api-url", &url]);
        beside.workspace = self.workspace.clone();
        beside
    }

    /// Starts an operator, and waits until it has listed what there is.
    pub async fn start(&self) -> Operator {
        self.start_as(&self.args(), &[]).await
    }

    /// The same with other arguments and an environment.
    pub async fn start_as(&self, args: &[String], env: &[(&str, &str)]) -> Operator {
        let log = self.files.path().join("operator.log");
        let listed = |text: &str| text.matches("listed the Identities").count();
        let before = std::fs::read_to_string(&log).map_or(0, |text| listed(&text));
        let operator = Operator::start(log, args, env);
        eventually("the operator to list", async || (listed(&operator.log()) > before).then_some(())).await;
        operator
    }

    pub(super) fn api(&self) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("unkey.com", "v1alpha1", "Identity"),
            "identities",
        );
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    /// Creates an Identity of this name and spec.
    pub async fn create(&self, name: &str, spec: &Value) -> Value {
        let object: DynamicObject = serde_json::from_value(identity(name, spec)).unwrap();
        serde_json::to_value(self.api().create(&PostParams::default(), &object).await.unwrap()).unwrap()
    }

    /// Creates what `manifest` says, or the API server's refusal.
    pub async fn try_create(&self, manifest: &Value) -> Result<Value, kube::Error> {
        let object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
        self.api().create(&PostParams::default(), &object).await.map(|object| serde_json::to_value(object).unwrap())
    }

    /// Merge-patches an Identity.
    pub async fn patch(&self, name: &str, patch: &Value) -> Value {
        let patched = self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        serde_json::to_value(patched).unwrap()
    }

    /// The same with one that may be gone.
    pub async fn patch_if_there(&self, name: &str, patch: &Value) {
        match self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            patched => drop(patched.unwrap()),
        }
    }

    /// Merge-patches an Identity's spec.
    pub async fn edit(&self, name: &str, spec: &Value) -> Value {
        self.patch(name, &json!({"spec": spec})).await
    }

    /// `kubectl delete --all` of its Identities; waits for none.
    pub async fn delete_all(&self) {
        let args = ["delete", "identities.unkey.com", "--all", "--wait=false", "-n", &self.namespace];
        succeeded(&self.run_kubectl(&args, "").await);
    }

    /// Asks for the deletion of an Identity.
    pub async fn delete(&self, name: &str) {
        self.api().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// The Identity as it is now, or `None`.
    pub async fn get(&self, name: &str) -> Option<Value> {
        self.try_get(name).await.unwrap()
    }

    /// The same, or why the API server cannot say.
    pub async fn try_get(&self, name: &str) -> Result<Option<Value>, kube::Error> {
        match self.api().get(name).await {
            Ok(object) => Ok(Some(serde_json::to_value(object).unwrap())),
            Err(kube::Error::Api(status)) if status.code == 404 && status.details.is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All Identities of the namespace.
    pub async fn list(&self) -> Vec<Value> {
        let all = self.api().list(&ListParams::default()).await.unwrap();
        all.items.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// Waits until the Identity is as `holds` wants it.
    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{name} to be {what}");
        eventually(&what, async || self.get(name).await.filter(|object| holds(object))).await
    }

    /// Waits until the Identity is Ready for its current generation.
    pub async fn ready(&self, name: &str) -> Value {
        self.until(name, "ready", |object| {
            let ready = condition(object, "Ready");
            ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
        })
        .await
    }

    /// Waits until Ready has this reason, for the current generation.
    pub async fn reason(&self, name: &str, reason: &str) -> Value {
        self.until(name, reason, |object| {
            let ready = condition(object, "Ready");
            ready["reason"] == reason && ready["observedGeneration"] == object["metadata"]["generation"]
        })
        .await
    }

    /// Waits until the Identity is gone from the API server.
    pub async fn gone(&self, name: &str) {
        eventually(&format!("{name} to be gone"), async || self.get(name).await.is_none().then_some(())).await;
    }

    /// Writes of the operator to Identities of this world, as the API server logged them: `(main resource, status)`.
    pub fn kube_writes(&self) -> (usize, usize) {
        let writes: Vec<AuditEvent> = self
            .plane
            .audit_in(&self.namespace)
            .unwrap()
            .into_iter()
            .filter(|event| {
                event.is_write() && event.resource == "identities" && event.user_agent.starts_with("unkey-operator/")
            })
            .collect();
        let status = writes.iter().filter(|event| event.subresource == "status").count();
        (writes.len() - status, status)
    }

    /// Calls to Unkey: `(create, get, update, delete, list)`.
    pub fn calls(&self) -> [u64; 5] {
        let counts = self.workspace.counts();
        [Operation::Create, Operation::Get, Operation::Update, Operation::Delete, Operation::List]
            .map(|operation| counts.of(operation))
    }

    /// Runs the real kubectl in this namespace.
    pub fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> Output {
        let mut command = self.plane.kubectl_command().unwrap();
        command.args(["-n", &self.namespace]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(stdin.unwrap_or_default().as_bytes()).unwrap();
        drop(pipe);
        child.wait_with_output().unwrap()
    }
}

/// A condition of an Identity; `Null` if it is not there.
pub fn condition(object: &Value, kind: &str) -> Value {
    let all = object["status"]["conditions"].as_array();
    all.and_then(|all| all.iter().find(|c| c["type"] == kind)).cloned().unwrap_or(Value::Null)
}

/// Standard output of a command that must have succeeded.
pub fn succeeded(output: &Output) -> String {
    let mut text = String::new();
    let _ = write!(text, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
