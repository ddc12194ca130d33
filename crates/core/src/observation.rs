//! What an observed object comes upon in Unkey (R21): what is there beside what the spec asks for, and what Enforce would make of it. Pure.
//!
//! It names paths that the spec names and never a value: an identity may be somebody else's, and who may create an `Identity` must not read
//! the keys of another tenant's meta there.

use std::collections::BTreeSet;

use unkey_operator_api::{AdoptionPolicy, Observed, Reason, StatusCause};

use super::content::{Content, Limits, Meta, same};
use super::desired::{Desired, SpecError};
use super::ids::IdentityId;
use super::knowledge::Seen;
use super::losses::{limit_paths, meta_path};
use super::object::Object;
use super::policy::Policy;
use super::prior_status::{OwnedIdentity, Record};
use super::takeover;

/// So many paths are told.
const MAX_PATHS: usize = 20;

/// What an observed object comes upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What Enforce would do.
    pub outlook: Outlook,
    /// The identity that Unkey holds under the externalId.
    pub identity: Option<IdentityId>,
    /// Paths of the spec whose values differ, in order, at most 20.
    pub differs: Vec<String>,
    /// How many more there are.
    pub more: usize,
    /// A managed field holds what the spec does not name.
    pub removes: bool,
    /// Keys of meta and rate limits that the spec does not name.
    pub others: usize,
}

/// What Enforce would do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outlook {
    /// Nothing: Unkey holds what the spec asks for.
    Nothing,
    /// An update.
    Update,
    /// A create.
    Create,
    /// It would write nothing, and say why.
    Refuse(Refusal),
}

/// Why Enforce would write nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The spec cannot be sent.
    InvalidSpec(SpecError),
    /// An identity exists, and the policy is `Never`.
    ExistsNever,
    /// An identity exists, and taking it over would lose something.
    ExistsWouldLose,
    /// What the object owns holds something in a field that becomes managed.
    WouldLose,
    /// An identity of another externalId answers.
    IdentityMismatch,
    /// Another object owns the externalId.
    Conflict,
}

/// What stands under an externalId.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// An identity.
    Identity(&'a IdentityId, &'a Content),
    /// One of another externalId answers.
    Foreign,
    /// None.
    Nothing,
}

impl<'a> Found<'a> {
    /// What a read found; `None`: there was none.
    pub fn by_read(seen: &'a Seen) -> Option<Self> {
        match seen {
            Seen::Nothing => None,
            Seen::Absent { .. } => Some(Self::Nothing),
            Seen::Ours { identity, content, .. } => Some(Self::Identity(identity.id(), content)),
            Seen::Foreign { .. } => Some(Self::Foreign),
        }
    }
}

impl Outlook {
    /// The reason that says so.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Nothing => Reason::Observed,
            Self::Update => Reason::Differs,
            Self::Create => Reason::NotInUnkey,
            Self::Refuse(_) => Reason::WouldRefuse,
        }
    }

    /// It is said without a look at Unkey.
    pub fn needs_no_look(&self) -> bool {
        matches!(self, Self::Refuse(Refusal::InvalidSpec(_) | Refusal::Conflict))
    }

    /// The reason that Enforce would give.
    pub fn cause(&self) -> Option<StatusCause> {
        let Self::Refuse(refusal) = self else { return None };
        Some(match refusal {
            Refusal::InvalidSpec(_) => StatusCause::InvalidSpec,
            Refusal::ExistsNever | Refusal::ExistsWouldLose => StatusCause::AlreadyExists,
            Refusal::WouldLose => StatusCause::WouldLose,
            Refusal::IdentityMismatch => StatusCause::IdentityMismatch,
            Refusal::Conflict => StatusCause::ExternalIdConflict,
        })
    }
}

impl Observation {
    /// What can be said without a look.
    pub fn without_look(refusal: Refusal) -> Self {
        Self::bare(Outlook::Refuse(refusal))
    }

    /// Nothing is there to compare with.
    fn bare(outlook: Outlook) -> Self {
        Self { outlook, identity: None, differs: Vec::new(), more: 0, removes: false, others: 0 }
    }

