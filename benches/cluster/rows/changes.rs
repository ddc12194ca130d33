//! converge, update, delete: N objects at once, by the floor and by the operator. The ratio of the two is the result.

use std::fmt;
use std::sync::Arc;

use crate::bench::Bench;
use crate::load::Act;
use crate::operator::Pace;
use crate::play::{Play, Timing};
use crate::report::Goal::{AtLeast, Exactly, Stated};
use crate::report::{count, number};

/// The share of the floor's throughput that the operator should reach.
const SHARE: f64 = 0.85;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Converge,
    Update,
    Delete,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Converge, Self::Update, Self::Delete];

    fn act(self) -> Act {
        match self {
            Self::Converge => Act::Create,
            Self::Update => Act::Edit(1),
            Self::Delete => Act::Delete,
        }
    }

    /// Writes and reads of Kubernetes for each object.
    fn asks(self) -> (f64, f64) {
        match self {
            Self::Converge => (2.0, 0.0),
            Self::Update => (1.0, 1.0),
            Self::Delete => (1.0, 2.0),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converge => "converge",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

/// One run of all three. Each worker gets a control plane of its own: the second one on the same would meet an etcd and an API server
/// that the first has slowed down, by a tenth and more. Which of the two goes first takes turns all the same.
pub async fn changes(bench: Arc<Bench>, n: usize, run: usize) {
    let (floor, operator) = if run.is_multiple_of(2) {
        let floor = life(Play::of_floor(&bench.fresh_stage().await).await, n).await;
        (floor, life(Play::of_operator(&bench.fresh_stage().await, Pace::Unbounded, &[]).await, n).await)
    } else {
        let operator = life(Play::of_operator(&bench.fresh_stage().await, Pace::Unbounded, &[]).await, n).await;
        (life(Play::of_floor(&bench.fresh_stage().await).await, n).await, operator)
    };
    for ((kind, operator), floor) in Kind::ALL.into_iter().zip(&operator).zip(&floor) {
        tell(&bench, kind, operator, floor);
    }
}

/// Created, updated, deleted.
async fn life(play: Play, n: usize) -> Vec<Timing> {
    let mut timings = Vec::new();
    for kind in Kind::ALL {
        println!("  {kind} {n} by the {}", play.worker);
        timings.push(play.all(kind.act(), 0..n).await);
    }
    play.end().await;
    timings
}

fn tell(bench: &Bench, kind: Kind, operator: &Timing, floor: &Timing) {
    let (name, n) = (kind.to_string(), operator.objects);
    let add = |measure: &str, goal, value| bench.add(&name, n, measure, goal, value);
    add("throughput, of the floor's", AtLeast(SHARE), operator.per_second() / floor.per_second());
    costs(bench, &name, kind, operator);
    add("objects per second", Stated, operator.per_second());
    add("objects per second, floor", Stated, floor.per_second());
    add("accepted to done, p50 (ms)", Stated, operator.wait(0.5));
    add("accepted to done, p99 (ms)", Stated, operator.wait(0.99));
    add("accepted to done, p99, floor (ms)", Stated, floor.wait(0.99));
    add("processor time per object (ms)", Stated, operator.cpu.as_secs_f64() * 1000.0 / count(n));
    let (ours, theirs) = (operator.cost, floor.cost);
    if (ours.writes, ours.reads, ours.calls()) != (theirs.writes, theirs.reads, theirs.calls()) {
        println!("  the operator did not ask what the floor asked: {ours:?}, the floor {theirs:?}");
    }
}

fn costs(bench: &Bench, name: &str, kind: Kind, timing: &Timing) {
    let (writes, reads) = kind.asks();
    let each = |count_of: u64| number(count_of) / count(timing.objects);
    let add = |measure: &str, goal, value| bench.add(name, timing.objects, measure, goal, value);
    add("calls to Unkey per object", Exactly(1.0), each(timing.cost.calls()));
    add("Kubernetes writes per object", Exactly(writes), each(timing.cost.writes));
    add("Kubernetes reads per object", Exactly(reads), each(timing.cost.reads));
    add("events per object", Stated, each(timing.cost.events));
}

/// converge once more, at the operator's own pace.
pub async fn defaults(bench: Arc<Bench>, n: usize) {
    let stage = bench.stage().await;
    let play = Play::of_operator(&stage, Pace::Defaults, &[]).await;
    println!("  converge {n} by the operator with the defaults");
    let timing = play.all(Act::Create, 0..n).await;
    let name = "converge, defaults";
    costs(&bench, name, Kind::Converge, &timing);
    bench.add(name, n, "objects per second", Stated, timing.per_second());
    bench.add(name, n, "accepted to done, p99 (ms)", Stated, timing.wait(0.99));
    play.all(Act::Delete, 0..n).await;
    play.end().await;
}
