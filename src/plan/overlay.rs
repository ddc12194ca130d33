//! All objects as if the manifests were applied. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::admission::{normalised, problems};
use super::listed::ListedObject;
use super::manifests::{Manifest, Manifests};
use super::merge::merged;
use crate::controller::{Approvals, RawIdentity};
use crate::domain::ObjectKey;
use crate::gather::ListedIdentity;

/// What is to be laid over the objects of the cluster.
#[derive(Debug, Default)]
pub struct Overlay {
    /// What would be applied.
    pub manifests: Manifests,
    /// What would be deleted.
    pub pruned: BTreeSet<ObjectKey>,
    /// The namespaces that the operator watches; none: all.
    pub namespaces: Vec<String>,
    /// Resources that are there and that the operator's selector leaves to others.
    pub unselected: BTreeSet<ObjectKey>,
    /// What a dry run of the API server made of manifests, or why it refused them; of those that it was not asked about, nothing.
    pub served: BTreeMap<ObjectKey, Result<Value, String>>,
}

/// The objects as they would stand.
#[derive(Debug, Default)]
pub struct Overlaid {
    /// All of them.
    pub objects: Vec<ListedObject>,
    /// Manifests that the API server would refuse, with the externalId that they name, and why. The object stays as it is.
    pub refused: Vec<(ObjectKey, String, String)>,
    /// Objects that would go at once, as nothing of the operator is on them.
    pub gone: Vec<ObjectKey>,
    /// Manifests of resources that the operator does not watch.
    pub unwatched: Vec<ObjectKey>,
}

impl Overlay {
    /// True if the whole JSON of this object is needed.
    pub fn names(&self, key: &ObjectKey) -> bool {
        self.manifests.all.contains_key(key) || self.pruned.contains(key)
    }

    /// Lays it over what was listed.
    ///
    /// # Errors
    /// An object cannot be read, which the API server would have refused.
    pub fn over(&self, listed: Vec<ListedIdentity>, approvals: &Arc<Approvals>) -> Result<Overlaid, serde_json::Error> {
        let mut overlaid = Overlaid::default();
        let mut met = BTreeSet::new();
        for identity in listed {
            let key = identity.raw.key();
            let read = identity.json.as_ref().map(|json| serde_json::from_str::<Value>(json.get())).transpose();
            let Ok(live) = read else {
                // One object must not be every other's failure (S24).
                met.insert(key.clone());
                let why = "the stored object is nested too deep to be read".to_owned();
                overlaid.refused.push((key, identity.raw.external_id().to_string(), why));
                overlaid.objects.push(ListedObject::new(identity.raw, Arc::clone(approvals)));
                continue;
            };
            let raw = match (live, self.manifests.all.get(&key)) {
                (Some(live), Some(manifest)) => {
                    met.insert(key.clone());
                    self.applies(&key, manifest, Some(&live), &mut overlaid)?.unwrap_or(identity.raw)
                }
                (Some(live), None) if self.pruned.contains(&key) => {
                    let Some(raw) = deleted(&live)? else {
                        overlaid.gone.push(key);
                        continue;
                    };
                    raw
                }
                _ => identity.raw,
            };
            overlaid.objects.push(ListedObject::new(raw, Arc::clone(approvals)));
        }
        for (key, manifest) in self.manifests.all.iter().filter(|(key, _)| !met.contains(*key)) {
            let is_elsewhere = !self.namespaces.is_empty() && !self.namespaces.contains(&key.namespace);
            if is_elsewhere || self.unselected.contains(key) {
                overlaid.unwatched.push(key.clone());
            } else if let Some(raw) = self.applies(key, manifest, None, &mut overlaid)? {
                overlaid.objects.push(ListedObject::new(raw, Arc::clone(approvals)));
            }
        }
        Ok(overlaid)
    }

    /// What becomes of one object; `None`: the API server refuses it.
    fn applies(
        &self,
        key: &ObjectKey,
        manifest: &Manifest,
        live: Option<&Value>,
        overlaid: &mut Overlaid,
    ) -> Result<Option<Box<RawIdentity>>, serde_json::Error> {
        let found = match self.served.get(key) {
            Some(Ok(object)) => Ok(object.clone()),
            Some(Err(why)) => Err(why.clone()),
            None => {
                let value = manifest.value();
                let mut object = live.map_or_else(|| value.clone(), |live| merged(live, &value));
                normalised(&mut object);
                let problems = problems(&object, live);
                if problems.is_empty() { Ok(object) } else { Err(problems.join("; ")) }
            }
        };
        match found {
            Ok(object) => {
                let object = stored(object, key, live);
                serde_json::from_str(&object.to_string()).map(Some)
            }
            Err(why) => {
                overlaid.refused.push((key.clone(), manifest.external_id().unwrap_or_default(), why));
                Ok(None)
            }
        }
    }
}

/// What the API server adds: who the object is, and which generation.
fn stored(mut object: Value, key: &ObjectKey, live: Option<&Value>) -> Value {
    let generation = live.map_or(0, |live| live["metadata"]["generation"].as_i64().unwrap_or(0));
    let is_edited = live.is_none_or(|live| live["spec"] != object["spec"]);
    let metadata = &mut object["metadata"];
    metadata["generation"] = json!(generation + i64::from(is_edited));
    if live.is_none() {
        // No uid of an API server looks like that.
        metadata["uid"] = json!(format!("planned-{}/{}", key.namespace, key.name));
        // What the API server clears of a manifest that was read from a cluster.
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "managedFields"] {
            if let Some(fields) = metadata.as_object_mut() {
                fields.remove(field);
            }
        }
        metadata["creationTimestamp"] = json!(Timestamp::now().to_string());
        object["status"] = json!({"observedGeneration": -1});
    }
    object
}

/// The object once it is deleted; `None`: it goes at once.
fn deleted(live: &Value) -> Result<Option<Box<RawIdentity>>, serde_json::Error> {
    let mut object = live.clone();
    let metadata = &mut object["metadata"];
    if metadata["finalizers"].as_array().is_none_or(Vec::is_empty) {
        return Ok(None);
    }
    if metadata.get("deletionTimestamp").is_none() {
        metadata["deletionTimestamp"] = json!(Timestamp::now().to_string());
        metadata["generation"] = json!(metadata["generation"].as_i64().unwrap_or(0) + 1);
    }
    serde_json::from_str(&object.to_string()).map(Some)
}
