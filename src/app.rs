//! The composition root: builds the clients, starts the tasks, and ends them in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use wildmatch::WildMatch;

use crate::admin::{Admin, Kubernetes};
use crate::api::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};
use crate::apiserver::{self, Access, ServerTime};
use crate::controller::{self, Context, RawIdentity, Scope, Settings};
use crate::domain::{DeletionLimits, Policy};
use crate::leader::{LeaderElector, LeaderError, Leadership, LeaseRef, Timing};
use crate::telemetry::Metrics;
use crate::unkey::{self, Credentials};

/// How long a reconcile under way may take after the first signal, to record what Unkey has done.
const DRAIN: Duration = Duration::from_secs(10);
/// What logs of the API server show of the operator.
const AGENT: &str = concat!("unkey-operator/", env!("CARGO_PKG_VERSION"));
/// How often the root key's file is looked at while nothing else reads it.
const KEY_WATCH: Duration = Duration::from_secs(1);

/// How the operator is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base URL of the Unkey API.
    pub api_url: String,
    /// The proxy on the way there; `None`: directly.
    pub api_proxy: Option<String>,
    /// The file that holds the root key; `None`: the environment variable `UNKEY_ROOT_KEY`.
    pub root_key_file: Option<PathBuf>,
    /// Namespaces to watch; none: all.
    pub namespaces: Vec<String>,
    /// Label selector.
    pub selector: Option<String>,
    /// For specs that name none.
    pub adoption: AdoptionPolicy,
    /// For specs that name none.
    pub deletion: DeletionPolicy,
    /// For specs that name none.
    pub management: ManagementPolicy,
    /// Observe everything, whatever specs say (R21).
    pub observe: bool,
    /// Hold and brake of deletions (R20).
    pub deletions: DeletionLimits,
    /// Namespaces whose deletions neither waits for, as patterns.
    pub approved_namespaces: Vec<WildMatch>,
    /// R4's window.
    pub consistency_window: Duration,
    /// From one scan of the workspace to the next; zero: none.
    pub scan_interval: Duration,
    /// Deadline of one request to Unkey.
    pub request_timeout: Duration,
    /// Take another workspace for meant (R15).
    pub accept_workspace_change: bool,
    /// Reconciles at a time.
    pub workers: u16,
    /// Calls to Unkey.
    pub bounds: unkey::Bounds,
    /// Leader election; `None`: there is no other operator.
    pub election: Option<LeaseOptions>,
    /// Where the admin server listens.
    pub admin_address: SocketAddr,
    /// Kubeconfig file; `None`: in-cluster, or `KUBECONFIG`.
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    pub context: Option<String>,
}

/// The lease that elects the leader.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Its name: one for all operators that share their work.
    pub name: String,
    /// Its namespace; `None`: the operator's own, or that of the kubeconfig's context.
    pub namespace: Option<String>,
    /// A leader that is not heard of for so long is replaced.
    pub duration: Duration,
    /// The name that a person knows this process by.
    pub holder: String,
}

