//! How the operator is set up, by its own flags: those of the Pod that leads, or those that the user gives in its place.

use std::collections::{BTreeMap, BTreeSet};

use clap::builder::Resettable;
use clap::{Args as _, Command, FromArgMatches as _};

use super::run::{self, RunArgs};
use crate::app::Options;
use crate::gather::{GatherError, OperatorPod, find_operator};

/// Why the operator's settings are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error(
        "no Pod of the operator is found{0}, so its settings are not known; to plan by the defaults, end the command with '-- run', and with other flags of \
         'unkey-operator run' after it"
    )]
    NoOperator(String),
    #[error(
        "several operators run here ({0}); name one by its namespace or its release with --operator, or give its flags after '-- run'"
    )]
    Several(String),
    #[error("the arguments of {from} cannot be read by this version: {why}")]
    Unreadable { from: String, why: String },
    #[error(
        "{from} has {what} from a ConfigMap or a Secret, so its settings are not known; give its flags after '-- run'"
    )]
    Elsewhere { from: String, what: String },
    #[error("what follows '--' must begin with 'run', as the arguments of the operator's container do")]
    NoRun,
}

impl SetupError {
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoRun | Self::Several(_) => true,
            Self::Unreadable { from, .. } => from == COMMAND_LINE,
            Self::NoOperator(_) | Self::Elsewhere { .. } | Self::Gather(_) => false,
        }
    }
}

const COMMAND_LINE: &str = "the command line";

/// The settings, and where they are from.
#[derive(Debug)]
pub(super) struct Setup {
    pub options: Options,
    pub from: String,
    /// Where its Pod is.
    pub namespace: Option<String>,
}

/// By flags that the user gives: `run`, and what follows.
pub(super) fn given(args: &[String]) -> Result<Setup, SetupError> {
    if args.first().is_none_or(|first| first != "run") {
        return Err(SetupError::NoRun);
    }
    parsed(args, &BTreeMap::new(), COMMAND_LINE.to_owned())
}

/// By the Pod that leads. `operator`: the namespace or the release of the one that is meant.
pub(super) async fn found(client: &kube::Client, operator: Option<&str>) -> Result<Setup, SetupError> {
    let mut pods = match (find_operator(client, None, lease_of).await, operator) {
        // Whoever may not look everywhere may look where the operator is said to be.
        (Err(error), Some(namespace)) if error.is_forbidden() => {
            find_operator(client, Some(namespace), lease_of).await?
        }
        (found, _) => found?,
    };
    if let Some(operator) = operator {
        pods.retain(|pod| pod.namespace == operator || pod.release == operator);
    }
    // Those that lead come first, and the Pods of a release are set up alike.
    let releases: BTreeSet<String> = pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.release)).collect();
    match pods.first() {
        Some(pod) if releases.len() == 1 => of_pod(pod),
        Some(_) => Err(SetupError::Several(releases.into_iter().collect::<Vec<_>>().join(", "))),
        None => {
            let place = operator.map(|it| format!(" in namespace or release '{it}'"));
            Err(SetupError::NoOperator(place.unwrap_or_default()))
        }
    }
}

/// Namespace and name of the lease that this Pod's arguments name; `None`: it elects no leader, or the arguments cannot be read, which is told where
/// they are needed.
pub(super) fn lease_of(pod: &OperatorPod) -> Option<(String, String)> {
    let setup = parsed(&pod.args, &pod.env, String::new()).ok()?;
    let election = setup.options.election?;
    Some((election.namespace.unwrap_or_else(|| pod.namespace.clone()), election.name))
}

/// Variables that tell only how the operator reaches others, what it is called, and how it logs: no plan depends on them. The chart takes the root
/// key's and the proxy's from a Secret.
const NO_SETTINGS: [&str; 10] = [
    "HOSTNAME",
    "UNKEY_API_URL",
    "UNKEY_OPERATOR_ADMIN_ADDRESS",
    "UNKEY_OPERATOR_API_PROXY",
    "UNKEY_OPERATOR_CONTEXT",
    "UNKEY_OPERATOR_KUBECONFIG",
    "UNKEY_OPERATOR_LOG_FORMAT",
    "UNKEY_OPERATOR_LOG_LEVEL",
    "UNKEY_OPERATOR_WORKERS",
    "UNKEY_ROOT_KEY_FILE",
];

