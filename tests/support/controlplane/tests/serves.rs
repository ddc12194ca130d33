//! The shared control plane does what tests rest on. Each test has its own runtime and the servers serve them all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test that cannot go on has failed"
)]

use std::time::Duration;

use controlplane::{ControlPlane, Server, shared};
use futures::StreamExt;
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Event, Namespace, ObjectReference},
        rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};

/// For whatever should take a second; the machine may be compiling.
const SOON: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what}: not within {SOON:?}"))
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

async fn put(client: &Client, namespace: &str, name: &str) -> kube::Result<ConfigMap> {
    let object = ConfigMap { metadata: named(name), ..ConfigMap::default() };
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &object).await
}

async fn put_event(client: &Client, namespace: &str, name: &str) {
    let event = Event {
        metadata: named(name),
        involved_object: ObjectReference { namespace: Some(namespace.to_owned()), ..ObjectReference::default() },
        ..Event::default()
    };
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &event).await.unwrap();
}

#[tokio::test]
async fn serves_the_version_it_was_built_from() {
    let version = shared().await.unwrap().client().await.unwrap().apiserver_version().await.unwrap();
    let directory = controlplane::Resolver::default().resolve().unwrap().directory().to_owned();
    let name = directory.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(&format!("kubernetes-{}_", version.git_version)), "{} of {name}", version.git_version);
}

#[tokio::test]
async fn kubectl_reaches_it() {
    let cp = shared().await.unwrap();
    let output = cp.kubectl_command().unwrap().args(["auth", "whoami", "-o", "name"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = cp.kubectl_command().unwrap().args(["get", "namespace", "default", "-o", "name"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "namespace/default\n");
}

#[tokio::test]
async fn namespaces_are_unique() {
    let cp = shared().await.unwrap();
    let (one, two) = (cp.namespace("same").await.unwrap(), cp.namespace("same").await.unwrap());
    assert!(one.starts_with("same-"), "{one}");
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_service_account_may_do_what_its_role_grants() {
    let cp = shared().await.unwrap();
    let namespace = cp.namespace("rbac").await.unwrap();
    let client = cp.service_account_client(&namespace, "robot").await.unwrap();
    let refused = put(&client, &namespace, "early").await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");

    let role = Role {
        metadata: named("writer"),
        rules: Some(vec![PolicyRule {
            api_groups: Some(vec![String::new()]),
            resources: Some(vec!["configmaps".to_owned()]),
            verbs: vec!["create".to_owned()],
            ..PolicyRule::default()
        }]),
    };
    let binding = RoleBinding {
        metadata: named("writer"),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: "writer".to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: "robot".to_owned(),
            namespace: Some(namespace.clone()),
            ..Subject::default()
        }]),
    };
    let admin = cp.client().await.unwrap();
    Api::namespaced(admin.clone(), &namespace).create(&PostParams::default(), &role).await.unwrap();
    Api::namespaced(admin, &namespace).create(&PostParams::default(), &binding).await.unwrap();
    // The authorizer learns of the role by a watch of its own.
    soon("the role takes effect", async {
        let mut tries = 0;
        while put(&client, &namespace, &format!("try-{tries}")).await.is_err() {
            tries += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let list = Api::<ConfigMap>::namespaced(client, &namespace).list(&ListParams::default()).await;
    assert!(list.is_err(), "only create was granted");
}

#[tokio::test]
async fn the_controller_manager_empties_and_removes_a_deleted_namespace() {
    let cp = shared().await.unwrap();
    soon("kube-controller-manager", cp.start_server(Server::ControllerManager)).await.unwrap();
    let client = cp.client().await.unwrap();
    let namespace = cp.namespace("gone").await.unwrap();
    put(&client, &namespace, "content").await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client);
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
    soon("the namespace goes", async {
        while namespaces.get_opt(&namespace).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_counts_every_answered_request() {
    let cp = shared().await.unwrap();
    let namespace = cp.namespace("audit").await.unwrap();
    let client = cp.client().await.unwrap();
    assert_eq!(cp.audit_in(&namespace).unwrap(), []);
    for number in 0..20 {
        put_event(&client, &namespace, &format!("e{number}")).await;
        // Each is in the log by the time it is answered.
        assert_eq!(cp.audit_in(&namespace).unwrap().len(), number + 1);
    }
    let missing = Api::<Event>::namespaced(client.clone(), &namespace).get("none").await.unwrap_err();
    assert!(matches!(missing, kube::Error::Api(status) if status.code == 404));
    put(&client, &namespace, "not-audited").await.unwrap();

    let events = cp.audit_in(&namespace).unwrap();
    assert_eq!(events.len(), 21, "{events:?}");
    let first = &events[0];
    assert_eq!((first.verb.as_str(), first.group.as_str(), first.resource.as_str()), ("create", "", "events"));
    assert_eq!((first.name.as_str(), first.user.as_str(), first.code), ("e0", "admin", 201));
    assert!(first.is_write());
    let last = &events[20];
    assert_eq!((last.verb.as_str(), last.name.as_str(), last.code), ("get", "none", 404));
    assert!(!last.is_write());
    assert!(first.at < last.at);
}

/// Its own control plane, for it breaks the connections of all.
#[tokio::test]
async fn a_restart_keeps_port_data_and_tokens_and_watches_recover() {
    let cp = ControlPlane::start(controlplane::Options { audit: true, ..Default::default() }).await.unwrap();
    let client = cp.client().await.unwrap();
    let namespace = cp.namespace("restart").await.unwrap();
    let account = cp.service_account_client(&namespace, "robot").await.unwrap();
    put_event(&client, &namespace, "before").await;
    put(&client, &namespace, "before").await.unwrap();
    let objects = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
    let mut names = std::pin::pin!(
        watcher(objects, watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .filter_map(|object| std::future::ready(object.ok()))
            .map(|object| object.metadata.name.unwrap())
    );
    assert_eq!(soon("the first object", names.next()).await.unwrap(), "before");

    cp.kill_server(Server::ApiServer);
    assert!(put(&client, &namespace, "while-down").await.is_err());
    assert!(matches!(cp.pause_server(Server::ApiServer), Err(controlplane::Error::NotRunning { .. })));
    assert!(matches!(cp.start_server(Server::ControllerManager).await, Err(controlplane::Error::NotRunning { .. })));
    cp.start_server(Server::ApiServer).await.unwrap();
    put(&client, &namespace, "after").await.unwrap();
    soon("the watch sees the new object", async { while names.next().await.unwrap() != "after" {} }).await;
    put_event(&client, &namespace, "after").await;
    assert_eq!(cp.audit_in(&namespace).unwrap().len(), 2, "the audit log goes on");
    let refused = put(&account, &namespace, "by-account").await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403),
        "the old token is still known: {refused}"
    );

    cp.pause_server(Server::ApiServer).unwrap();
    let answer = tokio::time::timeout(Duration::from_millis(300), put(&client, &namespace, "while-paused")).await;
    assert!(answer.is_err(), "{answer:?}");
    cp.resume_server(Server::ApiServer).unwrap();
    soon("it answers again", put(&client, &namespace, "resumed")).await.unwrap();

    cp.kill_server(Server::Etcd);
    soon("etcd returns", cp.start_server(Server::Etcd)).await.unwrap();
    soon("the data is there", Api::<ConfigMap>::namespaced(client, &namespace).get("before")).await.unwrap();
    let directory = cp.directory().to_owned();
    soon("it stops", cp.stop()).await;
    assert!(!directory.exists());
}
