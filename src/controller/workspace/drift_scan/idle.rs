//! A look at an object that nobody is working on, under the lock on its externalId.

use kube::runtime::reflector::Store;

use crate::controller::identity::context::Context;
use crate::controller::identity::index::{ClaimHolder, Parts};
use crate::controller::identity::raw::RawIdentity;
use crate::domain::Object;

/// Works on an object, as it is known now, that nobody else is working on.
pub fn under_lock<T>(
    context: &Context,
    store: &Store<RawIdentity>,
    owner: &ClaimHolder,
    work: impl FnOnce(&Object, Parts<'_>) -> T,
) -> Option<T> {
    let Context { index, runtime, approvals, .. } = context;
    let key_lock = index.idle_lock(&owner.external_id)?;
    let cached = store.get(&owner.at).filter(|cached| *cached.uid() == owner.uid)?;
    let (memory, now) = (index.memory(&owner.uid), runtime.clock.now());
    Some(key_lock.with(&memory, |parts| {
        let object = parts.memory.newest(cached).read(now, approvals, &mut parts.memory.reconcile_requests);
        work(&object, parts)
    }))
}
