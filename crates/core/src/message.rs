//! The sentences that users read in conditions and events: what happened, to what, and what to do.
//!
//! No secret, no name from another namespace, no request id and nothing that changes from one retry to the next.

use super::cause::{Cause, Left};
use super::claim::MAX_ANNOTATION_BYTES;
use super::ids::ObjectKey;
use super::note::EventNote;
use super::permission::Operation;
use super::stripped::Stripper;
use super::verdict::{Stall, Verdict};

const CONTESTED: &str = "What this spec asks for was sent to Unkey three times and found changed again each time: another client, or an \
     operator in another cluster, writes something else. Find it and agree on one owner; until then this is tried once an hour.";
const BROKEN: &str = "Unkey answers this request with an internal error each time, while it answers others: something in this content breaks it. \
     Change the spec or ask Unkey's support; until then this is tried once an hour.";

const REMEDY: &str = "Change the policy, webhook, quota or role that refuses this, or change this resource; the operator tries again after \
     at most 5 minutes, and at once after a change of the spec.";
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

fn of_verdict(verdict: &Verdict, key: &ObjectKey, external_id: &str) -> String {
    match verdict {
        Verdict::Synced => "Unkey accepted this spec.".to_owned(),
        Verdict::Waiting(cause) | Verdict::Blocked(cause @ Cause::ReleaseRefused { .. }) => {
            of_cause(cause, external_id)
        }
        Verdict::Blocked(cause) => blocked(cause, key, external_id),
        Verdict::Suspended => {
            "Reconciliation is suspended: nothing is done in Unkey until spec.suspend is false or left out.".to_owned()
        }
        Verdict::Conflict { owner_leaving: true } => format!(
            "Another Identity that owns externalId '{external_id}' is being deleted; this one goes on when it is gone."
        ),
        Verdict::Conflict { owner_leaving: false } => format!(
            "Another Identity of this cluster owns externalId '{external_id}'. Delete one of the two, or give this one \
             another externalId by creating it anew; it goes on by itself when the owner is gone."
        ),
        Verdict::Stalled(stall) => of_stall(stall, external_id),
    }
}

