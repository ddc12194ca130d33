//! Any situation at all, sensible or not: `decide` must answer every one.

use proptest::prelude::*;

use super::*;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, Origin, Reason};

/// All that a decision looks at, owned.
#[derive(Clone, Debug)]
pub(super) struct Any {
    pub object: Object,
    pub role: Role,
    pub known: Knowledge,
    pub object_state: ObjectState,
    pub gate: Gate,
    pub witness: Witness,
    pub crd: Crd,
    pub ownership_gate: OwnershipGate,
    pub policy: Policy,
    pub now: Mono,
}

impl Any {
    pub(super) fn situation(&self) -> Situation<'_> {
        Situation {
            object: &self.object,
            role: self.role,
            known: &self.known,
            object_state: &self.object_state,
            gate: &self.gate,
            witness: &self.witness,
            crd: self.crd,
            ownership_gate: self.ownership_gate,
            policy: &self.policy,
            now: self.now,
        }
    }
}

pub(super) const WINDOW: u64 = 30_000;

pub(super) fn customer() -> ExternalId {
    ExternalId::new("customer-1")
}

fn flag() -> impl Strategy<Value = bool> {
    any::<bool>()
}

pub(super) fn mono() -> impl Strategy<Value = Mono> {
    (0..6_u64).prop_map(|n| Mono(n * WINDOW / 2))
}

fn uids() -> impl Strategy<Value = Uid> {
    prop_oneof![3 => Just(uid("u")), 1 => Just(uid("v"))]
}

fn identities() -> impl Strategy<Value = Confirmed> {
    (1..3).prop_map(|n| Confirmed::from_create(&customer(), &format!("id_{n}")).expect("an id"))
}

