//! The scan: finds what changed in Unkey behind our back, for the price of one page per hundred identities.
//!
//! It runs beside the queue, one request at a time, and only reads. What it finds is a hint to the next reconcile over that
//! object ([`crate::domain::drift_scan`]); it writes no status, and its own troubles are nobody else's.
//!
//! | module | does |
//! |---|---|
//! | `adoption` | lists for objects that are new, before they are created |
//! | `idle` | a look at an object that nobody works on |
//! | `request` | one request, and what its failure means |
//! | `run` | one scan: asks, compares, hands on what it finds |

pub mod adoption;
mod idle;
mod request;
mod run;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::Store;
use tokio::sync::{Semaphore, watch};

use self::request::End;
use self::run::Scan;
use crate::controller::identity::context::Context;
use crate::controller::identity::raw::RawIdentity;
use crate::controller::runtime::clock::millis;
use crate::domain::drift_scan::Summary;
use crate::domain::{KeyMark, Look};
use crate::telemetry::LogOnce;

/// Of that many workers one may be busy with what a scan found, so that a mass of findings delays nobody.
const WORKERS_PER_FINDING: u16 = 8;

/// How scans are run.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// From the end of one to the next; zero: there are none.
    pub every: Duration,
    /// The consistency window.
    pub window: Duration,
    /// Reconciles at a time.
    pub workers: u16,
}

/// Scans for as long as it is polled, not before the cache is `filled`. Poll it only while this process leads.
pub async fn run(
    context: Arc<Context>,
    store: Store<RawIdentity>,
    schedule: Schedule,
    mut filled: watch::Receiver<bool>,
) {
    // An error means that the other end is gone, and with it the controller.
    if schedule.every.is_zero() || filled.wait_for(|filled| *filled).await.is_err() {
        return;
    }
    let at_a_time = usize::from((schedule.workers / WORKERS_PER_FINDING).max(1));
    let findings = Arc::new(Semaphore::new(at_a_time));
    context.runtime.metrics.scans_every(schedule.every);
    let mut wait = settled(schedule.window);
    let mut told = LogOnce::default();
    loop {
        tokio::time::sleep(wait).await;
        let begun = Instant::now();
        let mut scan = Scan::new(&context, &store, &findings);
        // A bug met in one scan must not end them all.
        let end = AssertUnwindSafe(scan.run()).catch_unwind().await.unwrap_or(End::Panicked);
        wait = match end {
            // What was read under the other key proves nothing; under this one everything has to settle first.
            End::KeyChanged => settled(schedule.window),
            _ => jittered(schedule.every, fastrand::u16(..)),
        };
        report(&context, &scan, &end, begun.elapsed(), &mut told);
    }
}

/// What is first seen with an id settles a window later (R4), and the first reconciles take a while themselves.
fn settled(window: Duration) -> Duration {
    window + window / 10
}

/// A tenth more or less, so that operators do not scan in step.
fn jittered(every: Duration, jitter: u16) -> Duration {
    every.mul_f64(0.9 + 0.2 * f64::from(jitter) / f64::from(u16::MAX))
}

/// One line for each scan; what keeps it from its end is told once, until something else does.
fn report(context: &Context, scan: &Scan<'_>, end: &End, took: Duration, told: &mut LogOnce) {
    context.runtime.metrics.scanned(end.kind());
    let (pages, gets, findings) = (scan.pages, scan.gets, scan.findings);
    let took_ms = millis(took);
    if let Some(why) = end.why() {
        if told.is_news(&why) {
            tracing::warn!(pages, gets, findings, took_ms, why, "the scan of the workspace could not be completed");
        } else {
            tracing::debug!(pages, gets, findings, took_ms, why, "the scan of the workspace could not be completed");
        }
        return;
    }
    told.ends();
    // Where there is nothing to look at, all of it was: else the scan of an empty cluster would be overdue for ever, and one that once missed
    // too many would withhold for ever, though nobody is left to be created again.
    context.index.workspace_has(usize::try_from(pages).unwrap_or(usize::MAX));
    context.runtime.metrics.scan_completed(Timestamp::now().as_second(), took);
    if matches!(end, End::Nothing) {
        context.runtime.metrics.scan_saw(0, 0, false);
        return;
    }
    let Summary { recorded, missing, .. } = scan.summary;
    tracing::info!(pages, gets, findings, recorded, missing, took_ms, "scanned the workspace");
}

impl Context {
    /// Takes in what a scan with the key `current` saw of the recorded identities. True if what is missing may be taken for gone.
    pub(in crate::controller) fn scanned(&self, summary: &Summary, current: &KeyMark) -> bool {
        let Summary { recorded, missing, .. } = *summary;
        for mark in summary.found.keys().filter(|mark| *mark != current) {
            // One that shows its recorded id is all the proof it takes.
            self.index.looked(current, mark, &Look::Hit);
        }
        if !summary.complete {
            return false;
        }
        let withheld = summary.misses_too_many();
        self.runtime.metrics.scan_saw(recorded, missing, withheld);
        if withheld {
            tracing::error!(
                recorded,
                missing,
                "Unkey shows far fewer identities than are recorded: the root key may belong to another workspace. No identity \
                 is created again. To recreate one that is really gone, set the annotation unkey.com/reconcile-requested-at on its Identity to a new value"
            );
        }
        !withheld
    }
}

#[cfg(test)]
mod tests;
