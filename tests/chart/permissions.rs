//! The roles of the chart are enough for the operator and give it nothing that it does not use: it leads and works under the chart's
//! `ServiceAccount`, in both modes.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kube::Client;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use tempfile::TempDir;
use unkey_emulator::{Emulator, Options, Permissions, Seed, Workspace};

use super::harness::{
    NAMESPACE, OPERATOR, Right, Setup, api_of, apply, args, chart, define, definition, eventually, helms, is_granted,
    objects, only, there,
};

const ROOT_KEY: &str = "unkey_root_4f0c9a2e";

/// The operator as a process. Killed when dropped; if the test fails, its log is printed.
struct Operator(Child, PathBuf);

impl Drop for Operator {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the operator ---\n{}", std::fs::read_to_string(&self.1).unwrap_or_default());
        }
    }
}

/// Runs what the Deployment says, but for what is different on this machine.
fn start(files: &Path, manifest: &str, kubeconfig: &Path, api_url: &str) -> Operator {
    let mut args = args(&objects(manifest));
    let replaced = ["--api-url", "--root-key-file", "--admin-address", "--consistency-window"];
    args.retain(|arg| !replaced.iter().any(|flag| arg.starts_with(flag)));
    let (key, log) = (files.join("root-key"), files.join("operator.log"));
    std::fs::write(&key, ROOT_KEY).unwrap();
    args.push(format!("--api-url={api_url}"));
    args.push(format!("--root-key-file={}", key.display()));
    args.push(format!("--kubeconfig={}", kubeconfig.display()));
    args.extend(["--admin-address=127.0.0.1:0".to_owned(), "--consistency-window=700ms".to_owned()]);
    let mut command = Command::new(OPERATOR);
    command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
    Operator(child, log)
}

/// What the roles of a render grant.
fn granted(manifest: &str) -> BTreeSet<Right> {
    let list = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
    let mut granted = BTreeSet::new();
    // The roles for people are not bound to the operator.
    let is_for_people = |object: &Value| {
        let labels = object["metadata"]["labels"].as_object();
        labels.is_some_and(|labels| labels.keys().any(|key| key.contains("aggregate-to")))
    };
    for role in objects(manifest).into_iter().filter(|object| object["rules"].is_array() && !is_for_people(object)) {
        // A ClusterRole has none, and grants everywhere.
        let namespace = role["metadata"]["namespace"].as_str();
        for rule in role["rules"].as_array().unwrap() {
            let names = match &rule["resourceNames"] {
                Value::Null => vec![None],
                names => list(names).into_iter().map(Some).collect(),
            };
            for group in list(&rule["apiGroups"]) {
                for resource in list(&rule["resources"]) {
                    for verb in list(&rule["verbs"]) {
                        let right =
                            |name: &Option<String>| Right::new(namespace, (&group, &resource, &verb), name.as_deref());
                        granted.extend(names.iter().map(right));
                    }
                }
            }
        }
    }
    granted
}

/// Adopts with an event, updates and deletes in a namespace.
async fn a_life(client: &Client, workspace: &Workspace, team: &str) {
    let external_id = format!("acme-{team}");
    workspace.seed(Seed { external_id: external_id.clone(), ..Seed::default() }).unwrap();
    let mut identity = json!({
        "apiVersion": "unkey.com/v1alpha1", "kind": "Identity", "metadata": {"name": "acme", "namespace": team},
        "spec": {"externalId": external_id, "meta": {"plan": "pro"}},
    });
    apply(client, &identity).await;
    let is_ready = |object: &Value| {
        let ready = object["status"]["conditions"].as_array()?.iter().find(|it| it["type"] == "Ready")?.clone();
        (ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]).then_some(())
    };
    eventually("the identity to be adopted", async || is_ready(&there(client, &identity).await?)).await;
    identity["spec"]["meta"]["plan"] = json!("free");
    apply(client, &identity).await;
    eventually("the update", async || is_ready(&there(client, &identity).await?)).await;
    let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"namespace": team}});
    let events = api_of(client, &event).await;
    eventually("the event of the adoption", async || {
        let events = events.list(&ListParams::default()).await.unwrap();
        events.items.iter().any(|event| event.data["reason"] == "Adopted").then_some(())
    })
    .await;
    api_of(client, &identity).await.delete("acme", &DeleteParams::default()).await.unwrap();
    eventually("the identity to be gone", async || there(client, &identity).await.is_none().then_some(())).await;
    assert!(workspace.live(&external_id).is_none());
}

