//! The operator as a process of its own, as a user would run it: the release build, its log in a file. Ended with the bench.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::process::{self, Usage};
use crate::program::{PROGRAM, UNBOUNDED};
use crate::stage::Scene;

/// What the audit log knows it by.
pub const AGENT: &str = "unkey-operator/";
const POLL: Duration = Duration::from_millis(10);

/// Two may run at a time, each with a log of its own.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Whether its own limit of calls per second is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It goes as fast as it can.
    Unbounded,
    /// It goes as it comes.
    Defaults,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Unbounded { "" } else { ", defaults" })
    }
}

/// A running operator.
pub struct Operator {
    child: Child,
    log: Log,
    admin: String,
    started: Instant,
    /// From its start to the list of Identities being here.
    pub ready_in: Duration,
}

impl Operator {
    /// Starts it for the whole cluster, and waits until it says that it is ready.
    pub async fn start(scene: &Scene, pace: Pace, args: &[&str]) -> Self {
        let stage = scene.stage();
        let log = stage.file(&format!("operator-{}.log", STARTED.fetch_add(1, Ordering::Relaxed)));
        let out = File::create(&log).expect("a log");
        let key = stage.file("root-key");
        std::fs::write(&key, scene.workspace().root_key()).expect("a file for the root key");
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--admin-address", "127.0.0.1:0", "--api-url", stage.unkey().base_url()]);
        // What a deletion costs, not how long it is held.
        command.args(["--deletion-hold", "0s", "--max-deletions", "0"]);
        command.arg("--kubeconfig").arg(stage.plane().kubeconfig()).arg("--root-key-file").arg(key);
        if pace == Pace::Unbounded && stage.can_be_unbounded() {
            command.args([UNBOUNDED.0, UNBOUNDED.1]);
        }
        // As the image sets it.
        command.env("MALLOC_ARENA_MAX", "1");
        command.args(args).env_remove("UNKEY_ROOT_KEY").stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        let started = Instant::now();
        let child = command.spawn().expect("the operator");
        let log = Log::open(log);
        let mut this = Self { child, log, admin: String::new(), started, ready_in: Duration::ZERO };
        let line = this.until_logged("admin=", Duration::from_secs(60)).await;
        let address = line.split("admin=").nth(1).and_then(|rest| rest.split_whitespace().next());
        this.admin = format!("http://{}", address.expect("the address of its admin server"));
        this.until_ready().await;
        this
    }

    async fn until_ready(&mut self) {
        let url = format!("{}/readyz", self.admin);
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let deadline = self.started + Duration::from_secs(180);
        let mut ticks = tokio::time::interval(POLL);
        while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            self.still_runs();
            assert!(Instant::now() < deadline, "in vain: waited for the operator to be ready");
            ticks.tick().await;
        }
        self.ready_in = self.started.elapsed();
    }

    /// Waits for the next line of its log that has these words.
    pub async fn until_logged(&mut self, words: &str, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        let mut ticks = tokio::time::interval(POLL);
        loop {
            while let Some(line) = self.log.next() {
                if line.contains(words) {
                    return line;
                }
            }
            self.still_runs();
            assert!(Instant::now() < deadline, "in vain: waited for '{words}' in the operator's log");
            ticks.tick().await;
        }
    }

    /// Waits for the end of the next scan that goes through; returns how often it asked Unkey.
    pub async fn until_scanned(&mut self, patience: Duration) -> usize {
        let line = self.until_logged("scanned the workspace", patience).await;
        let said = |what: &str| -> usize {
            let said = line.split(what).nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            said.unwrap_or_else(|| panic!("no {what} in: {line}"))
        };
        said("pages=") + said("gets=")
    }

    /// Skips what it has logged so far.
    pub fn skip_log(&mut self) {
        while self.log.next().is_some() {}
    }

    pub fn usage(&self) -> Usage {
        process::usage(self.child.id())
    }

    /// SIGTERM; returns when it is gone.
    pub async fn stop(mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "cannot ask the operator to end");
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut ticks = tokio::time::interval(POLL);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                break status;
            }
            assert!(Instant::now() < deadline, "in vain: waited for the operator to end");
            ticks.tick().await;
        };
        assert!(status.success(), "the operator ended with {status}");
    }

    fn still_runs(&mut self) {
        let ended = self.child.try_wait().expect("its status");
        assert!(ended.is_none(), "the operator has ended by itself: {ended:?}");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let text = std::fs::read_to_string(&self.log.path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(20)..];
            eprintln!("--- the last lines of the operator's log ---\n{}", last.join("\n"));
        }
    }
}

/// A log that is being written, read on line by line.
struct Log {
    path: PathBuf,
    file: File,
    rest: String,
}

impl Log {
    fn open(path: PathBuf) -> Self {
        let file = File::open(&path).expect("the log that was just made");
        Self { path, file, rest: String::new() }
    }

    fn next(&mut self) -> Option<String> {
        if !self.rest.contains('\n') {
            let mut more = Vec::new();
            self.file.read_to_end(&mut more).expect("the log");
            self.rest.push_str(&String::from_utf8_lossy(&more));
        }
        let end = self.rest.find('\n')?;
        let line = self.rest[..end].to_owned();
        self.rest.drain(..=end);
        Some(line)
    }
}
