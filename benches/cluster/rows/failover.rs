//! failover: two operators and one lease. The one that acts is told to end, or is killed, and at that moment a user makes an object.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::load::{self, Act};
use crate::operator::{self, Operator, Pace};
use crate::play::{Play, Worker};
use crate::report::Goal::{AtMost, Exactly, Stated};
use crate::report::{number, percentile};
use crate::watch::{Wanted, Watch};

const NAME: &str = "failover";
/// Seconds: the default of `--lease-duration`.
const LEASE: f64 = 15.0;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum End {
    Terminated,
    Killed,
}

pub async fn failover(bench: Arc<Bench>, n: usize, rounds: usize) {
    println!("  {rounds} ends of each kind with {n} Ready");
    let scene = bench.stage().await.scene().await;
    let args = ["--leader-elect", "--lease-namespace", scene.namespace()].map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let play = Play::begin(scene, Pace::Unbounded, &args).await;
    play.all(Act::Create, 0..n).await;
    let Play { scene, worker: Worker::Operator(mut leader) } = play else { panic!("it began with an operator") };
    let before = scene.cost(operator::AGENT).await;
    let mut next = n;
    for (name, end, most) in [("SIGTERM", End::Terminated, 2.0), ("SIGKILL", End::Killed, LEASE + 2.0)] {
        let mut took = Vec::new();
        for _ in 0..rounds {
            let mut standby = Operator::start(&scene, Pace::Unbounded, &args).await;
            standby.until_logged("standing by", PATIENCE).await;
            let mut watch = Watch::start(scene.objects()).await;
            let begun = Instant::now();
            let ends = async {
                match end {
                    End::Terminated => leader.stop().await,
                    End::Killed => drop(leader),
                }
            };
            let (accepted, ()) = tokio::join!(load::act(&scene, Act::Apply, next), ends);
            let ready = watch.until_one(&accepted.name, Wanted::Ready(1), PATIENCE).await;
            took.push(ready.duration_since(begun).as_secs_f64());
            leader = standby;
            next += 1;
        }
        let add = |measure: &str, goal, value| bench.add(NAME, n, &format!("{name}: {measure}"), goal, value);
        add("a new object is Ready after, p50 (s)", Stated, percentile(&took, 0.5));
        add("a new object is Ready after, p99 (s)", AtMost(most), percentile(&took, 0.99));
    }
    let made = u64::try_from(next - n).unwrap_or(u64::MAX);
    let now = scene.cost_since(operator::AGENT, before, 2 * made).await;
    bench.add(NAME, n, "calls to Unkey beside the creates", Exactly(0.0), number(now.calls() - made));
    bench.add(NAME, n, "writes of Identities beside the creates'", Exactly(0.0), number(now.writes - 2 * made));
    let play = Play { scene, worker: Worker::Operator(leader) };
    play.all(Act::Delete, 0..next).await;
    play.end().await;
}
