//! Faults that are seeded into what the shipped functions are told or answer. No switch of the shipped code: each falsifies the
//! situation before `decide`, its step after it, or what `apply_reply` is told. `seeded` has their names.

use std::sync::Arc;
use std::time::Duration;

use unkey_operator_api::AdoptionPolicy;
use unkey_operator_core::{
    Applied, Call, Claim, ClaimState, Crd, Effect, Fault, Field, Fields, Gate, Knowledge, KubeStep, KubeWrite,
    LastWrite, Mono, Object, ObjectState, OwnershipGate, Patch, Phase, Policy, PriorStatus, Purpose, ReleaseProof,
    Reply, Role, Seen, Situation, StatusUpdate, Step, Verdict, Wake, Witness, decide,
};

use crate::kube::Thing;
use crate::seeded::Seeded;
use crate::words::{Fill, uid};

/// Falsifies what the status says of each field.
fn each_field(object: &mut Object, change: impl Fn(Field) -> Field) {
    if let PriorStatus::Own(record) = &mut object.recorded
        && let Some(held) = &mut record.held
    {
        held.fields = changed(&held.fields, change);
    }
}

fn changed(fields: &Fields, change: impl Fn(Field) -> Field) -> Fields {
    Fields { meta: change(fields.meta.clone()), limits: change(fields.limits.clone()) }
}

/// What a decision is told.
struct Told {
    object: Object,
    role: Role,
    known: Knowledge,
    object_state: ObjectState,
    policy: Policy,
}

impl Seeded {
    /// What is made of an object before it is taken in.
    pub fn before_observing(self, object: &mut Object) {
        if self == Self::YoungIsLongOver && object.phase == Phase::Deleting {
            object.leaving_for = Some(Duration::MAX);
        }
    }

    /// Decides on a falsified situation, or falsifies the decision.
    pub fn decide(self, s: &Situation<'_>, thing: &Arc<Thing>, cache: &[Option<Arc<Thing>>; 2]) -> Step {
        let ownership_gate = s.ownership_gate;
        let enters = matches!(
            (self, ownership_gate),
            (Self::EntersUnseen, OwnershipGate::Unseen) | (Self::EntersOutdated, OwnershipGate::Outdated)
        );
        let ownership_gate = if enters { OwnershipGate::Open } else { ownership_gate };
        let mut told = Told {
            object: s.object.clone(),
            role: s.role,
            known: s.known.clone(),
            object_state: s.object_state.clone(),
            policy: s.policy.clone(),
        };
        self.falsify(&mut told, thing, cache);
        let Told { object, role, known, object_state, policy } = &told;
        let open = Gate::Open;
        let gate = if self == Self::AnyWorkspace { &open } else { s.gate };
        let doubtful = matches!(s.crd, Crd::Doubtful(_));
        let crd = if self == Self::MissingIsGoing && doubtful { Crd::Going } else { s.crd };
        let (role, witness, deletion_gate, now) = (*role, s.witness, s.deletion_gate, s.now);
        let step = decide(&Situation {
            object,
            role,
            known,
            object_state,
            gate,
            witness,
            crd,
            ownership_gate,
            deletion_gate,
            policy,
            now,
        });
        self.twist(step, object, role, known, object_state, thing)
    }

