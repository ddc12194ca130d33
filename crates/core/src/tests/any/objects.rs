//! Any object: claim, spec, policies and status, sensible together or not.

use super::*;
use unkey_operator_api::{ManagementPolicy, Observed, Origin, Reason};

fn marks() -> impl Strategy<Value = ClaimState> {
    let given_up = prop::option::weighted(0.3, (1..3).prop_map(|n| IdentityId::new(&format!("id_{n}"))));
    prop_oneof![
        2 => Just(ClaimState::Absent),
        1 => Just(ClaimState::Foreign),
        4 => (desireds(), given_up).prop_map(|(d, given_up)| ClaimState::Own(Claim { hash: d.content_hash().clone(), given_up })),
    ]
}

/// What can be known of the fields of an identity.
pub(in crate::tests) fn fields() -> impl Strategy<Value = Fields> {
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
            let observed = reason.filter(|reason| reason.is_observing()).map(|_| Observed::default());
            let deletion = Some(if orphan { DeletionPolicy::Orphan } else { DeletionPolicy::Delete });
            let shown = Shown { ready, stalled, suspended, reason, ..Shown::default() };
            PriorStatus::Own(Box::new(Record { generation, held, observed, deletion, handled_request: None, shown }))
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
    let management = prop_oneof![4 => Just(None), 1 => Just(Some(ManagementPolicy::Observe))];
    (adoption, deletion, management, prop::bool::weighted(0.2))
        .prop_map(|(adoption, deletion, management, suspend)| Controls { adoption, deletion, management, suspend })
}

pub(super) fn objects() -> impl Strategy<Value = Object> {
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
        (prop::bool::weighted(0.95), approvals()),
    )
        .prop_map(
            |(
                phase,
                fresh,
                finalizer,
                claim,
                generation,
                reconcile_request,
                controls,
                spec,
                recorded,
                (named, approval),
            )| Object {
                key: ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() },
                guard: Guard { uid: uid("u"), resource_version: "1".to_owned() },
                phase,
                fresh,
                finalizer,
                claim,
                approval,
                crowd: None,
                leaving_for: None,
                generation,
                reconcile_request,
                external_id: named.then(customer),
                controls,
                spec: if named { spec } else { Err(SpecError::Unreadable { field: "externalId" }) },
                recorded,
            },
        )
}
