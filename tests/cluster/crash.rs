//! The operator is killed (SIGKILL) in the middle of many calls to Unkey and started again: they commit before or after that, the user changes
//! the objects meanwhile, or it is killed again in the middle of the recovery. Whatever it was doing, nothing is lost, doubled or leaked.
//!
//! `tests/fault_injection` kills it once after every request of each workflow.

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation, Seed};

use super::harness::{World, condition, eventually};

/// Late commits of these tests come well within it, on a busy machine too.
const WINDOW: [&str; 2] = ["--consistency-window", "3s"];

/// What the user does while the operator is dead.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meanwhile {
    Nothing,
    Edit,
    Delete,
}

/// When the request that was on its way takes effect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Commits {
    BeforeTheKill,
    BeforeTheRestart,
    AfterTheRestart,
}

struct Case {
    name: String,
    operation: Operation,
    meanwhile: Meanwhile,
    commits: Commits,
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (operation, word) in
        [(Operation::Create, "create"), (Operation::Update, "update"), (Operation::Delete, "delete")]
    {
        for meanwhile in [Meanwhile::Nothing, Meanwhile::Edit, Meanwhile::Delete] {
            if operation == Operation::Delete && meanwhile != Meanwhile::Nothing {
                continue;
            }
            for commits in [Commits::BeforeTheKill, Commits::BeforeTheRestart, Commits::AfterTheRestart] {
                // The workflows of that name, killed after the call: `tests/fault_injection` plays them.
                if meanwhile == Meanwhile::Nothing && commits == Commits::BeforeTheKill {
                    continue;
                }
                let name = format!("{word}-{meanwhile:?}-{commits:?}").to_lowercase();
                all.push(Case { name, operation, meanwhile, commits });
            }
        }
    }
    all
}

fn meta(revision: u32) -> Value {
    json!({"revision": revision})
}

fn is_ready(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
}

