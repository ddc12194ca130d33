//! Reads how to reach the API server: a kubeconfig, or what a Pod has. It connects to nothing.

use std::error::Error;
use std::path::Path;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::Config;
use kube::config::{Cluster, InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::proxy::{self, Environment, ProxyError};

/// Why it is not known how to reach the API server.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used: {}", kubeconfig_problem(.0))]
    Kubeconfig(#[from] KubeconfigError),
    /// No kubeconfig and not in a cluster.
    #[error("not running in a cluster, and no kubeconfig can be used: {}; name one with --kubeconfig or KUBECONFIG", no_kubeconfig_problem(.0))]
    NoKubeconfig(#[from] InferConfigError),
    /// The proxy on the way cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

/// One line, and nothing of the file's content: a parser quotes the lines around an error, and a kubeconfig holds tokens.
fn kubeconfig_problem(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(source, path) => format!("'{}' cannot be read: {source}", path.display()),
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("line {} column {} is not valid kubeconfig YAML", at.line(), at.column()),
            None => "the file is not valid kubeconfig YAML".to_owned(),
        },
        KubeconfigError::LoadContext(name) => format!("the file has no context '{name}'"),
        other => other.to_string(),
    }
}

fn no_kubeconfig_problem(error: &InferConfigError) -> String {
    let source = error.source().and_then(|source| source.downcast_ref());
    source.map_or_else(|| "none was found".to_owned(), kubeconfig_problem)
}

/// How to reach the API server: by this kubeconfig, or by what is found. A Pod reaches it directly: it has an address inside the cluster, where an
/// egress proxy does not lead.
/// `agent`: what the API server's audit log shows of us.
pub async fn config(
    kubeconfig: Option<&Path>,
    context: Option<String>,
    agent: &'static str,
) -> Result<Config, ConfigError> {
    let choose = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let named = match kubeconfig {
        Some(file) => Some(Kubeconfig::read_from(file)?),
        None => of_variable()?,
    };
    let is_named = named.is_some();
    // What cannot be read is told by whoever reads it next.
    let found = named.or_else(|| Kubeconfig::read().ok());
    let cluster = found.as_ref().and_then(|found| cluster_of(found, choose.context.as_deref()));
    let mut config = match found {
        Some(found) if is_named => Config::from_custom_kubeconfig(found, &choose).await?,
        _ if choose.context.is_some() => Config::from_kubeconfig(&choose).await?,
        _ => Config::infer().await?,
    };
    config.proxy_url = match cluster {
        Some(cluster) => proxy::choose(cluster.proxy_url.as_deref(), &config.cluster_url, &Environment::read())?,
        None => None,
    };
    // The client would repeat even a patch behind our back, for minutes; every failure is to be seen and paced by us.
    config.default_retry = false;
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    Ok(config)
}

/// What the files of the variable KUBECONFIG say together; as kubectl does, it passes over those that do not exist. `None`: none exists.
#[expect(clippy::disallowed_methods, reason = "clap ties a variable to one flag; this one holds several files")]
fn of_variable() -> Result<Option<Kubeconfig>, KubeconfigError> {
    let files = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let files = std::env::split_paths(&files).filter(|file| !file.as_os_str().is_empty() && file.exists());
    files.map(Kubeconfig::read_from).try_fold(None, |all: Option<Kubeconfig>, next| {
        Ok(Some(match all {
            Some(all) => all.merge(next?)?,
            None => next?,
        }))
    })
}

/// The cluster in use; `None`: the kubeconfig has none, so it is not used.
fn cluster_of(kubeconfig: &Kubeconfig, context: Option<&str>) -> Option<Cluster> {
    let context = context.or(kubeconfig.current_context.as_deref())?;
    let context = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == context.cluster)?;
    cluster.cluster.clone()
}
