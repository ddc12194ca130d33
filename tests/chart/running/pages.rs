//! The README, "getting started" and the guides as a reader follows them: every `console` block is run, in the order of the page, on a cluster of its own, and
//! shows what the page says. Blocks of other kinds (`sh`, `text`) need what is not here: an image registry, a real Unkey, a second cluster.

mod steps;

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use controlplane::ControlPlane;
use nodelet::Nodelet;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use unkey_emulator::{Emulator, Permissions, Workspace};

use self::steps::{Step, differs, steps};
use super::world::{ROOT_KEY, print_logs, start_node, start_plane, values};
use crate::harness::{NAMESPACE, file, helms, read};

const NEW_ROOT_KEY: &str = "unkey_root_77b1d0c3";
/// The pages wait for at most five minutes themselves, but for one step of one guide.
const DEADLINE: Duration = Duration::from_secs(600);
const ADOPT: &str = "docs/guides/adopt-existing.md";
const SEVERAL: &str = "docs/guides/several-workspaces.md";
/// What the guides begin with.
const INSTALLED: [&str; 3] = [
    "kubectl create namespace unkey-system",
    "kubectl --namespace unkey-system create secret generic unkey-operator-root-key --from-file=root-key",
    "helm install unkey-operator charts/unkey-operator --namespace unkey-system --wait --timeout 120s",
];

/// The two root keys of a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Both are of one workspace.
    OneWorkspace,
    /// The new one is of another.
    TwoWorkspaces,
    /// The first one may only read.
    ReadOnlyFirst,
}

/// A reader's machine.
struct Reader {
    // Dropped in this order.
    nodelets: Vec<Nodelet>,
    emulator: Emulator,
    plane: ControlPlane,
    folder: TempDir,
}

