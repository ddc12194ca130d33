//! steady state and noise: what it costs while nothing happens, and while what happens is nothing to the operator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::load::{self, Act};
use crate::operator::Pace;
use crate::play::{Play, patience};
use crate::report::Goal::{Exactly, Stated};
use crate::report::{count, number};

/// In place of the 10 minutes of a real one.
const INTERVAL: &str = "30s";
/// How long an operator at rest is looked at, to know what noise adds.
const REST: Duration = Duration::from_secs(20);
/// 10,000 a minute.
const LABELS_PER_SECOND: u32 = 167;

/// `scans` short intervals over `n` objects at rest. Leaves them in place.
pub async fn steady(bench: &Bench, play: Play, n: usize, scans: u32) -> Play {
    println!("  steady state of {n} for {scans} scans");
    let mut play = play.restart(Pace::Unbounded, &["--scan-interval", INTERVAL]).await;
    at_rest(bench, &mut play, "steady state", n, scans).await;
    play
}

/// What `scans` short intervals over `n` objects at rest cost, told under `row`.
pub async fn at_rest(bench: &Bench, play: &mut Play, row: &str, n: usize, scans: u32) {
    // Scans of before, while there was still work, do not count.
    play.operator().skip_log();
    play.operator().until_scanned(patience(n)).await;
    let (before, cpu) = (play.cost().await, play.operator().usage().cpu);
    for _ in 0..scans {
        play.operator().until_scanned(patience(n)).await;
    }
    let cost = play.cost().await - before;
    let cpu = play.operator().usage().cpu.saturating_sub(cpu);
    let add = |measure: &str, goal, value| bench.add(row, n, measure, goal, value);
    add("calls per interval", Exactly(count(n.div_ceil(100))), number(cost.lists) / f64::from(scans));
    add("calls but lists", Exactly(0.0), number(cost.calls()));
    add("Kubernetes writes", Exactly(0.0), number(cost.writes + cost.events));
    add("processor time per 10,000 and scan (s)", Stated, cpu.as_secs_f64() / f64::from(scans) * 10_000.0 / count(n));
}

/// Labels come and go on `n` objects at rest. Leaves them in place.
pub async fn noise(bench: &Bench, play: Play, n: usize, lasting: Duration) -> Play {
    println!("  noise over {n} for {} s", lasting.as_secs());
    let mut play = play.restart(Pace::Unbounded, &["--scan-interval", "0"]).await;
    // The start itself is over by then. What follows is measured over a time, not waited for.
    tokio::time::sleep(REST).await;
    let cpu = play.operator().usage().cpu;
    tokio::time::sleep(REST).await;
    let at_rest = play.operator().usage().cpu.saturating_sub(cpu).as_secs_f64() / REST.as_secs_f64();

    let (before, cpu, begun) = (play.cost().await, play.operator().usage().cpu, Instant::now());
    let scene = Arc::clone(&play.scene);
    let edits = load::paced(LABELS_PER_SECOND, lasting, move |number| {
        let scene = Arc::clone(&scene);
        async move { load::act(&scene, Act::Label(number), number % n).await }
    });
    let events = count(edits.await.len());
    let (took, cpu) = (begun.elapsed().as_secs_f64(), play.operator().usage().cpu.saturating_sub(cpu).as_secs_f64());
    let cost = play.cost().await - before;
    let add = |measure: &str, goal, value| bench.add("noise", n, measure, goal, value);
    add("calls to Unkey", Exactly(0.0), number(cost.calls() + cost.lists));
    add("Kubernetes writes", Exactly(0.0), number(cost.writes + cost.events));
    add("events per minute", Stated, 60.0 * events / took);
    add("processor time per event (µs)", Stated, 1_000_000.0 * (cpu - at_rest * took).max(0.0) / events);
    add("processor time at rest (% of a core)", Stated, 100.0 * at_rest);
    play
}
