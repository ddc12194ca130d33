//! Processes and a directory that cannot outlive their owner, however it ends: return, panic, signal, SIGKILL.
//! May not know what the processes are.
//!
//! The kernel closes a dead process's pipes, so a pipe is the one notice that always arrives. Each process runs under a small `sh`
//! whose stdin is our pipe; at end-of-file it kills the process. Each also inherits the write end of a second pipe; when the
//! last of them and the owner are gone, that one ends too and a second `sh` removes the directory.

use std::{
    fs::{self, File, Permissions},
    io::{self, PipeWriter, Read, Seek, SeekFrom},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::error::{Context, Error, Result};

const SHELL: &str = "/bin/sh";

/// `$0` is the pid file, `$@` the server. SIGKILL at once: what the servers hold is thrown away, there is nothing to save. The server
/// keeps stdout, as 4, only to hold the janitor's pipe; its own output goes to the log. At the end SIGTERM goes to what the server left
/// in this group (`go build` leaves compilers), and the shell outlives it to return the status; the server has been reaped by then.
const SUPERVISE: &str = r#"
exec 3<&0 </dev/null
"$@" 4>&1 >&2 3<&- &
server=$!
echo "$server" >"$0"
{ while read -r _ <&3; do :; done; kill -KILL "$server"; } &
watch=$!
wait "$server"
status=$?
kill -KILL "$watch"
trap : TERM
kill -TERM 0
exit "$status"
"#;

/// `$1` is the directory made by [`Directory::create`], an absolute path.
const SWEEP: &str = r#"while read -r _; do :; done; cd / && rm -rf -- "$1""#;

/// How long a killed process may take to be gone; more means that the kernel has it.
const GRACE: Duration = Duration::from_secs(10);

/// A fresh directory, removed once its owner and all processes started in it are gone.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    alive: Option<PipeWriter>,
    janitor: Child,
}

impl Directory {
    /// Makes a directory, readable by this user only, in `parent`.
    pub fn create(parent: &Path, prefix: &str) -> Result<Self> {
        let made = tempfile::Builder::new()
            .prefix(prefix)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .context(|| format!("make a directory in {}", parent.display()))?;
        let path = made.path().canonicalize().context(|| format!("resolve {}", made.path().display()))?;
        let (ended, alive) = io::pipe().context(|| "make a pipe".to_owned())?;
        let janitor = Command::new(SHELL)
            .args(["-c", SWEEP, "janitor"])
            .arg(&path)
            .stdin(ended)
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .context(|| format!("start {SHELL}"))?;
        // From here on the janitor removes it.
        let _ = made.keep();
        Ok(Self { path, alive: Some(alive), janitor })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.alive = None;
        let _ = ended_within(&mut self.janitor, GRACE);
    }
}

/// A running process that ends with its owner.
#[derive(Debug)]
pub struct Guarded {
    shell: Child,
    alive: Option<ChildStdin>,
    log: PathBuf,
    pid: PathBuf,
}

impl Guarded {
    /// Starts `command` with its output appended to `NAME.log` in `directory`.
    pub fn spawn(directory: &Directory, name: &str, command: &Command) -> Result<Self> {
        let log = directory.path().join(format!("{name}.log"));
        let pid = directory.path().join(format!("{name}.pid"));
        let output =
            File::options().create(true).append(true).open(&log).context(|| format!("open {}", log.display()))?;
        // The pid of an earlier run under this name must not be taken for this one's.
        let _ = fs::remove_file(&pid);
        let hold = match &directory.alive {
            Some(alive) => Stdio::from(alive.try_clone().context(|| "copy a pipe".to_owned())?),
            None => Stdio::null(),
        };
        let mut shell = Command::new(SHELL);
        shell.args(["-c", SUPERVISE]).arg(&pid).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        shell.current_dir(command.get_current_dir().unwrap_or(directory.path()));
        // Its own group: Ctrl-C on a terminal goes to the owner, who stops things in order.
        shell.stdin(Stdio::piped()).stdout(hold).stderr(output).process_group(0);
        let mut shell = shell.spawn().context(|| format!("start {}", command.get_program().display()))?;
        let alive = shell.stdin.take();
        Ok(Self { shell, alive, log, pid })
    }

    /// Its exit status, once it has ended by itself.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.shell.try_wait().context(|| "wait for a process".to_owned())
    }

    /// Its log, without the lines before the last few.
    pub fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(no log: {error})"))
    }

    /// The process, not its shell. An error right after the start means that it is not known yet.
    pub fn pid(&self) -> Result<u32> {
        let what = || format!("read {}", self.pid.display());
        let text = fs::read_to_string(&self.pid).context(what)?;
        text.trim().parse().map_err(io::Error::other).context(what)
    }

    /// Sends a signal, named as `kill` names it, to the process and not to its shell.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.pid()?.to_string();
        let status = Command::new(SHELL)
            .args(["-c", r#"kill -s "$1" "$2""#, "kill", signal, &pid])
            .status()
            .context(|| format!("start {SHELL}"))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Io { what: format!("send {signal} to {pid}"), source: io::Error::other(status.to_string()) })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.alive = None;
        if !ended_within(&mut self.shell, GRACE) {
            let group = format!("-{}", self.shell.id());
            let _ = Command::new(SHELL).args(["-c", r#"kill -s KILL -- "$1""#, "kill", &group]).status();
        }
    }
}

/// Waits without blocking for ever: a destructor that hangs hides the failure that led to it.
fn ended_within(child: &mut Child, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => thread::sleep(Duration::from_millis(2)),
            Ok(Some(_)) | Err(_) => return true,
        }
    }
    false
}

/// The last lines of a file that may be large.
fn tail(path: &Path) -> io::Result<String> {
    const BYTES: u64 = 4096;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.reverse();
    Ok(lines.join("\n"))
}