    fn falsify(self, told: &mut Told, thing: &Thing, cache: &[Option<Arc<Thing>>; 2]) {
        let Told { object, role, known, object_state, policy } = told;
        let live = object.phase == Phase::Live;
        match self {
            Self::OldClaim if live && object.held().is_none() => {
                if let (ClaimState::Own(claim), Ok(desired)) = (&mut object.claim, &object.spec) {
                    claim.hash = desired.content_hash().clone();
                }
            }
            Self::TrustDelete if object_state.unfound.is_some() => {
                let at = known.settles_at(policy.window);
                let of = object.held().map(|held| held.identity.id().clone());
                (known.seen, known.unwitnessed) = (Seen::Absent { first: at, last: at, of }, None);
            }
            Self::NoWitness => known.unwitnessed = None,
            Self::NoFreshLook => object.fresh = true,
            Self::NoLookAfterLoss if object_state.failures > 0 && object_state.broken == 0 && known.doubt.is_none() => {
                object.fresh = true;
            }
            Self::OldSpec if object.spec.is_ok() => object.spec = Ok(Fill::A.desired().clone()),
            Self::ReadyInDoubt if live => {
                known.doubt = None;
                known.in_flight = None;
            }
            Self::TrustAbsence if object_state.unfound.is_some() || matches!(known.seen, Seen::Absent { .. }) => {
                policy.window = Duration::ZERO;
            }
            Self::GiveUpAtOnce if live && object.held().is_some() => policy.window = Duration::ZERO,
            Self::OwnIfEqual => {
                if let (Seen::Ours { identity, content, .. }, Ok(desired)) = (&known.seen, &object.spec)
                    && content.hash() == *desired.content_hash()
                {
                    object_state.maybe_own = Some(identity.clone());
                    object.claim = ClaimState::Own(Claim { hash: content.hash(), given_up: None });
                    known.doubt = None;
                    policy.window = Duration::ZERO;
                }
            }
            Self::AdoptAlways => object.controls.adoption = Some(AdoptionPolicy::Always),
            Self::TrustRestored => {
                if let Some((_, record)) = &thing.status {
                    object.recorded = PriorStatus::Own(Box::new(record.clone()));
                    object.claim =
                        ClaimState::Own(Claim { hash: Fill::A.desired().content_hash().clone(), given_up: None });
                }
            }
            Self::OldestWins => {
                let oldest = cache.iter().flatten().min_by_key(|thing| thing.born);
                if oldest.is_some_and(|oldest| uid(oldest.uid) == object.guard.uid) {
                    *role = Role::Owner;
                }
            }
            Self::LoserActs => *role = Role::Owner,
            Self::IgnoreSuspend => object.controls.suspend = false,
            Self::EnforcesObserved => object.controls.management = None,
            Self::IgnoreOrphan => object.controls.deletion = None,
            Self::Unprotected if live && object.held().is_some() => {
                object.finalizer = true;
                if object.claim == ClaimState::Absent {
                    object.claim =
                        ClaimState::Own(Claim { hash: Fill::A.desired().content_hash().clone(), given_up: None });
                }
            }
            Self::ManagesWithoutLook => {
                each_field(object, |field| if field.is_managed() { field } else { Field::Managed(None) });
            }
            Self::OverwritesStored if object.held().is_some() => {
                object.controls.adoption = Some(AdoptionPolicy::Always);
            }
            Self::ForgetsPending => {
                let wanted = object.spec.as_ref().map_or(Applied::default(), |desired| desired.hashes().clone());
                let wanted = [wanted.meta, wanted.limits].map(|hash| hash.map(Field::Pending));
                let old = |field: &Field| matches!(field, Field::Pending(_)) && !wanted.contains(&Some(field.clone()));
                each_field(object, |field| if old(&field) { Field::Unmanaged } else { field });
            }
            Self::RepeatBlindly => object_state.met_deleting = false,
            Self::CreateLeaving if object.phase == Phase::Deleting => object.phase = Phase::Live,
            _ => {}
        }
    }

