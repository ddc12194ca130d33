//! E4: each right that the operator uses is taken away while it runs, over the whole cluster and in each of two namespaces. It says which one is
//! missing and where, goes on with what it can, and recovers by itself when the right is back. Which rights it uses is read from the audit log, so
//! that a new one cannot be forgotten, nor one be granted that it does not need.

mod scene;

use std::collections::BTreeSet;

use cutting_proxy::Ending;
use serde_json::json;
use unkey_emulator::{Fault, FaultKind, Operation};

use self::scene::Scene;
use super::harness::{Operator, Right, World, condition, eventually};

/// Waits until a line of the log names the right, and where it is missing, as the API server says it; and nowhere as the client prints it.
async fn until_named(operator: &Operator, from: usize, right: &Right) {
    let Right { namespace, group, resource, verb, .. } = right;
    let place = namespace.as_ref().map(|namespace| format!(" in the namespace \"{namespace}\"")).unwrap_or_default();
    let words = format!("cannot {verb} resource \"{resource}\" in API group \"{group}\"{place}");
    let log = eventually(&format!("'{words}' in the log"), async || {
        let log = told(operator, from);
        log.contains(&words).then_some(log)
    })
    .await;
    assert!(!log.contains("Status {"), "not for people: {log}");
}

/// What it has logged from there on, but for a developer.
fn told(operator: &Operator, from: usize) -> String {
    operator.log()[from..].lines().filter(|line| !line.contains(" DEBUG ")).collect::<Vec<_>>().join("\n")
}

/// Content of its own in each team.
fn old(team: &World) -> String {
    format!("old-{}", team.namespace)
}

async fn create(team: &World, name: &str) {
    team.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
}

/// Somebody changes the identity behind the operator's back, and has it look: that is corrected, and worth an event.
async fn drift(team: &World, look: &str) {
    team.mutate(&old(team), &json!({"meta": {"not": "ours"}}));
    team.poke(&old(team), look).await;
}

/// What is there already is taken over, and that is worth an event of another kind, which begins a series.
async fn adoption(team: &World, name: &str) {
    team.seed(name, &json!({"meta": {"n": 1}}));
    create(team, name).await;
    team.ready(name).await;
}

/// Makes something that takes the right; the object that shows it.
async fn need(scene: &Scene, team: &World, right: &Right, turn: usize) -> String {
    let name = format!("made-{turn}");
    match (right.resource.as_str(), right.verb.as_str()) {
        ("identities", "get") => {
            team.edit(&old(team), &json!({"meta": {"n": 2}})).await;
            return old(team);
        }
        ("identities", "list") => {
            // It goes in the middle of its create: whoever clears up after it asks for heirs.
            let held = team.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create).of(&name).once());
            create(team, &name).await;
            team.until_hit(held, 1).await;
            team.patch(&name, &json!({"metadata": {"finalizers": null}})).await;
            team.delete(&name).await;
            team.workspace.release(held);
        }
        ("identities", "watch") => {
            scene.proxy.end_watches(Ending::Cut);
            create(team, &name).await;
        }
        ("identities" | "identities/status", "patch") => create(team, &name).await,
        ("events", "create") => adoption(team, &name).await,
        ("events", "patch") => drift(team, &format!("look-{turn}")).await,
        ("customresourcedefinitions", "get") => {
            create(team, &name).await;
            team.ready(&name).await;
            team.delete(&name).await;
        }
        _ => panic!("nothing is known that takes this: {right:?}"),
    }
    name
}

/// Waits until it says what is missing: to the user, where one waits for it, else in the log.
async fn until_said(operator: &Operator, from: usize, team: &World, right: &Right, name: &str) {
    if right.resource != "customresourcedefinitions" {
        return until_named(operator, from, right).await;
    }
    let blocked = team.reason(name, "DeletionBlocked").await;
    let message = condition(&blocked, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("may not read the CustomResourceDefinition"), "{message}");
}

/// The right is back: what was left undone is done.
async fn recovers(team: &World, right: &Right, turn: usize, name: &str) {
    match (right.resource.as_str(), right.verb.as_str()) {
        ("identities", "list") => {
            eventually("what was left to be cleared up", async || team.workspace.live(name).is_none().then_some(()))
                .await;
        }
        ("customresourcedefinitions", _) => team.gone(name).await,
        ("events", "create") => {
            let name = format!("told-{turn}");
            adoption(team, &name).await;
            team.event(&name, "Adopted").await;
        }
        ("events", "patch") => drift(team, &format!("told-{turn}")).await,
        _ => {}
    }
}

