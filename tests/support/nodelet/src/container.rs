//! The command that stands in for a container: its arguments and environment, with this machine's paths and addresses. May not run it.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, PodSpec, Secret, SecretKeySelector};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::error::{Error, Result, trying};
use crate::host::Host;
use crate::volumes::Volumes;

/// Where a Pod has its account's token.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A mount path, and the folder that stands in for it.
type Mounts = [(String, PathBuf)];

/// The only container, if nothing of the Pod goes beyond what is imitated.
fn only(spec: &PodSpec) -> Result<&Container> {
    let [container] = spec.containers.as_slice() else {
        return Err(Error::NotImitated("more than one container".to_owned()));
    };
    let mounts = container.volume_mounts.iter().flatten();
    let beyond = [
        ("init containers", spec.init_containers.iter().flatten().next().is_some()),
        ("`command`", container.command.is_some()),
        ("`envFrom`", container.env_from.iter().flatten().next().is_some()),
        ("lifecycle hooks", container.lifecycle.is_some()),
        ("startup probes", container.startup_probe.is_some()),
        ("`subPath`", mounts.clone().any(|mount| mount.sub_path.is_some() || mount.sub_path_expr.is_some())),
    ];
    match beyond.into_iter().find(|(_, is_there)| *is_there) {
        Some((what, _)) => Err(Error::NotImitated(what.to_owned())),
        None => Ok(container),
    }
}

/// The same of a Pod.
pub(crate) fn of(pod: &Pod) -> Result<&Container> {
    let spec = pod.spec.as_ref().ok_or_else(|| Error::NotImitated("a Pod without a spec".to_owned()))?;
    only(spec)
}

/// The value of a field that a Pod may hand to its container.
pub(crate) fn field(pod: &Pod, path: &str) -> Result<String> {
    let spec = pod.spec.as_ref();
    let value = match path {
        "metadata.name" => pod.metadata.name.clone(),
        "metadata.namespace" => pod.metadata.namespace.clone(),
        "metadata.uid" => pod.metadata.uid.clone(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        other => return Err(Error::NotImitated(format!("a reference to {other}"))),
    };
    Ok(value.unwrap_or_default())
}

/// What is to be run for the Pod, whose volumes are mounted.
pub(crate) async fn command(host: &Host, pod: &Pod, volumes: &Volumes, address: Ipv4Addr) -> Result<Command> {
    let container = of(pod)?;
    let mounts: Vec<(String, PathBuf)> = container
        .volume_mounts
        .iter()
        .flatten()
        .map(|mount| (mount.mount_path.clone(), volumes.folder(&mount.name)))
        .collect();
    let mut environment = given(host, pod, &mounts)?;
    for variable in container.env.iter().flatten() {
        if let Some(value) = value(host, pod, variable).await? {
            environment.insert(variable.name.clone(), translated(&value, &mounts));
        }
    }
    // `env` gives way to the program, which so has nothing of our own environment.
    let mut command = Command::new("/usr/bin/env");
    command.arg("-i").args(environment.iter().map(|(name, value)| format!("{name}={value}")));
    command.arg(&host.options.program);
    command.args(container.args.iter().flatten().map(|arg| listening(&translated(arg, &mounts), address)));
    Ok(command)
}

/// What every container has in its environment, and the way to the API server.
fn given(host: &Host, pod: &Pod, mounts: &Mounts) -> Result<BTreeMap<String, String>> {
    let (server, port) = host.url.trim_start_matches("https://").rsplit_once(':').unwrap_or((host.url.as_str(), "443"));
    let mut given = BTreeMap::from([
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("HOSTNAME".to_owned(), pod.name_any()),
        ("KUBERNETES_SERVICE_HOST".to_owned(), server.to_owned()),
        ("KUBERNETES_SERVICE_PORT".to_owned(), port.to_owned()),
    ]);
    if let Some((_, folder)) = mounts.iter().find(|(path, _)| path == ACCOUNT) {
        let path = host.folder(&format!("{}.kubeconfig", pod.name_any()));
        let text = kubeconfig(&host.url, folder, &host.options.namespace);
        fs::write(&path, text).map_err(trying(|| format!("write {}", path.display())))?;
        given.insert("KUBECONFIG".to_owned(), path.display().to_string());
    }
    Ok(given)
}

/// What a client finds in a Pod by itself: the token's file, which changes, and the CA's.
fn kubeconfig(url: &str, account: &Path, namespace: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "pod",
        "clusters": [{"name": "cluster", "cluster": {"server": url, "certificate-authority": account.join("ca.crt")}}],
        "users": [{"name": "account", "user": {"tokenFile": account.join("token")}}],
        "contexts": [{"name": "pod", "context": {"cluster": "cluster", "user": "account", "namespace": namespace}}],
    })
    .to_string()
}

