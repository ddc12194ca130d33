//! E4: each right that the operator uses is taken away while it runs, over the whole cluster and in each of two namespaces. It says which one is
//! missing and where, goes on with what it can, and recovers by itself when the right is back. Which rights it uses is read from the audit log, so
//! that a new one cannot be forgotten, nor one be granted that it does not need. Those to the lease need operators of their own.

mod deeds;
pub mod scene;
mod unwatched;

use std::collections::BTreeSet;

use unkey_emulator::Operation;

use self::deeds::{Deed, create, old};
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

/// Waits until it says what is missing: to the user, where one waits for it, else in the log.
async fn until_said(operator: &Operator, from: usize, team: &World, right: &Right, name: &str) {
    if right.resource != "customresourcedefinitions" {
        return until_named(operator, from, right).await;
    }
    let blocked = team.reason(name, "DeletionBlocked").await;
    let message = condition(&blocked, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("may not read the CustomResourceDefinition"), "{message}");
    assert_eq!(blocked["status"]["cause"], "DefinitionUnread");
}

async fn each_right_in_turn(scene: &Scene) {
    let all = scene.rights();
    scene.grant(&all).await;
    let mut operator = scene.start("15s").await;
    for team in &scene.teams {
        create(team, &old(team)).await;
        team.ready(&old(team)).await;
        for (number, deed) in Deed::LIFE.into_iter().enumerate() {
            let name = deed.begin(scene, team, &format!("life-{number}")).await;
            deed.end(team, &name).await;
        }
    }
    scene.in_step().await;
    for (turn, right) in all.iter().filter(|right| right.resource != "leases").enumerate() {
        let deed = Deed::with(right);
        let (deprived, others) = scene.teams_under(right);
        let team = deprived[0];
        let (from, before) = (operator.log().len(), team.calls());
        scene.take(right).await;
        let name = deed.begin(scene, team, &format!("without-{turn}")).await;
        until_said(&operator, from, team, right, &name).await;
        let calls = team.calls();
        match (right.resource.as_str(), right.verb.as_str()) {
            ("identities", "get") => assert_eq!(calls[2], before[2], "no update without a look"),
            ("identities", "patch") => assert_eq!(calls[0], before[0], "no create without a claim"),
            ("customresourcedefinitions", _) => assert_eq!(calls[3], before[3], "no delete"),
            _ => {}
        }
        for other in others {
            let name = Deed::Create.begin(scene, other, &format!("beside-{turn}")).await;
            Deed::Create.end(other, &name).await;
        }
        assert_eq!(operator.http("/livez").await.status, 200);
        scene.grant(&all).await;
        // An event is not told later.
        let again = right.resource == "events";
        let name = if again { deed.begin(scene, team, &format!("with-{turn}")).await } else { name };
        deed.end(team, &name).await;
        scene.in_step().await;
        assert!(team.accepted(Operation::Create, &name) <= 1, "{name}");
    }
    operator.signal("TERM");
    assert!(operator.ended().await.success());
    eventually("its watches to be in the audit log, as they are when they end", async || {
        let used = scene.used();
        all.iter().filter(|right| right.verb == "watch").all(|right| used.contains(right)).then_some(())
    })
    .await;
    let used = scene.used();
    let one_sided: Vec<&Right> = used.symmetric_difference(&all).collect();
    assert!(one_sided.is_empty(), "used or granted, not both: {one_sided:#?}");
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

/// Without a right to the lease nobody leads: the log says which is missing, and it leads by itself when the right is back.
async fn each_right_to_the_lease(scene: &Scene) {
    let all = scene.rights();
    let rights: Vec<&Right> = all.iter().filter(|right| right.resource == "leases").collect();
    assert_eq!(rights[0].verb, "create", "the others need a lease, which the first round leaves behind");
    for right in rights {
        let team = &scene.teams[0];
        let name = format!("waits-{}", right.verb);
        create(team, &name).await;
        scene.take(right).await;
        let from = std::fs::read_to_string(team.files.path().join("operator.log")).map_or(0, |log| log.len());
        let calls = team.calls();
        let mut operator = scene.start("2s").await;
        until_named(&operator, from, right).await;
        operator.until_readyz(200, "ok").await;
        assert_eq!(operator.metrics().await.sum("unkey_operator_leader", &[]), 0);
        assert_eq!(team.calls(), calls, "it does nothing");
        scene.grant(&all).await;
        until_leads(&operator).await;
        team.ready(&name).await;
        operator.signal("TERM");
        assert!(operator.ended().await.success());
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

/// Started without any right it is not ready, and says why. It is ready as soon as it may watch a namespace, and comes to own nothing before it may
/// watch all: who owns what can be said only by who sees everything (R8).
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
        let nothing = !granted.iter().any(|granted| granted.verb == "watch");
        let (status, said) = if nothing { (503, "the list of Identities") } else { (200, "is not watched: ") };
        operator.until_readyz(status, said).await;
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
