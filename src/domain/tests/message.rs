//! What users read: there is always something, in one line, and it says what to do.

use super::{
    Cause, Confirmed, ExternalId, IdentityId, Losses, Note, ObjectKey, Operation, Report, SpecError, Stall, Verdict,
};
use crate::api::DeletionPolicy;

pub(super) fn causes() -> Vec<Cause> {
    vec![
        Cause::Updating,
        Cause::Settling,
        Cause::Lag,
        Cause::Vanished,
        Cause::Unavailable,
        Cause::Misconfigured("404 text/plain".to_owned()),
        Cause::RateLimited,
        Cause::Unauthorized("key_not_found".to_owned()),
        Cause::PermissionDenied(Operation::Create),
        Cause::PermissionDenied(Operation::Delete),
        Cause::CredentialsMissing("the file is empty".to_owned()),
        Cause::Rejected("Metadata is too large".to_owned()),
        Cause::Mismatch,
        Cause::WorkspaceMismatch,
        Cause::Contested,
        Cause::Broken,
        Cause::CrdHidden,
        Cause::Suspended,
        Cause::OwnerPending,
        Cause::Unseen,
    ]
}

pub(super) fn stalls() -> Vec<Stall> {
    let errors = [
        SpecError::MetaTooDeep { levels: 101 },
        SpecError::MetaTooLarge { bytes: 2_000_000 },
        SpecError::KeyTooLong { bytes: 65_536 },
        SpecError::DuplicateLimit { name: "a\u{1b}[2J\nb".to_owned() },
        SpecError::Unreadable { field: "meta" },
    ];
    let others = [
        Stall::Rejected("Metadata is too large".to_owned()),
        Stall::ExistsNever,
        Stall::ExistsNeverMaybeOurs,
        Stall::ExistsWouldLose,
        Stall::WouldLose(Losses::of_meta(&super::meta("{}"), &super::meta(r#"{"plan":1}"#))),
        Stall::IdentityMismatch,
        Stall::Contested,
        Stall::Broken,
    ];
    errors.into_iter().map(Stall::InvalidSpec).chain(others).collect()
}

pub(super) fn verdicts() -> Vec<Verdict> {
    let mut all = vec![Verdict::Synced, Verdict::Suspended];
    all.extend([true, false].map(|owner_leaving| Verdict::Conflict { owner_leaving }));
    all.extend(causes().into_iter().flat_map(|cause| [Verdict::Waiting(cause.clone()), Verdict::Blocked(cause)]));
    all.extend(stalls().into_iter().map(Verdict::Stalled));
    all
}

pub(super) fn report(verdict: Verdict) -> Report {
    Report {
        generation: 1,
        held: None,
        deletion: DeletionPolicy::Delete,
        handled_poke: None,
        verdict,
        external_id: Some(ExternalId::new("customer-1")),
    }
}

fn key() -> ObjectKey {
    ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() }
}

#[test]
fn every_verdict_has_a_message_of_one_line() {
    for verdict in verdicts() {
        let message = report(verdict.clone()).message(&key());
        assert!(message.len() > 15 && message.len() < 1_000, "{verdict:?}: {message}");
        assert!(!message.chars().any(char::is_control), "{verdict:?}: {message:?}");
        assert!(!message.contains("..") && !message.contains("  "), "{verdict:?}: {message}");
        let nameless = Report { external_id: None, ..report(verdict) };
        assert!(!nameless.message(&key()).is_empty());
    }
}

#[test]
fn a_blocked_deletion_prints_the_exact_way_out() {
    let way_out =
        r#"kubectl patch identities.unkey.com customer -n shop --type=merge -p '{"spec":{"deletionPolicy":"Orphan"}}'"#;
    for cause in causes() {
        let message = report(Verdict::Blocked(cause.clone())).message(&key());
        assert!(message.ends_with(way_out), "{cause:?}: {message}");
    }
}

#[test]
fn a_denied_permission_is_named() {
    for operation in [Operation::Create, Operation::Read, Operation::Update, Operation::Delete] {
        let message = report(Verdict::Waiting(Cause::PermissionDenied(operation))).message(&key());
        assert!(message.contains(operation.permission()), "{message}");
    }
}

#[test]
fn events_say_which_identity() {
    let id = || IdentityId::new("id_123456789");
    for note in [Note::Adopted(id()), Note::Recreated(id()), Note::Replaced(id()), Note::DriftCorrected(id())] {
        assert!(note.text().contains("id_123456789"), "{note:?}");
        assert_eq!(note.about(), "id_123456789");
    }
    for (field, empty) in [("meta", "meta: {}"), ("ratelimits", "ratelimits: []")] {
        assert!(Note::Released { field }.text().contains(empty));
        assert_eq!(Note::Released { field }.about(), field);
    }
    assert_eq!(Note::Orphaned(Some(ExternalId::new("customer-1"))).about(), "customer-1");
    assert!(Note::Orphaned(Some(ExternalId::new("customer-1"))).text().contains("customer-1"));
    assert!(!Note::Orphaned(None).text().is_empty());
}

#[test]
fn an_identity_is_confirmed_only_by_its_exact_external_id() {
    let ours = ExternalId::new("customer-1");
    assert!(Confirmed::from_reply(&ours, "customer-1", "id_1").is_some());
    assert!(Confirmed::from_reply(&ours, "Customer-1", "id_1").is_none());
    assert!(Confirmed::from_reply(&ours, "customer-1", "").is_none());
    assert!(Confirmed::from_create(&ours, "").is_none());
    let uid = super::uid("u");
    assert!(Confirmed::from_status(Some("u"), &uid, &ours, "id_1").is_some());
    assert!(Confirmed::from_status(Some("v"), &uid, &ours, "id_1").is_none());
    assert!(Confirmed::from_status(None, &uid, &ours, "id_1").is_none());
}
