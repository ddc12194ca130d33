//! The plan as people read it: equal changes in one entry, what matters to callers marked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::report::{ChangeReport, FieldReport, Report};
use crate::text::safe;

/// So many of equal changes are named.
const NAMED: usize = 3;
/// So many identities without a resource are named.
const NAMED_UNMANAGED: usize = 20;

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With colours.
    pub colour: bool,
    /// With the names of identities that no resource names.
    pub unmanaged: bool,
}

/// An action as it is printed: its sign, and the colour by number.
const SIGNS: [(&str, &str, u8); 13] = [
    ("create", "+", 32),
    ("adopt", ">", 36),
    ("update", "~", 33),
    ("recreate", "+", 33),
    ("delete", "-", 31),
    ("release", "o", 36),
    ("hold", "=", 35),
    ("refuse", "x", 31),
    ("conflict", "x", 31),
    ("invalid", "x", 31),
    ("observe", "?", 36),
    ("suspend", "=", 35),
    ("settling", "…", 35),
];

/// The whole text, with a line end at its end.
pub fn text(report: &Report, style: Style) -> String {
    let mut text = format!("{}\n", head(report));
    let mut groups: BTreeMap<usize, Vec<&ChangeReport>> = BTreeMap::new();
    for change in &report.changes {
        groups.entry(change.group).or_default().push(change);
    }
    for changes in groups.values() {
        text.push_str(&entry(changes, style));
    }
    if style.unmanaged
        && let Some(unmanaged) = &report.unmanaged
    {
        for it in unmanaged.iter().take(NAMED_UNMANAGED) {
            let line = format!("{}  {}: no Identity names this externalId", it.external_id, it.identity_id);
            let _ = writeln!(text, "? unmanaged {}", safe(&line));
        }
        if unmanaged.len() > NAMED_UNMANAGED {
            let _ =
                writeln!(text, "? unmanaged and {} more; --output json names all", unmanaged.len() - NAMED_UNMANAGED);
        }
    }
    let _ = writeln!(text, "{}", summary(report));
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn head(report: &Report) -> String {
    let read = &report.read;
    let mut parts = Vec::new();
    if read.manifests > 0 {
        parts.push(count(read.manifests, "manifest", "manifests"));
    }
    if let Some(resources) = read.resources {
        parts.push(count(resources, "Identity", "Identities"));
    }
    let beside = match read.identities {
        Some(identities) => format!(
            " against {} in Unkey ({}, {}.{} s)",
            count(identities, "identity", "identities"),
            count(read.requests, "request", "requests"),
            read.took_ms / 1000,
            read.took_ms % 1000 / 100
        ),
        None => String::new(),
    };
    let key = report.root_key_from.as_ref().map(|from| format!("; root key from {from}")).unwrap_or_default();
    format!("as of {}; {}{beside}{key}\npolicy of {}", report.as_of, parts.join(" and "), policy(report))
}

fn policy(report: &Report) -> String {
    let policy = &report.policy;
    let mut said = vec![
        format!("adopt {}", policy.default_adoption_policy),
        format!("delete {}", policy.default_deletion_policy),
        policy.default_management_policy.clone(),
        format!("window {} s", policy.consistency_window_ms / 1000),
    ];
    if policy.observe {
        said.push("observes everything".to_owned());
    }
    if !policy.namespaces.is_empty() {
        said.push(format!("namespaces {}", policy.namespaces.join(", ")));
    }
    if let Some(selector) = &policy.selector {
        said.push(format!("selector {selector}"));
    }
    format!("{}: {}", policy.from, said.join(", "))
}

fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn entry(changes: &[&ChangeReport], style: Style) -> String {
    let [change, ..] = changes else { return String::new() };
    let (_, sign, colour) = SIGNS.iter().find(|(action, ..)| *action == change.action).copied().unwrap_or(("", "?", 0));
    let action = if change.drift && change.action == "update" { "drift" } else { &change.action };
    let head = format!("{sign} {action:<9} ");
    let mut text = if style.colour { format!("\x1b[{colour}m{head}\x1b[0m") } else { head };
    if changes.len() > NAMED {
        let names: Vec<String> = changes.iter().take(NAMED).map(|change| name(change)).collect();
        let _ = writeln!(text, "{} Identities: {} and {} more", changes.len(), names.join(", "), changes.len() - NAMED);
        text.push_str(&details(change, true));
    } else {
        for (at, change) in changes.iter().enumerate() {
            let indent = if at == 0 { "" } else { "            " };
            let line = format!("{indent}{}  {}", name(change), about(change));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push_str(&details(change, false));
    }
    text
}

fn name(change: &ChangeReport) -> String {
    safe(&format!("{}/{}", change.namespace, change.name))
}

/// What distinguishes it from others of its group.
fn about(change: &ChangeReport) -> String {
    let external_id =
        change.external_id.as_deref().filter(|it| *it != change.name).map(|it| format!("externalId {it}"));
    let identity = change.identity_id.clone();
    let what: Vec<String> = match change.action.as_str() {
        "recreate" => external_id
            .into_iter()
            .chain(identity.map(|id| format!("{id} is gone; if it is still absent after a consistency window")))
            .collect(),
        _ => external_id.into_iter().chain(identity).collect(),
    };
    safe(&what.join(", "))
}

/// Fields, and the message of what is not written.
fn details(change: &ChangeReport, is_group: bool) -> String {
    let mut text = String::new();
    let is_told = matches!(
        change.action.as_str(),
        "refuse" | "conflict" | "invalid" | "hold" | "observe" | "settling" | "release"
    );
    if is_told {
        let reason = change.reason.as_ref().map(|reason| format!("{reason}: ")).unwrap_or_default();
        let of_one = if is_group { " (of the first)" } else { "" };
        let _ = writeln!(text, "              {reason}{}{of_one}", safe(&change.message));
    }
    if change.action == "delete" {
        text.push_str("              its keys stay valid, without the identity, its meta and its limits\n");
    }
    for field in &change.fields {
        let _ = writeln!(text, "           {}", field_line(field));
    }
    text
}

/// One field that changes, with its mark before it.
pub fn field_line(field: &FieldReport) -> String {
    format!("{:>2} {}", mark(field), line(field))
}

fn mark(field: &FieldReport) -> &'static str {
    let is_limit = field.path.starts_with("ratelimits");
    match field.effect.as_str() {
        "remove" | "apply-no-longer" if is_limit => "!!",
        "tighten" => "v",
        "loosen" => "^",
        "add" => "+",
        "remove" => "-",
        _ => "~",
    }
}

fn line(field: &FieldReport) -> String {
    let path = &field.path;
    let is_limit = path.starts_with("ratelimits");
    match (&field.from, &field.to, field.effect.as_str()) {
        (_, _, "remove") if is_limit => {
            format!("{path}  removed: a verification that names it fails for these customers")
        }
        (Some(from), Some(to), effect) if is_limit => {
            let off = if effect == "apply-no-longer" { "; applies only where it is named" } else { "" };
            format!("{path}  {} -> {}{off}", limit(from), limit(to))
        }
        (None, Some(to), _) if is_limit => format!("{path}  {}", limit(to)),
        (Some(from), Some(to), _) => format!("{path}  {from} -> {to}"),
        (None, Some(to), _) => format!("{path}  {to}"),
        (Some(from), None, _) => format!("{path}  {from} removed"),
        (None, None, "remove") => format!("{path}  removed"),
        (None, None, "add") => format!("{path}  added"),
        (None, None, _) => format!("{path}  changed"),
    }
}

/// `1000 per 60 s`, or `10 per 1500 ms`; with `applies by itself`.
pub fn limit(value: &Value) -> String {
    let duration = value["duration"].as_i64().unwrap_or(0);
    let window = if duration % 1000 == 0 { format!("{} s", duration / 1000) } else { format!("{duration} ms") };
    let applies = if value["autoApply"] == true { ", applies by itself" } else { "" };
    format!("{} per {window}{applies}", value["limit"])
}

fn summary(report: &Report) -> String {
    let of = |action: &str| report.summary.get(action).copied().unwrap_or(0);
    let mut parts: Vec<String> = ["create", "adopt", "update", "recreate", "delete", "release", "observe"]
        .into_iter()
        .filter(|action| of(action) > 0)
        .map(|action| format!("{} {action}", of(action)))
        .collect();
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    let mut text = parts.join(", ");
    let waits = [("held", of("hold")), ("suspended", of("suspend")), ("settling", of("settling"))];
    let cannot = of("refuse") + of("conflict") + of("invalid");
    if cannot > 0 {
        let _ = write!(text, "; {cannot} cannot be done");
    }
    for (word, count) in waits.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(text, "; {count} {word}");
    }
    let _ = write!(text, "; {} unchanged", of("unchanged"));
    if let Some(unmanaged) = report.unmanaged.as_ref().map(Vec::len).filter(|count| *count > 0) {
        let names = if report.read.resources.is_some() { "Identity" } else { "manifest" };
        let _ = write!(text, "; {unmanaged} in Unkey {} no {names}", if unmanaged == 1 { "has" } else { "have" });
    }
    text
}
