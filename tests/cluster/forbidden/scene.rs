//! An operator under an account of its own that has the rights of the list and no others, in roles as the chart makes them, any of which can be
//! taken away. Asserts nothing about the operator.

use std::collections::BTreeSet;

use controlplane::AuditEvent;
use cutting_proxy::Proxy;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::harness::{Operator, Right, Setup, World, condition, eventually, is_granted};

/// The `ServiceAccount`, its roles and their bindings.
const ACCOUNT: &str = "operator";
/// What the operator calls its lease if nothing else is said.
const LEASE: &str = "unkey-operator";

pub struct Scene {
    /// Two namespaces with Identities, of one workspace in Unkey.
    pub teams: [World; 2],
    /// Where the operator runs.
    home: String,
    everywhere: bool,
    /// Between the operator and the API server, to end its watches: one that runs is not authorized anew.
    pub proxy: Proxy,
}

impl Scene {
    /// The operator watches the whole cluster, so nobody else is there.
    pub async fn of_the_cluster(name: &str) -> Self {
        Self::set(World::alone(name).await, true).await
    }

    /// The operator watches the two namespaces, which it is given by name.
    pub async fn of_namespaces(name: &str) -> Self {
        Self::set(World::new(name).await, false).await
    }

    async fn set(one: World, everywhere: bool) -> Self {
        let home = one.plane.namespace("home").await.unwrap();
        let other = one.beside("team").await;
        let account = one.plane.service_account_kubeconfig(&home, ACCOUNT).await.unwrap();
        let proxy = Proxy::start(&account).await.unwrap();
        let (kubeconfig, mine) = (proxy.kubeconfig(), one.namespace.clone());
        let one = one.with_args(&["--namespace", &mine, "--namespace", &other.namespace]);
        let one = one.with_args(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
        let scene = Self { teams: [one, other], home, everywhere, proxy };
        for place in scene.places() {
            let kind = if place.is_some() { "Role" } else { "ClusterRole" };
            let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": ACCOUNT});
            let account = json!({"kind": "ServiceAccount", "name": ACCOUNT, "namespace": scene.home});
            scene.apply(place.as_deref(), "RoleBinding", json!({"roleRef": role, "subjects": [account]})).await;
        }
        scene.grant(&BTreeSet::new()).await;
        scene
    }

    /// The list of this operator's rights.
    pub fn rights(&self) -> BTreeSet<Right> {
        let teams = self.teams.each_ref().map(|team| team.namespace.clone());
        let watched: &[String] = if self.everywhere { &[] } else { &teams };
        Setup { watched, wide: false, home: &self.home, lease: LEASE }.rights()
    }

    /// Where it has a role: in these namespaces, or in all of the cluster.
    fn places(&self) -> BTreeSet<Option<String>> {
        self.rights().into_iter().map(|right| right.namespace).collect()
    }

    /// Grants these and no others, and waits until the API server heeds it.
    pub async fn grant(&self, rights: &BTreeSet<Right>) {
        for place in self.places() {
            let rules: Vec<Value> = rights.iter().filter(|right| right.namespace == place).map(rule).collect();
            self.apply(place.as_deref(), "Role", json!({"rules": rules})).await;
        }
        let (user, client) = (self.user(), &self.teams[0].client);
        for right in self.rights() {
            let wanted = rights.contains(&right);
            eventually(&format!("may it {right:?}: {wanted}"), async || {
                (is_granted(&right, &user, client).await == wanted).then_some(())
            })
            .await;
        }
    }

    /// Grants all but this one.
    pub async fn take(&self, right: &Right) {
        let mut rights = self.rights();
        rights.remove(right);
        self.grant(&rights).await;
    }

    /// Applies a `Role` or a `RoleBinding`, or its like for the whole cluster.
    async fn apply(&self, place: Option<&str>, kind: &str, mut object: Value) {
        let kind = if place.is_some() { kind.to_owned() } else { format!("Cluster{kind}") };
        let gvk = GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", &kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, &format!("{}s", kind.to_lowercase()));
        let client = self.teams[0].client.clone();
        let api: Api<DynamicObject> = match place {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        object["apiVersion"] = json!(resource.api_version);
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": ACCOUNT});
        api.patch(ACCOUNT, &PatchParams::apply("tests").force(), &Patch::Apply(&object)).await.unwrap();
    }

    fn user(&self) -> String {
        format!("system:serviceaccount:{}:{ACCOUNT}", self.home)
    }

    /// The arguments of the operator, which stands for election. `lease`: how long it may do without the API server.
    fn args(&self, lease: &str) -> Vec<String> {
        let mut args = self.teams[0].args();
        while self.everywhere
            && let Some(at) = args.iter().position(|arg| arg == "--namespace")
        {
            args.drain(at..at + 2);
        }
        let lease = ["--leader-elect", "--lease-namespace", &self.home, "--lease-duration", lease];
        args.extend(lease.map(str::to_owned));
        args
    }

    /// Starts the operator.
    pub fn begin(&self, lease: &str) -> Operator {
        Operator::start(self.teams[0].files.path().join("operator.log"), &self.args(lease), &[])
    }

    /// The same, and waits until it has listed what there is.
    pub async fn start(&self, lease: &str) -> Operator {
        self.teams[0].start_as(&self.args(lease), &[]).await
    }

    /// The teams where the operator works under this right, and those where it does not.
    pub fn teams_under(&self, right: &Right) -> (Vec<&World>, Vec<&World>) {
        let is_meant = |team: &&World| right.namespace.as_ref().is_none_or(|namespace| *namespace == team.namespace);
        self.teams.iter().partition(is_meant)
    }

    /// Waits until everything is ready or gone, and looks whether Unkey holds just that.
    pub async fn in_step(&self) {
        let mut objects = Vec::new();
        for team in &self.teams {
            objects.extend(
                eventually("every Identity to be ready or gone", async || {
                    Some(team.list().await).filter(|objects| objects.iter().all(is_ready))
                })
                .await,
            );
        }
        self.teams[0].assert_all_in_step(objects);
    }

    /// The rights that the account has made use of, by the audit log; and whatever else it has asked for, refused or not.
    pub fn used(&self) -> BTreeSet<Right> {
        let (user, rights) = (self.user(), self.rights());
        // What is no resource (the published schema) every authenticated user may read, by system:discovery.
        let asked = self.teams[0].plane.audit(|event| event.user == user && !event.resource.is_empty()).unwrap();
        asked
            .iter()
            .filter_map(|event| match rights.iter().find(|right| covers(right, event)) {
                Some(_) if event.code == 403 => None,
                Some(right) => Some(right.clone()),
                None => Some(unlisted(event)),
            })
            .collect()
    }
}

fn is_ready(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
}

fn rule(right: &Right) -> Value {
    let mut rule = json!({"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]});
    if let Some(name) = &right.name {
        rule["resourceNames"] = json!([name]);
    }
    rule
}

fn resource(event: &AuditEvent) -> String {
    let slash = if event.subresource.is_empty() { "" } else { "/" };
    format!("{}{slash}{}", event.resource, event.subresource)
}

fn covers(right: &Right, event: &AuditEvent) -> bool {
    let Right { namespace, name, group, resource: of, verb } = right;
    (group, of, verb) == (&event.group, &resource(event), &event.verb)
        && namespace.as_ref().is_none_or(|namespace| *namespace == event.namespace)
        && name.as_ref().is_none_or(|name| *name == event.name)
}

fn unlisted(event: &AuditEvent) -> Right {
    Right {
        namespace: Some(event.namespace.clone()),
        name: Some(event.name.clone()),
        group: event.group.clone(),
        resource: resource(event),
        verb: event.verb.clone(),
    }
}
