//! The layers of a content (R23): what a tier gives to all that name it, and over that what an object says itself. Pure. What
//! comes out is measured as any spec is.

use super::content::{Limits, Meta, layer_digest};
use super::desired::{Desired, SpecError};
use super::ids::Revision;
use super::spec::fits;

/// What one layer says. A field that no layer names is not managed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// `meta`; `None`: it does not name the field.
    pub meta: Option<Meta>,
    /// `ratelimits`, by name; `None`: it does not name the field.
    pub limits: Option<Limits>,
}

impl Layer {
    /// This layer over another one. What both have, this one has its way with: meta by key of its top level, each value whole, and rate limits by
    /// name, each entry whole. Nothing is taken away from what lies under: an empty field adds nothing of its own.
    #[must_use]
    pub fn over(&self, under: &Self) -> Self {
        let meta = both(self.meta.as_ref(), under.meta.as_ref(), |own, under| {
            let mut all = under.as_map().clone();
            all.extend(own.as_map().iter().map(|(key, value)| (key.clone(), value.clone())));
            Meta::new(all)
        });
        let limits = both(self.limits.as_ref(), under.limits.as_ref(), |own, under| {
            let mut all = under.as_map().clone();
            all.extend(own.as_map().iter().map(|(name, limit)| (name.clone(), *limit)));
            Limits::new(all)
        });
        Self { meta, limits }
    }

    /// What is asked for if this lies under what an object asks for itself. Both have been read, so neither is nested too deep, and together they are
    /// no deeper.
    ///
    /// # Errors
    /// Together they have more bytes than Unkey takes.
    pub fn under(&self, desired: &Desired) -> Result<Desired, SpecError> {
        let own = Self { meta: desired.meta.clone(), limits: desired.limits.clone() };
        let Self { meta, limits } = own.over(self);
        if let Some(meta) = &meta {
            fits(meta.as_map())?;
        }
        Ok(Desired::new(desired.external_id.clone(), meta, limits))
    }

    /// By which two contents of a tier are told apart. Equal layers have equal revisions, however their JSON is written.
    pub fn revision(&self) -> Revision {
        Revision::new(&layer_digest(self.meta.as_ref(), self.limits.as_ref()))
    }
}

/// One field of two layers. What only one of them has is shared, not copied.
fn both<T: Clone>(own: Option<&T>, under: Option<&T>, merge: impl FnOnce(&T, &T) -> T) -> Option<T> {
    match (own, under) {
        (Some(own), Some(under)) => Some(merge(own, under)),
        (one, other) => one.or(other).cloned(),
    }
}
