//! Reading a status: it counts only for the object it was written for.

use serde_json::json;

use super::message::{report, verdicts};
use super::{
    Cause, ExternalId, Field, FieldHash, Fields, ObjectKey, PriorStatus, Record, Shown, StatusUpdate, Verdict, uid,
};
use unkey_operator_api::StatusCause;
use unkey_operator_api::{DeletionPolicy, IdentityStatus, Origin, Reason};

fn status() -> serde_json::Value {
    json!({
        "observedGeneration": 3,
        "uid": "u",
        "identityId": "id_1",
        "origin": "Adopted",
        "applied": {"meta": "v1:aa", "ratelimits": "v9:bb"},
        "deletionPolicy": "Orphan",
        "credential": "0123456789ab",
        "lastHandledReconcileAt": "now",
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "Rejected", "message": "no", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "of another condition", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "Suspended", "status": "Unknown", "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ],
    })
}

fn read(status: serde_json::Value) -> PriorStatus {
    let status: IdentityStatus = serde_json::from_value(status).expect("a status");
    PriorStatus::read(Some(&status), &uid("u"), Some(&ExternalId::new("customer-1")))
}

#[test]
fn all_of_it_is_read() {
    let recorded = read(status());
    let record = recorded.own().expect("own");
    let held = record.held.as_ref().expect("held");
    assert_eq!((record.generation, record.deletion), (3, Some(DeletionPolicy::Orphan)));
    assert_eq!(held.identity.id().as_str(), "id_1");
    assert_eq!(held.identity.external_id().as_str(), "customer-1");
    assert_eq!(held.origin, Some(Origin::Adopted));
    // A hash of another version is unknown: the field is sent once more.
    let meta = Field::Managed(FieldHash::parse("v1:aa"));
    assert_eq!(held.fields, Fields { meta, limits: Field::Managed(None) });
    assert_eq!(held.credential.as_deref(), Some("0123456789ab"));
    assert_eq!(record.handled_request.as_deref(), Some("now"));
    let shown = Shown {
        ready: false,
        stalled: true,
        suspended: false,
        reason: Some(Reason::Rejected),
        cause: None,
        names_cause: false,
        message: "no".to_owned(),
    };
    assert_eq!(record.shown, shown);
}

