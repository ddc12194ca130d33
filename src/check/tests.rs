//! Each verdict with what it is judged by.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::api::ServedDifference;
use crate::gather::{LeaseSight, OperatorPod};
use crate::unkey::{Error, Fault, Operation, QuotaReport, RateLimit};

fn answered(operation: Operation, status: u16, code: &str, detail: &str) -> Error {
    let (code, detail) = (code.to_owned(), detail.to_owned());
    Error::new(operation, Fault::Answered { status, code, detail, retry_after: None })
}

fn denied(operation: Operation) -> Error {
    answered(operation, 403, "insufficient_permissions", "Missing one of these permissions")
}

fn absent(operation: Operation) -> Error {
    answered(operation, 404, "identity_not_found", "This identity does not exist.")
}

fn too_large(operation: Operation) -> Error {
    answered(operation, 400, "invalid_input", "Metadata is too large: it must be at most 1.0 MB")
}

fn pod(name: &str, image: &str, is_ready: bool) -> OperatorPod {
    OperatorPod {
        namespace: "ops".to_owned(),
        name: name.to_owned(),
        account: "unkey-operator".to_owned(),
        image: image.to_owned(),
        release: "unkey".to_owned(),
        args: vec!["run".to_owned()],
        env: BTreeMap::new(),
        unread: Vec::new(),
        has_env_from: false,
        leads: false,
        is_ready,
    }
}

#[test]
fn ids_and_verdicts_are_one_word_each_everywhere() {
    let word = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    for id in Id::OF_CLUSTER.into_iter().chain(Id::OF_UNKEY).chain(Id::OF_PERMISSIONS).chain([Id::Clock]) {
        assert_eq!(word(serde_json::to_value(id).unwrap()), id.as_str());
    }
    for verdict in Verdict::ALL {
        assert_eq!(word(serde_json::to_value(verdict).unwrap()), verdict.as_str());
    }
    assert_eq!(schema()["title"], "unkey-operator check");
}

#[test]
fn a_version_outside_of_what_is_tried_is_told() {
    let of = |minor: &str| api_server("1", minor, &format!("v1.{minor}.2"));
    assert_eq!(of("37").message, "Kubernetes 1.37.2");
    for (minor, verdict) in [("32", Verdict::Ok), ("34+", Verdict::Ok), ("31", Verdict::Warn), ("38", Verdict::Warn)] {
        assert_eq!(of(minor).verdict, verdict, "{minor}");
    }
    assert!(of("31").message.contains("too old") && of("38").message.contains("supports 1.32 to 1.37"));
    assert_eq!(api_server("2", "33", "v2.33.0").verdict, Verdict::Warn);
    assert_eq!(api_server("", "", "").verdict, Verdict::Warn);
}

#[test]
fn a_definition_is_judged_by_what_is_dropped_and_unknown() {
    let field = |name: &str| vec![name.to_owned()];
    let published = |dropped, unknown| DefinitionSeen::Published(ServedDifference { dropped, unknown });
    for (seen, verdict, word) in [
        (published(vec![], vec![]), Verdict::Ok, "has all fields"),
        (published(field("status.uid"), vec![]), Verdict::Fail, "drops status.uid; apply"),
        (published(vec![], field("spec.new")), Verdict::Warn, "does not know spec.new"),
        (DefinitionSeen::Missing, Verdict::Fail, "is not installed; install"),
        (DefinitionSeen::Going, Verdict::Fail, "being deleted"),
        (DefinitionSeen::Unpublished, Verdict::CannotTell, "not published its fields yet; run"),
        (DefinitionSeen::Unserved, Verdict::Fail, "does not serve it"),
        (DefinitionSeen::Hidden("no".to_owned()), Verdict::CannotTell, "looked at: no"),
    ] {
        let finding = definition(&seen, false);
        assert!(finding.verdict == verdict && finding.message.contains(word), "{finding:?}");
    }
    assert_eq!(definition(&DefinitionSeen::Missing, true).verdict, Verdict::Ok);
}

