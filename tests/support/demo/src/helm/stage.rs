//! What the show runs on: a control plane with controllers, a node, Unkey, helm and kubectl.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use controlplane::{ControlPlane, Options, Resolver};
use demo::print::say;
use demo::{StageError, io};
use nodelet::Nodelet;
use tempfile::TempDir;
use tokio::process::Command;
use unkey_emulator::{Emulator, Permissions};

/// The release's.
pub const NAMESPACE: &str = "unkey-system";
/// Its name.
pub const RELEASE: &str = "unkey-operator";
const ROOT_KEY: &str = "unkey_demo_root_key";

/// Who signs the lease: a Pod's name, `_`, and something of its process.
pub struct Holder(pub String);

impl Holder {
    pub fn pod(&self) -> &str {
        self.0.split('_').next().unwrap_or_default()
    }

    /// As seen from the one before.
    pub fn process(&self, before: &Self) -> String {
        let again = if self.pod() == before.pod() { "The container that was started again in " } else { "" };
        format!("{again}{}", self.pod())
    }
}

/// Everything that runs.
pub struct Stage {
    // Dropped in this order.
    nodelet: Nodelet,
    emulator: Emulator,
    plane: ControlPlane,
    helm: PathBuf,
    folder: TempDir,
    repository: PathBuf,
    port: u16,
}

impl Stage {
    /// Starts everything but the operator, which is the chart's.
    pub async fn set(repository: &Path) -> Result<Self, StageError> {
        let found = tokio::task::spawn_blocking(|| Resolver::default().resolve_helm()).await;
        let helm = found.map_err(|error| io("helm")(error.into()))??.binary("helm4")?;
        let begun = Instant::now();
        let controllers = ["deployment-controller", "replicaset-controller", "disruption-controller"];
        let controllers = controllers.map(ToOwned::to_owned).into();
        let options = Options { controller_manager: true, controllers, ..Options::default() };
        let plane = ControlPlane::start(options).await?;
        let took = begun.elapsed().as_secs_f32();
        say(&format!("etcd, kube-apiserver and kube-controller-manager are up ({took:.1} s)"));
        let emulator = Emulator::start(unkey_emulator::Options::default()).await.map_err(io("the Unkey emulator"))?;
        emulator.workspace("demo").add_root_key(ROOT_KEY, Permissions::ALL);
        say(&format!("an emulator plays Unkey at {}", emulator.base_url()));
        let this = std::env::current_exe().map_err(io("this program's folder"))?;
        let options = nodelet::Options {
            node: "demo".to_owned(),
            namespace: NAMESPACE.to_owned(),
            selector: format!("app.kubernetes.io/instance={RELEASE}"),
            program: this.with_file_name("unkey-operator"),
        };
        let nodelet = Nodelet::start(&plane, options).await?;
        say("a node runs the operator's Pods as processes of this machine");
        let folder = TempDir::new().map_err(io("a temporary folder"))?;
        std::fs::write(folder.path().join("root-key"), ROOT_KEY).map_err(io("the root key's file"))?;
        // Free on all addresses now, so that whoever else is on this machine does not have it.
        let free = TcpListener::bind(("0.0.0.0", 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(io("a free port"))?.port();
        Ok(Self { nodelet, emulator, plane, helm, folder, repository: repository.to_owned(), port })
    }

    /// Where the root key is.
    pub fn root_key(&self) -> PathBuf {
        self.folder.path().join("root-key")
    }

    /// What the chart is told: where Unkey is, and a port that is free here. A dead leader is replaced soon; and who takes over waits a few
    /// seconds, not a minute, for what that one may have sent (rule R4 of docs/contributing/rules.md): this Unkey neither lags nor hangs.
    pub fn values(&self) -> String {
        [
            format!("config.apiUrl={}", self.emulator.base_url()),
            format!("config.adminPort={}", self.port),
            "config.consistencyWindow=1s,config.requestTimeout=2s".to_owned(),
            "leaderElection.leaseDuration=3s,readinessProbe.periodSeconds=1".to_owned(),
            // Not pulled: the node runs this repository's program in its place.
            "image.repository=registry.example.com/unkey-operator".to_owned(),
        ]
        .join(",")
    }

    /// Runs kubectl, shown as the user would type it.
    pub async fn kubectl(&self, args: &[&str]) -> Result<(), StageError> {
        demo::run("kubectl", Command::from(self.plane.kubectl_command()?), &self.repository, args).await
    }

    /// Runs helm on the release's namespace, without the user's settings.
    pub async fn helm(&self, args: &[&str]) -> Result<(), StageError> {
        let mut command = Command::new(&self.helm);
        command.env_clear().env("HOME", self.folder.path()).env("KUBECONFIG", self.plane.kubeconfig());
        demo::run("helm", command, &self.repository, &[args, &["--namespace", NAMESPACE]].concat()).await
    }

    /// The output of a kubectl that is not shown, on the release's namespace.
    async fn ask(&self, args: &[&str]) -> Result<String, StageError> {
        let mut command = Command::from(self.plane.kubectl_command()?);
        command.args(["--namespace", NAMESPACE]).args(args).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(io("kubectl"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Asks until `wanted` likes the answer.
    async fn until(&self, what: &str, args: &[&str], wanted: impl Fn(&str) -> bool) -> Result<String, StageError> {
        demo::until(what, async || self.ask(args).await, wanted).await
    }

    /// Who holds the lease, other than `before`.
    pub async fn holder(&self, before: &str) -> Result<Holder, StageError> {
        let args = ["get", "lease", RELEASE, "-o", "jsonpath={.spec.holderIdentity}"];
        let is_another = |answer: &str| !answer.is_empty() && answer != before;
        self.until("somebody who leads", &args, is_another).await.map(Holder)
    }

    /// Waits until there are so many Pods.
    pub async fn until_pods(&self, count: usize) -> Result<(), StageError> {
        let args = ["get", "pods", "-o", "name"];
        self.until(&format!("{count} Pods"), &args, |answer| answer.lines().count() == count).await.map(drop)
    }

    /// Waits until so many Pods are ready.
    pub async fn until_ready(&self, count: usize) -> Result<(), StageError> {
        let ready = r#"jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}"#;
        let enough = |answer: &str| answer.split_whitespace().filter(|status| *status == "True").count() == count;
        self.until(&format!("{count} ready Pods"), &["get", "pods", "-o", ready], enough).await.map(drop)
    }

    /// SIGKILL for a Pod's process.
    pub fn kill(&self, pod: &str) -> Result<(), StageError> {
        Ok(self.nodelet.signal(pod, "KILL")?)
    }

    /// What Unkey holds.
    pub fn print_what_unkey_holds(&self) {
        println!("\nUnkey holds:");
        for identity in self.emulator.workspace("demo").snapshot().live {
            println!("  {:<18} {}  meta {}", identity.external_id, identity.id, identity.meta);
        }
    }

    /// The end of each log, when something went wrong.
    pub fn print_logs(&self) {
        eprintln!("--- the node's notes ---\n{}", self.nodelet.notes());
        for pod in self.nodelet.running() {
            let log = self.nodelet.log(&pod);
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the last lines of {pod} ---\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
    }

    /// Ends everything in order.
    pub async fn strike(self) {
        drop(self.nodelet);
        drop(self.emulator);
        self.plane.stop().await;
    }
}
