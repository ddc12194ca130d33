//! All that is known of one externalId: what is wanted, what Unkey holds, who may act, and by which policies. It asks nobody, and what the
//! operator would do next it is told.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::state::{differences, read};
use super::verdict::Verdict;
use crate::api::{SUSPEND_REASON_ANNOTATION, SUSPEND_UNTIL_ANNOTATION};
use crate::controller::RawIdentity;
use crate::domain::plan::{Change, Identity};
use crate::domain::{ClaimState, Claimant, Limits, Meta, Object, ObjectKey, Policy, owner};
use crate::plan::{ChangeReport, FieldReport};

/// What was gathered.
#[derive(Debug)]
pub struct Gathered<'a> {
    /// The key in Unkey.
    pub external_id: &'a str,
    /// The resource that is meant; `None`: there is none.
    pub meant: Option<&'a RawIdentity>,
    /// All resources of that externalId that the operator sees.
    pub namesakes: Vec<&'a RawIdentity>,
    /// What Unkey holds.
    pub found: Option<&'a Identity>,
    /// Unkey was asked.
    pub asked: bool,
    /// How the operator is set up, and where that is from; `None`: that is not known.
    pub setup: Option<(&'a Policy, &'a str)>,
    /// What it would do next.
    pub next: Option<Change>,
    /// The annotations of the resource; null: they were not read.
    pub annotations: &'a Value,
}

/// What is known.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The key in Unkey.
    pub external_id: String,
    /// Null: no Identity names it.
    pub resource: Option<ResourceFacts>,
    /// The Identity that may act for the externalId, as namespace and name.
    pub owner: Option<String>,
    /// Others that name it.
    pub rivals: Vec<String>,
    /// What the spec asks for; null: there is no resource, or its spec cannot be sent.
    pub wanted: Option<ContentFacts>,
    /// Why the spec cannot be sent.
    pub invalid: Option<String>,
    /// True if Unkey was asked.
    pub asked_unkey: bool,
    /// What it holds; null: nothing, or it was not asked.
    pub in_unkey: Option<HeldFacts>,
    /// What would change if the spec were written.
    pub difference: Vec<FieldReport>,
    /// What a fresh operator does next; null: that is not known.
    pub next_step: Option<ChangeReport>,
}

/// What is known of a resource.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceFacts {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// It is being deleted.
    pub leaving: bool,
    /// The id that it records.
    pub identity_id: Option<String>,
    /// own, of another resource, or absent.
    pub claim: &'static str,
    /// The operator's finalizer is on.
    pub finalizer: bool,
    /// spec.suspend
    pub suspended: bool,
    /// Why, as whoever suspended it says.
    pub suspend_reason: Option<String>,
    /// Until when that is meant to last.
    pub suspend_until: Option<String>,
    /// adoptionPolicy in force.
    pub adoption: PolicyFact,
    /// deletionPolicy in force.
    pub deletion: PolicyFact,
    /// managementPolicy in force.
    pub management: PolicyFact,
    /// What the operator said last.
    pub verdict: Verdict,
}

/// A policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyFact {
    /// The word; null: the operator's default, which is not known.
    pub value: Option<String>,
    /// Where it is from.
    pub from: String,
}

/// A content.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentFacts {
    /// Keys of meta; null: meta is not managed.
    pub meta_keys: Option<Vec<String>>,
    /// Only if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
    /// By name; null: rate limits are not managed.
    pub ratelimits: Option<Map<String, Value>>,
}

/// An identity in Unkey.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldFacts {
    /// Its id.
    pub identity_id: String,
    /// What it holds.
    #[serde(flatten)]
    pub content: ContentFacts,
}

impl Facts {
    /// `show_meta`: with the values of meta.
    pub fn of(gathered: Gathered<'_>, show_meta: bool) -> Self {
        let Gathered { external_id, meant, namesakes, found, asked, setup, next, annotations } = gathered;
        let object = meant.map(read);
        let spec = object.as_ref().map(|object| object.spec.as_ref());
        let desired = spec.and_then(Result::ok);
        let difference = desired.zip(found).map(|(desired, found)| differences(desired, &found.content.unpacked()));
        let (owner, rivals) = owner_and_rivals(&namesakes, setup.map(|(policy, _)| policy));
        Self {
            external_id: external_id.to_owned(),
            resource: meant
                .zip(object.as_ref())
                .map(|(raw, object)| ResourceFacts::of((raw, object), setup, annotations)),
            owner,
            rivals,
            wanted: desired.map(|it| ContentFacts::of(it.meta.as_ref(), it.limits.as_ref(), show_meta)),
            invalid: spec.and_then(Result::err).map(ToString::to_string),
            asked_unkey: asked,
            in_unkey: found.map(|found| (found, found.content.unpacked())).map(|(found, held)| HeldFacts {
                identity_id: found.id.as_str().to_owned(),
                content: ContentFacts::of(Some(&held.meta), Some(&held.limits), show_meta),
            }),
            difference: difference.iter().flatten().map(|field| FieldReport::of(field, show_meta)).collect(),
            next_step: next.map(|change| ChangeReport::of(change, 1, show_meta)),
        }
    }
}

