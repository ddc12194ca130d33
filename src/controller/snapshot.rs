//! The watch type: an object whose spec and status stay text until they are known to be harmless.
//!
//! A JSON parser refuses deep nesting, the API server stores it. Parsed with the list, one such object would fail the
//! list of the whole cluster, for ever; kept as text, it fails only its own reading.

use std::borrow::Cow;

use ::kube::Resource;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::{CLAIM_ANNOTATION, FINALIZER, GROUP, IdentityStatus, KIND, PLURAL, RECONCILE_ANNOTATION, VERSION};
use crate::domain::{
    Claimant, ExternalId, Guard, Mark, Mono, Object, ObjectKey, Phase, Poke, Recorded, Spec, Uid, depth,
};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// A status is ours and shallow; one that is not cannot be read and counts as none.
const MAX_STATUS_DEPTH: usize = 16;

/// An `Identity` of which only the metadata is parsed.
#[derive(Clone, Debug, Deserialize)]
pub struct Snapshot {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// The spec's text.
    #[serde(default)]
    pub spec: Option<Box<RawValue>>,
    /// The status's text.
    #[serde(default)]
    pub status: Option<Box<RawValue>>,
}

impl Resource for Snapshot {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnlyExternalId {
    external_id: String,
}

impl Snapshot {
    /// Drops what the cache need not hold: managedFields, and the value of kubectl's last-applied annotation. Its key
    /// stays: a snapshot without annotations would make the claim patch create the map, and so wipe the user's.
    pub fn prune(&mut self) {
        self.metadata.managed_fields = None;
        if let Some(value) = self.metadata.annotations.as_mut().and_then(|all| all.get_mut(LAST_APPLIED)) {
            *value = String::new();
        }
    }

    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            namespace: self.metadata.namespace.clone().unwrap_or_default(),
            name: self.metadata.name.clone().unwrap_or_default(),
        }
    }

    /// `metadata.uid`
    pub fn uid(&self) -> Uid {
        Uid::new(self.metadata.uid.as_deref().unwrap_or_default())
    }

    /// `metadata.resourceVersion` as the number it is in every API server so far; to compare ages of one object.
    pub fn version(&self) -> u64 {
        self.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
    }

    /// `spec.externalId`; empty only if the schema was tampered with.
    pub fn external_id(&self) -> ExternalId {
        let text = self.spec.as_ref().and_then(|spec| serde_json::from_str::<OnlyExternalId>(spec.get()).ok());
        ExternalId::new(text.as_ref().map_or("", |spec| spec.external_id.as_str()))
    }

    /// An annotation's value.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// The status as it stands, whoever wrote it; `None` if there is none, or one nested deeper than any of ours.
    pub fn raw_status(&self) -> Option<Value> {
        let text = self.status.as_ref()?.get();
        (depth(text) <= MAX_STATUS_DEPTH).then(|| serde_json::from_str(text).ok()).flatten()
    }

    /// The status, if it can be read.
    pub fn read_status(&self) -> Option<IdentityStatus> {
        serde_json::from_value(self.raw_status()?).ok()
    }

    /// Where our finalizer stands in the list.
    pub fn finalizer_index(&self) -> Option<usize> {
        self.metadata.finalizers.as_ref()?.iter().position(|finalizer| finalizer == FINALIZER)
    }

    fn phase(&self) -> Phase {
        if self.metadata.deletion_timestamp.is_some() { Phase::Deleting } else { Phase::Live }
    }

    /// What this object says for its right to its externalId (R8).
    pub fn claimant(&self, status: Option<&IdentityStatus>) -> Claimant {
        let uid = self.uid();
        let mark = Mark::parse(self.annotation(CLAIM_ANNOTATION), &uid);
        let own = status.filter(|status| status.uid.as_deref() == Some(uid.as_str()));
        let given_up = mark.own().and_then(|claim| claim.given_up.clone());
        let recorded = own
            .and_then(|status| status.identity_id.as_deref())
            .map(crate::domain::IdentityId::new)
            .filter(|id| Some(id) != given_up.as_ref());
        Claimant {
            credential: recorded.as_ref().and_then(|_| own?.credential.clone()),
            recorded,
            claimed: mark.own().is_some() && self.finalizer_index().is_some(),
            created: own.is_some_and(|status| status.origin == Some(crate::api::Origin::Created)),
            born: self.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
            leaving: self.phase() == Phase::Deleting,
            uid,
        }
    }

    /// The object as a decision sees it. `pokes` remembers when a poke was first seen.
    pub fn read(&self, fresh: bool, now: Mono, pokes: &mut Pokes) -> Object {
        let uid = self.uid();
        let spec = Spec::read(self.spec.as_ref().map_or("{}", |spec| spec.get()));
        let status = self.read_status();
        let recorded = Recorded::read(status.as_ref(), &uid, spec.external_id.as_ref());
        let handled = recorded.own().and_then(|record| record.handled_poke.as_deref());
        let poke = self
            .annotation(RECONCILE_ANNOTATION)
            .filter(|value| Some(*value) != handled)
            .map(|value| Poke { value: value.to_owned(), since: pokes.since(value, now) });
        Object {
            key: self.key(),
            phase: self.phase(),
            fresh,
            finalizer: self.finalizer_index().is_some(),
            mark: Mark::parse(self.annotation(CLAIM_ANNOTATION), &uid),
            generation: self.metadata.generation.unwrap_or(0),
            poke,
            external_id: spec.external_id,
            controls: spec.controls,
            spec: spec.desired,
            recorded,
            guard: Guard { uid, resource_version: self.metadata.resource_version.clone().unwrap_or_default() },
        }
    }
}

