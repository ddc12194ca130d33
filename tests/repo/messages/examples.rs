//! An example of every verdict, cause, stall and event. A variant that is added does not compile until it has one here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use unkey_operator::api::DeletionPolicy;
use unkey_operator::domain::{
    Approval, Cause, Content, Episode, EventNote, ExternalId, HeldDeletion, IdentityId, Left, Limit, Limits, Losses,
    Meta, ObjectKey, Observation, ObservedRefusal, Operation, Outlook, SpecError, Stall, StatusUpdate, Stripper,
    VanishedLimits, Verdict,
};

/// A list of examples, each under the pattern that it stands for. The patterns are those of a `match`, so they are all there are.
macro_rules! examples {
    (fn $name:ident() -> $type:ty { $($pattern:pat => [$($example:expr),+ $(,)?],)+ }) => {
        pub fn $name() -> Vec<(&'static str, $type)> {
            // Without `_`: a variant without a row does not compile.
            #[allow(clippy::match_same_arms, clippy::needless_pass_by_value)]
            fn row(value: &$type) -> &'static str {
                match value {
                    $($pattern => stringify!($pattern),)+
                }
            }
            let mut all = Vec::new();
            $($(
                let example: $type = $example;
                assert_eq!(row(&example), stringify!($pattern), "an example in another's row");
                all.push((stringify!($pattern), example));
            )+)+
            all
        }
    };
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

examples! {
    fn operations() -> Operation {
        Operation::Create => [Operation::Create],
        Operation::Read => [Operation::Read],
        Operation::Update => [Operation::Update],
        Operation::Delete => [Operation::Delete],
    }
}

examples! {
    fn left() -> Left {
        Left::Gone => [Left::Gone],
        Left::Kept => [Left::Kept],
        Left::Others => [Left::Others],
        Left::Nothing => [Left::Nothing],
    }
}

examples! {
    fn strippers() -> Stripper {
        Stripper::Unasked => [Stripper::Unasked],
        Stripper::Admission => [Stripper::Admission],
        Stripper::Manager(_) => [Stripper::Manager("argocd-controller".to_owned())],
        Stripper::Unknown => [Stripper::Unknown],
    }
}

examples! {
    fn spec_errors() -> SpecError {
        SpecError::MetaTooDeep { .. } => [SpecError::MetaTooDeep { levels: 101 }],
        SpecError::MetaTooLarge { .. } => [SpecError::MetaTooLarge { bytes: 2_000_000 }],
        SpecError::KeyTooLong { .. } => [SpecError::KeyTooLong { bytes: 65_536 }],
        SpecError::DuplicateLimit { .. } => [SpecError::DuplicateLimit { name: "requests".to_owned() }],
        SpecError::Unreadable { .. } => [SpecError::Unreadable { field: "meta" }],
    }
}

examples! {
    // Those that have rows of their own have one example here.
    fn plain_causes() -> Cause {
        Cause::Updating => [Cause::Updating],
        Cause::Settling => [Cause::Settling],
        Cause::Lag => [Cause::Lag],
        Cause::Vanished => [Cause::Vanished],
        Cause::Unavailable => [Cause::Unavailable],
        Cause::Misconfigured(_) => [Cause::Misconfigured(
            "HTTP 404 in a format that is not the Unkey API's: a proxy, a load balancer or another server answers at the API URL".to_owned()
        )],
        Cause::Untrusted(_) => [Cause::Untrusted(
            "the server's certificate has expired; renew the certificate, unless the clock of the operator's node is wrong".to_owned()
        )],
        Cause::RateLimited => [Cause::RateLimited],
        Cause::Unauthorized(_) => [Cause::Unauthorized("We could not find the requested key".to_owned())],
        Cause::PermissionDenied(_) => [Cause::PermissionDenied(Operation::Create)],
        Cause::Unwitnessed => [Cause::Unwitnessed],
        Cause::CredentialsMissing(_) => [Cause::CredentialsMissing(
            "no root key: /etc/unkey-operator/root-key does not exist".to_owned()
        )],
        Cause::Rejected(_) => [Cause::Rejected("Metadata is too large".to_owned())],
        Cause::Mismatch => [Cause::Mismatch],
        Cause::WorkspaceMismatch => [Cause::WorkspaceMismatch],
        Cause::Contested => [Cause::Contested],
        Cause::Broken => [Cause::Broken],
        Cause::CrdHidden => [Cause::CrdHidden],
        Cause::CrdUnread(_) => [Cause::CrdUnread("the API server did not answer within 30 s".to_owned())],
        Cause::Suspended => [Cause::Suspended],
        Cause::OwnerPending => [Cause::OwnerPending],
        Cause::Unseen => [Cause::Unseen],
        Cause::Outdated => [Cause::Outdated],
        Cause::ClaimRefused(_) => [Cause::ClaimRefused(denied())],
        Cause::ReleaseRefused { .. } => [Cause::ReleaseRefused { words: denied(), left: Left::Gone }],
        Cause::AnnotationsTooLarge { .. } => [annotations("example.com/notes"), annotations(LAST_APPLIED)],
        Cause::Queued => [Cause::Queued],
        Cause::DeletionDelayed => [Cause::DeletionDelayed],
        Cause::Observing => [Cause::Observing],
        Cause::Observed => [Cause::Observed],
    }
}

