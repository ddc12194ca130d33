//! What is known of each field of an identity that an object owns: whether it is managed, and what Unkey last accepted (R5, R17, R18).
//!
//! "Not known" is not "not managed": a field whose update went unanswered, or whose hash another version wrote, stays managed and is
//! simply sent again. Only a field that is not managed is looked at before it is written.

use super::content::{Applied, FieldHash, META, RATELIMITS};
use super::desired::Desired;
use unkey_operator_api::AppliedHashes;

/// What is known of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Field {
    /// Not managed: the spec never named it, or named it no more (R17). What Unkey holds of it may be anybody's.
    #[default]
    Unmanaged,
    /// A settled look has allowed the first update, of the content with this hash; it may have been sent and was not accepted yet.
    Pending(FieldHash),
    /// Managed. The hash is of what Unkey last accepted; `None`: not known.
    Managed(Option<FieldHash>),
}

/// What is known of every field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fields {
    /// The meta.
    pub meta: Field,
    /// The rate limits.
    pub limits: Field,
}

impl Field {
    /// Managed if something was accepted, else not managed.
    fn accepted(hash: Option<FieldHash>) -> Self {
        hash.map_or(Self::Unmanaged, |hash| Self::Managed(Some(hash)))
    }

    /// Hash of what Unkey last accepted, if that is known.
    pub fn applied(&self) -> Option<&FieldHash> {
        match self {
            Self::Managed(hash) => hash.as_ref(),
            Self::Unmanaged | Self::Pending(_) => None,
        }
    }

    /// It is managed: no look is needed before it is written.
    pub fn is_managed(&self) -> bool {
        matches!(self, Self::Managed(_))
    }

    /// The spec has named it, so that leaving the spec releases it (R17).
    pub fn is_named(&self) -> bool {
        *self != Self::Unmanaged
    }

    fn overlaid(&self, accepted: Option<&FieldHash>) -> Self {
        accepted.map_or_else(|| self.clone(), |hash| Self::Managed(Some(hash.clone())))
    }

    fn unsure(self, unsure: bool) -> Self {
        if unsure && self.is_managed() { Self::Managed(None) } else { self }
    }

    fn kept(&self, named: bool) -> Self {
        if named { self.clone() } else { Self::Unmanaged }
    }

    /// What a status says that holds only the hash: all that 0.1 wrote. At rest, every managed field had one; while work was under way
    /// an unanswered update had taken it off, so what has none may have been written all the same.
    fn told_by(hash: Option<&str>, rests: bool) -> Self {
        match hash {
            Some(hash) => Self::Managed(FieldHash::parse(hash)),
            None if rests => Self::Unmanaged,
            None => Self::Managed(None),
        }
    }

    fn read(hash: Option<&str>, pending: Option<&str>, listed: Option<bool>, rests: bool) -> Self {
        match (hash, pending, listed) {
            (None, Some(pending), Some(false)) => FieldHash::parse(pending).map_or(Self::Managed(None), Self::Pending),
            (None, _, Some(false)) => Self::Unmanaged,
            (None, _, Some(true)) => Self::Managed(None),
            (hash, ..) => Self::told_by(hash, rests),
        }
    }
}

impl Fields {
    /// Managed is what was accepted, and nothing else.
    pub fn accepted(applied: Applied) -> Self {
        Self { meta: Field::accepted(applied.meta), limits: Field::accepted(applied.limits) }
    }

    /// Managed is what the spec names; what Unkey holds of it is not known.
    pub fn unknown(desired: &Desired) -> Self {
        let field = |named: bool| if named { Field::Managed(None) } else { Field::Unmanaged };
        Self { meta: field(desired.meta.is_some()), limits: field(desired.limits.is_some()) }
    }

    /// Hashes of what Unkey last accepted, where that is known.
    pub fn applied(&self) -> Applied {
        Applied { meta: self.meta.applied().cloned(), limits: self.limits.applied().cloned() }
    }

    /// The same with what was accepted since.
    #[must_use]
    pub fn overlaid(&self, accepted: &Applied) -> Self {
        Self {
            meta: self.meta.overlaid(accepted.meta.as_ref()),
            limits: self.limits.overlaid(accepted.limits.as_ref()),
        }
    }

    /// The same, with the content of these managed fields not known any more.
    #[must_use]
    pub fn unsure(self, meta: bool, limits: bool) -> Self {
        Self { meta: self.meta.unsure(meta), limits: self.limits.unsure(limits) }
    }

    /// The same without the fields that the spec does not name (R17).
    #[must_use]
    pub fn kept_by(&self, desired: &Desired) -> Self {
        Self { meta: self.meta.kept(desired.meta.is_some()), limits: self.limits.kept(desired.limits.is_some()) }
    }

    /// What a status says. `rests`: it is Ready, or waits for a person.
    pub fn read(hashes: &AppliedHashes, pending: &AppliedHashes, managed: Option<&[String]>, rests: bool) -> Self {
        let listed = |name: &str| managed.map(|names| names.iter().any(|listed| listed == name));
        let field = |name: &str, hash: &Option<String>, pending: &Option<String>| {
            Field::read(hash.as_deref(), pending.as_deref(), listed(name), rests)
        };
        Self {
            meta: field(META, &hashes.meta, &pending.meta),
            limits: field(RATELIMITS, &hashes.ratelimits, &pending.ratelimits),
        }
    }

    /// The names to write to the status; `None`: its hashes say it already, as those of 0.1 do.
    pub fn managed(&self, rests: bool) -> Option<Vec<String>> {
        let told = |field: &Field| Field::told_by(field.applied().map(FieldHash::as_str), rests) == *field;
        if told(&self.meta) && told(&self.limits) {
            return None;
        }
        let fields = [(META, &self.meta), (RATELIMITS, &self.limits)];
        Some(fields.into_iter().filter(|(_, field)| field.is_managed()).map(|(name, _)| name.to_owned()).collect())
    }

    /// The hashes to write to the status of what Unkey last accepted.
    pub fn hashes(&self) -> Option<AppliedHashes> {
        self.texts(Field::applied)
    }

    /// The hashes to write to the status of what is about to be written for the first time.
    pub fn pending(&self) -> Option<AppliedHashes> {
        self.texts(|field| match field {
            Field::Pending(hash) => Some(hash),
            Field::Unmanaged | Field::Managed(_) => None,
        })
    }

    fn texts(&self, of: impl Fn(&Field) -> Option<&FieldHash>) -> Option<AppliedHashes> {
        let text = |field| of(field).map(|hash| hash.as_str().to_owned());
        let texts = AppliedHashes { meta: text(&self.meta), ratelimits: text(&self.limits) };
        (texts != AppliedHashes::default()).then_some(texts)
    }
}
