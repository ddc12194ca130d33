//! `unkey-operator run`. Every flag is an environment variable too.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::deletions::DeletionArgs;
use super::values::{duration, interval, share};
use crate::api::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};
use crate::app::{self, LeaseOptions, Options};
use crate::telemetry::{self, LogFormat};
use crate::unkey::Bounds;

#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
pub(super) struct RunArgs {
    /// Base URL of the Unkey API
    #[arg(long, env = "UNKEY_API_URL", default_value = "https://api.unkey.com")]
    api_url: String,

    /// Proxy for requests to the Unkey API: a URL with scheme, host and port. No proxy by default: HTTPS_PROXY is ignored. Set a
    /// proxy with a password through the environment variable
    #[arg(long, env = "UNKEY_OPERATOR_API_PROXY", hide_env_values = true)]
    api_proxy: Option<String>,

    /// File that contains the root key; re-read when it changes. Defaults to the key in UNKEY_ROOT_KEY
    #[arg(long, env = "UNKEY_ROOT_KEY_FILE")]
    root_key_file: Option<PathBuf>,

    /// Namespace to watch; repeatable. Defaults to all namespaces
    #[arg(long, env = "UNKEY_OPERATOR_NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    namespace: Vec<String>,

    /// Label selector of the Identities to reconcile
    #[arg(long, env = "UNKEY_OPERATOR_SELECTOR", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    selector: Option<String>,

    /// Adoption policy of Identities without adoptionPolicy
    #[arg(long, env = "UNKEY_OPERATOR_DEFAULT_ADOPTION_POLICY", default_value = "IfLossless")]
    default_adoption_policy: AdoptionPolicy,

    /// Deletion policy of Identities without deletionPolicy
    #[arg(long, env = "UNKEY_OPERATOR_DEFAULT_DELETION_POLICY", default_value = "Delete")]
    default_deletion_policy: DeletionPolicy,

    /// Management policy of Identities without managementPolicy
    #[arg(long, env = "UNKEY_OPERATOR_DEFAULT_MANAGEMENT_POLICY", default_value = "Enforce")]
    default_management_policy: ManagementPolicy,

    /// Observe every Identity, whatever its managementPolicy: the operator sends no create, update or delete to Unkey
    #[arg(long, env = "UNKEY_OPERATOR_OBSERVE")]
    observe: bool,

    #[command(flatten)]
    deletions: DeletionArgs,

    /// Longest time after a write for which Unkey may return the previous state (30s, 500ms)
    #[arg(long, env = "UNKEY_OPERATOR_CONSISTENCY_WINDOW", default_value = "30s", value_parser = duration)]
    consistency_window: Duration,

    /// Interval between scans of Unkey for changes by other clients (10m, 1h); 0 disables scans
    #[arg(long, env = "UNKEY_OPERATOR_SCAN_INTERVAL", default_value = "10m", value_parser = interval)]
    scan_interval: Duration,

    /// Timeout of one request to Unkey, from connecting to the last byte (30s, 500ms)
    #[arg(long, env = "UNKEY_OPERATOR_REQUEST_TIMEOUT", default_value = "30s", value_parser = duration)]
    request_timeout: Duration,

    /// Accept a root key of another workspace, to migrate intentionally: every Identity gets a new identity in that
    /// workspace; the earlier identities stay in the earlier workspace
    #[arg(long, env = "UNKEY_OPERATOR_ACCEPT_WORKSPACE_CHANGE")]
    accept_workspace_change: bool,

    /// Maximum number of concurrent requests to Unkey
    #[arg(long, env = "UNKEY_OPERATOR_MAX_CONCURRENT_REQUESTS", default_value_t = Bounds::default().concurrent, value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_concurrent_requests: u16,

    /// Maximum rate of requests to Unkey, per second, with bursts of twice as many; 0 for no fixed maximum
    #[arg(long, env = "UNKEY_OPERATOR_MAX_REQUESTS_PER_SECOND", default_value_t = Bounds::default().per_second, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    max_requests_per_second: u32,

    /// Share of the workspace's rate limit that the operator may use, if Unkey reports a limit: more than 0, at most 1
    #[arg(long, env = "UNKEY_OPERATOR_RATE_LIMIT_SHARE", default_value_t = Bounds::default().share, value_parser = share)]
    rate_limit_share: f64,

    /// Maximum number of concurrent reconciles
    #[arg(long, env = "UNKEY_OPERATOR_WORKERS", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,

    /// Enable leader election: of several operators only the one that holds the lease acts
    #[arg(long, env = "UNKEY_OPERATOR_LEADER_ELECT")]
    leader_elect: bool,

