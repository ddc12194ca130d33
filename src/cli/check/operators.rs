//! Which operators there are, how they are set up, and which Identities they take in.

use std::collections::{BTreeSet, HashMap};

use super::super::connect::Cluster;
use super::super::setup::{self, Setup, SetupError};
use super::args::{CheckArgs, Failure};
use crate::check::{Finding, Id, Taken, Verdict};
use crate::controller::Scope;
use crate::domain::ObjectKey;
use crate::gather::{GatherError, ListedIdentity, OperatorPod, find_operator, list_identities, list_versions};

/// The operators that are looked at.
pub(super) struct Operators {
    /// Their Pods, or why they cannot be seen.
    pub pods: Result<Vec<OperatorPod>, String>,
    /// How each is set up.
    pub setups: Vec<Setup>,
    /// Why the settings of one are not known.
    unknown: Option<String>,
}

impl Operators {
    /// By the flags, by the container that this runs in, else by Pods.
    pub async fn find(args: &CheckArgs, cluster: &Cluster, beside: Option<Setup>) -> Result<Self, Failure> {
        let pods = match find_operator(&cluster.client, None, setup::lease_of).await {
            Ok(pods) => Ok(pods),
            // Who may list Pods in one namespace may have named it, or be in it.
            Err(error) => {
                let namespace = args.operator.as_deref().unwrap_or(&cluster.namespace);
                find_operator(&cluster.client, Some(namespace), setup::lease_of).await.map_err(|_| cause(error))
            }
        };
        let is_meant =
            |pod: &OperatorPod| args.operator.as_ref().is_none_or(|it| pod.namespace == *it || pod.release == *it);
        let pods = pods.map(|pods| pods.into_iter().filter(is_meant).collect::<Vec<_>>());
        let mut found = Self { pods, setups: Vec::new(), unknown: None };
        if !args.run.is_empty() {
            found.setups.push(setup::given(&args.run)?);
        } else if let Some(setup) = beside {
            found.setups.push(setup);
        } else {
            found.read_pods();
        }
        Ok(found)
    }

    /// The Pods of a release are set up alike; the one that leads comes first.
    fn read_pods(&mut self) {
        let mut seen = BTreeSet::new();
        for pod in self.pods.as_ref().into_iter().flatten() {
            if !seen.insert((&pod.namespace, &pod.release)) {
                continue;
            }
            match setup::of_pod(pod) {
                Ok(setup) => self.setups.push(setup),
                Err(error) => self.unknown = Some(why(&error)),
            }
        }
    }

    /// The users that they are for the API server.
    pub fn accounts(&self) -> Vec<String> {
        let pods = self.pods.as_ref().into_iter().flatten().filter(|pod| !pod.account.is_empty());
        let accounts: BTreeSet<String> =
            pods.map(|pod| format!("system:serviceaccount:{}:{}", pod.namespace, pod.account)).collect();
        accounts.into_iter().collect()
    }
}

/// Without what the finding says itself.
fn cause(error: GatherError) -> String {
    match error {
        GatherError::Pods(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn why(error: &SetupError) -> String {
    format!("{error}; use the program of the operator's version")
}

/// What cannot be seen of Pods.
pub(super) fn hidden(id: Id, why: &str) -> Finding {
    let remedy = "run this command as somebody who may list Pods where the operator runs";
    Finding::new(id, Verdict::CannotTell, format!("Pods cannot be seen: {why}; {remedy}"))
}

/// Namespace and name of its lease; `None`: it elects no leader.
pub(super) fn lease_of(setup: &Setup, cluster: &Cluster) -> Option<(String, String)> {
    let election = setup.options.election.as_ref()?;
    let namespace = election.namespace.as_ref().or(setup.namespace.as_ref()).unwrap_or(&cluster.namespace);
    Some((namespace.clone(), election.name.clone()))
}

/// The Identities, as far as they may be listed, and which of them no operator takes in.
pub(super) async fn taken(client: &kube::Client, operators: &Operators) -> (Option<Vec<ListedIdentity>>, Taken) {
    let scopes: Vec<Scope> = operators.setups.iter().map(|setup| setup.options.scope()).collect();
    let listed = match list_identities(client, &Scope::default(), |_| false).await {
        Ok(listed) => listed,
        Err(GatherError::NoDefinition) => {
            return (
                None,
                Taken::Skipped("There are no Identities: their CustomResourceDefinition is not installed".to_owned()),
            );
        }
        // Those of the operators may be listed all the same.
        Err(error) => return (listed_in(client, &scopes).await, Taken::Hidden(error.to_string())),
    };
    if let Some(why) = &operators.unknown {
        return (Some(listed), Taken::Hidden(why.clone()));
    }
    if scopes.is_empty() {
        let none = "No operator's settings are known, so what it takes in is not either; give them after '-- run'";
        return (Some(listed), Taken::Skipped(none.to_owned()));
    }
    let taken = match none_takes(client, &scopes, &listed).await {
        Ok(none) => Taken::Known(listed.len(), none),
        Err(error) => Taken::Hidden(error.to_string()),
    };
    // Identities that none of these operators takes in may be of another operator, and so of another workspace.
    let is_own = |scope: &Scope| scope.namespaces.is_empty() && scope.selector.is_none();
    let own = if scopes.iter().any(is_own) { Some(listed) } else { listed_in(client, &scopes).await };
    (own, taken)
}

async fn none_takes(
    client: &kube::Client,
    scopes: &[Scope],
    listed: &[ListedIdentity],
) -> Result<Vec<ObjectKey>, GatherError> {
    let mut left: HashMap<_, ObjectKey> = listed.iter().map(|it| (it.raw.uid().clone(), it.raw.key())).collect();
    for scope in scopes {
        if scope.selector.is_none() {
            left.retain(|_, key| !scope.namespaces.is_empty() && !scope.namespaces.contains(&key.namespace));
            continue;
        }
        // Which labels a selector selects the API server knows best.
        let selected = list_versions(client, scope).await?;
        left.retain(|uid, _| !selected.contains_key(uid));
    }
    if !left.is_empty() && scopes.iter().any(|scope| scope.selector.is_some()) {
        // What went meanwhile was selected by nothing.
        let there = list_versions(client, &Scope::default()).await?;
        left.retain(|uid, _| there.contains_key(uid));
    }
    let mut left: Vec<ObjectKey> = left.into_values().collect();
    left.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Ok(left)
}

async fn listed_in(client: &kube::Client, scopes: &[Scope]) -> Option<Vec<ListedIdentity>> {
    let mut listed = Vec::new();
    for scope in scopes {
        listed.extend(list_identities(client, scope, |_| false).await.ok()?);
    }
    (!scopes.is_empty()).then_some(listed)
}
