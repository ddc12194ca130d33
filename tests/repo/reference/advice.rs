//! What a person does about each reason: the text of its reference page.

use unkey_operator::api::Reason;

/// One reason, explained in Markdown.
pub struct Advice {
    /// What the reason says about the resource.
    pub meaning: &'static str,
    /// Where the details are.
    pub look_at: &'static str,
    /// The remedy.
    pub remedy: &'static str,
}

/// In the order of `Reason::ALL`.
pub const ADVICE: [(Reason, Advice); Reason::ALL.len()] = [
    (
        Reason::Synced,
        Advice {
            meaning: "Unkey accepted exactly this generation of the spec, and nothing that was read since contradicts it.",
            look_at: "`status.identityId`, `status.observedGeneration`.",
            remedy: "Nothing.",
        },
    ),
    (
        Reason::Progressing,
        Advice {
            meaning: "Work is in progress, or waits: for its turn, for a read that shows the outcome of a request, for another `Identity` of the same externalId. \
                      An edit or a deletion that waits says so within 15 seconds.",
            look_at: "`status.cause` and the message. If the cause is `Unseen` or `Outdated`, also `/readyz` of the operator.",
            remedy: "Wait: most causes end within a minute. `Unseen`: give the operator its rights in the namespace that `/readyz` names. \
                     `Outdated`: apply the definition of the operator's version. `Queued` for long: look at \
                     `unkey_operator_queue_depth` and at the limits of requests.",
        },
    ),
    (
        Reason::UpstreamUnavailable,
        Advice {
            meaning: "Unkey cannot be reached, does not answer in time, or answers with a server error.",
            look_at: "The message: it names the error. Unkey's status page. `unkey_operator_upstream_requests_total` by `outcome`.",
            remedy: "Wait if Unkey has an outage. If the message names a certificate, a proxy or a host name, correct `--api-url`, `--api-proxy` or the trusted \
                     certificates.",
        },
    ),
    (
        Reason::RateLimited,
        Advice {
            meaning: "Unkey asked the operator to slow down (HTTP 429).",
            look_at: "`unkey_operator_upstream_paused`, and who else uses the workspace's rate limit.",
            remedy: "Wait. If it happens often, lower `--max-requests-per-second` or `--rate-limit-share`, or have Unkey raise the limit.",
        },
    ),
    (
        Reason::Unauthorized,
        Advice {
            meaning: "Unkey refuses the root key (HTTP 401).",
            look_at: "The Secret or file with the root key; the key in Unkey's dashboard. `/readyz` of the operator.",
            remedy: "Replace the root key. With a key file, the operator continues without a restart.",
        },
    ),
    (
        Reason::PermissionDenied,
        Advice {
            meaning: "The root key lacks the permission that the message names, or probably lacks it.",
            look_at: "The permissions of the root key in Unkey's dashboard.",
            remedy: "Give the permission to the key. The operator continues within 5 minutes, without a restart.",
        },
    ),
    (
        Reason::CredentialsMissing,
        Advice {
            meaning: "The operator has no root key that it can use.",
            look_at: "The message and `/readyz`: they say what is wrong with the file or the variable.",
            remedy: "Put a root key in place. With a key file, the operator continues without a restart.",
        },
    ),
    (
        Reason::WorkspaceMismatch,
        Advice {
            meaning: "The root key seems to belong to another workspace: none of the identities that were recorded under the earlier key is there. Nothing is created, and no \
                      deletion is believed.",
            look_at: "The workspace of the root key in Unkey's dashboard.",
            remedy: "Put a root key of the right workspace in place. To migrate to another workspace intentionally, follow \
                     [Change the workspace](../guides/change-workspace.md).",
        },
    ),
    (
        Reason::DeletionBlocked,
        Advice {
            meaning: "The resource is deleted, and its identity in Unkey cannot be deleted.",
            look_at: "The message: it says why (Unkey, the root key, a permission, `suspend`).",
            remedy: "Mend what the message names. To let the resource go and keep the identity in Unkey, run the command in the message: it sets `deletionPolicy: Orphan`.",
        },
    ),
    (
        Reason::DeletionHeld,
        Advice {
            meaning: "The resource is being deleted, and it is one of more deletions than may happen at once. Nothing is deleted in Unkey for it.",
            look_at: "The message: it has the numbers, and the commands that approve the deletion, keep the identity, or show what waits. \
                      `unkey_operator_deletions_held`. `status.cause` is `ApprovalPast` or `ApprovalUnreadable` if the approval does not count.",
            remedy: "If the deletion is meant, approve it with the annotation `unkey.com/deletion-approved`. If it is not, set `deletionPolicy: Orphan` on \
                     all of them: the resources go, the identities stay in Unkey, and the `Identity` resources that are applied anew adopt them. What you keep \
                     frees nothing of the rest. Do not restart or upgrade the operator meanwhile: if the limit or less still wait then, they are deleted after the hold.",
        },
    ),
    (
        Reason::Suspended,
        Advice {
            meaning: "`spec.suspend` is true. The operator does nothing in Unkey for this resource, and a deletion waits unless `deletionPolicy` is `Orphan`.",
            look_at: "The condition `Suspended`.",
            remedy: "Set `spec.suspend` to false, or remove it, to resume.",
        },
    ),
    (
        Reason::InvalidSpec,
        Advice {
            meaning: "The spec cannot be sent to Unkey: `meta` is too large or too deep, or a rate limit stands there twice.",
            look_at: "The message: it names the field and the bound.",
            remedy: "Edit the spec.",
        },
    ),
    (
        Reason::Rejected,
        Advice {
            meaning: "Unkey refused the content of the spec.",
            look_at: "The message: it has Unkey's words.",
            remedy: "Edit the spec.",
        },
    ),
    (
        Reason::AlreadyExists,
        Advice {
            meaning: "Unkey holds an identity of this externalId, and the adoption policy forbids taking it over.",
            look_at: "The message: it names what adoption would lose.",
            remedy: "Bring the spec in line with the stored identity, set `adoptionPolicy: Always` to overwrite it, or choose another externalId.",
        },
    ),
    (
        Reason::WouldLose,
        Advice {
            meaning: "The spec begins to name a field (`meta`, `ratelimits`) in which Unkey stores something that the spec would remove or change. Nothing of this edit was written.",
            look_at: "The message: it names the paths.",
            remedy: "Bring the spec in line with the stored values, or set `adoptionPolicy: Always` to overwrite them.",
        },
    ),
    (
        Reason::ExternalIdConflict,
        Advice {
            meaning: "Another `Identity` of the cluster owns this externalId.",
            look_at: "`kubectl get identities --all-namespaces --field-selector spec.externalId=NAME`.",
            remedy: "Delete one of the two. This one takes over when the owner is gone; if the owner has `deletionPolicy: Orphan`, it takes over the same identity.",
        },
    ),
    (
        Reason::IdentityMismatch,
        Advice {
            meaning: "Unkey answered with another identity than the one asked for. Nothing more is written.",
            look_at: "The message: it names the externalId that was asked for. The identity in Unkey's dashboard.",
            remedy: "Choose another externalId. Or move the keys of the other identity, delete it in Unkey, and set the annotation `unkey.com/reconcile-requested-at` to have Unkey asked again.",
        },
    ),
    (
        Reason::NotConverging,
        Advice {
            meaning: "What the operator sends has no lasting effect, Unkey fails on it each time, or another tool removes the operator's finalizer or claim again and again. \
                      The operator tries once an hour.",
            look_at: "`status.cause` and the message. `Contested`: who else writes this identity. `Broken`: Unkey's request id in the log. `Stripped`: the tool that the message \
                      names.",
            remedy: "`Contested`: find the other client, and let only one of the two manage the identity. An edit of the spec tries at once; the annotation only brings a read. \
                     `Broken`: change the spec. `Stripped`: exclude finalizer and claim in that tool. For these two the annotation `unkey.com/reconcile-requested-at` tries at once.",
        },
    ),
    (
        Reason::WriteRefused,
        Advice {
            meaning: "Kubernetes refuses what the operator writes to this resource: an admission policy or webhook, a quota, the size of the object, a missing right.",
            look_at: "The message: it has the API server's words. `unkey_operator_writes_refused`.",
            remedy: "Change the policy, the quota or the rights that the message names. Exempt the operator's ServiceAccount from policies on `identities`.",
        },
    ),
    (
        Reason::Observed,
        Advice {
            meaning: "The resource is observed (`managementPolicy: Observe`, or `--observe`), and Unkey holds what the spec asks for. Enforcing the resource would change nothing.",
            look_at: "`status.observed`: the identity, and how much Unkey holds that the spec does not name.",
            remedy: "Nothing. To have the operator manage the identity, set `managementPolicy: Enforce`. While the operator runs with `--observe`, first restart it without that flag.",
        },
    ),
    (
        Reason::Differs,
        Advice {
            meaning: "The resource is observed, and the operator would update the identity.",
            look_at: "`status.observed.differs`: the paths of the spec whose values differ.",
            remedy: "Bring the spec in line with the identity, or let the operator write: set `managementPolicy: Enforce`. While the operator runs with `--observe`, first restart it without that flag.",
        },
    ),
    (
        Reason::NotInUnkey,
        Advice {
            meaning: "The resource is observed, and Unkey holds no identity of this externalId. The operator would create it.",
            look_at: "The externalId in Unkey's dashboard. If somebody deleted the identity, its keys are no longer linked to an identity.",
            remedy: "Set `managementPolicy: Enforce` to have the identity created, or delete the resource. While the operator runs with `--observe`, first restart it without that flag.",
        },
    ),
    (
        Reason::WouldRefuse,
        Advice {
            meaning: "The resource is observed, and the operator would write nothing if it were enforced. `status.cause` is the reason that it would report then.",
            look_at: "`status.cause`, the message, and that reason on this page.",
            remedy: "What the page says of the reason in `status.cause`.",
        },
    ),
];
