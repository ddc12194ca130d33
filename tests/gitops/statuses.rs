//! Every status that the operator can write, by the shipped code: whatever it decides, it writes one of these. That a status speaks of the
//! generation that was decided on is tested where that is done (`crates/core/src/tests/decide.rs`).

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use unkey_operator::api::{DeletionPolicy, IdentityStatus};
use unkey_operator::controller::render_status;
use unkey_operator::domain::{
    Approval, Cause, Episode, ExternalId, HeldDeletion, IdentityId, Left, Losses, ObjectKey, Observation,
    ObservedRefusal, Operation, Outlook, SpecError, Stall, StatusUpdate, Stripper, Uid, Verdict,
};

/// The generation that every status here speaks of.
pub const GENERATION: i64 = 1;

/// A value of each variant. One that is not here does not compile.
macro_rules! every {
    ($kind:ty: $($variant:pat => $value:expr),+ $(,)?) => {{
        let _complete = |it: &$kind| match it { $($variant => {}),+ };
        let all: Vec<$kind> = vec![$($value),+];
        all
    }};
}

fn why() -> String {
    "for a reason".to_owned()
}

fn causes() -> Vec<Cause> {
    use Cause as C;
    every! { Cause:
        C::Updating => C::Updating,
        C::Settling => C::Settling,
        C::Lag => C::Lag,
        C::Vanished => C::Vanished,
        C::Unavailable => C::Unavailable,
        C::Misconfigured(_) => C::Misconfigured(why()),
        C::Untrusted(_) => C::Untrusted(why()),
        C::RateLimited => C::RateLimited,
        C::Unauthorized(_) => C::Unauthorized(why()),
        C::PermissionDenied(_) => C::PermissionDenied(Operation::Create),
        C::Unwitnessed => C::Unwitnessed,
        C::CredentialsMissing(_) => C::CredentialsMissing(why()),
        C::Rejected(_) => C::Rejected(why()),
        C::Mismatch => C::Mismatch,
        C::WorkspaceMismatch => C::WorkspaceMismatch,
        C::Contested => C::Contested,
        C::Broken => C::Broken,
        C::CrdHidden => C::CrdHidden,
        C::CrdUnread(_) => C::CrdUnread(why()),
        C::Suspended => C::Suspended,
        C::OwnerPending => C::OwnerPending,
        C::Unseen => C::Unseen,
        C::Outdated => C::Outdated,
        C::ClaimRefused(_) => C::ClaimRefused(why()),
        C::ReleaseRefused { .. } => C::ReleaseRefused { words: why(), left: Left::Gone },
        C::AnnotationsTooLarge { .. } => C::AnnotationsTooLarge { is: 262_145, largest: why(), bytes: 262_000 },
        C::Queued => C::Queued,
        C::DeletionDelayed => C::DeletionDelayed,
        C::Observing => C::Observing,
        C::Observed => C::Observed,
    }
}

fn stalls() -> Vec<Stall> {
    use Stall as S;
    every! { Stall:
        S::InvalidSpec(_) => S::InvalidSpec(SpecError::MetaTooDeep { levels: 101 }),
        S::Rejected(_) => S::Rejected(why()),
        S::ExistsNever => S::ExistsNever,
        S::ExistsNeverMaybeOurs => S::ExistsNeverMaybeOurs,
        S::ExistsWouldLose(_) => S::ExistsWouldLose(Losses::default()),
        S::WouldLose(_) => S::WouldLose(Losses::default()),
        S::IdentityMismatch => S::IdentityMismatch,
        S::Contested => S::Contested,
        S::Broken => S::Broken,
        S::Stripped(_) => S::Stripped(Stripper::Admission),
    }
}

fn held() -> HeldDeletion {
    let window = Duration::from_secs(600);
    let episode = Episode { everywhere: false, deletions: 11, sent: 0, limit: 10, recorded: 24, window };
    HeldDeletion { episode, approve_until: "2026-11-28T18:00:00Z".to_owned(), approval: Approval::None }
}

fn observing(outlook: Outlook) -> Verdict {
    let (identity, differs) = (Some(IdentityId::new("id_1")), vec!["meta.plan".to_owned()]);
    Verdict::Observing(Box::new(Observation { outlook, identity, differs, more: 0, removes: true, others: 1 }))
}

pub fn verdicts() -> Vec<Verdict> {
    use ObservedRefusal as R;
    use Verdict as V;
    let mut all = every! { Verdict:
        V::Synced => V::Synced,
        V::Suspended => V::Suspended,
        V::Conflict { owner_leaving: true, .. } => V::Conflict { owner_leaving: true, owner_held: true },
        V::Conflict { owner_leaving: false, .. } => V::Conflict { owner_leaving: false, owner_held: false },
        V::DeletionHeld(_) => V::DeletionHeld(Box::new(held())),
        V::Observing(_) => observing(Outlook::Nothing),
        // In full below.
        V::Waiting(_) => V::Waiting(Cause::Updating),
        V::Blocked(_) => V::Blocked(Cause::Suspended),
        V::Stalled(_) => V::Stalled(Stall::Contested),
    };
    all.extend(causes().into_iter().flat_map(|cause| [V::Waiting(cause.clone()), V::Blocked(cause)]));
    all.extend(stalls().into_iter().map(V::Stalled));
    let invalid = R::InvalidSpec(SpecError::MetaTooDeep { levels: 101 });
    let refuses = [invalid, R::ExistsNever, R::ExistsWouldLose, R::WouldLose, R::IdentityMismatch, R::Conflict];
    let outlooks = [Outlook::Update, Outlook::Create].into_iter().chain(refuses.map(Outlook::Refuse));
    all.extend(outlooks.map(observing));
    all
}

/// The status that says `verdict` of [`GENERATION`], written over another one.
pub fn status(verdict: &Verdict, before: Option<&IdentityStatus>) -> IdentityStatus {
    let report = StatusUpdate {
        generation: GENERATION,
        held: None,
        deletion: DeletionPolicy::Delete,
        handled_request: None,
        verdict: verdict.clone(),
        external_id: Some(ExternalId::new("acme")),
    };
    let key = ObjectKey { namespace: "shop".to_owned(), name: "acme".to_owned() };
    render_status(&report, &key, &Uid::new("u"), before, Timestamp::UNIX_EPOCH)
}

/// An object of a generation with that status.
pub fn object(generation: i64, deleting: bool, status: &IdentityStatus) -> Value {
    let mut object = json!({
        "apiVersion": "unkey.com/v1alpha1", "kind": "Identity",
        "metadata": {"name": "acme", "namespace": "shop", "uid": "u", "generation": generation},
        "spec": {"externalId": "acme"},
        "status": status,
    });
    if deleting {
        object["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    }
    object
}