/// Leads and works under the account that the chart makes; and what that account may.
async fn suffice(mode: &str) {
    let plane = controlplane::shared().await.unwrap();
    let client = plane.client().await.unwrap();
    define(&client, &definition()).await;
    let home = plane.namespace(mode).await.unwrap();
    let teams = [plane.namespace("team-a").await.unwrap(), plane.namespace("team-b").await.unwrap()];
    let watched = if mode == "cluster" { &[] } else { &teams[..] };
    let wide = mode == "wide";
    let (kubeconfig, helm, chart) = (plane.kubeconfig(), &helms()[0], chart());
    let listed = format!("watchNamespaces={{{}}}", watched.join(","));
    let mut args = vec!["install", &home, &chart, "--namespace", &home, "--set", "crds.enabled=false"];
    if !watched.is_empty() {
        args.extend(["--set", &listed, "--set", if wide { "rbac.clusterWide=true" } else { "rbac.clusterWide=false" }]);
    }
    helm.succeeds(Some(&kubeconfig), &args);
    let manifest = helm.succeeds(Some(&kubeconfig), &["get", "manifest", &home, "--namespace", &home]);
    let account = account_of(&manifest);
    let lease = named_lease(&home, &manifest);

    let rights = Setup { watched, wide, home: &home, lease: lease["metadata"]["name"].as_str().unwrap() }.rights();
    let granted = granted(&manifest);
    let one_sided: Vec<&Right> = granted.symmetric_difference(&rights).collect();
    assert!(one_sided.is_empty(), "{mode}: granted by the chart or on the list, not both: {one_sided:#?}");

    let user = format!("system:serviceaccount:{home}:{account}");
    for right in &rights {
        eventually(&format!("may it {right:?}"), async || is_granted(right, &user, &client).await.then_some(())).await;
    }

    let emulator = Emulator::start(Options::default()).await.unwrap();
    let workspace = emulator.workspace("acme");
    workspace.add_root_key(ROOT_KEY, Permissions::ALL);
    let files = TempDir::new().unwrap();
    let operators = plane.service_account_kubeconfig(&home, &account).await.unwrap();
    let operator = start(files.path(), &manifest, &operators, &emulator.base_url());
    for team in &teams {
        a_life(&client, &workspace, team).await;
    }
    let holder = there(&client, &lease).await.unwrap()["spec"]["holderIdentity"].clone();
    assert!(holder.as_str().is_some_and(|holder| !holder.is_empty()), "{mode}: nobody leads");
    drop(operator);

    let asked = plane.audit(|event| event.user == user).unwrap();
    let refused: Vec<_> = asked.iter().filter(|event| event.code == 403).collect();
    assert!(!asked.is_empty() && refused.is_empty(), "{mode}: {refused:?}");
    let may = async |namespace: &str, right| {
        is_granted(&Right::new(Some(namespace), right, Some("some")), &user, &client).await
    };
    for namespace in [&home, &teams[0], &teams[1]] {
        for verb in ["get", "list", "watch"] {
            assert!(!may(namespace, ("", "secrets", verb)).await, "{mode}: it may {verb} Secrets");
        }
        assert!(
            !may(namespace, ("coordination.k8s.io", "leases", "update")).await,
            "{mode}: it may write others' leases"
        );
        let is_watched = mode != "namespaced" || *namespace != home;
        assert_eq!(may(namespace, ("unkey.com", "identities", "list")).await, is_watched, "{mode}: {namespace}");
    }
}

/// The Lease that the operator was told to hold.
fn named_lease(namespace: &str, manifest: &str) -> Value {
    let args = args(&objects(manifest));
    let name = args.iter().find_map(|arg| arg.strip_prefix("--lease-name=")).unwrap();
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": namespace}})
}

fn account_of(manifest: &str) -> String {
    let objects = objects(manifest);
    let deployment = only(&objects, "Deployment");
    deployment["spec"]["template"]["spec"]["serviceAccountName"].as_str().unwrap().to_owned()
}

/// One after the other: the first one works on all namespaces.
#[tokio::test]
async fn are_enough_and_no_more() {
    suffice("cluster").await;
    suffice("namespaced").await;
    suffice("wide").await;
}

/// In namespaced mode nothing is made outside of a namespace but the definition and the policy that guards the roles: no right.
#[test]
fn a_release_for_namespaces_stays_in_them() {
    let outside = |flags: &[&str]| -> Vec<Value> {
        let flags = [&["--set", "watchNamespaces={team-a,team-b}"], flags].concat();
        let outside = objects(&helms()[0].template(NAMESPACE, &flags))
            .into_iter()
            .filter(|object| object["metadata"].get("namespace").is_none());
        outside.map(|object| object["kind"].clone()).collect()
    };
    let policy = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    assert_eq!(outside(&[]), [&["CustomResourceDefinition"], &policy[..]].concat());
    assert_eq!(outside(&["--set", "rbac.guard=false,crds.enabled=false"]), [""; 0]);
    assert_eq!(outside(&["--set", "rbac.create=false,crds.enabled=false"]), [""; 0]);
    assert_eq!(
        outside(&["--set", "rbac.clusterWide=true,crds.enabled=false"]),
        ["ClusterRole", "ClusterRoleBinding"],
        "no Role is left to guard"
    );
}
