//! How the operator is set up, by its own flags: those of the Pod that leads, or those that the user gives in its place.

use std::collections::BTreeMap;

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
    #[error("what follows '--' must begin with 'run', as the arguments of the operator's container do")]
    NoRun,
}

impl SetupError {
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoRun | Self::Several(_) => true,
            Self::Unreadable { from, .. } => from == COMMAND_LINE,
            Self::NoOperator(_) | Self::Gather(_) => false,
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
    let mut pods = match (find_operator(client, None).await, operator) {
        // Whoever may not look everywhere may look where the operator is said to be.
        (Err(error), Some(namespace)) if error.is_forbidden() => find_operator(client, Some(namespace)).await?,
        (found, _) => found?,
    };
    if let Some(operator) = operator {
        pods.retain(|pod| pod.namespace == operator || pod.release == operator);
    }
    let mut leaders = pods.iter().filter(|pod| pod.leads);
    let pod = match (leaders.next(), leaders.next()) {
        (Some(pod), None) => pod,
        (Some(_), Some(_)) => return Err(SetupError::Several(names(&pods))),
        (None, _) => pods.first().ok_or_else(|| {
            let place = operator.map(|it| format!(" in namespace or release '{it}'"));
            SetupError::NoOperator(place.unwrap_or_default())
        })?,
    };
    of_pod(pod)
}

/// By this Pod.
pub(super) fn of_pod(pod: &OperatorPod) -> Result<Setup, SetupError> {
    let setup = parsed(&pod.args, &pod.env, format!("Pod {}/{}", pod.namespace, pod.name))?;
    Ok(Setup { namespace: Some(pod.namespace.clone()), ..setup })
}

fn names(pods: &[OperatorPod]) -> String {
    let leaders = pods.iter().filter(|pod| pod.leads);
    leaders.map(|pod| format!("{}/{}", pod.namespace, pod.release)).collect::<Vec<_>>().join(", ")
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
    fn what_this_version_does_not_know_is_no_setting() {
        assert!(matches!(of(&["run", "--from-the-future"], &[]), Err(SetupError::Unreadable { .. })));
        assert!(matches!(given(&["--observe".to_owned()]), Err(SetupError::NoRun)));
    }
}
