//! Judges what a cluster shows: its version, the definition, and the rights of the caller.

use super::finding::{Finding, Id, Verdict};
use super::rights::Right;
use crate::api::{CRD_NAME, ServedDifference};

/// The minors of Kubernetes 1 that this version supports, the oldest and the newest.
pub const OLDEST: u32 = 32;
/// The newest.
pub const NEWEST: u32 = 37;
/// So many of a kind are named.
const NAMED: usize = 12;

/// The API server answers. `minor`: as it says it, which some builds end with a plus.
pub fn api_server(major: &str, minor: &str, version: &str) -> Finding {
    let said = format!("Kubernetes {}", version.trim_start_matches('v'));
    let number = minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>();
    let supported = format!("this version of the operator supports 1.{OLDEST} to 1.{NEWEST}");
    match number {
        Ok(minor) if major == "1" && (OLDEST..=NEWEST).contains(&minor) => {
            Finding::new(Id::ApiServer, Verdict::Ok, said)
        }
        Ok(minor) if major == "1" && minor < OLDEST => Finding::new(
            Id::ApiServer,
            Verdict::Warn,
            format!("{said} is too old: {supported}, and the chart refuses older ones; upgrade the cluster first"),
        ),
        _ => Finding::new(
            Id::ApiServer,
            Verdict::Warn,
            format!("{said} is unknown to this program: {supported}; look for a newer version of the operator"),
        ),
    }
}

/// The API server gives no answer that can be used.
pub fn api_server_away(why: &str) -> Finding {
    Finding::new(Id::ApiServer, Verdict::Fail, format!("The API server cannot be asked: {why}"))
}

/// What is known of the definition in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionSeen {
    /// It is not there.
    Missing,
    /// It is being deleted, and every Identity with it.
    Going,
    /// It is there, and the API server does not serve it.
    Unserved,
    /// It is served, and the API server has not published it yet, as for some seconds after a change.
    Unpublished,
    /// It is published, and differs so from this program's.
    Published(ServedDifference),
    /// It cannot be seen, for this reason.
    Hidden(String),
}

/// `pre`: before an installation.
pub fn definition(seen: &DefinitionSeen, pre: bool) -> Finding {
    let say = |verdict, message: String| Finding::new(Id::Definition, verdict, message);
    match seen {
        DefinitionSeen::Missing if pre => say(
            Verdict::Ok,
            format!("The CustomResourceDefinition {CRD_NAME} is not installed yet; the installation brings it"),
        ),
        DefinitionSeen::Missing => say(
            Verdict::Fail,
            format!(
                "The CustomResourceDefinition {CRD_NAME} is not installed; install the chart, or apply crds/{CRD_NAME}.yaml of the operator's version"
            ),
        ),
        DefinitionSeen::Going => say(
            Verdict::Fail,
            format!(
                "The CustomResourceDefinition {CRD_NAME} is being deleted, and every Identity with it. An operator that watches all namespaces keeps the identities in Unkey; one with a list of namespaces deletes them: there, set deletionPolicy to Orphan now. Install the definition again once it is gone"
            ),
        ),
        DefinitionSeen::Unserved => say(
            Verdict::Fail,
            format!(
                "The CustomResourceDefinition {CRD_NAME} is installed, but the API server does not serve it; look at its conditions: kubectl describe crd {CRD_NAME}"
            ),
        ),
        DefinitionSeen::Unpublished => say(
            Verdict::CannotTell,
            format!(
                "The CustomResourceDefinition {CRD_NAME} is installed, but the API server has not published its fields yet; run this command again in some seconds"
            ),
        ),
        DefinitionSeen::Published(ServedDifference { dropped, .. }) if !dropped.is_empty() => say(
            Verdict::Fail,
            format!(
                "The CustomResourceDefinition {CRD_NAME} is older than this program, so the API server drops {}; apply crds/{CRD_NAME}.yaml of the operator's version",
                some(dropped)
            ),
        ),
        DefinitionSeen::Published(ServedDifference { unknown, .. }) if !unknown.is_empty() => say(
            Verdict::Warn,
            format!(
                "The CustomResourceDefinition {CRD_NAME} is newer than this program, which does not know {}; use the version of the program that the definition belongs to",
                some(unknown)
            ),
        ),
        DefinitionSeen::Published(_) => say(
            Verdict::Ok,
            format!("The CustomResourceDefinition {CRD_NAME} is installed and has all fields of this program"),
        ),
        DefinitionSeen::Hidden(why) => {
            say(Verdict::CannotTell, format!("The CustomResourceDefinition {CRD_NAME} cannot be looked at: {why}"))
        }
    }
}

/// Names the first ones.
fn some(all: &[String]) -> String {
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if all.len() > NAMED { format!("{named} and {} more", all.len() - NAMED) } else { named }
}

/// What is known of the caller's rights.
#[derive(Clone, Debug, Default)]
pub struct RightsSeen {
    /// Whom the API server takes the caller for.
    pub caller: Option<String>,
    /// Accounts of the operator's Pods, as users of Kubernetes.
    pub operators: Vec<String>,
    /// How many rights were asked for.
    pub asked: usize,
    /// Those that the caller has not.
    pub missing: Vec<Right>,
    /// Why one could not be asked for.
    pub failed: Option<String>,
    /// The settings of the operator are not known, so those of the default were asked for.
    pub by_default: bool,
}

impl RightsSeen {
    /// The caller is the operator, or may be the one that is to be: an account of a program.
    fn is_operator(&self) -> bool {
        let Some(caller) = &self.caller else { return self.operators.is_empty() };
        self.operators.contains(caller) || self.operators.is_empty() && caller.starts_with("system:serviceaccount:")
    }
}

/// Whether the caller may do what the operator has to. Of a person that is of interest, and no fault of the operator.
pub fn rights(seen: &RightsSeen) -> Finding {
    let caller = seen.caller.as_deref().unwrap_or("the caller");
    let whose = format!("the rights of {caller}");
    let of = if seen.by_default {
        "an operator for all namespaces (its settings are not known; give them after '-- run')"
    } else {
        "the operator"
    };
    if let Some(why) = &seen.failed {
        return Finding::new(Id::Rights, Verdict::CannotTell, format!("The API server does not tell {whose}: {why}"));
    }
    let asked = seen.asked;
    if seen.missing.is_empty() {
        let all = format!("Looked at {whose}: all {asked} that {of} needs are there");
        return Finding::new(Id::Rights, Verdict::Ok, all);
    }
    let missing: Vec<String> = seen.missing.iter().map(ToString::to_string).collect();
    let message =
        format!("Looked at {whose}: {} of {asked} that {of} needs are missing: {}", missing.len(), some(&missing));
    if seen.is_operator() {
        let remedy = "grant them with a Role or ClusterRole as the chart makes it (rbac.create)";
        return Finding::new(Id::Rights, Verdict::Fail, format!("{message}; {remedy}"));
    }
    let remedy = match seen.operators.first() {
        Some(account) => format!("--as {account}"),
        None => "--as system:serviceaccount:NAMESPACE:NAME".to_owned(),
    };
    Finding::new(
        Id::Rights,
        Verdict::Warn,
        format!("{message}. The operator has an account of its own; to look at that one's rights, use {remedy}"),
    )
}
