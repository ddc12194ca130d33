//! The sentences that users read in conditions and events: what happened, to what, and what to do.
//!
//! No secret, no name from another namespace, no request id and nothing that changes from one retry to the next.

mod deletions;
mod events;
mod observed;

use self::deletions::{deletion_held, orphan};
use self::events::text_of_note;
use self::observed::observed;
use super::cause::{Cause, Left};
use super::claim::MAX_ANNOTATION_BYTES;
use super::ids::ObjectKey;
use super::note::EventNote;
use super::permission::Operation;
use super::stripped::Stripper;
use super::verdict::{Stall, Verdict};

const CONTESTED: &str = "Another client changes this identity: the operator has corrected it three times, and it was changed again. Find \
     that client, and let only one of the two manage the identity. The operator tries again every hour.";
const BROKEN: &str = "Unkey fails on this content: it answers this request with an internal error each time, and other requests without \
     one. Change the spec, or contact Unkey's support. The operator tries again every hour.";
const WORKSPACE_MISMATCH: &str = "The root key shows none of the identities recorded under an earlier root key: it probably belongs to another \
     workspace. Put a root key of the right workspace in place. To migrate to another workspace intentionally, \
     follow docs/guides/change-workspace.md.";
const CRD_HIDDEN: &str = "The operator may not read the CustomResourceDefinition identities.unkey.com. It cannot tell whether only this resource \
     is deleted or the whole type, in which case the identity is kept. Grant the operator 'get' on that object.";
const OUTDATED: &str = "The CustomResourceDefinition identities.unkey.com in the cluster is older than the operator: the API server drops fields \
     that the operator records. Apply crds/identities.unkey.com.yaml of the operator's version. Until then nothing is created, adopted or deleted for this resource.";
const QUEUED: &str = "Other work is ahead, or Unkey or Kubernetes answers slowly: changes to this resource, its deletion included, wait in the queue and continue automatically.";

const DELETION_DELAYED: &str = "The deletion waits for the configured hold (--deletion-hold), so that a mass deletion is noticed before its first identity is \
     deleted. It continues automatically.";

const REMEDY: &str = "Change the policy, webhook, quota or role that refuses this write, or change this resource. Retried at least every \
     5 minutes, and at once after a change of the spec.";
/// Written by a client-side apply; it holds the whole manifest once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What people read. With the feature `nonsense-messages` it means nothing, and something else in each process, as if each were of another
/// version: whatever works then takes no message for a protocol.
fn for_people(text: String) -> String {
    #[cfg(feature = "nonsense-messages")]
    let text = {
        use std::hash::BuildHasher;
        static OF_THIS_PROCESS: std::sync::OnceLock<std::hash::RandomState> = std::sync::OnceLock::new();
        format!("nonsense {:016x}", OF_THIS_PROCESS.get_or_init(Default::default).hash_one(text))
    };
    text
}

pub(super) fn of(verdict: &Verdict, key: &ObjectKey, external_id: &str) -> String {
    for_people(of_verdict(verdict, key, external_id))
}

/// What a plan says of a resource that never comes to rest in it.
pub(super) const RESTLESS: &str =
    "The plan does not come to an end for this resource. This is a bug of unkey-operator; report it.";

/// What a plan says of a resource that goes without a delete in Unkey.
pub(super) fn of_release(left: Left) -> &'static str {
    match left {
        Left::Gone | Left::Nothing => "The resource goes. Unkey holds no identity of it.",
        Left::Kept => "The resource goes. Its identity stays in Unkey.",
        Left::Others => "The resource goes. What Unkey holds under its externalId is not this resource's, and stays.",
    }
}

fn of_verdict(verdict: &Verdict, key: &ObjectKey, external_id: &str) -> String {
    match verdict {
        Verdict::Synced => "Unkey accepted this spec.".to_owned(),
        Verdict::Waiting(cause) | Verdict::Blocked(cause @ Cause::ReleaseRefused { .. }) => {
            of_cause(cause, external_id)
        }
        Verdict::Blocked(cause) => blocked(cause, key, external_id),
        Verdict::DeletionHeld(held) => deletion_held(held, key),
        Verdict::Suspended => {
            "Reconciliation is suspended: spec.suspend is true. Nothing is done in Unkey. To resume, set it to false or remove it.".to_owned()
        }
        Verdict::Conflict { owner_leaving: true, owner_held: true } => format!(
            "Another Identity owns externalId '{external_id}' and is being deleted; that deletion waits for an approval (DeletionHeld). This one \
             is reconciled once the other is gone."
        ),
        Verdict::Conflict { owner_leaving: true, owner_held: false } => format!(
            "Another Identity owns externalId '{external_id}' and is being deleted. This one is reconciled once the other is gone."
        ),
        Verdict::Conflict { owner_leaving: false, .. } => format!(
            "Another Identity in this cluster owns externalId '{external_id}'. Delete one of the two, or recreate this one with \
             another externalId. Retried automatically once the owner is gone."
        ),
        Verdict::Observing(observation) => observed(observation, external_id),
        Verdict::Stalled(stall) => of_stall(stall, external_id),
    }
}

