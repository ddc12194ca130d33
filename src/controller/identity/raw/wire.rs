//! An object as the API server sends it. What nobody here asks for is skipped, not parsed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::annotations::Annotations;
use crate::api::{FINALIZER, ManagementPolicy};

/// The list of finalizers, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finalizers {
    /// There is no list.
    None,
    /// Only those of others.
    Others,
    /// Ours stands at this index.
    Ours(usize),
}

/// An object as the API server sends it, less what nobody here asks for: that is skipped, not parsed.
#[derive(Deserialize)]
pub struct Wire {
    #[serde(default)]
    pub metadata: WireMeta,
    #[serde(default)]
    pub spec: Option<Box<RawValue>>,
    #[serde(default)]
    pub status: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WireMeta {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub generation: Option<i64>,
    pub creation_timestamp: Option<Time>,
    pub deletion_timestamp: Option<Time>,
    pub finalizers: Option<Vec<String>>,
    pub annotations: Option<Annotations>,
    pub managed_fields: Option<Box<RawValue>>,
}

/// An entry of managedFields, as far as it tells who owns something of the spec.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Entry {
    manager: String,
    time: Option<Time>,
    fields_v1: Option<OwnedFields>,
}

#[derive(Deserialize)]
struct OwnedFields {
    #[serde(rename = "f:spec")]
    spec: Option<IgnoredAny>,
}

/// The managers that own something of the spec, in order and each once.
pub fn spec_managers(managed_fields: &str) -> Vec<String> {
    let all: Vec<Entry> = serde_json::from_str(managed_fields).unwrap_or_default();
    let owns = |manager: &Entry| manager.fields_v1.as_ref().is_some_and(|fields| fields.spec.is_some());
    let names: BTreeSet<String> = all.into_iter().filter(owns).map(|manager| manager.manager).collect();
    names.into_iter().collect()
}

/// When `manager` last wrote something, whichever part of the object.
pub fn last_write(managed_fields: &str, manager: &str) -> Option<Timestamp> {
    let all: Vec<Entry> = serde_json::from_str(managed_fields).unwrap_or_default();
    all.into_iter().filter(|entry| entry.manager == manager).filter_map(|entry| Some(entry.time?.0)).max()
}

impl Finalizers {
    /// The list as it stands.
    pub fn of(listed: Option<&[String]>) -> Self {
        let Some(listed) = listed else { return Self::None };
        listed.iter().position(|finalizer| finalizer == FINALIZER).map_or(Self::Others, Self::Ours)
    }

    /// Where ours stands.
    pub fn ours(self) -> Option<usize> {
        match self {
            Self::Ours(index) => Some(index),
            Self::None | Self::Others => None,
        }
    }
}

/// Of a spec, nothing but its rate limits.
#[derive(Deserialize)]
struct OnlyLimits<'a> {
    #[serde(borrow, default)]
    ratelimits: Option<&'a RawValue>,
}

/// The rate limits of a spec, as they are written.
pub fn limits_text(spec: &str) -> Option<&str> {
    serde_json::from_str::<OnlyLimits<'_>>(spec).ok()?.ratelimits.map(RawValue::get)
}

/// Of a spec, nothing but what tells who may act on what.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OnlyRight<'a> {
    #[serde(borrow)]
    pub external_id: Cow<'a, str>,
    #[serde(borrow, default)]
    management_policy: Option<&'a RawValue>,
}

impl OnlyRight<'_> {
    /// `spec.managementPolicy`; `None`: it does not say, or cannot be read, which holds everything.
    pub fn management(&self) -> Option<ManagementPolicy> {
        serde_json::from_str(self.management_policy?.get()).ok()
    }
}