    /// Name of the lease; operators with the same lease share their work
    #[arg(long, env = "UNKEY_OPERATOR_LEASE_NAME", default_value = "unkey-operator", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    lease_name: String,

    /// Namespace of the lease; defaults to the namespace that the operator runs in
    #[arg(long, env = "UNKEY_OPERATOR_LEASE_NAMESPACE", value_parser = namespace)]
    lease_namespace: Option<String>,

    /// Time after which a leader that does not renew the lease is replaced; whole seconds (15s)
    #[arg(long, env = "UNKEY_OPERATOR_LEASE_DURATION", default_value = "15s", value_parser = lease)]
    lease_duration: Duration,

    /// Name of this operator in the lease; a unique suffix is added
    #[arg(long, env = "HOSTNAME", hide_env_values = true, default_value = "unkey-operator")]
    lease_holder: String,

    /// Address that serves /livez, /readyz and /metrics
    #[arg(long, env = "UNKEY_OPERATOR_ADMIN_ADDRESS", default_value = "0.0.0.0:8080")]
    admin_address: SocketAddr,

    /// Log format; logs go to standard error
    #[arg(long, env = "UNKEY_OPERATOR_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,

    /// Log level (error, warn, info, debug, trace) or filter (info,unkey_operator=debug)
    #[arg(long, env = "UNKEY_OPERATOR_LOG_LEVEL", default_value = "info")]
    log_level: String,

    /// Kubeconfig file; defaults to KUBECONFIG, then to ~/.kube/config, then to the cluster that the operator runs in
    #[arg(long, env = "UNKEY_OPERATOR_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, env = "UNKEY_OPERATOR_CONTEXT")]
    context: Option<String>,
}

pub(super) fn main(args: RunArgs) -> ExitCode {
    if let Err(error) = telemetry::init(args.log_format, &args.log_level) {
        eprintln!("unkey-operator: {error}");
        return ExitCode::from(2);
    }
    // One thread: a reconcile mostly waits, and handing its parts from thread to thread took a third of the processor time
    // (docs/operations/performance.md). If it hangs, the liveness probe has no answer either.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("unkey-operator: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(app::run(options(args)));
    // Nothing that is still running may hold the exit up: what counts has been waited for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failure::failed(&error, error.is_usage()),
    }
}

pub(super) fn options(args: RunArgs) -> Options {
    Options {
        api_url: args.api_url,
        api_proxy: args.api_proxy.filter(|proxy| !proxy.is_empty()),
        root_key_file: args.root_key_file,
        namespaces: args.namespace,
        selector: args.selector,
        adoption: args.default_adoption_policy,
        deletion: args.default_deletion_policy,
        management: args.default_management_policy,
        observe: args.observe,
        deletions: args.deletions.limits(),
        approved_namespaces: args.deletions.approved_namespaces(),
        consistency_window: args.consistency_window,
        scan_interval: args.scan_interval,
        request_timeout: args.request_timeout,
        accept_workspace_change: args.accept_workspace_change,
        workers: args.workers,
        bounds: Bounds {
            concurrent: args.max_concurrent_requests,
            per_second: args.max_requests_per_second,
            share: args.rate_limit_share,
        },
        election: args.leader_elect.then_some(LeaseOptions {
            name: args.lease_name,
            namespace: args.lease_namespace,
            duration: args.lease_duration,
            holder: args.lease_holder,
        }),
        admin_address: args.admin_address,
        kubeconfig: args.kubeconfig,
        context: args.context,
    }
}

/// What a `Lease` can say: whole seconds.
fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    let is_whole = lease.subsec_nanos() == 0 && (1..=3_600).contains(&lease.as_secs());
    if is_whole { Ok(lease) } else { Err("must be whole seconds, at most an hour".to_owned()) }
}

/// An empty one is refused too: it must not come to mean "all" because a variable was not filled in.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let valid =
        (1..=63).contains(&text.len()) && text.chars().all(inside) && !text.starts_with('-') && !text.ends_with('-');
    if valid { Ok(text.to_owned()) } else { Err(format!("'{text}' is not a valid namespace name")) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::domain::{DeletionLimits, Policy};

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: RunArgs,
    }

    #[test]
    fn what_nobody_says_is_the_default_of_a_policy() {
        let options = options(Alone::parse_from(["run"]).args);
        assert_eq!((options.deletions, options.approved_namespaces.len()), (DeletionLimits::default(), 0));
        let said = (options.adoption, options.deletion, options.management, options.observe);
        let times = (options.consistency_window, options.request_timeout);
        let Policy { adoption, deletion, management, observe, window, attempt, .. } = Policy::default();
        assert_eq!((said, times), ((adoption, deletion, management, observe), (window, attempt)));
    }
}
