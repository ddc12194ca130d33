//! What a cluster shows. It only reads, and asks what the caller may do.

use futures::StreamExt as _;
use k8s_openapi::jiff::Timestamp;

use super::super::connect::Cluster;
use super::super::setup::Setup;
use super::args::{CheckArgs, Failure};
use super::operators::{self, Operators};
use crate::api::{GROUP, VERSION};
use crate::check::{
    DefinitionSeen, Finding, Id, LeaseSeen, Needs, Right, RightsSeen, Taken, api_server, api_server_away, definition,
    leader, pods, rights, unwatched, version,
};
use crate::controller::{CrdSight, KubeError, definition_difference, definition_sight, within_deadline};
use crate::gather::{self, ListedIdentity, read_lease};

/// Requests at a time.
const AT_A_TIME: usize = 16;

/// What a cluster shows, and what other checks need of it.
#[derive(Default)]
pub(super) struct ClusterSide {
    pub findings: Vec<Finding>,
    /// Whom the API server takes the caller for.
    pub caller: Option<String>,
    /// Where the operators' settings are from.
    pub settings_from: Vec<String>,
    /// All operators only observe.
    pub observes: bool,
    /// The Identities; `None`: they could not be listed.
    pub listed: Option<Vec<ListedIdentity>>,
    /// The clock of the API server, in seconds before this machine's.
    pub clock: Option<i64>,
}

/// The API server gives no answer that can be used: nothing else can be looked at.
pub(super) fn away(why: Finding) -> Vec<Finding> {
    let mut findings = vec![why];
    findings.extend(Finding::skipped(&Id::OF_CLUSTER[1..], "The API server was not asked"));
    findings
}

/// `beside`: the settings of the operator in whose container this command runs.
pub(super) async fn look(args: &CheckArgs, cluster: &Cluster, beside: Option<Setup>) -> Result<ClusterSide, Failure> {
    let client = &cluster.client;
    let info = match within_deadline(client.apiserver_version()).await.and_then(|it| it.map_err(KubeError::Api)) {
        Ok(info) => info,
        Err(error) => {
            return Ok(ClusterSide { findings: away(api_server_away(&error.to_string())), ..ClusterSide::default() });
        }
    };
    let mut side = ClusterSide {
        findings: vec![api_server(&info.major, &info.minor, &info.git_version)],
        clock: cluster.time.seconds().map(|there| there - Timestamp::now().as_second()),
        ..ClusterSide::default()
    };
    let seen = definition_seen(client).await;
    side.findings.push(definition(&seen, args.pre));
    let operators = Operators::find(args, cluster, beside).await?;
    side.settings_from = operators.setups.iter().map(|setup| setup.from.clone()).collect();
    side.observes = !operators.setups.is_empty() && operators.setups.iter().all(|setup| setup.options.observe);
    let seen_rights = rights_seen(cluster, &operators).await;
    side.caller.clone_from(&seen_rights.caller);
    side.findings.push(rights(&seen_rights));
    operator_findings(args, cluster, &operators, &mut side.findings).await;
    let taken = if seen == DefinitionSeen::Missing {
        Taken::Skipped("There are no Identities: their CustomResourceDefinition is not installed".to_owned())
    } else {
        let (listed, taken) = operators::taken(client, &operators).await;
        side.listed = listed;
        taken
    };
    side.findings.push(unwatched(&taken));
    Ok(side)
}

async fn definition_seen(client: &kube::Client) -> DefinitionSeen {
    let (published, sight) = (definition_difference(client).await, definition_sight(client).await);
    match (published, sight) {
        (_, Ok(CrdSight::Going)) => DefinitionSeen::Going,
        (_, Ok(CrdSight::Missing)) => DefinitionSeen::Missing,
        (Ok(Some(difference)), _) => DefinitionSeen::Published(difference),
        (Ok(None), Ok(CrdSight::Stays)) => {
            match within_deadline(client.list_api_group_resources(&format!("{GROUP}/{VERSION}"))).await {
                Ok(Err(kube::Error::Api(status))) if status.code == 404 => DefinitionSeen::Unserved,
                _ => DefinitionSeen::Unpublished,
            }
        }
        // Who may not look at it sees at least that the API server publishes none.
        (Ok(None), _) => DefinitionSeen::Missing,
        (Err(error), _) => DefinitionSeen::Hidden(error.to_string()),
    }
}

async fn rights_seen(cluster: &Cluster, operators: &Operators) -> RightsSeen {
    let default = Needs::default().rights();
    let mut needed: std::collections::BTreeSet<Right> = operators
        .setups
        .iter()
        .flat_map(|setup| {
            let lease = operators::lease_of(setup, cluster);
            let lease = lease.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
            Needs { watched: &setup.options.namespaces, lease }.rights()
        })
        .collect();
    if operators.setups.is_empty() {
        needed = default;
    }
    let mut seen = RightsSeen {
        caller: gather::caller(&cluster.client).await.ok().flatten(),
        operators: operators.accounts(),
        asked: needed.len(),
        by_default: operators.setups.is_empty(),
        ..RightsSeen::default()
    };
    let asked = needed.into_iter().map(|right| async {
        let may = gather::may(&cluster.client, right.attributes()).await;
        (right, may)
    });
    let answers: Vec<_> = futures::stream::iter(asked).buffered(AT_A_TIME).collect().await;
    for (right, may) in answers {
        match may {
            Ok(true) => {}
            Ok(false) => seen.missing.push(right),
            Err(error) => seen.failed = Some(error.to_string()),
        }
    }
    seen
}

/// Pods, leases and versions.
async fn operator_findings(args: &CheckArgs, cluster: &Cluster, operators: &Operators, findings: &mut Vec<Finding>) {
    match &operators.pods {
        Ok(found) => {
            findings.push(pods(found, args.pre));
            let own = env!("CARGO_PKG_VERSION");
            let none = || Finding::skipped(&[Id::Version], "There is no Pod of the operator to compare with");
            findings.extend(version(found, own).map_or_else(none, |finding| vec![finding]));
        }
        Err(why) => findings.extend([Id::Operator, Id::Version].map(|id| operators::hidden(id, why))),
    }
    if operators.setups.is_empty() {
        let why = "The operator's settings are not known, and with them its lease; give them after '-- run'";
        findings.extend(Finding::skipped(&[Id::Leader], why));
    }
    let now = || cluster.time.seconds_or_local();
    for setup in &operators.setups {
        let Some((namespace, name)) = operators::lease_of(setup, cluster) else {
            findings.push(leader("", &LeaseSeen::NotElected, now(), args.pre));
            continue;
        };
        let seen = match read_lease(&cluster.client, &namespace, &name).await {
            Ok(lease) => LeaseSeen::Read(lease),
            Err(error) => LeaseSeen::Hidden(error.to_string()),
        };
        findings.push(leader(&format!("{namespace}/{name}"), &seen, now(), args.pre));
    }
}