/// When the last poke was first seen.
#[derive(Debug, Default)]
pub struct Pokes(Option<(String, Mono)>);

impl Pokes {
    fn since(&mut self, value: &str, now: Mono) -> Mono {
        match &self.0 {
            Some((last, since)) if last == value => *since,
            _ => {
                self.0 = Some((value.to_owned(), now));
                now
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ::kube::core::{ObjectList, WatchEvent};
    use serde_json::{Value, json};

    use super::*;

    /// An object as the API server would show it.
    pub(in crate::controller) fn snapshot(value: &Value) -> Snapshot {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn deep(levels: usize) -> String {
        let meta = format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        format!(
            r#"{{"apiVersion":"unkey.com/v1alpha1","kind":"Identity","metadata":{{"name":"deep","namespace":"n","uid":"u"}},"spec":{{"externalId":"e","meta":{meta}}}}}"#
        )
    }

    /// S24: an object nested deeper than a parser goes must not fail the list or the watch that it comes with.
    #[test]
    fn s24_a_deep_object_fails_nobody_else() {
        for levels in [150, 5_000] {
            let list = format!(r#"{{"apiVersion":"v1","kind":"List","metadata":{{}},"items":[{}]}}"#, deep(levels));
            let list: ObjectList<Snapshot> = serde_json::from_str(&list).unwrap();
            assert_eq!(list.items[0].external_id().as_str(), "e");
            let event = format!(r#"{{"type":"ADDED","object":{}}}"#, deep(levels));
            let event: WatchEvent<Snapshot> = serde_json::from_str(&event).unwrap();
            let WatchEvent::Added(object) = event else { panic!("{event:?}") };
            let read = object.read(false, Mono::ZERO, &mut Pokes::default());
            assert_eq!(read.spec, Err(crate::domain::SpecError::MetaTooDeep { levels }));
        }
    }

    #[test]
    fn pruning_keeps_the_key_of_last_applied_and_the_users_annotations() {
        let mut object = snapshot(&json!({"metadata": {
            "name": "a", "managedFields": [{"manager": "m"}],
            "annotations": {LAST_APPLIED: "{...}", "mine": "kept"},
        }}));
        object.prune();
        assert_eq!(object.metadata.managed_fields, None);
        assert_eq!(object.annotation(LAST_APPLIED), Some(""));
        assert_eq!(object.annotation("mine"), Some("kept"));
    }

    #[test]
    fn a_poke_is_pending_until_it_is_echoed_and_remembers_when_it_was_first_seen() {
        let mut pokes = Pokes::default();
        let mut object =
            json!({"metadata": {"uid": "u", "annotations": {RECONCILE_ANNOTATION: "1"}}, "spec": {"externalId": "e"}});
        let first = snapshot(&object).read(false, Mono(5), &mut pokes);
        let again = snapshot(&object).read(false, Mono(9), &mut pokes);
        assert_eq!((first.poke.clone().unwrap().since, again.poke), (Mono(5), first.poke));
        object["status"] = json!({"uid": "u", "lastHandledReconcileAt": "1"});
        assert_eq!(snapshot(&object).read(false, Mono(9), &mut pokes).poke, None);
        object["metadata"]["annotations"][RECONCILE_ANNOTATION] = json!("2");
        assert_eq!(snapshot(&object).read(false, Mono(11), &mut pokes).poke.unwrap().since, Mono(11));
    }
}
