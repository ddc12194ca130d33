//! Finds the operator's Pod, and the arguments and variables that it runs with: what it would do depends on them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::ListParams;
use kube::{Api, Client};

use super::error::GatherError;
use super::lease::read_lease;
use crate::controller::{KubeError, within_deadline};

/// By which the chart labels its Pods.
const LABEL: &str = "app.kubernetes.io/name=unkey-operator";

/// A Pod of the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The `ServiceAccount` that it runs as.
    pub account: String,
    /// The image that it runs.
    pub image: String,
    /// The release that it belongs to, by its label; empty: none.
    pub release: String,
    /// Its arguments, beginning with `run`.
    pub args: Vec<String>,
    /// Its variables whose values stand in the Pod itself.
    pub env: BTreeMap<String, String>,
    /// Its variables whose values stand elsewhere, such as in a `ConfigMap`.
    pub unread: Vec<String>,
    /// All that some `ConfigMap` or `Secret` holds are its variables too.
    pub has_env_from: bool,
    /// It holds the lease, or elects no leader.
    pub leads: bool,
    /// It is ready.
    pub is_ready: bool,
}

/// The Pods of all operators that may be seen, those that lead first. `namespace`: look there only. `lease_of`: namespace and name of the lease that a
/// Pod's arguments name; `None`: it elects no leader.
pub async fn find_operator(
    client: &Client,
    namespace: Option<&str>,
    lease_of: impl Fn(&OperatorPod) -> Option<(String, String)>,
) -> Result<Vec<OperatorPod>, GatherError> {
    let api: Api<Pod> = namespace.map_or_else(|| Api::all(client.clone()), |it| Api::namespaced(client.clone(), it));
    let params = ListParams::default().labels(LABEL);
    let pods = within_deadline(api.list(&params)).await.map_err(GatherError::pods)?;
    let pods = pods.map_err(|error| GatherError::pods(KubeError::Api(error)))?;
    let mut found: Vec<OperatorPod> = pods.items.iter().filter_map(operator_pod).collect();
    for pod in &mut found {
        pod.leads = match lease_of(pod) {
            None => true,
            Some((namespace, name)) => holds(client, pod, &namespace, &name).await?,
        };
    }
    found.sort_by(|a, b| (!a.leads, &a.namespace, &a.name).cmp(&(!b.leads, &b.namespace, &b.name)));
    Ok(found)
}

fn operator_pod(pod: &Pod) -> Option<OperatorPod> {
    let (spec, metadata) = (pod.spec.as_ref()?, &pod.metadata);
    let is_over = |phase: &String| phase == "Succeeded" || phase == "Failed";
    let status = pod.status.as_ref();
    if metadata.deletion_timestamp.is_some() || status.and_then(|it| it.phase.as_ref()).is_some_and(is_over) {
        return None;
    }
    let container = spec.containers.iter().find(|container| runs(container).is_some())?;
    let ready = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let label = |name: &str| metadata.labels.as_ref().and_then(|labels| labels.get(name)).cloned().unwrap_or_default();
    Some(OperatorPod {
        namespace: metadata.namespace.clone()?,
        name: metadata.name.clone()?,
        account: spec.service_account_name.clone().unwrap_or_default(),
        image: container.image.clone().unwrap_or_default(),
        release: label("app.kubernetes.io/instance"),
        args: runs(container)?,
        env: container.env.iter().flatten().filter_map(|it| Some((it.name.clone(), it.value.clone()?))).collect(),
        unread: container.env.iter().flatten().filter(|it| it.value_from.is_some()).map(|it| it.name.clone()).collect(),
        has_env_from: container.env_from.as_ref().is_some_and(|from| !from.is_empty()),
        leads: false,
        is_ready: ready.into_iter().any(|it| it.type_ == "Ready" && it.status == "True"),
    })
}

/// The arguments from `run` on, wherever the container has them.
fn runs(container: &Container) -> Option<Vec<String>> {
    let all: Vec<&String> = container.command.iter().flatten().chain(container.args.iter().flatten()).collect();
    let at = all.iter().position(|argument| *argument == "run")?;
    Some(all[at..].iter().map(|argument| (*argument).clone()).collect())
}

/// A lease that may not be read says nothing: any replica has the same arguments.
async fn holds(client: &Client, pod: &OperatorPod, namespace: &str, name: &str) -> Result<bool, GatherError> {
    match read_lease(client, namespace, name).await {
        Ok(lease) => Ok(lease.is_some_and(|lease| lease.pod() == Some(pod.name.as_str()))),
        Err(KubeError::Api(kube::Error::Api(status))) if status.code == 403 => Ok(false),
        Err(error) => Err(GatherError::pods(error)),
    }
}