/// By this Pod.
pub(super) fn of_pod(pod: &OperatorPod) -> Result<Setup, SetupError> {
    let from = format!("Pod {}/{}", pod.namespace, pod.name);
    let known = RunArgs::augment_args(Command::new("run"));
    let counts = |name: &String| known.get_arguments().any(|arg| arg.get_env().is_some_and(|env| env == name.as_str()));
    let is_setting = |name: &&String| !NO_SETTINGS.contains(&name.as_str()) && counts(name);
    if let Some(name) = pod.unread.iter().find(is_setting) {
        return Err(SetupError::Elsewhere { from, what: format!("the value of {name}") });
    }
    if pod.has_env_from {
        return Err(SetupError::Elsewhere { from, what: "some variables (envFrom)".to_owned() });
    }
    let setup = parsed(&pod.args, &pod.env, from)?;
    Ok(Setup { namespace: Some(pod.namespace.clone()), ..setup })
}

/// Reads arguments as `run` reads them, with `env` in place of this process's environment.
pub(super) fn parsed(args: &[String], env: &BTreeMap<String, String>, from: String) -> Result<Setup, SetupError> {
    let plain = RunArgs::augment_args(Command::new("run"));
    let mut all = args.to_vec();
    for arg in plain.get_arguments() {
        let value = arg.get_env().and_then(|name| env.get(name.to_str()?));
        let (Some(value), Some(flag)) = (value, arg.get_long()) else { continue };
        let prefix = format!("--{flag}");
        let is_given = args.iter().any(|it| *it == prefix || it.starts_with(&format!("{prefix}=")));
        let is_switch = !arg.get_action().takes_values();
        match (is_given, is_switch) {
            (true, _) => {}
            (false, true) if ["", "0", "false", "no", "off", "f", "n"].contains(&value.as_str()) => {}
            (false, true) => all.push(prefix),
            (false, false) => all.push(format!("{prefix}={value}")),
        }
    }
    let command = plain.mut_args(|arg| arg.env(Resettable::Reset));
    let unreadable = |error: clap::Error| SetupError::Unreadable {
        from: from.clone(),
        why: super::words::sentence(&error.to_string()),
    };
    let matches = command.no_binary_name(false).try_get_matches_from(&all).map_err(unreadable)?;
    let options = run::options(RunArgs::from_arg_matches(&matches).map_err(unreadable)?);
    Ok(Setup { options, from, namespace: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{AdoptionPolicy, DeletionPolicy};

    fn of(args: &[&str], env: &[(&str, &str)]) -> Result<Setup, SetupError> {
        let args: Vec<String> = args.iter().map(|it| (*it).to_owned()).collect();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parsed(&args, &env, "a Pod".to_owned())
    }

    #[test]
    fn arguments_count_before_variables_of_the_pod() {
        let setup = of(
            &["run", "--default-adoption-policy=Never", "--namespace=a"],
            &[
                ("UNKEY_OPERATOR_DEFAULT_ADOPTION_POLICY", "Always"),
                ("UNKEY_OPERATOR_DEFAULT_DELETION_POLICY", "Orphan"),
                ("UNKEY_OPERATOR_OBSERVE", "true"),
                ("UNKEY_OPERATOR_ACCEPT_WORKSPACE_CHANGE", "false"),
                ("PATH", "/bin"),
            ],
        )
        .unwrap()
        .options;
        assert_eq!((setup.adoption, setup.deletion), (AdoptionPolicy::Never, DeletionPolicy::Orphan));
        assert_eq!((setup.observe, setup.accept_workspace_change), (true, false));
        assert_eq!(setup.namespaces, ["a"]);
    }

    #[test]
    fn a_value_that_is_not_in_the_pod_matters_if_a_plan_depends_on_it() {
        let known = RunArgs::augment_args(Command::new("run"));
        let is_known = |name: &str| known.get_arguments().any(|arg| arg.get_env().is_some_and(|env| env == name));
        let of = |name: &str| {
            let args = vec!["run".to_owned()];
            let unread = vec![name.to_owned()];
            of_pod(&OperatorPod { args, unread, ..OperatorPod::default() })
        };
        for name in NO_SETTINGS {
            assert!(is_known(name) && of(name).is_ok(), "{name}");
        }
        assert!(of("PATH").is_ok());
        for name in ["UNKEY_OPERATOR_SELECTOR", "UNKEY_OPERATOR_OBSERVE", "UNKEY_OPERATOR_CONSISTENCY_WINDOW"] {
            assert!(matches!(of(name), Err(SetupError::Elsewhere { .. })), "{name}");
        }
    }

    #[test]
    fn what_this_version_does_not_know_is_no_setting() {
        assert!(matches!(of(&["run", "--from-the-future"], &[]), Err(SetupError::Unreadable { .. })));
        assert!(matches!(given(&["--observe".to_owned()]), Err(SetupError::NoRun)));
    }
}
