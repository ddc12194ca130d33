//! The operator as a child process, as a user would run it.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running operator. Killed when dropped; if the test fails, its log is printed.
pub struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    /// Starts `unkey-operator run` with these arguments and environment.
    pub fn start(log: PathBuf, args: &[String], env: &[(&str, &str)]) -> Self {
        let out = File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_unkey-operator"))
            .arg("run")
            .args(args)
            .env_remove("UNKEY_ROOT_KEY")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// What it has logged so far, earlier operators of this world included.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Where its admin server listens, from the log's first lines.
    pub async fn admin(&self) -> String {
        super::eventually("the admin address in the log", async || {
            let log = self.log();
            let line = log.lines().rev().find(|line| line.contains("admin="))?.to_owned();
            let address = line.split("admin=").nth(1)?.split_whitespace().next()?;
            Some(format!("http://{address}"))
        })
        .await
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its exit status.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "kill -{name}");
    }

    /// Waits for it to end by itself while the test's own tasks go on: without the emulator and the proxy it might not end.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let ended = async {
            loop {
                ticks.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the operator does not end")
    }

    /// Waits for words in the log.
    pub async fn until_logged(&self, words: &str) {
        super::eventually(&format!("'{words}' in the log"), async || self.log().contains(words).then_some(())).await;
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("--- log of the operator ---\n{log}");
            return;
        }
        // Nothing is ever forgotten: what rescues it is for faults that nobody has thought of.
        let rescued: Vec<&str> = log.lines().filter(|line| line.contains("no reconcile is planned for it")).collect();
        assert!(rescued.is_empty(), "{}", rescued.join("\n"));
    }
}
