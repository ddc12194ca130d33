//! The flags by which commands for people reach the API server and Unkey. Flag before environment before config file, as Unkey's own CLI.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde::Deserialize;

use super::values::duration;
use super::words::AGENT;
use crate::apiserver::{self, Access, ServerTime};
use crate::app::{AppError, Options};
use crate::gather::Pace;
use crate::unkey::{self, Credentials};

/// The variables that hold a root key, or the file with one, and the one that names the config file.
const KEY_VARIABLE: &str = "UNKEY_ROOT_KEY";
const FILE_VARIABLE: &str = "UNKEY_ROOT_KEY_FILE";
const CONFIG_VARIABLE: &str = "UNKEY_CONFIG";
/// The variable of Unkey's SDKs for the URL, beside our own.
const BASE_URL_VARIABLE: &str = "UNKEY_API_BASE_URL";
const URL_VARIABLE: &str = "UNKEY_API_URL";
const DEFAULT_URL: &str = "https://api.unkey.com";
/// Where Unkey's CLI keeps its settings, below the home folder.
const CONFIG: &str = ".unkey/config.toml";

#[derive(Args, Debug, Clone)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterArgs {
    /// Kubeconfig file; defaults to KUBECONFIG (one file or several), then to ~/.kube/config, then to the cluster that this command
    /// runs in
    #[arg(long, env = "UNKEY_OPERATOR_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, env = "UNKEY_OPERATOR_CONTEXT")]
    context: Option<String>,

    /// User to impersonate
    #[arg(long = "as", value_name = "USER")]
    impersonate: Option<String>,

    /// Group to impersonate; repeatable
    #[arg(long = "as-group", value_name = "GROUP", requires = "impersonate")]
    impersonate_group: Vec<String>,
}

#[derive(Args, Debug, Clone)]
#[allow(clippy::doc_markdown)]
#[allow(rustdoc::bare_urls)] // users read this in `--help`
#[command(next_help_heading = "Unkey")]
pub(super) struct UnkeyArgs {
    /// Base URL of the Unkey API [env: UNKEY_API_URL, UNKEY_API_BASE_URL] [default: https://api.unkey.com]
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,

    /// Proxy for requests to the Unkey API: a URL with scheme, host and port. HTTPS_PROXY is ignored
    #[arg(long, value_name = "URL", env = "UNKEY_OPERATOR_API_PROXY", hide_env_values = true)]
    api_proxy: Option<String>,

    /// File that contains the root key [env: UNKEY_ROOT_KEY_FILE]
    #[arg(long, value_name = "FILE", conflicts_with = "root_key")]
    root_key_file: Option<PathBuf>,

    /// Root key [env: UNKEY_ROOT_KEY]. Everybody on this machine can read the command lines of running programs; a file or the
    /// variable is safer
    #[arg(long, value_name = "KEY")]
    root_key: Option<String>,

    /// Settings file of Unkey's CLI; its root_key is used if nothing else names one [env: UNKEY_CONFIG] [default: ~/.unkey/config.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Maximum rate of requests to Unkey, per second; 0 for no maximum
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    max_requests_per_second: u32,

    /// Timeout of one request to Unkey, from connecting to the last byte (30s, 500ms)
    #[arg(long, default_value = "30s", value_parser = duration)]
    request_timeout: Duration,
}

/// A way to the API server.
pub(super) struct Cluster {
    pub client: kube::Client,
    pub time: ServerTime,
    /// The namespace of the context.
    pub namespace: String,
}

/// A way to Unkey.
pub(super) struct Upstream {
    pub client: unkey::Client,
    pub pace: Pace,
    /// The fingerprint of the root key.
    pub mark: String,
    /// Where the root key is from, in words.
    pub from: String,
}

/// Why there is no way to Unkey.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error(transparent)]
    Config(#[from] unkey::ConfigError),
    #[error("{0}; the root key is from {1}")]
    Credential(unkey::CredentialError, String),
    #[error("the settings file '{}' cannot be read: {source}", path.display())]
    Settings { path: PathBuf, source: std::io::Error },
    // The text of a parser's error would show the line, and with it the key.
    #[error("the settings file '{}' is not valid TOML, or root_key in it is not a text", .0.display())]
    NotToml(PathBuf),
}

