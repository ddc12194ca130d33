//! adoption: N Identities over N identities that exist and are equal. First observed, then adopted from the list.

use std::sync::Arc;
use std::time::Instant;

use super::quiet::at_rest;
use crate::bench::Bench;
use crate::load::{self, Act};
use crate::object;
use crate::operator::Pace;
use crate::play::{Play, patience};
use crate::report::Goal::{AtMost, Exactly, Stated};
use crate::report::{count, number};
use crate::watch::{Wanted, Watch};

/// In place of the 10 minutes of a real one.
const INTERVAL: &str = "15s";
const SCANS: u32 = 3;

/// `n` objects and as many identities, before any operator has seen them; observed, then adopted, then gone.
pub async fn adoption(bench: Arc<Bench>, n: usize) {
    let scene = bench.stage().await.scene().await;
    println!("  storing {n} identities, and as many Identities");
    for at in 0..n {
        let name = object::name(at);
        scene.workspace().seed(&object::spec(&name, 0)).await;
    }
    drop(load::all_at_once(&scene, Act::Create, 0..n, None).await);

    println!("  observing {n}");
    let mut watch = Watch::start(scene.objects()).await;
    let mut play = Play::begin(scene, Pace::Unbounded, &["--observe", "--scan-interval", INTERVAL]).await;
    let begun = Instant::now();
    watch.until(Wanted::Ready(1), 0..n, patience(n)).await;
    let took = begun.elapsed();
    let add = |measure: &str, goal, value| bench.add("observed", n, measure, goal, value);
    let cost = play.cost().await;
    add("gets per object", AtMost(1.0), number(cost.calls()) / count(n));
    add("writes per object", AtMost(1.0), number(cost.writes) / count(n));
    add("objects per second", Stated, count(n) / took.as_secs_f64());
    at_rest(&bench, &mut play, "observed", n, SCANS).await;
    drop(watch);
    let scene = play.end().await;

    // Created anew: an observed object is Ready already, and the time counts until Ready.
    println!("  adopting {n}");
    load::all_at_once(&scene, Act::Delete, 0..n, None).await;
    drop(load::all_at_once(&scene, Act::Create, 0..n, None).await);
    let past = scene.cost(crate::operator::AGENT).await;
    scene.workspace().forget().await;
    let mut watch = Watch::start(scene.objects()).await;
    let mut play = Play::begin(scene, Pace::Unbounded, &["--scan-interval", "0"]).await;
    let begun = Instant::now();
    let met = watch.until(Wanted::Ready(1), 0..n, patience(n)).await;
    // The listing waits for a window first.
    let first = met.values().min().copied().unwrap_or(begun);
    let took = met.values().max().copied().unwrap_or(begun).duration_since(first);
    let cost = play.cost().await;
    let add = |measure: &str, goal, value| bench.add("adoption", n, measure, goal, value);
    // A look, and the pages.
    add("calls", AtMost(count(n.div_ceil(100) + 10)), number(cost.calls() + cost.lists));
    add("writes per object", Exactly(2.0), number(cost.writes - past.writes) / count(n));
    add("first after (s)", Stated, first.duration_since(begun).as_secs_f64());
    add("objects per second, from the first", Stated, count(n.saturating_sub(1)) / took.as_secs_f64().max(0.001));
    add("processor per object (ms)", Stated, play.operator().usage().cpu.as_secs_f64() * 1000.0 / count(n));
    play.end().await;
}
