//! Which rows are played, how large and how often.

use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::bench::Bench;
use crate::load::Act;
use crate::operator::Pace;
use crate::play::Play;
use crate::rows;

/// Measures the operator against a floor, on a real control plane.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Every row, with 10,000 and 100,000 objects: up to two hours
    #[arg(long)]
    full: bool,
    /// Only these rows
    #[arg(long, value_delimiter = ',')]
    only: Vec<Row>,
    /// Another N than 1,000, and in the large rows another than 10,000
    #[arg(long)]
    objects: Option<usize>,
    /// Other than 3
    #[arg(long)]
    runs: Option<usize>,
    /// Another time than 300 s for churn, and than 60 s for noise
    #[arg(long)]
    seconds: Option<u64>,
    /// Set by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    /// converge, update, delete
    Changes,
    /// converge at the operator's own pace
    Defaults,
    Latency,
    Restart,
    Limit,
    Failover,
    /// N Identities over N identities: observed, then adopted
    Adoption,
    /// what a plan of N Identities over N identities costs
    Planned,
    Steady,
    Memory,
    Churn,
    Noise,
}

impl Arguments {
    /// `cargo test --benches` runs it too, and means something else.
    pub fn is_asked_for(&self) -> bool {
        self.bench
    }

    fn wants(&self, row: Row) -> bool {
        self.only.is_empty() || self.only.contains(&row)
    }

    fn wants_any(&self, rows: &[Row]) -> bool {
        rows.iter().any(|row| self.wants(*row))
    }
}

/// Plays what was asked for.
pub async fn play(bench: &Arc<Bench>, arguments: &Arguments) {
    let n = arguments.objects.unwrap_or(1_000);
    let runs = arguments.runs.unwrap_or(3);
    let warming = Arc::clone(bench);
    bench.play("warming up", async move { drop(warming.warm_stage().await) }).await;
    for run in 0..runs {
        let told = |what: &str| format!("{what}, run {} of {runs}", run + 1);
        if arguments.wants(Row::Changes) {
            bench.play(&told("converge, update, delete"), rows::changes(Arc::clone(bench), n, run)).await;
        }
        if arguments.wants(Row::Restart) {
            bench.play(&told("restart"), restart(Arc::clone(bench), n)).await;
        }
        if arguments.wants(Row::Latency) {
            bench.play(&told("latency"), rows::latency(Arc::clone(bench), n.div_ceil(2))).await;
        }
    }
    if arguments.wants(Row::Defaults) {
        bench.play("converge with the defaults", rows::defaults(Arc::clone(bench), n)).await;
    }
    if arguments.wants(Row::Limit) {
        let creates = if arguments.full { n * 2 } else { (n * 3).div_ceil(10) };
        bench.play("limit", rows::limit(Arc::clone(bench), creates)).await;
    }
    if arguments.wants(Row::Adoption) {
        bench.play("adoption", rows::adoption(Arc::clone(bench), n)).await;
    }
    if arguments.wants(Row::Planned) {
        bench.play("planned", rows::planned(Arc::clone(bench), n)).await;
    }
    // Each end by a signal that gives no time takes a lease's duration.
    if arguments.wants(Row::Failover) && (arguments.full || !arguments.only.is_empty()) {
        let rounds = if arguments.full { 20 } else { 5 };
        bench.play("failover", rows::failover(Arc::clone(bench), 2 * n, rounds)).await;
    }
    if arguments.full {
        large(bench, arguments, runs).await;
    }
}

/// The rows that take minutes, or a large cluster.
async fn large(bench: &Arc<Bench>, arguments: &Arguments, runs: usize) {
    let n = arguments.objects.unwrap_or(10_000);
    if arguments.wants(Row::Changes) {
        for run in 0..runs {
            let what = format!("converge, update, delete, run {} of {runs}", run + 1);
            bench.play(&what, rows::changes(Arc::clone(bench), n, run)).await;
            // What a large cluster leaves in etcd is not for the next row.
            bench.strike().await;
        }
    }
    if arguments.wants(Row::Defaults) {
        bench.play("converge with the defaults", rows::defaults(Arc::clone(bench), n)).await;
        bench.strike().await;
    }
    if arguments.wants_any(&[Row::Restart, Row::Latency, Row::Steady, Row::Noise, Row::Churn]) {
        let rows = populated(Arc::clone(bench), arguments.only.clone(), n, arguments.seconds);
        bench.play("a cluster with many objects", rows).await;
        bench.strike().await;
    }
    if arguments.wants(Row::Adoption) {
        bench.play("adoption", rows::adoption(Arc::clone(bench), n)).await;
        bench.strike().await;
    }
    if arguments.wants(Row::Memory) {
        bench.play("memory", rows::memory(Arc::clone(bench), vec![n / 10, n, n * 10])).await;
    }
}

async fn restart(bench: Arc<Bench>, n: usize) {
    let play = Play::of_operator(&bench.stage().await, Pace::Unbounded, &[]).await;
    play.all(Act::Create, 0..n).await;
    let play = rows::restart(&bench, play, n).await;
    play.all(Act::Delete, 0..n).await;
    play.end().await;
}

/// One large cluster for the rows that begin with one.
async fn populated(bench: Arc<Bench>, only: Vec<Row>, n: usize, seconds: Option<u64>) {
    let wants = |row| only.is_empty() || only.contains(&row);
    let lasting = |usual| Duration::from_secs(seconds.unwrap_or(usual));
    let mut play = Play::of_operator(&bench.stage().await, Pace::Unbounded, &[]).await;
    println!("  making {n} Ready");
    play.all(Act::Create, 0..n).await;
    if wants(Row::Restart) {
        play = rows::restart(&bench, play, n).await;
    }
    if wants(Row::Latency) {
        play = rows::latency_while_scanning(&bench, play, n, (n / 20).clamp(1, 500)).await;
    }
    if wants(Row::Steady) {
        play = rows::steady(&bench, play, n, if n < 1_000 { 2 } else { 10 }).await;
    }
    if wants(Row::Noise) {
        play = rows::noise(&bench, play, n, lasting(60)).await;
    }
    if wants(Row::Churn) {
        play = rows::churn(&bench, play, n, Pace::Unbounded, 50, lasting(300)).await;
        play = rows::churn(&bench, play, n, Pace::Defaults, 30, lasting(300)).await;
    }
    play.end().await;
}
