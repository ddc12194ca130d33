//! What the runtime has to know of a kind of custom resource.

use std::fmt;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use serde::de::DeserializeOwned;

use crate::domain::Uid;

/// A namespaced custom resource, as it is watched.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + fmt::Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Several of them, for people: `Identities`.
    const SEVERAL: &'static str;

    /// `metadata.uid`
    fn uid(&self) -> &Uid;

    /// `metadata.resourceVersion` as the number it is in every API server so far; to compare ages of one object.
    fn version(&self) -> u64;

    /// Drops what only the watch needs. Each reference that the queue makes of the object would carry a copy.
    fn prune(&mut self) {}

    /// The same of an object that a request has shown.
    fn prune_reply(&mut self) {
        self.prune();
    }

    /// `metadata.namespace`
    fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    /// `metadata.name`
    fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// As an event names it: without its version, or events that say the same would not become a series.
    fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(Self::api_version(&()).into_owned()),
            kind: Some(Self::kind(&()).into_owned()),
            name: Some(self.name().to_owned()),
            namespace: Some(self.namespace().to_owned()),
            uid: Some(self.uid().as_str().to_owned()),
            ..ObjectReference::default()
        }
    }

    /// `identities.unkey.com`: the name of its definition.
    fn definition() -> String {
        format!("{}.{}", Self::plural(&()), Self::group(&()))
    }
}
