//! A plan without a cluster: each manifest is taken as the owner of what Unkey holds, or as what becomes of another manifest. It knows no ownership
//! and no policy, so it never adopts and never refuses.

use std::collections::BTreeMap;

use super::admission::problems;
use super::manifests::{Manifest, Manifests};
use crate::api::{DeletionPolicy, ManagementPolicy, Reason};
use crate::domain::plan::{Action, Change, Packed, difference};
use crate::domain::{Content, Controls, Desired, ExternalId, IdentityId, ObjectKey, Policy, Spec, Uid};

/// What stands under each externalId: in Unkey, or by another set of manifests.
pub type Stored = BTreeMap<ExternalId, (Option<IdentityId>, Packed)>;

/// What a set of manifests asks for, as if it were applied. What is invalid of it asks for nothing.
pub fn asked_for(manifests: &Manifests) -> Stored {
    let specs = manifests.all.values().map(|manifest| Spec::read(&manifest.value()["spec"].to_string()));
    specs
        .filter_map(|spec| spec.desired.ok())
        .map(|desired| {
            let content = Content {
                meta: desired.meta.clone().unwrap_or_default(),
                limits: desired.limits.clone().unwrap_or_default(),
            };
            (desired.external_id, (None, Packed::new(&content)))
        })
        .collect()
}

/// What becomes of each manifest. `stored`: what stands under each externalId. `base`: manifests that these take the place of: what is missing of
/// them would be deleted.
pub fn plan_alone(manifests: &Manifests, stored: &Stored, base: Option<&Manifests>, policy: &Policy) -> Vec<Change> {
    let mut first: BTreeMap<ExternalId, ObjectKey> = BTreeMap::new();
    let mut changes = Vec::new();
    for (key, manifest) in &manifests.all {
        let (live, value) = (base.and_then(|base| base.all.get(key)).map(Manifest::value), manifest.value());
        let problems = problems(&value, live.as_ref());
        let spec = Spec::read(&value["spec"].to_string());
        let mut change = of(key, spec.external_id.clone());
        let twice = spec.external_id.as_ref().and_then(|external_id| first.get(external_id));
        let problem = if problems.is_empty() { twice.map(same_as) } else { Some(problems.join("; ")) };
        match (problem, spec.desired) {
            (Some(problem), _) => invalid(&mut change, problem),
            (None, Err(error)) => invalid(&mut change, error.to_string()),
            (None, Ok(desired)) => becomes(&mut change, spec.controls, &desired, stored, policy),
        }
        if let Some(external_id) = spec.external_id {
            first.entry(external_id).or_insert_with(|| key.clone());
        }
        changes.push(change);
    }
    let gone = base.into_iter().flat_map(|base| &base.all).filter(|(key, _)| !manifests.all.contains_key(key));
    for (key, manifest) in gone {
        let spec = Spec::read(&manifest.value()["spec"].to_string());
        // What was never valid was never there.
        if spec.desired.is_err() {
            continue;
        }
        let mut change = of(key, spec.external_id);
        let keeps = spec.controls.deletion.unwrap_or(policy.deletion) == DeletionPolicy::Orphan
            || spec.controls.observed_by(policy).is_some();
        change.action = match (spec.controls.suspend, keeps) {
            (_, true) => Action::Release,
            (true, false) => Action::Suspend,
            (false, false) => Action::Delete,
        };
        changes.push(change);
    }
    changes
}

fn of(key: &ObjectKey, external_id: Option<ExternalId>) -> Change {
    Change {
        key: key.clone(),
        uid: Uid::new(""),
        external_id,
        action: Action::Unchanged,
        identity: None,
        fields: Vec::new(),
        drift: false,
        reason: None,
        cause: None,
        message: String::new(),
    }
}

fn invalid(change: &mut Change, problem: String) {
    (change.action, change.reason, change.message) = (Action::Invalid, Some(Reason::InvalidSpec), problem);
}

fn same_as(other: &ObjectKey) -> String {
    format!("spec.externalId is that of {}/{}; only one of the two can own the identity", other.namespace, other.name)
}

fn becomes(change: &mut Change, controls: Controls, desired: &Desired, stored: &Stored, policy: &Policy) {
    if controls.suspend {
        change.action = Action::Suspend;
        return;
    }
    let found = stored.get(&desired.external_id);
    change.identity = found.and_then(|(id, _)| id.clone());
    let from = found.map(|(_, content)| content.unpacked()).unwrap_or_default();
    let to = Content {
        meta: desired.meta.clone().unwrap_or_else(|| from.meta.clone()),
        limits: desired.limits.clone().unwrap_or_else(|| from.limits.clone()),
    };
    change.fields = difference(&from, &to);
    let observes = controls.management.unwrap_or(policy.management) == ManagementPolicy::Observe || policy.observe;
    change.action = match (found, change.fields.is_empty()) {
        _ if observes => Action::Observe,
        (None, _) => Action::Create,
        (Some(_), false) => Action::Update,
        (Some(_), true) => Action::Unchanged,
    };
    if observes {
        change.fields.clear();
    }
}