examples! {
    fn plain_stalls() -> Stall {
        Stall::InvalidSpec(_) => [Stall::InvalidSpec(SpecError::MetaTooDeep { levels: 101 })],
        Stall::Rejected(_) => [Stall::Rejected("Metadata is too large".to_owned())],
        Stall::ExistsNever => [Stall::ExistsNever],
        Stall::ExistsNeverMaybeOurs => [Stall::ExistsNeverMaybeOurs],
        Stall::ExistsWouldLose(_) => [Stall::ExistsWouldLose(foreign_losses())],
        Stall::WouldLose(_) => [Stall::WouldLose(losses())],
        Stall::IdentityMismatch => [Stall::IdentityMismatch],
        Stall::Contested => [Stall::Contested],
        Stall::Broken => [Stall::Broken],
        Stall::Stripped(_) => [Stall::Stripped(Stripper::Admission)],
    }
}

examples! {
    fn plain_verdicts() -> Verdict {
        Verdict::Synced => [Verdict::Synced],
        Verdict::Waiting(_) => [Verdict::Waiting(Cause::Queued)],
        Verdict::Blocked(_) => [Verdict::Blocked(Cause::Queued)],
        Verdict::DeletionHeld(_) => [
            held(Approval::None, false),
            held(Approval::None, true),
            held(Approval::Past("2026-11-28T16:00:00Z".to_owned()), false),
            held(Approval::Unreadable("yes".to_owned()), false),
        ],
        Verdict::Suspended => [Verdict::Suspended],
        Verdict::Observing(_) => [
            observing(Outlook::Nothing, &[], false),
            observing(Outlook::Update, &["meta.plan"], false),
            observing(Outlook::Update, &["meta.plan", "ratelimits[requests].limit"], true),
            observing(Outlook::Create, &[], false),
            observing(Outlook::Refuse(ObservedRefusal::InvalidSpec(SpecError::KeyTooLong { bytes: 65_536 })), &[], false),
            observing(Outlook::Refuse(ObservedRefusal::ExistsNever), &[], false),
            observing(Outlook::Refuse(ObservedRefusal::ExistsWouldLose), &["meta.plan"], false),
            observing(Outlook::Refuse(ObservedRefusal::WouldLose), &["meta.plan"], false),
            observing(Outlook::Refuse(ObservedRefusal::IdentityMismatch), &[], false),
            observing(Outlook::Refuse(ObservedRefusal::Conflict), &[], false),
        ],
        Verdict::Conflict { .. } => [
            Verdict::Conflict { owner_leaving: true, owner_held: true },
            Verdict::Conflict { owner_leaving: true, owner_held: false },
            Verdict::Conflict { owner_leaving: false, owner_held: false },
        ],
        Verdict::Stalled(_) => [Verdict::Stalled(Stall::Contested)],
    }
}