#[test]
fn missing_rights_are_a_fault_of_an_operator_only() {
    let missing: Vec<Right> = Needs::default().rights().into_iter().filter(|it| it.verb == "patch").collect();
    let of = |caller: &str, operators: &[&str], missing: &[Right]| {
        rights(&RightsSeen {
            caller: Some(caller.to_owned()),
            operators: operators.iter().map(|it| (*it).to_owned()).collect(),
            asked: 8,
            missing: missing.to_vec(),
            ..RightsSeen::default()
        })
    };
    let operator = "system:serviceaccount:ops:unkey-operator";
    assert_eq!(of("jane", &[operator], &[]).verdict, Verdict::Ok);
    let jane = of("jane", &[operator], &missing);
    assert!(jane.verdict == Verdict::Warn && jane.message.contains(&format!("use --as {operator}")), "{jane:?}");
    let own = of(operator, &[operator], &missing);
    assert_eq!(own.verdict, Verdict::Fail);
    for word in
        ["rights of system:serviceaccount:ops", "patch identities.unkey.com/status", "patch events.events.k8s.io"]
    {
        assert!(own.message.contains(word), "{own:?}");
    }
    assert_eq!(of("system:serviceaccount:ci:check", &[operator], &missing).verdict, Verdict::Warn);
    assert_eq!(of("system:serviceaccount:ci:check", &[], &missing).verdict, Verdict::Fail, "the one that is to be");
    let failed = RightsSeen { failed: Some("no".to_owned()), ..RightsSeen::default() };
    assert_eq!(rights(&failed).verdict, Verdict::CannotTell);
}

#[test]
fn the_list_depends_on_what_is_watched_and_elected() {
    let everywhere = Needs { lease: Some(("ops", "unkey")), ..Needs::default() }.rights();
    assert_eq!(everywhere.len(), 7 + 1 + 3);
    let watched = ["a".to_owned(), "b".to_owned()];
    let narrow = Needs { watched: &watched, lease: None }.rights();
    assert_eq!(narrow.len(), 14);
    assert!(narrow.iter().all(|right| right.namespace.is_some() && right.resource != "customresourcedefinitions"));
    let status = narrow.iter().find(|right| right.resource.contains('/')).unwrap();
    assert_eq!(status.to_string(), "patch identities.unkey.com/status in namespace a");
    let asked = status.attributes();
    assert_eq!((asked.resource.as_deref(), asked.subresource.as_deref()), (Some("identities"), Some("status")));
}

#[test]
fn pods_that_are_not_ready_are_named() {
    let [a, b] = [pod("a", "", true), pod("b", "", false)];
    for (found, verdict, word) in [
        (vec![], Verdict::Fail, "No Pod of the operator"),
        (vec![a.clone()], Verdict::Ok, "1 of 1 Pod is ready: ops/a"),
        (vec![a.clone(), b.clone()], Verdict::Warn, "1 of 2 Pods are ready, ops/b not"),
        (vec![b], Verdict::Fail, "0 of 1 Pod is ready: ops/b"),
    ] {
        let finding = pods(&found, false);
        assert!(finding.verdict == verdict && finding.message.contains(word), "{finding:?}");
    }
    assert_eq!(pods(&[], true).verdict, Verdict::Ok);
}

#[test]
fn who_does_not_renew_does_not_lead() {
    let lease = |holder: Option<&str>, renewed| {
        LeaseSeen::Read(Some(LeaseSight { holder: holder.map(str::to_owned), renewed, seconds: 15 }))
    };
    for (seen, verdict, word) in [
        (lease(Some("pod-a_0f"), Some(990)), Verdict::Ok, "pod-a leads: it renewed lease ops/l 10 s ago"),
        (lease(Some("pod-a_0f"), Some(1_003)), Verdict::Ok, "0 s ago"),
        (lease(Some("pod-a_0f"), Some(900)), Verdict::Fail, "has not renewed it for 100 s"),
        (lease(None, Some(990)), Verdict::Fail, "Nobody holds lease ops/l"),
        (LeaseSeen::Read(None), Verdict::Fail, "does not exist"),
        (LeaseSeen::NotElected, Verdict::Ok, "elects no leader"),
        (LeaseSeen::Hidden("no".to_owned()), Verdict::CannotTell, "cannot be read: no"),
    ] {
        let finding = leader("ops/l", &seen, 1_000, false);
        assert!(finding.verdict == verdict && finding.message.contains(word), "{finding:?}");
    }
    assert_eq!(leader("ops/l", &LeaseSeen::Read(None), 1_000, true).verdict, Verdict::Ok);
}

