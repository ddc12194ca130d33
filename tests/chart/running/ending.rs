//! Namespaces of `watchNamespaces` that end, have ended or never were: with the chart's own roles, helm, and the namespace controller, which
//! deletes a namespace's `Roles` and `RoleBindings` with all the rest (kubernetes#115070).

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind};

use super::world::{ROOT_KEY, WAIT, World};
use crate::harness::{Helm, RELEASE, api_of, apply, eventually, helms, there};

/// Two namespaces of teams beside the operator's own, which nothing but the operator is in.
struct Teams {
    world: World,
    ends: String,
    stays: String,
}

impl Teams {
    async fn new(name: &str) -> Self {
        let world = World::of_a_namespace(name).await;
        world.secret("root-key", ROOT_KEY).await;
        let [ends, stays] =
            [world.plane.namespace("ends").await.unwrap(), world.plane.namespace("stays").await.unwrap()];
        Self { world, ends, stays }
    }

    /// `helm install` or `helm upgrade` with these namespaces on the list.
    async fn release(&self, helm: &'static Helm, verb: &str, watched: &[&str], set: &str) -> String {
        let list = format!("watchNamespaces={{{}}},{set}", watched.join(","));
        self.world.release(helm, verb, &[&WAIT[..], &["--set", &list]].concat()).await
    }

    fn identity(&self, namespace: &str, name: &str) -> Value {
        let mut identity = self.world.identity(name);
        identity["metadata"]["namespace"] = json!(namespace);
        identity
    }

    async fn create(&self, namespace: &str, name: &str) {
        apply(&self.world.client, &self.identity(namespace, name)).await;
    }

    async fn ready(&self, namespace: &str, name: &str) {
        let identity = self.identity(namespace, name);
        eventually(&format!("{name} to be Ready"), async || {
            let found = there(&self.world.client, &identity).await?;
            let all = found["status"]["conditions"].as_array()?;
            let ready = all.iter().find(|it| it["type"] == "Ready")?;
            let current = ready["observedGeneration"] == found["metadata"]["generation"];
            (ready["status"] == "True" && current).then_some(())
        })
        .await;
    }

    async fn held(&self, namespace: &str, name: &str) {
        let identity = self.identity(namespace, name);
        eventually(&format!("the deletion of {name} to be held"), async || {
            let found = there(&self.world.client, &identity).await?;
            let all = found["status"]["conditions"].as_array()?;
            all.iter().any(|it| it["reason"] == "DeletionHeld").then_some(())
        })
        .await;
    }

    /// It may be gone by now: what approvals have left is few enough to go unasked.
    async fn approve(&self, namespace: &str, name: &str) {
        let annotations = json!({"metadata": {"annotations": {"unkey.com/deletion-approved": "always"}}});
        let api = api_of(&self.world.client, &self.identity(namespace, name)).await;
        match api.patch(name, &PatchParams::default(), &Patch::Merge(annotations)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.world.client.clone())
    }

    async fn delete(&self, namespace: &str) {
        self.namespaces().delete(namespace, &DeleteParams::default()).await.unwrap();
    }

    async fn gone(&self, namespace: &str) {
        eventually(&format!("the namespace {namespace} to be gone"), async || {
            self.namespaces().get_opt(namespace).await.unwrap().is_none().then_some(())
        })
        .await;
    }

    /// Waits until the namespace controller has been over all that is there, and is left with what has a finalizer.
    async fn until_only_finalizers_hold(&self, namespace: &str) {
        eventually("the namespace controller to wait for finalizers", async || {
            let found = self.namespaces().get(namespace).await.unwrap();
            let all = found.status?.conditions?;
            all.iter().any(|it| it.type_ == "NamespaceFinalizersRemaining" && it.status == "True").then_some(())
        })
        .await;
    }

