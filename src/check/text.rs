//! The findings as people read them: a line each, and a summary.

use std::fmt::Write as _;

use super::finding::{Report, Verdict};

/// The whole text, with a line end at its end. `colour`: for a terminal.
pub fn text(report: &Report, colour: bool) -> String {
    let verdicts = report.checks.iter().map(|it| it.verdict.as_str().len()).max().unwrap_or(0);
    let ids = report.checks.iter().map(|it| it.id.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in &report.checks {
        let verdict = format!("{:<verdicts$}", finding.verdict.as_str());
        let verdict = if colour { format!("\x1b[{}m{verdict}\x1b[0m", number(finding.verdict)) } else { verdict };
        let _ = writeln!(text, "{verdict}  {:<ids$}  {}", finding.id.as_str(), finding.message);
    }
    let _ = writeln!(text, "{}", summary(report));
    text
}

/// The number of its colour.
fn number(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ok => 32,
        Verdict::Warn | Verdict::CannotTell => 33,
        Verdict::Fail => 31,
        Verdict::Skipped => 36,
    }
}

fn summary(report: &Report) -> String {
    let counted = Verdict::ALL.map(|verdict| (verdict, report.summary.get(verdict.as_str()).copied().unwrap_or(0)));
    let counted = counted.iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> = counted.map(|(verdict, count)| format!("{count} {}", verdict.as_str())).collect();
    let checks = report.checks.len();
    format!("{checks} {}: {}", if checks == 1 { "check" } else { "checks" }, parts.join(", "))
}
