//! The object is edited between every two steps of each workflow: each request that the operator makes for it is held at a proxy, the user edits the
//! object, the request goes on. What comes of it is what the last spec says.

use std::collections::BTreeMap;

use cutting_proxy::{Fault, FaultKind, Proxy};
use serde_json::{Value, json};
use unkey_emulator::Operation;

use super::harness::{World, condition, eventually, say};

const WORKFLOWS: [Workflow; 7] = [
    Workflow::Create,
    Workflow::Update,
    Workflow::Delete,
    Workflow::Adopt,
    Workflow::Recreate,
    Workflow::Replaced,
    Workflow::Orphan,
];
const EDITS: [Edit; 5] = [Edit::Label, Edit::Spec, Edit::Orphan, Edit::Suspend, Edit::Delete];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Workflow {
    Create,
    Update,
    Delete,
    Adopt,
    Recreate,
    Replaced,
    Orphan,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Edit {
    Label,
    Spec,
    Orphan,
    Suspend,
    Delete,
}

/// `at`: the edit comes before the request of that number, counted from 0, is seen by the API server.
#[derive(Clone, Debug)]
struct Case {
    workflow: Workflow,
    edit: Edit,
    at: u64,
    name: String,
}

impl Workflow {
    async fn prepare(self, world: &World, name: &str) {
        match self {
            Self::Create => {}
            Self::Adopt => drop(world.seed(name, &json!({"meta": {"n": 1}}))),
            _ => drop(world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await),
        }
    }

    async fn act(self, world: &World, name: &str) {
        match self {
            Self::Create => drop(world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await),
            Self::Adopt => drop(world.create(name, &json!({"externalId": name, "meta": {"n": 1, "more": 1}})).await),
            Self::Update => drop(world.edit(name, &json!({"meta": {"n": 2}})).await),
            Self::Delete => world.delete(name).await,
            Self::Orphan => {
                world.edit(name, &json!({"deletionPolicy": "Orphan"})).await;
                world.delete(name).await;
            }
            Self::Recreate | Self::Replaced => {
                assert!(world.workspace.delete(name));
                if self == Self::Replaced {
                    world.seed(name, &json!({"meta": {"n": 1}}));
                }
                world.ask_for_check(name, "look").await;
            }
        }
    }

    fn deletes(self) -> bool {
        matches!(self, Self::Delete | Self::Orphan)
    }
}

impl Edit {
    async fn make(self, world: &World, name: &str) {
        match self {
            Self::Label => drop(world.patch(name, &json!({"metadata": {"labels": {"edited": "yes"}}})).await),
            Self::Spec => drop(world.edit(name, &json!({"meta": {"n": 1, "edited": true}})).await),
            Self::Orphan => drop(world.edit(name, &json!({"deletionPolicy": "Orphan"})).await),
            Self::Suspend => drop(world.edit(name, &json!({"suspend": true})).await),
            Self::Delete => world.delete(name).await,
        }
    }
}

/// The operator has said its last word on the object as it is.
fn is_done(object: Option<&Value>) -> bool {
    let Some(object) = object else { return true };
    let (meta, ready) = (&object["metadata"], condition(object, "Ready"));
    let request_reconcile = meta.pointer("/annotations/unkey.com~1reconcile-requested-at");
    let poked = request_reconcile
        .is_none_or(|request_reconcile| object["status"]["lastHandledReconcileAt"] == *request_reconcile);
    let suspended = ready["reason"] == "Suspended" || ready["reason"] == "DeletionBlocked";
    let rests = meta.get("deletionTimestamp").is_none() && ready["status"] == "True" && poked;
    ready["observedGeneration"] == meta["generation"] && (rests || suspended)
}

async fn done(world: &World, name: &str) {
    eventually(&format!("{name} to be done"), async || is_done(world.get(name).await.as_ref()).then_some(())).await;
}

/// How many requests each workflow makes for its object, undisturbed.
async fn undisturbed(world: &World, proxy: &Proxy) -> BTreeMap<Workflow, u64> {
    let mut counts = BTreeMap::new();
    for workflow in WORKFLOWS {
        let name = format!("{workflow:?}").to_lowercase();
        workflow.prepare(world, &name).await;
        done(world, &name).await;
        let before = proxy.last();
        workflow.act(world, &name).await;
        done(world, &name).await;
        let asked = proxy.since(before).iter().filter(|entry| entry.asked.name == name).count();
        counts.insert(workflow, u64::try_from(asked).unwrap());
    }
    counts
}

fn cases(counts: &BTreeMap<Workflow, u64>) -> Vec<Case> {
    let mut all = Vec::new();
    for (workflow, count) in counts {
        for at in 0..*count {
            for edit in EDITS.into_iter().filter(|edit| !(workflow.deletes() && *edit == Edit::Delete)) {
                let name = format!("{workflow:?}-{edit:?}-{at}").to_lowercase();
                all.push(Case { workflow: *workflow, edit, at, name });
            }
        }
    }
    all
}

#[allow(clippy::disallowed_methods)] // which case to repeat is no setting of the operator
fn only() -> Option<String> {
    std::env::var("EDITED").ok()
}

/// `EDITED=update-spec-1` runs one case alone.
#[tokio::test]
async fn edited_between_every_two_steps() {
    // A held request keeps its worker.
    let (world, proxy) = World::new("edited").await.with_args(&["--workers", "400"]).behind_proxy().await;
    let _operator = world.start().await;
    let counts = undisturbed(&world, &proxy).await;
    let all: Vec<Case> =
        cases(&counts).into_iter().filter(|case| only().is_none_or(|only| only == case.name)).collect();
    say(&format!("edited: {} cases: {counts:?}", all.len()));
    for case in &all {
        case.workflow.prepare(&world, &case.name).await;
    }
    for case in all.iter().filter(|case| !matches!(case.workflow, Workflow::Create | Workflow::Adopt)) {
        done(&world, &case.name).await;
    }
    let mut failed = Vec::new();
    let held = futures::future::join_all(all.iter().map(async |case| disturb(&world, &proxy, case).await)).await;
    let held: u64 = held.iter().sum();
    say(&format!("edited: {held} of them held"));
    assert!(held * 10 >= u64::try_from(all.len()).unwrap() * 9, "the edits come in the middle");
    for case in &all {
        if let Err(why) = judge(&world, case).await {
            failed.push(format!("{}: {why}", case.name));
        }
    }
    assert!(failed.is_empty(), "repeat each with EDITED=NAME:\n{}", failed.join("\n"));
}

/// How often the edit came in the middle.
async fn disturb(world: &World, proxy: &Proxy, case: &Case) -> u64 {
    let hold = proxy.order(Fault::new(FaultKind::Hold).of(&case.name).after(case.at).once());
    case.workflow.act(world, &case.name).await;
    // The workflow may have taken a request less this time: then the edit comes after its end, which has to come out right too.
    eventually(&format!("{} to be held or done", case.name), async || {
        (proxy.hits(hold) == 1 || is_done(world.get(&case.name).await.as_ref())).then_some(())
    })
    .await;
    // What went by hand, or was let go with the last request, cannot be edited any more.
    if world.get(&case.name).await.is_some() {
        case.edit.make(world, &case.name).await;
    }
    proxy.release(hold);
    proxy.hits(hold)
}

/// What is wrong with the end of a case.
async fn judge(world: &World, case: &Case) -> Result<(), String> {
    done(world, &case.name).await;
    let (object, live) = (world.get(&case.name).await, world.workspace.live(&case.name));
    let wrong = |why: &str| Err(format!("{why}; object {object:?}, in Unkey {live:?}"));
    let accepted = |operation| world.accepted(operation, &case.name);
    let Some(object) = &object else {
        let deleted = accepted(Operation::Delete);
        let stays = case.workflow == Workflow::Orphan
            // Said before the delete was sent, it is heeded (S8).
            || (case.edit == Edit::Orphan && deleted == 0)
            // Gone before it was claimed, or before it was recorded that another one's identity is taken over (R7).
            || (matches!(case.workflow, Workflow::Adopt | Workflow::Replaced) && case.at <= 1);
        return match (case.workflow.deletes() || case.edit == Edit::Delete, stays == live.is_some()) {
            (false, _) => wrong("it went"),
            (_, false) => wrong("leaked, or not left alone"),
            _ if case.workflow == Workflow::Delete && case.edit == Edit::Orphan && case.at == 0 && deleted > 0 => {
                wrong("Orphan was not heeded")
            }
            _ => Ok(()),
        };
    };
    if case.edit == Edit::Suspend {
        return if condition(object, "Suspended")["status"] == "True" || case.workflow.deletes() {
            Ok(())
        } else {
            wrong("not suspended")
        };
    }
    let Some(live) = &live else { return wrong("nothing in Unkey") };
    let made = accepted(Operation::Create);
    let most = if matches!(case.workflow, Workflow::Recreate) { 2 } else { 1 };
    let policy = if case.edit == Edit::Orphan { "Orphan" } else { "Delete" };
    if case.workflow.deletes() {
        wrong("still there")
    } else if object["status"]["identityId"] != live.id.as_str() {
        wrong("another id")
    } else if object["spec"]["meta"] != live.meta {
        wrong("another content")
    } else if object["status"]["deletionPolicy"] != policy {
        wrong("another policy")
    } else if made > most || accepted(Operation::Delete) > 0 {
        wrong("made or deleted too often")
    } else {
        Ok(())
    }
}
