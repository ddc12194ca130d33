//! Where an object is, in little room.

use kube::runtime::reflector::ObjectRef;

use super::super::raw::RawIdentity;

/// A reference by which the controller's queue knows an object.
pub type IdentityRef = ObjectRef<RawIdentity>;

/// Namespace and name in one text, a fifth of what a [`IdentityRef`] takes: there is one for every object.
#[derive(Debug)]
pub(super) struct ObjectName(pub Box<str>);

impl ObjectName {
    pub fn of(object: &RawIdentity) -> Self {
        Self(format!("{}/{}", object.namespace(), object.name()).into())
    }

    pub fn to_ref(&self) -> IdentityRef {
        // Neither may hold a slash.
        let (namespace, name) = self.0.split_once('/').unwrap_or_default();
        IdentityRef::new(name).within(namespace)
    }
}