/// Messages are for people: what a decision depends on has a word of its own. A status of 0.1 has none, and is read by what 0.1 wrote.
#[test]
fn the_cause_is_what_the_status_says_and_of_0_1_what_its_message_meant() {
    let shown = |reason: &str, cause: Option<&str>, message: &str| {
        let mut status = status();
        status["conditions"] = json!([{"type": "Ready", "status": "False", "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        status["cause"] = json!(cause);
        let shown = read(status).own().expect("own").shown.clone();
        (shown.cause, shown.names_cause)
    };
    let unanswered =
        "A request to Unkey went unanswered and may still take effect; a read after the consistency window will tell.";
    let broken = "Unkey answers this request with an internal error each time, while it answers others: something in this content breaks \
        it. Change the spec or ask Unkey's support; until then this is tried once an hour.";
    let contested = "What this spec asks for was sent to Unkey three times and found changed again each time: another client, or an \
        operator in another cluster, writes something else. Find it and agree on one owner; until then this is tried once an hour.";
    for (reason, message, cause) in [
        ("Progressing", unanswered, Some(StatusCause::Settling)),
        ("NotConverging", broken, Some(StatusCause::Broken)),
        ("NotConverging", contested, Some(StatusCause::Contested)),
        ("Progressing", "anything else", None),
        ("Rejected", unanswered, None),
    ] {
        assert_eq!(shown(reason, None, message), (cause, false), "{message}");
        assert_eq!(shown(reason, Some("Later"), message), (cause, false), "a word of a later version: {message}");
        assert_eq!(
            shown(reason, Some("Lag"), message),
            (Some(StatusCause::Lag), true),
            "its own word counts: {message}"
        );
    }
    assert_eq!(shown("Progressing", Some("Settling"), "xyzzy"), (Some(StatusCause::Settling), true));
}

/// One of 0.1 is written once more, with its cause.
#[test]
fn a_status_without_its_cause_is_not_what_would_be_written() {
    let key = ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() };
    for verdict in verdicts() {
        let report = report(verdict);
        let mut record = written(&report, &key);
        assert!(record.shows(&report, &key));
        record.shown.names_cause = false;
        assert_eq!(record.shows(&report, &key), report.verdict.cause().is_none(), "{:?}", report.verdict);
    }
}

/// The reason alone says too little exactly where there is a cause.
#[test]
fn progressing_and_not_converging_have_a_cause_and_no_other_reason_has_one() {
    for verdict in verdicts() {
        let several = matches!(verdict.reason(), Reason::Progressing | Reason::NotConverging);
        let leaving = matches!(verdict, Verdict::Conflict { .. } | Verdict::Blocked(_) | Verdict::DeletionHeld(_));
        assert!(verdict.cause().is_some() == several || leaving, "{verdict:?}");
    }
    for unread in [Cause::CrdHidden, Cause::CrdUnread("the API server fails".to_owned())] {
        assert_eq!(Verdict::Blocked(unread).cause(), Some(StatusCause::DefinitionUnread));
    }
    assert_eq!(Verdict::Blocked(Cause::Suspended).cause(), None);
}

#[test]
fn s16_of_another_object_it_is_a_hint_at_best() {
    let mut other = status();
    other["uid"] = json!("v");
    assert_eq!(read(other), PriorStatus::Restored);
    let mut none = status();
    none.as_object_mut().expect("an object").remove("uid");
    assert_eq!(read(none), PriorStatus::Nothing);
    assert_eq!(PriorStatus::read(None, &uid("u"), None), PriorStatus::Nothing);
    // The schema's default.
    assert_eq!(read(json!({"observedGeneration": -1})), PriorStatus::Nothing);
}

#[test]
fn without_an_id_or_an_external_id_nothing_is_held() {
    let mut empty = status();
    empty["identityId"] = json!("");
    assert_eq!(read(empty).own().expect("own").held, None);
    let status: IdentityStatus = serde_json::from_value(status()).expect("a status");
    assert_eq!(PriorStatus::read(Some(&status), &uid("u"), None).own().expect("own").held, None);
}

#[test]
fn unknown_words_are_read_leniently() {
    let mut odd = status();
    odd["conditions"] = json!([{"type": "Ready", "status": "Maybe", "reason": "Whatever", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let recorded = read(odd);
    let shown = &recorded.own().expect("own").shown;
    assert_eq!((shown.ready, shown.stalled, shown.reason), (false, false, None));
    assert_eq!(read(json!({"uid": "u"})).own().expect("own").generation, -1);
}

fn written(report: &StatusUpdate, key: &ObjectKey) -> Record {
    Record {
        generation: report.generation,
        held: report.held.clone(),
        observed: report.observed(),
        deletion: Some(report.deletion),
        handled_request: report.handled_request.clone(),
        shown: report.shown(key),
    }
}

#[test]
fn a_status_shows_its_own_report_and_no_other() {
    let key = ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() };
    let all: Vec<_> = verdicts().into_iter().map(report).collect();
    // A release that is refused reads alike, whatever it was for.
    let refused = |report: &StatusUpdate| match &report.verdict {
        Verdict::Waiting(cause @ Cause::ReleaseRefused { .. })
        | Verdict::Blocked(cause @ Cause::ReleaseRefused { .. }) => Some(cause.clone()),
        _ => None,
    };
    for (i, one) in all.iter().enumerate() {
        let record = written(one, &key);
        for (j, other) in all.iter().enumerate() {
            let alike = i == j || refused(one).is_some_and(|cause| refused(other) == Some(cause));
            assert_eq!(record.shows(other, &key), alike, "{:?} {:?}", one.verdict, other.verdict);
        }
        assert!(!record.shows(&StatusUpdate { generation: 2, ..one.clone() }, &key));
        assert!(!record.shows(&StatusUpdate { deletion: DeletionPolicy::Orphan, ..one.clone() }, &key));
        assert!(!record.shows(&StatusUpdate { handled_request: Some("p".to_owned()), ..one.clone() }, &key));
    }
}

#[test]
fn reasons_can_be_read_back() {
    for verdict in verdicts() {
        assert_eq!(Reason::parse(verdict.reason().as_str()), Some(verdict.reason()));
        assert!(!(verdict.is_ready() && verdict.is_stalled()));
    }
    assert_eq!(Reason::parse("synced"), None);
}

/// Worth a warning, once: when it begins, and not while it goes on.
#[test]
fn a_stall_begins_once() {
    let stalled = |now: bool| {
        let mut record = read(status());
        if let PriorStatus::Own(record) = &mut record {
            record.shown.stalled = now;
        }
        record
    };
    let stall = report(Verdict::Stalled(super::Stall::ExistsNever));
    assert!(stall.begins_stall(&PriorStatus::Nothing) && stall.begins_stall(&stalled(false)));
    assert!(!stall.begins_stall(&stalled(true)));
    let synced = report(Verdict::Synced);
    assert!(!synced.begins_stall(&PriorStatus::Nothing) && !synced.begins_stall(&stalled(true)));
}
