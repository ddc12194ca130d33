//! Random histories: faults, crashes, edits, strangers, lag; every step is checked by the simulator. Then peace: it
//! has to come to rest in a state that a user can live with, and stay there without a call or a write.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, ManagementPolicy, Reason};
use unkey_operator_core::drift_scan::{Saw, Sight, Subject, note, show_new};
use unkey_operator_core::{Cause, ClaimState, Content, Controls, IdentityId, KubeWrite, Phase, Witness};

use crate::sim::{Act, End, Script, Sim, Thing, Wish, content, wish};
use crate::world::{Fate, Rights, ms};

const SPECS: [&str; 7] = [
    r#""meta":{"plan":"a"}"#,
    r#""meta":{"plan":"b"}"#,
    r#""meta":{}"#,
    r#""suspend":false"#,
    r#""meta":{"plan":"a"},"ratelimits":[{"name":"req","limit":1,"duration":1000}]"#,
    r#""ratelimits":[{"name":"req","limit":2,"duration":1000}]"#,
    r#""ratelimits":[]"#,
];

#[derive(Clone, Debug)]
enum Op {
    Apply(Wish),
    Act(Act),
    Reconcile(Script),
    Settle,
    /// A status says that work waits, if it does.
    Tell,
    Sleep(Duration),
    Lag(Duration),
    /// A scan, or a listing for new objects, hands over what Unkey shows at that moment.
    Listed,
    Restart,
    NewKey,
    /// The root key loses permissions, or gets them back; Unkey says so, or masks it.
    Rights(Rights, bool),
}

fn contents() -> impl Strategy<Value = Content> {
    (0..SPECS.len()).prop_map(|i| content(SPECS[i]))
}

fn wishes() -> impl Strategy<Value = Wish> {
    let adoption = prop_oneof![
        3 => Just(None),
        1 => Just(Some(AdoptionPolicy::Never)),
        1 => Just(Some(AdoptionPolicy::Always)),
    ];
    let deletion = prop_oneof![8 => Just(None), 1 => Just(Some(DeletionPolicy::Orphan))];
    let management = prop_oneof![5 => Just(None), 1 => Just(Some(ManagementPolicy::Observe))];
    let controls = (adoption, deletion, management, prop::bool::weighted(0.1));
    (0..SPECS.len(), controls, prop::bool::weighted(0.05)).prop_map(
        |(i, (adoption, deletion, management, suspend), invalid)| Wish {
            controls: Controls { adoption, deletion, management, suspend },
            invalid,
            ..wish(SPECS[i])
        },
    )
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Fine),
        1 => Just(Fate::LostBefore),
        2 => Just(Fate::LostAfter),
        2 => (0..30_000_u64).prop_map(|wait| Fate::Late(ms(wait))),
        1 => Just(Fate::EndedBefore),
        1 => Just(Fate::EndedAfter),
        1 => Just(Fate::Refused(Cause::Unauthorized("key_not_found".to_owned()))),
        1 => Just(Fate::Refused(Cause::Rejected("no".to_owned()))),
        1 => Just(Fate::Refused(Cause::RateLimited)),
    ]
}

/// Without the permission to read an empty workspace cannot be told from one that is hidden (docs/contributing/rules.md, not promised): the workspace of
/// these histories holds identities of others. Get and list go apart, though Unkey has one permission for both.
fn rights() -> impl Strategy<Value = Rights> {
    let all = Rights::ALL;
    prop_oneof![
        3 => Just(all),
        1 => Just(Rights { get: false, ..all }),
        1 => Just(Rights { list: false, ..all }),
        1 => Just(Rights { update: false, ..all }),
        1 => Just(Rights { delete: false, ..all }),
        1 => Just(Rights { create: false, ..all }),
        1 => Just(Rights::NONE),
    ]
}

fn acts(strangers: bool) -> BoxedStrategy<Act> {
    let user = prop_oneof![2 => wishes().prop_map(Act::Wish), 1 => Just(Act::ReconcileRequest), 1 => Just(Act::Delete)];
    if !strangers {
        return user.boxed();
    }
    prop_oneof![
        4 => user,
        1 => Just(Act::Strip),
        1 => Just(Act::StrangerDeletes),
        1 => contents().prop_map(Act::StrangerMakes),
        1 => contents().prop_map(Act::StrangerWrites),
    ]
    .boxed()
}

