//! What each status reads as: for kstatus, and for Argo CD by the health check of the examples.

use serde_json::{Value, json};
use unkey_operator::api::IdentityStatus;
use unkey_operator::domain::Verdict;

use super::argo::Argo;
use super::kstatus::{Kstatus, kstatus};
use super::statuses::{GENERATION, object, status, verdicts};

/// One object, and what it is in truth.
struct Case {
    verdict: Verdict,
    /// The status speaks of the spec as it is now.
    current: bool,
    deleting: bool,
    object: Value,
}

/// Every verdict, written over every other one, of this generation and of the last, live and being deleted.
fn cases() -> Vec<Case> {
    let verdicts = verdicts();
    let before: Vec<Option<IdentityStatus>> =
        std::iter::once(None).chain(verdicts.iter().map(|verdict| Some(status(verdict, None)))).collect();
    let mut cases = Vec::new();
    for verdict in &verdicts {
        for before in &before {
            let written = status(verdict, before.as_ref());
            for (current, deleting) in [(true, false), (false, false), (true, true), (false, true)] {
                let generation = if current { GENERATION } else { GENERATION + 1 };
                let object = object(generation, deleting, &written);
                cases.push(Case { verdict: verdict.clone(), current, deleting, object });
            }
        }
    }
    cases
}

#[test]
fn kstatus_asks_in_its_own_order() {
    let ready = |is: &str| json!({"type": "Ready", "status": is});
    let condition = |kind: &str| json!({"type": kind, "status": "True"});
    let rows = [
        (json!({}), Kstatus::Current),
        (json!({"status": {}}), Kstatus::Current),
        (json!({"status": {"conditions": [ready("True")]}}), Kstatus::Current),
        (json!({"status": {"conditions": [ready("False")]}}), Kstatus::InProgress),
        (json!({"status": {"conditions": [ready("Unknown")]}}), Kstatus::InProgress),
        (json!({"status": {"conditions": [condition("Suspended")]}}), Kstatus::Current),
        (json!({"status": {"conditions": [ready("True"), condition("Stalled")]}}), Kstatus::Failed),
        (json!({"status": {"conditions": [ready("False"), condition("Reconciling")]}}), Kstatus::InProgress),
        (json!({"status": {"conditions": [condition("Stalled"), condition("Reconciling")]}}), Kstatus::Failed),
        (json!({"status": {"conditions": [{"type": "Stalled", "status": "False"}]}}), Kstatus::Current),
        (
            json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "conditions": [condition("Stalled")]}}),
            Kstatus::InProgress,
        ),
        (
            json!({"metadata": {"generation": 2, "deletionTimestamp": "2026-11-22T00:00:00Z"}, "status": {"observedGeneration": 1}}),
            Kstatus::Terminating,
        ),
    ];
    for (object, expected) in rows {
        assert_eq!(kstatus(&object), expected, "{object}");
    }
}

#[test]
fn every_status_reads_as_what_it_says() {
    let cases = cases();
    assert!(cases.len() > 4_000, "only {} cases", cases.len());
    for Case { verdict, current, deleting, object } in cases {
        let expected = match (deleting, current) {
            (true, _) => Kstatus::Terminating,
            (false, true) if verdict.is_ready() => Kstatus::Current,
            (false, true) if verdict.is_stalled() => Kstatus::Failed,
            (false, _) => Kstatus::InProgress,
        };
        assert_eq!(kstatus(&object), expected, "{object}");
        // What kubectl wait and the expressions for Flux rest on.
        let conditions = object["status"]["conditions"].as_array().unwrap();
        assert!(conditions.iter().all(|it| it["observedGeneration"] == GENERATION), "{object}");
        let is_true = |kind: &str| conditions.iter().any(|it| it["type"] == kind && it["status"] == "True");
        assert_eq!(is_true("Ready"), verdict.is_ready());
        assert_eq!(is_true("Stalled"), verdict.is_stalled());
        assert_eq!(is_true("Suspended"), verdict == Verdict::Suspended);
        let kinds: Vec<&str> = conditions.iter().map(|it| it["type"].as_str().unwrap()).collect();
        assert!(kinds[0] == "Ready" && kinds[1..].iter().all(|kind| is_true(kind)), "only while true: {kinds:?}");
    }
}

/// What the API server makes of an object before the operator has seen it.
fn fresh() -> Value {
    let crd: Value = serde_yaml::from_str(include_str!("../../crds/identities.unkey.com.yaml")).unwrap();
    let default = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["default"];
    assert!(default["observedGeneration"].is_i64());
    json!({"metadata": {"generation": 1}, "spec": {"externalId": "acme"}, "status": default})
}

#[test]
fn what_the_operator_has_not_seen_is_in_progress() {
    assert_eq!(kstatus(&fresh()), Kstatus::InProgress);
    let argo = Argo::set_up();
    assert_eq!(argo.health(&fresh()).status, "Progressing");
    // As after an install of the CRD over one that had no default.
    for status in [json!(null), json!({}), json!({"conditions": []}), json!({"observedGeneration": 1})] {
        let health = argo.health(&json!({"metadata": {"generation": 1}, "spec": {}, "status": status}));
        assert_eq!((health.status.as_str(), health.message.as_str()), ("Progressing", "Waiting for unkey-operator"));
    }
}

/// Argo CD's verdict is that of kstatus, but that it has a word for suspended objects.
#[test]
fn argo_cd_agrees_with_kstatus() {
    let argo = Argo::set_up();
    for Case { verdict, current, deleting, object } in cases() {
        let health = argo.health(&object);
        let suspended = verdict == Verdict::Suspended && current && !deleting;
        let expected = match kstatus(&object) {
            Kstatus::Current => "Healthy",
            Kstatus::Failed => "Degraded",
            Kstatus::InProgress if suspended => "Suspended",
            Kstatus::InProgress | Kstatus::Terminating => "Progressing",
        };
        assert_eq!(health.status, expected, "{object}");
        let said = if current {
            object["status"]["conditions"][0]["message"].as_str().unwrap()
        } else {
            "Waiting for unkey-operator"
        };
        assert_eq!(health.message, said, "{object}");
    }
}

#[test]
fn the_action_asks_for_a_check_and_touches_nothing_else() {
    let argo = Argo::set_up();
    let live = object(GENERATION, false, &status(&Verdict::Synced, None));
    assert_eq!(argo.actions(&live), [("reconcile".to_owned(), true)]);
    let mut suspended = live.clone();
    suspended["spec"]["suspend"] = json!(true);
    let leaving = object(GENERATION, true, &status(&Verdict::Synced, None));
    for idle in [suspended, leaving] {
        assert_eq!(argo.actions(&idle), [("reconcile".to_owned(), false)], "{idle}");
    }
    let mut annotated = live.clone();
    annotated["metadata"]["annotations"] = json!({"example.com/note": "kept"});
    for before in [live, annotated] {
        let mut after = argo.act("reconcile", &before);
        let asked = after["metadata"]["annotations"]["unkey.com/reconcile-requested-at"].take();
        let time = asked.as_str().unwrap().parse::<k8s_openapi::jiff::Timestamp>();
        assert!(time.is_ok_and(|time| time > k8s_openapi::jiff::Timestamp::UNIX_EPOCH), "{asked}");
        let annotations = after["metadata"]["annotations"].as_object_mut().unwrap();
        annotations.remove("unkey.com/reconcile-requested-at");
        if annotations.is_empty() {
            after["metadata"].as_object_mut().unwrap().remove("annotations");
        }
        assert_eq!(after, before);
    }
}
