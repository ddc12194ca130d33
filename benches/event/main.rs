//! Time for a watch event that changes nothing, from its text on: one that no reconcile could see (a label), and one that a reconcile has to look at
//! to find nothing to do. And time for the look for objects that nothing is planned for, for each object at rest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step ends the bench

#[path = "../inside/mod.rs"]
mod inside;

use std::hint::black_box;
use std::time::{Duration, Instant};

use inside::{Inside, event};
use kube::core::WatchEvent;
use unkey_operator::controller::RawIdentity;

const OBJECTS: usize = 10_000;
const ROUNDS: usize = 9;

fn main() {
    // The Kubernetes client, which nobody calls, wants to be born in a runtime.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let mut inside = Inside::new();
    let texts = |finalizers: &[&str]| -> Vec<String> {
        (0..OBJECTS).map(|number| event(number, &inside.credential, finalizers)).collect()
    };
    let both = [texts(&[]), texts(&["of.another/one"])];
    for text in &both[0] {
        assert!(inside.take(text), "it was new");
    }
    let each = |elapsed: Duration| elapsed.as_nanos() / u128::try_from(OBJECTS).unwrap();
    let (mut read, mut unseen, mut seen, mut rescue) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (same, other) = (&both[round % 2], &both[(round + 1) % 2]);
        let begun = Instant::now();
        for text in same {
            black_box(serde_json::from_str::<WatchEvent<RawIdentity>>(text).unwrap());
        }
        read.push(each(begun.elapsed()));
        let begun = Instant::now();
        for text in same {
            assert!(!inside.take(text), "no pass could see it");
        }
        unseen.push(each(begun.elapsed()));
        let begun = Instant::now();
        for text in other {
            assert!(inside.take(text), "a pass has to look at it");
        }
        seen.push(each(begun.elapsed()));
        let begun = Instant::now();
        assert_eq!(black_box(inside.rescue()), 0, "all rest");
        rescue.push(each(begun.elapsed()));
    }
    println!("event: {OBJECTS} Identities, {} bytes of JSON each; median of {ROUNDS} rounds", both[0][0].len());
    let rows = [
        ("reading the JSON", read),
        ("nothing a pass could see", unseen),
        ("nothing to do", seen),
        ("the look for what nothing is planned for, each object", rescue),
    ];
    for (what, mut times) in rows {
        times.sort_unstable();
        println!("event: {what}: {} ns ({} to {})", times[ROUNDS / 2], times[0], times[ROUNDS - 1]);
    }
}
