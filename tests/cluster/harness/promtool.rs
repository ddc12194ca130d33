//! What Prometheus would make of what operators serve: two scrapes, held or gone on with for hours, and the alerts of the chart on them; or
//! one, and any query. The evaluation is promtool's; nothing here knows what an alert means.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::Exposition;

/// Where the first scrape ends and the second one begins, in minutes from the start.
const TURN: usize = 30;
/// How long the second one goes on, in minutes.
const AFTER: usize = 150;
/// How soon what happened only once is to be noticed, in minutes.
const SOON: usize = 10;

/// `/metrics` of Pods at one time, by the job that Prometheus knows them under: one for each release.
pub struct Scrape {
    pods: Vec<(&'static str, Exposition)>,
    /// Unix time in seconds.
    at: f64,
}

impl Scrape {
    /// All Pods of one release.
    pub fn of(pods: Vec<Exposition>) -> Self {
        Self::of_none().and("unkey-operator", pods)
    }

    /// Nothing listens any more.
    pub fn of_none() -> Self {
        Self { pods: Vec::new(), at: Timestamp::now().as_duration().as_secs_f64() }
    }

    /// And all Pods of another release.
    pub fn and(mut self, job: &'static str, pods: Vec<Exposition>) -> Self {
        self.pods.extend(pods.into_iter().map(|pod| (job, pod)));
        self
    }

    /// Each series by its name in Prometheus, with its value.
    fn series(&self) -> BTreeMap<String, f64> {
        let mut series = BTreeMap::new();
        for (pod, (job, exposition)) in self.pods.iter().enumerate() {
            // Prometheus has a notion of it, a unit test of rules has none; no alert looks at what may be one.
            for sample in exposition.samples.iter().filter(|sample| !sample.value.is_nan()) {
                let own = sample.labels.iter().map(|(key, value)| format!("{key}=\"{value}\""));
                let all = own.chain([
                    r#"namespace="unkey""#.to_owned(),
                    format!(r#"job="{job}""#),
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

/// What becomes of the counters after the second scrape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Each minute they grow by what they grew between the two.
    GoOn,
    /// They stay: what happened does not happen again.
    Stay,
}

/// The alerts that fire after `before` has been so for half an hour, and when things have gone on as they were at `after` for two and a half.
///
/// A counter goes on growing by what it grew between the two, each minute; an age by a minute each minute; anything else stays.
pub fn firing(before: &Scrape, after: &Scrape) -> (Vec<String>, Vec<String>) {
    let input = series_of(before, after, Then::GoOn);
    (alerts(&input, TURN - 1), alerts(&input, TURN + AFTER))
}

/// The same of what happened once between the two, and never again: what fires soon after it.
pub fn firing_once(before: &Scrape, after: &Scrape) -> (Vec<String>, Vec<String>) {
    let input = series_of(before, after, Then::Stay);
    (alerts(&input, TURN - 1), alerts(&input, TURN + SOON))
}

fn series_of(before: &Scrape, after: &Scrape, then: Then) -> Vec<Value> {
    let (first, second) = (before.series(), after.series());
    let grows = |name: &str| ["_total", "_count", "_sum", "_bucket"].iter().any(|end| family(name).ends_with(end));
    let mut input = Vec::new();
    for name in first.keys().chain(second.keys().filter(|name| !first.contains_key(*name))) {
        // A counter that is not there yet is none that has jumped.
        let from = first.get(name).copied();
        let begin = from.map_or_else(|| format!("_x{TURN}"), |value| format!("{value}+0x{}", TURN - 1));
        let end = second.get(name).map(|to| {
            // What has been lies before the scrape, which is the turn.
            let shift =
                if family(name).ends_with("_timestamp_seconds") && *to < 0.0 { 60.0 * count(TURN) } else { 0.0 };
            let step = match from {
                _ if grows(name) && then == Then::Stay => 0.0,
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
    input
}

fn family(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}

fn count(minutes: usize) -> f64 {
    f64::from(u32::try_from(minutes).unwrap())
}

fn alerts(input: &[Value], minute: usize) -> Vec<String> {
    let got = ask(input, r#"count by (alertname) (ALERTS{alertstate="firing"})"#, minute);
    let mut alerts: Vec<String> =
        got.split("alertname=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect();
    alerts.sort();
    alerts
}

/// The values that a query shows of a scrape.
pub fn shown(scrape: &Scrape, query: &str) -> Vec<f64> {
    let series = scrape.series();
    let input: Vec<Value> =
        series.iter().map(|(name, value)| json!({"series": name, "values": format!("{value}+0x10")})).collect();
    let got = ask(&input, query, 5);
    let values = got.split("} ").skip(1).map(|rest| rest.split([',', '\n']).next().unwrap_or_default().trim());
    values.map(|value| value.parse().unwrap_or_else(|_| panic!("'{value}' is not a number: {got}"))).collect()
}

/// promtool knows tests only: what it found is in what it says of one that cannot reconcile.
fn ask(input: &[Value], query: &str, minute: usize) -> String {
    let files = tempfile::tempdir().unwrap();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/unkey-operator/files/alerts.yaml");
    let test = json!({
        "rule_files": [rules], "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": input, "promql_expr_test": [{
            "expr": query, "eval_time": format!("{minute}m"), "exp_samples": [{"labels": r#"{never="there"}"#, "value": 1}],
        }]}],
    });
    let file = files.path().join("test.yaml");
    std::fs::write(&file, test.to_string()).unwrap();
    let output = promtool().args(["test", "rules"]).arg(&file).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    said.split("got:").nth(1).unwrap_or_else(|| panic!("promtool says no samples of {query}: {said}")).to_owned()
}

/// What `promtool check metrics` has against what is served; empty: nothing.
pub fn lint(served: &str) -> String {
    let mut command = promtool();
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(classic(served).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

/// `OpenMetrics` in the older text format, the only one that `promtool check metrics` reads. There a counter's family has the name of its
/// samples, an info is a gauge, and there is no unit.
fn classic(served: &str) -> String {
    let types = served.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: BTreeMap<&str, &str> = types.collect();
    let mut text = String::new();
    for line in served.lines() {
        let line = match line.strip_prefix("# ").map(|comment| comment.splitn(3, ' ').collect::<Vec<_>>()) {
            None => line.to_owned(),
            Some(words) => {
                let [keyword @ ("HELP" | "TYPE"), name, rest] = words[..] else { continue };
                let (end, kind) = match types[name] {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    kind => ("", kind),
                };
                format!("# {keyword} {name}{end} {}", if keyword == "TYPE" { kind } else { rest })
            }
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The promtool that `make tools` has built.
pub fn promtool() -> Command {
    let tools = controlplane::Resolver::default().resolve_promtool().unwrap();
    Command::new(tools.binary("promtool").unwrap())
}
