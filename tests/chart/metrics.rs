//! Alerts and dashboard ask for metrics that the operator has, and for reasons that there are.

use std::collections::BTreeSet;

use serde_json::Value;
use unkey_operator::api::Reason;

use super::harness::{file, read};

const ALERTS: &str = "charts/unkey-operator/files/alerts.yaml";
const DASHBOARD: &str = "charts/unkey-operator/files/dashboard.json";

/// The sources that register metrics.
fn telemetry() -> String {
    let sources = std::fs::read_dir(file("src/telemetry")).unwrap();
    sources.map(|source| std::fs::read_to_string(source.unwrap().path()).unwrap()).collect()
}

/// The operator's metrics that a text mentions, without the prefix that all have.
fn mentioned(text: &str) -> BTreeSet<&str> {
    let named = text.split("unkey_operator_").skip(1);
    named.map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap()).collect()
}

/// The name under which a series is registered: what the format appends for its kind and its unit is not part of it.
fn registered(series: &str) -> &str {
    let kinds = ["_total", "_bucket", "_count", "_sum", "_info"];
    let name = kinds.iter().find_map(|kind| series.strip_suffix(kind)).unwrap_or(series);
    name.strip_suffix("_seconds").unwrap_or(name)
}

#[test]
fn what_is_asked_for_is_registered() {
    let sources = telemetry();
    for path in [ALERTS, DASHBOARD] {
        let text = read(path);
        let asked = mentioned(&text);
        assert!(asked.len() >= 5, "{path}: {asked:?}");
        for series in asked {
            let literal = |name: &str| sources.contains(&format!("\"{name}\""));
            assert!(literal(registered(series)) || literal(series), "{path}: no metric is unkey_operator_{series}");
        }
    }
}

#[test]
fn what_is_asked_for_can_be_read() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    assert!(dashboard["panels"].as_array().is_some_and(|panels| !panels.is_empty()));

    let alerts: Value = serde_yaml::from_str(&read(ALERTS)).unwrap();
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