#[test]
fn versions_are_read_from_tags() {
    for (image, version) in [
        ("ghcr.io/unkeyed/unkey-operator:0.1.0", Some("0.1.0")),
        ("localhost:5000/unkey-operator:v0.2.0", Some("0.2.0")),
        ("localhost:5000/unkey-operator", None),
        ("unkey-operator:latest", None),
        ("unkey-operator:0.1.0@sha256:ab", None),
    ] {
        assert_eq!(image_version(image), version, "{image}");
    }
    assert_eq!(version(&[], "0.1.0"), None);
    let of = |image: &str| version(&[pod("a", image, true)], "0.1.0").unwrap().verdict;
    assert_eq!(of("x:0.1.0"), Verdict::Ok);
    assert_eq!(of("x:0.2.0"), Verdict::Warn);
    assert_eq!(of("x@sha256:ab"), Verdict::CannotTell);
}

#[test]
fn an_error_of_unkey_is_told_for_what_it_is() {
    let of = |error| unkey(&Listed::Failed(error), "https://api.example", "a file").map(|it| it.verdict);
    let key = answered(Operation::List, 401, "key_not_found", "The provided root key is invalid.");
    assert_eq!(of(key), [Verdict::Ok, Verdict::Fail]);
    assert_eq!(of(denied(Operation::List)), [Verdict::Ok, Verdict::Fail]);
    assert_eq!(of(answered(Operation::List, 429, "workspace_rate_limited", "")), [Verdict::Warn, Verdict::Ok]);
    assert_eq!(
        of(Error::new(Operation::List, Fault::Deadline(Duration::from_secs(1)))),
        [Verdict::Fail, Verdict::Skipped]
    );
    let [_, lacks] = unkey(&Listed::Failed(denied(Operation::List)), "u", "a file");
    assert!(lacks.message.contains("'identity.*.read_identity'"), "{lacks:?}");
    let page = Listed::Page(Duration::from_millis(7), None);
    assert_eq!(unkey(&page, "u", "f")[0].message, "Unkey answers at u (took 7 ms)");
    assert_eq!(unkey(&Listed::OnlyGet(Duration::ZERO), "u", "f").map(|it| it.verdict), [Verdict::Warn, Verdict::Ok]);
}

#[test]
fn limits_and_clocks() {
    let limit = |remaining| {
        rate_limit(QuotaReport::Limited(RateLimit { limit: 600, remaining, reset: Duration::from_secs(9) })).verdict
    };
    assert_eq!((limit(1), limit(0)), (Verdict::Ok, Verdict::Warn));
    assert_eq!(rate_limit(QuotaReport::Unlimited).verdict, Verdict::Ok);
    assert_eq!(rate_limit(QuotaReport::Unknown).verdict, Verdict::CannotTell);
    assert_eq!(clock(None, None).verdict, Verdict::Skipped);
    assert_eq!(clock(Some(5), Some(-5)).verdict, Verdict::Ok);
    assert!(clock(Some(6), None).message.contains("clock is 6 s behind that of the API server"));
    assert!(clock(Some(0), Some(-90)).message.contains("clock is 90 s ahead of that of Unkey"));
}

