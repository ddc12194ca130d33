//! memory: what the operator holds of 1,000, 10,000 and 100,000 Identities, at rest after it has made them Ready and scanned, and after a
//! restart; and what one more Identity costs.

use std::sync::Arc;
use std::time::Duration;

use kube::core::Request;
use serde_json::Value;

use crate::bench::Bench;
use crate::load::Act;
use crate::object;
use crate::operator::Pace;
use crate::play::{Play, patience};
use crate::report::Goal::{self, AtMost, Stated};
use crate::report::count;

const NAME: &str = "memory";
/// So that a scan follows soon when all is Ready.
const SCAN: [&str; 2] = ["--scan-interval", "1m"];

fn goal(n: usize) -> Goal {
    match n {
        1_000 => AtMost(25.0),
        10_000 => AtMost(48.0),
        100_000 => AtMost(300.0),
        _ => Stated,
    }
}

/// Grows through these sizes: at each a running operator takes what is new, and another one then starts with all there is. The cluster is
/// not fit for another row afterwards.
pub async fn memory(bench: Arc<Bench>, sizes: Vec<usize>) {
    let stage = bench.stage().await;
    let mut play = Play::of_operator(&stage, Pace::Unbounded, &SCAN).await;
    let mut before: Option<(usize, f64)> = None;
    for n in sizes {
        let from = before.map_or(0, |(n, _)| n);
        println!("  memory at {n}");
        play.all(Act::Create, from..n).await;
        play.operator().skip_log();
        let patience = patience(n) + Duration::from_secs(180);
        // The first to end may have begun before everything was Ready.
        for _ in 0..2 {
            play.operator().until_scanned(patience).await;
        }
        let usage = play.operator().usage();
        let add = |measure: &str, goal, value| bench.add(NAME, n, measure, goal, value);
        add("RSS at rest (MiB)", goal(n), usage.rss_mib());
        add("RSS at most, ever (MiB)", Stated, usage.peak_mib());
        if let Some((fewer, rss)) = before {
            let slope = (usage.rss_mib() - rss) * 1024.0 * 1024.0 / count(n - fewer);
            add("RSS per further Identity (bytes)", Stated, slope);
        }
        before = Some((n, usage.rss_mib()));
        play = play.restart(Pace::Unbounded, &SCAN).await;
        let calls = play.operator().until_scanned(patience).await;
        add("calls of a scan", AtMost(count(n.div_ceil(100) + 1)), count(calls));
        let again = play.operator().usage();
        bench.add(NAME, n, "RSS after a restart and a scan (MiB)", Stated, again.rss_mib());
        bench.add(NAME, n, "RSS at most after a restart (MiB)", Stated, again.peak_mib());
    }
    let (n, _) = before.unwrap_or_default();
    let (whole, pruned) = sizes_of_one(&play).await;
    bench.add(NAME, n, "one Identity as JSON (bytes)", Stated, count(whole));
    bench.add(NAME, n, "the same without managedFields (bytes)", Stated, count(pruned));
    play.end().await;
}

/// Of one object as the API server sends it, with and without managedFields.
async fn sizes_of_one(play: &Play) -> (usize, usize) {
    let request = Request::new(play.scene.path()).get(&object::name(0), &kube::api::GetParams::default());
    let text = play.scene.client().request_text(request.expect("a request")).await.expect("an Identity");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    (text.trim().len(), value.to_string().len())
}
