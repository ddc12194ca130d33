//! Plans over small worlds: one test for each action, and what several objects of one world have to do with each other.

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::{
    Approval, Claim, ClaimState, Confirmed, Content, ContentHash, DeletionLimits, ExternalId, Fields, Guard,
    IdentityId, Mono, Object, ObjectKey, OwnedIdentity, Phase, Policy, PriorStatus, Spec, StatusUpdate, Uid, Verdict,
};
use unkey_operator_api::{DeletionPolicy, Origin, Reason};

const KEY: &str = "0123456789ab";

/// An object of a world.
#[derive(Clone, Debug)]
struct Thing {
    object: Object,
    external_id: ExternalId,
    born: i64,
}

impl Listed for Thing {
    fn object(&self, _: Mono) -> Object {
        self.object.clone()
    }

    fn external_id(&self) -> &ExternalId {
        &self.external_id
    }

    fn born(&self) -> i64 {
        self.born
    }
}

impl Thing {
    /// A new object, whose spec asks for this beside the externalId, which is its name.
    fn new(name: &str, spec: &str) -> Self {
        let text = format!(r#"{{"externalId":"{name}"{}{spec}}}"#, if spec.is_empty() { "" } else { "," });
        let spec = Spec::read(&text);
        let uid = Uid::new(&format!("uid-{name}"));
        let object = Object {
            key: ObjectKey { namespace: "shop".to_owned(), name: name.to_owned() },
            guard: Guard { uid, resource_version: "1".to_owned() },
            phase: Phase::Live,
            leaving_for: None,
            fresh: false,
            finalizer: false,
            claim: ClaimState::Absent,
            approval: Approval::None,
            crowd: None,
            generation: 1,
            reconcile_request: None,
            external_id: spec.external_id.clone(),
            controls: spec.controls,
            spec: spec.desired,
            recorded: PriorStatus::Nothing,
        };
        Self { object, external_id: ExternalId::new(name), born: 0 }
    }

    /// Synced with what its spec asked for then.
    fn synced(mut self) -> Self {
        let object = &mut self.object;
        let desired = object.spec.as_ref().expect("a spec that can be sent");
        let identity = Confirmed::from_create(&desired.external_id, &id_of(&self.external_id)).expect("an id");
        let report = StatusUpdate {
            generation: object.generation,
            held: Some(OwnedIdentity {
                identity,
                origin: Some(Origin::Created),
                fields: Fields::accepted(desired.hashes().clone()),
                credential: Some(KEY.to_owned()),
            }),
            deletion: object.controls.deletion.unwrap_or(DeletionPolicy::Delete),
            handled_request: None,
            verdict: Verdict::Synced,
            external_id: object.external_id.clone(),
        };
        object.recorded = PriorStatus::Own(Box::new(report.record(&object.key)));
        object.finalizer = true;
        object.claim =
            ClaimState::Own(Claim { hash: ContentHash::parse(desired.content_hash().as_str()), given_up: None });
        self
    }

    /// Its spec asks for this now.
    fn edited(mut self, spec: &str) -> Self {
        let edited = Self::new(self.external_id.as_str(), spec);
        (self.object.spec, self.object.controls) = (edited.object.spec, edited.object.controls);
        self.object.generation += 1;
        self
    }

    fn deleted(mut self) -> Self {
        self.object.phase = Phase::Deleting;
        self.object.leaving_for = Some(Duration::from_secs(1));
        self
    }

    fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.object.key.name);
        self.object.guard.uid = Uid::new(&format!("uid-{name}"));
        self.born = 1;
        self
    }
}

fn id_of(external_id: &ExternalId) -> String {
    format!("id_{external_id}")
}

fn holds(external_id: &str, spec: &str) -> Identity {
    let desired = Thing::new(external_id, spec).object.spec.expect("a spec that can be sent");
    let content = Content { meta: desired.meta.unwrap_or_default(), limits: desired.limits.unwrap_or_default() };
    let external_id = ExternalId::new(external_id);
    Identity { id: IdentityId::new(&id_of(&external_id)), external_id, content: Packed::new(&content) }
}

fn world(objects: Vec<Thing>, identities: Vec<Identity>) -> World<Thing> {
    World {
        objects,
        identities,
        policy: Policy { credential: Some(KEY.to_owned()), ..Policy::default() },
        deletions: DeletionLimits::default(),
        accepts_workspace_change: false,
        an_hour_ahead: "2026-11-28T18:00:00Z".to_owned(),
    }
}

fn planned(objects: Vec<Thing>, identities: Vec<Identity>) -> Vec<Change> {
    plan(world(objects, identities)).changes
}