#[derive(Deserialize)]
struct Settings {
    root_key: Option<String>,
}

impl ClusterArgs {
    pub async fn connect(&self) -> Result<Cluster, AppError> {
        let mut config = apiserver::config(self.kubeconfig.as_deref(), self.context.clone(), AGENT).await?;
        if let Some(user) = &self.impersonate {
            config.auth_info.impersonate = Some(user.clone());
            config.auth_info.impersonate_groups =
                Some(self.impersonate_group.clone()).filter(|groups| !groups.is_empty());
        }
        let namespace = config.default_namespace.clone();
        let access = Access::new(config).await?;
        Ok(Cluster { client: access.client()?, time: access.time(), namespace })
    }
}

/// The only reading of the environment beside clap's: a variable counts less than a flag of another name.
#[expect(clippy::disallowed_methods, reason = "clap ties a variable to one flag, and here it stands behind two")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl UnkeyArgs {
    /// The same, with what an operator is given where nobody says anything.
    pub fn or_as_given_to(mut self, operator: &Options) -> Self {
        let variables = [FILE_VARIABLE, KEY_VARIABLE, CONFIG_VARIABLE];
        let flags = self.root_key_file.is_some() || self.root_key.is_some() || self.config.is_some();
        if !flags && variables.iter().all(|name| variable(name).is_none()) {
            self.root_key_file.clone_from(&operator.root_key_file);
        }
        if self.api_url.is_none() && variable(URL_VARIABLE).or_else(|| variable(BASE_URL_VARIABLE)).is_none() {
            self.api_url = Some(operator.api_url.clone());
        }
        self.api_proxy = self.api_proxy.or_else(|| operator.api_proxy.clone());
        self
    }

    /// `None`: there is no root key anywhere.
    pub fn connect(&self) -> Result<Option<Upstream>, KeyError> {
        let Some((credentials, from)) = self.credentials()? else { return Ok(None) };
        let given = self.api_url.clone().or_else(|| variable(URL_VARIABLE)).or_else(|| variable(BASE_URL_VARIABLE));
        let options = unkey::Options {
            base_url: given.unwrap_or_else(|| DEFAULT_URL.to_owned()),
            proxy: self.api_proxy.clone().filter(|proxy| !proxy.is_empty()),
            request_timeout: self.request_timeout,
            user_agent: AGENT.to_owned(),
        };
        let (client, mark) = match unkey::Client::new(&options, credentials)?.pinned() {
            Ok(pinned) => pinned,
            Err(error) => return Err(KeyError::Credential(error, from)),
        };
        Ok(Some(Upstream { client, mark, from, pace: Pace::new(self.max_requests_per_second) }))
    }

    fn credentials(&self) -> Result<Option<(Credentials, String)>, KeyError> {
        let of_value = |key: String, from: String| match Credentials::from_value(&SecretString::from(key)) {
            Ok(credentials) => Ok(Some((credentials, from))),
            Err(error) => Err(KeyError::Credential(error, from)),
        };
        let of_file =
            |file: &Path, by: &str| (Credentials::from_file(file), format!("the file '{}' ({by})", file.display()));
        if let Some(file) = &self.root_key_file {
            return Ok(Some(of_file(file, "--root-key-file")));
        }
        if let Some(key) = &self.root_key {
            return of_value(key.clone(), "--root-key".to_owned());
        }
        if let Some(file) = variable(FILE_VARIABLE) {
            return Ok(Some(of_file(Path::new(&file), FILE_VARIABLE)));
        }
        if let Some(key) = variable(KEY_VARIABLE) {
            return of_value(key, format!("the variable {KEY_VARIABLE}"));
        }
        let (named, path) = match self.config.clone().or_else(|| variable(CONFIG_VARIABLE).map(PathBuf::from)) {
            Some(path) => (true, path),
            None => match variable("HOME") {
                Some(home) => (false, Path::new(&home).join(CONFIG)),
                None => return Ok(None),
            },
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if !named && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeyError::Settings { path, source }),
        };
        let settings: Settings = toml::from_str(&text).map_err(|_| KeyError::NotToml(path.clone()))?;
        match settings.root_key.filter(|key| !key.is_empty()) {
            Some(key) => of_value(key, format!("the settings file '{}'", path.display())),
            None => Ok(None),
        }
    }
}