examples! {
    fn notes() -> EventNote {
        EventNote::Adopted(_) => [EventNote::Adopted(id())],
        EventNote::Recreated(_) => [EventNote::Recreated(id())],
        EventNote::Replaced(_) => [EventNote::Replaced(id())],
        EventNote::DriftCorrected(_) => [EventNote::DriftCorrected(id())],
        EventNote::Released { .. } => [
            EventNote::Released { field: "meta" },
            EventNote::Released { field: "ratelimits" },
        ],
        EventNote::Orphaned(_) => [EventNote::Orphaned(Some(ExternalId::new("customer-1")))],
        EventNote::LimitRemoved(_) => [
            EventNote::LimitRemoved(vanished(&["ai-tokens", "requests"], &[])),
            EventNote::LimitRemoved(vanished(&[], &["requests"])),
            EventNote::LimitRemoved(vanished(&["ai-tokens"], &["requests"])),
        ],
        EventNote::MassDeletionHeld { .. } => [
            EventNote::MassDeletionHeld { namespace: "shop".to_owned(), episode: episode(false) },
            EventNote::MassDeletionHeld { namespace: "shop".to_owned(), episode: episode(true) },
        ],
    }
}

fn vanished(removed: &[&str], unapplied: &[&str]) -> VanishedLimits {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    VanishedLimits { removed: names(removed), unapplied: names(unapplied) }
}

fn episode(everywhere: bool) -> Episode {
    Episode { everywhere, deletions: 11, sent: 0, limit: 10, recorded: 24, window: Duration::from_secs(600) }
}

fn held(approval: Approval, everywhere: bool) -> Verdict {
    let approve_until = "2026-11-28T18:00:00Z".to_owned();
    Verdict::DeletionHeld(Box::new(HeldDeletion { episode: episode(everywhere), approve_until, approval }))
}

fn observing(outlook: Outlook, differs: &[&str], removes: bool) -> Verdict {
    let differs = differs.iter().map(ToString::to_string).collect();
    Verdict::Observing(Box::new(Observation { outlook, identity: Some(id()), differs, more: 0, removes, others: 0 }))
}

fn id() -> IdentityId {
    IdentityId::new("id_123456789")
}

fn denied() -> String {
    "admission webhook \"policy.example.com\" denied the request: no".to_owned()
}

fn annotations(largest: &str) -> Cause {
    Cause::AnnotationsTooLarge { is: 262_245, largest: largest.to_owned(), bytes: 262_000 }
}

fn losses() -> Losses {
    let (meta, stored) = (fields(&json!({}), 1), fields(&json!({"email": "a@example.com", "plan": "pro"}), 2));
    Losses::of_meta(&meta.meta, &stored.meta).and(Losses::of_limits(&meta.limits, &stored.limits))
}

/// Of an identity of somebody else.
fn foreign_losses() -> Losses {
    let (wanted, stored) =
        (fields(&json!({"plan": "free"}), 1), fields(&json!({"email": "a@example.com", "plan": "pro"}), 2));
    Losses::of_foreign(Some(&wanted.meta), Some(&wanted.limits), &stored)
}

fn fields(meta: &serde_json::Value, limit: i64) -> Content {
    let limit = Limit { limit, duration: 60_000, auto_apply: false };
    let meta = Meta::new(meta.as_object().cloned().unwrap_or_default());
    Content { meta, limits: Limits::new(BTreeMap::from([("requests".to_owned(), limit)])) }
}

/// The last word of a pattern such as `Cause::Lag` or `Left::Gone`, without what it carries.
fn name(pattern: &str) -> &str {
    let path = pattern.split(['(', ' ']).next().unwrap_or(pattern);
    path.rsplit("::").next().unwrap_or(path).trim()
}

/// Every cause, with every value that changes its words.
fn causes() -> Vec<(String, Cause)> {
    let mut all = Vec::new();
    for (pattern, cause) in plain_causes() {
        let of = |part: &str| format!("{}: {}", name(pattern), name(part));
        match cause {
            Cause::PermissionDenied(_) => {
                all.extend(operations().into_iter().map(|(part, it)| (of(part), Cause::PermissionDenied(it))));
            }
            Cause::ReleaseRefused { words, .. } => all.extend(
                left().into_iter().map(|(part, left)| (of(part), Cause::ReleaseRefused { words: words.clone(), left })),
            ),
            cause => all.push((name(pattern).to_owned(), cause)),
        }
    }
    all
}

