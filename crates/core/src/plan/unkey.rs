//! The identities of the workspace as they would stand. It answers calls as a settled Unkey does: each has its effect at once, and none fails.

use std::collections::HashMap;

use super::packed::Packed;
use super::world::Identity;
use crate::call::{Call, Patch};
use crate::content::Content;
use crate::desired::Desired;
use crate::drift_scan::Saw;
use crate::ids::{Confirmed, ExternalId, IdentityId};
use crate::reply::Reply;

/// See the module.
#[derive(Debug)]
pub(super) struct Unkey {
    identities: HashMap<ExternalId, (IdentityId, Packed)>,
    /// Identities that would be created so far: each needs an id that no other has.
    created: u32,
}

/// What a call did.
#[derive(Clone, Debug)]
pub(super) enum Done {
    /// It changed nothing.
    Nothing,
    /// It created an identity, which holds this.
    Created(Packed),
    /// It updated one.
    Updated {
        /// What it held.
        from: Packed,
        /// What it holds now.
        to: Packed,
    },
    /// It deleted one.
    Deleted(IdentityId),
}

impl Unkey {
    pub fn new(identities: Vec<Identity>) -> Self {
        let identities = identities.into_iter().map(|it| (it.external_id, (it.id, it.content))).collect();
        Self { identities, created: 0 }
    }

    /// The id that stands under this externalId.
    pub fn id(&self, external_id: &ExternalId) -> Option<&IdentityId> {
        self.identities.get(external_id).map(|(id, _)| id)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&ExternalId, &IdentityId)> {
        self.identities.iter().map(|(external_id, (id, _))| (external_id, id))
    }

    /// What a listing shows under this externalId.
    pub fn shows(&self, external_id: &ExternalId) -> Saw {
        self.identities
            .get(external_id)
            .map_or(Saw::Missing, |(id, content)| Saw::There { id: id.clone(), content: content.unpacked() })
    }

    /// Answers a call.
    pub fn answers(&mut self, call: &Call) -> (Reply, Done) {
        match call {
            Call::Read(external_id) => (self.read(external_id), Done::Nothing),
            Call::Create(desired) => self.create(desired),
            Call::Update { to, patch, .. } => self.update(to, patch),
            Call::Delete(identity) => self.delete(identity),
        }
    }

    fn read(&self, external_id: &ExternalId) -> Reply {
        self.identities.get(external_id).map_or(Reply::Absent, |(id, content)| Reply::Found {
            external_id: external_id.as_str().to_owned(),
            id: id.as_str().to_owned(),
            content: content.unpacked(),
        })
    }

    fn create(&mut self, desired: &Desired) -> (Reply, Done) {
        if self.identities.contains_key(&desired.external_id) {
            return (Reply::Exists, Done::Nothing);
        }
        let content = Packed::new(&Content {
            meta: desired.meta.clone().unwrap_or_default(),
            limits: desired.limits.clone().unwrap_or_default(),
        });
        self.created += 1;
        // No id of Unkey's has a hyphen.
        let id = format!("id_planned-{}", self.created);
        self.identities.insert(desired.external_id.clone(), (IdentityId::new(&id), content.clone()));
        (Reply::Created { id }, Done::Created(content))
    }

    fn update(&mut self, to: &Confirmed, patch: &Patch) -> (Reply, Done) {
        let Some((_, content)) = self.identities.get_mut(to.external_id()).filter(|(id, _)| id == to.id()) else {
            return (Reply::Absent, Done::Nothing);
        };
        let (from, mut held) = (content.clone(), content.unpacked());
        if let Some(meta) = &patch.meta {
            held.meta.clone_from(meta);
        }
        if let Some(limits) = &patch.limits {
            held.limits.clone_from(limits);
        }
        *content = Packed::new(&held);
        let external_id = to.external_id().as_str().to_owned();
        let reply = Reply::Updated { external_id, id: to.id().as_str().to_owned() };
        (reply, Done::Updated { from, to: content.clone() })
    }

    fn delete(&mut self, identity: &Confirmed) -> (Reply, Done) {
        if self.id(identity.external_id()) != Some(identity.id()) {
            return (Reply::Absent, Done::Nothing);
        }
        self.identities.remove(identity.external_id());
        (Reply::Deleted, Done::Deleted(identity.id().clone()))
    }
}