#[test]
fn one_key_that_leads_elsewhere_is_enough() {
    let seen = |mark: &str, looked| MarkSeen { mark: Some(mark.to_owned()), recorded: 9, asked: 3, looked };
    let of = |seen: &[MarkSeen]| workspace(seen, "now", "a file");
    assert_eq!(of(&[]).verdict, Verdict::Skipped);
    assert_eq!(of(&[seen("now", Looked::Hit), seen("old", Looked::Hit)]).verdict, Verdict::Ok);
    let other = of(&[seen("now", Looked::Hit), seen("old", Looked::Missed)]);
    assert!(other.verdict == Verdict::Fail && other.message.contains("another workspace"), "{other:?}");
    assert!(of(&[seen("now", Looked::Missed)]).message.contains("under this very key"));
    assert_eq!(of(&[seen("now", Looked::Failed("no".to_owned()))]).verdict, Verdict::CannotTell);
}

fn all_granted() -> Probe {
    Probe {
        list: None,
        get: Probed::Done,
        create: Probed::Refused(too_large(Operation::Create)),
        update: Probed::Refused(too_large(Operation::Update)),
        delete: Probed::Refused(absent(Operation::Delete)),
    }
}

fn verdicts(probe: &Probe) -> [Verdict; 4] {
    let found = permissions(probe, false);
    [0, 1, 2, 3].map(|at| found[at].verdict)
}

#[test]
fn each_missing_permission_is_named_alone() {
    use Verdict::{CannotTell, Fail, Ok};
    assert_eq!(verdicts(&all_granted()), [Ok; 4]);
    let create = Probe { create: Probed::Refused(denied(Operation::Create)), ..all_granted() };
    assert_eq!(verdicts(&create), [Fail, Ok, Ok, Ok]);
    let get = Probed::NotSent("the list shows none".to_owned());
    let read = Probe { list: Some(denied(Operation::List)), get, ..all_granted() };
    assert_eq!(verdicts(&read), [Ok, Fail, Ok, Ok]);
    let update = Probe { update: Probed::Refused(denied(Operation::Update)), ..all_granted() };
    assert_eq!(verdicts(&update), [Ok, Ok, Fail, Ok]);
    let delete = Probe { delete: Probed::Refused(denied(Operation::Delete)), ..all_granted() };
    assert_eq!(verdicts(&delete), [Ok, Ok, Ok, Fail]);
    assert!(permissions(&delete, false)[3].message.contains("'identity.*.delete_identity'"));
    assert_eq!(permissions(&delete, true)[3].verdict, Ok, "nothing is written");
    // Who masks, and who shows nothing.
    let masked = Probe { update: Probed::Refused(absent(Operation::Update)), ..all_granted() };
    assert_eq!(verdicts(&masked), [Ok, Ok, CannotTell, CannotTell]);
    let empty = Probe { get: Probed::NotSent("empty".to_owned()), ..all_granted() };
    assert_eq!(verdicts(&empty), [Ok, CannotTell, Ok, Ok]);
    let schema = answered(Operation::Create, 400, "invalid_input", "POST request body is empty");
    assert_eq!(verdicts(&Probe { create: Probed::Refused(schema), ..all_granted() }), [CannotTell, Ok, Ok, Ok]);
}

#[test]
fn the_text_is_a_table_with_a_summary() {
    let mut report = Report {
        as_of: String::new(),
        version: String::new(),
        caller: None,
        settings_from: Vec::new(),
        root_key_from: None,
        summary: BTreeMap::new(),
        checks: Vec::new(),
    };
    report.add([Finding::new(Id::RootKey, Verdict::CannotTell, "A"), Finding::new(Id::ApiServer, Verdict::Ok, "B")]);
    assert_eq!(
        text(&report, false),
        "ok           api-server  B\ncannot-tell  root-key    A\n2 checks: 1 ok, 1 cannot-tell\n"
    );
    assert!(text(&report, true).starts_with("\x1b[32mok         \x1b[0m  api-server  B\n"));
    assert!(!report.has_failed());
    report.add([Finding::new(Id::Clock, Verdict::Fail, "C")]);
    assert!(report.has_failed());
}