/// Why the operator could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// It is not known how to reach the API server.
    #[error("{0}")]
    ApiServer(#[from] apiserver::ConfigError),
    /// The Kubernetes client cannot be built.
    #[error("the Kubernetes client cannot be set up: {0}")]
    KubeClient(#[from] apiserver::SetupError),
    /// A setting of the Unkey client is wrong.
    #[error("{0}")]
    Unkey(#[from] unkey::ConfigError),
    /// The key in the environment cannot be used.
    #[error("{0}; name a file with --root-key-file, or set UNKEY_ROOT_KEY to the key")]
    Credential(#[from] unkey::CredentialError),
    /// The admin server cannot listen.
    #[error("the admin server cannot listen on {address}: {source}")]
    Admin {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The admin server ended.
    #[error("the admin server ended: {0}")]
    AdminEnded(std::io::Error),
    /// The controller ended.
    #[error("{0}")]
    Controller(#[from] controller::RunError),
    /// It may not act any more.
    #[error("{0}")]
    Leader(#[from] LeaderError),
    /// Signals cannot be handled.
    #[error("signals cannot be handled: {0}")]
    Signals(std::io::Error),
    /// A reconcile did not end in time after a signal.
    #[error("reconciles in progress did not finish within {} s", DRAIN.as_secs())]
    Drain,
    /// A second signal came.
    #[error("stopped immediately by a second signal")]
    Forced,
}

impl AppError {
    /// True if nothing names a cluster, and this is not the Pod of one.
    pub fn is_no_cluster(&self) -> bool {
        matches!(self, Self::ApiServer(apiserver::ConfigError::NoKubeconfig(_)))
    }

    /// True if the command line or the environment is wrong, and not the world.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Controller(controller::RunError::Selector(_))
                | Self::ApiServer(_)
                | Self::Unkey(_)
                | Self::Credential(_)
        )
    }
}

/// Runs the operator until SIGTERM or SIGINT. Then no new work is begun, reconciles under way record what Unkey has done,
/// and the process ends; a second signal ends it at once.
pub async fn run(options: Options) -> Result<(), AppError> {
    let (credentials, unkey) = upstream(&options)?;
    let config = apiserver::config(options.kubeconfig.as_deref(), options.context.clone(), AGENT).await?;
    let namespace = config.default_namespace.clone();
    let access = Access::new(config).await?;
    let lead = if options.election.is_some() { Leadership::to_be_won() } else { Leadership::unrivalled() };
    let mut elector = elector(&options, &access, namespace, &lead)?;
    let (stop, force) = signals().map_err(AppError::Signals)?;
    let settings = settings(&options, lead, access.time(), stop);
    let metrics = Metrics::default();
    let (context, woken) = Context::new(access.client()?, unkey, &settings, metrics.clone());
    let admin = admin(&credentials, &context, metrics);
    let address = options.admin_address;
    let (bound, serving) = admin.clone().serve(address).await.map_err(|source| AppError::Admin { address, source })?;
    tracing::info!(api_url = %options.api_url, admin = %bound, version = env!("CARGO_PKG_VERSION"), "starting unkey-operator");

    let filled = move || {
        admin.cache_is_filled();
        tracing::info!("listed the Identities");
    };
    let leading = async {
        match &mut elector {
            Some(elector) => elector.run().await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        result = work(&context, woken, &settings, filled) => result,
        lost = leading => Err(AppError::Leader(lost)),
        result = serving => Err(AppError::AdminEnded(result.err().unwrap_or_else(|| std::io::Error::other("no reason given")))),
        () = force.cancelled() => Err(AppError::Forced),
        () = follow_key(&context, &credentials) => Ok(()),
    };
    // Nothing is written any more, also where the drain has come to its end before the work.
    if let Some(elector) = elector.filter(|_| !matches!(outcome, Err(AppError::Leader(_) | AppError::Forced))) {
        elector.release().await;
    }
    outcome?;
    tracing::info!("stopped");
    Ok(())
}

/// Reconciles until the process is to end, and then for as long as what is under way takes, within [`DRAIN`].
async fn work(
    context: &Arc<Context>,
    woken: UnboundedReceiver<ObjectRef<RawIdentity>>,
    settings: &Settings,
    filled: impl FnOnce() + Send + 'static,
) -> Result<(), AppError> {
    let overdue = async {
        settings.stop.cancelled().await;
        tracing::info!("stopping; finishing the reconciles in progress");
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        // First, or what ends at once would end untold.
        biased;
        () = overdue => Err(AppError::Drain),
        result = controller::run(Arc::clone(context), woken, settings, filled) => result.map_err(AppError::from),
    }
}

/// The root key, and a client that uses it.
fn upstream(options: &Options) -> Result<(Credentials, unkey::Client), AppError> {
    let credentials = match &options.root_key_file {
        Some(file) => Credentials::from_file(file),
        None => Credentials::from_env()?,
    };
    let upstream = unkey::Options {
        base_url: options.api_url.clone(),
        proxy: options.api_proxy.clone(),
        request_timeout: options.request_timeout,
        ..unkey::Options::default()
    };
    let client = unkey::Client::new(&upstream, credentials.clone())?;
    Ok((credentials, client))
}

/// Looks at the root key's file, and has the controller follow a key that changes.
async fn follow_key(context: &Context, credentials: &Credentials) {
    tokio::join!(context.follow_credentials(credentials.subscribe()), credentials.watch(KEY_WATCH));
}

fn elector(
    options: &Options,
    access: &Access,
    namespace: String,
    lead: &Leadership,
) -> Result<Option<LeaderElector>, AppError> {
    let Some(lease) = &options.election else { return Ok(None) };
    let place = LeaseRef {
        namespace: lease.namespace.clone().unwrap_or(namespace),
        name: lease.name.clone(),
        holder: lease.holder.clone(),
    };
    Ok(Some(LeaderElector::new(access.client()?, &place, Timing::of(lease.duration), lead.clone())))
}

/// What the probes and the metrics show.
fn admin(credentials: &Credentials, context: &Arc<Context>, metrics: Metrics) -> Admin {
    let credentials = credentials.clone();
    let (refusing, watching, viewed) = (Arc::clone(context), Arc::clone(context), Arc::clone(context));
    let check = move || {
        credentials.check().map_err(|error| error.to_string())?;
        refusing.standing().0.key.map_or(Ok(()), |why| Err(why.to_string()))
    };
    let kubernetes = move || Kubernetes {
        missing: watching.definition_gap(),
        gaps: watching.gaps().into_iter().chain(watching.untold()).collect(),
    };
    Admin::new(check, kubernetes, move || metrics.render(&viewed.view()))
}

impl Options {
    /// What decisions go by; without a root key.
    pub fn policy(&self) -> Policy {
        Policy {
            adoption: self.adoption,
            deletion: self.deletion,
            management: self.management,
            observe: self.observe,
            window: self.consistency_window,
            attempt: self.request_timeout,
            stagger: Duration::ZERO,
            credential: None,
        }
    }

    /// Where the operator watches.
    pub fn scope(&self) -> Scope {
        Scope { namespaces: self.namespaces.clone(), selector: self.selector.clone() }
    }
}

fn settings(options: &Options, lead: Leadership, server_time: ServerTime, stop: CancellationToken) -> Settings {
    Settings {
        scope: options.scope(),
        workers: options.workers,
        bounds: options.bounds,
        deletions: options.deletions,
        approved_namespaces: options.approved_namespaces.clone(),
        scan_every: options.scan_interval,
        accept_workspace_change: options.accept_workspace_change,
        lead,
        stop,
        server_time,
        policy: options.policy(),
    }
}

/// What the first SIGTERM or SIGINT cancels, and what the second does.
fn signals() -> std::io::Result<(CancellationToken, CancellationToken)> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let in_turn = [first.clone(), second.clone()];
    tokio::spawn(async move {
        for token in in_turn {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            token.cancel();
        }
    });
    Ok((first, second))
}
