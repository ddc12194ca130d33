//! The everyday commands for people, on the real parts, as a user runs them.

mod deletions;
mod get;
mod list;
mod plugin;
mod reconcile;
mod suspend;
mod version;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::harness::{ROOT_KEY, World, succeeded};

/// The program with these arguments, without a root key and without anything of the user's own settings.
fn without_key(world: &World, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
    command.args(args).env_clear().env("HOME", "/nonexistent").env("KUBECONFIG", world.plane.kubeconfig());
    command
}

async fn ended(mut command: Command) -> Output {
    command.stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// A command in the namespace of this world, without a root key.
async fn keyless(world: &World, args: &[&str]) -> Output {
    ended(without_key(world, &[args, &["--namespace", &world.namespace]].concat())).await
}

/// A command in the namespace of this world, with one.
async fn run(world: &World, args: &[&str]) -> Output {
    ended(with_key(world, &[args, &["--namespace", &world.namespace]].concat())).await
}

fn with_key(world: &World, args: &[&str]) -> Command {
    let mut command = without_key(world, args);
    command.env("UNKEY_API_URL", world.emulator.base_url()).env("UNKEY_ROOT_KEY", ROOT_KEY);
    command
}

/// What a command prints as JSON.
fn json(output: &Output) -> Value {
    serde_json::from_str(&succeeded(output)).unwrap()
}

/// The exit code of a command that must have failed without a result, and what it says.
fn failed(output: &Output) -> (i32, String) {
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code().unwrap(), stderr(output))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A name that does not exist is exit 1 and a sentence.
async fn does_not_know(world: &World, args: &[&str]) {
    let (code, said) = failed(&keyless(world, args).await);
    assert_eq!(code, 1, "{args:?}: {said}");
    let expected = format!("there is no Identity 'nobody' in namespace '{}'", world.namespace);
    assert!(said.contains(&expected) && said.lines().count() == 1, "{args:?}: {said}");
}
