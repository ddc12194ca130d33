//! Time for a watch event that changes nothing: from its text to a pass that finds nothing to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step ends the bench

#[path = "../inside/mod.rs"]
mod inside;

use std::hint::black_box;
use std::time::{Duration, Instant};

use inside::{Inside, event};
use kube::core::WatchEvent;
use unkey_operator::controller::Snapshot;

const OBJECTS: usize = 10_000;
const ROUNDS: usize = 9;

fn main() {
    // The Kubernetes client, which nobody calls, wants to be born in a runtime.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let mut inside = Inside::new();
    let texts: Vec<String> = (0..OBJECTS).map(|number| event(number, &inside.credential)).collect();
    for text in &texts {
        inside.take(text);
    }
    let each = |elapsed: Duration| elapsed.as_nanos() / u128::try_from(OBJECTS).unwrap();
    let mut rounds: Vec<(u128, u128)> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for text in &texts {
                black_box(serde_json::from_str::<WatchEvent<Snapshot>>(text).unwrap());
            }
            let read = each(begun.elapsed());
            let begun = Instant::now();
            for text in &texts {
                inside.take(text);
            }
            (each(begun.elapsed()), read)
        })
        .collect();
    rounds.sort_unstable();
    let ((all, read), (fastest, _), (slowest, _)) = (rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1]);
    println!(
        "event: {all} ns for one that changes nothing ({OBJECTS} Identities, median of {ROUNDS} rounds, {fastest} to {slowest}), {read} ns of it to \
         read its JSON"
    );
}