    #[allow(clippy::too_many_lines)] // one line or two for each fault
    fn twist(
        self,
        step: Step,
        object: &Object,
        role: Role,
        known: &Knowledge,
        object_state: &ObjectState,
        thing: &Thing,
    ) -> Step {
        let refused = |write: KubeWrite| object_state.refusals.of(write).is_some();
        let look = || if object.fresh { None } else { Some(Step::Kube(KubeStep::Refresh)) };
        match (self, step) {
            (Self::SkipClaim, Step::Kube(KubeStep::Claim(claim))) => match &object.spec {
                Ok(desired) => look().unwrap_or_else(|| Step::Call(Call::Create(desired.clone()))),
                Err(_) => Step::Kube(KubeStep::Claim(claim)),
            },
            (Self::ReadyEarly, Step::Call(Call::Update { .. })) if !thing.is_ready() => {
                let held = object.held().cloned();
                let report = StatusUpdate {
                    generation: object.generation,
                    held,
                    deletion: unkey_operator_api::DeletionPolicy::Delete,
                    handled_request: None,
                    verdict: Verdict::Synced,
                    external_id: object.external_id.clone(),
                };
                Step::Kube(KubeStep::Status { report: Box::new(report), notes: Vec::new() })
            }
            (Self::ReleaseOn404, step) if object.phase == Phase::Deleting => {
                let absent = object_state.unfound.is_some() || matches!(known.seen, Seen::Absent { .. });
                if absent && object.finalizer { Step::Kube(KubeStep::Release(ReleaseProof::NotOurs)) } else { step }
            }
            (Self::DeleteAdoptable, Step::Kube(KubeStep::Release(ReleaseProof::NeverAdopted))) => {
                let Seen::Ours { identity, .. } = &known.seen else { unreachable!("it was looked at") };
                look().unwrap_or_else(|| Step::Call(Call::Delete(identity.clone())))
            }
            (Self::ObservesInDoubt, Step::Call(Call::Read(_)) | Step::Wait(_))
                if thing.wish.observes() && object.finalizer && object.phase == Phase::Live =>
            {
                Step::Kube(KubeStep::Release(ReleaseProof::Observed))
            }
            (Self::ObservesAsManaged, Step::Kube(KubeStep::Status { .. }))
                if thing.wish.observes()
                    && object.finalizer
                    && object.held().is_some()
                    && object.phase == Phase::Live =>
            {
                Step::Kube(KubeStep::Release(ReleaseProof::Observed))
            }
            (Self::ReleaseFirst, Step::Call(Call::Delete(_))) => Step::Kube(KubeStep::Release(ReleaseProof::NotOurs)),
            (Self::WriteFirst, Step::Kube(KubeStep::Status { report, notes })) => {
                let new = report.held.as_ref().filter(|_| object.held().is_none() && object.fresh);
                match (new, &object.spec) {
                    (Some(held), Ok(desired)) => Step::Call(Call::Update {
                        to: held.identity.clone(),
                        patch: Patch { meta: desired.meta.clone(), limits: desired.limits.clone() },
                        purpose: Purpose::Spec,
                    }),
                    _ => Step::Kube(KubeStep::Status { report, notes }),
                }
            }
            (Self::UnrecordedUpdate, Step::Kube(KubeStep::Status { report, notes })) => {
                let first = |field: &Field| matches!(field, Field::Pending(_));
                let held = report.held.as_ref().filter(|it| first(&it.fields.meta) || first(&it.fields.limits));
                match (held, &object.spec) {
                    (Some(held), Ok(desired)) => look().unwrap_or_else(|| {
                        Step::Call(Call::Update {
                            to: held.identity.clone(),
                            patch: Patch { meta: desired.meta.clone(), limits: desired.limits.clone() },
                            purpose: Purpose::Spec,
                        })
                    }),
                    _ => Step::Kube(KubeStep::Status { report, notes }),
                }
            }
            (Self::UnsureIsUnmanaged, Step::Kube(KubeStep::Status { mut report, notes })) => {
                if let Some(held) = &mut report.held {
                    let unsure = |field: &Field| *field == Field::Managed(None);
                    held.fields = changed(&held.fields, |it| if unsure(&it) { Field::Unmanaged } else { it });
                }
                Step::Kube(KubeStep::Status { report, notes })
            }
            (Self::DeleteLiving, step) if object.phase == Phase::Live && object.spec.is_err() => match object.held() {
                Some(held) => look().unwrap_or_else(|| Step::Call(Call::Delete(held.identity.clone()))),
                None => step,
            },
            (Self::LoserClaims, step) if !object.finalizer && object.phase == Phase::Live => {
                match (&step, &object.spec) {
                    (Step::Done, Ok(desired)) => {
                        Step::Kube(KubeStep::Claim(Claim { hash: desired.content_hash().clone(), given_up: None }))
                    }
                    _ => step,
                }
            }
            (Self::CreateRefused, step) if refused(KubeWrite::Claim) && object.phase == Phase::Live => {
                match &object.spec {
                    Ok(desired) => look().unwrap_or_else(|| Step::Call(Call::Create(desired.clone()))),
                    Err(_) => step,
                }
            }
            (Self::RefusedForGood, Step::Kube(step)) if step.write().is_some_and(refused) => {
                Step::Wait(Wake::At(Mono(u64::MAX)))
            }
            (Self::DeleteRefused, step) if refused(KubeWrite::Release) => match object.held() {
                Some(held) => look().unwrap_or_else(|| Step::Call(Call::Delete(held.identity.clone()))),
                None => step,
            },
            (Self::NeverRelease, Step::Kube(KubeStep::Release(_))) => Step::Done,
            (Self::AlwaysLooks, Step::Done) if known.seen == Seen::Nothing && object.phase == Phase::Live => {
                object.external_id.clone().map_or(Step::Done, |external_id| Step::Call(Call::Read(external_id)))
            }
            (Self::LoserLooks, Step::Done) if role != Role::Owner && known.seen == Seen::Nothing => {
                object.external_id.clone().map_or(Step::Done, |external_id| Step::Call(Call::Read(external_id)))
            }
            (Self::LooksWithoutEnd, Step::Done) if object.phase == Phase::Live => {
                object.external_id.clone().map_or(Step::Done, |external_id| Step::Call(Call::Read(external_id)))
            }
            (Self::WriteBack, Step::Call(Call::Update { to, patch, purpose })) => {
                let patch = Patch { meta: Fill::A.desired().meta.clone(), ..patch };
                Step::Call(Call::Update { to, patch, purpose })
            }
            (_, step) => step,
        }
    }