async fn each_right_in_turn(scene: &Scene) {
    let all = scene.rights();
    scene.grant(&all).await;
    let operator = scene.start("15s").await;
    for team in &scene.teams {
        create(team, &old(team)).await;
        team.ready(&old(team)).await;
        // The first of a series is created, the next ones patch it.
        drift(team, "first").await;
    }
    for (turn, right) in all.iter().filter(|right| right.resource != "leases").enumerate() {
        let (deprived, others) = scene.teams_under(right);
        let team = deprived[0];
        let (from, before) = (operator.log().len(), team.calls());
        scene.take(right).await;
        let name = need(scene, team, right, turn).await;
        until_said(&operator, from, team, right, &name).await;
        let calls = team.calls();
        match (right.resource.as_str(), right.verb.as_str()) {
            ("identities", "get") => assert_eq!(calls[2], before[2], "no update without a look"),
            ("identities", "patch") => assert_eq!(calls[0], before[0], "no create without a claim"),
            ("customresourcedefinitions", _) => assert_eq!(calls[3], before[3], "no delete"),
            _ => {}
        }
        for other in others {
            create(other, &format!("beside-{turn}")).await;
            other.ready(&format!("beside-{turn}")).await;
        }
        assert_eq!(operator.http("/livez").await.status, 200);
        scene.grant(&all).await;
        recovers(team, right, turn, &name).await;
        scene.in_step().await;
        assert!(team.accepted(Operation::Create, &name) <= 1, "{name}");
    }
    assert!(operator.terminate().success());
    // Watches are logged when they end.
    eventually("every right to be in the audit log", async || scene.used().is_superset(&all).then_some(())).await;
    assert_eq!(scene.used(), all, "what it has used, and what it was granted");
}

#[tokio::test]
async fn each_right_in_turn_over_the_cluster() {
    each_right_in_turn(&Scene::of_the_cluster("forbidden").await).await;
}

#[tokio::test]
async fn each_right_in_turn_in_namespaces() {
    each_right_in_turn(&Scene::of_namespaces("forbidden").await).await;
}

async fn until_leads(operator: &Operator) {
    eventually("it to lead", async || (operator.metrics().await.sum("unkey_operator_leader", &[]) == 1).then_some(()))
        .await;
}

/// Without a right to the lease nobody leads, the log says which is missing, and it leads by itself when the right is back.
async fn each_right_to_the_lease(scene: &Scene) {
    let all = scene.rights();
    let rights: Vec<&Right> = all.iter().filter(|right| right.resource == "leases").collect();
    assert_eq!(rights[0].verb, "create", "the others need a lease, which the first round leaves behind");
    for right in rights {
        let team = &scene.teams[0];
        let name = format!("waits-{}", right.verb);
        scene.take(right).await;
        create(team, &name).await;
        let from = std::fs::read_to_string(team.files.path().join("operator.log")).map_or(0, |log| log.len());
        let calls = team.calls();
        let operator = scene.start("2s").await;
        until_named(&operator, from, right).await;
        operator.until_readyz(200, "ok").await;
        assert_eq!(operator.metrics().await.sum("unkey_operator_leader", &[]), 0);
        assert_eq!(team.calls(), calls, "it does nothing");
        scene.grant(&all).await;
        until_leads(&operator).await;
        team.ready(&name).await;
        assert!(operator.terminate().success());
    }
    scene.in_step().await;
}

#[tokio::test]
async fn each_right_to_the_lease_over_the_cluster() {
    each_right_to_the_lease(&Scene::of_the_cluster("forbidden-lease").await).await;
}

#[tokio::test]
async fn each_right_to_the_lease_in_namespaces() {
    each_right_to_the_lease(&Scene::of_namespaces("forbidden-lease").await).await;
}

/// Started without any right it is not ready, says why, and begins by itself when it may watch all that it has to: who owns what can be
/// said only by who sees everything (R8).
async fn from_nothing(scene: &Scene) {
    let all = scene.rights();
    for team in &scene.teams {
        create(team, &format!("waits-{}", team.namespace)).await;
    }
    let operator = scene.begin("15s");
    // It is not for want of these that it does nothing.
    let mut granted: BTreeSet<Right> = all.iter().filter(|right| right.resource == "leases").cloned().collect();
    for right in all.iter().filter(|right| right.verb == "watch") {
        scene.grant(&granted).await;
        until_named(&operator, 0, right).await;
        until_leads(&operator).await;
        operator.until_readyz(503, "the list of Identities").await;
        assert_eq!(scene.teams[0].calls(), [0; 5]);
        granted.extend(all.iter().filter(|other| other.namespace == right.namespace).cloned());
    }
    assert_eq!(granted, all);
    scene.grant(&granted).await;
    scene.in_step().await;
    operator.until_readyz(200, "ok").await;
}

#[tokio::test]
async fn from_nothing_over_the_cluster() {
    from_nothing(&Scene::of_the_cluster("forbidden-all").await).await;
}

#[tokio::test]
async fn from_nothing_in_namespaces() {
    from_nothing(&Scene::of_namespaces("forbidden-all").await).await;
}
