//! The servers' command lines, files and ports. May not talk to them.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Read},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

use tokio::net::TcpSocket;

use crate::{
    Options,
    error::{Context, Result},
    guard::Directory,
    tools::Tools,
};

/// One of the servers that make up the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The store.
    Etcd,
    /// The API.
    ApiServer,
    /// The controllers: see [`Options::controllers`].
    ControllerManager,
}

impl Server {
    /// The name of its binary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
        }
    }
}

/// A loopback port that stays ours while no server listens on it, across restarts too: a socket bound with `SO_REUSEPORT`, as the servers
/// bind theirs, and never listening, so the kernel gives it no connection.
#[derive(Debug)]
struct Port {
    number: u16,
    _held: TcpSocket,
}

impl Port {
    fn reserve() -> Result<Self> {
        let reserve = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseport(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            io::Result::Ok(Self { number: socket.local_addr()?.port(), _held: socket })
        };
        reserve().context(|| "reserve a loopback port".to_owned())
    }
}

/// What the servers are started with, the same at every restart.
#[derive(Debug)]
pub(crate) struct Layout {
    tools: Tools,
    directory: PathBuf,
    etcd: Port,
    api: Port,
    audit: bool,
    controllers: String,
    api_server_args: Vec<String>,
    admin_token: String,
}

/// The controllers that tests rest on: the first empties and removes deleted namespaces, the last is how readiness is seen.
const CONTROLLERS: [&str; 3] = ["namespace-controller", "garbage-collector-controller", "serviceaccount-controller"];

/// All that service accounts ask, and of others only what tests count, at the level that costs least; a watch is logged when it ends.
const AUDIT_POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": ["RequestReceived", "ResponseStarted", "Panic"],
  "rules": [
    {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
    {"level": "Metadata", "resources": [
      {"group": "unkey.com"},
      {"group": "", "resources": ["events"]},
      {"group": "events.k8s.io", "resources": ["events"]},
      {"group": "apiextensions.k8s.io", "resources": ["customresourcedefinitions", "customresourcedefinitions/status"]}
    ]},
    {"level": "None"}
  ]
}"#;

impl Layout {
    /// Writes the files that the servers read.
    pub(crate) fn prepare(tools: Tools, directory: &Directory, options: &Options) -> Result<Self> {
        let admin_token = secret()?;
        let mut controllers = CONTROLLERS.join(",");
        for controller in &options.controllers {
            let _ = write!(controllers, ",{controller}");
        }
        let layout = Self {
            tools,
            directory: directory.path().to_owned(),
            etcd: Port::reserve()?,
            api: Port::reserve()?,
            audit: options.audit,
            controllers,
            api_server_args: options.api_server_args.clone(),
            admin_token,
        };
        layout.write("audit-policy.json", AUDIT_POLICY)?;
        layout.write("tokens.csv", &format!("{},admin,admin,system:masters\n", layout.admin_token))?;
        Ok(layout)
    }

    /// The command that runs a server.
    pub(crate) fn command(&self, server: Server) -> Result<Command> {
        let mut command = Command::new(self.tools.binary(server.name())?);
        match server {
            Server::Etcd => command.args(self.etcd_args()),
            Server::ApiServer => command.args(self.api_server_args()).args(&self.api_server_args),
            Server::ControllerManager => command.args(self.controller_manager_args()),
        };
        Ok(command)
    }

    fn etcd_args(&self) -> [String; 7] {
        let url = self.etcd_url();
        [
            format!("--data-dir={}", self.path("etcd")),
            // A power cut may lose the data; a killed etcd does not, and that is all that tests do to it.
            "--unsafe-no-fsync".to_owned(),
            "--socket-reuse-port".to_owned(),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            // It has no peers, and listens for them wherever the kernel likes.
            "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
            "--log-level=warn".to_owned(),
        ]
    }

    fn api_server_args(&self) -> Vec<String> {
        // Made by kube-apiserver itself in --cert-dir before it reads the other flags: it serves with this key, and signs the tokens of
        // ServiceAccounts with it, so no key has to be made here.
        let key = self.path("apiserver.key");
        let mut args = vec![
            format!("--etcd-servers={}", self.etcd_url()),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.api.number),
            "--permit-port-sharing".to_owned(),
            format!("--cert-dir={}", self.directory.display()),
            format!("--token-auth-file={}", self.path("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--allow-privileged=false".to_owned(),
            // Loopback may not be an endpoint of a Service, and nothing here runs in a pod that would use it.
            "--endpoint-reconciler-type=none".to_owned(),
        ];
        if self.audit {
            args.extend([
                format!("--audit-policy-file={}", self.path("audit-policy.json")),
                format!("--audit-log-path={}", self.audit_log().display()),
                // Written before the request ends, so that counts are exact.
                "--audit-log-mode=blocking-strict".to_owned(),
                // Megabytes; 0 would mean 100. A rotated log could not be read on.
                "--audit-log-maxsize=1000000".to_owned(),
            ]);
        }
        args
    }

    fn controller_manager_args(&self) -> [String; 5] {
        [
            format!("--kubeconfig={}", self.kubeconfig().display()),
            format!("--controllers={}", self.controllers),
            "--use-service-account-credentials=false".to_owned(),
            "--leader-elect=false".to_owned(),
            // Nobody asks it anything, so it needs no port.
            "--secure-port=0".to_owned(),
        ]
    }

    fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd.number)
    }

    /// Where the API is served.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api.number)
    }

    /// The certificates to trust, written by kube-apiserver.
    pub(crate) fn certificate_authority(&self) -> PathBuf {
        self.directory.join("apiserver.crt")
    }

    /// The token of `admin`, who may do everything.
    pub(crate) fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// The kubeconfig of `admin`.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.join("admin.kubeconfig")
    }

    /// The audit log, if one is written.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.directory.join("audit.log")
    }

    /// The directory of all files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The binaries in use.
    pub(crate) fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Writes a file and returns where. Its content is no secret from this user, and the directory keeps out all others.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, text).context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// Copies etcd's data, which must not run.
    pub(crate) fn copy_data(&self, way: Way) -> Result<()> {
        let (data, backup) = (self.directory.join("etcd"), self.directory.join("etcd-backup"));
        let (from, to) = match way {
            Way::Backup => (data, backup),
            Way::Restore => (backup, data),
        };
        let copied = || {
            if to.exists() {
                fs::remove_dir_all(&to)?;
            }
            copy_folder(&from, &to)
        };
        copied().context(|| format!("copy {} to {}", from.display(), to.display()))
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

/// Which way etcd's data is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into the backup.
    Backup,
    /// Out of it.
    Restore,
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A random word: other users of this machine reach the port too.
fn secret() -> Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context(|| "read /dev/urandom".to_owned())?;
    let mut word = String::new();
    for byte in bytes {
        let _ = write!(word, "{byte:02x}");
    }
    Ok(word)
}
