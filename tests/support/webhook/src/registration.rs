//! The webhook as the API server knows it: a configuration that calls the server for one namespace only, and the proof that the API server
//! has taken it in. It must not answer requests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use super::Error;

/// Whether a webhook may change what it is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It allows or denies.
    Validating,
    /// It changes, allows or denies.
    Mutating,
}

/// Which requests the API server shows to the webhook, and what it makes of a webhook that fails.
#[derive(Clone, Debug)]
pub struct Rules {
    group: String,
    resources: Vec<String>,
    operations: Vec<String>,
    ignores_failure: bool,
    timeout_seconds: u8,
}

impl Rules {
    /// Every operation on these resources of an API group; a subresource is named as in `identities/status`. A webhook that fails, or takes
    /// longer than 10 s, fails the request.
    pub fn on(group: &str, resources: &[&str]) -> Self {
        Self {
            group: group.to_owned(),
            resources: resources.iter().map(ToString::to_string).collect(),
            operations: vec!["*".to_owned()],
            ignores_failure: false,
            timeout_seconds: 10,
        }
    }

    /// Only these operations: `CREATE`, `UPDATE`, `DELETE`. A patch is an update.
    pub fn operations(mut self, operations: &[&str]) -> Self {
        self.operations = operations.iter().map(ToString::to_string).collect();
        self
    }

    /// A webhook that fails is passed over.
    pub fn ignores_failure(mut self) -> Self {
        self.ignores_failure = true;
        self
    }

    /// So long the API server waits for an answer: 1 to 30 seconds.
    pub fn timeout_seconds(mut self, seconds: u8) -> Self {
        self.timeout_seconds = seconds;
        self
    }
}

/// The path that proves nothing but that the API server calls the webhook.
pub(crate) const PROBE: &str = "/probe";

/// What is registered at the API server.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    kubeconfig: PathBuf,
    kind: Kind,
    namespace: String,
    name: String,
}

impl Registration {
    /// A name of its own for each, so that several run side by side.
    pub fn new(kubeconfig: &Path, kind: Kind, namespace: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{namespace}-{}-{number}", std::process::id());
        Self { kubeconfig: kubeconfig.to_owned(), kind, namespace: namespace.to_owned(), name }
    }

    async fn client(&self) -> Result<Client, Error> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.proxy_url = None;
        Ok(Client::try_from(config)?)
    }

    /// Makes the configuration.
    pub async fn create(&self, address: SocketAddr, ca_pem: &str, rules: &Rules) -> Result<(), Error> {
        let client = self.client().await?;
        let meta = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let webhooks = self.webhooks(address, ca_pem, rules);
        let params = PostParams::default();
        match self.kind {
            Kind::Validating => {
                let webhooks = Some(serde_json::from_value(webhooks)?);
                let made = ValidatingWebhookConfiguration { metadata: meta, webhooks };
                Api::all(client).create(&params, &made).await.map(drop)?;
            }
            Kind::Mutating => {
                let webhooks = Some(serde_json::from_value(webhooks)?);
                let made = MutatingWebhookConfiguration { metadata: meta, webhooks };
                Api::all(client).create(&params, &made).await.map(drop)?;
            }
        }
        Ok(())
    }

    fn webhooks(&self, address: SocketAddr, ca_pem: &str, rules: &Rules) -> Value {
        let webhook = |name: &str, path: &str, rule: Value, policy: &str, timeout: u8| {
            json!({
                "name": format!("{name}.{}.tests.unkey.com", self.name),
                "clientConfig": {"url": format!("https://{address}{path}"), "caBundle": BASE64_STANDARD.encode(ca_pem)},
                "rules": [rule],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
                "failurePolicy": policy,
                "timeoutSeconds": timeout,
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            })
        };
        let asked = json!({
            "apiGroups": [rules.group], "apiVersions": ["*"], "resources": rules.resources, "operations": rules.operations,
        });
        let probed = json!({
            "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"],
        });
        let policy = if rules.ignores_failure { "Ignore" } else { "Fail" };
        // The API server takes both in at once: where it calls the one, it calls the other.
        json!([
            webhook("rules", "/review", asked, policy, rules.timeout_seconds),
            webhook("probe", PROBE, probed, "Ignore", 10),
        ])
    }

    /// Asks for something that is never made, and of which the API server tells the webhook if it knows it.
    pub async fn probe(&self) -> Result<(), Error> {
        let meta = ObjectMeta { generate_name: Some("webhook-probe-".to_owned()), ..ObjectMeta::default() };
        let map = ConfigMap { metadata: meta, ..ConfigMap::default() };
        let api: Api<ConfigMap> = Api::namespaced(self.client().await?, &self.namespace);
        api.create(&PostParams { dry_run: true, ..PostParams::default() }, &map).await?;
        Ok(())
    }

    /// Takes the configuration away. One that is gone already is none to take away.
    pub async fn delete(&self) -> Result<(), Error> {
        let client = self.client().await?;
        let params = DeleteParams::default();
        let gone = match self.kind {
            Kind::Validating => {
                Api::<ValidatingWebhookConfiguration>::all(client).delete(&self.name, &params).await.map(drop)
            }
            Kind::Mutating => {
                Api::<MutatingWebhookConfiguration>::all(client).delete(&self.name, &params).await.map(drop)
            }
        };
        match gone {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => Ok(other?),
        }
    }
}
