//! The plan as data: what `--output json` prints. Names, and the words of `action` and `effect`, are promised as reasons are; messages are not.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::plan::{Action, Change, Effect, FieldChange, FieldValue};
use crate::domain::{DeletionLimits, Policy};

/// What the operator would do.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When the listing was complete, RFC 3339.
    pub as_of: String,
    /// What was read.
    pub read: Read,
    /// How the operator is set up, and where that is from.
    pub policy: PolicyReport,
    /// Where the root key is from: a flag, a file, a variable. Null: no root key was used.
    pub root_key_from: Option<String>,
    /// How many resources there are of each action, of those that are shown.
    pub summary: BTreeMap<String, usize>,
    /// One for each resource that does not stay as it is, in the order in which the operator writes to Unkey.
    pub changes: Vec<ChangeReport>,
    /// Identities in Unkey whose externalId no resource names. Null: the workspace was not listed, or not to its end.
    pub unmanaged: Option<Vec<UnmanagedReport>>,
    /// What a reader has to know beside the changes, in sentences.
    pub notes: Vec<String>,
}

/// What was read.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// Set if no other namespace of the operator's scope could be listed: who owns an externalId is then judged by this one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_namespace: Option<String>,
    /// Identities in the operator's scope. Null: no cluster was asked.
    pub resources: Option<usize>,
    /// Manifests.
    pub manifests: usize,
    /// Identities in Unkey. Null: Unkey was not asked.
    pub identities: Option<usize>,
    /// Requests to Unkey.
    pub requests: usize,
    /// How long reading took, in milliseconds.
    pub took_ms: u64,
}

/// How the operator is set up.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyReport {
    /// The Pod whose arguments these are, or the command line.
    pub from: String,
    /// Watched namespaces; empty: all.
    pub namespaces: Vec<String>,
    /// Label selector of the watched resources.
    pub selector: Option<String>,
    /// For resources without adoptionPolicy.
    pub default_adoption_policy: String,
    /// For resources without deletionPolicy.
    pub default_deletion_policy: String,
    /// For resources without managementPolicy.
    pub default_management_policy: String,
    /// The operator observes everything.
    pub observe: bool,
    /// The consistency window, in milliseconds.
    pub consistency_window_ms: u64,
    /// How long a deletion waits, in milliseconds.
    pub deletion_hold_ms: u64,
    /// Deletions that need no approval, within the deletion window.
    pub max_deletions: usize,
    /// The same as a share of the recorded identities.
    pub max_deletions_share: String,
}

/// What becomes of one resource.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    /// create, adopt, update, recreate, delete, release, hold, refuse, conflict, invalid, observe, suspend, settling or unchanged.
    pub action: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// metadata.uid; null for a resource that does not exist yet.
    pub uid: Option<String>,
    /// spec.externalId
    pub external_id: Option<String>,
    /// The id of the identity in Unkey; null if there is none.
    pub identity_id: Option<String>,
    /// What changes in Unkey.
    pub fields: Vec<FieldReport>,
    /// True if the update sets right what another client has changed.
    pub drift: bool,
    /// The reason of the Ready condition afterwards.
    pub reason: Option<String>,
    /// Its cause, where a reason has several.
    pub cause: Option<String>,
    /// The message for people.
    pub message: String,
    /// Changes with the same number are equal but for the resource.
    pub group: usize,
}

/// One field that changes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldReport {
    /// Such as `meta.plan` or `ratelimits[requests]`.
    pub path: String,
    /// The value now: of a rate limit always, of meta with --show-meta only. Absent if there is none, or it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// The value afterwards, as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// add, change, remove, apply-no-longer, tighten or loosen.
    pub effect: String,
}

/// An identity that no resource names.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnmanagedReport {
    /// Its externalId.
    pub external_id: String,
    /// Its id.
    pub identity_id: String,
}

/// What a plan may hold that a user wants to hear of by the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Anything but what stays as it is.
    Any,
    /// An identity is created.
    Create,
    /// An identity changes.
    Update,
    /// An identity is taken over.
    Adopt,
    /// An identity is created again.
    Recreate,
    /// An identity is deleted, or its deletion waits for an approval.
    Delete,
    /// The operator refuses to write.
    Refuse,
    /// Another resource owns the externalId.
    Conflict,
    /// A manifest or a spec is invalid.
    Invalid,
    /// Another client has changed an identity.
    Drift,
    /// A rate limit lets fewer requests pass.
    Tighten,
    /// A rate limit lets more requests pass.
    Loosen,
    /// A rate limit goes, or no longer applies by itself.
    RemoveLimit,
    /// An identity in Unkey has no resource.
    Unmanaged,
}

/// The JSON schema of [`Report`].
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Report).to_value();
    schema["title"] = json!("unkey-operator plan");
    schema
}

impl PolicyReport {
    /// `from`: where it is from.
    pub fn new(from: String, scope: (&[String], Option<&str>), policy: &Policy, deletions: &DeletionLimits) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            from,
            namespaces: scope.0.to_vec(),
            selector: scope.1.map(str::to_owned),
            default_adoption_policy: format!("{:?}", policy.adoption),
            default_deletion_policy: format!("{:?}", policy.deletion),
            default_management_policy: format!("{:?}", policy.management),
            observe: policy.observe,
            consistency_window_ms: ms(policy.window),
            deletion_hold_ms: ms(deletions.hold),
            max_deletions: deletions.most,
            max_deletions_share: deletions.share.to_string(),
        }
    }
}