/// The one that may act for their externalId, by the operator's own order of claims (R8).
pub fn owner_of<'a>(namesakes: &[&'a RawIdentity]) -> Option<&'a RawIdentity> {
    let claimants: Vec<Claimant> =
        namesakes.iter().map(|raw| Claimant::of(&read(raw), raw.born(), &Policy::default())).collect();
    let uid = &owner(&claimants)?.uid;
    namesakes.iter().find(|raw| raw.uid() == uid).copied()
}

/// The same with the operator's own policy, and the others.
fn owner_and_rivals(namesakes: &[&RawIdentity], policy: Option<&Policy>) -> (Option<String>, Vec<String>) {
    let policy = policy.cloned().unwrap_or_default();
    let claimants: Vec<(Claimant, String)> = namesakes
        .iter()
        .map(|raw| {
            let ObjectKey { namespace, name } = raw.key();
            (Claimant::of(&read(raw), raw.born(), &policy), format!("{namespace}/{name}"))
        })
        .collect();
    let owner = owner(claimants.iter().map(|(claimant, _)| claimant)).map(|owner| owner.uid.clone());
    let is_owner = |claimant: &Claimant| owner.as_ref() == Some(&claimant.uid);
    let name = claimants.iter().find(|(claimant, _)| is_owner(claimant)).map(|(_, name)| name.clone());
    let rivals = claimants.iter().filter(|(claimant, _)| !is_owner(claimant)).map(|(_, name)| name.clone());
    (name, rivals.collect())
}

impl ResourceFacts {
    fn of((raw, object): (&RawIdentity, &Object), setup: Option<(&Policy, &str)>, annotations: &Value) -> Self {
        let controls = &object.controls;
        let policy = setup.map(|(policy, _)| policy);
        let told = |name: &str| annotations[name].as_str().map(str::to_owned);
        let observes = policy.is_some_and(|policy| policy.observe);
        let fact = |own: Option<String>, default: Option<String>| PolicyFact::of(own, default, setup);
        let management = if observes {
            PolicyFact { value: Some("Observe".to_owned()), from: "--observe of the operator".to_owned() }
        } else {
            fact(controls.management.map(word), policy.map(|it| word(it.management)))
        };
        Self {
            namespace: raw.namespace().to_owned(),
            name: raw.name().to_owned(),
            leaving: raw.is_leaving(),
            identity_id: object.held().map(|held| held.identity.id().as_str().to_owned()),
            claim: match object.claim {
                ClaimState::Absent => "absent",
                ClaimState::Own(_) => "own",
                ClaimState::Foreign => "of another resource",
            },
            finalizer: object.finalizer,
            suspended: controls.suspend,
            suspend_reason: told(SUSPEND_REASON_ANNOTATION),
            suspend_until: told(SUSPEND_UNTIL_ANNOTATION),
            adoption: fact(controls.adoption.map(word), policy.map(|it| word(it.adoption))),
            deletion: fact(controls.deletion.map(word), policy.map(|it| word(it.deletion))),
            management,
            verdict: Verdict::of(raw),
        }
    }
}

/// The name of a policy's variant, which is its word in a manifest.
fn word(policy: impl std::fmt::Debug) -> String {
    format!("{policy:?}")
}

impl PolicyFact {
    fn of(own: Option<String>, default: Option<String>, setup: Option<(&Policy, &str)>) -> Self {
        match (own, default, setup) {
            (Some(own), ..) => Self { value: Some(own), from: "spec".to_owned() },
            (None, Some(default), Some((_, from))) => {
                Self { value: Some(default), from: format!("default of the operator, {from}") }
            }
            _ => Self { value: None, from: "default of the operator, which is not known".to_owned() },
        }
    }
}

impl ContentFacts {
    fn of(meta: Option<&Meta>, limits: Option<&Limits>, show_meta: bool) -> Self {
        let limit = |(name, limit): (&String, &crate::domain::Limit)| {
            let value = json!({"limit": limit.limit, "duration": limit.duration, "autoApply": limit.auto_apply});
            (name.clone(), value)
        };
        Self {
            meta_keys: meta.map(|meta| meta.as_map().keys().cloned().collect()),
            meta: meta.filter(|_| show_meta).map(|meta| Value::Object(meta.as_map().clone())),
            ratelimits: limits.map(|limits| limits.as_map().iter().map(limit).collect()),
        }
    }
}
