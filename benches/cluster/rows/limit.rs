//! limit: a workspace of 600 calls a minute with far more to create than that, and another client that uses a third of it. The other
//! client must not notice, and what is left for the operator must not be wasted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::bench::Bench;
use crate::load::Act;
use crate::operator::Pace;
use crate::play::Play;
use crate::report::Goal::{AtLeast, AtMost, Exactly, Stated};
use crate::report::{count, number};
use crate::stage::Scene;

const NAME: &str = "limit";
const PER_MINUTE: u32 = 600;
/// The other client's.
const THIRD: u32 = PER_MINUTE / 3;
/// What the operator permits itself by default.
const SHARE: f64 = 0.5;

pub async fn limit(bench: Arc<Bench>, n: usize) {
    let stage = bench.stage().await;
    println!("  {n} creates under a limit of {PER_MINUTE} a minute, of which another client uses {THIRD}");
    let play = Play::of_operator(&stage, Pace::Unbounded, &[]).await;
    play.scene.workspace().set_limit(Some(u64::from(PER_MINUTE))).await;
    let other = Arc::new(Other::default());
    // In a set, which ends with this play.
    let mut calling = JoinSet::new();
    calling.spawn(Arc::clone(&other).call(Arc::clone(&play.scene)));
    let begun = Instant::now();
    // Three times what the permitted share takes.
    let patience =
        Duration::from_secs(120) + Duration::from_secs(180) * u32::try_from(n).unwrap_or(u32::MAX) / (PER_MINUTE / 2);
    let timing = play.all_within(patience, Act::Create, 0..n).await;
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    other.enough.store(true, Ordering::Relaxed);
    calling.join_all().await;

    let counts = play.scene.workspace().counts().await;
    let denied = number(counts.by_status.get(&429).copied().unwrap_or(0));
    let permitted = f64::from(PER_MINUTE) * SHARE * timing.took.as_secs_f64() / 60.0;
    let add = |measure: &str, goal, value| bench.add(NAME, n, measure, goal, value);
    add("denied calls, of all (%)", AtMost(1.0), 100.0 * denied / number(counts.total));
    add("denied calls of the other client", Exactly(0.0), number(other.denied.load(Ordering::Relaxed)));
    add("permitted share used (%)", AtLeast(90.0), 100.0 * count(n) / permitted);
    add("all calls, per minute", Stated, number(counts.total) / minutes);
    add("calls of the other client, per minute", Stated, number(other.calls.load(Ordering::Relaxed)) / minutes);
    add("seconds to all Ready", Stated, timing.took.as_secs_f64());
    play.scene.workspace().set_limit(None).await;
    play.all(Act::Delete, 0..n).await;
    play.end().await;
}

/// Another client of the workspace: it reads, evenly.
#[derive(Default)]
struct Other {
    enough: AtomicBool,
    calls: AtomicU64,
    denied: AtomicU64,
}

impl Other {
    async fn call(self: Arc<Self>, scene: Arc<Scene>) {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let url = format!("{}/v2/identities.getIdentity", scene.stage().unkey().base_url());
        let mut ticks = tokio::time::interval(Duration::from_secs(60) / THIRD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while !self.enough.load(Ordering::Relaxed) {
            ticks.tick().await;
            let request = http
                .post(&url)
                .header("authorization", format!("Bearer {}", scene.workspace().root_key()))
                .header("content-type", "application/json")
                .body(r#"{"identity":"somebody-else"}"#);
            let status = request.send().await.expect("an answer to the other client").status();
            self.calls.fetch_add(1, Ordering::Relaxed);
            if status.as_u16() == 429 {
                self.denied.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
