//! Whether the object of a pass is still there, and how fresh the last look at it is. It writes nothing.

use std::time::Duration;

use super::Pass;
use crate::controller::clock::millis;
use crate::controller::kube::{self, KubeError, Outcome};
use crate::controller::stray;
use crate::controller::table::lock;
use crate::domain::{self, Mono};

impl Pass<'_> {
    /// Looks whether the object is really gone, and whether another one names its externalId: what that heir may adopt must
    /// not be deleted under it (R2).
    pub(super) async fn is_gone(&mut self) -> Result<bool, KubeError> {
        self.asked = self.context.clock.now();
        let found = kube::get(&self.context.client, &self.snapshot.key()).await?;
        if matches!(found, Outcome::Now(now) if *now.uid() == self.uid) {
            return Ok(false);
        }
        self.gone = Some(kube::has_heirs(&self.context.apis, &self.external_id, &self.uid).await?);
        self.looked = Some(self.asked);
        Ok(true)
    }

    /// What was seen is as good as new: nothing was done since, this process has not stood still, and the answer took no time in which the
    /// user may have thought better of it. What is gone does not come back.
    pub(super) fn is_fresh(&self) -> bool {
        let now = self.context.clock.now();
        let is_new = |at: Mono| self.gone.is_some() || now <= at.after(domain::LOOK_MS);
        self.looked.is_some_and(|at| self.context.heart.beats_since(at) && is_new(at))
    }

    /// The object may change from here on; what is gone stays gone.
    pub(super) fn look_again(&mut self) {
        if self.gone.is_none() {
            self.looked = None;
        }
    }

    /// A read shows no such object and the watch still does. Nearly always the watch is about to follow. Returns when to look again.
    pub(super) fn contradicted(&self) -> Duration {
        let failures = {
            let mut memory = lock(&self.memory);
            memory.kube_failures += 1;
            memory.kube_failures
        };
        let wait = self.context.kube_backoff(failures);
        let retry_ms = millis(wait);
        if failures > 1 {
            tracing::warn!(
                retry_ms,
                "the API server says that this Identity does not exist, but its watch still shows it"
            );
        }
        wait
    }

    /// The object is gone: what it may have left in Unkey is looked after.
    pub(super) fn leaves(&self) {
        let recorded = self.snapshot.claimant(self.snapshot.read_status().as_ref()).recorded;
        let visits = lock(&self.memory).visits.clone();
        domain::ended(&self.uid, recorded.as_ref(), &mut self.turn.known(), &visits, self.context.clock.now());
        stray::look(&self.snapshot, self.context);
    }
}
