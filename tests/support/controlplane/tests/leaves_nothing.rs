//! However its owner ends, no process and no file of a control plane is left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test that cannot go on has failed"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use controlplane::{ControlPlane, Options, Server};

/// For whatever should take a second or three; the machine may be compiling.
const SOON: Duration = Duration::from_secs(90);

/// Names of the processes that have `directory` in their command line, as every server, its shells and the janitor do.
fn processes_of(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        // Processes come and go while we look.
        let Ok(command) = fs::read(entry.unwrap().path().join("cmdline")) else { continue };
        let command = String::from_utf8_lossy(&command);
        if command.contains(directory) {
            let program = command.split('\0').next().unwrap_or_default();
            names.push(program.rsplit('/').next().unwrap_or_default().to_owned());
        }
    }
    names.sort();
    names
}

fn servers_of(directory: &Path) -> Vec<String> {
    processes_of(directory).into_iter().filter(|name| name != "sh").collect()
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {SOON:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn assert_all_gone(directory: &Path) {
    wait_until("all processes and the directory gone", || processes_of(directory).is_empty() && !directory.exists());
}

struct Owner {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    directory: PathBuf,
}

/// Starts an owner and waits for the line that ends in "data in DIRECTORY".
fn own(command: &mut Command) -> Owner {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    let directory = loop {
        line.clear();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "the owner ended before it was ready");
        if let Some((_, directory)) = line.trim_end().split_once("data in ") {
            break PathBuf::from(directory);
        }
    };
    Owner { child, _stdout: stdout, directory }
}

fn run(kubeconfig: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_controlplane"));
    command.args(["run", "--controller-manager", "--until-eof", "--kubeconfig"]).arg(kubeconfig).process_group(0);
    command
}

fn kill(signal: &str, target: &str) {
    let status = Command::new("/bin/sh").args(["-c", &format!("kill -s {signal} -- {target}")]).status().unwrap();
    assert!(status.success());
}

#[test]
fn after_signals_and_after_end_of_input() {
    let scratch = tempfile::tempdir().unwrap();
    let kubeconfig = scratch.path().join("kubeconfig");
    for end in ["INT", "TERM", "KILL", "EOF"] {
        let mut owner = own(&mut run(&kubeconfig));
        assert_eq!(servers_of(&owner.directory), ["etcd", "kube-apiserver", "kube-controller-manager"], "{end}");
        match end {
            "EOF" => drop(owner.child.stdin.take()),
            // To the whole group, as a terminal's Ctrl-C.
            "INT" => kill("INT", &format!("-{}", owner.child.id())),
            signal => kill(signal, &owner.child.id().to_string()),
        }
        let status = owner.child.wait().unwrap();
        if end != "KILL" {
            assert!(status.success(), "{end}: {status}");
            // Stopped in order: all is gone when the owner is, its kubeconfig too.
            assert_eq!(processes_of(&owner.directory), [""; 0], "{end}");
            assert!(!owner.directory.exists() && !kubeconfig.exists(), "{end}");
        }
        assert_all_gone(&owner.directory);
        if end == "KILL" {
            assert!(kubeconfig.exists(), "only this is left");
            let output = run(&kubeconfig).output().unwrap();
            assert!(!output.status.success(), "a file that exists is not overwritten");
            fs::remove_file(&kubeconfig).unwrap();
        }
    }
}

/// Set for the owner that panics, which is the test below in another process.
const PANICS: &str = "CONTROLPLANE_TEST_OWNER_PANICS";

/// Its control plane is the shared one, which no destructor stops.
#[tokio::test]
async fn after_a_panic() {
    #[expect(clippy::disallowed_methods, reason = "how the parent tells its child what it is")]
    if std::env::var_os(PANICS).is_some() {
        let cp = controlplane::shared().await.unwrap();
        println!("data in {}", cp.directory().display());
        std::io::stdin().read_line(&mut String::new()).unwrap();
        panic!("as this owner is meant to");
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut owner = own(command.args(["--exact", "after_a_panic", "--nocapture"]).env(PANICS, ""));
    assert_eq!(servers_of(&owner.directory), ["etcd", "kube-apiserver"]);
    drop(owner.child.stdin.take());
    assert!(!owner.child.wait().unwrap().success());
    assert_all_gone(&owner.directory);
}

#[tokio::test]
async fn after_a_start_that_fails() {
    let mut options = Options::default();
    options.api_server_args.push("--no-such-flag".to_owned());
    let error = ControlPlane::start(options).await.unwrap_err();
    assert!(
        matches!(&error, controlplane::Error::Exited { server: "kube-apiserver", tail } if tail.contains("--no-such-flag")),
        "{error}"
    );
}

#[tokio::test]
async fn while_paused_and_when_dropped() {
    let cp = ControlPlane::start(Options::default()).await.unwrap();
    let directory = cp.directory().to_owned();
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700, "it holds tokens");
    cp.pause_server(Server::ApiServer).unwrap();
    cp.pause_server(Server::Etcd).unwrap();
    drop(cp);
    assert_eq!(processes_of(&directory), [""; 0]);
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_server_that_dies_by_itself_is_noticed_and_can_be_started() {
    let cp = ControlPlane::start(Options::default()).await.unwrap();
    let pid_file = cp.directory().join("kube-apiserver.pid");
    kill("KILL", fs::read_to_string(&pid_file).unwrap().trim());
    wait_until("its shells gone", || processes_of(&pid_file).is_empty());
    let error = cp.start_server(Server::ControllerManager).await.unwrap_err();
    assert!(matches!(&error, controlplane::Error::Exited { server: "kube-apiserver", .. }), "{error}");
    cp.start_server(Server::ApiServer).await.unwrap();
    cp.start_server(Server::ControllerManager).await.unwrap();
    cp.stop().await;
}