fn of_cause(cause: &Cause, external_id: &str) -> String {
    match cause {
        Cause::Updating => "The identity is recorded; updating its content to match the spec.".to_owned(),
        Cause::Settling => {
            "The outcome of the last request to Unkey is unknown; verifying after the consistency window.".to_owned()
        }
        Cause::Lag => format!(
            "Unkey reports that identity '{external_id}' exists but does not return it yet; the operator reads it again."
        ),
        Cause::Vanished => format!(
            "Unkey no longer returns identity '{external_id}'; the operator reads it once more, then creates it again."
        ),
        Cause::Unavailable => "Unkey cannot be reached or answers with errors. Retried automatically.".to_owned(),
        Cause::Misconfigured(why) => {
            format!(
                "The server at the API URL does not answer as Unkey's API does ({why}). Check --api-url and any proxy on the way."
            )
        }
        Cause::Untrusted(why) => format!("The TLS handshake with Unkey fails: {why}."),
        Cause::RateLimited => "Unkey limits the rate of requests (429). Retried automatically.".to_owned(),
        Cause::Unauthorized(why) => {
            format!("Unkey refuses the root key ({why}). Put a valid root key in place; a key file needs no restart.")
        }
        Cause::PermissionDenied(operation) => format!(
            "The root key lacks the permission '{}'. Grant it in Unkey; no restart is needed.",
            operation.permission()
        ),
        Cause::Unwitnessed => unwitnessed(external_id),
        Cause::CredentialsMissing(why) => format!("The operator has {why}. Put a root key in place."),
        Cause::Rejected(why) => format!("Unkey refuses the request: {why}. The operator's log has the whole answer."),
        Cause::Mismatch => format!(
            "Unkey returned another identity than '{external_id}'. Nothing is written until a person has checked both identities."
        ),
        Cause::WorkspaceMismatch => WORKSPACE_MISMATCH.to_owned(),
        Cause::Contested => CONTESTED.to_owned(),
        Cause::Broken => BROKEN.to_owned(),
        Cause::CrdHidden => CRD_HIDDEN.to_owned(),
        Cause::CrdUnread(why) => crd_unread(why),
        Cause::Suspended => "spec.suspend is true. Set it to false or remove it to delete the identity.".to_owned(),
        Cause::OwnerPending => {
            format!(
                "Another Identity owns externalId '{external_id}' and is still being reconciled. Retried automatically."
            )
        }
        Cause::Outdated => OUTDATED.to_owned(),
        Cause::Unseen => unseen(external_id),
        Cause::ClaimRefused(words) => claim_refused(words),
        Cause::ReleaseRefused { words, left } => release_refused(words, *left),
        Cause::AnnotationsTooLarge { is, largest, bytes } => annotations_too_large(*is, largest, *bytes),
        Cause::Queued => QUEUED.to_owned(),
        Cause::DeletionDelayed => DELETION_DELAYED.to_owned(),
        Cause::Observing => "This resource is observed from now on: the operator gives up its finalizer and claim, then reads the identity.".to_owned(),
        Cause::Observed => "The operator only observes this resource. To delete the identity too, set managementPolicy to Enforce; if the operator \
             was started with --observe, restart it without."
            .to_owned(),
    }
}

fn unwitnessed(external_id: &str) -> String {
    format!(
        "Unkey returns no identity at all for this root key, so the operator does not conclude that identity '{external_id}' is \
         gone. The root key probably lacks the permission '{}'. Grant it in Unkey; no restart is needed. If the workspace is \
         really empty, grant '{}'. An operator that only observes needs no grant for that.",
        Operation::Read.permission(),
        Operation::Create.permission()
    )
}

fn crd_unread(why: &str) -> String {
    format!(
        "The operator cannot read the CustomResourceDefinition identities.unkey.com: {}. It cannot tell whether only this resource \
         is deleted or the whole type, in which case the identity is kept. Retried automatically.",
        sentence(why)
    )
}

fn unseen(external_id: &str) -> String {
    format!(
        "The operator cannot watch every namespace of its configuration, so it cannot tell whether another Identity owns \
         externalId '{external_id}'. The operator's /readyz and log name the namespace. Give the operator its rights there, or \
         remove the namespace from the configuration. Until then nothing is created, adopted or deleted for this resource."
    )
}

