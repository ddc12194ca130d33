//! What a write changes of an identity's content, field by field.

use serde_json::Value;

use crate::content::{Content, Limit, same};
use crate::losses::{limit_path, meta_path};

/// One field that changes: a top-level key of meta, or a rate limit.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its path, such as `meta.plan` or `ratelimits[requests]`.
    pub path: String,
    /// The value before the write; `None` if the field is absent.
    pub from: Option<FieldValue>,
    /// The value after the write; `None` if the field is absent.
    pub to: Option<FieldValue>,
    /// What that means for callers.
    pub effect: Effect,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// Of a key of meta.
    Meta(Value),
    /// Of a rate limit.
    Limit(Limit),
}

/// What a change means for callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// It was not there.
    Adds,
    /// It holds another value.
    Changes,
    /// It goes. Of a rate limit: a verification that names it fails from then on.
    Removes,
    /// A rate limit no longer applies to verifications that do not name it.
    AppliesNoLonger,
    /// A rate limit lets fewer requests pass.
    Tightens,
    /// A rate limit lets more requests pass.
    Loosens,
}

impl Effect {
    /// One word, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adds => "add",
            Self::Changes => "change",
            Self::Removes => "remove",
            Self::AppliesNoLonger => "apply-no-longer",
            Self::Tightens => "tighten",
            Self::Loosens => "loosen",
        }
    }

    /// Of a change between two limits of one name.
    fn between(from: &Limit, to: &Limit) -> Self {
        match (from.auto_apply, to.auto_apply) {
            (true, false) => return Self::AppliesNoLonger,
            (false, true) => return Self::Tightens,
            _ => {}
        }
        // Requests in a time, compared without division; of two equal rates the one with the larger window lets more pass at once.
        let rate = |limit: &Limit, other: &Limit| i128::from(limit.limit) * i128::from(other.duration);
        let order = (rate(from, to), from.limit).cmp(&(rate(to, from), to.limit));
        match order {
            std::cmp::Ordering::Greater => Self::Tightens,
            std::cmp::Ordering::Less => Self::Loosens,
            std::cmp::Ordering::Equal => Self::Changes,
        }
    }
}

/// What differs, in the order of paths: meta before rate limits.
pub fn difference(from: &Content, to: &Content) -> Vec<FieldChange> {
    let (before, after) = (from.meta.as_map(), to.meta.as_map());
    let mut changes = Vec::new();
    for key in names(before.keys(), after.keys()) {
        let (from, to) = (before.get(key), after.get(key));
        let effect = match (from, to) {
            (Some(from), Some(to)) if same(from, to) => continue,
            (Some(_), Some(_)) => Effect::Changes,
            (None, _) => Effect::Adds,
            (_, None) => Effect::Removes,
        };
        let value = |value: Option<&Value>| value.cloned().map(FieldValue::Meta);
        changes.push(FieldChange { path: meta_path(key), from: value(from), to: value(to), effect });
    }
    let (before, after) = (from.limits.as_map(), to.limits.as_map());
    for name in names(before.keys(), after.keys()) {
        let (from, to) = (before.get(name).copied(), after.get(name).copied());
        let effect = match (&from, &to) {
            (Some(from), Some(to)) if from == to => continue,
            (Some(from), Some(to)) => Effect::between(from, to),
            (None, _) => Effect::Adds,
            (_, None) => Effect::Removes,
        };
        let (from, to) = (from.map(FieldValue::Limit), to.map(FieldValue::Limit));
        changes.push(FieldChange { path: limit_path(name), from, to, effect });
    }
    changes
}

/// Each name once, in order.
fn names<'a>(
    before: impl Iterator<Item = &'a String>,
    after: impl Iterator<Item = &'a String>,
) -> std::collections::BTreeSet<&'a str> {
    before.chain(after).map(String::as_str).collect()
}
