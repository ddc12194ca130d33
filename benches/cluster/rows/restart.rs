//! restart: an operator that starts where everything is Ready already.

use k8s_openapi::jiff::Timestamp;
use unkey_emulator::Operation;

use crate::bench::Bench;
use crate::operator::{self, Pace};
use crate::play::{Play, patience};
use crate::report::Goal::{AtMost, Exactly, Stated, Within};
use crate::report::{count, number};

const NAME: &str = "restart";
/// Seconds from the start to the first scan: a consistency window (30 s), a tenth more, and what a start takes.
const FIRST_SCAN: (f64, f64) = (30.0, 38.0);

/// Ends the operator of `n` Ready objects and starts another one. Leaves that in place.
pub async fn restart(bench: &Bench, play: Play, n: usize) -> Play {
    println!("  restart with {n} Ready");
    let scene = play.end().await;
    let past = scene.cost(operator::AGENT).await;
    scene.workspace().forget().await;
    let started = Timestamp::now();
    let mut play = Play::begin(scene, Pace::Unbounded, &[]).await;
    let ready = play.operator().ready_in;
    let at_rest = play.operator().usage();
    play.operator().until_scanned(patience(n)).await;
    let ended = Timestamp::now();

    let calls = play.scene.workspace().requests().await;
    let first = calls.iter().find(|call| call.operation == Operation::List).map(|call| call.at_ms).unwrap_or_default();
    let now = play.cost().await;
    let seconds = |from: u64, to: u64| number(to.saturating_sub(from)) / 1000.0;
    let unix = |at: Timestamp| u64::try_from(at.as_millisecond()).unwrap_or(0);
    let add = |measure: &str, goal, value| bench.add(NAME, n, measure, goal, value);
    add("Kubernetes writes", Exactly(0.0), number(now.writes + now.events - past.writes - past.events));
    add("calls to Unkey but lists (canary reads)", Exactly(0.0), number(now.calls()));
    add("ready after (s)", AtMost(5.0), ready.as_secs_f64());
    add("first scan begins after (s)", Within(FIRST_SCAN.0, FIRST_SCAN.1), seconds(unix(started), first));
    add("first scan, list calls", AtMost(count(n.div_ceil(100) + 1)), number(now.lists));
    add("first scan takes (s)", AtMost(15.0), seconds(first, unix(ended)));
    add("processor time of the start (s)", Stated, at_rest.cpu.as_secs_f64());
    add("processor time to the end of the scan (s)", Stated, play.operator().usage().cpu.as_secs_f64());
    add("RSS after the scan (MiB)", Stated, play.operator().usage().rss_mib());
    play
}
