//! What a process takes from what it sees of an object: what is answered by then, and what is to be judged anew.

mod judged_anew;
mod long_over;
mod memory;
mod others;

use super::any::{WINDOW, customer, windows};
use super::message::report;
use super::*;
use unkey_operator_api::{DeletionPolicy, Reason};

/// Another length than the window's: neither may stand for the other.
const ATTEMPT: Duration = ms(20_000);
/// Long after this process took the lead.
const NOW: Mono = windows(10);

/// An object, and the process that sees it.
#[derive(Clone, Debug)]
struct Scene {
    object: Object,
    known: Knowledge,
    object_state: ObjectState,
    policy: Policy,
    now: Mono,
}

type Change = fn(&mut Scene);

fn confirmed(n: u32) -> Confirmed {
    Confirmed::from_create(&customer(), &format!("id_{n}")).expect("an id")
}

fn desired() -> Desired {
    Desired::new(customer(), Some(meta(r#"{"a":1}"#)), Some(limits(&[("req", 1, 1000, false)])))
}

fn shown(verdict: Verdict) -> Shown {
    let key = ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() };
    report(verdict).shown(&key)
}

fn trouble() -> FailureState {
    FailureState {
        cause: Cause::Unavailable,
        retry_at: None,
        lasting: false,
        generation: 1,
        write: false,
        reconcile_request: None,
        credential: Some("key".to_owned()),
    }
}

/// One that is over by now: that alone settles nothing.
fn doubt(create: Option<&str>) -> UnknownOutcome {
    UnknownOutcome::new(Mono::ZERO, false, create.map(uid))
}

fn reconcile_request() -> ReconcileRequest {
    ReconcileRequest { value: "p".to_owned(), since: Mono::ZERO }
}

impl Scene {
    /// An object without claim and status, not met before.
    fn new() -> Self {
        Self {
            object: Object {
                key: ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() },
                guard: Guard { uid: uid("u"), resource_version: "1".to_owned() },
                phase: Phase::Live,
                fresh: true,
                finalizer: true,
                claim: ClaimState::Absent,
                approval: Approval::None,
                crowd: None,
                leaving_for: None,
                generation: 1,
                reconcile_request: None,
                external_id: Some(customer()),
                controls: Controls::default(),
                spec: Ok(desired()),
                recorded: PriorStatus::Nothing,
            },
            known: Knowledge::default(),
            object_state: ObjectState::default(),
            policy: Policy {
                window: WINDOW,
                attempt: ATTEMPT,
                credential: Some("key".to_owned()),
                ..Policy::default()
            },
            now: NOW,
        }
    }

    /// It has a claim, and no id.
    fn claimed() -> Self {
        let claim = Claim { hash: desired().content_hash().clone(), given_up: None };
        Self::new().with(|scene| scene.object.claim = ClaimState::Own(claim))
    }

    /// It has a claim and an id, and its status says this of its generation.
    fn recorded(verdict: Verdict) -> Self {
        let fields = Fields::accepted(desired().hashes().clone());
        let held = OwnedIdentity { identity: confirmed(1), origin: None, fields, credential: None };
        let (deletion, shown) = (Some(DeletionPolicy::Delete), shown(verdict));
        let record = Record { generation: 1, held: Some(held), observed: None, deletion, handled_request: None, shown };
        Self::claimed().with(|scene| scene.object.recorded = PriorStatus::Own(Box::new(record)))
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// This process has met it before, as it is.
    fn met(self) -> Self {
        self.with(|scene| {
            scene.object_state.seen_before = true;
            scene.object_state.claim_met = scene.object.claim.own().is_some();
        })
    }

    fn at(self, now: Mono) -> Self {
        self.with(|scene| scene.now = now)
    }

    fn look(mut self) -> Self {
        sync_object(&self.object, &mut self.known, &mut self.object_state, &self.policy, self.now);
        self
    }

    fn record(&mut self) -> &mut Record {
        match &mut self.object.recorded {
            PriorStatus::Own(record) => record,
            other => panic!("{other:?}"),
        }
    }
}

fn waiting(cause: Cause) -> Scene {
    Scene::recorded(Verdict::Waiting(cause))
}

fn ready() -> Scene {
    Scene::recorded(Verdict::Synced)
}

/// A change of the spec that the status does not speak of yet.
fn edited(scene: &mut Scene) {
    scene.object.generation = 2;
}

/// The claim says that the identity recorded is dead or another's: the record is void (R9).
fn given_up(scene: &mut Scene) {
    let hash = desired().content_hash().clone();
    scene.object.claim = ClaimState::Own(Claim { hash, given_up: Some(confirmed(1).id().clone()) });
}

fn synced(scene: &mut Scene) {
    scene.record().shown = shown(Verdict::Synced);
}

#[test]
fn r2_what_may_be_our_own_create_is_kept_until_its_id_is_recorded_or_the_claim_is_off() {
    let bare = |scene: &mut Scene| scene.object.finalizer = false;
    let cases: [(&str, Scene, bool); 9] = [
        ("this very id is recorded", ready(), false),
        ("it is, and given up", ready().with(given_up), true),
        (
            "another one is: it may be dead",
            ready().with(|scene| scene.object_state.maybe_own = Some(confirmed(2))),
            true,
        ),
        ("none is", Scene::claimed(), true),
        ("the claim is off, and the finalizer", Scene::new().with(bare), false),
        ("the claim alone is off, by hand", Scene::new(), true),
        ("leaving: a second one may be there", ready().with(|scene| scene.object.phase = Phase::Deleting), true),
        ("recorded, as a cache shows", ready().with(|scene| scene.object.fresh = false), true),
        ("off, as a cache shows", Scene::new().with(|scene| scene.object.fresh = false), true),
    ];
    for (what, scene, kept) in cases {
        let found = scene.object_state.maybe_own.clone().or(Some(confirmed(1)));
        let scene = scene.met().with(|scene| scene.object_state.maybe_own.clone_from(&found)).look();
        assert_eq!(scene.object_state.maybe_own, found.filter(|_| kept), "{what}");
    }
}

#[test]
fn an_answer_exists_counts_for_the_claim_that_is_on() {
    for (claimed, fresh, stays) in [(true, true, true), (true, false, true), (false, false, true), (false, true, false)]
    {
        let scene = if claimed { Scene::claimed() } else { Scene::new() };
        let scene = scene.met().with(|scene| scene.object.fresh = fresh);
        assert!(!scene.clone().look().object_state.met_exists, "it is not made up");
        let met = scene.with(|scene| scene.object_state.met_exists = true).look();
        assert_eq!(met.object_state.met_exists, stays, "claimed {claimed}, fresh {fresh}");
    }
}

#[test]
fn a_suspicion_ends_with_the_identity_given_up_as_a_fresh_look_shows() {
    for (held, fresh, stays) in [(true, true, true), (true, false, true), (false, false, true), (false, true, false)] {
        let scene = if held { ready() } else { Scene::claimed() };
        let scene = scene.met().with(|scene| scene.object.fresh = fresh);
        assert!(!scene.clone().look().object_state.suspicion, "it is not made up");
        let suspicious = scene.with(|scene| scene.object_state.suspicion = true).look();
        assert_eq!(suspicious.object_state.suspicion, stays, "held {held}, fresh {fresh}");
    }
}

#[test]
fn drift_ends_with_the_suspicion() {
    for (drifted, suspicion) in [(true, true), (true, false), (false, true), (false, false)] {
        let set = |scene: &mut Scene| (scene.object_state.drifted, scene.object_state.suspicion) = (drifted, suspicion);
        assert_eq!(ready().met().with(set).look().object_state.drifted, drifted && suspicion);
    }
}

#[test]
fn r13_a_failure_holds_work_back_until_the_spec_the_annotation_or_the_key_changes() {
    let failed = || {
        ready().met().with(|scene| {
            scene.object_state.failures = 4;
            scene.object_state.trouble = Some(trouble());
        })
    };
    let stays: [(&str, Change); 3] = [
        ("nothing", |_| ()),
        ("the same poke", |scene| {
            scene.object.reconcile_request = Some(reconcile_request());
            scene.object_state.trouble.as_mut().expect("trouble").reconcile_request = Some("p".to_owned());
        }),
        ("the poke echoed", |scene| {
            scene.object_state.trouble.as_mut().expect("trouble").reconcile_request = Some("p".to_owned());
        }),
    ];
    let ends: [(&str, Change); 4] = [
        ("the spec", edited),
        ("a poke", |scene| scene.object.reconcile_request = Some(reconcile_request())),
        ("the key", |scene| scene.policy.credential = Some("another".to_owned())),
        ("no key", |scene| scene.policy.credential = None),
    ];
    for (what, change) in stays {
        let scene = failed().with(change);
        let looked = scene.clone().look();
        assert_eq!(
            (looked.object_state.trouble, looked.object_state.failures),
            (scene.object_state.trouble, 4),
            "{what}"
        );
    }
    for (what, change) in ends {
        let looked = failed().with(change).look();
        assert_eq!((looked.object_state.trouble, looked.object_state.failures), (None, 0), "{what}");
    }
}

/// R4: the answer to a claim was lost, and the next patch is made from a cache that does not show it: that one fails, the first one is on.
#[test]
fn r4_a_claim_that_went_unanswered_stays_our_own_when_a_later_one_is_out_of_date() {
    let ClaimState::Own(claim) = Scene::claimed().object.claim else { panic!("a claim") };
    let mut scene = Scene::new().look();
    let Scene { object, object_state, policy, now, .. } = &mut scene;
    assert!(claiming(object, &claim, object_state, policy, *now));
    let noted = claiming(object, &claim, object_state, policy, *now);
    not_claimed(&claim, noted, object_state);
    let ours = scene.clone().with(|scene| scene.object.claim = ClaimState::Own(claim.clone())).look();
    assert_eq!((ours.known.doubt(), ours.object_state.claiming.len()), (None, 0));
    // One that was refused for sure is nobody's.
    let mut refused = Scene::new().look();
    let Scene { object, object_state, policy, now, .. } = &mut refused;
    let noted = claiming(object, &claim, object_state, policy, *now);
    not_claimed(&claim, noted, object_state);
    let strange = refused.with(|scene| scene.object.claim = ClaimState::Own(claim.clone())).look();
    assert!(strange.known.doubts_a_create());
    // And for a window after the start a cache may be behind another process's.
    let mut early = Scene::new().at(Mono(1)).look();
    let Scene { object, object_state, policy, now, .. } = &mut early;
    assert!(!claiming(object, &claim, object_state, policy, *now));
}
