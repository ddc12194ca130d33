//! Unkey: the emulator as a process of its own with 20 ms latency, and what the benches ask of it by its control endpoints. The process
//! is this program once more, so that there is nothing else to build or to find; it ends with the bench, however that ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, ExitCode, Stdio};

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use unkey_emulator::{Counts, Emulator, Entry, Fault, Options, Settings, Snapshot};

/// How long every call takes.
const LATENCY_MS: u64 = 20;
/// The argument that makes this program the emulator.
pub const SERVE: &str = "--serve-emulator";

/// Serves until standard input ends.
pub fn serve() -> ExitCode {
    // One thread: it has little to do, and more would only take turns on the cores that are measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let emulator = Emulator::start(Options::default()).await.expect("a free port of loopback");
        println!("{}", emulator.base_url());
        let end = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        let _ = end.await;
    });
    ExitCode::SUCCESS
}

/// The running emulator.
pub struct Unkey {
    child: Child,
    base_url: String,
    http: reqwest::Client,
}

impl Unkey {
    pub fn start() -> Self {
        let this = std::env::current_exe().expect("the path of this program");
        let mut command = std::process::Command::new(this);
        let mut child = command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the emulator");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it was asked for")).read_line(&mut line).expect("a line");
        let base_url = line.trim().to_owned();
        assert!(base_url.starts_with("http://127.0.0.1:"), "the emulator did not start: '{base_url}'");
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        Self { child, base_url, http }
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Makes a workspace with a root key.
    pub async fn workspace(&self, name: &str) -> Workspace {
        let key = format!("unkey_bench_{name}");
        let url = format!("{}/_emulator/workspaces/{name}", self.base_url);
        let workspace = Workspace { http: self.http.clone(), url, key };
        workspace.set_limit(None).await;
        let url = format!("{}/_emulator/keys", self.base_url);
        workspace.ask(Method::POST, &url, &json!({"key": workspace.key, "workspace": name})).await;
        workspace
    }
}

impl Drop for Unkey {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One workspace of it.
pub struct Workspace {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Workspace {
    /// A root key with all permissions.
    pub fn root_key(&self) -> &str {
        &self.key
    }

    /// Calls per minute that the workspace may make.
    pub async fn set_limit(&self, per_minute: Option<u64>) {
        let settings = Settings { latency_ms: LATENCY_MS, limit_per_minute: per_minute, ..Settings::default() };
        self.ask(Method::POST, &self.url, &settings).await;
    }

    pub async fn counts(&self) -> Counts {
        self.read("/counts").await
    }

    /// The log of requests, oldest first.
    pub async fn requests(&self) -> Vec<Entry> {
        self.read("/requests").await
    }

    /// Forgets log and counts.
    pub async fn forget(&self) {
        self.ask(Method::DELETE, &format!("{}/requests", self.url), &Value::Null).await;
    }

    /// Everything that it holds.
    pub async fn held(&self) -> Snapshot {
        self.read("").await
    }

    /// Another client makes an identity with this content.
    pub async fn seed(&self, identity: &Value) {
        self.ask(Method::POST, &format!("{}/identities", self.url), identity).await;
    }

    pub async fn order(&self, fault: &Fault) {
        self.ask(Method::POST, &format!("{}/faults", self.url), fault).await;
    }

    /// Forgets all faults.
    pub async fn mend(&self) {
        self.ask(Method::DELETE, &format!("{}/faults", self.url), &Value::Null).await;
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.ask(Method::GET, &format!("{}{path}", self.url), &Value::Null).await;
        serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{path} of the emulator: {error}"))
    }

    async fn ask(&self, method: Method, url: &str, body: &impl Serialize) -> Vec<u8> {
        let body = serde_json::to_vec(body).expect("JSON");
        let request = self.http.request(method, url).header("content-type", "application/json").body(body);
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let answer = answer.unwrap_or_else(|error| panic!("the emulator: {error}"));
        answer.bytes().await.unwrap_or_else(|error| panic!("the emulator: {error}")).to_vec()
    }
}
