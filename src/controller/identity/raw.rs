//! The watch type: an object whose spec and status stay text until they are known to be harmless.
//!
//! A JSON parser refuses deep nesting, the API server stores it. Parsed with the list, one such object would fail the
//! list of the whole cluster, for ever; kept as text, it fails only its own reading.

mod annotations;
mod reading;
mod seen;
mod wire;

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use self::annotations::Annotations;
use self::seen::text;
pub use self::seen::{LastRead, ReconcileRequests};
pub use self::wire::Finalizers;
use self::wire::{OnlyRight, Wire};
use crate::api::{GROUP, IdentityStatus, KIND, ManagementPolicy, PLURAL, VERSION};
use crate::controller::runtime::api_server::FIELD_MANAGER;
use crate::domain::{
    ClaimState, Crowd, ExternalId, Guard, Limits, ObjectKey, PriorStatus, Progress, Spec, StatusUpdate, Uid, depth,
};

/// A status is ours and shallow; one that is not cannot be read and counts as none.
const MAX_STATUS_DEPTH: usize = 16;

/// An `Identity` of which only the metadata is parsed, and of that only what a reconcile looks at: managedFields, labels, the annotations of
/// others and all the rest would be most of what a large cluster costs in memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Wire")]
pub struct RawIdentity {
    /// Name and namespace, by which the queue knows it; and the resourceVersion until [`prune`](Self::prune), for the watch to resume from.
    metadata: ObjectMeta,
    uid: Uid,
    external_id: ExternalId,
    management: Option<ManagementPolicy>,
    resource_version: Box<str>,
    generation: i64,
    /// Seconds since 1970.
    born: i64,
    /// `metadata.deletionTimestamp`, in seconds since 1970.
    deleted: Option<i64>,
    finalizers: Finalizers,
    /// There is a map of annotations, whoever's.
    annotated: bool,
    claim: Option<Box<str>>,
    reconcile_request: Option<Box<str>>,
    deletion_approved: Option<Box<str>>,
    /// `None` of nearly all: there is room for a claim, whatever it says.
    crowd: Option<Arc<Crowd>>,
    spec: Option<Arc<RawValue>>,
    status: Option<Arc<RawValue>>,
    /// `metadata.managedFields`, only of what a request has shown.
    managers: Option<Arc<RawValue>>,
}

impl From<Wire> for RawIdentity {
    fn from(wire: Wire) -> Self {
        let meta = wire.metadata;
        let (annotated, ours) = (meta.annotations.is_some(), meta.annotations);
        let Annotations { claim, reconcile_request, deletion_approved, crowd } = ours.unwrap_or_default();
        let right = wire.spec.as_ref().and_then(|spec| serde_json::from_str::<OnlyRight>(spec.get()).ok());
        Self {
            uid: Uid::new(meta.uid.as_deref().unwrap_or_default()),
            external_id: ExternalId::new(right.as_ref().map_or("", |spec| &spec.external_id)),
            management: right.as_ref().and_then(OnlyRight::management),
            resource_version: meta.resource_version.as_deref().unwrap_or_default().into(),
            generation: meta.generation.unwrap_or(0),
            born: meta.creation_timestamp.map_or(0, |time| time.0.as_second()),
            deleted: meta.deletion_timestamp.map(|time| time.0.as_second()),
            finalizers: Finalizers::of(meta.finalizers.as_deref()),
            annotated,
            claim,
            reconcile_request,
            deletion_approved,
            crowd: crowd.map(Arc::new),
            metadata: ObjectMeta {
                name: meta.name,
                namespace: meta.namespace,
                resource_version: meta.resource_version,
                ..ObjectMeta::default()
            },
            spec: wire.spec.map(Arc::from),
            status: wire.status.map(Arc::from),
            managers: meta.managed_fields.map(Arc::from),
        }
    }
}

impl Resource for RawIdentity {
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

impl RawIdentity {
    /// Drops what only the watch needed. Each reference that the queue makes of the object would carry a copy.
    pub fn prune(&mut self) {
        self.prune_reply();
        self.managers = None;
    }

    /// Drops what is kept twice.
    pub fn prune_reply(&mut self) {
        self.metadata.resource_version = None;
    }

    /// The rate limits that its spec asks for; `None`: it manages none, or cannot be read.
    pub fn limits(&self) -> Option<Limits> {
        Spec::read(text(self.spec.as_ref())?).desired.ok()?.limits
    }

    /// The same as text, without the rest of the spec being read.
    pub fn limits_text(&self) -> Option<&str> {
        wire::limits_text(text(self.spec.as_ref())?)
    }

    /// The field managers of its spec, in order, as the request told that has shown it; empty if that was the watch.
    pub fn spec_managers(&self) -> Vec<String> {
        text(self.managers.as_ref()).map_or_else(Vec::new, wire::spec_managers)
    }