fn one(object: Thing, identities: Vec<Identity>) -> Change {
    planned(vec![object], identities).remove(0)
}

fn effects(change: &Change) -> Vec<(&str, Effect)> {
    change.fields.iter().map(|field| (field.path.as_str(), field.effect)).collect()
}

const PRO: &str = r#""meta":{"plan":"pro"}"#;
const LIMITS: &str = r#""ratelimits":[{"name":"requests","limit":100,"duration":60000},{"name":"tokens","limit":5,"duration":1000,"autoApply":true}]"#;

#[test]
fn what_is_new_is_created() {
    let change = one(Thing::new("acme", PRO), vec![]);
    assert_eq!((change.action, change.reason, change.identity.clone()), (Action::Create, Some(Reason::Synced), None));
    assert_eq!(effects(&change), [("meta.plan", Effect::Adds)]);
}

#[test]
fn what_exists_is_adopted_if_nothing_is_lost() {
    let change = one(Thing::new("acme", PRO), vec![holds("acme", PRO)]);
    assert_eq!((change.action, change.fields.len()), (Action::Adopt, 0));
    assert_eq!(change.identity, Some(IdentityId::new("id_acme")));
    let adds = one(Thing::new("acme", r#""meta":{"plan":"pro","seats":3}"#), vec![holds("acme", PRO)]);
    assert_eq!((adds.action, effects(&adds)), (Action::Adopt, vec![("meta.seats", Effect::Adds)]));
}

#[test]
fn what_would_lose_is_refused() {
    let change = one(Thing::new("acme", PRO), vec![holds("acme", r#""meta":{"plan":"free"}"#)]);
    assert_eq!((change.action, change.reason), (Action::Refuse, Some(Reason::AlreadyExists)));
    assert!(change.fields.is_empty());
    let unmanaged = Thing::new("acme", "").synced().edited(PRO);
    let change = one(unmanaged, vec![holds("acme", r#""meta":{"owner":"x"}"#)]);
    assert_eq!((change.action, change.reason), (Action::Refuse, Some(Reason::WouldLose)));
}

#[test]
fn an_edit_is_an_update_and_says_what_it_means_for_callers() {
    let edited =
        r#""ratelimits":[{"name":"requests","limit":10,"duration":60000},{"name":"more","limit":5,"duration":1000}]"#;
    let change = one(Thing::new("acme", LIMITS).synced().edited(edited), vec![holds("acme", LIMITS)]);
    assert_eq!((change.action, change.drift), (Action::Update, false));
    let expected = [
        ("ratelimits[more]", Effect::Adds),
        ("ratelimits[requests]", Effect::Tightens),
        ("ratelimits[tokens]", Effect::Removes),
    ];
    assert_eq!(effects(&change), expected);
}

#[test]
fn effects_of_limits() {
    let limits = |limit: &str| format!(r#""ratelimits":[{{"name":"requests",{limit}}}]"#);
    let effect = |from: &str, to: &str| {
        let changes =
            difference(&holds("a", &limits(from)).content.unpacked(), &holds("a", &limits(to)).content.unpacked());
        changes.first().map(|change| change.effect)
    };
    let base = r#""limit":100,"duration":60000"#;
    assert_eq!(effect(base, base), None);
    assert_eq!(effect(base, r#""limit":99,"duration":60000"#), Some(Effect::Tightens));
    assert_eq!(effect(base, r#""limit":100,"duration":30000"#), Some(Effect::Loosens));
    assert_eq!(effect(base, r#""limit":200,"duration":120000"#), Some(Effect::Loosens), "more at once");
    assert_eq!(effect(base, r#""limit":100,"duration":60000,"autoApply":true"#), Some(Effect::Tightens));
    assert_eq!(effect(r#""limit":1,"duration":60000,"autoApply":true"#, base), Some(Effect::AppliesNoLonger));
}

#[test]
fn drift_is_set_right_and_what_is_gone_is_created_again() {
    let synced = || Thing::new("acme", PRO).synced();
    let drift = one(synced(), vec![holds("acme", r#""meta":{"plan":"free"}"#)]);
    assert_eq!(
        (drift.action, drift.drift, effects(&drift)),
        (Action::Update, true, vec![("meta.plan", Effect::Changes)])
    );
    let change = one(synced(), vec![holds("other", PRO)]);
    assert_eq!((change.action, change.identity), (Action::Recreate, Some(IdentityId::new("id_acme"))));
    assert_eq!(one(synced(), vec![holds("acme", PRO)]).action, Action::Unchanged);
}

#[test]
fn too_many_that_are_missing_are_not_created_again() {
    let objects: Vec<_> = (0..40).map(|n| Thing::new(&format!("c{n}"), PRO).synced()).collect();
    let plan = plan(world(objects, (0..20).map(|n| holds(&format!("c{n}"), PRO)).collect()));
    assert_eq!(plan.withheld, 20);
    assert!(plan.changes.iter().all(|change| change.action == Action::Unchanged));
}

#[test]
fn a_deletion_deletes_keeps_or_waits_for_an_approval() {
    let leaving = |name: &str, spec: &str| Thing::new(name, spec).synced().deleted();
    let change = one(leaving("acme", PRO), vec![holds("acme", PRO)]);
    assert_eq!((change.action, change.identity), (Action::Delete, Some(IdentityId::new("id_acme"))));
    let kept = one(leaving("acme", r#""deletionPolicy":"Orphan""#), vec![holds("acme", "")]);
    assert_eq!((kept.action, kept.message.contains("stays in Unkey")), (Action::Release, true));
    let many = || (0..30).map(|n| leaving(&format!("c{n}"), PRO)).collect::<Vec<_>>();
    let there = || (0..30).map(|n| holds(&format!("c{n}"), PRO)).collect::<Vec<_>>();
    let held = planned(many(), there());
    assert!(held.iter().all(|change| (change.action, change.reason) == (Action::Hold, Some(Reason::DeletionHeld))));
    let no_hold = DeletionLimits { hold: Duration::ZERO, ..DeletionLimits::default() };
    let some = plan(World { deletions: no_hold, ..world(many(), there()) }).changes;
    let count = |action: Action| some.iter().filter(|change| change.action == action).count();
    assert_eq!((count(Action::Delete), count(Action::Hold)), (10, 20));
    let off = World { deletions: DeletionLimits::NONE, ..world(many(), there()) };
    assert!(plan(off).changes.iter().all(|change| change.action == Action::Delete));
}

#[test]
fn of_two_that_name_one_external_id_the_owner_acts_and_its_heir_follows() {
    let owner = Thing::new("acme", PRO).synced();
    let rival = Thing::new("acme", PRO).named("rival");
    let changes = planned(vec![rival.clone(), owner.clone()], vec![holds("acme", PRO)]);
    assert_eq!(changes.iter().map(|change| change.action).collect::<Vec<_>>(), [Action::Conflict, Action::Unchanged]);
    let changes = planned(vec![rival, owner.deleted()], vec![holds("acme", PRO)]);
    assert_eq!(changes.iter().map(|change| change.action).collect::<Vec<_>>(), [Action::Delete, Action::Create]);
}

#[test]
fn what_is_not_acted_on_says_why() {
    let deep = format!(r#""meta":{}1{}"#, r#"{"a":"#.repeat(102), "}".repeat(102));
    assert_eq!(one(Thing::new("acme", &deep), vec![]).action, Action::Invalid);
    assert_eq!(one(Thing::new("acme", r#""suspend":true"#), vec![]).action, Action::Suspend);
    let observed = one(Thing::new("acme", r#""managementPolicy":"Observe","meta":{"a":1}"#), vec![holds("acme", PRO)]);
    assert_eq!((observed.action, observed.reason), (Action::Observe, Some(Reason::WouldRefuse)));
}

#[test]
fn a_key_of_another_workspace_changes_nothing() {
    let mut other = world(vec![Thing::new("acme", PRO).synced(), Thing::new("new", PRO)], vec![holds("x", PRO)]);
    other.policy.credential = Some("ffffffffffff".to_owned());
    let actions: HashSet<_> = plan(other).changes.iter().map(|change| change.action).collect();
    assert_eq!(actions, HashSet::from([Action::Refuse]));
}

#[test]
fn a_claim_without_an_id_is_waited_for_and_then_judged() {
    let mut crashed = Thing::new("acme", PRO).synced();
    crashed.object.recorded = PriorStatus::Nothing;
    // The create went through: what exists is the object's own.
    let change = one(crashed.clone(), vec![holds("acme", PRO)]);
    assert_eq!((change.action, change.reason), (Action::Unchanged, Some(Reason::Synced)));
    assert_eq!(one(crashed, vec![]).action, Action::Create);
}

#[test]
fn what_nobody_names_is_unmanaged() {
    let found =
        plan(world(vec![Thing::new("acme", PRO)], vec![holds("zebra", PRO), holds("acme", PRO), holds("bee", PRO)]));
    let names: Vec<_> = found.unmanaged.iter().map(|(external_id, _)| external_id.as_str()).collect();
    assert_eq!(names, ["bee", "zebra"]);
}