/// `None`: taken from what is not there, and may be.
async fn value(host: &Host, pod: &Pod, variable: &EnvVar) -> Result<Option<String>> {
    let Some(from) = &variable.value_from else { return Ok(Some(variable.value.clone().unwrap_or_default())) };
    if let Some(reference) = &from.field_ref {
        return field(pod, &reference.field_path).map(Some);
    }
    match &from.secret_key_ref {
        Some(reference) => secret(host, reference).await,
        None => Err(Error::NotImitated(format!("the source of the variable {}", variable.name))),
    }
}

async fn secret(host: &Host, reference: &SecretKeySelector) -> Result<Option<String>> {
    let secrets: Api<Secret> = Api::namespaced(host.client.clone(), &host.options.namespace);
    let found = secrets.get_opt(&reference.name).await?;
    let why = if found.is_some() { "couldn't find the key in" } else { "not found:" };
    match found.and_then(|secret| secret.data?.remove(&reference.key)) {
        Some(value) => Ok(Some(String::from_utf8_lossy(&value.0).into_owned())),
        None if reference.optional == Some(true) => Ok(None),
        None => Err(Error::Variable(format!("{} {why} secret {:?}", reference.key, reference.name))),
    }
}

/// With folders of this machine in place of mount paths.
fn translated(text: &str, mounts: &Mounts) -> String {
    let mut text = text.to_owned();
    for (path, folder) in mounts {
        let mut done = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(path.as_str()) {
            // `/etc/x` is no part of `/etc/xy` or of `/usr/etc/x`.
            let part = |c: char| c.is_alphanumeric() || "-_.".contains(c);
            let ends = !after.starts_with(part) && !before.ends_with(part);
            done.push_str(before);
            done.push_str(&if ends { folder.display().to_string() } else { path.clone() });
            rest = after;
        }
        done.push_str(rest);
        text = done;
    }
    text
}

/// With the Pod's address in place of all addresses.
fn listening(text: &str, address: Ipv4Addr) -> String {
    text.replace("0.0.0.0:", &format!("{address}:")).replace("[::]:", &format!("{address}:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_what_is_here() {
        let mounts = [("/etc/op".to_owned(), PathBuf::from("/tmp/a")), ("/var/x".to_owned(), PathBuf::from("/tmp/b"))];
        let rows = [
            ("--file=/etc/op/root-key", "--file=/tmp/a/root-key"),
            ("/etc/op", "/tmp/a"),
            ("/etc/op:/var/x/y", "/tmp/a:/tmp/b/y"),
            ("/etc/operator/key", "/etc/operator/key"),
            ("/usr/etc/op", "/usr/etc/op"),
            ("--api-url=http://127.0.0.1:1", "--api-url=http://127.0.0.1:1"),
        ];
        for (given, expected) in rows {
            assert_eq!(translated(given, &mounts), expected);
        }
        let address = Ipv4Addr::new(127, 1, 2, 3);
        for given in ["--admin-address=0.0.0.0:8080", "--admin-address=[::]:8080"] {
            assert_eq!(listening(given, address), "--admin-address=127.1.2.3:8080");
        }
    }

    #[test]
    fn what_is_not_imitated_is_refused() {
        let spec = |change: serde_json::Value| -> PodSpec {
            let mut container = json!({"name": "a", "image": "b", "args": ["run"]});
            container.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            serde_json::from_value(json!({"containers": [container]})).unwrap()
        };
        assert!(only(&spec(json!({}))).is_ok());
        for change in [
            json!({"command": ["sh"]}),
            json!({"envFrom": [{"secretRef": {"name": "a"}}]}),
            json!({"startupProbe": {"httpGet": {"port": 1}}}),
            json!({"volumeMounts": [{"name": "a", "mountPath": "/a", "subPath": "b"}]}),
        ] {
            assert!(matches!(only(&spec(change.clone())), Err(Error::NotImitated(_))), "{change}");
        }
    }
}