fn stalls() -> Vec<(String, Stall)> {
    let mut all = Vec::new();
    for (pattern, stall) in plain_stalls() {
        let of = |part: &str| format!("{}: {}", name(pattern), name(part));
        match stall {
            Stall::InvalidSpec(_) => {
                all.extend(spec_errors().into_iter().map(|(part, it)| (of(part), Stall::InvalidSpec(it))));
            }
            Stall::Stripped(_) => all.extend(strippers().into_iter().map(|(part, it)| (of(part), Stall::Stripped(it)))),
            stall => all.push((name(pattern).to_owned(), stall)),
        }
    }
    all
}

/// What can keep a deletion from being carried out. The others are of objects that stay.
fn may_block(cause: &Cause) -> bool {
    let stays = matches!(cause, Cause::Updating | Cause::Lag | Cause::Vanished | Cause::Mismatch | Cause::Contested);
    // Told as in progress, not as blocked.
    let goes_on = matches!(cause, Cause::Settling | Cause::Queued | Cause::DeletionDelayed | Cause::Observing);
    !stays && !goes_on
}

/// Every verdict, with what it is called.
pub fn verdicts() -> Vec<(String, Verdict)> {
    let mut all = Vec::new();
    for (pattern, verdict) in plain_verdicts() {
        let of = |part: &str| format!("{}({part})", name(pattern));
        match verdict {
            Verdict::Waiting(_) => {
                let waits =
                    causes().into_iter().filter(|(_, cause)| !matches!(cause, Cause::Suspended | Cause::Observed));
                all.extend(waits.map(|(part, cause)| (of(&part), Verdict::Waiting(cause))));
            }
            Verdict::Blocked(_) => {
                let blocks = causes().into_iter().filter(|(_, cause)| may_block(cause));
                all.extend(blocks.map(|(part, cause)| (of(&part), Verdict::Blocked(cause))));
            }
            Verdict::Observing(observation) => {
                let name = match &observation.outlook {
                    Outlook::Refuse(ObservedRefusal::InvalidSpec(_)) => "Observing: Refuse(InvalidSpec)".to_owned(),
                    outlook => format!("Observing: {outlook:?}"),
                };
                all.push((name, Verdict::Observing(observation)));
            }
            Verdict::Stalled(_) => {
                all.extend(stalls().into_iter().map(|(part, stall)| (of(&part), Verdict::Stalled(stall))));
            }
            verdict @ Verdict::Conflict { owner_leaving, owner_held } => {
                let name = match (owner_leaving, owner_held) {
                    (true, true) => "Conflict: held",
                    (true, false) => "Conflict: leaving",
                    (false, _) => "Conflict",
                };
                all.push((name.to_owned(), verdict));
            }
            Verdict::DeletionHeld(held) => {
                let name = match (&held.approval, held.episode.everywhere) {
                    (Approval::Past(_), _) => "DeletionHeld: approval has ended",
                    (Approval::Unreadable(_), _) => "DeletionHeld: approval cannot be read",
                    (_, true) => "DeletionHeld: several namespaces",
                    (_, false) => "DeletionHeld",
                };
                all.push((name.to_owned(), Verdict::DeletionHeld(held)));
            }
            verdict => all.push((name(pattern).to_owned(), verdict)),
        }
    }
    all
}

fn key() -> ObjectKey {
    ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() }
}

fn update(verdict: &Verdict) -> StatusUpdate {
    StatusUpdate {
        generation: 1,
        held: None,
        deletion: DeletionPolicy::Delete,
        handled_request: None,
        verdict: verdict.clone(),
        external_id: Some(ExternalId::new("customer-1")),
    }
}

/// The message of the conditions of an `Identity` shop/customer.
pub fn message(verdict: &Verdict) -> String {
    update(verdict).message(&key())
}

/// The note in place of a status that is refused.
pub fn unwritten() -> String {
    update(&Verdict::Synced).unwritten(&key(), &denied())
}
