//! Deletions that have not gone through yet, as statuses tell of them. It counts nothing that the operator's brake counts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::table::{age, table};
use crate::api::{DeletionPolicy, IdentityStatus, Reason};
use crate::controller::{Approvals, RawIdentity, ReconcileRequests};
use crate::domain::{Approval, Mono};

/// Why a deletion has not gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delay {
    /// It waits for an approval.
    Held,
    /// It waits for the hold, or its turn.
    Waiting,
    /// Something else stops it, which an approval does not change.
    Blocked,
}

/// An Identity that is being deleted.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leaving {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its key in Unkey.
    pub external_id: String,
    /// The identity that is deleted; null: the resource owns none, or its identity stays.
    pub identity_id: Option<String>,
    /// Why it is still there.
    pub delay: Delay,
    /// Of the condition Ready.
    pub reason: Option<String>,
    /// Its cause, where a reason has several.
    pub cause: Option<String>,
    /// The annotation that approves the deletion, as it stands.
    pub approved: Option<String>,
    /// True if that annotation counts.
    pub is_approved: bool,
    /// For how long it has been leaving, in seconds; null: that is not known.
    pub seconds: Option<u64>,
}

/// How many there are of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    held: usize,
    waiting: usize,
    blocked: usize,
}

/// All of them.
#[derive(Clone, Debug, Serialize)]
pub struct Departures {
    /// In the order of their names.
    pub items: Vec<Leaving>,
    /// By namespace.
    namespaces: BTreeMap<String, Numbers>,
}

impl Leaving {
    /// `None`: it is not being deleted.
    pub fn of(raw: &RawIdentity, approvals: &Approvals) -> Option<Self> {
        if !raw.is_leaving() {
            return None;
        }
        let object = raw.read(Mono::ZERO, approvals, &mut ReconcileRequests::default());
        let status = raw.read_status();
        let reason = status.as_ref().and_then(IdentityStatus::reason);
        let stays = status.as_ref().and_then(|status| status.deletion_policy) == Some(DeletionPolicy::Orphan);
        let recorded = raw.claimant(status.as_ref()).recorded.filter(|_| !stays);
        Some(Self {
            namespace: raw.namespace().to_owned(),
            name: raw.name().to_owned(),
            external_id: raw.external_id().as_str().to_owned(),
            identity_id: recorded.map(|id| id.as_str().to_owned()),
            delay: match reason {
                Some(Reason::DeletionHeld) => Delay::Held,
                Some(Reason::DeletionBlocked) => Delay::Blocked,
                _ => Delay::Waiting,
            },
            reason: reason.map(|reason| reason.as_str().to_owned()),
            cause: status.and_then(|status| status.cause).map(|cause| format!("{cause:?}")),
            approved: raw.deletion_approved().map(str::to_owned),
            is_approved: object.approval == Approval::Given,
            seconds: object.leaving_for.as_ref().map(Duration::as_secs),
        })
    }

    /// An approval lets it go, and with it an identity.
    pub fn wants_approval(&self) -> bool {
        self.identity_id.is_some() && self.delay != Delay::Blocked
    }

    fn approval(&self) -> String {
        match (&self.approved, self.is_approved) {
            (None, _) => String::new(),
            (Some(text), true) => text.clone(),
            (Some(text), false) => format!("{text} (void)"),
        }
    }
}

impl Departures {
    /// Of these.
    pub fn new(mut items: Vec<Leaving>) -> Self {
        items.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        let mut namespaces: BTreeMap<String, Numbers> = BTreeMap::new();
        for item in &items {
            let numbers = namespaces.entry(item.namespace.clone()).or_default();
            *match item.delay {
                Delay::Held => &mut numbers.held,
                Delay::Waiting => &mut numbers.waiting,
                Delay::Blocked => &mut numbers.blocked,
            } += 1;
        }
        Self { items, namespaces }
    }

    /// As people read it.
    pub fn text(&self) -> String {
        if self.items.is_empty() {
            return "no deletion waits\n".to_owned();
        }
        let row = |it: &Leaving| {
            let cause = it.cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
            let reason = it.reason.as_ref().map(|reason| format!("{reason}{cause}")).unwrap_or_default();
            let since = it.seconds.map(|seconds| age(0, i64::try_from(seconds).unwrap_or(i64::MAX)));
            let (id, since) = (it.identity_id.clone().unwrap_or_default(), since.unwrap_or_default());
            let (namespace, name) = (it.namespace.clone(), it.name.clone());
            [namespace, name, it.external_id.clone(), id, reason, it.approval(), since]
        };
        let head = ["NAMESPACE", "NAME", "EXTERNAL-ID", "IDENTITY-ID", "REASON", "APPROVED", "SINCE"];
        let lines: Vec<[String; 7]> = self.items.iter().map(row).collect();
        let numbers = self.namespaces.iter().map(|(namespace, it)| format!("{namespace}: {}\n", it.text()));
        format!("{}\n{}", table(head, &lines), numbers.collect::<String>())
    }
}

impl Numbers {
    fn text(self) -> String {
        let all = [(self.held, "held until approved"), (self.waiting, "waiting"), (self.blocked, "blocked")];
        let told = all.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn leaving(name: &str, reason: &str, change: impl FnOnce(&mut Value)) -> Option<Leaving> {
        let ready = json!({"type": "Ready", "status": "False", "reason": reason, "message": "m",
            "lastTransitionTime": "2026-11-01T10:00:00Z"});
        let mut object = json!({
            "metadata": {"namespace": "shop", "name": name, "uid": "u", "deletionTimestamp": "2026-11-01T10:00:00Z"},
            "spec": {"externalId": name},
            "status": {"uid": "u", "identityId": "id_1", "deletionPolicy": "Delete", "conditions": [ready]},
        });
        change(&mut object);
        Leaving::of(&serde_json::from_value(object).unwrap(), &Approvals::default())
    }

    #[test]
    fn what_an_approval_lets_go() {
        let wants = |reason: &str, change: fn(&mut Value)| leaving("a", reason, change).map(|it| it.wants_approval());
        assert_eq!(wants("DeletionHeld", |_| {}), Some(true));
        assert_eq!(wants("Progressing", |_| {}), Some(true));
        assert_eq!(wants("DeletionBlocked", |_| {}), Some(false));
        assert_eq!(wants("DeletionHeld", |it| it["status"]["deletionPolicy"] = json!("Orphan")), Some(false));
        assert_eq!(wants("DeletionHeld", |it| it["status"]["uid"] = json!("another")), Some(false));
        assert_eq!(wants("Synced", |it| it["metadata"]["deletionTimestamp"] = Value::Null), None);
    }

    #[test]
    fn they_are_counted_by_namespace() {
        let approved = |it: &mut Value| {
            it["metadata"]["annotations"] = json!({"unkey.com/deletion-approved": "2020-01-01T00:00:00Z"});
        };
        let items = [
            leaving("b", "DeletionHeld", |_| {}),
            leaving("a", "DeletionHeld", approved),
            leaving("c", "Progressing", |it| it["status"]["cause"] = json!("DeletionDelayed")),
        ];
        let text = Departures::new(items.into_iter().flatten().collect()).text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("DeletionHeld") && lines[1].contains("2020-01-01T00:00:00Z (void)"), "{text}");
        assert!(lines[3].contains("Progressing (DeletionDelayed)"), "{text}");
        assert_eq!(lines[5], "shop: 2 held until approved, 1 waiting");
        assert_eq!(Departures::new(Vec::new()).text(), "no deletion waits\n");
    }
}
