//! The plugin as kubectl runs it, and its completion.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::super::harness::{ROOT_KEY, World, succeeded, table};
use super::{ended, failed};

/// The real kubectl, with the plugin on PATH.
struct Kubectl<'w> {
    world: &'w World,
    folder: TempDir,
}

impl<'w> Kubectl<'w> {
    fn new(world: &'w World) -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["kubectl-unkey", "kubectl_complete-unkey"] {
            symlink(env!("CARGO_BIN_EXE_unkey-operator"), folder.path().join(name)).unwrap();
        }
        Self { world, folder }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.world.plane.kubectl_command().unwrap();
        command.args(args).env("PATH", self.folder.path()).env_remove("UNKEY_ROOT_KEY").env("HOME", "/nonexistent");
        command
    }
}

#[tokio::test]
async fn kubectl_runs_it() {
    let world = World::new("plugin-runs").await;
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    world.ready("x").await;
    let kubectl = Kubectl::new(&world);
    let listed = succeeded(&ended(kubectl.command(&["unkey", "list", "-n", &world.namespace])).await);
    assert_eq!(table(&listed)[1][3..5], ["managed", "Synced"]);
    let mut with_key = kubectl.command(&["unkey", "list", "-n", &world.namespace, "--state", "managed,missing"]);
    with_key.env("UNKEY_ROOT_KEY", ROOT_KEY).env("UNKEY_API_URL", world.emulator.base_url());
    assert_eq!(table(&succeeded(&ended(with_key).await)).len(), 2);
    let help = succeeded(&ended(kubectl.command(&["unkey", "list", "--help"])).await);
    assert!(help.contains("Usage: kubectl unkey list [OPTIONS]"), "{help}");
    let (code, said) = failed(&ended(kubectl.command(&["unkey", "resume", "nobody", "-n", &world.namespace])).await);
    assert!(code == 1 && said.starts_with("kubectl unkey: there is no Identity 'nobody'"), "{said}");
    let (code, said) = failed(&ended(kubectl.command(&["unkey", "run"])).await);
    assert!(code == 2 && said.starts_with("kubectl unkey: unrecognized subcommand 'run'"), "{said}");
}

#[tokio::test]
async fn kubectl_completes_it() {
    let world = World::new("plugin-completes").await;
    for name in ["acme", "acorn", "other"] {
        world.create(name, &json!({"externalId": name})).await;
    }
    let kubectl = Kubectl::new(&world);
    let offered = async |args: &[&str]| {
        let text = succeeded(&ended(kubectl.command(&[&["__complete", "unkey"], args].concat())).await);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(offered(&["sus"]).await, ["suspend", ":4"]);
    assert_eq!(offered(&["suspend", "-n", &world.namespace, "ac"]).await, ["acme", "acorn", ":4"]);
    assert_eq!(offered(&["get", "--namespace", &world.namespace, "o"]).await, ["other", ":4"]);
    assert_eq!(offered(&["suspend", "--rea"]).await, ["--reason", ":4"]);
    // A namespace that is not there has no names, and nothing is said of that.
    assert_eq!(offered(&["resume", "-n", "no-such-namespace", ""]).await, [":4"]);
}
