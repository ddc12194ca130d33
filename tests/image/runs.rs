//! The program in its image: it works, as the user and with the rights that the Dockerfile says, and needs all that it holds.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};

use serde_json::{Value, json};

use super::harness::{ROOT_KEY, World, eventually};
use super::root::{BASE, CERTIFICATES, Root};

/// A container; killed when dropped, and if the test fails its log is printed.
struct Container {
    child: Child,
    log: PathBuf,
}

impl Container {
    /// Starts it with arguments as the chart's, in a Pod's environment.
    fn start(world: &World, root: &Root) -> Self {
        let log = world.files.path().join("container.log");
        let mut command = root.command(&arguments(world), &pod(world, root));
        let child =
            command.stdout(File::create(&log).unwrap()).stderr(File::options().append(true).open(&log).unwrap());
        Self { child: child.spawn().unwrap(), log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A file of `/proc` about it. What started it has become the program itself: it is still the same process.
    fn about(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    /// A line of `/proc/…/status`.
    fn status(&self, name: &str) -> String {
        let status = self.about("status");
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
    }

    /// The user that it is to itself, and to the rest of the machine only without a namespace.
    fn user(&self) -> u32 {
        let outer: u32 = self.status("Uid").split_whitespace().next().unwrap().parse().unwrap();
        let map = self.about("uid_map");
        let numbers: Vec<u32> = map.split_whitespace().map(|number| number.parse().unwrap()).collect();
        numbers[0] + (outer - numbers[1])
    }

    async fn ended(&mut self) -> ExitStatus {
        let child = std::cell::RefCell::new(&mut self.child);
        eventually("the container to end", async || child.borrow_mut().try_wait().unwrap()).await
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the container ---\n{}", self.log());
        }
    }
}

fn arguments(world: &World) -> Vec<String> {
    let api = format!("--api-url={}", world.emulator.base_url());
    let namespace = format!("--namespace={}", world.namespace);
    let fixed = ["--root-key-file=/etc/unkey-operator/root-key", "--admin-address=127.0.0.1:0", "--log-level=debug"];
    ["run".to_owned(), api, namespace].into_iter().chain(fixed.map(ToOwned::to_owned)).collect()
}

/// What the kubelet adds to an image: the Secret, the `ServiceAccount`'s files, and variables that say where the API server is.
fn pod(world: &World, root: &Root) -> Vec<(&'static str, String)> {
    let config: Value = serde_json::from_str(&std::fs::read_to_string(world.plane.kubeconfig()).unwrap()).unwrap();
    let cluster = &config["clusters"][0]["cluster"];
    let authority = std::fs::read_to_string(cluster["certificate-authority"].as_str().unwrap()).unwrap();
    root.mount("/etc/unkey-operator/root-key", ROOT_KEY);
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    root.mount(&format!("{account}/token"), config["users"][0]["user"]["token"].as_str().unwrap());
    root.mount(&format!("{account}/ca.crt"), &authority);
    root.mount(&format!("{account}/namespace"), &world.namespace);
    let server = cluster["server"].as_str().unwrap().strip_prefix("https://").unwrap();
    let (host, port) = server.rsplit_once(':').unwrap();
    vec![("KUBERNETES_SERVICE_HOST", host.to_owned()), ("KUBERNETES_SERVICE_PORT", port.to_owned())]
}

#[tokio::test]
async fn it_brings_an_identity_about() {
    let world = World::new("image").await;
    let root = Root::new();
    assert_eq!(root.files().len(), 2 + BASE.len() + 1, "two names, libraries, certificates: {:?}", root.files());
    let mut container = Container::start(&world, &root);
    world.create("x", &json!({"externalId": "x", "meta": {"plan": "pro"}})).await;
    world.ready("x").await;
    assert_eq!(world.upstream("x")["meta"], json!({"plan": "pro"}));

    assert_eq!(container.user(), 65532);
    assert_eq!(container.status("Groups"), "", "no group of this machine");
    assert_eq!(container.status("CapEff"), "0000000000000000");
    let mounts = container.about("mountinfo");
    let its_root = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|fields| fields[4] == "/");
    assert!(its_root.is_some_and(|fields| fields[5].split(',').any(|option| option == "ro")), "{mounts}");
    let environment = container.about("environ");
    assert!(environment.split('\0').any(|pair| pair == "MALLOC_ARENA_MAX=1"), "{environment:?}");

    // No shell stands between: the signal comes to the program itself.
    let killed = std::process::Command::new("kill").arg(container.child.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(container.ended().await.success(), "{}", container.log());
}

#[tokio::test]
async fn it_needs_all_that_the_base_holds() {
    let world = World::new("image-less").await;
    for (missing, expected) in
        BASE.map(|library| (library, library)).into_iter().chain([(CERTIFICATES, "CA certificates")])
    {
        let root = Root::without(missing);
        let mut container = Container::start(&world, &root);
        assert!(!container.ended().await.success(), "without {missing}");
        let said = container.log();
        // The kernel looks for the loader, and finds that the program is not there.
        let expected = if missing.starts_with("ld-linux") { "No such file" } else { expected };
        assert!(said.contains(expected), "without {missing}: {said}");
    }
}

#[test]
fn without_arguments_it_runs() {
    let output = Root::new().output(&[], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("unkey-operator: ") && said.contains("UNKEY_ROOT_KEY"), "as `run` without a key: {said}");
}

/// `kubectl exec deploy/unkey-operator -- kubectl-unkey …`
#[test]
fn it_holds_the_plugin_too() {
    let plugin = ["/usr/local/bin/kubectl-unkey".to_owned()];
    let output = Root::new().program(&plugin, &["list".to_owned(), "--help".to_owned()], &[]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("Usage: kubectl unkey list"), "{output:?}");
}
