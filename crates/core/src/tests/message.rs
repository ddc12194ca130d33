//! What users read: there is always something, in one line, and it says what to do.

use super::any::episode;
use super::{
    Approval, Cause, Confirmed, EventNote, ExternalId, HeldDeletion, IdentityId, Left, Losses, ObjectKey, Operation,
    SpecError, Stall, StatusUpdate, Stripper, Verdict,
};
use unkey_operator_api::DeletionPolicy;

pub(super) fn causes() -> Vec<Cause> {
    [
        Cause::Updating,
        Cause::Settling,
        Cause::Lag,
        Cause::Vanished,
        Cause::Unavailable,
        Cause::Misconfigured("404 text/plain".to_owned()),
        Cause::Untrusted("the server's certificate has expired".to_owned()),
        Cause::RateLimited,
        Cause::Unauthorized("key_not_found".to_owned()),
        Cause::PermissionDenied(Operation::Create),
        Cause::PermissionDenied(Operation::Delete),
        Cause::Unwitnessed,
        Cause::CredentialsMissing("the file is empty".to_owned()),
        Cause::Rejected("Metadata is too large".to_owned()),
        Cause::Mismatch,
        Cause::WorkspaceMismatch,
        Cause::Contested,
        Cause::Broken,
        Cause::CrdHidden,
        Cause::CrdUnread("the API server says: 404 page not found".to_owned()),
        Cause::Suspended,
        Cause::OwnerPending,
        Cause::Unseen,
        Cause::Outdated,
        Cause::ClaimRefused("admission webhook \"x\" denied the request: no.".to_owned()),
        Cause::AnnotationsTooLarge { is: 262_145, largest: "a".to_owned(), bytes: 262_000 },
        Cause::AnnotationsTooLarge { is: 262_145, largest: LAST_APPLIED.to_owned(), bytes: 262_000 },
        Cause::Queued,
        Cause::DeletionDelayed,
    ]
    .into_iter()
    .chain([Left::Gone, Left::Kept, Left::Others, Left::Nothing].map(released))
    .collect()
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn released(left: Left) -> Cause {
    Cause::ReleaseRefused { words: "denied.".to_owned(), left }
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
        Stall::ExistsWouldLose(Losses::of_meta(&super::meta("{}"), &super::meta(r#"{"plan":1}"#))),
        Stall::WouldLose(Losses::of_meta(&super::meta("{}"), &super::meta(r#"{"plan":1}"#))),
        Stall::IdentityMismatch,
        Stall::Contested,
        Stall::Broken,
        Stall::Stripped(Stripper::Admission),
        Stall::Stripped(Stripper::Manager("argocd".to_owned())),
        Stall::Stripped(Stripper::Unknown),
    ];
    errors.into_iter().map(Stall::InvalidSpec).chain(others).collect()
}

pub(super) fn verdicts() -> Vec<Verdict> {
    let mut all = vec![Verdict::Synced, Verdict::Suspended];
    all.extend(
        [(true, true), (true, false), (false, false)]
            .map(|(owner_leaving, owner_held)| Verdict::Conflict { owner_leaving, owner_held }),
    );
    all.extend(causes().into_iter().flat_map(|cause| [Verdict::Waiting(cause.clone()), Verdict::Blocked(cause)]));
    all.extend(stalls().into_iter().map(Verdict::Stalled));
    let approvals =
        [Approval::None, Approval::Past("2026-11-28T16:00:00Z".to_owned()), Approval::Unreadable("yes".to_owned())];
    all.extend(approvals.map(held));
    all
}

pub(super) fn held(approval: Approval) -> Verdict {
    let approve_until = "2026-11-28T18:00:00Z".to_owned();
    Verdict::DeletionHeld(Box::new(HeldDeletion { episode: episode(), approve_until, approval }))
}

pub(super) fn report(verdict: Verdict) -> StatusUpdate {
    StatusUpdate {
        generation: 1,
        held: None,
        deletion: DeletionPolicy::Delete,
        handled_request: None,
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
        let nameless = StatusUpdate { external_id: None, ..report(verdict) };
        assert!(!nameless.message(&key()).is_empty());
    }
}

#[test]
fn a_blocked_deletion_prints_the_exact_way_out() {
    let way_out =
        r#"kubectl patch identities.unkey.com customer -n shop --type=merge -p '{"spec":{"deletionPolicy":"Orphan"}}'"#;
    // One that is refused by Kubernetes has no identity to keep.
    let blocks = |cause: &Cause| !matches!(cause, Cause::ReleaseRefused { .. });
    for cause in causes().into_iter().filter(blocks) {
        let message = report(Verdict::Blocked(cause.clone())).message(&key());
        assert!(message.ends_with(way_out), "{cause:?}: {message}");
    }
}

#[test]
fn r20_a_held_deletion_prints_the_numbers_and_three_commands() {
    let message = report(held(Approval::None)).message(&key());
    for part in [
        "11 in namespace 'shop' within 10 minutes, and 10 of 24 recorded identities",
        "kubectl annotate identities.unkey.com --all --overwrite -n shop unkey.com/deletion-approved=2026-11-28T18:00:00Z.",
        r#"kubectl patch identities.unkey.com customer -n shop --type=merge -p '{"spec":{"deletionPolicy":"Orphan"}}'"#,
        "kubectl get identities.unkey.com -n shop",
    ] {
        assert!(message.contains(part), "{part}: {message}");
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
    for note in [
        EventNote::Adopted(id()),
        EventNote::Recreated(id()),
        EventNote::Replaced(id()),
        EventNote::DriftCorrected(id()),
    ] {
        assert!(note.text().contains("id_123456789"), "{note:?}");
        assert_eq!(note.about(), "id_123456789");
    }
    for (field, empty) in [("meta", "meta: {}"), ("ratelimits", "ratelimits: []")] {
        assert!(EventNote::Released { field }.text().contains(empty));
        assert_eq!(EventNote::Released { field }.about(), field);
    }
    assert_eq!(EventNote::Orphaned(Some(ExternalId::new("customer-1"))).about(), "customer-1");
    assert!(EventNote::Orphaned(Some(ExternalId::new("customer-1"))).text().contains("customer-1"));
    assert!(!EventNote::Orphaned(None).text().is_empty());
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

#[test]
fn a_status_that_is_refused_is_told_with_what_it_would_have_said() {
    let text = report(Verdict::Synced).unwritten(&key(), "denied the request: no.");
    assert!(text.contains("denied the request: no. The present status may be out of date. It would say Synced: Unkey accepted this spec."), "{text}");
}

#[test]
fn an_annotation_that_a_client_side_apply_writes_has_a_way_out() {
    let told = |largest: &str| {
        let cause = Cause::AnnotationsTooLarge { is: 262_145, largest: largest.to_owned(), bytes: 262_000 };
        report(Verdict::Waiting(cause)).message(&key())
    };
    assert!(told(LAST_APPLIED).contains("kubectl apply --server-side"));
    assert!(!told("other").contains("server-side"));
}