    /// What `object` comes upon. `held`: the identity that it owns, or owned when it was last enforced.
    pub fn of(object: &Object, held: Option<&OwnedIdentity>, policy: &Policy, found: Found<'_>) -> Self {
        let desired = match &object.spec {
            Ok(desired) => desired,
            Err(error) => return Self::without_look(Refusal::InvalidSpec(error.clone())),
        };
        let (id, content) = match found {
            Found::Identity(id, content) => (id, content),
            Found::Foreign => return Self::bare(Outlook::Refuse(Refusal::IdentityMismatch)),
            Found::Nothing => return Self::bare(Outlook::Create),
        };
        let held = held.filter(|held| held.identity.id() == id);
        let refusal = refuses(object, held, policy, desired, content);
        let equal = desired.missing_from(&desired.managed_of(content)).is_none();
        let outlook = match refusal {
            Some(refusal) => Outlook::Refuse(refusal),
            None if equal => Outlook::Nothing,
            None => Outlook::Update,
        };
        let Difference { paths, removes, others } = Difference::of(desired, content);
        let more = paths.len().saturating_sub(MAX_PATHS);
        let differs = paths.into_iter().take(MAX_PATHS).collect();
        Self { outlook, identity: Some(id.clone()), differs, more, removes, others }
    }

    /// What the status shows of it.
    pub fn shown(&self) -> Observed {
        Observed {
            identity_id: self.identity.as_ref().map(|id| id.as_str().to_owned()),
            differs: self.differs.clone(),
            others: self.identity.as_ref().map(|_| i64::try_from(self.others).unwrap_or(i64::MAX)),
        }
    }

    /// True if `record` tells it already. How much else Unkey holds is not followed: somebody may change that all the time.
    pub fn is_told(&self, record: &Record) -> bool {
        let (reason, cause) = (Some(self.outlook.reason()), self.outlook.cause());
        (record.shown.reason, record.shown.cause) == (reason, cause) && self.looks_like(record.observed.as_ref())
    }

    /// The same, of the part of the status that it writes itself.
    pub(super) fn looks_like(&self, observed: Option<&Observed>) -> bool {
        let ours = self.shown();
        observed.is_some_and(|it| (&it.identity_id, &it.differs) == (&ours.identity_id, &ours.differs))
    }
}

/// What Enforce would refuse, by R3 and R18.
fn refuses(
    object: &Object,
    held: Option<&OwnedIdentity>,
    policy: &Policy,
    desired: &Desired,
    content: &Content,
) -> Option<Refusal> {
    let adoption = object.controls.adoption(policy);
    match (held, adoption) {
        (Some(held), _) => takeover::would_lose(desired, &held.fields, content, adoption).map(|_| Refusal::WouldLose),
        (None, policy) if desired.may_take(content, policy) => None,
        (None, AdoptionPolicy::Never) => Some(Refusal::ExistsNever),
        (None, AdoptionPolicy::IfLossless | AdoptionPolicy::Always) => Some(Refusal::ExistsWouldLose),
    }
}

/// What Unkey holds beside what the spec names.
#[derive(Default)]
struct Difference {
    paths: BTreeSet<String>,
    removes: bool,
    others: usize,
}

impl Difference {
    fn of(desired: &Desired, stored: &Content) -> Self {
        let mut difference = Self::default();
        let (meta, limits) = (stored.meta.as_map(), stored.limits.as_map());
        if let Some(wanted) = desired.meta.as_ref().map(Meta::as_map) {
            let kept = |key: &str, value| meta.get(key).is_some_and(|stored| same(stored, value));
            let changed = wanted.iter().filter(|(key, value)| !kept(key, value));
            difference.paths.extend(changed.map(|(key, _)| meta_path(key)));
        }
        if let Some(wanted) = desired.limits.as_ref().map(Limits::as_map) {
            let changed = wanted.iter().flat_map(|(name, limit)| limit_paths(name, limit, limits.get(name)));
            difference.paths.extend(changed);
        }
        let named = |key: &str| desired.meta.as_ref().map(|wanted| wanted.as_map().contains_key(key));
        for key in meta.keys() {
            difference.beside(named(key));
        }
        let named = |name: &str| desired.limits.as_ref().map(|wanted| wanted.as_map().contains_key(name));
        for name in limits.keys() {
            difference.beside(named(name));
        }
        difference
    }

    /// Unkey holds something. `named`: the spec names it; `None`: it does not manage the field.
    fn beside(&mut self, named: Option<bool>) {
        self.removes |= named == Some(false);
        self.others += usize::from(named != Some(true));
    }
}
