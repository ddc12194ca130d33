//! What was measured, beside what was hoped for: a line of JSON for each figure as it comes, and a table at the end. It judges, and must
//! never fail a bench for being slow.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
    Exactly(f64),
    Within(f64, f64),
    /// It is only stated.
    Stated,
}

impl Goal {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Exactly(wanted) => (value - wanted).abs() < 1e-9,
            Self::Within(least, most) => (least..=most).contains(&value),
            Self::Stated => true,
        }
    }

    /// Counts have to be right in every run, speeds in the middle one.
    fn is_met_by(self, sorted: &[f64]) -> bool {
        match self {
            Self::Exactly(_) => sorted.iter().all(|value| self.holds(*value)),
            _ => self.holds(median(sorted)),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {}", short(*least)),
            Self::AtMost(most) => write!(f, "≤ {}", short(*most)),
            Self::Exactly(wanted) => f.write_str(&short(*wanted)),
            Self::Within(least, most) => write!(f, "{}–{}", short(*least), short(*most)),
            Self::Stated => Ok(()),
        }
    }
}

/// The figures of one measure in all runs.
struct Row {
    bench: String,
    n: usize,
    measure: String,
    goal: Goal,
    values: Vec<f64>,
}

/// All figures of a run of the bench.
pub struct Report {
    head: Value,
    file: File,
    rows: Vec<Row>,
    failures: Vec<String>,
}

impl Report {
    /// Appends to `path`; every line carries the machine and the versions.
    pub fn new(path: &Path, machine: &Value, versions: &Value) -> Self {
        let file = File::options().create(true).append(true).open(path);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let head = json!({"machine": machine, "versions": versions});
        for (what, values) in [("machine", machine), ("versions", versions)] {
            let values = values.as_object().into_iter().flatten();
            let told: Vec<String> = values.map(|(name, value)| format!("{name} {}", plain(value))).collect();
            println!("{what}: {}", told.join(", "));
        }
        Self { head, file, rows: Vec::new(), failures: Vec::new() }
    }

    /// Notes a figure; the unit is part of the measure's name.
    pub fn add(&mut self, bench: &str, n: usize, measure: &str, goal: Goal, value: f64) {
        let met = (goal != Goal::Stated).then(|| goal.holds(value));
        let line = json!({
            "at": Timestamp::now(), "bench": bench, "n": n, "measure": measure, "value": value,
            "goal": goal.to_string(), "met": met, "machine": self.head["machine"], "versions": self.head["versions"],
        });
        writeln!(self.file, "{line}").expect("the file of results");
        println!("  {bench} N={n} {measure}: {}", short(value));
        match self.rows.iter_mut().find(|row| row.bench == bench && row.n == n && row.measure == measure) {
            Some(row) => row.values.push(value),
            None => self.rows.push(Row {
                bench: bench.to_owned(),
                n,
                measure: measure.to_owned(),
                goal,
                values: vec![value],
            }),
        }
    }

    /// Notes that something did not come about.
    pub fn fail(&mut self, what: &str) {
        println!("FAILED: {what}");
        self.failures.push(what.to_owned());
    }

    /// Prints the index; false if something did not come about.
    pub fn finish(&self) -> bool {
        println!(
            "\n{:<24} {:>7}  {:<52} {:>10}  {:<19} {:>4}  goal",
            "bench", "N", "measure", "median", "range", "runs"
        );
        for Row { bench, n, measure, goal, values } in &self.rows {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
            let range = if sorted.len() > 1 { format!("{} … {}", short(least), short(most)) } else { String::new() };
            let verdict = match goal {
                Goal::Stated => String::new(),
                _ if goal.is_met_by(&sorted) => format!("{goal}  met"),
                _ => format!("{goal}  MISSED"),
            };
            let (middle, runs) = (short(median(&sorted)), values.len());
            println!("{bench:<24} {n:>7}  {measure:<52} {middle:>10}  {range:<19} {runs:>4}  {verdict}");
        }
        for failure in &self.failures {
            println!("FAILED: {failure}");
        }
        self.failures.is_empty()
    }
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        middling if middling >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A count as a figure. Counts here are far below 2^53, where a double is exact.
#[allow(clippy::cast_precision_loss)]
pub fn number(count: u64) -> f64 {
    count as f64
}

/// The same for what is counted in memory.
pub fn count(count: usize) -> f64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}

/// The value below which that share of `values` lies; `values` need not be sorted.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a length
    let place = (count(sorted.len()) * share).ceil() as usize;
    sorted.get(place.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0.0)
}