fn claim_refused(words: &str) -> String {
    format!(
        "Kubernetes refuses the operator's finalizer and claim annotation on this resource: {}. Without them nothing is created \
         or adopted in Unkey. {REMEDY}",
        sentence(words)
    )
}

fn release_refused(words: &str, left: Left) -> String {
    let left = match left {
        Left::Gone => "The identity is already gone from Unkey.",
        Left::Kept => "The identity stays in Unkey, as requested.",
        Left::Others => "The identity in Unkey does not belong to this resource and stays.",
        Left::Nothing => "This resource has no identity in Unkey.",
    };
    format!(
        "Kubernetes refuses to remove the operator's finalizer and claim annotation from this resource: {}. {left} {REMEDY}",
        sentence(words)
    )
}

fn annotations_too_large(is: usize, largest: &str, bytes: usize) -> String {
    format!(
        "The annotations of this resource leave no room for the operator's claim: with the claim they have {is} bytes, and \
         Kubernetes allows {MAX_ANNOTATION_BYTES}. The largest is '{largest}' with {bytes} bytes{}. Without the claim nothing is \
         created or adopted in Unkey. Remove or shorten an annotation; retried at once.",
        if largest == LAST_APPLIED { "; 'kubectl apply --server-side' does not write it" } else { "" }
    )
}

/// Without what ends it: it stands in a sentence of ours.
fn sentence(words: &str) -> &str {
    words.trim_end_matches(['.', ' '])
}

pub(super) fn of_unwritten(words: &str, reason: &str, message: &str) -> String {
    format!(
        "Kubernetes refuses the status of this resource: {}. The present status may be out of date. It would say {reason}: {message}",
        sentence(words)
    )
}

fn stripped(by: &Stripper) -> String {
    let who = match by {
        Stripper::Admission => "a mutating admission webhook removes them in the same request".to_owned(),
        Stripper::Manager(name) => {
            format!("another client removes them each time, last the field manager '{name}' (metadata.managedFields)")
        }
        Stripper::Unasked | Stripper::Unknown => "another client removes them each time".to_owned(),
    };
    format!(
        "The operator's finalizer and claim annotation do not stay on this resource: {who}. Without them nothing is created in Unkey, \
         and a deletion would leave an identity behind. Configure that client or webhook to keep the finalizer unkey.com/identity and the annotation \
         unkey.com/claim there; tried again every hour, and at once after a change of the spec or of the annotation unkey.com/reconcile-requested-at."
    )
}

fn of_stall(stall: &Stall, external_id: &str) -> String {
    match stall {
        Stall::InvalidSpec(error) => format!("The spec cannot be sent to Unkey: {error}."),
        Stall::Rejected(why) => format!("Unkey refuses this content: {why}. Change the spec."),
        Stall::ExistsNever => format!(
            "Unkey already holds an identity '{external_id}' and adoptionPolicy is Never. To take the identity over, set \
             adoptionPolicy to IfLossless or Always."
        ),
        Stall::ExistsNeverMaybeOurs => format!(
            "Unkey holds an empty identity '{external_id}' and adoptionPolicy is Never. An unanswered request of this resource may \
             have created the identity; the operator cannot tell. To take the identity over, set adoptionPolicy to Always."
        ),
        Stall::ExistsWouldLose(losses) => format!(
            "Unkey already holds an identity '{external_id}', and this spec would remove or change values that Unkey stores there: \
             {losses}. Nothing is written. Match the spec to the identity, leave the field out, or set adoptionPolicy to Always to \
             overwrite the identity."
        ),
        Stall::WouldLose(losses) => format!(
            "This spec starts to manage fields of identity '{external_id}' and would remove or change values that Unkey stores there: \
             {losses}. Nothing is written. Match the spec to the stored values, or set adoptionPolicy to Always to overwrite them."
        ),
        Stall::IdentityMismatch => format!(
            "Unkey returned an identity of another externalId when asked for '{external_id}'. Nothing is written. Choose another \
             externalId, or delete that identity once its keys are moved."
        ),
        Stall::Contested => CONTESTED.to_owned(),
        Stall::Broken => BROKEN.to_owned(),
        Stall::Stripped(by) => stripped(by),
    }
}

fn blocked(cause: &Cause, key: &ObjectKey, external_id: &str) -> String {
    format!(
        "The identity cannot be deleted yet. {} To delete this resource and keep the identity in Unkey, run: {}",
        of_cause(cause, external_id),
        orphan(key)
    )
}

impl EventNote {
    /// The event's text.
    pub fn text(&self) -> String {
        of_note(self)
    }
}

fn of_note(note: &EventNote) -> String {
    for_people(text_of_note(note))
}
