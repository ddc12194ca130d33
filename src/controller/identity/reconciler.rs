//! An `Identity` as the runtime sees it: what is taken in of what the watch shows, and what becomes of an end or a failure.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;

use super::context::Context;
use super::index::ObjectMemory;
use super::raw::RawIdentity;
use super::{left_behind, orphan_cleanup, reconcile, vanished_limits};
use crate::controller::runtime::api_server::{self, KubeError};
use crate::controller::runtime::{History, Kind, Reconciler, Runtime};
use crate::domain::Uid;

impl Kind for RawIdentity {
    const SEVERAL: &'static str = "Identities";

    fn uid(&self) -> &Uid {
        Self::uid(self)
    }

    fn version(&self) -> u64 {
        Self::version(self)
    }

    fn prune(&mut self) {
        Self::prune(self);
    }

    fn prune_reply(&mut self) {
        Self::prune_reply(self);
    }
}

impl Reconciler for Context {
    type Kind = RawIdentity;
    type Error = KubeError;

    fn runtime(&self) -> &Arc<Runtime<RawIdentity>> {
        &self.runtime
    }

    fn shown(&self, object: &mut RawIdentity, before: Option<&Arc<RawIdentity>>, history: History) -> bool {
        // A reconcile that sees what the last one saw comes to the same end: that one is over, waits for its time, or was put off and will be
        // woken. And what else it looked at wakes the object by itself when it changes.
        let reads_anew = before.is_none_or(|before| !object.reads_as(before));
        let went_back = history == History::WentBack;
        // A policy that refuses a write may look at labels and the like (R25).
        let is_news = went_back || reads_anew || self.index.is_refused(object.uid());
        if let Some(before) = before {
            object.share(before);
            left_behind::notice(before, object, self);
            vanished_limits::notice(before, object, self);
        }
        let metrics = &self.runtime.metrics;
        if went_back {
            metrics.synced(self.index.relist(object));
            self.index.rewind(object);
        } else if is_news {
            metrics.synced(self.index.upsert(object));
        } else {
            self.index.touch(object);
        }
        is_news
    }

    fn known_version(&self, object: &RawIdentity) -> Option<u64> {
        self.index.version(object)
    }

    fn is_undone(&self, object: &RawIdentity, before: Option<&RawIdentity>) -> bool {
        self.index.is_undone(object, before)
    }

    /// `before` still has the claim, which what lets the object go takes off.
    fn ended(self: &Arc<Self>, object: &RawIdentity, before: &RawIdentity) {
        self.index.remove(object, self.runtime.clock.now());
        self.runtime.dispatcher.forget(object.uid());
        orphan_cleanup::look(before, self);
        left_behind::look(object, self);
    }

    fn all_listed_late(&self) {
        self.index.wake_all();
    }

    fn filled(&self) {
        self.stagger_restart();
    }

    fn span(&self, object: &RawIdentity) -> tracing::Span {
        tracing::info_span!(
            "reconcile",
            namespace = object.namespace(),
            identity = object.name(),
            generation = object.generation(),
        )
    }

    async fn reconcile(self: Arc<Self>, object: Arc<RawIdentity>) -> Result<Action, KubeError> {
        let reconciled = reconcile::run(object, &self).await;
        if let Some(ended) = reconciled.ended {
            orphan_cleanup::look(&ended, &self);
        }
        reconciled.result
    }

    fn failed(&self, object: &RawIdentity) -> Duration {
        let failures = self.index.with_memory(object.uid(), ObjectMemory::count_failure);
        let retry = api_server::wait_after(failures);
        self.index.plans(object.external_id(), object.uid(), self.index.at(retry));
        retry
    }
}