fn of_cause(cause: &Cause, external_id: &str) -> String {
    match cause {
        Cause::Updating => "The identity is recorded; its content is being brought in step with the spec.".to_owned(),
        Cause::Settling => {
            "A request to Unkey went unanswered and may still take effect; a read after the consistency \
             window will tell."
                .to_owned()
        }
        Cause::Lag => format!(
            "Unkey says that identity '{external_id}' exists but does not show it yet; the operator looks again."
        ),
        Cause::Vanished => format!(
            "Unkey shows no identity '{external_id}' any more; the operator looks once more and then creates it again."
        ),
        Cause::Unavailable => {
            "Unkey cannot be reached or answers with errors; the operator tries again by itself.".to_owned()
        }
        Cause::Misconfigured(why) => {
            format!("What answers at the API URL is not Unkey's API ({why}); check --api-url and proxies.")
        }
        Cause::Untrusted(why) => format!("There is no TLS session with Unkey: {why}."),
        Cause::RateLimited => "Unkey asks to slow down (429); the operator tries again by itself.".to_owned(),
        Cause::Unauthorized(why) => {
            format!(
                "Unkey refuses the root key ({why}); put a valid root key in place; with a key file no restart is needed."
            )
        }
        Cause::PermissionDenied(operation) => format!(
            "The root key lacks the permission '{}'; grant it in Unkey, no restart is needed.",
            operation.permission()
        ),
        Cause::Unwitnessed => format!(
            "Unkey shows this root key no identity at all, so identity '{external_id}' is not taken for gone: the root key probably \
             lacks the permission '{}'. Grant it in Unkey, no restart is needed. If the workspace is really empty, grant '{}'.",
            Operation::Read.permission(),
            Operation::Create.permission()
        ),
        Cause::CredentialsMissing(why) => format!("The operator has {why}; put a root key in place."),
        Cause::Rejected(why) => format!("Unkey refuses the request: {why}."),
        Cause::Mismatch => format!(
            "Unkey answered with another identity than '{external_id}'; nothing is written until a person has looked."
        ),
        Cause::WorkspaceMismatch => "The root key in use shows none of the identities that were recorded under another root key: it seems to \
             belong to another workspace. Put a key of the right workspace in place; if the change is meant, start the \
             operator with --accept-workspace-change."
            .to_owned(),
        Cause::Contested => CONTESTED.to_owned(),
        Cause::Broken => BROKEN.to_owned(),
        Cause::CrdHidden => "The operator may not read the CustomResourceDefinition identities.unkey.com, and so cannot tell whether this \
             resource goes alone or with its whole type, in which case the identity is kept; grant it 'get' on that object."
            .to_owned(),
        Cause::CrdUnread(why) => format!(
            "The operator cannot read the CustomResourceDefinition identities.unkey.com, and so cannot tell whether this resource goes \
             alone or with its whole type, in which case the identity is kept: {}. It tries again by itself.",
            sentence(why)
        ),
        Cause::Suspended => "spec.suspend is true".to_owned(),
        Cause::OwnerPending => {
            format!("another Identity that owns externalId '{external_id}' has not settled yet")
        }
        Cause::Outdated => "The CustomResourceDefinition identities.unkey.com in the cluster is older than the operator, so the API server drops \
             part of what has to be recorded: upgrade it. Nothing is created, adopted or deleted for this resource until then."
            .to_owned(),
        Cause::Unseen => format!(
            "The operator cannot watch every namespace that it is set up for, so it cannot tell whether another Identity owns \
             externalId '{external_id}'. Its /readyz and its log name the namespace; nothing is created, adopted or deleted \
             for this resource until that is watched or no longer listed."
        ),
        Cause::ClaimRefused(words) => format!(
            "Kubernetes refuses the operator's finalizer and claim annotation on this resource: {}. Nothing is created or adopted \
             in Unkey without them. {REMEDY}",
            sentence(words)
        ),
        Cause::ReleaseRefused { words, left } => {
            let left = match left {
                Left::Gone => "The identity is gone from Unkey already.",
                Left::Kept => "The identity stays in Unkey, as asked.",
                Left::Others => "The identity in Unkey is not this resource's and stays.",
                Left::Nothing => "This resource has no identity in Unkey.",
            };
            format!(
                "{left} Kubernetes refuses to remove the operator's finalizer and claim annotation from this resource: {}. {REMEDY}",
                sentence(words)
            )
        }
        Cause::AnnotationsTooLarge { is, largest, bytes } => format!(
            "The annotations of this resource leave no room for the operator's claim: with it they are {is} bytes, and Kubernetes allows \
             {MAX_ANNOTATION_BYTES}. The largest is '{largest}' with {bytes} bytes{}. Nothing is created or adopted in Unkey without \
             the claim. Remove or shorten an annotation; the operator continues at once.",
            if largest == LAST_APPLIED { "; 'kubectl apply --server-side' does not need it" } else { "" }
        ),
        Cause::Queued => "Other work is ahead, or Unkey or Kubernetes answers slowly: what this resource asks for, its deletion included, waits for its turn."
            .to_owned(),
    }
}

/// Without what ends it: it stands in a sentence of ours.
fn sentence(words: &str) -> &str {
    words.trim_end_matches(['.', ' '])
}

pub(super) fn of_unwritten(words: &str, reason: &str, message: &str) -> String {
    format!(
        "Kubernetes refuses the status of this resource, so it may be out of date: {}. It would say {reason}: {message}",
        sentence(words)
    )
}

