//! What Linux tells of a process and of the machine. It only reads.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

/// The unit of CPU times in `/proc`, on every Linux that the operator is built for.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// Resident now.
    pub rss_kib: u64,
    /// Resident at most, ever.
    pub peak_kib: u64,
}

impl Usage {
    pub fn rss_mib(&self) -> f64 {
        mib(self.rss_kib)
    }

    pub fn peak_mib(&self) -> f64 {
        mib(self.peak_kib)
    }
}

fn mib(kib: u64) -> f64 {
    crate::report::number(kib) / 1024.0
}

/// Looks at a process that may have ended.
pub fn usage_if_there(pid: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    // One that has ended and was not asked for its status has no memory.
    status.contains("VmHWM").then(|| usage(pid))
}

/// Looks at a running process.
pub fn usage(pid: u32) -> Usage {
    let stat = read(&format!("/proc/{pid}/stat"));
    // The name is in parentheses and may hold anything; user and system time are the 12th and 13th word behind it.
    let words: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u32 = words[11..13].iter().map(|word| word.parse::<u32>().expect("a count of ticks")).sum();
    let status = read(&format!("/proc/{pid}/status"));
    let field = |name: &str| {
        let value = line(&status, name).split_whitespace().next().and_then(|word| word.parse().ok());
        value.unwrap_or_else(|| panic!("process {pid} has no {name}: has it ended?"))
    };
    Usage { cpu: TICK * ticks, rss_kib: field("VmRSS"), peak_kib: field("VmHWM") }
}

/// Cores, memory, CPU and kernel.
pub fn machine() -> Value {
    let cpu = read("/proc/cpuinfo");
    let memory = read("/proc/meminfo");
    let kib: u64 = line(&memory, "MemTotal").split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0);
    json!({
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "memoryMiB": kib / 1024,
        "cpu": line(&cpu, "model name"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}

/// Processes that want to run, averaged over the last minute: above what the bench itself starts, the machine is busy with something else.
pub fn load() -> f64 {
    read("/proc/loadavg").split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// The first line that a command prints, or that it cannot be asked.
pub fn says(command: &mut Command) -> String {
    let output = command.output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What follows `NAME:` in a file of such lines.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name));
    found.map_or("", |(_, value)| value.trim())
}
