//! A real etcd and kube-apiserver on loopback, and kube-controller-manager on demand, for tests, the demo and benches. Nothing of it
//! outlives its owner, however that ends. May not know the operator.
//!
//! One control plane per process ([`shared`]); tests isolate by namespace. Nothing in a [`ControlPlane`] belongs to a tokio runtime, because
//! each `#[tokio::test]` brings its own: servers are plain processes, clients are made per call.

mod access;
mod audit;
mod env;
mod error;
mod groups;
mod guard;
mod servers;
mod tools;
mod versions;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client, api::GetParams, core::Request};
use tokio::sync::OnceCell;

pub use crate::{
    audit::AuditEvent,
    error::{Error, Result},
    guard::{Directory, Guarded},
    servers::Server,
    tools::{Resolver, Tools},
};
use crate::{
    audit::AuditLog,
    servers::{Layout, Way},
};

/// How long a server may take to become ready: 3 s alone, much more on a machine that also compiles.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long one look may take: a paused server accepts connections and never answers.
const LOOK_FOR: Duration = Duration::from_secs(5);

/// What a control plane is started with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Start kube-controller-manager too. Without it a deleted namespace stays Terminating.
    pub controller_manager: bool,
    /// Controllers beyond those for namespaces, garbage and `ServiceAccount`s; `deployment-controller` for example.
    pub controllers: Vec<String>,
    /// Keep the audit log that [`ControlPlane::audit`] reads.
    pub audit: bool,
    /// More flags of kube-apiserver.
    pub api_server_args: Vec<String>,
    /// Where the binaries come from.
    pub tools: Resolver,
}

/// A running control plane. Dropping it stops the servers and removes their data.
#[derive(Debug)]
pub struct ControlPlane {
    // Dropped in this order: the directory goes when the servers are gone.
    running: Mutex<[Option<Guarded>; 3]>,
    audit: Option<AuditLog>,
    layout: Layout,
    directory: Directory,
    /// Where kube-controller-manager comes from, when it is asked for.
    resolver: Resolver,
}

/// The control plane of this process, started by the first who asks, with the audit log on; stopped when the process ends. Whoever needs
/// kube-controller-manager starts it ([`ControlPlane::start_server`]).
pub async fn shared() -> Result<&'static ControlPlane> {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    let options = Options { audit: true, ..Options::default() };
    SHARED.get_or_try_init(|| ControlPlane::start(options)).await
}

/// Off the runtime's workers: it may build them.
async fn look_for_servers(resolver: &Resolver, look: fn(&Resolver) -> Result<Tools>) -> Result<Tools> {
    let resolver = resolver.clone();
    tokio::task::spawn_blocking(move || look(&resolver))
        .await
        .map_err(|error| Error::Io { what: "look for the servers".to_owned(), source: error.into() })?
}

impl ControlPlane {
    /// Finds or builds the binaries and starts the servers; returns when the API is ready.
    pub async fn start(options: Options) -> Result<Self> {
        let resolver = options.tools.clone();
        let tools = look_for_servers(&resolver, Resolver::resolve).await?;
        let directory = Directory::create(&env::temporary(), "controlplane-")?;
        let layout = Layout::prepare(tools, &directory, &options)?;
        layout.write_admin_kubeconfig()?;
        let audit = options.audit.then(|| AuditLog::new(layout.audit_log()));
        let this = Self { running: Mutex::default(), audit, layout, directory, resolver };
        this.start_server(Server::Etcd).await?;
        this.start_server(Server::ApiServer).await?;
        if options.controller_manager {
            this.start_server(Server::ControllerManager).await?;
        }
        Ok(this)
    }

