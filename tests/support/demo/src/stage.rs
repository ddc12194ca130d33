//! What the demo runs on: control plane, Unkey, operator, and kubectl to drive it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use controlplane::{ControlPlane, Options, Resolver};
use demo::print::say;
use demo::{StageError, io};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use unkey_emulator::{Emulator, Permissions, Seed};
use unkey_operator::unkey::{self, Client, Credentials, Identity};

/// How long the operator may take to end.
const CURTAIN: Duration = Duration::from_secs(15);

/// Everything that runs.
pub struct Stage {
    plane: ControlPlane,
    emulator: Option<Emulator>,
    operator: Child,
    client: Client,
    folder: TempDir,
    repository: PathBuf,
    api_url: String,
    root_key: Vec<u8>,
}

impl Stage {
    /// Starts everything. `upstream`: API URL and root-key file of a real Unkey.
    pub async fn set(repository: &Path, upstream: Option<(String, PathBuf)>) -> Result<Self, StageError> {
        let begun = Instant::now();
        let plane = ControlPlane::start(Options { tools: Resolver::default(), ..Options::default() }).await?;
        say(&format!("etcd and kube-apiserver are up ({:.1} s)", begun.elapsed().as_secs_f32()));
        let folder = TempDir::new().map_err(io("a temporary folder"))?;
        let (emulator, api_url, root_key) = if let Some((url, file)) = upstream {
            let key = std::fs::read(&file).map_err(io(file.display().to_string()))?;
            (None, url, key)
        } else {
            let options = unkey_emulator::Options::default();
            let emulator = Emulator::start(options).await.map_err(io("the Unkey emulator"))?;
            emulator.workspace("demo").add_root_key("unkey_demo_root_key", Permissions::ALL);
            let url = emulator.base_url();
            (Some(emulator), url, b"unkey_demo_root_key\n".to_vec())
        };
        say(&match &emulator {
            Some(_) => format!("an emulator plays Unkey at {api_url}"),
            None => format!("Unkey is at {api_url}"),
        });
        let key_file = folder.path().join("root-key");
        write_secret(&key_file, &root_key)?;
        let options = unkey::Options { base_url: api_url.clone(), ..unkey::Options::default() };
        let client = Client::new(&options, Credentials::from_file(&key_file))?;
        // The emulator shows at once what was written; a real Unkey may not.
        let window: &[&str] = if emulator.is_some() { &["--consistency-window", "2s"] } else { &[] };
        let operator = start_operator(&plane, &folder, &api_url, window)?;
        let repository = repository.to_owned();
        Ok(Self { plane, emulator, operator, client, folder, repository, api_url, root_key })
    }

    /// Runs kubectl, shown as the user would type it.
    pub async fn kubectl(&self, args: &[&str]) -> Result<(), StageError> {
        demo::run("kubectl", Command::from(self.plane.kubectl_command()?), &self.repository, args).await
    }

    /// The same in the demo's own folder.
    pub async fn kubectl_there(&self, args: &[&str]) -> Result<(), StageError> {
        demo::run("kubectl", Command::from(self.plane.kubectl_command()?), self.folder.path(), args).await
    }

    /// Runs the operator's program in the demo's own folder, shown as the user would type it, with the root key's file and the way to this Unkey and
    /// cluster in the environment.
    pub async fn operator(&self, args: &[&str]) -> Result<(), StageError> {
        let mut command = Command::new(program()?);
        command.env("UNKEY_API_URL", &self.api_url).env("UNKEY_ROOT_KEY_FILE", self.folder.path().join("root-key"));
        command.env("UNKEY_OPERATOR_KUBECONFIG", self.plane.kubeconfig());
        demo::run("unkey-operator", command, self.folder.path(), args).await
    }

    /// An emulator plays Unkey.
    pub fn is_emulated(&self) -> bool {
        self.emulator.is_some()
    }

    /// Another client makes identities with these plans. False: this Unkey is real, and stays as it is.
    pub fn seed(&self, customers: &[(&str, &str)]) -> bool {
        let Some(emulator) = &self.emulator else { return false };
        let workspace = emulator.workspace("demo");
        customers.iter().all(|(external_id, plan)| {
            let meta = serde_json::Map::from_iter([("plan".to_owned(), serde_json::Value::from(*plan))]);
            let seed = Seed { external_id: (*external_id).to_owned(), meta: Some(meta), ..Seed::default() };
            workspace.seed(seed).is_some()
        })
    }

