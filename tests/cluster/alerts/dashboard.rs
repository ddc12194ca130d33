//! What the dashboard shows where one Prometheus scrapes several releases: shards, or a staging beside it.

use std::fs;

use serde_json::Value;

use super::super::harness::{Exposition, Scrape, shown};
use super::{chart_file, text, well};

/// What a release has of its own: two of them have twice as much. The other gauges tell of a state, or of a limit that both share.
const ADDED_UP: [&str; 15] = [
    "unkey_operator_identities",
    "unkey_operator_observed",
    "unkey_operator_queue_depth",
    "unkey_operator_writes_refused",
    "unkey_operator_writes_refused_untold",
    "unkey_operator_upstream_concurrency_limit",
    "unkey_operator_upstream_tokens",
    "unkey_operator_scan_recorded_identities",
    "unkey_operator_scan_missing_identities",
    "unkey_operator_watches",
    "unkey_operator_deletions_waiting",
    "unkey_operator_deletions_held",
    "unkey_operator_deletions_limit",
    "unkey_operator_deletions_approved",
    "unkey_operator_mass_deletions",
];

/// The dashboard's queries of what is added up, as Grafana asks them for all namespaces and jobs.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(chart_file("dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let queries = targets.map(|target| text(&target, "expr").replace("$namespace", ".*").replace("$job", ".*"));
    let asks = |query: &String, name: &&str| query.contains(&format!("{name}{{"));
    let queries: Vec<String> = queries.filter(|query| ADDED_UP.iter().any(|name| asks(query, name))).collect();
    for name in ADDED_UP {
        assert!(queries.iter().any(|query| asks(query, &name)), "no query of {name}");
    }
    queries
}

/// As it was served, with this figure in every series, so that none is 0.
fn with_figures(mut served: Exposition, figure: f64) -> Exposition {
    served.samples.iter_mut().for_each(|sample| sample.value = figure);
    served
}

fn total(scrape: &Scrape, query: &str) -> f64 {
    let shown = shown(scrape, query);
    assert!(!shown.is_empty(), "{query} shows nothing");
    shown.iter().sum()
}

#[tokio::test]
async fn releases_are_added_up_and_replicas_are_not() {
    let (_world, operator, _) = well("alerts-releases").await;
    let pods = async |figure| vec![with_figures(operator.metrics().await, figure)];
    let (leader, standby) = (pods(7.0).await, pods(5.0).await);
    let one = Scrape::of(pods(7.0).await);
    let replicas = Scrape::of(leader.into_iter().chain(standby).collect());
    let two = Scrape::of(pods(7.0).await).and("another", pods(5.0).await);
    for query in queries() {
        let of_one = total(&one, &query);
        assert!((total(&replicas, &query) - of_one).abs() < 0.1, "the replicas of one release: {query}");
        assert!((total(&two, &query) - of_one * 12.0 / 7.0).abs() < 0.1, "two releases: {query}");
    }
}
