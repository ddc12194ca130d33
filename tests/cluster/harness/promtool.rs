//! What Prometheus would make of what operators serve: two scrapes, held or gone on with for hours, and the alerts of the chart on them. The
//! evaluation is promtool's; nothing here knows what an alert means.

use std::collections::BTreeMap;
use std::process::Command;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::Exposition;

/// Where the first scrape ends and the second one begins, in minutes from the start.
const TURN: usize = 30;
/// How long the second one goes on, in minutes.
const AFTER: usize = 150;

/// `/metrics` of all Pods of one release at one time.
pub struct Scrape {
    pods: Vec<Exposition>,
    /// Unix time in seconds.
    at: f64,
}

impl Scrape {
    pub fn of(pods: Vec<Exposition>) -> Self {
        Self { pods, at: Timestamp::now().as_duration().as_secs_f64() }
    }

    /// Nothing listens any more.
    pub fn of_none() -> Self {
        Self::of(Vec::new())
    }

    /// Each series by its name in Prometheus, with its value.
    fn series(&self) -> BTreeMap<String, f64> {
        let mut series = BTreeMap::new();
        for (pod, exposition) in self.pods.iter().enumerate() {
            // Prometheus has a notion of it, a unit test of rules has none; no alert looks at what may be one.
            for sample in exposition.samples.iter().filter(|sample| !sample.value.is_nan()) {
                let own = sample.labels.iter().map(|(key, value)| format!("{key}=\"{value}\""));
                let all = own.chain([
                    r#"namespace="unkey""#.to_owned(),
                    r#"job="unkey-operator""#.to_owned(),
                    format!(r#"pod="{pod}""#),
                ]);
                let labels: Vec<String> = all.collect();
                // The clock of a test begins at 0, with the first scrape; "never" stays what it is.
                let value = if sample.name.ends_with("_timestamp_seconds") && sample.value > 0.0 {
                    sample.value - self.at
                } else {
                    sample.value
                };
                series.insert(format!("{}{{{}}}", sample.name, labels.join(",")), value);
            }
        }
        series
    }
}

/// The alerts that fire after `before` has been so for half an hour, and when things have gone on as they were at `after` for two and a half.
///
/// A counter goes on growing by what it grew between the two, each minute; an age by a minute each minute; anything else stays.
pub fn firing(before: &Scrape, after: &Scrape) -> (Vec<String>, Vec<String>) {
    let (first, second) = (before.series(), after.series());
    let grows = |name: &str| ["_total", "_count", "_sum", "_bucket"].iter().any(|end| family(name).ends_with(end));
    let mut input = Vec::new();
    for name in first.keys().chain(second.keys().filter(|name| !first.contains_key(*name))) {
        // A counter that is not there yet is none that has jumped.
        let from = first.get(name).copied();
        let begin = from.map_or_else(|| format!("_x{TURN}"), |value| format!("{value}+0x{}", TURN - 1));
        let end = second.get(name).map(|to| {
            let shift =
                if family(name).ends_with("_timestamp_seconds") && *to > 0.0 { 60.0 * count(TURN) } else { 0.0 };
            let step = match from {
                // Another process counts anew.
                Some(from) if grows(name) && *to >= from => to - from,
                _ if grows(name) => *to,
                _ if family(name).ends_with("_age_seconds") && *to > 0.0 => 60.0,
                _ => 0.0,
            };
            format!(" {}+{step}x{AFTER}", to + shift)
        });
        input.push(json!({"series": name, "values": format!("{begin}{}", end.unwrap_or_default())}));
    }
    let at = |minute: usize| evaluate(&input, minute);
    (at(TURN - 1), at(TURN + AFTER))
}

fn family(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}

fn count(minutes: usize) -> f64 {
    f64::from(u32::try_from(minutes).unwrap())
}

/// promtool knows tests only: what it found is in what it says of one that cannot pass.
fn evaluate(input: &[Value], minute: usize) -> Vec<String> {
    let files = tempfile::tempdir().unwrap();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/unkey-operator/files/alerts.yaml");
    let test = json!({
        "rule_files": [rules], "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": input, "promql_expr_test": [{
            "expr": r#"count by (alertname) (ALERTS{alertstate="firing"}) or vector(0)"#,
            "eval_time": format!("{minute}m"), "exp_samples": [],
        }]}],
    });
    let file = files.path().join("test.yaml");
    std::fs::write(&file, test.to_string()).unwrap();
    let output = promtool().args(["test", "rules"]).arg(&file).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let got = said.split("got:").nth(1).unwrap_or_else(|| panic!("promtool says no samples: {said}"));
    let mut alerts: Vec<String> =
        got.split("alertname=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect();
    alerts.sort();
    alerts
}

/// The promtool that `make tools` has built.
pub fn promtool() -> Command {
    let tools = controlplane::Resolver::default().resolve_promtool().unwrap();
    Command::new(tools.binary("promtool").unwrap())
}
