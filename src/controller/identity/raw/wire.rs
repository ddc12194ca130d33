//! An object as the API server sends it. What nobody here asks for is skipped, not parsed.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::annotations::Annotations;
use crate::api::FINALIZER;

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

/// Of a spec, nothing but its externalId.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OnlyExternalId<'a> {
    #[serde(borrow)]
    pub external_id: Cow<'a, str>,
}
