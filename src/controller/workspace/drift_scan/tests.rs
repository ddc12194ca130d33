//! When scans run. What they find is tested on the real parts.

use kube::runtime::reflector;

use super::*;
use crate::controller::testing::{Process, scans, series};
use crate::leader::Leadership;

/// A process that leads, and how it scans.
fn process() -> (Process, Schedule) {
    let process = Process::new(Leadership::unrivalled());
    (process, Schedule { every: Duration::from_secs(600), window: Duration::from_secs(30), workers: 1 })
}

/// Only with a cache that is filled, and not before what it took over can have settled.
#[tokio::test(start_paused = true)]
async fn what_is_listed_is_scanned_when_it_has_settled() {
    let (Process { context, metrics, .. }, schedule) = process();
    let (store, _writer) = reflector::store();
    let (fill, filled) = watch::channel(false);
    let running = tokio::spawn(run(Arc::clone(&context), store, schedule, filled));
    // The clock is virtual: it moves on when nothing else is left to do.
    let hours = async || tokio::time::sleep(Duration::from_secs(18_000)).await;
    hours().await;
    assert_eq!(scans(&context, &metrics), 0, "nothing is listed yet");
    fill.send(true).unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(scans(&context, &metrics), 0, "a window after taking the lead at the earliest");
    hours().await;
    let done = scans(&context, &metrics);
    assert!((27..=34).contains(&done), "every ten minutes: {done}");
    running.abort();
    hours().await;
    assert_eq!(scans(&context, &metrics), done, "the process is to end");
}

/// Nobody is waited for any more, and nobody is left to be created again.
#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_all_was_looked_at() {
    let (Process { context, metrics, .. }, schedule) = process();
    let shown = |name| series(&context, &metrics, name);
    metrics.scan_completed(1, Duration::from_secs(9));
    metrics.scan_saw(10, 4, true);
    let (store, _writer) = reflector::store();
    let (_fill, filled) = watch::channel(true);
    let running = tokio::spawn(run(Arc::clone(&context), store, schedule, filled));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(scans(&context, &metrics), 1);
    assert!(shown("scan_last_complete_timestamp_seconds") > 1.0);
    assert!(shown("scan_last_complete_duration_seconds") < 9.0);
    let left = ["scan_recorded_identities", "scan_missing_identities", "scan_recreation_withheld"].map(shown);
    assert!(left.iter().all(|left| *left <= 0.0), "{left:?}");
    running.abort();
}

#[test]
fn the_interval_is_jittered_by_a_tenth() {
    let every = Duration::from_secs(600);
    assert_eq!(jittered(every, 0), Duration::from_secs(540));
    assert_eq!(jittered(every, u16::MAX), Duration::from_secs(660));
    assert!((540..=660).contains(&jittered(every, 12_345).as_secs()));
}
