//! Runs the commands of an import, and reads what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use unkey_emulator::Permissions;

use super::super::harness::{World, succeeded};

/// All that an import needs.
const READER: &str = "unkey_reader_5d1b7c33";

/// Runs a command with a root key that may do no more than that.
async fn run_as(world: &World, may: Permissions, args: &[&str]) -> Output {
    let (command, args) = args.split_first().unwrap();
    let key = world.files.path().join("reader");
    std::fs::write(&key, READER).unwrap();
    world.workspace.add_root_key(READER, may);
    let mut run = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
    run.arg(command).args(["--api-url", &world.emulator.base_url(), "--max-requests-per-second", "0"]);
    run.arg("--root-key-file").arg(key).arg("--kubeconfig").arg(world.plane.kubeconfig()).args(args);
    run.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap()
}

/// `import` into the namespace of this world.
pub async fn import(world: &World, args: &[&str]) -> Output {
    import_as(world, Permissions::READ_ONLY, args).await
}

pub async fn import_as(world: &World, may: Permissions, args: &[&str]) -> Output {
    run_as(world, may, &[&["import", "-n", &world.namespace], args].concat()).await
}

/// Exit code, standard output and standard error.
pub fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Standard error of an import that was written to a folder.
pub fn imported(output: &Output) -> String {
    let (code, stdout, stderr) = told(output);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    stderr
}

/// What would become of each externalId, by a plan for an operator of this world; none has fields to change.
async fn planned(world: &World) -> BTreeMap<String, String> {
    let args = world.args();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let args = [&["plan", "-o", "json", "--", "run"], args.as_slice()].concat();
    let plan: Value = serde_json::from_str(&succeeded(&run_as(world, Permissions::READ_ONLY, &args).await)).unwrap();
    let changes = plan["changes"].as_array().unwrap();
    let differing: Vec<&Value> = changes.iter().filter(|change| change["fields"] != json!([])).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    let text = |change: &Value, field: &str| change[field].as_str().unwrap_or_default().to_owned();
    changes.iter().map(|change| (text(change, "externalId"), text(change, "action"))).collect()
}

/// All are adopted as they are.
pub async fn adopts(world: &World, external_ids: &BTreeSet<String>) {
    let expected: BTreeMap<String, String> = external_ids.iter().map(|it| (it.clone(), "adopt".to_owned())).collect();
    assert_eq!(planned(world).await, expected);
}

pub fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

/// A folder of this world that is not there yet.
pub fn folder(world: &World, name: &str) -> (PathBuf, String) {
    let path = world.files.path().join(name);
    (path.clone(), path.to_str().unwrap().to_owned())
}

/// The externalIds that standard error names with this remedy.
pub fn named(stderr: &str, remedy: &str) -> BTreeSet<String> {
    let lines = stderr.lines().filter(|line| line.ends_with(remedy));
    lines.map(|line| line.split('\'').nth(1).unwrap().to_owned()).collect()
}

pub const SERVER_SIDE: &str = "; apply with --server-side";
pub const CREATE: &str = "; use kubectl create, and kubectl replace later";

/// Runs the commands that an import says come next, but for the plan.
pub async fn follow(world: &World, stderr: &str) {
    let (_, next) = stderr.rsplit_once(". Next: ").unwrap_or_else(|| panic!("{stderr}"));
    let command = next.strip_suffix(", then unkey-operator plan\n").unwrap_or_else(|| panic!("{stderr}"));
    succeeded(&world.shell(command).await);
}

pub fn list(world: &World, name: &str, external_ids: &BTreeSet<String>) -> String {
    let (path, file) = folder(world, name);
    std::fs::write(path, external_ids.iter().fold(String::new(), |text, it| format!("{text}{it}\n"))).unwrap();
    file
}
