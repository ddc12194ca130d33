//! Any situation at all, sensible or not: `decide` must answer every one.

mod memory;
mod objects;

use proptest::prelude::*;

use self::memory::{knowledge, object_state};
pub(super) use self::objects::fields;
use self::objects::objects;
use super::*;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};

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
    pub deletion_gate: DeletionGate,
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
            deletion_gate: &self.deletion_gate,
            policy: &self.policy,
            now: self.now,
        }
    }
}

pub(super) const WINDOW: Duration = ms(30_000);

/// So many windows after the start.
pub(super) const fn windows(n: u32) -> Mono {
    Mono::ZERO.after(WINDOW.saturating_mul(n))
}

pub(super) fn customer() -> ExternalId {
    ExternalId::new("customer-1")
}

fn flag() -> impl Strategy<Value = bool> {
    any::<bool>()
}

pub(super) fn mono() -> impl Strategy<Value = Mono> {
    (0..6_u32).prop_map(|n| Mono::ZERO.after(n * WINDOW / 2))
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

pub(super) fn anything() -> impl Strategy<Value = Any> {
    let role = prop_oneof![
        4 => Just(Role::Owner),
        1 => (flag(), flag(), flag()).prop_map(|(owner_leaving, owner_recorded, owner_held)| Role::Loser { owner_leaving, owner_recorded, owner_held }),
    ];
    let policy = (flag(), flag(), prop::bool::weighted(0.1)).prop_map(|(never, orphan, observe)| Policy {
        adoption: if never { AdoptionPolicy::Never } else { AdoptionPolicy::IfLossless },
        deletion: if orphan { DeletionPolicy::Orphan } else { DeletionPolicy::Delete },
        window: WINDOW,
        attempt: WINDOW,
        observe,
        management: ManagementPolicy::Enforce,
        stagger: Duration::ZERO,
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
        1 => Just(Crd::Doubtful(windows(1))),
    ];
    let ownership_gate = prop_oneof![4 => Just(OwnershipGate::Open), 1 => Just(OwnershipGate::Unseen), 1 => Just(OwnershipGate::Outdated), 1 => mono().prop_map(|until| OwnershipGate::Listing { until })];
    let missed = prop::option::weighted(0.2, mono());
    let gates = (gate, crd, ownership_gate, deletion_gates(), missed);
    (objects(), role, knowledge(), object_state(), policy, mono(), gates).prop_map(
        |(object, role, mut known, object_state, policy, now, (gate, crd, ownership_gate, deletion_gate, missed))| {
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
            Any { object, role, known, object_state, gate, witness, crd, ownership_gate, deletion_gate, policy, now }
        },
    )
}

/// An episode of the object's own namespace.
pub(super) fn episode() -> Episode {
    let window = Duration::from_secs(600);
    Episode { everywhere: false, deletions: 11, sent: 0, limit: 10, recorded: 24, window }
}

/// What holds a deletion that is one of too many.
pub(super) fn held_gate() -> DeletionGate {
    DeletionGate::Held { episode: episode(), approve_until: "2026-11-28T18:00:00Z".to_owned() }
}

fn deletion_gates() -> impl Strategy<Value = DeletionGate> {
    prop_oneof![
        4 => Just(DeletionGate::Open),
        1 => Just(DeletionGate::Hold { until: windows(7), is_long: false }),
        1 => Just(DeletionGate::Hold { until: windows(7), is_long: true }),
        2 => Just(held_gate()),
    ]
}

pub(super) fn approvals() -> impl Strategy<Value = Approval> {
    prop_oneof![
        4 => Just(Approval::None),
        1 => Just(Approval::Given),
        1 => Just(Approval::Past("2026-11-28T17:00:00Z".to_owned())),
        1 => Just(Approval::Unreadable("yes".to_owned())),
    ]
}
