//! latency: one apply at a time, from the API server's answer to Ready. Against the floor, on the same cluster.

use std::sync::Arc;

use crate::bench::Bench;
use crate::load::Act;
use crate::operator::Pace;
use crate::play::{Play, patience};
use crate::report::Goal::{AtLeast, AtMost, Stated};
use crate::report::{number, percentile};

/// What the operator may add to the floor's p99, in milliseconds.
const IDLE: f64 = 10.0;
const SCANNING: f64 = 30.0;

/// Nothing else is there and nothing else happens.
pub async fn idle(bench: Arc<Bench>, applies: usize) {
    let stage = bench.stage().await;
    println!("  latency of {applies} applies, one by one");
    let floor = Play::of_floor(&stage).await;
    let theirs = floor.one_by_one(0..applies).await;
    floor.all(Act::Delete, 0..applies).await;
    // No scan: it is idle.
    let operator = Play::of_operator(&stage, Pace::Unbounded, &["--scan-interval", "0"]).await;
    let ours = operator.one_by_one(0..applies).await;
    tell(&bench, "latency, idle", applies, IDLE, &ours, &theirs);
    operator.all(Act::Delete, 0..applies).await;
    operator.end().await;
}

/// While the operator lists `n` others all the time. Leaves them in place.
pub async fn while_scanning(bench: &Bench, play: Play, n: usize, applies: usize) -> Play {
    println!("  latency of {applies} applies while a scan of {n} runs");
    let scene = play.end().await;
    let floor = Play::of_floor(scene.stage()).await;
    let theirs = floor.one_by_one(0..applies).await;
    floor.all(Act::Delete, 0..applies).await;
    // The next scan begins as soon as one has ended.
    let mut play = Play::begin(scene, Pace::Unbounded, &["--scan-interval", "1ms"]).await;
    play.operator().until_scanned(patience(n)).await;
    let before = play.cost().await;
    let ours = play.one_by_one(n..n + applies).await;
    let pages = (play.cost().await - before).lists;
    tell(bench, "latency, scanning", n, SCANNING, &ours, &theirs);
    bench.add("latency, scanning", n, "pages listed meanwhile", AtLeast(1.0), number(pages));
    play.all(Act::Delete, n..n + applies).await;
    play
}

fn tell(bench: &Bench, name: &str, n: usize, most: f64, ours: &[f64], theirs: &[f64]) {
    let add = |measure: &str, goal, value| bench.add(name, n, measure, goal, value);
    let (p99, floor) = (percentile(ours, 0.99), percentile(theirs, 0.99));
    add("p99, above the floor's (ms)", AtMost(most), p99 - floor);
    add("p50 (ms)", Stated, percentile(ours, 0.5));
    add("p50, floor (ms)", Stated, percentile(theirs, 0.5));
    add("p99 (ms)", Stated, p99);
    add("p99, floor (ms)", Stated, floor);
}
