//! When scans run. What they find is tested on the real parts.

use ::kube::runtime::reflector;
use secrecy::SecretString;

use super::*;
use crate::api::{AdoptionPolicy, DeletionPolicy};
use crate::controller::{Scope, Settings};
use crate::domain::Policy;
use crate::leader::Lead;
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
        window: 30_000,
        attempt: 30_000,
        credential: None,
        spread: 0,
    };
    let settings = Settings {
        scope: Scope { namespaces: Vec::new(), selector: None },
        workers: 1,
        bounds: Bounds::default(),
        policy,
        accept_workspace_change: false,
        lead: Lead::unrivalled(),
        resync: Duration::ZERO,
    };
    let client = ::kube::Client::try_from(::kube::Config::new(nowhere.parse().unwrap())).unwrap();
    Context::new(client, unkey, &settings, metrics).0
}

/// How many scans ended so far.
fn scans(context: &Context, metrics: &Metrics) -> u32 {
    let text = metrics.render(&context.view()).unwrap();
    let count = text.lines().find_map(|line| line.strip_prefix("unkey_operator_scans_total{result=\"nothing\"} "));
    count.map_or(0, |count| count.parse().unwrap())
}

/// Only who leads scans, only with a cache that is filled, and not before what it took over can have settled.
#[tokio::test(start_paused = true)]
async fn a_standby_does_not_scan() {
    let metrics = Metrics::default();
    let context = context(metrics.clone());
    let (store, _writer) = reflector::store();
    let schedule = Schedule { every: Duration::from_mins(10), window: Duration::from_secs(30), workers: 1 };
    let ((fill, filled), (lead, leading)) = (watch::channel(false), watch::channel(false));
    let running = tokio::spawn(run(Arc::clone(&context), store, schedule, filled, leading));
    // The clock is virtual: it moves on when nothing else is left to do.
    let hours = async || tokio::time::sleep(Duration::from_hours(5)).await;
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

#[test]
fn the_interval_is_jittered_by_a_tenth() {
    let every = Duration::from_mins(10);
    assert_eq!(jittered(every, 0), Duration::from_mins(9));
    assert_eq!(jittered(every, u16::MAX), Duration::from_mins(11));
    assert!((540..=660).contains(&jittered(every, 12_345).as_secs()));
}
