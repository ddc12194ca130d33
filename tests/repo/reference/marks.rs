//! `docs/reference/annotations.md`: what the operator reads and writes in the metadata of an `Identity`.

use std::collections::BTreeSet;

use unkey_operator::api::{
    APPROVED_ANNOTATION, CLAIM_ANNOTATION, FINALIZER, RECONCILE_ANNOTATION, SUSPEND_REASON_ANNOTATION,
    SUSPEND_UNTIL_ANNOTATION,
};

use super::{doc_comments, head, heading, paragraph};

/// Kind, name, who writes it, what it is.
const MARKS: [(&str, &str, &str, &str); 6] = [
    (
        "annotation",
        RECONCILE_ANNOTATION,
        "You write it. The operator reads it.",
        "Asks for a check against Unkey now. Set it to any value that it did not have before, such as the time. When the operator has looked, \
         it repeats the value in `status.lastHandledReconcileAt`. Under `NotConverging` it also ends the hour between two tries, except for the cause `Contested`: there it only brings a read.",
    ),
    (
        "annotation",
        APPROVED_ANNOTATION,
        "You write it. The operator reads it.",
        "Approves the deletion of the resource: it waits neither for the hold nor for the brake, and does not count for others. The value is a time in \
         RFC 3339 until which the approval holds, or `always`. It deletes nothing by itself. Whoever may annotate an `Identity` may approve its deletion.",
    ),
    (
        "annotation",
        SUSPEND_REASON_ANNOTATION,
        "`kubectl unkey suspend` writes it. People read it.",
        "Why `spec.suspend` is true. The operator does not read it. `kubectl unkey resume` removes it.",
    ),
    (
        "annotation",
        SUSPEND_UNTIL_ANNOTATION,
        "`kubectl unkey suspend` writes it. People read it.",
        "Until when `spec.suspend` is meant to be true, as a time in RFC 3339. The operator does not read it, and does not resume by itself when the time has come: \
         somebody has to run `kubectl unkey resume`, which removes the annotation.",
    ),
    (
        "annotation",
        CLAIM_ANNOTATION,
        "The operator writes it. Do not change it.",
        "The claim: `<uid>:<hash of the content>:<id given up>`. It stands on the resource before the first request to Unkey, so that a restarted \
         operator knows that a create may have been sent. A claim of another uid, as in a copy or a restore, does not count. If somebody removes it, the \
         operator puts it back.",
    ),
    (
        "finalizer",
        FINALIZER,
        "The operator writes it. Do not remove it.",
        "Keeps a deleted resource in the cluster until its identity is deleted in Unkey or is known to stay. If you remove it by hand, the identity stays in Unkey \
         and nobody looks after it. To let a resource go and keep its identity, set `spec.deletionPolicy: Orphan`, or use `unkey-operator unmanage`.",
    ),
];

/// The same of a `Namespace`, for the policies of `examples/admission`.
const OF_NAMESPACES: [(&str, &str, &str); 3] = [
    (
        "annotation",
        "unkey.com/external-id-prefix",
        "What every externalId of the namespace begins with, such as `shop.`. Without it: the namespace's name and a dot. An empty one lets everything pass. Read by \
         `policies.externalIdPrefix`.",
    ),
    (
        "annotation",
        "unkey.com/limit-ceiling",
        "How many requests a second a rate limit of the namespace may allow at most, such as `100` or `0.5`. Without it the namespace may set no rate limit. Read by \
         `policies.limitCeiling`.",
    ),
    (
        "label",
        "unkey.com/keep-identities",
        "With the value `true`, no Identity of the namespace may be deleted. Read by `policies.keepIdentities`.",
    ),
];

fn of_namespaces(page: &mut String) {
    let folder = std::path::Path::new(crate::tree::ROOT).join("examples/admission");
    let files = std::fs::read_dir(folder).unwrap().map(|it| std::fs::read_to_string(it.unwrap().path()).unwrap());
    let policies: String = files.collect();
    heading(page, "##", "Of a Namespace");
    paragraph(
        page,
        "You write these, and the API server reads them for the [policies](../guides/tenancy.md). The operator does not.",
    );
    for (kind, name, what) in OF_NAMESPACES {
        assert!(policies.contains(name), "no policy reads {name}");
        heading(page, "###", &format!("`{name}`"));
        paragraph(page, &format!("A{} {kind}. {what}", if kind == "annotation" { "n" } else { "" }));
    }
}

pub fn page() -> String {
    let known: BTreeSet<String> = MARKS.iter().map(|mark| mark.1.to_owned()).collect();
    let all: BTreeSet<String> = doc_comments::constants("crates/api/src/lib.rs", "unkey.com/").into_iter().collect();
    assert_eq!(known, all, "left: described here; right: constants of crates/api/src/lib.rs");
    let mut page = head(
        "Annotations and the finalizer",
        "What the operator reads and writes in the `metadata` of an `Identity`. It never touches the annotations, labels and finalizers of others.",
    );
    for (kind, name, who, what) in MARKS {
        heading(&mut page, "##", &format!("`{name}`"));
        paragraph(&mut page, &format!("A{} {kind}. {who}", if kind == "annotation" { "n" } else { "" }));
        paragraph(&mut page, what);
    }
    page.push_str("\n```console\n$ kubectl annotate identity acme unkey.com/reconcile-requested-at=\"$(date +%s)\" --overwrite\n```\n");
    of_namespaces(&mut page);
    page
}
