//! What is said of deletions that wait (R20), with the commands that go on.

use std::time::Duration;

use unkey_operator_api::APPROVED_ANNOTATION;

use crate::deletions::{Approval, Episode};
use crate::ids::ObjectKey;
use crate::verdict::HeldDeletion;

/// The numbers, without a full stop.
pub(super) fn too_many(episode: &Episode, namespace: &str) -> String {
    let Episode { everywhere, deletions, limit, recorded, window, sent: _ } = episode;
    let place = if *everywhere { "in several namespaces".to_owned() } else { format!("in namespace '{namespace}'") };
    let window = in_words(*window);
    format!(
        "Too many deletions at once: {deletions} {place} within {window}, and {limit} of {recorded} recorded identities may be deleted without an approval"
    )
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 120 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        0 => format!("{} ms", time.as_millis()),
        seconds => format!("{seconds} seconds"),
    }
}

fn approve(namespace: &str, until: &str) -> String {
    format!("kubectl annotate identities.unkey.com --all --overwrite -n {namespace} {APPROVED_ANNOTATION}={until}")
}

pub(super) fn deletion_held(held: &HeldDeletion, key: &ObjectKey) -> String {
    let HeldDeletion { episode, approve_until, approval } = held;
    let why_not = match approval {
        Approval::None | Approval::Given => String::new(),
        Approval::Past(then) => format!(" The approval of this resource has ended: {APPROVED_ANNOTATION} is '{then}'."),
        Approval::Unreadable(text) => format!(
            " The approval of this resource cannot be read: {APPROVED_ANNOTATION} is '{text}', neither an RFC 3339 time nor 'always'."
        ),
    };
    format!(
        "{}. Nothing is deleted in Unkey for this resource until its deletion is approved.{why_not} To see what waits, run: kubectl get \
         identities.unkey.com -n {} -o wide. To approve the deletion of every Identity in this \
         namespace until a time of your choice, run: {}. To keep this identity in Unkey, run: {}",
        too_many(episode, &key.namespace),
        key.namespace,
        approve(&key.namespace, approve_until),
        orphan(key)
    )
}

pub(super) fn orphan(key: &ObjectKey) -> String {
    format!(
        "kubectl patch identities.unkey.com {} -n {} --type=merge -p '{{\"spec\":{{\"deletionPolicy\":\"Orphan\"}}}}'",
        key.name, key.namespace
    )
}