fn stripped(by: &Stripper) -> String {
    let who = match by {
        Stripper::Admission => "a mutating admission webhook removes them in the same request".to_owned(),
        Stripper::Manager(name) => {
            format!("somebody removes them each time, last the field manager '{name}' (metadata.managedFields)")
        }
        Stripper::Unasked | Stripper::Unknown => "another client removes them each time".to_owned(),
    };
    format!(
        "The operator's finalizer and claim annotation do not stay on this resource: {who}. Nothing is created in Unkey without them, and \
         a deletion would leave an identity behind. Exclude the finalizer unkey.com/identity and the annotation unkey.com/claim \
         there; until then they are put on once an hour, and at once after a change of the spec."
    )
}

fn of_stall(stall: &Stall, external_id: &str) -> String {
    match stall {
        Stall::InvalidSpec(error) => format!("The spec cannot be sent to Unkey: {error}."),
        Stall::Rejected(why) => format!("Unkey refuses this content: {why}. Change the spec."),
        Stall::ExistsNever => format!(
            "Unkey already holds an identity '{external_id}' and adoptionPolicy is Never; it is left alone. To take it \
             over, set adoptionPolicy to IfLossless or Always."
        ),
        Stall::ExistsNeverMaybeOurs => format!(
            "Unkey holds an empty identity '{external_id}' that may come from this resource's own unanswered request, \
             which cannot be told apart, and adoptionPolicy is Never. To take it over, set adoptionPolicy to Always."
        ),
        Stall::ExistsWouldLose => format!(
            "Unkey already holds an identity '{external_id}' whose meta or rate limits hold something that this spec \
             would remove or change; it is left alone. Bring the spec in line with it, or set adoptionPolicy to Always \
             to overwrite it."
        ),
        Stall::WouldLose(losses) => format!(
            "This spec begins to manage fields of identity '{external_id}' in which Unkey stores something that it would remove or \
             change: {losses}. Nothing was written. Either bring the spec in line with what is stored, or set adoptionPolicy to Always \
             to overwrite it."
        ),
        Stall::IdentityMismatch => format!(
            "Asked for '{external_id}', Unkey answered with an identity of another externalId; nothing is written. \
             Rename that identity or choose another externalId."
        ),
        Stall::Contested => CONTESTED.to_owned(),
        Stall::Broken => BROKEN.to_owned(),
        Stall::Stripped(by) => stripped(by),
    }
}

fn blocked(cause: &Cause, key: &ObjectKey, external_id: &str) -> String {
    let why = of_cause(cause, external_id);
    let resume = if *cause == Cause::Suspended { "Set spec.suspend to false, or to" } else { "To" };
    format!(
        "The identity cannot be deleted yet: {}. {resume} let go of this resource and keep the identity in Unkey: \
         kubectl patch identities.unkey.com {} -n {} --type=merge -p '{{\"spec\":{{\"deletionPolicy\":\"Orphan\"}}}}'",
        why.trim_end_matches('.'),
        key.name,
        key.namespace
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

fn text_of_note(note: &EventNote) -> String {
    match note {
        EventNote::Adopted(id) => format!("Took over the existing identity {id}."),
        EventNote::Recreated(id) => format!(
            "The identity had vanished from Unkey and was created again as {id}; keys of the old one are not linked to it."
        ),
        EventNote::Replaced(id) => {
            format!("Another identity, {id}, stands in Unkey under this externalId; it was taken over.")
        }
        EventNote::DriftCorrected(id) => format!("Identity {id} held something else than the spec; it was set right."),
        EventNote::Released { field } => {
            let empty = if *field == "meta" { "{}" } else { "[]" };
            format!(
                "{field} left the spec and is no longer managed; Unkey keeps what it holds. To clear it, set {field}: {empty} and \
                 adoptionPolicy: Always."
            )
        }
        EventNote::Orphaned(external_id) => format!(
            "The identity '{}' stays in Unkey.",
            external_id.as_ref().map_or("?", super::ids::ExternalId::as_str)
        ),
    }
}
