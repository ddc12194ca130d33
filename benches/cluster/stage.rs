//! What the benches play on: one real etcd and kube-apiserver, one Unkey, and for each play a namespace and a workspace of its own.
//! The operator watches the whole cluster, so a play has to leave it as empty as it was.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use controlplane::{ControlPlane, Options};
use http::HeaderValue;
use http::header::USER_AGENT;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use serde_json::{Value, json};
use tempfile::TempDir;
use unkey_operator::api::{CRD_NAME, GROUP, PLURAL, VERSION, crd};

use crate::object::Object;
use crate::process;
use crate::program;
use crate::unkey::{Unkey, Workspace};

/// Everything that runs beside the operator.
pub struct Stage {
    plane: ControlPlane,
    unkey: Unkey,
    files: TempDir,
    scenes: AtomicUsize,
    can_be_unbounded: bool,
}

impl Stage {
    pub async fn set() -> Arc<Self> {
        let options = Options { audit: true, ..Options::default() };
        let plane = ControlPlane::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        let files = TempDir::new().expect("a temporary folder");
        let can_be_unbounded = program::can_be_unbounded();
        let stage = Self { plane, unkey: Unkey::start(), files, scenes: AtomicUsize::new(0), can_be_unbounded };
        stage.install_crd().await;
        Arc::new(stage)
    }

    /// Stops everything, off the runtime's workers. Whoever else still holds it stops it later.
    pub async fn strike(self: Arc<Self>) {
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    async fn install_crd(&self) {
        let api: Api<CustomResourceDefinition> = Api::all(self.client_named("unkey-bench").await);
        let crd = crd().expect("the definition");
        let applied = api.patch(CRD_NAME, &PatchParams::apply("bench").force(), &Patch::Apply(&crd)).await;
        applied.unwrap_or_else(|error| panic!("the definition is refused: {error}"));
        let established = await_condition(api, CRD_NAME, conditions::is_crd_established());
        let waited = tokio::time::timeout(Duration::from_secs(60), established).await;
        assert!(waited.is_ok_and(|it| it.is_ok()), "in vain: waited 60 s for the definition to be established");
    }

    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    pub fn unkey(&self) -> &Unkey {
        &self.unkey
    }

    pub fn can_be_unbounded(&self) -> bool {
        self.can_be_unbounded
    }

    /// Where a file of that name goes.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// A client as the operator builds its own, under another name.
    pub async fn client_named(&self, agent: &'static str) -> Client {
        let mut config = self.plane.config().await.unwrap_or_else(|error| panic!("{error}"));
        config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
        Client::try_from(config).expect("a Kubernetes client")
    }

    /// A namespace and a workspace that nothing has been done in.
    pub async fn scene(self: &Arc<Self>) -> Arc<Scene> {
        let number = self.scenes.fetch_add(1, Ordering::Relaxed);
        let namespace = self.plane.namespace("bench").await.unwrap_or_else(|error| panic!("{error}"));
        let workspace = self.unkey.workspace(&format!("bench-{number}")).await;
        let client = self.client_named("unkey-bench").await;
        Arc::new(Scene { stage: Arc::clone(self), namespace, workspace, client })
    }

    /// Versions of all that is measured with and against.
    pub async fn versions(&self) -> Value {
        let client = self.client_named("unkey-bench").await;
        let server = client.apiserver_version().await.map_or_else(|_| "unknown".to_owned(), |it| it.git_version);
        let etcd = self.plane.kubectl().map(|kubectl| kubectl.with_file_name("etcd"));
        let repository = env!("CARGO_MANIFEST_DIR");
        json!({
            "operator": program::version(),
            "commit": process::says(Command::new("git").args(["-C", repository, "describe", "--always", "--dirty"])),
            "rustc": process::says(Command::new("rustc").arg("--version")),
            "kubeApiserver": server,
            "etcd": etcd.map_or_else(|_| "unknown".to_owned(), |etcd| process::says(Command::new(etcd).arg("--version"))),
        })
    }
}

/// Where one play takes place.
pub struct Scene {
    stage: Arc<Stage>,
    namespace: String,
    workspace: Workspace,
    client: Client,
}

impl Scene {
    pub fn stage(&self) -> &Arc<Stage> {
        &self.stage
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The client of the load and of the watch.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn objects(&self) -> Api<Object> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Where its Identities are served.
    pub fn path(&self) -> String {
        format!("/apis/{GROUP}/{VERSION}/namespaces/{}/{PLURAL}", self.namespace)
    }
}