/// Mostly nothing is refused.
fn refusals() -> impl Strategy<Value = Vec<(KubeWrite, u16)>> {
    let code = prop::sample::select(vec![403, 409, 500]);
    let one = (prop::sample::select(KubeWrite::ALL.to_vec()), code);
    prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(one, 1..3)]
}

pub fn scripts(strangers: bool) -> impl Strategy<Value = Script> {
    let seldom = || prop::option::weighted(0.2, 0..6_usize);
    let meanwhile = prop::option::weighted(0.2, (0..6_usize, acts(strangers)));
    let stale = prop_oneof![4 => Just(0), 1 => 1..4_usize];
    (prop::collection::vec(fates(), 0..4), seldom(), seldom(), meanwhile, stale, refusals()).prop_map(
        |(fates, crash_after, drop_after, meanwhile, stale, refused)| Script {
            fates,
            crash_after,
            drop_after,
            meanwhile,
            stale,
            refused,
        },
    )
}

fn ops(strangers: bool) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => scripts(strangers).prop_map(Op::Reconcile),
        2 => Just(Op::Settle),
        2 => acts(strangers).prop_map(Op::Act),
        1 => wishes().prop_map(Op::Apply),
        2 => Just(Op::Tell),
        2 => (0..70_000_u64).prop_map(|wait| Op::Sleep(ms(wait))),
        1 => (0..29_000_u64).prop_map(|lag| Op::Lag(ms(lag))),
        2 => Just(Op::Listed),
        1 => Just(Op::Restart),
        1 => Just(Op::NewKey),
        2 => (rights(), prop::bool::weighted(0.7)).prop_map(|(rights, masks)| Op::Rights(rights, masks)),
    ];
    (wishes(), prop::collection::vec(op, 1..24)).prop_map(|(first, mut ops)| {
        ops.insert(0, Op::Apply(first));
        ops
    })
}

fn live_through(ops: Vec<Op>) -> Sim {
    let mut sim = Sim::new();
    for op in ops {
        match op {
            Op::Apply(wish) => sim.apply(wish),
            Op::Act(act) => sim.act(&act),
            Op::Reconcile(script) => assert_ne!(sim.reconcile_with(&script), End::Circles, "{:?}", sim.trace),
            Op::Settle => {
                if sim.unkey.rights == Rights::ALL {
                    sim.settle();
                } else {
                    sim.go_on();
                }
            }
            Op::Tell => sim.tell(),
            Op::Sleep(wait) => sim.sleep(wait),
            Op::Lag(lag) => sim.unkey.lag = lag,
            Op::Listed => listed(&mut sim),
            Op::Restart => sim.restart(),
            Op::NewKey => {
                sim.policy.credential = Some(format!("key-{}", sim.now.as_millis()));
                sim.process.witness = Witness::default();
                sim.process.known.forget_reads(sim.mono());
            }
            Op::Rights(rights, masks) => {
                changes_rights(&mut sim, rights);
                sim.unkey.masks = masks;
            }
        }
    }
    sim
}

/// A permission that comes back between a read and the look for its witness is not promised to be noticed (docs/contributing/rules.md): who waits for
/// one has looked before.
fn changes_rights(sim: &mut Sim, rights: Rights) {
    if sim.process.known.lacks_witness() {
        sim.look();
    }
    sim.act(&Act::Rights(rights));
}

/// A listing of this moment shows the identity. It is handed to what is new, and to what is observed and finds it changed.
fn listed(sim: &mut Sim) {
    let (Some(thing), Some(identity)) = (sim.thing.clone(), sim.unkey.listed(sim.now)) else { return };
    let object = sim.view(&thing);
    let begun = sim.mono();
    let saw = Saw::There { id: IdentityId::new(&identity.id), content: identity.content };
    let sight = Sight { begun, saw };
    let (known, policy, role) = (&sim.process.known, &sim.policy, sim.role);
    let object_state = sim.process.object_state.entry(thing.uid.clone()).or_default();
    let is_new = object.recorded.own().is_none() && object.claim == ClaimState::Absent && !object.finalizer;
    if is_new && object.phase == Phase::Live {
        show_new(&object, &sight, object_state);
        return;
    }
    let subject = Subject { object: &object, role, known, object_state, policy };
    if subject.finds(&sight).is_some() {
        note(&object, &sight, &mut sim.process.known, object_state, begun);
    }
}

