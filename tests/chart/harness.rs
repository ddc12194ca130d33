//! The helms, the chart and what they render. Asserts nothing about the chart.

#[path = "../support/eventually.rs"]
mod eventually;
#[path = "../support/rights.rs"]
mod rights;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::Scope;
use serde::Deserialize as _;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::eventually::eventually;
pub use self::rights::{Right, Setup, is_granted};

/// The operator's program.
pub const OPERATOR: &str = env!("CARGO_BIN_EXE_unkey-operator");
/// Where the objects of a render are to live.
pub const NAMESPACE: &str = "unkey-system";
/// The name of the release.
pub const RELEASE: &str = "unkey-operator";

/// A file of this repository.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sets of values that are rendered, by the name of their file.
pub fn value_sets() -> Vec<String> {
    let entries = std::fs::read_dir(file("tests/chart/values")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    names
}

/// One version of helm, with settings of its own.
pub struct Helm {
    pub name: &'static str,
    pub binary: PathBuf,
    home: TempDir,
}

/// Version 4 and version 3.
pub fn helms() -> &'static [Helm; 2] {
    static HELMS: OnceLock<[Helm; 2]> = OnceLock::new();
    HELMS.get_or_init(|| {
        let tools = controlplane::Resolver::default().resolve_helm().unwrap();
        ["helm4", "helm3"].map(|name| Helm { name, binary: tools.binary(name).unwrap(), home: TempDir::new().unwrap() })
    })
}

impl Helm {
    /// Runs it without the user's settings.
    pub fn run(&self, kubeconfig: Option<&Path>, args: &[&str]) -> Output {
        let mut command = Command::new(&self.binary);
        command.env_clear().env("HOME", self.home.path()).args(args);
        // Nothing is there, so that a command that must not ask a cluster cannot.
        command.env("KUBECONFIG", kubeconfig.unwrap_or(&self.home.path().join("none")));
        command.output().unwrap()
    }

    /// Standard output of a command that must succeed.
    pub fn succeeds(&self, kubeconfig: Option<&Path>, args: &[&str]) -> String {
        let output = self.run(kubeconfig, args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {args:?}: {said}", self.name);
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `helm template` makes of the chart with a set of values.
    pub fn render(&self, set: &str, namespace: &str) -> String {
        let values = file("tests/chart/values").join(format!("{set}.yaml"));
        self.template(namespace, &["--values", values.to_str().unwrap()])
    }

    /// What `helm template` makes of the chart with these flags.
    pub fn template(&self, namespace: &str, flags: &[&str]) -> String {
        self.succeeds(None, &Self::template_args(namespace, flags))
    }

    /// The same whether it succeeds or not.
    pub fn try_template(&self, flags: &[&str]) -> Output {
        self.run(None, &Self::template_args(NAMESPACE, flags))
    }

    /// The same if it must fail: what it says.
    pub fn refuses(&self, flags: &[&str]) -> String {
        let output = self.try_template(flags);
        assert!(!output.status.success(), "{} takes {flags:?}", self.name);
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn template_args<'a>(namespace: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
        static CHART: OnceLock<String> = OnceLock::new();
        let chart = CHART.get_or_init(chart);
        // The oldest that the chart allows.
        let mut args = vec!["template", RELEASE, chart, "--namespace", namespace, "--kube-version", "1.32.0"];
        args.extend(flags);
        args
    }
}

/// The chart's folder.
pub fn chart() -> String {
    file("charts/unkey-operator").to_str().unwrap().to_owned()
}

/// The objects of a render.
pub fn objects(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    let found: Vec<Value> = documents.filter(|document| !document.is_null()).collect();
    assert!(found.iter().all(|object| object["kind"].is_string()), "not an object: {text}");
    found
}

/// The only object of a kind.
pub fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    one
}

/// The operator's own container.
pub fn container(objects: &[Value]) -> &Value {
    &only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
}

/// The arguments of the operator's container.
pub fn args(objects: &[Value]) -> Vec<String> {
    serde_json::from_value(container(objects)["args"].clone()).unwrap()
}

/// Where objects like this one are. Asks the API server, so that the kind must be there.
pub async fn api_of(client: &Client, object: &Value) -> Api<DynamicObject> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let types = TypeMeta { api_version: text(&object["apiVersion"]), kind: text(&object["kind"]) };
    let kind = GroupVersionKind::try_from(types).unwrap();
    let (resource, capabilities) = kube::discovery::pinned_kind(client, &kind).await.unwrap();
    match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            Api::namespaced_with(client.clone(), object["metadata"]["namespace"].as_str().unwrap(), &resource)
        }
    }
}

/// The object as the cluster has it.
pub async fn there(client: &Client, object: &Value) -> Option<Value> {
    let found = api_of(client, object).await.get_opt(object["metadata"]["name"].as_str().unwrap()).await.unwrap();
    found.map(|found| serde_json::to_value(found).unwrap())
}

/// Applies an object.
pub async fn apply(client: &Client, object: &Value) -> Value {
    let (api, name) = (api_of(client, object).await, object["metadata"]["name"].as_str().unwrap());
    let applied = api.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(object)).await.unwrap();
    serde_json::to_value(applied).unwrap()
}

/// Applies a definition and waits until its kind is served.
pub async fn define(client: &Client, definition: &Value) {
    apply(client, definition).await;
    let (spec, text) = (&definition["spec"], |value: &Value| value.as_str().unwrap().to_owned());
    served(client, &text(&spec["group"]), &text(&spec["versions"][0]["name"]), &text(&spec["names"]["plural"])).await;
}

/// Waits until a resource is served: a definition is there, and established, a moment before that.
pub async fn served(client: &Client, group: &str, version: &str, plural: &str) {
    eventually(&format!("{plural} to be served"), async || {
        let resources = client.list_api_group_resources(&format!("{group}/{version}")).await.ok()?;
        resources.resources.iter().any(|resource| resource.name == plural).then_some(())
    })
    .await;
}

/// The definition of Identity, as a user has it who does not use the chart for it.
pub fn definition() -> Value {
    serde_yaml::from_str(&read("crds/identities.unkey.com.yaml")).unwrap()
}

/// A namespace that takes only Pods of the strictest of the Pod Security Standards.
pub async fn restricted(client: &Client, name: &str) {
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    apply(client, &namespace).await;
}
