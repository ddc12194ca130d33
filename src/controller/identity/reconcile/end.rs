//! How a reconcile ends, and what its caller has to know of that. Plain data.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;

use super::super::raw::RawIdentity;
use crate::controller::runtime::api_server::KubeError;
use crate::domain::Mono;

/// What a reconcile comes to.
pub struct Reconciled {
    /// When the object comes again.
    pub result: Result<Action, KubeError>,
    /// The object has gone meanwhile, perhaps while a create was under way: it is to be cleared up after. The queue, which knows only what exists,
    /// does not come back to it.
    pub ended: Option<Arc<RawIdentity>>,
}

/// When the next reconcile over an object that is gone is due.
pub enum Again {
    /// After that time.
    After(Duration),
    /// When there is news of a witness for a read that was answered then (R19).
    WithWitness(Mono),
}

/// How a reconcile ended.
pub enum ReconcileEnd {
    Done,
    /// Until something else changes.
    Rests,
    /// It comes again after that time, or when something changes.
    After(Duration),
    /// It waits for a witness for a read that was answered then (R19).
    Witness(Mono),
    /// A read proves that the object went meanwhile. Whether it did, the watch has to say too.
    Gone,
    /// What was taken for gone lives: it left the selection of `--selector`.
    Lives,
    /// It is woken when there is a permit for what it wants to do.
    Queued,
}
