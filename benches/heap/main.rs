//! Bytes of heap that stay in the process for each `Identity`, beside the size of its JSON; and how many a plan has at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step ends the bench

#[path = "../inside/mod.rs"]
mod inside;
mod planned;

use inside::{Inside, event};

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

/// Bytes that stay for each of `count` objects, and the bytes of one's JSON.
fn heap(count: usize) -> (usize, usize) {
    let mut inside = Inside::new();
    let one = event(0, &inside.credential, &[]);
    inside.take(&one);
    assert_eq!(inside.rescue(), 0, "all rest");
    let before = dhat::HeapStats::get().curr_bytes;
    for number in 1..=count {
        let text = event(number, &inside.credential, &[]);
        inside.take(&text);
    }
    ((dhat::HeapStats::get().curr_bytes - before) / count, one.len())
}

#[allow(clippy::cast_precision_loss)] // a few kB
fn main() {
    // The Kubernetes client, which nobody calls, wants to be born in a runtime.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let _profiler = dhat::Profiler::builder().testing().build();
    for count in [1_000, 10_000] {
        let (bytes, json) = heap(count);
        let ratio = bytes as f64 / json as f64;
        println!("heap: {count} Identities keep {bytes} bytes each, {ratio:.2} of their JSON's {json}");
    }
    planned::rows(10_000);
}
