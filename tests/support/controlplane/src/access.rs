//! How others reach the control plane: kubeconfigs, clients, `ServiceAccount`s, namespaces, kubectl. May not start or stop a server.

use std::{path::PathBuf, process::Command};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client, Config,
    api::{ObjectMeta, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

use crate::{
    ControlPlane,
    error::{Error, Result},
    servers::Layout,
};

/// Longer than any test or demo.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// A kubeconfig as JSON, which is YAML. It names the certificate's file, for that lives as long as the control plane.
fn kubeconfig(layout: &Layout, user: &str, namespace: &str, token: &str) -> String {
    format!(
        "{:#}\n",
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "controlplane", "cluster": {
                "server": layout.url(),
                "certificate-authority": layout.certificate_authority(),
            }}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": user, "context": {
                "cluster": "controlplane", "user": user, "namespace": namespace,
            }}],
            "current-context": user,
        })
    )
}

impl Layout {
    /// Writes the kubeconfig that [`Layout::kubeconfig`] names.
    pub(crate) fn write_admin_kubeconfig(&self) -> Result<PathBuf> {
        self.write("admin.kubeconfig", &kubeconfig(self, "admin", "default", self.admin_token()))
    }
}

/// A client's configuration without kube's own retries: a test must see each answer, and count each request.
async fn config(kubeconfig: PathBuf) -> Result<Config> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    // HTTPS_PROXY is not for loopback.
    config.proxy_url = None;
    Ok(config)
}

impl ControlPlane {
    /// Where the API is served.
    pub fn url(&self) -> String {
        self.layout.url()
    }

    /// The certificates by which clients know the API server.
    pub fn certificate_authority(&self) -> PathBuf {
        self.layout.certificate_authority()
    }

    /// The kubeconfig file of an administrator. It works as long as the control plane lives.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig()
    }

    /// What [`ControlPlane::client`] is made of, to be changed before use.
    pub async fn config(&self) -> Result<Config> {
        config(self.kubeconfig()).await
    }

    /// A new client of an administrator, without kube's own retries. It belongs to the runtime it is made in.
    pub async fn client(&self) -> Result<Client> {
        Ok(Client::try_from(self.config().await?)?)
    }

    /// A new client of a `ServiceAccount`, which may do only what RBAC grants it.
    pub async fn service_account_client(&self, namespace: &str, name: &str) -> Result<Client> {
        let kubeconfig = self.service_account_kubeconfig(namespace, name).await?;
        Ok(Client::try_from(config(kubeconfig).await?)?)
    }

    /// The kubeconfig file of a `ServiceAccount`, made if it does not exist, with a token by `TokenRequest`.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let account = ServiceAccount {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..ServiceAccount::default()
        };
        match accounts.create(&PostParams::default(), &account).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => return Err(Error::from(error)),
        }
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let reply = accounts.create_token_request(name, &PostParams::default(), &request).await?;
        let token = reply.status.map(|status| status.token).unwrap_or_default();
        // Neither name may hold a dot and a slash; a namespace may not even hold a dot, so no two pairs share a file.
        self.layout.write(&format!("{namespace}.{name}.kubeconfig"), &kubeconfig(&self.layout, name, namespace, &token))
    }

    /// Makes a namespace named `prefix-` and something unique: tests share a control plane and isolate by namespace.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let namespaces: Api<Namespace> = Api::all(self.client().await?);
        let namespace = Namespace {
            metadata: ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let made = namespaces.create(&PostParams::default(), &namespace).await?;
        Ok(made.metadata.name.unwrap_or_default())
    }

    /// The kubectl of the same version.
    pub fn kubectl(&self) -> Result<PathBuf> {
        self.layout.tools().binary("kubectl")
    }

    /// A command that runs kubectl as an administrator, whatever the user's own settings.
    pub fn kubectl_command(&self) -> Result<Command> {
        let mut command = Command::new(self.kubectl()?);
        command.env("KUBECONFIG", self.kubeconfig());
        // Its discovery cache goes by host and port and lasts hours: an earlier control plane's would be believed.
        command.env("KUBECACHEDIR", self.layout.directory().join("kubectl"));
        command.env("KUBERC", "off");
        Ok(command)
    }
}
