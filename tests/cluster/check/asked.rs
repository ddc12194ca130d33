//! Runs the command, and reads what it prints. Asserts nothing about the findings.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::harness::World;

/// What the command printed, and its exit code.
pub struct Answer {
    pub code: i32,
    pub report: Value,
    /// All that it printed.
    pub all: String,
}

impl Answer {
    /// The verdict and the message of a check.
    pub fn of(&self, id: &str) -> (&str, &str) {
        let checks = self.report["checks"].as_array().unwrap();
        let found = checks.iter().find(|it| it["id"] == id).unwrap_or_else(|| panic!("no {id}: {}", self.all));
        (found["verdict"].as_str().unwrap(), found["message"].as_str().unwrap())
    }

    /// The verdict of a check.
    pub fn verdict(&self, id: &str) -> &str {
        self.of(id).0
    }

    /// Panics unless the check came to that, and its message has these words.
    pub fn says(&self, id: &str, verdict: &str, words: &str) {
        let (found, message) = self.of(id);
        assert!(found == verdict && message.contains(words), "{id} is not {verdict} with '{words}': {}", self.all);
    }

    /// The ids of the checks that came to that.
    pub fn all_that(&self, verdict: &str) -> Vec<&str> {
        let checks = self.report["checks"].as_array().unwrap();
        checks.iter().filter(|it| it["verdict"] == verdict).map(|it| it["id"].as_str().unwrap()).collect()
    }
}

/// `unkey-operator check` with these arguments and nothing of the user's own settings.
pub async fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
    command.arg("check").args(args).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// The same with `--output json`, which it must have printed.
pub async fn check(args: &[&str]) -> Answer {
    let output = run(&[&["--output", "json"], args].concat()).await;
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let all = format!("{stdout}{stderr}");
    let report = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {all}"));
    Answer { code: output.status.code().unwrap(), report, all }
}

/// The flags that lead to this world's workspace.
pub fn unkey_of(world: &World) -> Vec<String> {
    let key = world.key_file();
    ["--api-url", &world.emulator.base_url(), "--root-key-file", path(&key)].map(str::to_owned).into()
}

/// The flags that lead to this world's cluster, as the administrator.
pub fn cluster_of(world: &World) -> Vec<String> {
    ["--kubeconfig", path(&world.plane.kubeconfig())].map(str::to_owned).into()
}

/// A path as an argument.
pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All of these as arguments.
pub fn args<'a>(parts: &[&'a [String]], more: &[&'a str]) -> Vec<&'a str> {
    parts.iter().flat_map(|part| part.iter().map(String::as_str)).chain(more.iter().copied()).collect()
}