/// Waits until nothing is left to do: every Identity is Ready or gone.
async fn all_done(world: &World) {
    eventually("every Identity to be ready or gone", async || {
        let list = world.list().await;
        list.iter()
            .all(|object| object["metadata"].get("deletionTimestamp").is_none() && is_ready(object))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn killed_at_every_call() {
    let world = World::new("killed-at-calls").await.with_args(&WINDOW).with_args(&["--request-timeout", "20s"]);
    let all = cases();
    let operator = world.start().await;
    for case in all.iter().filter(|case| case.operation != Operation::Create) {
        world.create(&case.name, &json!({"externalId": case.name, "meta": meta(1)})).await;
    }
    all_done(&world).await;
    let mut faults = Vec::new();
    for case in &all {
        let kind = if case.commits == Commits::BeforeTheKill { FaultKind::HoldAnswer } else { FaultKind::Hold };
        faults.push(world.workspace.order(Fault::new(kind).on(case.operation).of(&case.name).once()));
        match case.operation {
            Operation::Create => {
                world.create(&case.name, &json!({"externalId": case.name, "meta": meta(2)})).await;
            }
            Operation::Update => drop(world.edit(&case.name, &json!({"meta": meta(2)})).await),
            _ => world.delete(&case.name).await,
        }
    }
    for (case, fault) in all.iter().zip(&faults) {
        world.until_hit(*fault, 1).await;
        if case.commits == Commits::BeforeTheKill {
            world.until_accepted(case.operation, &case.name, 1).await;
        }
    }
    operator.kill();
    for (case, fault) in all.iter().zip(&faults) {
        match case.meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Edit => drop(world.edit(&case.name, &json!({"meta": meta(3)})).await),
            Meanwhile::Delete => world.delete(&case.name).await,
        }
        if case.commits == Commits::BeforeTheRestart {
            world.workspace.release(*fault);
            world.until_accepted(case.operation, &case.name, 1).await;
        }
    }
    let _operator = world.start().await;
    for (case, fault) in all.iter().zip(&faults).filter(|(case, _)| case.commits == Commits::AfterTheRestart) {
        // A create whose object was edited or deleted is settled by a read before anything is sent.
        let sends = case.operation != Operation::Create || case.meanwhile == Meanwhile::Nothing;
        if sends {
            let next = if case.meanwhile == Meanwhile::Delete { Operation::Delete } else { case.operation };
            world.until_accepted(next, &case.name, 1).await;
        }
        world.workspace.release(*fault);
    }
    all_done(&world).await;
    world.assert_in_step().await;
    for case in &all {
        let name = case.name.as_str();
        assert_eq!(world.accepted(Operation::Create, name), 1, "{name}");
        let is_gone = case.meanwhile == Meanwhile::Delete || case.operation == Operation::Delete;
        assert_eq!(world.accepted(Operation::Delete, name), usize::from(is_gone), "{name}");
        let object = world.get(name).await;
        assert_eq!(object.is_none(), is_gone, "{name}");
        if let Some(object) = object {
            assert_eq!(object["status"]["origin"], "Created", "{name}");
            let revision = if case.meanwhile == Meanwhile::Edit { 3 } else { 2 };
            assert_eq!(world.workspace.live(name).unwrap().meta["revision"], revision, "{name}");
        }
    }
}

/// Each start gets one call further than the one before, and is killed in the next.
#[tokio::test]
async fn killed_in_the_middle_of_the_recovery() {
    let world = World::new("killed-in-recovery").await.with_args(&["--request-timeout", "20s"]);
    let kinds = [("before", FaultKind::Hold), ("after", FaultKind::HoldAnswer)];
    let names: Vec<String> = ["create", "update", "delete"]
        .iter()
        .flat_map(|operation| kinds.iter().map(move |(when, _)| format!("{operation}-{when}")))
        .collect();
    let operator = world.start().await;
    for name in names.iter().filter(|name| !name.starts_with("create")) {
        world.create(name, &json!({"externalId": name, "meta": meta(1)})).await;
    }
    all_done(&world).await;
    operator.kill();
    for name in &names {
        match name.split('-').next().unwrap() {
            "create" => drop(world.create(name, &json!({"externalId": name, "meta": meta(2)})).await),
            "update" => drop(world.edit(name, &json!({"meta": meta(2)})).await),
            _ => world.delete(name).await,
        }
    }
    let mut rounds = 0;
    for skip in [0, 0, 1, 1, 2, 2, 3, 3] {
        let faults: Vec<(&String, u64)> = names
            .iter()
            .map(|name| {
                let kind = if name.ends_with("after") { FaultKind::HoldAnswer } else { FaultKind::Hold };
                (name, world.workspace.order(Fault::new(kind).of(name).after(skip).once()))
            })
            .collect();
        let operator = world.start().await;
        let mut struck = 0;
        for (name, fault) in &faults {
            struck += eventually(&format!("{name} to be frozen or done"), async || {
                if world.workspace.faults().iter().any(|order| order.id == *fault && order.hits > 0) {
                    return Some(1);
                }
                world.get(name).await.is_none_or(|object| is_ready(&object)).then_some(0)
            })
            .await;
        }
        operator.kill();
        world.workspace.clear_faults();
        rounds += usize::from(struck > 0);
    }
    assert!(rounds >= 4, "{rounds} rounds froze something");
    let _operator = world.start().await;
    all_done(&world).await;
    world.assert_in_step().await;
    for name in &names {
        assert_eq!(world.accepted(Operation::Create, name), 1, "{name}");
        assert_eq!(world.get(name).await.is_none(), name.starts_with("delete"), "{name}");
    }
}

/// R12, S29.
#[tokio::test]
async fn a_restart_with_nothing_to_do_costs_nothing() {
    let world = World::new("quiet-restart").await;
    let operator = world.start().await;
    let mut count = 0;
    for number in 0..20 {
        let name = format!("ready-{number}");
        world.create(&name, &json!({"externalId": name, "meta": {"n": number}})).await;
        count += 1;
    }
    for number in 0..5 {
        let name = format!("stalled-{number}");
        let held = json!({"keep": "me"}).as_object().cloned();
        world.workspace.seed(Seed { external_id: name.clone(), meta: held, ratelimits: None }).unwrap();
        world.create(&name, &json!({"externalId": name, "meta": {"n": number}})).await;
        let name = format!("suspended-{number}");
        world.create(&name, &json!({"externalId": name, "suspend": true})).await;
        count += 2;
    }
    for number in 0..5 {
        world.reason(&format!("stalled-{number}"), "AlreadyExists").await;
        world.reason(&format!("suspended-{number}"), "Suspended").await;
    }
    for number in 0..20 {
        world.ready(&format!("ready-{number}")).await;
    }
    operator.kill();
    let (calls, writes) = (world.calls(), world.kube_writes());
    let operator = world.start().await;
    eventually("each to be looked at", async || {
        let passes = operator.metrics().await.sum("unkey_operator_reconciles_total", &[("result", "ok")]);
        (passes >= count).then_some(())
    })
    .await;
    assert_eq!(operator.metrics().await.sum("unkey_operator_reconciles_total", &[]), count);
    assert_eq!((world.calls(), world.kube_writes()), (calls, writes));
}