pub(super) fn desireds() -> impl Strategy<Value = Desired> {
    let metas = prop::option::of(prop_oneof![Just(meta("{}")), Just(meta(r#"{"a":1}"#)), Just(meta(r#"{"a":2}"#))]);
    let limit = prop::option::of(prop_oneof![Just(limits(&[])), Just(limits(&[("req", 1, 1000, false)]))]);
    (metas, limit).prop_map(|(meta, limits)| Desired::new(customer(), meta, limits))
}

pub(super) fn contents() -> impl Strategy<Value = Content> {
    desireds().prop_map(|d| Content { meta: d.meta.unwrap_or_default(), limits: d.limits.unwrap_or_default() })
}

fn marks() -> impl Strategy<Value = ClaimState> {
    let given_up = prop::option::weighted(0.3, (1..3).prop_map(|n| IdentityId::new(&format!("id_{n}"))));
    prop_oneof![
        2 => Just(ClaimState::Absent),
        1 => Just(ClaimState::Foreign),
        4 => (desireds(), given_up).prop_map(|(d, given_up)| ClaimState::Own(Claim { hash: d.content_hash().clone(), given_up })),
    ]
}

/// What can be known of the fields of an identity.
pub(super) fn fields() -> impl Strategy<Value = Fields> {
    let field = |hash: Option<FieldHash>| {
        let known = prop_oneof![3 => Just(Field::Managed(hash.clone())), 1 => Just(Field::Managed(None))];
        match hash {
            None => prop_oneof![2 => Just(Field::Unmanaged), 1 => Just(Field::Managed(None))].boxed(),
            Some(hash) => prop_oneof![4 => known, 1 => Just(Field::Pending(hash)), 1 => Just(Field::Unmanaged)].boxed(),
        }
    };
    desireds().prop_flat_map(move |desired| {
        let Applied { meta, limits } = desired.hashes().clone();
        (field(meta), field(limits)).prop_map(|(meta, limits)| Fields { meta, limits })
    })
}

fn records() -> impl Strategy<Value = PriorStatus> {
    let held = prop::option::weighted(0.7, (identities(), fields())).prop_map(|held| {
        held.map(|(identity, fields)| OwnedIdentity {
            identity,
            origin: Some(Origin::Created),
            fields,
            credential: Some("key".to_owned()),
        })
    });
    let reason = prop::option::of(prop::sample::select(Reason::ALL.to_vec()));
    let record = (0..3_i64, held, flag(), flag(), flag(), reason, flag()).prop_map(
        |(generation, held, ready, stalled, suspended, reason, orphan)| {
            let deletion = Some(if orphan { DeletionPolicy::Orphan } else { DeletionPolicy::Delete });
            let shown = Shown { ready, stalled, suspended, reason, ..Shown::default() };
            PriorStatus::Own(Box::new(Record { generation, held, deletion, handled_request: None, shown }))
        },
    );
    prop_oneof![1 => Just(PriorStatus::Nothing), 1 => Just(PriorStatus::Restored), 4 => record]
}

fn controls() -> impl Strategy<Value = Controls> {
    let adoption = prop::option::of(prop::sample::select(vec![
        AdoptionPolicy::Never,
        AdoptionPolicy::IfLossless,
        AdoptionPolicy::Always,
    ]));
    let deletion = prop::option::of(prop::sample::select(vec![DeletionPolicy::Delete, DeletionPolicy::Orphan]));
    (adoption, deletion, prop::bool::weighted(0.2)).prop_map(|(adoption, deletion, suspend)| Controls {
        adoption,
        deletion,
        suspend,
    })
}

fn objects() -> impl Strategy<Value = Object> {
    let phase = prop_oneof![
        5 => Just(Phase::Live),
        4 => Just(Phase::Deleting),
        1 => flag().prop_map(|successors| Phase::Gone { successors }),
    ];
    let spec = prop_oneof![5 => desireds().prop_map(Ok), 1 => Just(Err(SpecError::Unreadable { field: "meta" }))];
    let reconcile_request = prop::option::weighted(0.2, mono())
        .prop_map(|since| since.map(|since| ReconcileRequest { value: "p".to_owned(), since }));
    (
        phase,
        flag(),
        flag(),
        marks(),
        0..3_i64,
        reconcile_request,
        controls(),
        spec,
        records(),
        prop::bool::weighted(0.95),
    )
        .prop_map(
            |(phase, fresh, finalizer, claim, generation, reconcile_request, controls, spec, recorded, named)| Object {
                key: ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() },
                guard: Guard { uid: uid("u"), resource_version: "1".to_owned() },
                phase,
                fresh,
                finalizer,
                claim,
                crowd: None,
                leaving_for: 0,
                generation,
                reconcile_request,
                external_id: named.then(customer),
                controls,
                spec: if named { spec } else { Err(SpecError::Unreadable { field: "externalId" }) },
                recorded,
            },
        )
}

fn knowledge() -> impl Strategy<Value = Knowledge> {
    let last = prop_oneof![
        Just(LastWrite::None),
        (uids(), identities(), desireds(), flag()).prop_map(|(uid, identity, d, noted)| LastWrite::Created {
            uid,
            identity,
            applied: d.hashes().clone(),
            credential: Some("key".to_owned()),
            noted
        }),
        (uids(), identities(), desireds(), 1_i64..4, flag()).prop_map(|(uid, identity, d, told, noted)| {
            LastWrite::Updated { uid, identity, applied: d.hashes().clone(), told, noted }
        }),
        (uids(), identities()).prop_map(|(uid, identity)| LastWrite::Deleted { uid, identity }),
        uids().prop_map(|uid| LastWrite::Exists { uid }),
    ];
    let doubt = || {
        prop::option::weighted(0.3, (mono(), flag(), prop::option::of(uids())))
            .prop_map(|doubt| doubt.map(|(over, ended, create)| UnknownOutcome::new(over, ended, create)))
    };
    let seen = prop_oneof![
        2 => Just(Seen::Nothing),
        1 => (mono(), mono(), prop::option::of(Just(IdentityId::new("id_1")))).prop_map(|(a, b, of)| Seen::Absent { first: a.min(b), last: a.max(b), of }),
        3 => (mono(), identities(), contents())
            .prop_map(|(begun, identity, content)| Seen::Ours { begun, identity, content }),
        1 => mono().prop_map(|begun| Seen::Foreign { begun }),
    ];
    let unwitnessed = prop::option::weighted(0.3, mono());
    let evidence = prop_oneof![9 => mono().prop_map(Evidence::Since), 1 => Just(Evidence::LongSince)];
    (last, evidence, doubt(), doubt(), prop::option::of(mono()), seen, unwitnessed).prop_map(
        |(last, evidence_from, doubt, assumed, limits_sent, seen, unwitnessed)| Knowledge {
            last,
            evidence_from,
            doubt,
            assumed,
            in_flight: None,
            unsure: None,
            limits_sent,
            seen,
            unwitnessed,
            shown_at: None,
            tentative: None,
        },
    )
}

fn refusals() -> impl Strategy<Value = Refusals> {
    let refusal = |write: KubeWrite| {
        prop::option::weighted(0.15, (prop::sample::select(vec![403, 500]), 1..3_u32, mono())).prop_map(
            move |refusal| {
                refusal.map(|(code, failures, retry_at)| Refusal {
                    write,
                    code,
                    words: "no".to_owned(),
                    latest: "no".to_owned(),
                    failures,
                    tried_at: Mono::ZERO,
                    retry_at,
                    version: "1".to_owned(),
                    generation: 1,
                    reconcile_request: None,
                    told: false,
                })
            },
        )
    };
    KubeWrite::ALL.map(refusal).prop_map(|all| all.into_iter().flatten().collect())
}

fn stripped() -> impl Strategy<Value = Stripped> {
    let by = prop::sample::select(vec![Stripper::Unasked, Stripper::Admission, Stripper::Unknown]);
    (desireds(), 1..5_u32, mono(), by).prop_map(|(d, times, last, by)| Stripped {
        claim: Claim { hash: d.content_hash().clone(), given_up: None },
        generation: 1,
        reconcile_request: None,
        times,
        last,
        by,
    })
}

fn object_state() -> impl Strategy<Value = ObjectState> {
    let trouble = (prop::sample::select(message::causes()), prop::option::of(mono()), flag()).prop_map(
        |(cause, retry_at, lasting)| FailureState {
            write: false,
            cause,
            retry_at,
            lasting,
            generation: 1,
            reconcile_request: None,
            credential: Some("key".to_owned()),
        },
    );
    (
        (flag(), flag(), flag(), flag(), flag(), flag()),
        prop::option::weighted(0.3, identities()),
        prop::option::weighted(0.2, trouble),
        (flag(), flag()),
        (refusals(), prop::option::weighted(0.2, stripped())),
    )
        .prop_map(
            |(
                (met_deleting, claimed_here, claim_met, undone_met, sent, suspicion),
                maybe_own,
                trouble,
                (judged, met_exists),
                (refusals, stripped),
            )| {
                ObjectState {
                    seen_before: true,
                    met_deleting,
                    claimed_here,
                    claim_met,
                    undone_met,
                    sent,
                    met_exists,
                    suspicion,
                    maybe_own,
                    judged: judged.then(|| "p".to_owned()),
                    trouble,
                    refusals,
                    stripped,
                    ..ObjectState::default()
                }
            },
        )
}

pub(super) fn anything() -> impl Strategy<Value = Any> {
    let role = prop_oneof![
        4 => Just(Role::Owner),
        1 => (flag(), flag()).prop_map(|(owner_leaving, owner_recorded)| Role::Loser { owner_leaving, owner_recorded }),
    ];
    let policy = (flag(), flag()).prop_map(|(never, orphan)| Policy {
        adoption: if never { AdoptionPolicy::Never } else { AdoptionPolicy::IfLossless },
        deletion: if orphan { DeletionPolicy::Orphan } else { DeletionPolicy::Delete },
        window: WINDOW,
        attempt: WINDOW,
        stagger: 0,
        credential: Some("key".to_owned()),
    });
    let gate = prop_oneof![
        6 => Just(Gate::Open),
        1 => Just(Gate::Wrong),
        1 => Just(Gate::Unproven { cause: None }),
        1 => Just(Gate::Unproven { cause: Some(Cause::Unavailable) }),
    ];
    let crd = prop_oneof![
        4 => Just(Crd::Unguarded),
        3 => Just(Crd::Stays),
        1 => Just(Crd::Unseen),
        1 => Just(Crd::Going),
        1 => Just(Crd::Hidden),
        1 => Just(Crd::Doubtful(Mono(WINDOW))),
    ];
    let ownership_gate = prop_oneof![4 => Just(OwnershipGate::Open), 1 => Just(OwnershipGate::Unseen), 1 => Just(OwnershipGate::Outdated)];
    let missed = prop::option::weighted(0.2, mono());
    (objects(), role, knowledge(), object_state(), policy, mono(), (gate, crd, ownership_gate, missed)).prop_map(
        |(object, role, mut known, object_state, policy, now, (gate, crd, ownership_gate, missed))| {
            // A read began in the past, and one that is settled has cleared every doubt, unless it waits for its witness.
            match &mut known.seen {
                Seen::Nothing => {}
                Seen::Absent { first, last, .. } => (*first, *last) = ((*first).min(now), (*last).min(now)),
                Seen::Ours { begun, .. } | Seen::Foreign { begun } => *begun = (*begun).min(now),
            }
            if known.settled(WINDOW).is_some() && !known.lacks_witness() {
                known.settle();
            }
            let mut witness = Witness::default();
            if let Some(missed) = missed {
                witness.missed(missed.min(now), Cause::Unwitnessed);
            }
            Any { object, role, known, object_state, gate, witness, crd, ownership_gate, policy, now }
        },
    )
}