    async fn has_rights(&self, namespace: &str) -> bool {
        let mut all = Vec::new();
        for kind in ["Role", "RoleBinding"] {
            let named = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
                "metadata": {"name": RELEASE, "namespace": namespace}});
            all.push(there(&self.world.client, &named).await.is_some());
        }
        assert_eq!(all[0], all[1], "{namespace}: one of Role and RoleBinding is there");
        all[0]
    }

    async fn take_rights(&self, namespace: &str) {
        for kind in ["RoleBinding", "Role"] {
            let named = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
                "metadata": {"name": RELEASE, "namespace": namespace}});
            api_of(&self.world.client, &named).await.delete(RELEASE, &DeleteParams::default()).await.unwrap();
        }
    }

    /// Waits until every ready Pod says so.
    async fn until_readyz(&self, words: &str) {
        eventually(&format!("'{words}' at /readyz"), async || {
            let pods = self.world.pods().await;
            let mut said = Vec::new();
            for pod in &pods {
                said.push(self.world.ask(pod, "/readyz").await?);
            }
            (!said.is_empty() && said.iter().all(|text| text.contains(words))).then_some(())
        })
        .await;
    }

    async fn lives_on(&self, name: &str) {
        self.create(&self.stays, name).await;
        self.ready(&self.stays, name).await;
    }
}

/// Its Identities are let go with the rights that the namespace would have lost first, though Unkey is away at first, and though new Pods begin
/// while it ends. helm goes on at every stage.
#[tokio::test]
async fn a_watched_namespace_ends() {
    let helm = &helms()[0];
    let teams = Teams::new("ending").await;
    let (ends, stays) = (teams.ends.as_str(), teams.stays.as_str());
    teams.release(helm, "install", &[ends, stays], "replicaCount=2").await;
    for n in 0..30 {
        teams.create(ends, &format!("ends-{n}")).await;
    }
    for n in 0..30 {
        teams.ready(ends, &format!("ends-{n}")).await;
    }
    teams.lives_on("before").await;

    let outage = teams.world.workspace.order(Fault::new(FaultKind::html(503)));
    teams.delete(ends).await;
    teams.until_only_finalizers_hold(ends).await;
    assert!(teams.has_rights(ends).await);
    // Other Pods, which begin with this namespace on their list.
    let said = teams.release(helm, "upgrade", &[ends, stays], "config.workers=8").await;
    assert!(said.contains(&format!("the namespace {ends} is being deleted")), "{said}");
    assert!(teams.has_rights(ends).await);
    assert!(teams.world.workspace.clear_fault(outage));
    // They are too many to go unasked (R20).
    for n in 0..30 {
        teams.held(ends, &format!("ends-{n}")).await;
    }
    assert!((0..30).all(|n| teams.world.workspace.live(&format!("ends-{n}")).is_some()));
    for n in 0..30 {
        teams.approve(ends, &format!("ends-{n}")).await;
    }
    teams.gone(ends).await;
    assert!((0..30).all(|n| teams.world.workspace.live(&format!("ends-{n}")).is_none()));
    teams.lives_on("after").await;

    // It is gone and still on the list, beside one that never was: both are told of, and nothing waits for them.
    let never = format!("{ends}-never");
    let said = teams.release(helm, "upgrade", &[ends, stays, &never], "config.workers=9").await;
    for absent in [ends, &never] {
        assert!(said.contains(&format!("there is no namespace {absent}")), "{said}");
        teams.until_readyz(&format!("namespace '{absent}' is not watched")).await;
    }
    teams.edit_lives_on("after").await;
    // It comes to be.
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": never}});
    apply(&teams.world.client, &namespace).await;
    let said = teams.release(helm, "upgrade", &[stays, &never], "config.workers=9").await;
    assert!(!said.contains("there is no namespace"), "{said}");
    teams.create(&never, "late").await;
    teams.ready(&never, "late").await;
    teams.lives_on("at-last").await;
}