    /// The output of a kubectl that is not shown.
    pub async fn ask(&self, args: &[&str]) -> Result<String, StageError> {
        let mut command = Command::from(self.plane.kubectl_command()?);
        let output = command.current_dir(&self.repository).args(args).output().await.map_err(io("kubectl"))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits until kubectl prints `wanted`.
    pub async fn until(&self, args: &[&str], wanted: &str) -> Result<(), StageError> {
        let what = format!("'{wanted}' from kubectl {}", args.join(" "));
        demo::until(&what, async || self.ask(args).await, |answer| answer.trim() == wanted).await.map(drop)
    }

    /// What Unkey holds of these externalIds.
    pub async fn held(&self, external_ids: &[&str]) -> Result<Vec<Identity>, StageError> {
        let mut found = Vec::new();
        for external_id in external_ids {
            match self.client.get(external_id).await {
                Ok(identity) => found.push(identity),
                Err(error) if error.class() == unkey::Class::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// Puts another root key into the operator's file, or the right one back.
    pub fn swap_root_key(&self, wrong: Option<&str>) -> Result<(), StageError> {
        let key = wrong.map_or(self.root_key.as_slice(), str::as_bytes);
        write_secret(&self.folder.path().join("root-key"), key)
    }

    /// For `--keep`.
    pub fn print_how_to_use(&self) {
        let kubeconfig = self.plane.kubeconfig();
        let kubectl = self.plane.kubectl().unwrap_or_else(|_| PathBuf::from("kubectl"));
        println!("\nEverything stays up until Ctrl-C. In another terminal:\n");
        println!("  export KUBECONFIG={}", kubeconfig.display());
        println!("  alias kubectl={}", kubectl.display());
        println!("  kubectl get identities -o wide");
        println!("  tail -f {}", self.folder.path().join("operator.log").display());
        if self.emulator.is_some() {
            println!("  curl -s {}/_emulator/workspaces/demo   # what the emulator holds", self.api_url);
        }
    }

    /// The end of the operator's log, when something went wrong.
    pub fn print_operator_log(&self) {
        let log = std::fs::read_to_string(self.folder.path().join("operator.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- the last lines of the operator's log ---");
        for line in lines.iter().skip(lines.len().saturating_sub(30)) {
            eprintln!("{line}");
        }
    }

    /// Ends everything in order.
    pub async fn strike(mut self) -> Result<(), StageError> {
        if let Some(pid) = self.operator.id() {
            let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await.map_err(io("kill"))?;
            if !sent.success() {
                return Err(StageError::Command { command: "kill".to_owned(), status: sent });
            }
        }
        let ended = tokio::time::timeout(CURTAIN, self.operator.wait()).await;
        let status =
            ended.map_err(|_| StageError::InVain("the operator to end".to_owned()))?.map_err(io("the operator"))?;
        self.plane.stop().await;
        if status.success() {
            Ok(())
        } else {
            Err(StageError::Command { command: "unkey-operator".to_owned(), status })
        }
    }
}

/// The operator's program, beside this one.
fn program() -> Result<PathBuf, StageError> {
    let this = std::env::current_exe().map_err(io("this program's folder"))?;
    Ok(this.with_file_name("unkey-operator"))
}

fn start_operator(plane: &ControlPlane, folder: &TempDir, api_url: &str, window: &[&str]) -> Result<Child, StageError> {
    let program = program()?;
    let log = folder.path().join("operator.log");
    let log = File::create(&log).map_err(io(log.display().to_string()))?;
    Command::new(&program)
        .args(["run", "--admin-address", "127.0.0.1:0", "--api-url", api_url, "--kubeconfig"])
        .arg(plane.kubeconfig())
        .arg("--root-key-file")
        .arg(folder.path().join("root-key"))
        // Ten seconds by default; nobody wants to watch that long.
        .args(["--deletion-hold", "2s"])
        .args(window)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .map_err(io(program.display().to_string()))
}

/// In one step, as a mounted Secret changes; for the owner only.
fn write_secret(path: &Path, content: &[u8]) -> Result<(), StageError> {
    use std::os::unix::fs::PermissionsExt;
    let next = path.with_extension("next");
    std::fs::write(&next, content)
        .and_then(|()| std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600)))
        .and_then(|()| std::fs::rename(&next, path))
        .map_err(io("the root key's file"))
}
