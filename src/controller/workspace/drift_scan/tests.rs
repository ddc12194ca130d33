//! When scans run. What they find is tested on the real parts.

use kube::runtime::reflector;
use secrecy::SecretString;

use super::*;
use crate::api::{AdoptionPolicy, DeletionPolicy};
use crate::apiserver::ServerTime;
use crate::controller::{Scope, Settings};
use crate::domain::Policy;
use crate::leader::Leadership;
use crate::telemetry::Metrics;
use crate::unkey::{Bounds, Client, Credentials, Options};

/// A context that nobody calls out of: there is nothing to look for.
fn context(metrics: Metrics) -> Arc<Context> {
    let nowhere = "http://127.0.0.1:9";
    let unkey = Options { base_url: nowhere.to_owned(), ..Options::default() };
    let unkey = Client::new(&unkey, Credentials::from_value(&SecretString::from("key")).unwrap()).unwrap();
    let policy = Policy {
        adoption: AdoptionPolicy::IfLossless,
        deletion: DeletionPolicy::Delete,
        window: Duration::from_secs(30),
        attempt: Duration::from_secs(30),
        credential: None,
        stagger: Duration::ZERO,
    };
    let settings = Settings {
        scope: Scope { namespaces: Vec::new(), selector: None },
        workers: 1,
        bounds: Bounds::default(),
        policy,
        accept_workspace_change: false,
        lead: Leadership::unrivalled(),
        resync: Duration::ZERO,
        server_time: ServerTime::default(),
    };
    let client = kube::Client::try_from(kube::Config::new(nowhere.parse().unwrap())).unwrap();
    Context::new(client, unkey, &settings, metrics).0
}

/// A series as it is served.
fn series(context: &Context, metrics: &Metrics, name: &str) -> f64 {
    let text = metrics.render(&context.view()).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("unkey_operator_{name} ")));
    value.unwrap_or_else(|| panic!("there is no {name}")).parse().unwrap()
}

/// How many scans ended so far.
fn scans(context: &Context, metrics: &Metrics) -> u32 {
    format!("{}", series(context, metrics, "scans_total{result=\"nothing\"}")).parse().unwrap()
}

/// Only who leads scans, only with a cache that is filled, and not before what it took over can have settled.
#[tokio::test(start_paused = true)]
async fn a_standby_does_not_scan() {
    let metrics = Metrics::default();
    let context = context(metrics.clone());
    let (store, _writer) = reflector::store();
    let schedule = Schedule { every: Duration::from_secs(600), window: Duration::from_secs(30), workers: 1 };
    let ((fill, filled), (lead, leading)) = (watch::channel(false), watch::channel(false));
    let running = tokio::spawn(run(Arc::clone(&context), store, schedule, filled, leading));
    // The clock is virtual: it moves on when nothing else is left to do.
    let hours = async || tokio::time::sleep(Duration::from_secs(18_000)).await;
    hours().await;
    lead.send(true).unwrap();
    hours().await;
    assert_eq!(scans(&context, &metrics), 0, "nothing is listed yet");
    lead.send(false).unwrap();
    fill.send(true).unwrap();
    hours().await;
    assert_eq!(scans(&context, &metrics), 0, "another one leads");
    lead.send(true).unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(scans(&context, &metrics), 0, "a window after taking the lead at the earliest");
    hours().await;
    let done = scans(&context, &metrics);
    assert!((27..=34).contains(&done), "every ten minutes: {done}");
    lead.send(false).unwrap();
    hours().await;
    assert_eq!(scans(&context, &metrics), done, "the lead is lost");
    running.abort();
}

/// Nobody is waited for any more, and nobody is left to be created again.
#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_all_was_looked_at() {
    let metrics = Metrics::default();
    let context = context(metrics.clone());
    let shown = |name| series(&context, &metrics, name);
    metrics.scan_completed(1, Duration::from_secs(9));
    metrics.scan_saw(10, 4, true);
    let (store, _writer) = reflector::store();
    let schedule = Schedule { every: Duration::from_secs(600), window: Duration::from_secs(30), workers: 1 };
    let ((_fill, filled), (_lead, leading)) = (watch::channel(true), watch::channel(true));
    let running = tokio::spawn(run(Arc::clone(&context), store, schedule, filled, leading));
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