    /// Stops the servers and removes their data, as dropping does, off the runtime's workers.
    pub async fn stop(self) {
        // It can only fail by a panic in a destructor, which has been printed.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    /// Starts a server that does not run, on the same port and data as before, and waits until it is ready. The others are seen through
    /// kube-apiserver: while that does not run, etcd is not waited for and kube-controller-manager is refused.
    pub async fn start_server(&self, server: Server) -> Result<()> {
        let api_server = server == Server::ApiServer || self.with(Server::ApiServer, |_| Ok(())).is_ok();
        if server == Server::ControllerManager && !api_server {
            return Err(Error::NotRunning { server: Server::ApiServer.name() });
        }
        if server == Server::ControllerManager {
            look_for_servers(&self.resolver, Resolver::resolve_controllers).await?;
        }
        self.spawn(server)?;
        if api_server { self.wait_until_ready(server).await } else { Ok(()) }
    }

    async fn wait_until_ready(&self, server: Server) -> Result<()> {
        let begun = Instant::now();
        loop {
            let last = match tokio::time::timeout(LOOK_FOR, self.look(server)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(elapsed) => elapsed.to_string(),
            };
            self.all_alive()?;
            if begun.elapsed() > READY_WITHIN {
                let tail = self.with(server, |running| Ok(running.log_tail()))?;
                return Err(Error::NotReady { server: server.name(), after: READY_WITHIN, last, tail });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Kills a server: its clients see broken connections, then refused ones. Returns when it is gone.
    pub fn kill_server(&self, server: Server) {
        let running = self.running()[server as usize].take();
        drop(running);
    }

    /// Kills kube-apiserver and starts it again: all watches break, no data is lost.
    pub async fn restart_api_server(&self) -> Result<()> {
        self.kill_server(Server::ApiServer);
        self.start_server(Server::ApiServer).await
    }

    /// Keeps a copy of etcd's data as it is now. etcd is killed for it and started again.
    pub async fn backup(&self) -> Result<()> {
        self.kill_server(Server::Etcd);
        self.layout.copy_data(Way::Backup)?;
        self.start_server(Server::Etcd).await
    }

    /// Puts the data of the last [`ControlPlane::backup`] in place of what is there: what happened since is undone, and resource versions go
    /// back. kube-apiserver is started anew, as the guides to such a restore say.
    pub async fn restore(&self) -> Result<()> {
        self.kill_server(Server::ApiServer);
        self.kill_server(Server::Etcd);
        self.layout.copy_data(Way::Restore)?;
        self.start_server(Server::Etcd).await?;
        self.start_server(Server::ApiServer).await
    }

    /// Freezes a server: connections stay open and nothing is answered.
    pub fn pause_server(&self, server: Server) -> Result<()> {
        self.with(server, |running| running.signal("STOP"))
    }

    /// Ends [`ControlPlane::pause_server`].
    pub fn resume_server(&self, server: Server) -> Result<()> {
        self.with(server, |running| running.signal("CONT"))
    }

    /// The answered requests that `keep` keeps, of `unkey.com`, events and `CustomResourceDefinition`s, in the order in which they ended.
    /// A watch shows when it ends. An answer too large for one write may reach its client a moment before it is logged.
    pub fn audit(&self, keep: impl Fn(&AuditEvent) -> bool) -> Result<Vec<AuditEvent>> {
        self.audit.as_ref().ok_or(Error::NoAudit)?.events(keep)
    }

    /// [`ControlPlane::audit`] of one namespace.
    pub fn audit_in(&self, namespace: &str) -> Result<Vec<AuditEvent>> {
        self.audit(|event| event.namespace == namespace)
    }

    /// Where the servers keep their data and logs (`kube-apiserver.log`). It is removed at the end.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn running(&self) -> MutexGuard<'_, [Option<Guarded>; 3]> {
        // A panic between two of its states is impossible: each change is one assignment.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, server: Server) -> Result<()> {
        let mut running = self.running();
        let slot = &mut running[server as usize];
        if let Some(guarded) = slot
            && guarded.ended()?.is_none()
        {
            return Ok(());
        }
        *slot = Some(Guarded::spawn(&self.directory, server.name(), &self.layout.command(server)?)?);
        Ok(())
    }

    fn with<T>(&self, server: Server, act: impl FnOnce(&mut Guarded) -> Result<T>) -> Result<T> {
        act(self.running()[server as usize].as_mut().ok_or(Error::NotRunning { server: server.name() })?)
    }

    /// Fails if a server has ended that nobody killed.
    fn all_alive(&self) -> Result<()> {
        for server in [Server::Etcd, Server::ApiServer, Server::ControllerManager] {
            if let Some(running) = &mut self.running()[server as usize]
                && running.ended()?.is_some()
            {
                return Err(Error::Exited { server: server.name(), tail: running.log_tail() });
            }
        }
        Ok(())
    }

    /// Whether a server does its work, seen through the API that it serves.
    async fn look(&self, server: Server) -> Result<()> {
        let client: Client = self.client().await?;
        match server {
            Server::Etcd | Server::ApiServer => {
                let request =
                    Request::new("").get("readyz", &GetParams::default()).map_err(kube::Error::BuildRequest)?;
                client.request_text(request).await?;
            }
            // Made by its controller in every namespace.
            Server::ControllerManager => {
                Api::<ServiceAccount>::namespaced(client, "default").get_metadata("default").await?;
            }
        }
        Ok(())
    }
}
