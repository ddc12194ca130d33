//! Little worlds: one externalId each, what there is of it at first, and what happens to it.

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use unkey_emulator::{Seed, Workspace};

use super::super::harness::{World, identity};

/// One of them.
pub struct Little {
    pub external_id: String,
    /// What another client has made before.
    made: Option<Value>,
    /// The objects at first.
    pub at_first: Vec<Value>,
    then: Vec<Act>,
}

/// What happens.
enum Act {
    Creates(Value),
    Patches(String, Value),
    Deletes(String),
    /// Another client writes, makes, or deletes the identity.
    Writes(Value),
    Makes(Value),
    Gone,
}

/// Chance that is the same in each run.
struct Dice(TestRng);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn content(&mut self) -> Value {
        let plan = ["free", "pro", "max"][usize::try_from(self.below(3)).unwrap()];
        let mut meta = json!({"plan": plan});
        for key in ["seats", "owner", "note"] {
            if self.below(3) == 0 {
                meta[key] = json!(self.below(4));
            }
        }
        let mut limits = Vec::new();
        for name in ["requests", "tokens", "exports"] {
            if self.below(2) == 0 {
                let auto = self.below(2) == 0;
                limits.push(json!({"name": name, "limit": 1 + self.below(5), "duration": 1000 * (1 + self.below(3)), "autoApply": auto}));
            }
        }
        json!({"meta": meta, "ratelimits": limits})
    }
}

/// One for each seed; what happens goes round.
pub fn little_worlds(seeds: u64) -> Vec<Little> {
    (0..seeds).map(little_world).collect()
}

fn little_world(seed: u64) -> Little {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut dice = Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let id = format!("w{seed}");
    let (one, other) = (dice.content(), dice.content());
    let spec = |content: &Value, more: &Value| {
        let mut spec = json!({"externalId": id, "meta": content["meta"], "ratelimits": content["ratelimits"]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let none = json!({});
    let object = |spec: Value| identity(&id, &spec);
    let rival = |spec: Value| identity(&format!("{id}-rival"), &spec);
    let synced = || (None, vec![object(spec(&one, &none))]);
    let edit = |content: &Value| {
        Act::Patches(id.clone(), json!({"spec": {"meta": null, "ratelimits": null}, "then": content}))
    };
    let deletes = || Act::Deletes(id.clone());
    let patch = |patch: Value| Act::Patches(id.clone(), patch);
    let creates = |more: Value| vec![Act::Creates(object(spec(&other, &more)))];
    let deep = (0..101).fold(json!(1), |inner, _| json!({"a": inner}));
    let ((made, at_first), then) = match seed % 22 {
        0 => (synced(), vec![]),
        1 | 2 => (synced(), vec![edit(&other)]),
        3 => (synced(), vec![Act::Writes(other)]),
        4 => (synced(), vec![Act::Gone]),
        5 => (synced(), vec![deletes()]),
        6 => (synced(), vec![patch(json!({"spec": {"deletionPolicy": "Orphan"}})), deletes()]),
        7 => ((None, vec![]), creates(none.clone())),
        8 => ((Some(other.clone()), vec![]), creates(none.clone())),
        9 => ((Some(json!({"meta": {"theirs": 1}, "ratelimits": []})), vec![]), creates(none.clone())),
        10 => ((Some(one), vec![]), creates(json!({"adoptionPolicy": "Always"}))),
        11 => ((Some(one), vec![]), creates(json!({"adoptionPolicy": "Never"}))),
        12 => (synced(), vec![Act::Creates(rival(spec(&other, &none)))]),
        13 => (synced(), vec![edit(&other), patch(json!({"spec": {"suspend": true}}))]),
        14 => (synced(), vec![edit(&other), patch(json!({"spec": {"managementPolicy": "Observe"}}))]),
        15 => (
            (None, vec![object(json!({"externalId": id}))]),
            vec![Act::Writes(json!({"meta": {"theirs": 1}})), patch(json!({"spec": {"meta": {"ours": 1}}}))],
        ),
        16 => (synced(), vec![patch(json!({"spec": {"meta": null}})), Act::Writes(json!({"meta": {"theirs": 2}}))]),
        17 => (synced(), vec![patch(json!({"spec": {"meta": deep}}))]),
        18 => (
            synced(),
            vec![Act::Gone, Act::Makes(if dice.below(2) == 0 { one.clone() } else { json!({"meta": {"theirs": 3}}) })],
        ),
        19 => (synced(), vec![Act::Writes(json!({"meta": {"theirs": 4}})), edit(&other)]),
        20 => ((None, vec![object(spec(&one, &none)), rival(spec(&other, &none))]), vec![deletes()]),
        _ => (
            (None, vec![object(spec(&one, &json!({"suspend": true})))]),
            vec![edit(&other), patch(json!({"spec": {"suspend": null}}))],
        ),
    };
    Little { external_id: id, made, at_first, then }
}

impl Little {
    /// What another client has made before.
    pub fn seed(&self, workspace: &Workspace) {
        if let Some(made) = &self.made {
            workspace.seed(seed(&self.external_id, made)).unwrap();
        }
    }

    /// What happens to it.
    pub async fn happens(&self, world: &World) {
        for act in &self.then {
            match act {
                Act::Creates(object) => drop(world.try_create(object).await.unwrap()),
                Act::Patches(name, patch) => {
                    // A merge patch would merge two versions of meta.
                    if let Some(then) = patch.get("then") {
                        world.patch(name, &json!({"spec": patch["spec"]})).await;
                        world.patch(name, &json!({"spec": then})).await;
                    } else {
                        world.patch(name, patch).await;
                    }
                }
                Act::Deletes(name) => world.delete(name).await,
                Act::Writes(content) => assert!(world.workspace.mutate(&self.external_id, seed("", content))),
                Act::Makes(content) => drop(world.workspace.seed(seed(&self.external_id, content)).unwrap()),
                Act::Gone => assert!(world.workspace.delete(&self.external_id)),
            }
        }
    }
}

fn seed(external_id: &str, content: &Value) -> Seed {
    let limits = content.get("ratelimits").map(|all| {
        let with_ids = all.as_array().unwrap().iter().map(|limit| {
            let mut limit = limit.clone();
            limit["id"] = json!("");
            limit
        });
        serde_json::from_value(with_ids.collect()).unwrap()
    });
    Seed {
        external_id: external_id.to_owned(),
        meta: content.get("meta").map(|meta| meta.as_object().unwrap().clone()),
        ratelimits: limits,
    }
}
