//! The words of all labels: closed sets, that are there from the start, and that nothing which goes wrong adds to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use unkey_emulator::{Fault, FaultKind, Operation, Permissions};

use super::super::harness::{Exposition, Operator, eventually};
use super::super::scan_faults::{drift_is_corrected, list_fault, made, scanning};

pub const OUTCOMES: [&str; 10] = [
    "ok",
    "not_found",
    "exists",
    "transient",
    "unknown_outcome",
    "rate_limited",
    "credential",
    "permission",
    "rejected",
    "misconfigured",
];
const WRITES: [&str; 3] = ["claim", "release", "status"];
const OPERATIONS: [&str; 5] = ["create", "delete", "get", "list", "update"];
const LANES: [&str; 3] = ["changes", "scan", "writes"];
const FINDINGS: [&str; 5] = ["drift", "missing", "observed", "replaced", "verdict"];
/// But for a panic, which nobody can bring about from outside.
const SCANS: [&str; 5] = ["complete", "failed", "key_changed", "nothing", "refused"];
const REASONS: [&str; 24] = [
    "None",
    "Synced",
    "Progressing",
    "UpstreamUnavailable",
    "RateLimited",
    "Unauthorized",
    "PermissionDenied",
    "CredentialsMissing",
    "WorkspaceMismatch",
    "DeletionBlocked",
    "DeletionHeld",
    "Suspended",
    "InvalidSpec",
    "Rejected",
    "AlreadyExists",
    "WouldLose",
    "ExternalIdConflict",
    "IdentityMismatch",
    "NotConverging",
    "WriteRefused",
    "Observed",
    "Differs",
    "NotInUnkey",
    "WouldRefuse",
];
const EVENTS: [&str; 8] = [
    "Adopted",
    "DriftCorrected",
    "FieldReleased",
    "IdentityReplaced",
    "LimitRemoved",
    "MassDeletionHeld",
    "Orphaned",
    "Recreated",
];

type Words = BTreeMap<(String, String), BTreeSet<String>>;

/// Each label of each family that has one, with all its words.
fn expected() -> Words {
    let scans = [&SCANS[..], &["panic"]].concat();
    let rows: [(&str, &str, &[&str]); 15] = [
        ("build", "version", &[env!("CARGO_PKG_VERSION")]),
        ("identities", "reason", &REASONS),
        ("observed", "state", &REASONS[20..]),
        ("events", "event", &EVENTS),
        ("queue_duration_seconds", "lane", &LANES),
        ("queue_depth", "lane", &LANES),
        ("reconciles", "result", &["ok", "error", "panic"]),
        ("scan_findings", "finding", &FINDINGS),
        ("scans", "result", &scans),
        ("upstream_operation_refused", "operation", &OPERATIONS),
        ("upstream_request_duration_seconds", "operation", &OPERATIONS),
        ("upstream_requests", "operation", &OPERATIONS),
        ("upstream_requests", "outcome", &OUTCOMES),
        ("watches", "state", &["current", "broken", "unlisted"]),
        ("writes_refused", "write", &WRITES),
    ];
    let row = |(family, label, words): (&str, &str, &[&str])| {
        let words = words.iter().map(ToString::to_string).collect();
        ((format!("unkey_operator_{family}"), label.to_owned()), words)
    };
    rows.into_iter().map(row).collect()
}

/// No label but these, and no word but these. All of them are there, but for histograms, which begin with the first of a kind; and their bounds
/// are numbers of the program's own.
#[track_caller]
pub fn assert_closed(metrics: &Exposition) {
    let mut found = Words::new();
    for sample in &metrics.samples {
        let ends = ["_total", "_info", "_bucket", "_count", "_sum"];
        let family = ends.iter().find_map(|end| sample.name.strip_suffix(end)).unwrap_or(&sample.name);
        assert!(metrics.families.contains_key(family), "{sample:?}");
        for (label, word) in sample.labels.iter().filter(|(label, _)| *label != "le") {
            found.entry((family.to_owned(), label.clone())).or_default().insert(word.clone());
        }
    }
    for (at, words) in expected() {
        let found = found.remove(&at).unwrap_or_default();
        let begins_late = metrics.families.get(&at.0).is_none_or(|kind| kind == "histogram");
        let is_closed = if begins_late { found.is_subset(&words) } else { found == words };
        assert!(is_closed, "{at:?}: {found:?}, and not {words:?}");
    }
    assert!(found.is_empty(), "nobody knows of {found:?}");
}

/// Waits until a scan has ended so.
async fn a_scan_ends(operator: &Operator, result: &str) {
    eventually(&format!("a scan to end as {result}"), async || {
        (operator.metrics().await.sum("unkey_operator_scans_total", &[("result", result)]) > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_end_and_every_finding_of_a_scan_is_of_a_closed_set() {
    let world = scanning("words-scan").await;
    let operator = world.start().await;
    words_of_nothing(&operator).await;
    world.seed("theirs", &json!({"meta": {"theirs": 1}}));
    world.create("theirs", &json!({"externalId": "theirs", "meta": {"a": 1}})).await;
    world.reason("theirs", "AlreadyExists").await;
    made(&world, &["drifts", "goes", "changes"].map(str::to_owned)).await;
    a_scan_ends(&operator, "complete").await;
    drift_is_corrected(&world, "drifts").await;
    assert!(world.workspace.delete("goes"));
    world.event("goes", "Recreated").await;
    assert!(world.workspace.delete("changes"));
    world.seed("changes", &json!({"meta": {"a": 1}}));
    world.event("changes", "IdentityReplaced").await;
    assert!(world.workspace.delete("theirs"));
    world.ready("theirs").await;
    world.create("seen", &json!({"externalId": "seen", "managementPolicy": "Observe"})).await;
    world.reason("seen", "NotInUnkey").await;
    world.seed("seen", &json!({}));
    world.reason("seen", "Observed").await;

    world.workspace.order(list_fault(FaultKind::not_found_text()));
    a_scan_ends(&operator, "refused").await;
    world.workspace.clear_faults();
    world.workspace.order(Fault::new(FaultKind::DropBefore));
    a_scan_ends(&operator, "failed").await;
    world.workspace.clear_faults();
    world.workspace.add_root_key("unkey_root_another", Permissions::ALL);
    let held = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::List));
    world.until_hit(held, 1).await;
    world.write_key("unkey_root_another");
    operator.until_logged("using another root key").await;
    world.workspace.clear_fault(held);
    a_scan_ends(&operator, "key_changed").await;

    let metrics = operator.metrics().await;
    assert_closed(&metrics);
    for result in SCANS {
        assert!(metrics.sum("unkey_operator_scans_total", &[("result", result)]) > 0, "{result}");
    }
    for finding in FINDINGS {
        assert!(metrics.sum("unkey_operator_scan_findings_total", &[("finding", finding)]) > 0, "{finding}");
    }
}

/// Before anything has happened, all that can be counted is there, at 0.
async fn words_of_nothing(operator: &Operator) {
    let first = operator.metrics().await;
    assert_closed(&first);
    for name in ["reconciles", "events", "scan_findings", "upstream_requests"] {
        assert_eq!(first.sum(&format!("unkey_operator_{name}_total"), &[]), 0, "{name}");
    }
    a_scan_ends(operator, "nothing").await;
}