/// At rest, and in a state that says so.
fn comes_to_rest(sim: &mut Sim) {
    changes_rights(sim, Rights::ALL);
    let end = sim.settle();
    if let Some(thing) = &sim.thing {
        let trace = sim.trace.join("\n");
        let record = thing.status.as_ref().map(|(_, record)| record).expect("a status");
        assert_eq!(record.generation, thing.generation, "{end:?}\n{trace}");
        let shown = &record.shown;
        if thing.is_deleting() {
            assert!(thing.wish.controls.suspend || shown.reason == Some(Reason::DeletionBlocked), "{trace}");
        } else {
            let tells = shown.reason.is_some_and(Reason::is_observing);
            let observed = thing.wish.controls.observed_by(&sim.policy).is_some() && !shown.suspended;
            assert!(observed || shown.ready || shown.stalled || shown.suspended, "{end:?} {shown:?}\n{trace}");
            // Unkey may refuse to be asked.
            let asked = shown.reason == Some(Reason::Rejected) && !shown.stalled;
            assert_eq!(tells || asked, observed, "{shown:?}\n{trace}");
            assert!(!observed || asked || !thing.finalizer && thing.claim.is_none(), "R21: {thing:?}\n{trace}");
            assert_eq!(shown.suspended, thing.wish.controls.suspend, "{trace}");
        }
    }
    sim.taken();
    for _ in 0..10 {
        sim.sleep(ms(600_000));
        sim.reconcile();
        assert!(sim.trace.is_empty(), "R12: {:?}\n{:?}", sim.trace, sim.thing);
    }
    // A deletion that is refused is tried once more by the next process, and so is the read of what is only observed.
    let unread = |thing: &Thing| {
        let shown = thing.status.as_ref().and_then(|(_, record)| record.shown.reason);
        shown == Some(Reason::Rejected) && thing.wish.controls.observed_by(&sim.policy).is_some()
    };
    let blocked = sim.thing.as_ref().is_some_and(|thing| thing.is_deleting() || unread(thing));
    sim.restart();
    for _ in 0..3 {
        sim.sleep(ms(600_000));
        sim.reconcile();
    }
    assert!(blocked || sim.trace.is_empty(), "R12 at restart: {:?}\n{:?}", sim.trace, sim.thing);
}

/// The same histories in every run, so that a change fails its own run and no later one. To search, give other seeds and more
/// cases: `PROPTEST_RNG_SEED=7 PROPTEST_CASES=40000 cargo test -p unkey-operator-core --test simulation histories`.
pub fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    let rng_seed = match given.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    ProptestConfig { cases: given.cases.max(1500), failure_persistence: None, rng_seed, ..given }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn alone_in_the_world(ops in ops(false)) {
        let mut sim = live_through(ops);
        comes_to_rest(&mut sim);
        // Without strangers, nothing stalls but on a spec or a refusal, and what is ready is what Unkey holds.
        if let Some(thing) = sim.thing.clone().filter(|thing| !thing.is_deleting() && sim.ready()) {
            let live = sim.unkey.live.clone().expect("ready");
            let record = thing.status.clone().map(|(_, record)| record).expect("ready");
            let id = match (&record.observed, &record.held) {
                (Some(observed), _) => observed.identity_id.clone().expect("ready"),
                (None, held) => held.as_ref().expect("ready").identity.id().as_str().to_owned(),
            };
            prop_assert_eq!(id, live.id);
            let wanted = crate::sim::desired(&thing.wish);
            prop_assert!(wanted.missing_from(&wanted.managed_of(&live.content)).is_none());
        }
    }

    #[test]
    fn among_strangers(ops in ops(true)) {
        comes_to_rest(&mut live_through(ops));
    }
}
