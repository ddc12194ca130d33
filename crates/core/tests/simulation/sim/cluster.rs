//! The API server's side: patches with their tests, and the object as a process sees it.

use unkey_operator_core::{
    Approval, ClaimState, Guard, KubeStep, Object, Phase, PriorStatus, ReconcileRequest, SpecError,
};

use super::words::{desired, freed};
use super::{MassFault, Sim, Thing};
use crate::world::external_id;

impl Sim {
    /// The object as the answer shows it, which may be its last version; `None`: a test failed, or it is a read.
    pub(super) fn kube(&mut self, step: &KubeStep, object: &Object, computed_from: &Thing) -> Option<Thing> {
        if self.vanish_before_status && matches!(step, KubeStep::Status { .. }) {
            self.thing = None;
        }
        let same_life = self.thing.clone().filter(|t| t.uid == object.guard.uid);
        if let KubeStep::Refresh = step {
            self.trace.push("Refresh".to_owned());
            return None;
        }
        let mut thing = same_life?;
        let same_version = thing.version == computed_from.version;
        match step {
            KubeStep::Refresh | KubeStep::LookAtCrd | KubeStep::LookAtManagers => return None,
            KubeStep::Claim(claim) => {
                if !same_version {
                    return None;
                }
                self.check_claim(claim, &thing);
                self.trace.push("Claim".to_owned());
                thing.finalizer = true;
                thing.claim = (!self.strips).then(|| claim.render(&thing.uid));
            }
            KubeStep::Status { report, .. } => {
                let guard = |t: &Thing| {
                    let record = t.status.as_ref().map(|(_, record)| record.clone());
                    record.map(|r| (r.generation, r.held.map(|h| h.identity)))
                };
                let late = thing.is_deleting() && report.begins_takeover(&object.recorded);
                if late || guard(&thing) != guard(computed_from) {
                    return None;
                }
                self.check_status(report, object);
                self.trace.push(format!("Status {}", report.verdict.reason()));
                thing.status = Some((thing.uid.clone(), report.record(&object.key)));
            }
            KubeStep::Release(because) => {
                if !same_version {
                    return None;
                }
                self.check_release(because, &thing);
                self.trace.push(format!("Release {}", freed(because)));
                thing.finalizer = false;
                thing.claim = None;
                if thing.is_deleting() {
                    self.thing = None;
                    return Some(thing);
                }
            }
        }
        self.put(thing);
        self.thing.clone()
    }

    pub(super) fn put(&mut self, mut thing: Thing) {
        self.version += 1;
        thing.version = self.version;
        thing.at = self.now;
        self.past.extend(self.thing.take());
        self.unkey.lives = Some(thing.uid.clone());
        self.thing = Some(thing);
    }

    /// The object as a session is shown it, which knows itself how fresh that is.
    pub fn view(&mut self, thing: &Thing) -> Object {
        let mono = self.mono();
        let recorded = match &thing.status {
            None => PriorStatus::Nothing,
            Some((uid, _)) if *uid != thing.uid => PriorStatus::Restored,
            Some((_, record)) => PriorStatus::Own(Box::new(record.clone())),
        };
        let handled = recorded.own().and_then(|record| record.handled_request.clone());
        let reconcile_request = thing
            .reconcile_request
            .clone()
            .filter(|reconcile_request| Some(reconcile_request) != handled.as_ref())
            .map(|value| {
                let since = *self.process.reconcile_requests.entry(value.clone()).or_insert(mono);
                ReconcileRequest { value, since }
            });
        let phase = if thing.is_deleting() { Phase::Deleting } else { Phase::Live };
        Object {
            key: self.key.clone(),
            guard: Guard { uid: thing.uid.clone(), resource_version: thing.version.to_string() },
            phase,
            fresh: false,
            finalizer: thing.finalizer,
            claim: ClaimState::parse(thing.claim.as_deref(), &thing.uid),
            approval: if self.fault == Some(MassFault::NoApproval) { Approval::None } else { self.approval.clone() },
            crowd: None,
            leaving_for: thing.deleted.map(|at| self.now.saturating_sub(at)),
            generation: thing.generation,
            reconcile_request,
            external_id: Some(external_id()),
            controls: thing.wish.controls,
            spec: if thing.wish.invalid {
                Err(SpecError::MetaTooDeep { levels: 101 })
            } else {
                Ok(desired(&thing.wish))
            },
            recorded,
        }
    }
}
