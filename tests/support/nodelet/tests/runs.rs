//! Pods that no chart makes, and the shell as their program: what a kubelet does with them, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

#[path = "../../eventually.rs"]
mod eventually;

use std::path::Path;

use controlplane::{ControlPlane, Server};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod, Secret, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use nodelet::{Nodelet, Options};
use serde_json::{Value, json};

use self::eventually::eventually;

struct World {
    pods: Api<Pod>,
    secrets: Api<Secret>,
    events: Api<Event>,
    nodelet: Nodelet,
}

async fn world(name: &str) -> World {
    let plane: &'static ControlPlane = controlplane::shared().await.unwrap();
    plane.start_server(Server::ControllerManager).await.unwrap();
    let (namespace, client) = (plane.namespace(name).await.unwrap(), plane.client().await.unwrap());
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
    eventually("the default account", async || accounts.get_opt("default").await.unwrap()).await;
    let options = Options {
        node: format!("{namespace}-node"),
        namespace: namespace.clone(),
        selector: "run=yes".to_owned(),
        program: "/bin/sh".into(),
    };
    World {
        pods: Api::namespaced(client.clone(), &namespace),
        secrets: Api::namespaced(client.clone(), &namespace),
        events: Api::namespaced(client, &namespace),
        nodelet: Nodelet::start(plane, options).await.unwrap(),
    }
}

impl World {
    /// Makes a Pod that runs a script, with more in its container and its spec.
    async fn run(&self, name: &str, script: &str, container: &Value, spec: &Value) {
        let mut pod = json!({
            "metadata": {"name": name, "labels": {"run": "yes"}},
            "spec": {"containers": [{"name": "shell", "image": "none", "args": ["-c", script]}]},
        });
        merge(&mut pod["spec"]["containers"][0], container);
        merge(&mut pod["spec"], spec);
        self.pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    }

    async fn secret(&self, value: &str) {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "stringData": {"key": value}});
        self.secrets.patch("mine", &PatchParams::apply("test"), &Patch::Apply(&secret)).await.unwrap();
    }

    async fn container(&self, name: &str) -> Option<ContainerStatus> {
        self.pods.get(name).await.unwrap().status?.container_statuses?.pop()
    }

    async fn logged(&self, name: &str, words: &str) {
        eventually(&format!("'{words}' in the log"), async || self.nodelet.log(name).contains(words).then_some(()))
            .await;
    }
}

fn merge(into: &mut Value, more: &Value) {
    into.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
}

#[tokio::test]
async fn what_is_mounted_and_given_is_there_and_changes() {
    let world = world("mounted").await;
    world.secret("one").await;
    let script = r#"echo "I am $ME of $MY_KEY on $HOSTNAME, home ${HOME:-none}"
        test -s /var/run/secrets/kubernetes.io/serviceaccount/token && grep -c BEGIN "$CA" && cat "$KUBECONFIG"
        until grep -q two /etc/mine/deep/key; do sleep 0.1; done; echo changed; sleep 600"#;
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    let container = json!({
        "env": [
            {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "MY_KEY", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "key"}}},
            {"name": "CA", "value": format!("{account}/ca.crt")},
        ],
        "volumeMounts": [{"name": "mine", "mountPath": "/etc/mine"}],
    });
    let items = json!([{"key": "key", "path": "deep/key"}]);
    let spec = json!({"volumes": [{"name": "mine", "secret": {"secretName": "mine", "items": items}}]});
    world.run("a", script, &container, &spec).await;
    world.logged("a", "I am a of one on a, home none").await;
    world.logged("a", "tokenFile").await;
    world.secret("two").await;
    world.logged("a", "changed").await;
    let status = world.container("a").await.unwrap();
    // Without a probe who runs is ready.
    assert!(status.ready && status.restart_count == 0, "{status:?}");
}

#[tokio::test]
async fn what_crashes_is_restarted_later_and_later() {
    let world = world("crashing").await;
    world.run("a", "echo again; exit 3", &json!({}), &json!({})).await;
    let status = eventually("a third start", async || {
        world
            .container("a")
            .await
            .filter(|status| status.restart_count >= 3 && status.state.as_ref().unwrap().waiting.is_some())
    })
    .await;
    let waiting = status.state.unwrap().waiting.unwrap();
    assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
    assert_eq!(status.last_state.unwrap().terminated.unwrap().exit_code, 3);
    assert!(!status.ready);
    // 200 ms, doubled each time.
    assert!(!waiting.message.unwrap().contains("back-off 200 ms"));
    assert!(world.nodelet.log("a").matches("again").count() >= 4);
}

#[tokio::test]
async fn what_is_not_to_be_restarted_is_over() {
    let world = world("over").await;
    let rows = [
        ("done", "Never", 0, "Succeeded"),
        ("failed", "Never", 3, "Failed"),
        ("done-too", "OnFailure", 0, "Succeeded"),
    ];
    for (name, policy, code, phase) in rows {
        world.run(name, &format!("echo once; exit {code}"), &json!({}), &json!({"restartPolicy": policy})).await;
        eventually(&format!("{name} to have {phase}"), async || {
            (world.pods.get(name).await.unwrap().status?.phase? == phase).then_some(())
        })
        .await;
        let status = world.container(name).await.unwrap();
        assert_eq!(status.state.unwrap().terminated.unwrap().exit_code, code);
        assert_eq!((status.restart_count, world.nodelet.log(name).matches("once").count()), (0, 1), "{name}");
        assert!(!world.nodelet.running().contains(&name.to_owned()));
    }
    world.run("again", "exit 3", &json!({}), &json!({"restartPolicy": "OnFailure"})).await;
    eventually("a restart", async || {
        world.container("again").await.filter(|status| status.restart_count > 0).map(drop)
    })
    .await;
}

#[tokio::test]
async fn who_does_not_listen_is_killed_when_its_time_is_over() {
    let world = world("deaf").await;
    let script = "trap 'echo no' TERM; echo up; while :; do sleep 0.1; done";
    world.run("a", script, &json!({}), &json!({"terminationGracePeriodSeconds": 1})).await;
    world.logged("a", "up").await;
    let pid = world.nodelet.pid("a").unwrap();
    world.pods.delete("a", &DeleteParams::default()).await.unwrap();
    eventually("the Pod to be gone", async || world.pods.get_opt("a").await.unwrap().is_none().then_some(())).await;
    assert!(world.nodelet.log("a").contains("no"), "it was asked first");
    assert!(world.nodelet.running().is_empty());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn what_is_not_imitated_is_said() {
    let world = world("refused").await;
    let init = json!({"initContainers": [{"name": "first", "image": "none"}]});
    world.run("a", "sleep 600", &json!({}), &init).await;
    let waiting = eventually("a reason", async || {
        world.container("a").await?.state?.waiting.filter(|waiting| waiting.message.is_some())
    })
    .await;
    assert_eq!(waiting.reason.as_deref(), Some("CreateContainerConfigError"));
    assert!(waiting.message.unwrap().contains("does not imitate init containers"));
    let events = world.events.list(&ListParams::default()).await.unwrap().items;
    assert!(events.iter().any(|event| event.reason.as_deref() == Some("Failed")), "{events:?}");
    assert!(world.nodelet.running().is_empty());
}

#[tokio::test]
async fn nothing_runs_without_its_nodelet() {
    let world = world("dropped").await;
    world.run("a", "sleep 600", &json!({}), &json!({})).await;
    let pid = eventually("a process", async || world.nodelet.pid("a").ok()).await;
    drop(world.nodelet);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}
