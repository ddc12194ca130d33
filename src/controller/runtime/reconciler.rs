//! What is done with the objects of a kind. A further kind implements [`Kind`] and [`Reconciler`]; nothing of the runtime changes.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;

use super::kind::Kind;
use super::shared::Runtime;

/// What is done with the objects of a kind. The runtime calls it, one reconcile at a time for each object.
pub trait Reconciler: Send + Sync + 'static {
    /// The kind.
    type Kind: Kind;
    /// Why a reconcile failed. It is logged, and the object comes again.
    type Error: std::error::Error + Send + Sync + 'static;

    /// What it shares with the queue.
    fn runtime(&self) -> &Arc<Runtime<Self::Kind>>;

    /// The watch shows this version of an object; `before`: the one that it showed last. True if a reconcile would see something new. What both
    /// have in common may be shared.
    fn shown(&self, object: &mut Self::Kind, before: Option<&Arc<Self::Kind>>, history: History) -> bool;

    /// The newest version of the object that is known, from wherever; `None`: nothing but what the watch has shown is.
    fn known_version(&self, object: &Self::Kind) -> Option<u64> {
        let _ = object;
        None
    }

    /// True if a listing that shows `object` undoes what was known of it, though its version does not tell. `before` is what the watch showed last.
    fn is_undone(&self, object: &Self::Kind, before: Option<&Self::Kind>) -> bool {
        let _ = (object, before);
        false
    }

    /// The object is gone, or no longer selected. `before`: as it was until then.
    fn ended(self: &Arc<Self>, object: &Self::Kind, before: &Self::Kind);

    /// All watches have listed their objects, the last of them later than the first.
    fn all_listed_late(&self) {}

    /// The cache is filled.
    fn filled(&self) {}

    /// What the log lines of a reconcile have in common.
    fn span(&self, object: &Self::Kind) -> tracing::Span;

    /// Brings one object a step or all the way to what it asks for.
    fn reconcile(self: Arc<Self>, object: Arc<Self::Kind>) -> impl Future<Output = Result<Action, Self::Error>> + Send;

    /// A reconcile of the object failed, by an error or a panic. Returns when to try again.
    fn failed(&self, object: &Self::Kind) -> Duration;
}

/// What a version of an object says of the time before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// It follows what was there.
    GoesOn,
    /// It is older than what was there: etcd was restored from a backup.
    WentBack,
}