    /// When the operator last wrote to it, its status included, as the request told that has shown it.
    pub fn last_write(&self) -> Option<Timestamp> {
        wire::last_write(text(self.managers.as_ref())?, FIELD_MANAGER)
    }

    /// Takes over what is the same in an earlier version of this object: kept once for all who name it, and left where it lies in memory.
    pub fn share(&mut self, before: &Self) {
        if self.uid == before.uid {
            self.uid = before.uid.clone();
        }
        if self.external_id == before.external_id {
            self.external_id = before.external_id.clone();
        }
        if text(self.spec.as_ref()) == text(before.spec.as_ref()) {
            self.spec.clone_from(&before.spec);
        }
    }

    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.namespace().to_owned(), name: self.name().to_owned() }
    }

    /// `metadata.namespace`
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// `metadata.name`
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// `metadata.uid`
    pub fn uid(&self) -> &Uid {
        &self.uid
    }

    /// `metadata.generation`
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// `metadata.creationTimestamp`, in seconds since 1970.
    pub fn born(&self) -> i64 {
        self.born
    }

    /// `metadata.resourceVersion` as the number it is in every API server so far; to compare ages of one object.
    pub fn version(&self) -> u64 {
        self.resource_version.parse().unwrap_or(0)
    }

    /// `spec.externalId`; empty only if the schema was tampered with.
    pub fn external_id(&self) -> &ExternalId {
        &self.external_id
    }

    /// The annotation `unkey.com/claim`.
    pub fn claim(&self) -> Option<&str> {
        self.claim.as_deref()
    }

    /// The annotation `unkey.com/deletion-approved`.
    pub fn deletion_approved(&self) -> Option<&str> {
        self.deletion_approved.as_deref()
    }

    /// True if there is a map of annotations: a patch that makes one would wipe those of others.
    pub fn is_annotated(&self) -> bool {
        self.annotated
    }

    /// `metadata.finalizers`
    pub fn finalizers(&self) -> Finalizers {
        self.finalizers
    }

    /// True if our finalizer is on, and a claim of its own.
    pub fn is_claimed(&self) -> bool {
        self.finalizers.ours().is_some() && ClaimState::parse(self.claim(), &self.uid).own().is_some()
    }

    /// True if its status is what was written to say `report`.
    pub fn shows(&self, report: &StatusUpdate) -> bool {
        let recorded = PriorStatus::read(self.read_status().as_ref(), &self.uid, report.external_id.as_ref());
        recorded.own().is_some_and(|record| record.shows(report, &self.key()))
    }

    /// True if it is being deleted.
    pub fn is_leaving(&self) -> bool {
        self.deleted.is_some()
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let own = self.read_status().filter(|status| status.uid.as_deref() == Some(self.uid.as_str()));
        Progress {
            generation: self.generation,
            observed: own.and_then(|status| status.observed_generation),
            leaving: self.is_leaving(),
        }
    }

    /// What a write to this version of it tests.
    pub fn guard(&self) -> Guard {
        Guard { uid: self.uid.clone(), resource_version: self.resource_version.to_string() }
    }

    /// True if a reconcile sees the same in both: they differ in labels, the annotations of others or the like.
    pub fn reads_as(&self, other: &Self) -> bool {
        self.uid == other.uid
            && (self.generation, self.deleted) == (other.generation, other.deleted)
            && (self.finalizers, self.annotated) == (other.finalizers, other.annotated)
            && (&self.claim, &self.reconcile_request, &self.deletion_approved, &self.crowd)
                == (&other.claim, &other.reconcile_request, &other.deletion_approved, &other.crowd)
            && text(self.spec.as_ref()) == text(other.spec.as_ref())
            && text(self.status.as_ref()) == text(other.status.as_ref())
    }

    fn status_text(&self) -> Option<&str> {
        text(self.status.as_ref()).filter(|text| depth(text) <= MAX_STATUS_DEPTH)
    }

    /// The status as it stands, whoever wrote it; `None` if there is none, or one nested deeper than any of ours.
    pub fn raw_status(&self) -> Option<Value> {
        serde_json::from_str(self.status_text()?).ok()
    }

    /// The status, if it can be read.
    pub fn read_status(&self) -> Option<IdentityStatus> {
        serde_json::from_str(self.status_text()?).ok()
    }

    /// Whether it is only observed. `default`: of specs that do not say (R21).
    pub fn management(&self, default: ManagementPolicy) -> ManagementPolicy {
        self.management.unwrap_or(default)
    }

    /// True if it is only observed and nothing of ours is on it.
    pub fn owns_nothing(&self, default: ManagementPolicy) -> bool {
        let observes = self.management(default) == ManagementPolicy::Observe;
        observes && self.finalizers.ours().is_none() && self.claim.is_none()
    }
}

#[cfg(test)]
pub(in crate::controller) mod tests;