    /// What is said while work waits.
    pub fn overdue(self, report: Option<StatusUpdate>, object: &Object) -> Option<StatusUpdate> {
        match (self, report) {
            (Self::TellsAtRest, None) if object.at_rest() && object.phase == Phase::Live => Some(StatusUpdate {
                generation: object.generation,
                held: object.held().cloned(),
                deletion: unkey_operator_api::DeletionPolicy::Delete,
                handled_request: None,
                verdict: Verdict::Waiting(unkey_operator_core::Cause::Queued),
                external_id: object.external_id.clone(),
            }),
            (Self::TellsWithoutId, Some(report)) => Some(StatusUpdate { held: None, ..report }),
            (Self::TellsReady, Some(report)) => Some(StatusUpdate { verdict: Verdict::Synced, ..report }),
            (_, report) => report,
        }
    }

    /// Patches go without their tests.
    pub fn drops_fences(self) -> bool {
        self == Self::IgnoreUid
    }

    /// What a new reconcile is told.
    pub fn before_reconcile(self, known: &mut Knowledge) {
        if self == Self::ForgetInFlight {
            known.in_flight = None;
        }
    }

    /// What is made of a witness.
    pub fn before_witness(self, known: &mut Knowledge, witness: &Witness, policy: &Policy, now: Mono) {
        if self == Self::LateWitness
            && known.lacks_witness()
            && witness.was_vain_since(Mono::ZERO)
            && witness.blind().is_none()
        {
            let mut late = Witness::default();
            late.shown(now.after(Duration::from_millis(1)));
            known.hear_witness(&late, policy.window, false);
        }
    }

    /// What `apply_reply` is told.
    pub fn reply(self, reply: Reply) -> Reply {
        match (self, reply) {
            (Self::LostIsRefused, Reply::Failed(fault)) => Reply::Failed(Fault { effect: Effect::None, ..fault }),
            (_, reply) => reply,
        }
    }

    /// What is made of what was learned.
    pub fn after_learning(self, call: &Call, reply: &Reply, known: &mut Knowledge, object_state: &mut ObjectState) {
        match (self, call, reply) {
            (
                Self::ForgetDoubt,
                Call::Create(_) | Call::Update { .. },
                Reply::Created { .. } | Reply::Updated { .. },
            ) => {
                known.doubt = None;
            }
            (Self::SettleUnwitnessed, Call::Read(_), Reply::Absent) => {
                known.settle();
            }
            (Self::ForgetCreated, Call::Create(_), Reply::Created { .. }) => known.last = LastWrite::None,
            (Self::KeepsReleased, Call::Update { .. }, Reply::Updated { .. }) => {
                if let LastWrite::Updated { told, .. } = &mut known.last {
                    *told = i64::MAX;
                }
            }
            (Self::ForgetsShown, Call::Read(_), Reply::Found { .. }) => known.shown_at = None,
            (Self::ForgetsUnshown, Call::Read(_), Reply::Found { .. }) => {
                if matches!(known.last, LastWrite::Updated { .. }) {
                    known.last = LastWrite::None;
                }
            }
            (Self::IgnoreDrift, Call::Read(_), Reply::Found { .. }) => {
                known.seen = Seen::Nothing;
                object_state.suspicion = false;
            }
            _ => {}
        }
    }
}