impl Teams {
    /// What has an identity is kept in step, whatever else is unknown.
    async fn edit_lives_on(&self, name: &str) {
        let mut edited = self.identity(&self.stays, name);
        edited["spec"]["meta"] = json!({"n": 2});
        apply(&self.world.client, &edited).await;
        self.ready(&self.stays, name).await;
        assert!(self.world.workspace.live(name).unwrap().meta.to_string().contains('2'));
    }
}

/// Somebody took the rights away before: the way out that docs/operations/runbook.md tells, with both helms.
#[tokio::test]
async fn the_way_out_for_a_namespace_that_lost_its_rights() {
    let runbook = crate::harness::read("docs/operations/runbook.md");
    assert!(runbook.contains("--set rbac.clusterWide=true") && runbook.contains("--set rbac.clusterWide=false"));
    for helm in helms() {
        let teams = Teams::new(&format!("{}-way-out", helm.name)).await;
        let (ends, stays) = (teams.ends.as_str(), teams.stays.as_str());
        let (first, second) = (format!("{}-one", helm.name), format!("{}-two", helm.name));
        teams.release(helm, "install", &[ends, stays], "replicaCount=1").await;
        teams.create(ends, &format!("{}-ends", helm.name)).await;
        teams.ready(ends, &format!("{}-ends", helm.name)).await;
        teams.lives_on(&first).await;
        teams.take_rights(ends).await;
        teams.delete(ends).await;
        teams.until_only_finalizers_hold(ends).await;
        // New Pods, which cannot know what is in there.
        teams.release(helm, "upgrade", &[ends, stays], "config.workers=8").await;
        teams.until_readyz(&format!("namespace '{ends}' is not watched")).await;
        teams.edit_lives_on(&first).await;
        teams.create(stays, &second).await;

        teams.release(helm, "upgrade", &[ends, stays], "config.workers=8,rbac.clusterWide=true").await;
        teams.gone(ends).await;
        teams.ready(stays, &second).await;
        teams.release(helm, "upgrade", &[stays], "config.workers=8,rbac.clusterWide=false").await;
        teams.lives_on(&format!("{}-three", helm.name)).await;
        let wide = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("{RELEASE}.{}", teams.world.namespace)}});
        assert!(there(&teams.world.client, &wide).await.is_none());
    }
}

/// What a person or helm deletes by name goes, and so does what is in no namespace that ends.
#[tokio::test]
async fn the_guard_is_in_nobody_elses_way() {
    let helm = &helms()[0];
    let teams = Teams::new("guard").await;
    let (ends, stays) = (teams.ends.as_str(), teams.stays.as_str());
    teams.release(helm, "install", &[ends, stays], "replicaCount=1").await;
    teams.create(ends, "guarded").await;
    teams.ready(ends, "guarded").await;
    teams.lives_on("beside").await;
    let outage = teams.world.workspace.order(Fault::new(FaultKind::html(503)));
    let other = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "others", "namespace": ends}, "rules": []});
    apply(&teams.world.client, &other).await;
    teams.delete(ends).await;
    teams.until_only_finalizers_hold(ends).await;
    eventually("the Roles of others to be gone", async || {
        there(&teams.world.client, &other).await.is_none().then_some(())
    })
    .await;
    assert!(teams.has_rights(ends).await);
    // Off the list: helm deletes them, and nobody is left to let the Identity go.
    teams.release(helm, "upgrade", &[stays], "replicaCount=1").await;
    assert!(!teams.has_rights(ends).await && teams.has_rights(stays).await);
    assert!(teams.world.workspace.clear_fault(outage));
    teams.lives_on("still").await;
    assert!(there(&teams.world.client, &teams.identity(ends, "guarded")).await.is_some());
    // On the list again: nothing can be made there any more, and helm does not try.
    teams.release(helm, "upgrade", &[ends, stays], "replicaCount=1,rbac.clusterWide=true").await;
    teams.gone(ends).await;
    teams.world.helm(helm, &["uninstall", RELEASE]).await;
}
