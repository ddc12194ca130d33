//! A kubeconfig whose exec plugin gives a token that is revoked before its end. The plugin is run again on a 401, once for all requests, and
//! not again and again while it gives nothing better.

use std::path::PathBuf;

use cutting_proxy::{Ending, Proxy};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use serde_json::json;

use super::harness::{Operator, World, eventually};
use super::kubeconfigs;

/// A service account that may do everything, whose tokens live as long as a Secret each.
struct Account<'w> {
    world: &'w World,
    secrets: Api<Secret>,
}

impl<'w> Account<'w> {
    async fn new(world: &'w World) -> Self {
        let namespace = &world.namespace;
        let meta = |name: &str| ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let accounts: Api<ServiceAccount> = Api::namespaced(world.client.clone(), namespace);
        let account = ServiceAccount { metadata: meta("plugged"), ..ServiceAccount::default() };
        accounts.create(&PostParams::default(), &account).await.unwrap();
        let bindings: Api<ClusterRoleBinding> = Api::all(world.client.clone());
        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "metadata": {"name": format!("plugged-{namespace}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "plugged", "namespace": namespace}],
        }))
        .unwrap();
        bindings.create(&PostParams::default(), &binding).await.unwrap();
        Self { world, secrets: Api::namespaced(world.client.clone(), namespace) }
    }

    fn folder(&self) -> PathBuf {
        self.world.files.path().to_owned()
    }

    /// The plugin gives this token from now on; it is revoked with `name`.
    async fn gives(&self, name: &str) {
        let secret = Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..Secret::default()
        };
        let secret = self.secrets.create(&PostParams::default(), &secret).await.unwrap();
        let bound = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Secret".to_owned()),
            name: secret.metadata.name,
            uid: secret.metadata.uid,
        };
        let spec = TokenRequestSpec {
            bound_object_ref: Some(bound),
            expiration_seconds: Some(36_000),
            ..TokenRequestSpec::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.world.client.clone(), &self.world.namespace);
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let reply = accounts.create_token_request("plugged", &PostParams::default(), &request).await.unwrap();
        let token = reply.status.unwrap().token;
        let credential = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
            "status": {"token": token, "expirationTimestamp": "2999-01-01T00:00:00Z"},
        });
        std::fs::write(self.folder().join("next"), credential.to_string()).unwrap();
        std::fs::rename(self.folder().join("next"), self.folder().join("credential")).unwrap();
    }

    async fn revoke(&self, name: &str) {
        self.secrets.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// A kubeconfig by this proxy, with the plugin.
    fn kubeconfig(&self, proxy: &Proxy) -> PathBuf {
        let (runs, credential) = (self.folder().join("runs"), self.folder().join("credential"));
        let script = format!("echo run >> {}; cat {}", runs.display(), credential.display());
        let user = json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script], "interactiveMode": "Never",
        }});
        let cluster = json!({"server": format!("http://{}", proxy.address()), "certificate-authority": null});
        kubeconfigs::write(self.world, "plugin.kubeconfig", &cluster, Some(&user))
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.folder().join("runs")).unwrap().lines().count()
    }
}

fn refusals(proxy: &Proxy) -> usize {
    proxy.requests().iter().filter(|it| it.answered == Some(401)).count()
}

async fn start(world: &World, kubeconfig: &std::path::Path) -> Operator {
    let mut args = world.args();
    let at = args.iter().position(|arg| arg == "--kubeconfig").unwrap();
    kubeconfig.to_str().unwrap().clone_into(&mut args[at + 1]);
    args.extend(["--leader-elect", "--lease-namespace", &world.namespace].map(ToOwned::to_owned));
    world.start_as(&args, &[]).await
}

#[tokio::test]
async fn a_revoked_token_is_replaced_by_another_run_of_the_plugin() {
    let world = World::new("plugin").await;
    let proxy = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
    let account = Account::new(&world).await;
    account.gives("first").await;
    let operator = start(&world, &account.kubeconfig(&proxy)).await;
    world.create("a", &json!({"externalId": "a", "meta": {"n": 1}})).await;
    world.ready("a").await;
    assert_eq!(account.runs(), 1, "lease, watch and all requests by one run");

    account.gives("second").await;
    account.revoke("first").await;
    // The API server believes a token for some seconds more.
    proxy.wait_until(|proxy| refusals(proxy) > 0).await;
    proxy.end_watches(Ending::Clean);
    for n in 2..5 {
        world.edit("a", &json!({"meta": {"n": n}})).await;
        world.ready("a").await;
    }
    assert_eq!(account.runs(), 2);
    assert!(operator.log().contains("renewed the credential for the API server"));
    assert!(!operator.log().contains("Unauthorized"), "no request has failed: {}", operator.log());
    world.assert_in_step().await;
}

/// It gives the revoked one again: it is asked now and then, and works when it gives a good one.
#[tokio::test]
async fn a_plugin_that_gives_nothing_better_is_not_stormed() {
    let world = World::new("plugin-stale").await;
    let proxy = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
    let account = Account::new(&world).await;
    account.gives("first").await;
    // A lease that lasts: what is tested is not that its holder ends.
    let world_with = async |kubeconfig: PathBuf| {
        let mut args = world.args();
        let at = args.iter().position(|arg| arg == "--kubeconfig").unwrap();
        kubeconfig.to_str().unwrap().clone_into(&mut args[at + 1]);
        world.start_as(&args, &[]).await
    };
    let _operator = world_with(account.kubeconfig(&proxy)).await;
    world.create("a", &json!({"externalId": "a", "meta": {"n": 1}})).await;
    world.ready("a").await;
    account.revoke("first").await;
    proxy.wait_until(|proxy| refusals(proxy) > 0).await;
    world.edit("a", &json!({"meta": {"n": 2}})).await;
    eventually("it to be refused and run again", async || (account.runs() >= 3).then_some(())).await;
    assert!(refusals(&proxy) > account.runs(), "{} refusals, {} runs", refusals(&proxy), account.runs());
    account.gives("second").await;
    world.ready("a").await;
    world.assert_in_step().await;
}
