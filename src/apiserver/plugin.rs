//! One run of a kubeconfig's exec plugin (`client.authentication.k8s.io`), and what it gives. When to run it is decided elsewhere.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::jiff::Timestamp;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

/// A plugin that takes longer is killed.
const DEADLINE: Duration = Duration::from_secs(30);

/// Why an exec plugin gave no credential. What it printed is not repeated: that is where the credential is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PluginError {
    /// The kubeconfig names no command, or no cluster though the plugin is to be told of it.
    #[error("the exec plugin of the kubeconfig has no {0}")]
    Incomplete(&'static str),
    /// It cannot be started.
    #[error("the exec plugin '{command}' of the kubeconfig cannot be run: {why}")]
    NotRun {
        /// The command.
        command: String,
        /// Why, in the operating system's words.
        why: String,
    },
    /// It ended with an error.
    #[error("the exec plugin '{command}' of the kubeconfig failed ({status})")]
    Failed {
        /// The command.
        command: String,
        /// Its exit status.
        status: String,
    },
    /// It did not end.
    #[error("the exec plugin '{command}' of the kubeconfig did not end within {} s", DEADLINE.as_secs())]
    Overdue {
        /// The command.
        command: String,
    },
    /// It printed something else.
    #[error("the exec plugin '{0}' of the kubeconfig printed no ExecCredential with a token or a certificate")]
    NoCredential(String),
}

/// What a plugin has given.
pub(super) struct Credential {
    /// As whom to go on, without a plugin.
    pub who: AuthInfo,
    /// When it ends by itself, if it said so.
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ExecCredential {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<String>,
}

/// Runs the plugin that `who` names.
pub(super) async fn run(who: &AuthInfo, exec: &ExecConfig) -> Result<Credential, PluginError> {
    let name = exec.command.clone().ok_or(PluginError::Incomplete("command"))?;
    let not_run = |error: std::io::Error| PluginError::NotRun { command: name.clone(), why: error.to_string() };
    let child = command(exec, &name)?.spawn().map_err(not_run)?;
    let ended = tokio::time::timeout(DEADLINE, child.wait_with_output()).await;
    let output = ended.map_err(|_| PluginError::Overdue { command: name.clone() })?.map_err(not_run)?;
    if !output.status.success() {
        return Err(PluginError::Failed { command: name, status: output.status.to_string() });
    }
    credential(who, &output.stdout).ok_or(PluginError::NoCredential(name))
}

fn command(exec: &ExecConfig, name: &str) -> Result<Command, PluginError> {
    let interactive = exec.interactive_mode != Some(ExecInteractiveMode::Never);
    let mut spec = json!({"interactive": interactive});
    if exec.provide_cluster_info {
        let cluster = exec.cluster.as_ref().and_then(|cluster| serde_json::to_value(cluster).ok());
        spec["cluster"] = cluster.ok_or(PluginError::Incomplete("cluster to pass to the plugin"))?;
    }
    let info = json!({"kind": "ExecCredential", "apiVersion": exec.api_version, "spec": spec});
    let mut command = Command::new(name);
    command.args(exec.args.iter().flatten()).kill_on_drop(true);
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdin(if interactive { Stdio::inherit() } else { Stdio::null() }).stdout(Stdio::piped());
    // What it has to say to a person is for our own standard error, where the log is.
    command.stderr(Stdio::inherit());
    Ok(command)
}

fn credential(who: &AuthInfo, printed: &[u8]) -> Option<Credential> {
    // JSON is YAML.
    let status = serde_yaml::from_slice::<ExecCredential>(printed).ok()?.status?;
    // An end that cannot be read is none: a 401 tells.
    let expires = status.expiration_timestamp.and_then(|at| at.parse().ok());
    let mut who = AuthInfo { exec: None, ..who.clone() };
    let certificate = status.client_certificate_data.zip(status.client_key_data);
    if status.token.is_none() && certificate.is_none() {
        return None;
    }
    if let Some((certificate, key)) = certificate {
        who.client_certificate_data = Some(STANDARD.encode(certificate));
        who.client_key_data = Some(SecretString::from(STANDARD.encode(key)));
    }
    who.token = status.token.map(SecretString::from);
    Some(Credential { who, expires })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn shell(script: &str) -> (AuthInfo, ExecConfig) {
        let args = Some(["-c", script].map(str::to_owned).to_vec());
        let never = Some(ExecInteractiveMode::Never);
        let api_version = Some("client.authentication.k8s.io/v1".to_owned());
        let command = Some("sh".to_owned());
        let exec = ExecConfig { api_version, command, args, interactive_mode: never, ..ExecConfig::default() };
        (AuthInfo { exec: Some(exec.clone()), impersonate: Some("me".to_owned()), ..AuthInfo::default() }, exec)
    }

    async fn given(script: &str) -> Result<Credential, String> {
        let (who, exec) = shell(script);
        run(&who, &exec).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_token_and_its_end() {
        let script = r#"echo "$KUBERNETES_EXEC_INFO" | grep -q '"interactive":false' &&
            echo '{"status": {"token": "t-1", "expirationTimestamp": "2030-01-02T03:04:05Z"}}'"#;
        let credential = given(script).await.unwrap();
        assert_eq!(credential.expires, Some("2030-01-02T03:04:05Z".parse().unwrap()));
        assert_eq!(credential.who.token.unwrap().expose_secret(), "t-1");
        assert!(credential.who.exec.is_none() && credential.who.impersonate.as_deref() == Some("me"));
    }

    #[tokio::test]
    async fn a_certificate() {
        let script = "printf 'status:\\n  clientCertificateData: c\\n  clientKeyData: k\\n'";
        let credential = given(script).await.unwrap();
        assert_eq!(credential.who.client_certificate_data.as_deref(), Some("Yw=="));
        assert_eq!(credential.who.client_key_data.unwrap().expose_secret(), "aw==");
        assert!(credential.who.token.is_none() && credential.expires.is_none());
    }

    #[tokio::test]
    async fn what_gives_nothing_says_why_and_repeats_nothing() {
        for (script, why) in [
            ("echo hunter2; exit 3", "the exec plugin 'sh' of the kubeconfig failed (exit status: 3)"),
            (
                "echo hunter2",
                "the exec plugin 'sh' of the kubeconfig printed no ExecCredential with a token or a certificate",
            ),
            (
                "echo '{\"status\": {}}'",
                "the exec plugin 'sh' of the kubeconfig printed no ExecCredential with a token or a certificate",
            ),
        ] {
            assert_eq!(given(script).await.err().as_deref(), Some(why));
        }
        let (who, mut exec) = shell("");
        exec.command = Some("/nonexistent/plugin".to_owned());
        let error = run(&who, &exec).await.err().unwrap().to_string();
        assert!(
            error.starts_with("the exec plugin '/nonexistent/plugin' of the kubeconfig cannot be run: No such file"),
            "{error}"
        );
    }
}
