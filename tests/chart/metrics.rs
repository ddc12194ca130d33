//! Alerts and dashboard ask for metrics that the operator has, with labels that it gives them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;
use unkey_operator::api::Reason;
use unkey_operator::telemetry::Metrics;
use unkey_operator::unkey::{Operation, Standing};

use super::harness::read;

/// The names of all series, of an operator that has done one of everything.
fn exported() -> String {
    let metrics = Metrics::default();
    metrics.reconciled("ok");
    metrics.upstream_begins().ends(Operation::Create, "ok");
    metrics.left_behind();
    metrics.waited("changes", Duration::ZERO);
    metrics.scanned("complete");
    metrics.scan_page();
    metrics.scan_found("drift");
    metrics.scan_completed(1, Duration::ZERO);
    let standing = Standing {
        tokens: None,
        concurrency: 1,
        in_flight: 0,
        limit: None,
        paused: false,
        key: None,
        operations: Vec::new(),
    };
    metrics.render(&HashMap::new(), &(standing, [("changes", 0), ("scan", 0), ("writes", 0)])).unwrap()
}

fn names(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("unkey_operator_") {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        found.insert(&rest[..end]);
    }
    found
}

#[test]
fn what_is_asked_for_exists() {
    let exported = exported();
    let exported = names(&exported);
    assert!(exported.len() > 20, "{exported:?}");
    for path in ["charts/unkey-operator/files/alerts.yaml", "charts/unkey-operator/files/dashboard.json"] {
        let text = read(path);
        let asked = names(&text);
        assert!(asked.len() >= 5, "{path}: {asked:?}");
        let unknown: Vec<_> = asked.difference(&exported).collect();
        assert!(unknown.is_empty(), "{path} asks for {unknown:?}");
    }
}

#[test]
fn alerts_name_reasons_that_there_are() {
    let alerts: Value = serde_yaml::from_str(&read("charts/unkey-operator/files/alerts.yaml")).unwrap();
    let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    let mut seen = 0;
    for rule in alerts["groups"][0]["rules"].as_array().unwrap() {
        let expression = rule["expr"].as_str().unwrap();
        let Some((_, rest)) = expression.split_once("reason=") else { continue };
        let named = rest.trim_start_matches('~').split('"').nth(1).unwrap();
        for reason in named.split('|') {
            assert!(reasons.contains(reason), "{}: {reason}", rule["alert"]);
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn the_dashboard_is_json_with_queries() {
    let dashboard: Value = serde_json::from_str(&read("charts/unkey-operator/files/dashboard.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(panel["targets"][0]["expr"].as_str().is_some_and(|text| text.contains("unkey_operator_")), "{panel}");
    }
}