impl Report {
    /// Takes in what becomes of resources. `show_meta`: with the values of meta.
    pub fn add(&mut self, changes: Vec<Change>, show_meta: bool) {
        let mut groups: HashMap<u64, usize> = HashMap::new();
        for change in changes {
            *self.summary.entry(change.action.as_str().to_owned()).or_default() += 1;
            if change.action == Action::Unchanged {
                continue;
            }
            let next = groups.len() + 1;
            let group = *groups.entry(likeness(&change)).or_insert(next);
            self.changes.push(ChangeReport::of(change, group, show_meta));
        }
    }

    /// True if it knows what `--fail-on` asks: which identities no resource names is not known to every plan.
    pub fn answers(&self, on: &[FailOn]) -> bool {
        self.unmanaged.is_some() || !on.contains(&FailOn::Unmanaged)
    }

    /// What `--fail-on` names and this plan holds.
    pub fn fails(&self, on: &[FailOn]) -> Vec<FailOn> {
        let holds = |on: &FailOn| match on {
            FailOn::Unmanaged => self.unmanaged.as_ref().is_some_and(|unmanaged| !unmanaged.is_empty()),
            on => self.changes.iter().any(|change| change.fails(*on)),
        };
        on.iter().copied().filter(holds).collect()
    }
}

/// The same for changes that are equal but for the resource. A value of meta counts whether it is shown or not.
fn likeness(change: &Change) -> u64 {
    let Change { action, fields, drift, reason, cause, message, key, external_id, .. } = change;
    let mut hasher = DefaultHasher::new();
    (action, drift, reason, cause, format!("{fields:?}")).hash(&mut hasher);
    // A message names its resource.
    let names = [key.name.as_str(), external_id.as_ref().map_or("", |it| it.as_str())];
    let plain = names.iter().filter(|name| !name.is_empty()).fold(message.clone(), |text, name| text.replace(name, ""));
    plain.hash(&mut hasher);
    hasher.finish()
}

impl ChangeReport {
    /// `show_meta`: with the values of meta.
    pub fn of(change: Change, group: usize, show_meta: bool) -> Self {
        let uid = change.uid.as_str();
        Self {
            action: change.action.as_str().to_owned(),
            namespace: change.key.namespace,
            name: change.key.name,
            uid: (!uid.is_empty() && !uid.starts_with("planned-")).then(|| uid.to_owned()),
            external_id: change.external_id.map(|it| it.as_str().to_owned()),
            identity_id: change.identity.map(|it| it.as_str().to_owned()),
            fields: change.fields.iter().map(|field| FieldReport::of(field, show_meta)).collect(),
            drift: change.drift,
            reason: change.reason.map(|reason| reason.as_str().to_owned()),
            cause: change.cause.map(|cause| format!("{cause:?}")),
            message: change.message,
            group,
        }
    }

    fn fails(&self, on: FailOn) -> bool {
        let action = |words: &[Action]| words.iter().any(|action| action.as_str() == self.action);
        let effect = |words: &[Effect]| {
            self.fields.iter().any(|field| {
                field.path.starts_with("ratelimits") && words.iter().any(|effect| effect.as_str() == field.effect)
            })
        };
        match on {
            FailOn::Any => !action(&[Action::Observe, Action::Suspend, Action::Unchanged]),
            FailOn::Create => action(&[Action::Create]),
            FailOn::Update => action(&[Action::Update]) || action(&[Action::Adopt]) && !self.fields.is_empty(),
            FailOn::Adopt => action(&[Action::Adopt]),
            FailOn::Recreate => action(&[Action::Recreate]),
            FailOn::Delete => action(&[Action::Delete, Action::Hold]),
            FailOn::Refuse => action(&[Action::Refuse]),
            FailOn::Conflict => action(&[Action::Conflict]),
            FailOn::Invalid => action(&[Action::Invalid]),
            FailOn::Drift => self.drift || action(&[Action::Recreate]),
            FailOn::Tighten => effect(&[Effect::Tightens]),
            FailOn::Loosen => effect(&[Effect::Loosens]),
            FailOn::RemoveLimit => effect(&[Effect::Removes, Effect::AppliesNoLonger]),
            FailOn::Unmanaged => false,
        }
    }
}

impl FieldReport {
    /// `show_meta`: with the values of meta.
    pub fn of(field: &FieldChange, show_meta: bool) -> Self {
        let value = |value: &Option<FieldValue>| match value {
            Some(FieldValue::Limit(limit)) => {
                Some(json!({"limit": limit.limit, "duration": limit.duration, "autoApply": limit.auto_apply}))
            }
            Some(FieldValue::Meta(value)) => show_meta.then(|| value.clone()),
            None => None,
        };
        let (from, to) = (value(&field.from), value(&field.to));
        Self { path: field.path.clone(), from, to, effect: field.effect.as_str().to_owned() }
    }
}