/// An executable script.
fn script(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/usr/bin/env bash\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

impl Reader {
    async fn new(keys: Keys) -> Self {
        let plane = start_plane().await;
        let emulator = Emulator::start(unkey_emulator::Options::default()).await.unwrap();
        let first = if keys == Keys::ReadOnlyFirst { Permissions::READ_ONLY } else { Permissions::ALL };
        emulator.workspace("acme").add_root_key(ROOT_KEY, first);
        let other = if keys == Keys::TwoWorkspaces { "other" } else { "acme" };
        emulator.workspace(other).add_root_key(NEW_ROOT_KEY, Permissions::ALL);
        let mut nodelets = Vec::new();
        for (node, selector) in [
            ("node", "app.kubernetes.io/instance=unkey-operator"),
            ("node-a", "app.kubernetes.io/instance=unkey-operator-a"),
            ("node-staging", "app.kubernetes.io/instance=unkey-operator-staging"),
            ("node-leaving", "app.kubernetes.io/name=unkey-operator-unmanage"),
        ] {
            nodelets.push(start_node(&plane, NAMESPACE, node, selector).await);
        }
        let folder = Self::folder(&plane, &emulator.base_url(), &values(&emulator).join(","));
        Self { nodelets, emulator, plane, folder }
    }

    /// The repository's folder as the pages use it, the files that they have the reader make, and the programs: helm tells the chart where this Unkey
    /// is, and a variable tells the operator's.
    fn folder(plane: &ControlPlane, api_url: &str, values: &str) -> TempDir {
        let folder = TempDir::new().unwrap();
        for part in ["charts", "crds", "examples"] {
            symlink(file(part), folder.path().join(part)).unwrap();
        }
        std::fs::write(folder.path().join("root-key"), ROOT_KEY).unwrap();
        std::fs::write(folder.path().join("new-root-key"), NEW_ROOT_KEY).unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        script(&bin.join("kubectl"), &format!("exec '{}' \"$@\"", plane.kubectl().unwrap().display()));
        let program = env!("CARGO_BIN_EXE_unkey-operator");
        script(&bin.join("unkey-operator"), &format!("UNKEY_API_URL='{api_url}' exec '{program}' \"$@\""));
        let helm = helms()[0].binary.display();
        let text =
            format!("case \"$1\" in install | upgrade) set -- \"$@\" --set '{values}' ;; esac\nexec '{helm}' \"$@\"");
        script(&bin.join("helm"), &text);
        folder
    }

    async fn run(&self, command: &str) -> Output {
        let kubectl = self.plane.kubectl_command().unwrap();
        let mut bash = Command::new("bash");
        bash.envs(kubectl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let path = std::env::join_paths(
            [self.folder.path().join("bin")].into_iter().chain(["/usr/local/bin", "/usr/bin", "/bin"].map(Into::into)),
        );
        bash.args(["-euo", "pipefail", "-c", command]).current_dir(self.folder.path());
        bash.env("PATH", path.unwrap()).env("HOME", self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(DEADLINE, bash.output()).await;
        output.unwrap_or_else(|_| panic!("in vain: waited {} s for: {command}", DEADLINE.as_secs())).unwrap()
    }

    /// Runs one step of a page and compares what it prints.
    async fn follow(&self, page: &str, Step { command, shown }: &Step) {
        let output = self.run(command).await;
        let said = String::from_utf8_lossy(&output.stdout);
        let wrong = format!("{page}: $ {command}\n{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{wrong}\n{}", output.status);
        if let Some(why) = differs(shown, &said) {
            panic!("{wrong}\n{why}");
        }
    }

    async fn follow_all(&self, page: &str) {
        let steps = steps(&read(page));
        assert!(!steps.is_empty(), "{page} has no console block");
        for step in &steps {
            self.follow(page, step).await;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.nodelets.iter().for_each(print_logs);
        }
    }
}

/// Follows a page from its begin to its end.
async fn read_through(page: &str, keys: Keys, begins_with: &[&str]) -> Reader {
    let reader = Reader::new(keys).await;
    for command in begins_with {
        reader.follow("before the page", &Step { command: (*command).to_owned(), shown: Vec::new() }).await;
    }
    reader.follow_all(page).await;
    reader
}

#[tokio::test]
async fn readme() {
    read_through("README.md", Keys::OneWorkspace, &[]).await;
}

#[tokio::test]
async fn getting_started() {
    read_through("docs/getting-started.md", Keys::OneWorkspace, &[]).await;
}

/// Its reader has customers in Unkey already, and installs the operator otherwise than the other guides do.
#[tokio::test]
async fn adopt_existing() {
    let reader = Reader::new(Keys::ReadOnlyFirst).await;
    let workspace = reader.emulator.workspace("acme");
    let customer = |seed: Value| workspace.seed(serde_json::from_value(seed).unwrap()).unwrap();
    customer(json!({"externalId": "acme", "meta": {"plan": "free"}}));
    customer(json!({"externalId": "globex", "meta": {"plan": "enterprise", "region": "eu", "seats": 5}}));
    let limits = json!([{"name": "requests", "limit": 500, "duration": 60000, "autoApply": true}]);
    customer(json!({"externalId": "initech", "meta": {"plan": "pro"}, "ratelimits": limits}));
    reader.follow_all(ADOPT).await;
    let there = |name: &str| workspace.live(name).unwrap();
    assert_eq!(there("globex").meta["plan"], "enterprise");
    assert_eq!((there("initech").ratelimits[0].limit, &there("initech").meta["plan"]), (1000, &json!("pro")));
    assert_eq!(there("umbrella").meta, json!({"plan": "free"}));
    let imported = std::fs::read_to_string(reader.folder.path().join("imported/identities-0001.yaml")).unwrap();
    assert_eq!(imported.matches("\"kind\": \"Identity\"").count(), 3, "{imported}");
}

/// Two releases, two root keys, and the same externalIds: neither learns of the other, also when one key is revoked.
#[tokio::test]
async fn several_workspaces() {
    let reader = read_through(SEVERAL, Keys::TwoWorkspaces, &INSTALLED).await;
    let [production, staging] = ["acme", "other"].map(|name| reader.emulator.workspace(name));
    let ids = |workspace: &Workspace| {
        ["minimal", "acme", "globex"].map(|name| workspace.live(&format!("quickstart-{name}")).unwrap().id)
    };
    let before = [ids(&production), ids(&staging)];
    let all: BTreeSet<&String> = before.iter().flatten().collect();
    assert_eq!(all.len(), 6, "each has its own: {before:?}");

    assert!(reader.emulator.revoke(NEW_ROOT_KEY));
    for (namespace, reason) in [("shop-staging", "Unauthorized"), ("shop", "Synced")] {
        let edit = format!(
            "kubectl -n {namespace} patch identity acme --type=merge -p '{{\"spec\":{{\"meta\":{{\"plan\":\"{namespace}\"}}}}}}'"
        );
        let wait = format!(
            "kubectl -n {namespace} wait identity/acme --timeout=60s --for=jsonpath='{{.status.conditions[?(@.type==\"Ready\")].reason}}'={reason}"
        );
        for command in [edit, wait] {
            reader.follow("after the page", &Step { command, shown: Vec::new() }).await;
        }
    }
    let plan = |workspace: &Workspace| workspace.live("quickstart-acme").unwrap().meta["plan"].clone();
    assert_eq!(plan(&production), "shop");
    assert_ne!(plan(&staging), "shop-staging", "its key is refused");
    assert_eq!([ids(&production), ids(&staging)], before);
}

macro_rules! guides {
    ($($test:ident: $page:literal, $key:ident;)+) => {
        $(
            #[tokio::test]
            async fn $test() {
                read_through(concat!("docs/guides/", $page), Keys::$key, &INSTALLED).await;
            }
        )+

        /// A guide that is added is followed too.
        #[test]
        fn every_guide_with_steps_is_followed() {
            let pages = std::fs::read_dir(file("docs/guides")).unwrap().map(|entry| entry.unwrap().path());
            let with_steps = pages.filter(|page| !steps(&std::fs::read_to_string(page).unwrap()).is_empty());
            let mut names: Vec<String> =
                with_steps.map(|page| page.file_name().unwrap().to_str().unwrap().to_owned()).collect();
            names.sort();
            let others = [ADOPT, SEVERAL].map(|page| page.trim_start_matches("docs/guides/"));
            let mut followed = [&others[..], &[$($page),+]].concat();
            followed.sort_unstable();
            assert_eq!(names, followed);
        }
    };
}

guides! {
    change_workspace: "change-workspace.md", TwoWorkspaces;
    fleets: "fleets.md", OneWorkspace;
    gitops: "gitops.md", OneWorkspace;
    rename_without_losing_keys: "rename-without-losing-keys.md", OneWorkspace;
    rotate_root_key: "rotate-root-key.md", OneWorkspace;
    shard: "shard.md", OneWorkspace;
    tenancy: "tenancy.md", OneWorkspace;
    uninstall: "uninstall.md", OneWorkspace;
    write_an_identity: "write-an-identity.md", OneWorkspace;
}
