//! `docs/reference/metrics.md`: every metric, its type, unit and labels, and the alerts that read it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use unkey_operator::controller::runtime::dispatcher::Dispatcher;
use unkey_operator::domain::KubeWrite;
use unkey_operator::telemetry::{DeletionGauges, Gauges, Metrics, Outcome, WatchState};
use unkey_operator::unkey::{Bounds, Operation};

use super::super::messages::source::{self, Kind};
use super::super::tree::ROOT;
use super::{entry, head, heading, paragraph};

const ALERTS: &str = "charts/unkey-operator/files/alerts.yaml";

/// One family as the text format tells it.
#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    unit: String,
    /// Values of each label.
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// A process that has met everything once: a family without a sample is not served.
fn rendered() -> String {
    let metrics = Metrics::default();
    let dispatcher = Dispatcher::new(Bounds::default(), 1, CancellationToken::new(), metrics.clone());
    let (calls, waiting) = dispatcher.standing();
    for (lane, _) in waiting {
        metrics.waited(lane, Duration::ZERO);
    }
    for operation in Operation::ALL {
        metrics.upstream_begins().ends(operation, Outcome::Ok);
    }
    let gauges = Gauges {
        reasons: HashMap::new(),
        oldest_unsynced: Duration::ZERO,
        calls,
        waiting,
        unwitnessed: false,
        leads: true,
        watches: WatchState::ALL.iter().map(|state| (*state, 0)).collect(),
        refused: KubeWrite::ALL.map(|write| (write, 0)),
        untold: 0,
        dropped: 0,
        deletions: DeletionGauges::default(),
    };
    metrics.render(&gauges).unwrap()
}

/// Reads the text format: comments that describe a family, then its samples.
fn families(text: &str) -> Vec<(String, Family)> {
    let mut all: Vec<(String, Family)> = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let Some((what, rest)) = comment.split_once(' ') else { continue };
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            if all.last().is_none_or(|(last, _)| last != name) {
                all.push((name.to_owned(), Family::default()));
            }
            let family = &mut all.last_mut().unwrap().1;
            match what {
                "HELP" => value.trim_end_matches('.').clone_into(&mut family.help),
                "TYPE" => value.clone_into(&mut family.kind),
                "UNIT" => value.clone_into(&mut family.unit),
                other => panic!("{other}: {line}"),
            }
        } else if let Some((_, labels)) = line.split_once('{') {
            let labels = labels.rsplit_once('}').unwrap().0;
            for (name, value) in labels.split(',').filter_map(|label| label.split_once('=')) {
                let family = &mut all.last_mut().unwrap().1;
                family.labels.entry(name.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
            }
        }
    }
    all
}

/// Alerts that read a metric, by its name without what a type appends.
fn alerts() -> Vec<(String, String)> {
    let file: Value = serde_yaml::from_str(&std::fs::read_to_string(Path::new(ROOT).join(ALERTS)).unwrap()).unwrap();
    let rules = file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| (rule["alert"].as_str().unwrap().to_owned(), rule["expr"].as_str().unwrap().to_owned())).collect()
}

/// True if the expression reads this very name.
fn reads(expression: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    expression
        .match_indices(name)
        .any(|(at, _)| !expression[..at].ends_with(is_part) && !expression[at + name.len()..].starts_with(is_part))
}

/// The names under which a family is queried.
fn samples(name: &str, kind: &str) -> Vec<String> {
    match kind {
        "counter" => vec![format!("{name}_total")],
        "info" => vec![format!("{name}_info")],
        "histogram" => ["bucket", "sum", "count"].map(|part| format!("{name}_{part}")).into(),
        _ => vec![name.to_owned()],
    }
}

pub fn page() -> String {
    let mut page = head(
        "Metrics",
        "Served at `/metrics` of the admin address, in the OpenMetrics text format. Every label has a closed set of values, so the number of series does not grow with the number \
         of resources. [The chart](../../charts/unkey-operator/README.md) has a ServiceMonitor, alerts and a dashboard.",
    );
    let (families, alerts) = (families(&rendered()), alerts());
    assert!(families.len() > 25, "{}", families.len());
    for (name, family) in families {
        let samples = samples(&name, &family.kind);
        heading(&mut page, "##", &format!("`{}`", samples[0].trim_end_matches("_bucket")));
        paragraph(&mut page, &format!("{}.", family.help));
        page.push('\n');
        let unit = if family.unit.is_empty() { String::new() } else { format!(", in {}", family.unit) };
        entry(&mut page, &format!("Type: {}{unit}", family.kind));
        for (label, values) in family.labels.iter().filter(|(label, _)| *label != "le") {
            let word = |value: &String| {
                let is_version = value == env!("CARGO_PKG_VERSION");
                if is_version { "the version of the operator".to_owned() } else { format!("`{value}`") }
            };
            let values: Vec<String> = values.iter().map(word).collect();
            entry(&mut page, &format!("Label `{label}`: {}", values.join(", ")));
        }
        let names: Vec<String> = alerts
            .iter()
            .filter(|(_, expression)| samples.iter().any(|sample| reads(expression, sample)))
            .map(|(alert, _)| format!("[{alert}](../operations/runbook.md#{})", alert.to_lowercase()))
            .collect();
        if !names.is_empty() {
            entry(&mut page, &format!("Alerts: {}", names.join(", ")));
        }
    }
    page
}

/// A metric that nothing was counted in is not left out.
#[test]
fn every_metric_is_on_the_page() {
    let helps: BTreeSet<String> = families(&rendered()).into_iter().map(|(_, family)| family.help).collect();
    let described: BTreeSet<String> =
        source::texts().into_iter().filter(|text| text.kind == Kind::Metric).map(|text| text.words).collect();
    assert_eq!(helps, described, "left: served; right: texts of src/telemetry");
}

/// No alert reads a metric that there is not.
#[test]
fn alerts_read_metrics_that_exist() {
    let known: Vec<String> =
        families(&rendered()).into_iter().flat_map(|(name, family)| samples(&name, &family.kind)).collect();
    for (alert, expression) in alerts() {
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for word in words.filter(|word| word.starts_with("unkey_operator_")) {
            assert!(known.iter().any(|name| name == word), "{alert} reads {word}");
        }
    }
}
