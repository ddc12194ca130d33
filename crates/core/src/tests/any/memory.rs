//! Anything that a process can remember: of an identity, and of an object.

use super::*;

pub(super) fn knowledge() -> impl Strategy<Value = Knowledge> {
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

/// What a listing has shown.
fn sights() -> impl Strategy<Value = Box<Seen>> {
    let there = (mono(), identities(), contents()).prop_map(|(begun, identity, content)| Seen::Ours {
        begun,
        identity,
        content,
    });
    let absent = mono().prop_map(|at| Seen::Absent { first: at, last: at, of: None });
    prop_oneof![3 => there, 1 => absent].prop_map(Box::new)
}

pub(super) fn object_state() -> impl Strategy<Value = ObjectState> {
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
        (refusals(), prop::option::weighted(0.2, stripped()), prop::option::weighted(0.2, sights())),
    )
        .prop_map(
            |(
                (met_deleting, claimed_here, claim_met, undone_met, sent, suspicion),
                maybe_own,
                trouble,
                (judged, met_exists),
                (refusals, stripped, sight),
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
                    sight,
                    ..ObjectState::default()
                }
            },
        )
}
